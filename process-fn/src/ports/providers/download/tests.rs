use super::super::testing::{Host, Reply, SHORT, reply};
use super::*;
use aws_smithy_runtime_api::client::dns::DnsFuture;
use std::net::{IpAddr, Ipv4Addr};

fn url(text: &str) -> DownloadUrl {
    DownloadUrl::parse(text).unwrap()
}

async fn fetch(text: &str) -> Result<String, ApiError> {
    let download = Downloader::new(Downloads::Anywhere, SHORT).open(Artifact::Video, &url(text)).await?;
    Ok(String::from_utf8(download.into_bytes(1000).await?).unwrap())
}

async fn serving(given: &[u8]) -> Host {
    let given = given.to_vec();
    Host::answering(move |_, _| Reply::Bytes(given.clone())).await
}

#[tokio::test]
async fn a_body_comes_with_what_its_host_says_of_it() {
    let host = serving(&reply(200, &[("Content-Type", "video/mp4")], "bytes")).await;
    let download =
        Downloader::new(Downloads::Anywhere, SHORT).open(Artifact::Video, &url(&host.url("/v?sig=1"))).await.unwrap();
    assert_eq!((download.content_type(), download.length()), (Some("video/mp4"), Some(5)));
    assert_eq!(download.into_bytes(5).await, Ok(b"bytes".to_vec()));
    let seen = &host.seen()[0];
    assert_eq!(seen.path, "/v?sig=1");
    let names: Vec<&str> = seen.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["accept-encoding", "host", "user-agent"], "and no credential");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_taken_for_a_whole_one() {
    let truncated = || Err(ApiError::later(Cause::Truncated));
    let host = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    assert_eq!(fetch(&host.url("/")).await, truncated());
    let host = serving(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
    assert_eq!(fetch(&host.url("/")).await, truncated());
    let host = Host::answering(|_, _| Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    assert_eq!(fetch(&host.url("/")).await, Err(ApiError::later(Cause::TimedOut)));
    // Whatever the connection says, the announced length counts.
    for (announced, expected) in [(4, Ok(b"half".to_vec())), (3, Err(())), (5, Err(()))] {
        let download = Download::new(None, Some(announced), ByteStream::from_static(b"half"));
        let read = download.into_bytes(100).await;
        assert_eq!(read.map_err(|error| assert_eq!(error, ApiError::later(Cause::Truncated))), expected, "{announced}");
    }
    let download = Download::new(None, None, ByteStream::from_static(b"half"));
    assert_eq!(download.into_bytes(3).await, Err(ApiError::later(Cause::TooLarge)));
}

#[tokio::test]
async fn a_page_is_never_taken_for_an_artifact() {
    use Artifact::{Audio, Transcript, Video};
    let check = async |artifact, kind: &str, taken: bool| {
        let host = serving(&reply(200, &[("content-type", kind)], "body")).await;
        let opened = Downloader::new(Downloads::Anywhere, SHORT).open(artifact, &url(&host.url("/"))).await;
        let expected = if taken { Ok(()) } else { Err(ApiError::later(Cause::Unreadable)) };
        assert_eq!(opened.map(drop), expected, "{kind} for {artifact:?}");
    };
    for artifact in [Audio, Video, Transcript] {
        check(artifact, "text/html; charset=utf-8", false).await;
        check(artifact, "Text/HTML", false).await;
        check(artifact, "binary/octet-stream", true).await;
        check(artifact, "", true).await;
    }
    check(Video, "video/mp4", true).await;
    check(Video, "application/json", false).await;
    check(Audio, "application/xml", false).await;
    check(Transcript, "application/json", true).await;
    check(Transcript, "text/vtt", true).await;
}

#[tokio::test]
async fn redirects_are_followed_a_few_times_and_without_a_credential() {
    let end = Host::serving(&[("/end?sig=2", "bytes")]).await;
    let location = end.url("/end?sig=2");
    let start = Host::answering(move |path, _| {
        let next = match path {
            "/1" => "/2".to_owned(),
            "/2" => "/3".to_owned(),
            "/0" => "/1".to_owned(),
            "/round" => "/round".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            "/nowhere" => String::new(),
            _ => location.clone(),
        };
        Reply::Bytes(reply(302, &[("location", &next)], ""))
    })
    .await;
    assert_eq!(fetch(&start.url("/1")).await, Ok("bytes".to_owned()), "three redirects");
    assert_eq!(fetch(&start.url("/0")).await, Err(Refusal::UnsafeUrl.into()), "four redirects");
    for odd in ["/round", "/file", "/nowhere"] {
        assert_eq!(fetch(&start.url(odd)).await, Err(Refusal::UnsafeUrl.into()), "{odd}");
    }
    assert_eq!(end.seen().len(), 1);
    assert!(!end.seen()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_url_that_is_no_longer_taken_asks_for_a_new_one() {
    for status in [400, 401, 403, 404, 410] {
        let host = serving(&reply(status, &[], "<Error><Code>AccessDenied</Code></Error>")).await;
        assert_eq!(fetch(&host.url("/")).await, Err(ApiError::later(Cause::UrlRefused)), "{status}");
        assert_eq!(host.seen().len(), 1, "{status}");
    }
    for (status, cause) in [(503, Cause::Failing), (429, Cause::Busy), (206, Cause::Failing)] {
        let host = serving(&reply(status, &[("retry-after", "60")], "")).await;
        let wait = Some(Duration::from_secs(60));
        assert_eq!(fetch(&host.url("/")).await, Err(ApiError::Later { cause, wait }), "{status}");
    }
}

/// A name that leads to this machine, which a sender can arrange for.
#[derive(Clone, Debug)]
struct Rebound;

impl ResolveDns for Rebound {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
    }
}

#[tokio::test]
async fn nothing_connects_to_an_address_that_is_not_public() {
    let host = Host::serving(&[("/", "secret of this machine")]).await;
    let port = host.address.port();
    let downloader = Downloader::resolving(Rebound, Downloads::Public, SHORT);
    for text in [
        format!("https://media.example:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("http://media.example:{port}/"),
    ] {
        let opened = downloader.open(Artifact::Video, &url(&text)).await.map(drop);
        assert_eq!(opened, Err(Refusal::UnsafeUrl.into()), "{text}");
    }
    assert!(host.seen().is_empty());
    // The same name, where the setting for local runs allows it: it is the address that was refused.
    let local = Downloader::resolving(Rebound, Downloads::Anywhere, SHORT);
    let opened = local.open(Artifact::Video, &url(&format!("http://media.example:{port}/"))).await;
    assert_eq!(opened.unwrap().into_bytes(100).await, Ok(b"secret of this machine".to_vec()));
    assert_eq!(host.seen()[0].headers["host"], format!("media.example:{port}"));
}
