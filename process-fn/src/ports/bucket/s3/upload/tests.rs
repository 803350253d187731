use super::*;
use crate::ports::providers::{ApiError, Cause};
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, SharedAsyncSleep,
    http::{HttpRequest, HttpResponse},
    retry::RetryConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_types::body::SdkBody;
use http_body_util::StreamBody;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Smaller than in earnest, so that digests take no time.
const PART_BYTES: usize = 64 << 10;

const COMPLETED: &str = "<CompleteMultipartUploadResult><ETag>whole</ETag></CompleteMultipartUploadResult>";

/// How S3 fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    /// This part is refused, however often it is sent.
    Part(u32),
    /// Whatever is asked for last is refused.
    Complete,
    /// Tags are refused.
    Tagging,
    /// Something on the way answers 200 in its place, and nothing is done.
    Stranger(&'static str),
}

/// S3 as far as it is needed here: slow, so that parts pile up if anything lets them.
#[derive(Clone, Debug)]
struct FakeS3 {
    state: Arc<Mutex<State>>,
    fault: Fault,
    /// What was received whole, in bytes.
    received: Arc<AtomicUsize>,
}

#[derive(Default, Debug)]
struct State {
    parts: BTreeMap<u32, Vec<u8>>,
    object: Option<(Vec<u8>, Option<String>)>,
    tags: String,
    calls: Vec<String>,
}

impl FakeS3 {
    fn new(fault: Fault) -> Self {
        Self { state: Arc::default(), fault, received: Arc::default() }
    }

    fn uploads(&self) -> Uploads {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .build();
        Uploads {
            client: Client::from_conf(config),
            bucket_name: "bucket".to_owned(),
            part_bytes: PART_BYTES,
            parts_in_memory: Arc::new(Semaphore::new(PARTS_IN_MEMORY)),
        }
    }

    /// What was called, each call once.
    fn calls(&self) -> Vec<String> {
        let mut calls = self.state.lock().unwrap().calls.clone();
        calls.dedup();
        calls
    }

    async fn answer(self, request: HttpRequest) -> HttpResponse {
        let url: http::Uri = request.uri().parse().unwrap();
        let query = url.query().unwrap_or_default().to_owned();
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let method = request.method().to_owned();
        let header = |name: &str| request.headers().get(name).map(str::to_owned);
        let (kind, tagging, size) = (header("content-type"), header("x-amz-tagging"), header("x-amz-mp-object-size"));
        let crc = header("x-amz-checksum-crc32");
        let body = ByteStream::new(request.into_body()).collect().await.unwrap().to_vec();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.received.fetch_add(body.len(), Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        let part = value("partNumber").map(|number| number.parse::<u32>().unwrap());
        let is_tagging = query.split('&').any(|pair| pair.starts_with("tagging"));
        let call = match (method.as_str(), part) {
            ("POST", _) if query.contains("uploads") => "begin",
            ("PUT", Some(_)) => "part",
            ("PUT", None) if is_tagging => "tag",
            ("PUT", None) => "put",
            ("POST", None) => "complete",
            ("DELETE", None) => "abort",
            other => panic!("{other:?} {query}"),
        };
        state.calls.push(call.to_owned());
        let refused = match self.fault {
            Fault::None => false,
            Fault::Part(number) => part == Some(number),
            Fault::Complete => call == "complete" || call == "put",
            Fault::Tagging => call == "tag",
            Fault::Stranger(answers) if answers == call => {
                return HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
            }
            Fault::Stranger(_) => false,
        };
        if refused {
            return HttpResponse::new(
                500.try_into().unwrap(),
                SdkBody::from("<Error><Code>InternalError</Code></Error>"),
            );
        }
        let mut response = match call {
            "begin" => {
                assert_eq!(kind.as_deref(), Some("video/mp4"));
                let id = "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>";
                HttpResponse::new(200.try_into().unwrap(), SdkBody::from(id))
            }
            "complete" => {
                let body = String::from_utf8(body).unwrap();
                // Every part, in order, with what S3 gave for it.
                let numbers: Vec<u32> = (body.split("<PartNumber>").skip(1))
                    .map(|rest| rest.split('<').next().unwrap().parse().unwrap())
                    .collect();
                assert_eq!(numbers, state.parts.keys().copied().collect::<Vec<_>>());
                assert_eq!(body.matches("<ChecksumCRC32>crc").count(), numbers.len(), "{body}");
                assert_eq!(body.matches("<ETag>").count(), numbers.len());
                let whole: Vec<u8> = state.parts.values().flatten().copied().collect();
                assert_eq!(size, Some(whole.len().to_string()));
                state.object = Some((whole, kind));
                HttpResponse::new(200.try_into().unwrap(), SdkBody::from(COMPLETED))
            }
            "put" => {
                state.object = Some((body, kind));
                state.tags = tagging.unwrap_or_default();
                HttpResponse::new(200.try_into().unwrap(), SdkBody::empty())
            }
            "tag" => {
                state.tags = String::from_utf8(body).unwrap();
                HttpResponse::new(200.try_into().unwrap(), SdkBody::empty())
            }
            "abort" => {
                state.parts.clear();
                HttpResponse::new(204.try_into().unwrap(), SdkBody::empty())
            }
            _ => {
                assert!(crc.is_some(), "every part has a checksum of its own");
                assert!(body.len() == PART_BYTES || part.unwrap() > 1);
                state.parts.insert(part.unwrap(), body);
                HttpResponse::new(200.try_into().unwrap(), SdkBody::empty())
            }
        };
        response.headers_mut().insert("etag", format!("\"{}\"", part.unwrap_or_default()));
        response.headers_mut().insert("x-amz-checksum-crc32", format!("crc{}", part.unwrap_or_default()));
        response
    }
}

impl HttpConnector for FakeS3 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = self.clone();
        HttpConnectorFuture::new(async move { Ok(fake.answer(request).await) })
    }
}

/// Content of so many bytes, of which no two parts are alike.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from((n / PART_BYTES + n) % 251).unwrap()).collect()
}

/// The size of the pieces in which a download comes.
const PIECE_BYTES: usize = 10_007;

/// A download from a host that is as fast as we are. `leaves` hears the size of every piece.
fn download(content: &[u8], length: usize, leaves: impl Fn(usize) + Send + Sync + 'static) -> Download {
    let pieces: Vec<Bytes> = content.chunks(PIECE_BYTES).map(Bytes::copy_from_slice).collect();
    let pieces = pieces.into_iter().map(move |piece| {
        leaves(piece.len());
        Ok::<_, std::io::Error>(http_body::Frame::data(piece))
    });
    let body = SdkBody::from_body_1_x(StreamBody::new(futures_util::stream::iter(pieces)));
    Download::new(Some("video/mp4".to_owned()), Some(length as u64), ByteStream::new(body))
}

async fn store(s3: &FakeS3, content: Vec<u8>, length: usize, seconds: u64) -> Result<Uploaded, UploadError> {
    let download = download(&content, length, |_| ());
    s3.uploads().stream("key", download, Instant::now() + Duration::from_secs(seconds)).await
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_what_came_whatever_its_size() {
    for (length, calls) in [
        (0, vec!["put"]),
        (5, vec!["put"]),
        (PART_BYTES, vec!["put"]),
        (PART_BYTES + 1, vec!["begin", "part", "complete", "tag"]),
        (5 * PART_BYTES, vec!["begin", "part", "complete", "tag"]),
    ] {
        let s3 = FakeS3::new(Fault::None);
        let content = content(length);
        let stored = store(&s3, content.clone(), length, 600).await.unwrap();
        let sha256 = sha256_hex(&content);
        assert_eq!((stored.size_bytes, stored.sha256.as_str()), (length as u64, sha256.as_str()), "{length}");
        assert_eq!((stored.key.as_str(), stored.content_type.as_deref()), ("key", Some("video/mp4")));
        assert_eq!(s3.calls(), calls, "{length}");
        let state = s3.state.lock().unwrap();
        let (object, kind) = state.object.as_ref().unwrap();
        assert!(*object == content, "{length}");
        assert!(kind.as_deref() == Some("video/mp4") || calls[0] == "begin");
        for said in [&sha256, &length.to_string()] {
            assert!(state.tags.contains(said.as_str()), "{}", state.tags);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_leaves_no_object() {
    for (length, calls) in [(5, vec![]), (8 * PART_BYTES, vec!["begin", "part", "abort"])] {
        let s3 = FakeS3::new(Fault::None);
        let truncated = UploadError::Download(ApiError::later(Cause::Truncated));
        assert_eq!(store(&s3, content(length), length + 1, 600).await, Err(truncated));
        assert_eq!(s3.calls(), calls, "{length}");
        let state = s3.state.lock().unwrap();
        assert!(state.object.is_none() && state.parts.is_empty(), "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_is_undone() {
    for (fault, length) in [
        (Fault::Part(1), 3 * PART_BYTES),
        (Fault::Part(3), 3 * PART_BYTES),
        (Fault::Complete, 3 * PART_BYTES),
        (Fault::Tagging, 3 * PART_BYTES),
        (Fault::Complete, 5),
        (Fault::Stranger("part"), 3 * PART_BYTES),
        (Fault::Stranger("complete"), 3 * PART_BYTES),
        (Fault::Stranger("put"), 5),
    ] {
        let s3 = FakeS3::new(fault);
        assert_eq!(store(&s3, content(length), length, 600).await, Err(UploadError::Bucket(BucketError)), "{fault:?}");
        let last = s3.calls().pop();
        assert_eq!(last.as_deref(), Some(if length == 5 { "put" } else { "abort" }), "{fault:?}");
        assert!(s3.state.lock().unwrap().parts.is_empty(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_through_by_the_deadline_is_undone() {
    let s3 = FakeS3::new(Fault::None);
    let length = 12 * PART_BYTES;
    assert_eq!(store(&s3, content(length), length, 3).await, Err(UploadError::OutOfTime));
    assert_eq!(s3.calls(), ["begin", "part", "abort"]);
    assert!(s3.state.lock().unwrap().object.is_none());
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_however_long_the_download() {
    let s3 = FakeS3::new(Fault::None);
    let pulled = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    let (received, left, highest) = (Arc::clone(&s3.received), Arc::clone(&pulled), Arc::clone(&peak));
    let length = 40 * PART_BYTES;
    let download = download(&content(length), length, move |piece| {
        let pulled = left.fetch_add(piece, Ordering::SeqCst) + piece;
        highest.fetch_max(pulled.saturating_sub(received.load(Ordering::SeqCst)), Ordering::SeqCst);
    });
    let stored = s3.uploads().stream("key", download, Instant::now() + Duration::from_secs(600)).await.unwrap();
    assert_eq!(stored.size_bytes, length as u64);
    let peak = peak.load(Ordering::SeqCst);
    assert!(peak <= (PARTS_IN_FLIGHT + 1) * PART_BYTES + PIECE_BYTES, "{peak} bytes at a time");
    assert!(peak > 3 * PART_BYTES, "parts are sent beside each other: {peak} bytes at a time");
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_however_many_downloads_there_are_at_once() {
    const DOWNLOADS: usize = 10;
    let s3 = FakeS3::new(Fault::None);
    let uploads = s3.uploads();
    let pulled = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    let length = 8 * PART_BYTES;
    let stored = (0..DOWNLOADS).map(|_| {
        let (received, left, highest) = (Arc::clone(&s3.received), Arc::clone(&pulled), Arc::clone(&peak));
        let download = download(&content(length), length, move |piece| {
            let pulled = left.fetch_add(piece, Ordering::SeqCst) + piece;
            highest.fetch_max(pulled.saturating_sub(received.load(Ordering::SeqCst)), Ordering::SeqCst);
        });
        uploads.stream("key", download, Instant::now() + Duration::from_secs(600))
    });
    for stored in futures_util::future::join_all(stored).await {
        assert_eq!(stored.unwrap().size_bytes, length as u64);
    }
    let peak = peak.load(Ordering::SeqCst);
    assert!(peak <= PARTS_IN_MEMORY * PART_BYTES + DOWNLOADS * PIECE_BYTES, "{peak} bytes at a time");
    assert!(peak > DOWNLOADS * PART_BYTES, "downloads go on beside each other: {peak} bytes at a time");
}
