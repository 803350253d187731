//! The side of the Runtime API that Lambda plays.

use super::{Invocation, function_error, response};
use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Lambda's limit for an answer; a larger one is refused, as Lambda refuses it.
const RESPONSE_LIMIT_BYTES: usize = 6 * 1024 * 1024 + 1024;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    waiting: mpsc::UnboundedSender<Handover>,
    serving: JoinHandle<()>,
}

struct Shared {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Handover>>,
    running: Mutex<Option<Running>>,
    ready: watch::Sender<Option<Instant>>,
    last_duration: Mutex<Option<Duration>>,
    init_error: Mutex<Option<Value>>,
}

struct Handover {
    request_id: String,
    deadline: SystemTime,
    event: Vec<u8>,
    answer: oneshot::Sender<Invocation>,
}

struct Running {
    request_id: String,
    handed_over_at: Instant,
    answer: oneshot::Sender<Invocation>,
}

impl Server {
    pub(super) fn start() -> Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let (waiting, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: tokio::sync::Mutex::new(events),
            running: Mutex::default(),
            ready: watch::Sender::new(None),
            last_duration: Mutex::default(),
            init_error: Mutex::default(),
        });
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(failed))
            .route("/2018-06-01/runtime/init/error", post(failed_init))
            .layer(DefaultBodyLimit::max(RESPONSE_LIMIT_BYTES))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, shared, waiting, serving })
    }

    pub(super) fn hand_over(
        &self,
        request_id: &str,
        event: Vec<u8>,
        timeout: Duration,
    ) -> oneshot::Receiver<Invocation> {
        let (answer, answered) = oneshot::channel();
        let deadline = SystemTime::now() + timeout;
        *lock(&self.shared.last_duration) = None;
        // Nobody to receive means that the process is gone, which its exit status tells better.
        let _ = self.waiting.send(Handover { request_id: request_id.to_owned(), deadline, event, answer });
        answered
    }

    pub(super) async fn ready(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.ready.subscribe().wait_for(Option::is_some).await;
    }

    /// When the function asked for its first event.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        *self.shared.ready.borrow()
    }

    /// From handing over the last event until its answer had arrived.
    pub(super) fn last_duration(&self) -> Option<Duration> {
        *lock(&self.shared.last_duration)
    }

    pub(super) fn init_error(&self) -> Option<Value> {
        lock(&self.shared.init_error).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.ready.send_if_modified(|at| at.replace(at.unwrap_or_else(Instant::now)).is_none());
    let Some(handover) = shared.events.lock().await.recv().await else { return status(StatusCode::GONE) };
    let deadline_ms = handover.deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &handover.request_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string())
        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:e2e:live")
        .header("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0")
        .body(Body::from(handover.event));
    let Handover { request_id, answer, .. } = handover;
    *lock(&shared.running) = Some(Running { request_id, handed_over_at: Instant::now(), answer });
    response.unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn answered(
    State(shared): State<Arc<Shared>>,
    Path(request_id): Path<String>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response<Body> {
    let answered_at = Instant::now();
    match body {
        Ok(body) => shared.finish(&request_id, answered_at, || response(&body)),
        Err(_) => {
            let too_large = serde_json::json!({"errorType": "Function.ResponseSizeTooLarge"});
            shared.finish(&request_id, answered_at, || Invocation::FunctionError(too_large));
            status(StatusCode::PAYLOAD_TOO_LARGE)
        }
    }
}

async fn failed(State(shared): State<Arc<Shared>>, Path(request_id): Path<String>, body: Bytes) -> Response<Body> {
    shared.finish(&request_id, Instant::now(), || Invocation::FunctionError(function_error(&body)))
}

async fn failed_init(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    *lock(&shared.init_error) = Some(function_error(&body));
    status(StatusCode::ACCEPTED)
}

impl Shared {
    /// Answers 400 to whoever answers an invocation that is not running, as Lambda does.
    fn finish(&self, request_id: &str, at: Instant, invocation: impl FnOnce() -> Invocation) -> Response<Body> {
        match lock(&self.running).take_if(|running| running.request_id == request_id) {
            Some(running) => {
                *lock(&self.last_duration) = Some(at.duration_since(running.handed_over_at));
                // Nobody waits any more after a timeout.
                let _ = running.answer.send(invocation());
                status(StatusCode::ACCEPTED)
            }
            None => status(StatusCode::BAD_REQUEST),
        }
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from("{}"));
    *response.status_mut() = status;
    response
}

/// An id that no other invocation has.
pub(super) fn request_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    format!("e2e00000-0000-4000-8000-{:012x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
