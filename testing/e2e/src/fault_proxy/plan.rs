//! What to do with which call.

use super::call::{Call, Match, Service};
use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// What the proxy does with one call.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Forward it and hand the answer back.
    Pass,
    /// Answer for the service, which never sees the call.
    Refuse(Refusal),
    /// Wait, then forward; or forward at once and wait with the answer. A client's timeout is a long one of either.
    Delay(Moment, Duration),
    /// Close the connection without a byte of an answer.
    Cut(Moment),
    /// Answer 200 with bytes that are no answer of any service.
    Garbage(Moment),
    /// Wait for a test's word; made by [`Rule::hold_before`] and [`Rule::hold_after`].
    Hold(Moment, Gate),
}

impl Decision {
    /// To hold one call until the other part of the pair decides: for plans that decide call by call.
    pub fn held(moment: Moment) -> (Self, Hold) {
        let gate = Gate::default();
        (Self::Hold(moment, gate.clone()), Hold { gate })
    }
}

/// On which side of the call's effect a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The service has not seen the call (after a cut or garbage it never will).
    BeforeEffect,
    /// The service has carried the call out; the caller does not know.
    AfterEffect,
}

/// How a service says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 500, the service's own internal error.
    Internal,
    /// 503, unavailable.
    Unavailable,
    /// Too many requests, as the service words it (S3: 503 `SlowDown`; others: 400 and a code).
    Throttled,
    /// Any modelled error by its code, such as 400 `ValidationException`.
    Error(u16, &'static str),
}

impl Refusal {
    pub(super) fn answer(self, service: &Service) -> Response<Full<Bytes>> {
        let (status, code) = match (self, service) {
            (Self::Internal, Service::DynamoDb) => (500, "InternalServerError"),
            (Self::Internal, _) => (500, "InternalError"),
            (Self::Unavailable, _) => (503, "ServiceUnavailable"),
            (Self::Throttled, Service::S3) => (503, "SlowDown"),
            (Self::Throttled, Service::DynamoDb) => (400, "ProvisionedThroughputExceededException"),
            (Self::Throttled, Service::Sqs) => (400, "RequestThrottled"),
            (Self::Throttled, _) => (400, "ThrottlingException"),
            (Self::Error(status, code), _) => (status, code),
        };
        let (content_type, body) = match service {
            Service::S3 => {
                let error = format!("<Error><Code>{code}</Code><Message>refused, as planned</Message></Error>");
                ("application/xml", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{error}"))
            }
            _ => ("application/x-amz-json-1.0", json!({"__type": code, "message": "refused, as planned"}).to_string()),
        };
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::SERVICE_UNAVAILABLE);
        response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(content_type));
        response
    }
}

/// A rule being written; see [`super::FaultProxy::when`].
#[must_use = "a rule is in force only once `then` or a hold ends it"]
pub struct Rule<'a> {
    plan: &'a Mutex<Plan>,
    matching: Match,
    skip: usize,
    times: usize,
}

impl<'a> Rule<'a> {
    pub(super) fn new(plan: &'a Mutex<Plan>, matching: Match) -> Self {
        Self { plan, matching, skip: 0, times: usize::MAX }
    }

    /// Leaves the first `calls` matching calls to other rules.
    pub fn skip(self, calls: usize) -> Self {
        Self { skip: calls, ..self }
    }

    /// Ends the rule after it has decided `calls` calls; without this it stays.
    pub fn times(self, calls: usize) -> Self {
        Self { times: calls, ..self }
    }

    /// Puts the rule in force.
    pub fn then(self, decision: Decision) {
        let entry = Entry { matching: self.matching, skip: self.skip, times: self.times, decision };
        super::lock(self.plan).entries.push(entry);
    }

    /// Holds the first matching call before it takes effect.
    pub fn hold_before(self) -> Hold {
        self.hold(Moment::BeforeEffect)
    }

    /// Lets the first matching call take effect, and holds its answer.
    pub fn hold_after(self) -> Hold {
        self.hold(Moment::AfterEffect)
    }

    fn hold(self, moment: Moment) -> Hold {
        let (decision, hold) = Decision::held(moment);
        self.times(1).then(decision);
        hold
    }
}

/// The test's side of a held call. Dropped without a word, it cuts the call.
#[must_use = "dropping it cuts the call"]
pub struct Hold {
    gate: Gate,
}

impl Hold {
    /// Waits until the call is there and held. For a hold after the effect, the effect is then in the store.
    pub async fn reached(&self, timeout: Duration) -> Result<()> {
        let mut reached = self.gate.0.reached.subscribe();
        let waiting = reached.wait_for(|reached| *reached);
        tokio::time::timeout(timeout, waiting).await.context("the call to hold never came")??;
        Ok(())
    }

    /// Lets the call go on, even if its caller has died meanwhile: bytes on the wire do not know.
    pub fn release(self) {
        self.gate.0.verdict.send_replace(Some(true));
    }

    /// Ends the call where it is: one held before its effect never takes effect.
    pub fn cut(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.0.verdict.send_if_modified(|verdict| verdict.replace(verdict.unwrap_or(false)).is_none());
    }
}

/// The proxy's side of a held call.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    reached: watch::Sender<bool>,
    verdict: watch::Sender<Option<bool>>,
}

impl Gate {
    /// Returns whether the call may go on.
    pub(super) async fn arrive(&self) -> bool {
        self.0.reached.send_replace(true);
        let mut verdict = self.0.verdict.subscribe();
        verdict.wait_for(Option::is_some).await.is_ok_and(|verdict| *verdict == Some(true))
    }
}

type Otherwise = Box<dyn FnMut(&Call) -> Decision + Send>;

#[derive(Default)]
pub(super) struct Plan {
    entries: Vec<Entry>,
    otherwise: Option<Otherwise>,
}

struct Entry {
    matching: Match,
    skip: usize,
    times: usize,
    decision: Decision,
}

impl Plan {
    pub(super) fn decide(&mut self, call: &Call) -> Decision {
        for entry in self.entries.iter_mut().rev().filter(|entry| entry.times > 0 && entry.matching.covers(call)) {
            if entry.skip > 0 {
                entry.skip -= 1;
                continue;
            }
            entry.times -= 1;
            return entry.decision.clone();
        }
        self.otherwise.as_mut().map_or(Decision::Pass, |decide| decide(call))
    }

    pub(super) fn decide_otherwise(&mut self, decide: Otherwise) {
        self.otherwise = Some(decide);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
