use super::*;
use crate::{
    Config, Object, S3Spool, SpoolError, SqsQueue,
    queue::{QueueError, Queued},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use lambda_http::request::from_str;
use serde_json::{Value, json};
use sha2::Sha256;
use shared::{
    group,
    message::{Carried, MAX_MESSAGE_BYTES},
    trust::Trust,
};
use std::sync::Mutex;

const SECRET: &str = "whs_secret";
const TOKEN: &str = "a-token-of-22-characters";
const RECORDED: &str = include_str!("../../../events/http/meetstream_signed.json");

/// A queue that remembers what it was given, and answers as it is told.
#[derive(Default)]
struct FakeQueue {
    taken: Mutex<Vec<(String, String, String)>>,
    failure: Option<QueueError>,
}

impl EventsQueue for FakeQueue {
    async fn send(&self, message: Queued<'_>) -> Result<(), QueueError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let taken = (message.group.to_owned(), message.accept_id.to_string(), message.text.to_owned());
        self.taken.lock().unwrap().push(taken);
        Ok(())
    }
}

/// A bucket that remembers what it was given, and refuses as it is told.
#[derive(Default)]
struct FakeSpool {
    taken: Mutex<Vec<Object>>,
    is_failing: bool,
}

impl Spool for FakeSpool {
    async fn put(&self, object: Object) -> Result<(), SpoolError> {
        if self.is_failing {
            return Err(SpoolError);
        }
        self.taken.lock().unwrap().push(object);
        Ok(())
    }
}

type Function = Ingest<FakeQueue, FakeSpool>;

fn ingest(settings: &[(&str, &str)]) -> Function {
    let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let stores = ["EVENTS_QUEUE_URL", "BUCKET_NAME"];
    let lookup = |name: &str| find(name).or_else(|| stores.contains(&name).then(|| "http://store".to_owned()));
    let stores = Stores { queue: FakeQueue::default(), spool: FakeSpool::default() };
    Ingest { endpoints: Config::from_env(&lookup).unwrap().endpoints, stores }
}

fn both_routes() -> Function {
    ingest(&[("MEETSTREAM_WEBHOOK_SECRETS", SECRET), ("MEETSTREAM_CALLBACK_TOKENS", TOKEN)])
}

/// A function URL event as recorded, to be changed before it is sent.
struct Delivery {
    event: Value,
    body: Vec<u8>,
}

impl Delivery {
    fn recorded() -> Self {
        let event: Value = serde_json::from_str(RECORDED).unwrap();
        let body = event["body"].as_str().unwrap().as_bytes().to_vec();
        Self { event, body }.signed()
    }

    fn to(mut self, method: &str, path: &str) -> Self {
        self.event["rawPath"] = json!(path);
        self.event["requestContext"]["http"]["path"] = json!(path);
        self.event["requestContext"]["http"]["method"] = json!(method);
        self
    }

    fn header(mut self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.event["headers"][name] = json!(value),
            None => drop(self.event["headers"].as_object_mut().unwrap().remove(name)),
        }
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        match std::str::from_utf8(body) {
            Ok(text) => self.event["body"] = json!(text),
            Err(_) => self = self.base64(),
        }
        self.signed()
    }

    fn base64(mut self) -> Self {
        self.event["body"] = json!(BASE64_STANDARD.encode(&self.body));
        self.event["isBase64Encoded"] = json!(true);
        self
    }

    fn signed(self) -> Self {
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(&self.body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        self.header("x-meetstream-signature", Some(&signature))
    }

    async fn send(self, ingest: &Function) -> (u16, String) {
        let mut context = lambda_http::Context::default();
        context.request_id = "accepted-1".to_owned();
        let request = from_str(&self.event.to_string()).unwrap().with_lambda_context(context);
        let response = handle(ingest, request).await;
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    }
}

#[track_caller]
fn whole(text: &str) -> QueueMessage {
    match QueueMessage::decode(text).unwrap() {
        Carried::Whole(message) => message,
        Carried::Claimed(claim) => panic!("{claim:?}"),
    }
}

#[track_caller]
fn check(name: &str, ingest: &Function, answer: (u16, String), status: u16) {
    assert_eq!(answer.0, status, "{name}");
    let queued = ingest.stores.queue.taken.lock().unwrap().len();
    assert_eq!(queued, usize::from(status == 200), "{name}: a 2xx and nothing else leaves a message");
    assert!(ingest.stores.spool.taken.lock().unwrap().is_empty(), "{name}: nothing in the bucket");
}

#[tokio::test]
async fn an_accepted_delivery_is_queued_as_it_came() {
    for delivery in [Delivery::recorded(), Delivery::recorded().base64()] {
        let (ingest, body) = (both_routes(), delivery.body.clone());
        let answer = delivery.send(&ingest).await;
        assert_eq!(answer, (200, r#"{"received":true}"#.to_owned()));
        let taken = ingest.stores.queue.taken.lock().unwrap();
        let [(group, accept_id, text)] = taken.as_slice() else { panic!("{taken:?}") };
        let message = whole(text);
        assert_eq!(message.body(), body);
        assert_eq!(message.endpoint(), Endpoint::MeetStream);
        assert_eq!((accept_id.as_str(), message.accept_id().as_str()), ("accepted-1", "accepted-1"));
        assert_eq!(*group, provider::peek(Endpoint::MeetStream, &body).group);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        assert!((i64::try_from(now).unwrap() - message.received_at().0).abs() < 60_000);
    }
}

#[tokio::test]
async fn a_callback_is_accepted_by_its_token() {
    let ingest = both_routes();
    let path = format!("/webhooks/meetstream/{TOKEN}");
    let answer = Delivery::recorded().to("POST", &path).header("x-meetstream-signature", None).send(&ingest).await;
    check("callback", &ingest, answer, 200);
    let taken = ingest.stores.queue.taken.lock().unwrap();
    assert!(!taken[0].2.contains(TOKEN), "the token stays out of the queue");
    assert_eq!(whole(&taken[0].2).endpoint(), Endpoint::MeetStreamCallback);
    let group = provider::peek(Endpoint::MeetStreamCallback, &Delivery::recorded().body).group;
    assert_eq!(taken[0].0, group::in_queue(&group, Trust::Unverified), "in a group apart from what is signed");
    assert_ne!(taken[0].0, group);
}

#[tokio::test]
async fn authentic_bytes_are_queued_whatever_they_say() {
    let bodies: [&[u8]; 9] = [
        b"not json",
        b"",
        b"\xff\xfe not utf-8",
        b"[1,2,3]",
        b"{\"bot_id\":\"\\u0000\\ud83e\\udd16\"}",
        b"control \x00\x01\x1f characters",
        br#"{"event":"bot.unheard_of","bot_id":"x/remove_bot?"}"#,
        br#"{"event":"bot.joining","bot_id":"..#\u0000"}"#,
        "\u{FFFE}\u{FFFF}".as_bytes(),
    ];
    for body in bodies {
        let ingest = both_routes();
        let answer = Delivery::recorded().body(body).send(&ingest).await;
        check(&String::from_utf8_lossy(body), &ingest, answer, 200);
        let taken = ingest.stores.queue.taken.lock().unwrap();
        assert_eq!(whole(&taken[0].2).body(), body);
        assert!(taken[0].0.bytes().all(|b| b.is_ascii_hexdigit()), "the group is a hash");
    }
}

#[tokio::test]
async fn what_is_not_authentic_leaves_no_trace() {
    let forged = format!("sha256={}", "0".repeat(64));
    let wrong_token = "/webhooks/meetstream/another-token-of-22-characters";
    let signature = "x-meetstream-signature";
    let cases = [
        ("forged", Delivery::recorded().header(signature, Some(&forged)), 401),
        ("unsigned", Delivery::recorded().header(signature, None), 401),
        ("malformed", Delivery::recorded().header(signature, Some("sha256=xyz")), 401),
        ("wrong token", Delivery::recorded().to("POST", wrong_token), 401),
        ("unknown path", Delivery::recorded().to("POST", "/"), 404),
        ("unknown sender", Delivery::recorded().to("POST", "/webhooks/someone"), 404),
        ("GET", Delivery::recorded().to("GET", "/webhooks/meetstream"), 405),
        ("PUT", Delivery::recorded().to("PUT", "/webhooks/meetstream"), 405),
    ];
    for (name, delivery, status) in cases {
        let ingest = both_routes();
        let answer = delivery.send(&ingest).await;
        check(name, &ingest, answer, status);
    }
}

#[tokio::test]
async fn a_signature_never_replaces_a_token_or_the_other_way_round() {
    let callbacks_only = ingest(&[("MEETSTREAM_CALLBACK_TOKENS", TOKEN)]);
    check("no secret, no signed route", &callbacks_only, Delivery::recorded().send(&callbacks_only).await, 404);
    let signed_only = ingest(&[("MEETSTREAM_WEBHOOK_SECRETS", SECRET)]);
    let to_callback = Delivery::recorded().to("POST", &format!("/webhooks/meetstream/{TOKEN}"));
    check("no token, no callback route", &signed_only, to_callback.send(&signed_only).await, 404);
}

#[tokio::test]
async fn a_body_that_does_not_fit_the_queue_is_stored_and_claimed() {
    for body in [vec![b'a'; 4 * MAX_MESSAGE_BYTES], vec![0xff; MAX_MESSAGE_BYTES / 2]] {
        let ingest = both_routes();
        assert_eq!(Delivery::recorded().body(&body).send(&ingest).await.0, 200);
        let queued = ingest.stores.queue.taken.lock().unwrap();
        let stored = ingest.stores.spool.taken.lock().unwrap();
        let ([(_, _, text)], [object]) = (queued.as_slice(), stored.as_slice()) else { panic!("one of each") };
        let Carried::Claimed(claim) = QueueMessage::decode(text).unwrap() else { panic!("{text}") };
        assert_eq!(object.key, claim.key());
        assert_eq!(claim.redeem(Some(object.bytes.clone())).unwrap().body(), body);
    }
    let mut ingest = both_routes();
    ingest.stores.spool.is_failing = true;
    let answer = Delivery::recorded().body(&vec![b'a'; MAX_MESSAGE_BYTES]).send(&ingest).await;
    check("a claim to nothing is never sent", &ingest, answer, 503);
}

#[tokio::test]
async fn what_lambda_would_not_hand_over_is_refused() {
    let ingest = both_routes();
    let body = vec![b'a'; MAX_BODY_BYTES + 1];
    check("above", &ingest, Delivery::recorded().body(&body).send(&ingest).await, 413);
}

#[tokio::test]
async fn what_the_queue_refuses_is_spooled() {
    for failure in [QueueError::Unavailable, QueueError::Refused] {
        let mut ingest = both_routes();
        ingest.stores.queue.failure = Some(failure);
        assert_eq!(Delivery::recorded().send(&ingest).await, (200, r#"{"received":true}"#.to_owned()));
        let stored = ingest.stores.spool.taken.lock().unwrap();
        let [object] = stored.as_slice() else { panic!("{stored:?}") };
        assert!(object.key.starts_with("spool/") && object.key.ends_with("/accepted-1"), "{}", object.key);
        let text = String::from_utf8(object.bytes.clone()).unwrap();
        assert_eq!(whole(&text).body(), Delivery::recorded().body, "the message, as the queue would have got it");
    }
}

#[tokio::test]
async fn no_2xx_without_a_store() {
    for failure in [QueueError::Unavailable, QueueError::Refused] {
        let mut ingest = both_routes();
        ingest.stores.queue.failure = Some(failure);
        ingest.stores.spool.is_failing = true;
        check("both fail", &ingest, Delivery::recorded().send(&ingest).await, 503);
    }
}

#[tokio::test]
async fn the_window_is_optional() {
    let settings = [("MEETSTREAM_WEBHOOK_SECRETS", SECRET), ("MEETSTREAM_TIMESTAMP_TOLERANCE_SECONDS", "300")];
    let windowed = ingest(&settings);
    check("recorded long ago", &windowed, Delivery::recorded().send(&windowed).await, 401);
    let ingest = both_routes();
    check("no window", &ingest, Delivery::recorded().header("x-meetstream-timestamp", None).send(&ingest).await, 200);
}

/// The runtime moves the whole of it twice for each request.
#[test]
fn a_request_carries_no_room_for_what_is_rare() {
    let connection =
        platform::aws::connection(&|_: &str| Some("https://store.test".to_owned()), SqsQueue::BUDGET).unwrap();
    let queue = SqsQueue::new(&connection, "https://queue.test".to_owned());
    let stores = Stores { queue, spool: S3Spool::new(connection, "bucket".to_owned()) };
    let ingest = Ingest { endpoints: ingest(&[("MEETSTREAM_WEBHOOK_SECRETS", SECRET)]).endpoints, stores };
    let request = from_str(RECORDED).unwrap();
    let bytes = size_of_val(&handle(&ingest, request));
    assert!(bytes < 9_000, "{bytes} bytes, of which the call to SQS needs 5,600");
}
