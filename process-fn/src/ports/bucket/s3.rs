//! The bucket on S3.

mod answer;
mod parts;
mod upload;

use super::{Bucket, BucketError, Listed, Object, UploadError, Uploaded};
use crate::ports::providers::Download;
use answer::{failed, given_by_s3};
use aws_sdk_s3::{
    Client,
    config::Builder,
    error::SdkError,
    operation::get_object::GetObjectError,
    primitives::{ByteStream, DateTime},
};
use platform::aws::causes;
use shared::bucket::metadata;
use tokio::time::Instant;
use upload::Uploads;

#[derive(Clone, Debug)]
pub struct S3Bucket {
    client: Client,
    bucket_name: String,
    uploads: Uploads,
}

impl S3Bucket {
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, bucket_name: String) -> Self {
        // A local AWS has no host name for each bucket.
        let path_style = connection.endpoint_url().is_some();
        let config = Builder::from(connection).force_path_style(path_style);
        let patient = Client::from_conf(config.clone().timeout_config(upload::timeouts()).build());
        let uploads = Uploads::new(patient, bucket_name.clone());
        Self { client: Client::from_conf(config.build()), bucket_name, uploads }
    }
}

impl Bucket for S3Bucket {
    async fn put(&self, object: &Object) -> Result<(), BucketError> {
        let mut put = self
            .client
            .put_object()
            .bucket(&self.bucket_name)
            .key(&object.key)
            .content_type("application/octet-stream")
            .metadata(metadata::REASON, object.reason);
        for (name, value) in &object.metadata {
            put = put.metadata(*name, value);
        }
        let stored = put.body(ByteStream::from(object.bytes.clone())).send().await.map_err(failed("PutObject"))?;
        given_by_s3(stored.e_tag())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let found = match self.client.get_object().bucket(&self.bucket_name).key(key).send().await {
            Ok(found) => found,
            // Only this error says that there is no object. A role that may not list the bucket gets 403 instead.
            Err(SdkError::ServiceError(answer)) if matches!(answer.err(), GetObjectError::NoSuchKey(_)) => {
                return Ok(None);
            }
            Err(error) => return Err(failed("GetObject")(error)),
        };
        given_by_s3(found.e_tag())?;
        match found.body.collect().await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) => {
                tracing::error!(operation = "GetObject", error = causes(&error), "the body of an object broke off");
                Err(BucketError)
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        let page = self.client.list_objects_v2().bucket(&self.bucket_name).prefix(prefix).send().await;
        let objects = page.map_err(failed("ListObjectsV2"))?.contents.unwrap_or_default().into_iter();
        let listed = objects.filter_map(|object| {
            let stored_at = object.last_modified.as_ref().map_or(0, DateTime::secs);
            Some(Listed { key: object.key?, stored_at })
        });
        Ok(listed.collect())
    }

    async fn remove(&self, key: &str) -> Result<(), BucketError> {
        let removed = self.client.delete_object().bucket(&self.bucket_name).key(key).send().await;
        removed.map(drop).map_err(failed("DeleteObject"))
    }

    async fn put_artifact(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Uploaded, UploadError> {
        Ok(self.uploads.put_whole(key, Some(content_type), bytes.into()).await?)
    }

    async fn upload(&self, key: &str, download: Download, deadline: Instant) -> Result<Uploaded, UploadError> {
        self.uploads.stream(key, download, deadline).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::{
        get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output, put_object::PutObjectOutput,
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    fn object() -> Object {
        Object {
            key: "parked/group/1".to_owned(),
            bytes: b"\xff\x00".to_vec(),
            reason: "because",
            metadata: vec![("endpoint", "meetstream".to_owned())],
        }
    }

    #[tokio::test]
    async fn bytes_are_stored_with_what_is_known_of_them() {
        let rule = mock!(Client::put_object)
            .match_requests(|request| {
                let metadata = request.metadata().unwrap();
                request.bucket() == Some("bucket")
                    && request.key() == Some("parked/group/1")
                    && metadata["reason"] == "because"
                    && metadata["endpoint"] == "meetstream"
            })
            .then_output(|| PutObjectOutput::builder().e_tag("tag").build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(bucket(client).put(&object()).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    fn refused(status: u16, code: &str) -> aws_smithy_runtime_api::client::orchestrator::HttpResponse {
        let body = aws_smithy_types::body::SdkBody::from(format!("<Error><Code>{code}</Code></Error>"));
        aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(status.try_into().unwrap(), body)
    }

    fn bucket(client: Client) -> S3Bucket {
        let uploads = Uploads::new(client.clone(), "bucket".to_owned());
        S3Bucket { client, bucket_name: "bucket".to_owned(), uploads }
    }

    #[tokio::test]
    async fn only_what_s3_says_is_absent_is_absent() {
        for (status, code, expected) in [
            (404, "NoSuchKey", Ok(None)),
            (404, "NoSuchBucket", Err(BucketError)),
            (403, "AccessDenied", Err(BucketError)),
            (503, "SlowDown", Err(BucketError)),
        ] {
            let rule = mock!(Client::get_object).then_http_response(move || refused(status, code));
            let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
            assert_eq!(bucket(client).get("claims/g/1").await, expected, "{code}");
        }
    }

    #[tokio::test]
    async fn objects_are_listed_with_their_times() {
        let rule = mock!(Client::list_objects_v2)
            .match_requests(|request| request.bucket() == Some("bucket") && request.prefix() == Some("spool/"))
            .then_output(|| {
                let object = aws_sdk_s3::types::Object::builder()
                    .key("spool/g/1")
                    .last_modified(DateTime::from_secs(1_791_212_102));
                ListObjectsV2Output::builder().contents(object.build()).build()
            });
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        let listed = Listed { key: "spool/g/1".to_owned(), stored_at: 1_791_212_102 };
        assert_eq!(bucket(client).list("spool/").await, Ok(vec![listed]));
    }

    #[tokio::test]
    async fn only_the_bucket_itself_answers() {
        let put = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().build());
        let body = || ByteStream::from_static(b"<html>");
        let get = mock!(Client::get_object).then_output(move || GetObjectOutput::builder().body(body()).build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put, &get]);
        assert_eq!(bucket(client.clone()).put(&object()).await, Err(BucketError));
        assert_eq!(bucket(client).get("spool/g/1").await, Err(BucketError));
        let get =
            mock!(Client::get_object).then_output(move || GetObjectOutput::builder().e_tag("tag").body(body()).build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&get]);
        assert_eq!(bucket(client).get("spool/g/1").await, Ok(Some(b"<html>".to_vec())));
    }

    #[tokio::test]
    async fn no_confirmation_is_a_failure() {
        let rule = mock!(Client::put_object).then_http_response(|| refused(403, "AccessDenied"));
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(bucket(client).put(&object()).await, Err(BucketError));
    }
}
