//! Which call a request is.

use hyper::Method;
use hyper::body::Bytes;
use hyper::http::request::Parts;

/// The AWS service a call is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// `DynamoDB`.
    DynamoDb,
    /// SQS.
    Sqs,
    /// S3.
    S3,
    /// `EventBridge`.
    EventBridge,
    /// Another one, by the prefix of its target header.
    Other(String),
}

/// One call to AWS, as it left the function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The operation's name, such as `PutItem`.
    pub operation: String,
    /// The path and query of the request; only S3's says anything.
    pub target: String,
    /// The body, to the byte.
    pub body: Bytes,
}

impl Call {
    /// Which call a request is: by its target header, or for S3 by method, path and query.
    #[must_use]
    pub fn identify(parts: &Parts, body: Bytes) -> Self {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let header = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let (service, operation) = match header.and_then(|header| header.split_once('.')) {
            Some((prefix, operation)) => (service(prefix), operation.to_owned()),
            None => (Service::S3, s3_operation(parts).to_owned()),
        };
        Self { service, operation, target, body }
    }
}

fn service(prefix: &str) -> Service {
    match prefix {
        "AmazonSQS" => Service::Sqs,
        "AWSEvents" => Service::EventBridge,
        _ if prefix.starts_with("DynamoDB_") => Service::DynamoDb,
        _ => Service::Other(prefix.to_owned()),
    }
}

/// S3 names no operation: method, path and query do. Path-style addresses only, as the functions use them locally.
fn s3_operation(parts: &Parts) -> &'static str {
    let (_, key) = parts.uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let asks_for = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let copies = parts.headers.contains_key("x-amz-copy-source");
    match (&parts.method, key.is_empty()) {
        (&Method::PUT, false) if copies => "CopyObject",
        (&Method::PUT, false) if asks_for("uploadId") => "UploadPart",
        (&Method::PUT, false) => "PutObject",
        (&Method::GET, false) => "GetObject",
        (&Method::HEAD, false) => "HeadObject",
        (&Method::DELETE, false) if asks_for("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, false) => "DeleteObject",
        (&Method::POST, false) if asks_for("uploads") => "CreateMultipartUpload",
        (&Method::POST, false) if asks_for("uploadId") => "CompleteMultipartUpload",
        (&Method::GET, true) if asks_for("list-type") => "ListObjectsV2",
        (&Method::HEAD, true) => "HeadBucket",
        (&Method::PUT, true) => "CreateBucket",
        (&Method::DELETE, true) => "DeleteBucket",
        (&Method::POST, true) if asks_for("delete") => "DeleteObjects",
        _ => "Unknown",
    }
}

/// Which calls a rule or a count is about. Every part narrows it.
#[derive(Clone, Debug, Default)]
pub struct Match {
    service: Option<Service>,
    operation: Option<String>,
    mentions: Option<String>,
}

impl Match {
    /// Every call.
    pub fn anything() -> Self {
        Self::default()
    }

    /// Every call to one service.
    pub fn service(service: Service) -> Self {
        Self { service: Some(service), ..Self::default() }
    }

    /// Every call of one operation of one service.
    pub fn operation(service: Service, operation: &str) -> Self {
        Self { service: Some(service), operation: Some(operation.to_owned()), ..Self::default() }
    }

    /// Only those whose target or body contains `text`, such as a bot's id in a key.
    #[must_use]
    pub fn mentioning(self, text: &str) -> Self {
        Self { mentions: Some(text.to_owned()), ..self }
    }

    /// Whether `call` is one of them.
    pub fn covers(&self, call: &Call) -> bool {
        self.service.as_ref().is_none_or(|service| *service == call.service)
            && self.operation.as_ref().is_none_or(|operation| *operation == call.operation)
            && self.mentions.as_ref().is_none_or(|text| call.target.contains(text) || contains(&call.body, text))
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    #[track_caller]
    fn check(method: &str, path: &str, target: Option<&str>, expected: (Service, &str)) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(target) = target {
            request = request.header("X-Amz-Target", target);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let call = Call::identify(&parts, Bytes::new());
        assert_eq!((call.service, call.operation.as_str()), expected, "{method} {path}");
    }

    #[test]
    fn names_the_calls_of_every_service() {
        check("POST", "/", Some("DynamoDB_20120810.PutItem"), (Service::DynamoDb, "PutItem"));
        check("POST", "/", Some("AmazonSQS.SendMessage"), (Service::Sqs, "SendMessage"));
        check("POST", "/", Some("AWSEvents.PutEvents"), (Service::EventBridge, "PutEvents"));
        check("POST", "/", Some("Kinesis.PutRecord"), (Service::Other("Kinesis".into()), "PutRecord"));
        check("PUT", "/bucket/parked/a/b.json?x-id=PutObject", None, (Service::S3, "PutObject"));
        check("GET", "/bucket/key?x-id=GetObject", None, (Service::S3, "GetObject"));
        check("HEAD", "/bucket/key", None, (Service::S3, "HeadObject"));
        check("DELETE", "/bucket/key", None, (Service::S3, "DeleteObject"));
        check("GET", "/bucket?list-type=2&prefix=parked%2F", None, (Service::S3, "ListObjectsV2"));
        check("GET", "/bucket/?list-type=2", None, (Service::S3, "ListObjectsV2"));
        check("PUT", "/bucket/", None, (Service::S3, "CreateBucket"));
        check("POST", "/bucket/?delete", None, (Service::S3, "DeleteObjects"));
        check("PUT", "/bucket/key?partNumber=1&uploadId=u", None, (Service::S3, "UploadPart"));
        check("PATCH", "/bucket/key", None, (Service::S3, "Unknown"));
    }

    #[test]
    fn every_part_of_a_match_narrows_it() {
        let body = Bytes::from_static(b"{\"Key\":{\"pk\":{\"S\":\"meetstream#bot-7\"}}}");
        let call = Call { service: Service::DynamoDb, operation: "GetItem".into(), target: "/".into(), body };
        assert!(Match::anything().covers(&call));
        assert!(Match::service(Service::DynamoDb).covers(&call));
        assert!(Match::operation(Service::DynamoDb, "GetItem").mentioning("bot-7").covers(&call));
        assert!(!Match::operation(Service::DynamoDb, "GetItem").mentioning("bot-8").covers(&call));
        assert!(!Match::operation(Service::DynamoDb, "PutItem").covers(&call));
        assert!(!Match::service(Service::Sqs).covers(&call));
    }
}
