//! The APIs of both providers, as functions from a request to an answer.

mod credential;
mod files;
mod listing;
mod meetingbaas_v1;
mod meetingbaas_v2;
mod meetstream;
mod route;

pub(crate) use files::download;

use crate::{
    fault::{Fault, Operation, RetryAfter},
    limits::TooMany,
    plan::{Api, BotPlan},
    recording::Recording,
    request::{Host, Request, Violation},
    time::http_date,
    world::{BotState, World, began_at},
};
use axum::http::{HeaderMap, Method};
use jiff::{SignedDuration, Timestamp};
use route::Route;
use serde_json::{Value, json};
use shared::Provider;
use std::{ops::Range, time::Duration};

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Payload,
    pub(crate) pace: Pace,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Bytes(Vec<u8>),
    Recording(Recording, Range<u64>),
    /// A JSON text of that many bytes.
    Filler(u64),
}

/// How the body of an answer comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pace {
    Usual,
    /// With a pause before each piece.
    Slow(Duration),
    /// Half of it, and then the connection is closed.
    Half,
    /// Not at all: the connection is closed.
    Reset,
}

impl Asked {
    /// The first value of that name in the query.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A field of its JSON body.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get(name)?.as_str().map(str::to_owned)
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, "application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(status: u16, content_type: &str, bytes: Vec<u8>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { status, headers, payload: Payload::Bytes(bytes), pace: Pace::Usual }
    }

    /// That there is something wrong, in a provider's form.
    pub(crate) fn error(api: Api, status: u16, message: &str) -> Self {
        match api {
            Api::MeetStream => Self::json(status, &json!({ "message": message })),
            Api::MeetingBaasV1 => Self::json(status, &json!({ "error": message })),
            Api::MeetingBaasV2 => meetingbaas_v2::error(status, message),
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The bytes of a transcript, as the provider's own call or file for it holds them.
pub(crate) fn transcript_bytes(plan: &BotPlan, run: usize) -> Vec<u8> {
    let transcript = plan.transcript_of_run(run);
    let began_at = began_at(plan);
    let json = match plan.api() {
        Api::MeetStream => transcript.of_meetstream(began_at),
        Api::MeetingBaasV1 if plan.inline_transcript && run == 0 => transcript.inline_of_v1(),
        Api::MeetingBaasV1 => transcript.stored_of_v1(),
        Api::MeetingBaasV2 => transcript.of_v2(&plan.bot_id, plan.ends_at),
    };
    json.to_string().into_bytes()
}

/// Answers a call of either API, and writes down that it came.
pub(crate) fn call(world: &mut World, asked: &Asked) -> Answer {
    let route = route::find(&asked.method, &asked.path);
    let (mut violation, mut subject) = (None, None);
    let answer = match &route {
        None => Answer::error(Api::MeetStream, 404, "Not Found"),
        Some(route) => {
            let strangers = credential::of_a_stranger(route.api, &asked.headers, &world.knobs);
            violation = strangers.map(|header| Violation::CredentialToStranger { header });
            match permitted(world, route, asked) {
                Err(refused) => refused,
                Ok(headers) => {
                    if route.operation == Operation::RemoveBot {
                        violation = Some(Violation::RemovedBot);
                    }
                    subject = route::subject(world, route, asked);
                    let answer = answer(world, route, subject.as_deref(), asked);
                    headers.into_iter().fold(answer, |answer, (name, value)| answer.with(name, value))
                }
            }
        }
    };
    world.requests.push(Request {
        host: Host::Api,
        method: asked.method.to_string(),
        path: asked.path.clone(),
        operation: route.map(|route| route.operation),
        subject,
        status: (answer.pace != Pace::Reset).then_some(answer.status),
        violation,
    });
    answer
}

/// Whether a call has its credential and is within the limit; the headers of its answer then, and the whole answer if not.
fn permitted(world: &mut World, route: &Route, asked: &Asked) -> Result<Vec<(&'static str, String)>, Answer> {
    credential::check(route.api, &asked.headers, &world.knobs)?;
    let is_meetstream = route.api == Api::MeetStream;
    let limiter = match is_meetstream {
        true => world.meetstream_limit.as_mut(),
        false => world.meetingbaas_limit.as_mut().filter(|_| asked.method != Method::GET),
    };
    let Some(limiter) = limiter else { return Ok(Vec::new()) };
    match limiter.take(Timestamp::now()) {
        Ok(_) if is_meetstream => Ok(Vec::new()),
        Ok(remaining) => Ok(vec![("x-ratelimit-remaining", remaining.to_string())]),
        Err(TooMany { limit, retry_after }) => {
            let message = format!(
                "Rate limit exceeded. Maximum {limit} requests per second allowed. Retry after {retry_after} seconds"
            );
            let answer = match route.api {
                Api::MeetingBaasV2 => meetingbaas_v2::too_many(&message, retry_after),
                api => Answer::error(api, 429, "Too Many Requests"),
            };
            Err(answer.with("retry-after", retry_after.to_string()))
        }
    }
}

fn answer(world: &mut World, route: &Route, subject: Option<&str>, asked: &Asked) -> Answer {
    let fault = match subject {
        Some(subject) => next_fault(world, route, subject),
        None => world.faults.next(route.operation),
    };
    if let Some(instead) = fault.as_ref().and_then(|fault| in_place_of_an_answer(fault, route.api, world, asked)) {
        return instead;
    }
    let answer = match route.api {
        Api::MeetStream => meetstream::answer(world, route, subject, asked, fault.as_ref()),
        Api::MeetingBaasV1 => meetingbaas_v1::answer(world, route, subject, asked, fault.as_ref()),
        Api::MeetingBaasV2 => meetingbaas_v2::answer(world, route, subject, asked, fault.as_ref()),
    };
    paced(answer, fault.as_ref())
}

fn next_fault(world: &mut World, route: &Route, subject: &str) -> Option<Fault> {
    let faults = if route.is_of_a_calendar() {
        &mut world.calendars.get_mut(subject)?.faults
    } else {
        &mut bot(world, route.api, subject)?.faults
    };
    faults.next(route.operation)
}

/// A bot of that API's. Two versions of one provider's do not know each other's bots.
pub(crate) fn bot<'a>(world: &'a mut World, api: Api, id: &str) -> Option<&'a mut BotState> {
    let provider = if api == Api::MeetStream { Provider::MeetStream } else { Provider::MeetingBaas };
    world.bots.get_mut(&(provider, id.to_owned())).filter(|bot| bot.plan.api() == api)
}

/// What comes of faults that leave no place for the right answer.
fn in_place_of_an_answer(fault: &Fault, api: Api, world: &World, asked: &Asked) -> Option<Answer> {
    let now = Timestamp::now();
    Some(match fault {
        Fault::Pending => Answer::json(202, &json!({ "message": "Not ready yet, try again later" })),
        Fault::Status(status) => Answer::error(api, *status, "Simulated"),
        Fault::TooManyRequests(when) => {
            let answer = Answer::error(api, 429, "Too Many Requests");
            match when {
                RetryAfter::Seconds(seconds) => answer.with("retry-after", seconds.to_string()),
                RetryAfter::Date(seconds) => {
                    let then = now.saturating_add(SignedDuration::from_secs(i64::from(*seconds))).unwrap_or(now);
                    answer.with("retry-after", http_date(then))
                }
                RetryAfter::Absent => answer,
            }
        }
        // A body that never comes takes its head with it.
        Fault::Reset => Answer { pace: Pace::Reset, ..Answer::bytes(500, "text/plain", vec![0]) },
        Fault::Garbage => Answer::bytes(200, "text/html", b"<!doctype html><title>Please wait</title>".to_vec()),
        Fault::Bloated(bytes) => {
            let answer = Answer::bytes(200, "application/json", Vec::new());
            Answer { payload: Payload::Filler(*bytes), ..answer }
        }
        Fault::Redirect => {
            let elsewhere = format!("{}/elsewhere{}", world.files_url, asked.path);
            Answer::bytes(307, "text/plain", Vec::new()).with("location", elsewhere)
        }
        Fault::Slow(_)
        | Fault::Truncated
        | Fault::ExpiredUrls
        | Fault::EndsEarly
        | Fault::LoopingCursor
        | Fault::OverlappingPage => return None,
    })
}

fn paced(answer: Answer, fault: Option<&Fault>) -> Answer {
    match fault {
        Some(Fault::Slow(pause)) => Answer { pace: Pace::Slow(*pause), ..answer },
        Some(Fault::Truncated) => Answer { pace: Pace::Half, ..answer },
        _ => answer,
    }
}
