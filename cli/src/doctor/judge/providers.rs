//! The providers: whether their APIs take our keys, and when they were last heard of.

use crate::{
    doctor::{
        facts::{ApiAnswer, Asked, Facts, Lookup, Route, StackFacts},
        finding::{Check, Finding},
    },
    words::{many, span},
};
use shared::{Endpoint, Provider};
use std::collections::BTreeMap;

/// Where the providers are, unless a parameter says otherwise.
const USUAL: [(Provider, &str); 2] = [
    (Provider::MeetStream, "https://api.meetstream.ai/api/v1"),
    (Provider::MeetingBaas, "https://api.meetingbaas.com"),
];

/// So many requests with a wrong credential since the last delivery are more than a stranger's tries.
const REJECTED_SINCE: usize = 3;

/// A silence is unusual if it is so many times as long as the longest one before it ...
const SILENCE_TIMES: i64 = 3;

/// ... and longer than a night, in seconds, ...
const SILENCE_SECONDS: i64 = 12 * 3600;

/// ... after so many deliveries. Fewer do not say what is usual.
const USUAL_AFTER: usize = 20;

/// `rollcall doctor` sends one wrong credential to each route, at most so many seconds after its first delivery.
const DOCTOR_SECONDS: i64 = 600;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let asked = facts.apis.iter().map(|(provider, asked)| api(&facts.stack, *provider, asked));
    asked.chain([heard(&facts.routes, &facts.rejected)]).collect()
}

fn api(stack: &StackFacts, provider: Provider, asked: &Asked) -> Finding {
    let (check, key, parameter) = match provider {
        Provider::MeetStream => (Check::ApiMeetStream, "meetstream_api_keys", "MeetStreamApiUrl"),
        Provider::MeetingBaas => (Check::ApiMeetingBaas, "meetingbaas_api_keys", "MeetingBaasApiUrl"),
    };
    let url = &asked.url;
    let is_usual = USUAL.contains(&(provider, url.trim_end_matches('/')));
    let elsewhere =
        if is_usual { String::new() } else { format!(" ({parameter} names another host than the provider's own)") };
    let way_in = format!("`make secret KEY={key}` and `make deploy`");
    let set_url = format!("`make deploy SET=\"{parameter}=URL\"`");
    match &asked.answer {
        ApiAnswer::NoKey => {
            Finding::skipped(check, format!("there is no key for {provider}, so nothing is fetched from there"))
        }
        ApiAnswer::Unread(failure) => Finding::warn(
            check,
            format!("the key could not be read: {}", failure.what()),
            "use credentials that may read the secret",
        ),
        ApiAnswer::Status { status: 200..=299, is_json: true } => {
            Finding::pass(check, format!("{url} takes the key{elsewhere}"))
        }
        ApiAnswer::Status { status: status @ (401 | 403), .. } => {
            Finding::fail(check, format!("{url} refuses the key with {status}{elsewhere}: nothing is fetched"), way_in)
        }
        ApiAnswer::Status { status: status @ (200..=299 | 404), .. } => {
            Finding::fail(check, format!("{url} answers {status}, and not as {provider}'s API{elsewhere}"), set_url)
        }
        ApiAnswer::Status { status: status @ 300..=399, .. } => {
            Finding::fail(check, format!("{url} answers {status} and leads elsewhere, which is not followed"), set_url)
        }
        ApiAnswer::Status { status: 429, .. } => {
            Finding::warn(check, format!("{url} answers 429: too many calls"), "try again later")
        }
        ApiAnswer::Status { status, .. } => Finding::warn(
            check,
            format!("{url} answers {status}{elsewhere}"),
            format!("try again later; if the URL is wrong: {set_url}"),
        ),
        ApiAnswer::Nothing(why) if stack.is_local => Finding::skipped(
            check,
            format!("nothing serves {provider}'s API at {url} ({why}); `rollcall simulate --stay` does"),
        ),
        ApiAnswer::Nothing(why) => Finding::warn(
            check,
            format!("no answer from {url}{elsewhere}: {why}"),
            format!("see whether {provider} is down, or this machine's network; if the URL is wrong: {set_url}"),
        ),
    }
}

/// A webhook with a wrong credential is lost without an alarm, because any stranger could make that alarm ring.
fn heard(routes: &Lookup<BTreeMap<Endpoint, Route>>, rejected: &Lookup<BTreeMap<Endpoint, Vec<i64>>>) -> Finding {
    let check = Check::RoutesHeard;
    routes.judge(check, ("there is no table", "see table.keys"), |routes| {
        let mut problems = Vec::new();
        let mut told = Vec::new();
        for (endpoint, route) in routes {
            let all = rejected.found().and_then(|rejected| rejected.get(endpoint));
            let (problem, text) = route.judge(endpoint.as_str(), all.map_or(&[], Vec::as_slice));
            told.push(text.clone());
            problems.extend(problem.then_some(text));
        }
        if problems.is_empty() {
            let what = if told.is_empty() { "no route has a credential".to_owned() } else { told.join(", ") };
            return Finding::pass(check, format!("by the newest 500 sessions of the last 30 days: {what}"));
        }
        Finding::warn(
            check,
            problems.join("; "),
            "compare the secret with the one in the provider's dashboard; `make secret` and `make rotate` put the right one in. \
             What was answered 401 is lost: docs/RUNBOOK.md, \"A route that hears nothing\"",
        )
    })
}

impl Route {
    /// Whether something is wrong with the route, and what there is to say of it. `rejected` are the seconds since each request
    /// with a wrong credential.
    fn judge(&self, name: &str, rejected: &[i64]) -> (bool, String) {
        let mut rejected = rejected.to_vec();
        for began in &self.doctors {
            // The first one after it is its own.
            let its_own = |ago: &i64| (began - DOCTOR_SECONDS..=began + 1).contains(ago);
            if let Some(own) = rejected.iter().copied().filter(its_own).max() {
                rejected.retain({
                    let mut is_first = true;
                    move |ago| *ago != own || !std::mem::take(&mut is_first)
                });
            }
        }
        let last = self.received.first().copied();
        let since = rejected.iter().filter(|ago| last.is_none_or(|last| **ago < last)).count();
        let wrong = many(since, "request");
        let Some(last) = last else {
            return match since {
                0 => (false, format!("{name} received nothing")),
                _ => (true, format!("{name} received nothing but {wrong} with a wrong credential within a day")),
            };
        };
        let received = format!("{name} received its last delivery {} ago", span(last));
        let longest = self.received.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).max().unwrap_or(0);
        if since >= REJECTED_SINCE {
            return (true, format!("{received}, and {wrong} with a wrong credential since"));
        }
        if self.received.len() >= USUAL_AFTER && last > SILENCE_SECONDS.max(SILENCE_TIMES * longest) {
            return (
                true,
                format!("{received}, and before that it never went longer than {} without one", span(longest)),
            );
        }
        (false, received)
    }
}
