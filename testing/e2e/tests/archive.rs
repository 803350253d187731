//! Downloads from a host on this machine arrive in a bucket of the local AWS.

use anyhow::{Context, Result, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use e2e::{local_aws::LocalAws, scratch::Scratch};
use process_fn::{
    ApiError, ApiSettings, Bucket, Cause, Patience, ProviderApi, Providers, S3Bucket, UploadError, Uploaded,
};
use sha2::{Digest, Sha256};
use shared::{
    event::Artifact,
    url::{DownloadUrl, Downloads},
};
use std::time::Duration;
use tokio::{net::TcpListener, time::Instant};

/// Three parts, the last of which is short.
const VIDEO_BYTES: usize = 18 << 20;

fn video() -> Vec<u8> {
    (0..VIDEO_BYTES).map(|n| u8::try_from((n / 4099 + n) % 251).unwrap_or_default()).collect()
}

/// A host as presigned URLs lead to: `/video`, `/audio`, and `/cut`, which breaks off behind two parts.
async fn host() -> Result<String> {
    let of = |kind: &'static str, body: Vec<u8>| ([(header::CONTENT_TYPE, kind)], body).into_response();
    let cut = || async {
        let pieces = [Ok(Bytes::from(video())), Err(std::io::Error::other("cut"))];
        let length = (VIDEO_BYTES + 5).to_string();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        Response::builder().status(StatusCode::OK).header(header::CONTENT_LENGTH, length).body(body).unwrap_or_default()
    };
    let routes = Router::new()
        .route("/video", get(move || async move { of("video/mp4", video()) }))
        .route("/audio", get(move || async move { of("audio/wav", b"sound".to_vec()) }))
        .route("/cut", get(cut));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

async fn store(bucket: &S3Bucket, url: &str, key: &str) -> Result<Result<Uploaded, UploadError>> {
    let settings = ApiSettings { meetstream: None, meetingbaas: None, downloads: Downloads::Anywhere };
    let download =
        Providers::new(&settings, Patience::DEFAULT).download(Artifact::Video, &DownloadUrl::parse(url)?).await?;
    Ok(bucket.upload(key, download, Instant::now() + Duration::from_secs(120)).await)
}

#[tokio::test]
async fn downloads_arrive_in_the_bucket_as_they_are_or_not_at_all() -> Result<()> {
    let scratch = Scratch::create(&LocalAws::from_env()?).await?;
    let connection = platform::aws::connection(&scratch.aws.environment(), process_fn::AWS_CALL_BUDGET)?;
    let bucket = S3Bucket::new(&connection, scratch.bucket.clone());
    let (host, s3) = (host().await?, &scratch.aws.s3);

    for (path, kind, content) in [("video", "video/mp4", video()), ("audio", "audio/wav", b"sound".to_vec())] {
        let key = format!("meetstream/b/{path}/recording");
        let stored = store(&bucket, &format!("{host}/{path}"), &key).await??;
        let sha256 = hex::encode(Sha256::digest(&content));
        ensure!(stored.size_bytes == content.len() as u64 && stored.sha256 == sha256, "{stored:?}");
        let object = s3.get_object().bucket(&scratch.bucket).key(&key).send().await?;
        ensure!(object.content_type() == Some(kind), "{:?}", object.content_type());
        let body = object.body.collect().await?.to_vec();
        ensure!(body == content, "{path} has {} bytes", body.len());
        let tags = s3.get_object_tagging().bucket(&scratch.bucket).key(&key).send().await?;
        let mut tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        tags.sort_unstable();
        let size = content.len().to_string();
        ensure!(tags == [("sha256", sha256.as_str()), ("size_bytes", size.as_str())], "{tags:?}");
    }

    let key = "meetstream/b/cut/recording";
    let cut = store(&bucket, &format!("{host}/cut"), key).await?;
    ensure!(cut == Err(UploadError::Download(ApiError::later(Cause::Truncated))), "{cut:?}");
    let listed = s3.list_objects_v2().bucket(&scratch.bucket).send().await?;
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    ensure!(keys == ["meetstream/b/audio/recording", "meetstream/b/video/recording"], "{keys:?}");
    let uploads = s3.list_multipart_uploads().bucket(&scratch.bucket).send().await.context("listing uploads")?;
    ensure!(uploads.uploads().is_empty(), "{:?}", uploads.uploads());
    scratch.remove().await
}
