//! AWS, as far as the functions call it: answers over HTTPS, after a delay that can be set, and an account of every call.

use crate::certificate::Certificate;
use crate::table::{Table, Units};
use anyhow::{Context, Result, bail};
use e2e::fault_proxy::{Call as Request, Service};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// How long a call to AWS takes where that matters.
pub const CALL: Duration = Duration::from_millis(5);

/// One call, as the sink saw it.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation, such as `PutItem`.
    pub operation: String,
    /// How long the body of the request was, in bytes.
    pub request_bytes: usize,
    /// The events that it carried: their kind, and how long each is, in bytes.
    pub events: Vec<(String, usize)>,
    /// What DynamoDB would bill for it.
    pub units: Units,
    /// How long the sink held the answer back.
    pub held: Duration,
}

/// A message that a function sent to a queue.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The queue's URL.
    pub queue_url: String,
    /// The FIFO group, if the queue has any.
    pub group: Option<String>,
    /// The message's text.
    pub body: String,
}

/// The listener. It ends when dropped.
pub struct Sink {
    /// What its callers must trust.
    pub certificate: Certificate,
    url: String,
    state: Arc<State>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    delay: Mutex<Duration>,
    agrees_to_everything: Mutex<bool>,
    only_confirms: Mutex<bool>,
    calls: Mutex<Vec<Call>>,
    sent: Mutex<Vec<Sent>>,
    table: Mutex<Table>,
    failure: Mutex<Option<String>>,
}

impl Sink {
    /// Starts to listen on a free port of the loopback.
    ///
    /// # Errors
    /// If there is none, or no certificate can be made.
    pub async fn start() -> Result<Self> {
        let certificate = Certificate::new()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("https://localhost:{}", listener.local_addr()?.port());
        let state = Arc::new(State::default());
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.config));
        let listening = tokio::spawn(listen(listener, acceptor, Arc::clone(&state)));
        Ok(Self { certificate, url, state, listening })
    }

    /// Its URL, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on every answer takes so long.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.state.delay) = delay;
    }

    /// From now on no condition of a write fails and nothing is kept: for those whose expressions the table cannot read.
    pub fn agree_to_everything(&self, agrees: bool) {
        *lock(&self.state.agrees_to_everything) = agrees;
    }

    /// From now on messages are confirmed and not looked into: where times count, reading them would be part of the time.
    /// There is no checksum in the confirmation either; clients that look for one must be told not to.
    pub fn only_confirm(&self, only: bool) {
        *lock(&self.state.only_confirms) = only;
    }

    /// What was called since the last time that this was asked.
    ///
    /// # Errors
    /// If there was a call that the sink could not answer: nothing that was measured over it counts.
    pub fn take_calls(&self) -> Result<Vec<Call>> {
        if let Some(failure) = lock(&self.state.failure).take() {
            bail!("the sink could not answer: {failure}");
        }
        Ok(std::mem::take(&mut *lock(&self.state.calls)))
    }

    /// What was sent to queues since the last time that this was asked.
    #[must_use]
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *lock(&self.state.sent))
    }

    /// Looks into the table.
    pub fn table<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&lock(&self.state.table))
    }

    /// Empties the table.
    pub fn empty_table(&self) {
        *lock(&self.state.table) = Table::default();
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

const MESSAGE_ID: &str = "00000000-0000-4000-8000-000000000000";

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            // An error is the caller's death.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(state: Arc<State>, request: HttpRequest<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let began = Instant::now();
    let delay = *lock(&state.delay);
    if !delay.is_zero() {
        // A thread's sleep is exact to some tens of microseconds, the runtime's own only to a millisecond.
        tokio::task::spawn_blocking(move || std::thread::sleep(delay)).await?;
    }
    let call = Request::identify(&parts, body);
    let (status, answer) = state.carry_out(&call, began).unwrap_or_else(|error| {
        let failure = format!("{} {}: {error:#}", call.operation, call.target);
        lock(&state.failure).get_or_insert(failure.clone());
        (400, json!({"__type": "Unanswerable", "message": failure}))
    });
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.0");
    let response = response.header("x-amzn-requestid", "00000000-0000-4000-8000-000000000000");
    let body = if call.service == Service::S3 { Bytes::new() } else { Bytes::from(answer.to_string()) };
    Ok(response.header("etag", "\"0\"").body(Full::new(body))?)
}

impl State {
    fn carry_out(&self, call: &Request, began: Instant) -> Result<(u16, Value)> {
        if call.operation == "SendMessage" && *lock(&self.only_confirms) {
            self.record(call, Units::default(), Vec::new(), began);
            return Ok((200, json!({"MessageId": MESSAGE_ID})));
        }
        let request = match call.service {
            Service::S3 => Value::Null,
            _ => serde_json::from_slice(&call.body).context("not JSON")?,
        };
        let (mut units, mut events) = (Units::default(), Vec::new());
        let (status, answer) = match &call.service {
            Service::Sqs => (200, self.queue(&call.operation, &request)?),
            Service::DynamoDb if *lock(&self.agrees_to_everything) => (200, json!({})),
            Service::DynamoDb => {
                let (status, answer, billed) = lock(&self.table).answer(&call.operation, &request)?;
                units = billed;
                (status, answer)
            }
            Service::EventBridge => {
                let entries = request.get("Entries").and_then(Value::as_array).context("no entries")?;
                let kind =
                    |entry: &Value| entry.get("DetailType").and_then(Value::as_str).unwrap_or_default().to_owned();
                events = entries.iter().map(|entry| (kind(entry), entry.to_string().len())).collect();
                (200, json!({"FailedEntryCount": 0, "Entries": vec![json!({"EventId": "0"}); entries.len()]}))
            }
            Service::S3 => {
                (if matches!(call.operation.as_str(), "GetObject" | "HeadObject") { 404 } else { 200 }, Value::Null)
            }
            Service::Other(service) => bail!("the sink does not know {service}"),
        };
        self.record(call, units, events, began);
        Ok((status, answer))
    }

    fn record(&self, call: &Request, units: Units, events: Vec<(String, usize)>, began: Instant) {
        let (operation, request_bytes) = (call.operation.clone(), call.body.len());
        lock(&self.calls).push(Call { operation, request_bytes, events, units, held: began.elapsed() });
    }

    fn queue(&self, operation: &str, request: &Value) -> Result<Value> {
        let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
        let queue_url = text(request, "QueueUrl").unwrap_or_default();
        let send = |message: &Value| {
            let body = text(message, "MessageBody").unwrap_or_default();
            // The JavaScript client refuses an answer without the right one.
            let md5 = hex::encode(Md5::digest(&body));
            let group = text(message, "MessageGroupId");
            lock(&self.sent).push(Sent { queue_url: queue_url.clone(), group, body });
            json!({"MessageId": MESSAGE_ID, "MD5OfMessageBody": md5, "Id": message["Id"]})
        };
        Ok(match operation {
            "SendMessage" => send(request),
            "SendMessageBatch" => {
                let entries = request["Entries"].as_array().context("no entries")?;
                json!({"Successful": entries.iter().map(send).collect::<Vec<_>>(), "Failed": []})
            }
            "GetQueueAttributes" => json!({"Attributes": {}}),
            "ChangeMessageVisibility" => json!({}),
            "ChangeMessageVisibilityBatch" => {
                let entries = request["Entries"].as_array().context("no entries")?;
                let done: Vec<_> = entries.iter().map(|entry| json!({"Id": entry["Id"]})).collect();
                json!({"Successful": done, "Failed": []})
            }
            _ => bail!("the sink does not know {operation}"),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
