//! A proxy in front of the local AWS that can do to any call what networks and overloaded services do.
//!
//! Give a function [`FaultProxy::endpoint_url`] as `AWS_ENDPOINT_URL`. Without rules every call passes. The plan may
//! change at any time; the newest rule that matches a call decides it, then the closure of [`FaultProxy::decide`],
//! then [`Decision::Pass`].
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use e2e::fault_proxy::{Decision, FaultProxy, Match, Moment, Service};
//! let proxy = FaultProxy::start("http://127.0.0.1:4566").await?;
//! let saves = Match::operation(Service::DynamoDb, "PutItem");
//! // The first save passes, the second takes effect and is never answered.
//! proxy.when(saves.clone()).skip(1).times(1).then(Decision::Cut(Moment::AfterEffect));
//! // … drive a function …
//! assert_eq!(proxy.count(&saves), 2);
//! # Ok(())
//! # }
//! ```

mod call;
mod plan;

use crate::plain_http;
use crate::runtime_api::{Function, Invocation};
use anyhow::{Context, Result, anyhow};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use plan::Plan;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use call::{Call, Match, Service};
pub use plan::{Decision, Gate, Hold, Moment, Refusal, Rule};

/// How long an invocation may take that somebody waits for.
const INVOCATION: Duration = Duration::from_secs(60);

/// A call the proxy saw, what it decided, and what the service answered.
#[derive(Clone, Debug)]
pub struct Record {
    /// The call.
    pub call: Call,
    /// What was done to it.
    pub decision: Decision,
    /// When it arrived.
    pub at: Instant,
    /// The status the service itself answered: `None` when the call never got there, or not yet.
    pub effect: Option<u16>,
}

/// The running proxy. Dropping it closes the listener and every connection.
pub struct FaultProxy {
    endpoint_url: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    invoked: Mutex<Option<Function>>,
    plan: Mutex<Plan>,
    records: Mutex<Vec<Record>>,
    in_flight: watch::Sender<usize>,
}

impl FaultProxy {
    /// Listens on a loopback port of its own, in front of `upstream` (`http://host:port`).
    pub async fn start(upstream: &str) -> Result<Self> {
        let authority = upstream.strip_prefix("http://").context("the proxy speaks plain http only")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint_url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            upstream: authority.trim_end_matches('/').to_owned(),
            invoked: Mutex::default(),
            plan: Mutex::default(),
            records: Mutex::default(),
            in_flight: watch::Sender::new(0),
        });
        let listening = tokio::spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { endpoint_url, shared, listening })
    }

    /// From now on answers Lambda's `Invoke` itself, of whichever function: it invokes this one.
    pub fn invoke(&self, function: &Function) {
        *lock(&self.shared.invoked) = Some(function.clone());
    }

    /// What a function gets as `AWS_ENDPOINT_URL`.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint_url
    }

    /// Begins a rule for the calls that match; it is in force once [`Rule::then`] or a hold ends it.
    pub fn when(&self, matching: Match) -> Rule<'_> {
        Rule::new(&self.shared.plan, matching)
    }

    /// Decides the calls that no rule decides, as a seeded schedule does.
    pub fn decide(&self, decide: impl FnMut(&Call) -> Decision + Send + 'static) {
        self.plan(|plan| plan.decide_otherwise(Box::new(decide)));
    }

    /// Takes every rule back: from now on everything passes. Held calls stay held until their [`Hold`] decides.
    pub fn pass_everything(&self) {
        self.plan(Plan::clear);
    }

    /// Every call seen so far, oldest first.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.shared.records).clone()
    }

    /// The calls seen so far that match, oldest first.
    pub fn calls(&self, matching: &Match) -> Vec<Record> {
        lock(&self.shared.records).iter().filter(|record| matching.covers(&record.call)).cloned().collect()
    }

    /// How many calls were seen so far that match.
    pub fn count(&self, matching: &Match) -> usize {
        lock(&self.shared.records).iter().filter(|record| matching.covers(&record.call)).count()
    }

    /// Forgets the calls seen so far, so that a test counts from here.
    pub fn forget(&self) {
        lock(&self.shared.records).clear();
    }

    /// Waits until no call is under way. A call outlives its caller: bytes on the wire arrive although their sender
    /// was killed, and a test that looks at the stores must wait for them.
    pub async fn quiet(&self, timeout: Duration) -> Result<()> {
        let mut in_flight = self.shared.in_flight.subscribe();
        let quiet = in_flight.wait_for(|calls| *calls == 0);
        tokio::time::timeout(timeout, quiet).await.context("calls are still under way")??;
        Ok(())
    }

    fn plan<T>(&self, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(&mut lock(&self.shared.plan))
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(Arc::clone(&shared), request));
    // An error is a cut connection: wanted, or the caller's death.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// `Err` closes the connection without a byte of an answer.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    // A task of its own, because a call that has left its caller takes effect even if the caller dies meanwhile.
    tokio::spawn(async move { shared.carry_out(parts, body).await }).await?
}

impl Shared {
    async fn carry_out(&self, parts: Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let invoked = lock(&self.invoked).clone().filter(|_| parts.uri.path().ends_with("/invocations"));
        if let Some(function) = invoked {
            return invoke(&function, &body).await;
        }
        let _under_way = UnderWay::new(&self.in_flight);
        let call = Call::identify(&parts, body.clone());
        let service = call.service.clone();
        let decision = lock(&self.plan).decide(&call);
        let recorded_at = self.record(call, decision.clone());
        let forward = self.forward(recorded_at, parts, body);
        match decision {
            Decision::Pass => forward.await,
            Decision::Refuse(refusal) => Ok(refusal.answer(&service)),
            Decision::Delay(Moment::BeforeEffect, time) => {
                tokio::time::sleep(time).await;
                forward.await
            }
            Decision::Delay(Moment::AfterEffect, time) => {
                let answer = forward.await;
                tokio::time::sleep(time).await;
                answer
            }
            Decision::Cut(Moment::BeforeEffect) => Err(cut()),
            Decision::Cut(Moment::AfterEffect) => forward.await.and(Err(cut())),
            Decision::Garbage(Moment::BeforeEffect) => Ok(garbage()),
            Decision::Garbage(Moment::AfterEffect) => forward.await.map(|_| garbage()),
            Decision::Hold(Moment::BeforeEffect, gate) => {
                if gate.arrive().await {
                    forward.await
                } else {
                    Err(cut())
                }
            }
            Decision::Hold(Moment::AfterEffect, gate) => {
                let answer = forward.await;
                if gate.arrive().await { answer } else { Err(cut()) }
            }
        }
    }

    /// Returns the record's arrival time, by which it is found again: numbers would not survive `forget`.
    fn record(&self, call: Call, decision: Decision) -> Instant {
        let at = Instant::now();
        let mut records = lock(&self.records);
        let at = records.last().map_or(at, |last| at.max(last.at + Duration::from_nanos(1)));
        records.push(Record { call, decision, at, effect: None });
        at
    }

    async fn forward(&self, recorded_at: Instant, parts: Parts, body: Bytes) -> Result<Response<Full<Bytes>>> {
        let mut request = Request::from_parts(parts, Full::new(body));
        for hop_by_hop in ["connection", "keep-alive", "transfer-encoding", "expect", "te", "upgrade"] {
            request.headers_mut().remove(HeaderName::from_static(hop_by_hop));
        }
        let (mut parts, body) = plain_http::exchange(&self.upstream, request).await?.into_parts();
        if let Some(record) = lock(&self.records).iter_mut().find(|record| record.at == recorded_at) {
            record.effect = Some(parts.status.as_u16());
        }
        for hop_by_hop in ["connection", "keep-alive", "transfer-encoding"] {
            parts.headers.remove(HeaderName::from_static(hop_by_hop));
        }
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

/// As Lambda answers an invocation that somebody waits for.
async fn invoke(function: &Function, payload: &[u8]) -> Result<Response<Full<Bytes>>> {
    let invocation = function.invoke(serde_json::from_slice(payload)?, INVOCATION).await;
    let (error, answer) = match invocation {
        Invocation::Response(answer) => (None, answer),
        Invocation::FunctionError(error) => (Some("Unhandled"), error),
        ended => (Some("Unhandled"), serde_json::json!({"errorMessage": format!("{ended:?}")})),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    if let Some(error) = error {
        response.headers_mut().insert("x-amz-function-error", HeaderValue::from_static(error));
    }
    Ok(response)
}

fn cut() -> anyhow::Error {
    anyhow!("cut, as planned")
}

fn garbage() -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from_static(b"\x16\x03<html>this is not the answer")))
}

struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn new(in_flight: &'a watch::Sender<usize>) -> Self {
        in_flight.send_modify(|calls| *calls += 1);
        Self(in_flight)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|calls| *calls = calls.saturating_sub(1));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
