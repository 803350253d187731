//! What the front door answers, and what becomes of what it lets in.

use super::{Front, could_not};
use crate::{
    doctor::finding::{Check, Finding, Verdict},
    stack::Names,
    table::Known,
    words::many,
};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;
use shared::{Endpoint, Source, session::Disposition};
use simulator::delivery::Delivery;
use std::time::Duration;

/// What a delivery may take from its answer to its session.
const SOON: Duration = Duration::from_secs(30);

/// How long it is waited for what should be there [`SOON`].
const PATIENCE: Duration = Duration::from_secs(90);

/// An event that no sender has: it is noted beside its bot, and nothing follows from it.
const UNKNOWN_EVENT: &str = "rollcall.doctor";

impl Front<'_> {
    /// A delivery to its session, and the same once more.
    pub(super) async fn webhook(&self) -> Vec<Finding> {
        let (bot, check) = (self.bot(self.main.provider()), Check::FrontApplied);
        let skipped =
            || Finding::skipped(Check::FrontDuplicate, "the first delivery did not get through: see front.applied");
        let target = match self.target(self.main) {
            Ok(target) => target,
            Err(failure) => return vec![could_not(check, &failure), skipped()],
        };
        let delivery = Delivery::new(&target, self.joining(self.main, &bot), Timestamp::now());
        let route = self.main.as_str();
        match self.send(&delivery, None).await {
            Ok(200) => {}
            Ok(status) => return vec![refused(check, route, status), skipped()],
            Err(why) => return vec![silent(check, &why), skipped()],
        }
        let count =
            |known: &Known, disposition| known.entries.iter().filter(|entry| entry.disposition == disposition).count();
        let applied = self.wait(&bot, PATIENCE, |known| count(known, Disposition::Applied) > 0).await;
        let applied = applied_within(check, route, applied);
        if applied.verdict == Verdict::Fail {
            return vec![applied, skipped()];
        }
        let answer = self.send(&delivery, None).await;
        let both = |known: &Known| count(known, Disposition::Applied) == 1 && count(known, Disposition::Duplicate) == 1;
        let is_recognised = answer == Ok(200) && self.wait(&bot, PATIENCE, both).await.is_some();
        let duplicate = match is_recognised {
            true => {
                Finding::pass(Check::FrontDuplicate, "the same delivery once more is a duplicate, and changes nothing")
            }
            false => Finding::fail(
                Check::FrontDuplicate,
                format!(
                    "the same delivery once more was answered {answer:?}, and is not shown as a duplicate of the first"
                ),
                "process's log says what became of it: `make logs`",
            ),
        };
        vec![applied, duplicate]
    }

    /// Each other route that has a credential takes a delivery with it.
    pub(super) async fn routes(&self) -> Finding {
        let check = Check::FrontRoutes;
        let mut problems = Vec::new();
        let mut sent = Vec::new();
        for endpoint in self.open.iter().copied().filter(|endpoint| *endpoint != self.main) {
            let bot = self.bot(endpoint.provider());
            let id = bot.id.as_sent();
            let body =
                json!({"event": UNKNOWN_EVENT, "bot_id": id, "data": {"bot_id": id, "route": endpoint.as_str()}});
            let answer = match self.target(endpoint) {
                Ok(target) => {
                    let delivery = Delivery::new(&target, body.to_string().into_bytes(), Timestamp::now());
                    self.send(&delivery, None).await
                }
                Err(failure) => Err(failure.what().to_owned()),
            };
            match answer {
                Ok(200) => sent.push((endpoint, bot)),
                Ok(status) => problems.push(format!("{} answers {status}: {}", endpoint.as_str(), meaning(status).0)),
                Err(why) => problems.push(format!("{}: {why}", endpoint.as_str())),
            }
        }
        for (endpoint, bot) in &sent {
            let of_route =
                |known: &Known| known.entries.iter().any(|entry| entry.source == Source::Delivered(*endpoint));
            if self.wait(bot, PATIENCE, of_route).await.is_none() {
                problems.push(format!("{} answered 200, and the delivery was never seen again", endpoint.as_str()));
            }
        }
        let names: Vec<_> = self.open.iter().map(|endpoint| endpoint.as_str()).collect();
        let well = format!(
            "{} a delivery with their credential: {}",
            if names.len() == 1 { "the only route takes" } else { "all routes take" },
            names.join(", ")
        );
        Finding::unless(
            check,
            &problems,
            well,
            "see secret.deployed and events.mapping; the functions' logs (`make logs`) say more",
        )
    }

    /// What must not be let in.
    pub(super) async fn refusals(&self) -> Vec<Finding> {
        let mut problems = Vec::new();
        for endpoint in self.open.iter().copied() {
            // Of that one a wrong secret is answered 503, which whoever watches for 5xx would hear.
            if endpoint == Endpoint::MeetingBaasCallback {
                continue;
            }
            let Ok(target) = self.target(endpoint) else { continue };
            let bot = self.bot(endpoint.provider());
            let delivery = Delivery::new(&target.forged(), self.joining(endpoint, &bot), Timestamp::now());
            match self.send(&delivery, None).await {
                Ok(401) => {}
                answer => problems.push(format!(
                    "{} answers {} to a wrong credential, not 401",
                    endpoint.as_str(),
                    said(&answer)
                )),
            }
        }
        let help = "whatever is in front of the function answers in its place; see url.config and url.permissions";
        let signature = Finding::unless(
            Check::FrontSignature,
            &problems,
            "a wrong credential is answered 401 by every route",
            help,
        );
        let exact = |check, what: &str, answer: Result<u16, String>, expected: u16| match answer {
            Ok(status) if status == expected => Finding::pass(check, format!("{what} is answered {expected}")),
            answer => Finding::fail(check, format!("{what} is answered {}, not {expected}", said(&answer)), help),
        };
        let method = self.ask(Method::GET, Names::of(self.main).path).await;
        let path = self.ask(Method::POST, "webhooks/no-such-route").await;
        vec![
            signature,
            exact(Check::FrontMethod, "GET", method, 405),
            exact(Check::FrontPath, "an unknown path", path, 404),
            self.closed().await,
        ]
    }

    /// A route without a credential does not exist.
    async fn closed(&self) -> Finding {
        let closed: Vec<_> = Endpoint::ALL.into_iter().filter(|endpoint| !self.open.contains(endpoint)).collect();
        if closed.is_empty() {
            return Finding::skipped(Check::FrontClosed, "every route has a credential, so none is closed");
        }
        let mut problems = Vec::new();
        for endpoint in &closed {
            let token = if *endpoint == Endpoint::MeetStreamCallback { "/no-token-no-token-no-token" } else { "" };
            let answer = self.ask(Method::POST, &format!("{}{token}", Names::of(*endpoint).path)).await;
            if answer != Ok(404) {
                let what = format!(
                    "{} has no credential in the secret and answers {}, not 404",
                    endpoint.as_str(),
                    said(&answer)
                );
                problems.push(what);
            }
        }
        Finding::unless(
            Check::FrontClosed,
            &problems,
            format!("{} without a credential: answered 404", many(closed.len(), "route")),
            "the function still has a credential that the secret no longer has: `make deploy`",
        )
    }

    /// Asks without any credential.
    async fn ask(&self, method: Method, path: &str) -> Result<u16, String> {
        let base = self.stack.webhook_url.trim_end_matches(Names::of(Endpoint::MeetStream).path);
        let url = format!("{base}{path}");
        let request = self.http.request(method, url).header("content-type", "application/json").body("{}");
        request.send().await.map(|answer| answer.status().as_u16()).map_err(|error| error.without_url().to_string())
    }
}

pub(super) fn silent(check: Check, why: &str) -> Finding {
    Finding::fail(
        check,
        format!("no answer from the front door: {why}"),
        "see url.config, and whether this machine gets out",
    )
}

pub(super) fn refused(check: Check, route: &str, status: u16) -> Finding {
    let (why, way_out) = meaning(status);
    Finding::fail(check, format!("{route} answers {status} to a genuine delivery: {why}"), way_out)
}

/// What an answer to a genuine delivery means, and what to do about it.
pub(super) fn meaning(status: u16) -> (&'static str, &'static str) {
    match status {
        401 => (
            "the function does not know the secret's newest entry, or the body was changed on the way",
            "see secret.deployed and ingest.alias; `make rotate`",
        ),
        403 => ("Lambda does not let the caller in", "see url.config and url.permissions"),
        404 => (
            "the function has no credential for this route, or the URL is another's",
            "see secret.deployed; `make rotate`",
        ),
        429 => ("no concurrency is left", "see account.concurrency"),
        500 | 502 => (
            "the function failed or does not start",
            "ingest's log says why: `make logs`; `make rollback` is the way back",
        ),
        503 => (
            "neither the queue nor the bucket took it",
            "see events.queue and bucket.private; ingest's log names the call that failed",
        ),
        _ => ("the function never answers that", "something else is in front of it"),
    }
}

pub(super) fn said(answer: &Result<u16, String>) -> String {
    answer.as_ref().map_or_else(|why| format!("with nothing ({why})"), u16::to_string)
}

fn applied_within(check: Check, route: &str, took: Option<Duration>) -> Finding {
    let way_out = "see events.mapping; process's log says what became of it: `make logs`";
    match took {
        Some(took) if took <= SOON => Finding::pass(
            check,
            format!("a delivery to {route} was applied to its bot's session within {:.1} s", took.as_secs_f64()),
        ),
        Some(took) => {
            Finding::warn(check, format!("a delivery to {route} was applied only after {} s", took.as_secs()), way_out)
        }
        None => Finding::fail(
            check,
            format!("a delivery to {route} was answered 200 and is not applied after {} s", PATIENCE.as_secs()),
            way_out,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_delivery_took_is_judged() {
        let found =
            |seconds: Option<u64>| applied_within(Check::FrontApplied, "meetstream", seconds.map(Duration::from_secs));
        assert_eq!(found(Some(2)).verdict, Verdict::Pass);
        assert_eq!(found(Some(31)).verdict, Verdict::Warn);
        assert_eq!(found(None).verdict, Verdict::Fail);
    }

    #[test]
    fn every_refusal_has_a_meaning_and_a_way_out() {
        for status in [401, 403, 404, 429, 500, 502, 503, 418] {
            let finding = refused(Check::FrontApplied, "meetstream", status);
            assert!(finding.verdict == Verdict::Fail && finding.what.contains(&status.to_string()), "{finding:?}");
            assert!(finding.way_out.is_some_and(|way_out| !way_out.is_empty()), "{status}");
        }
    }
}
