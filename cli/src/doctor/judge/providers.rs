//! The providers: whether their APIs take our keys, and when they were last heard of.

use super::words::span;
use crate::doctor::{
    facts::{ApiAnswer, Asked, Facts, Seen, StackFacts},
    finding::{Check, Finding},
};
use shared::{Endpoint, Provider};
use std::collections::BTreeMap;

/// Where the providers are, unless a parameter says otherwise.
const USUAL: [(Provider, &str); 2] = [
    (Provider::MeetStream, "https://api.meetstream.ai/api/v1"),
    (Provider::MeetingBaas, "https://api.meetingbaas.com"),
];

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let asked = facts.apis.iter().map(|(provider, asked)| api(&facts.stack, *provider, asked));
    asked.chain([heard(&facts.heard)]).collect()
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

fn heard(heard: &Seen<BTreeMap<Endpoint, Option<i64>>>) -> Finding {
    let check = Check::RoutesHeard;
    heard.judge(check, ("there is no table", "see table.keys"), |heard| {
        let told: Vec<_> = heard
            .iter()
            .map(|(endpoint, seconds)| match seconds {
                Some(seconds) => format!("{} {} ago", endpoint.as_str(), span(*seconds)),
                None => format!("{} not at all", endpoint.as_str()),
            })
            .collect();
        let what = if told.is_empty() { "no route has a credential".to_owned() } else { told.join(", ") };
        Finding::pass(check, format!("last heard, by the newest 500 sessions of the last 30 days: {what}"))
    })
}
