//! Whether every accepted delivery is accounted for, and every session and artifact ended as it should.

use super::artifacts::{self, Found, is_pending};
use crate::{bucket::Bucket, failure::Failure, table::Known};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use shared::{
    Endpoint, Session, SessionId, Source,
    artifacts::KINDS,
    event::{Artifact, Outcome},
    session::{Disposition, State},
};
use simulator::{Bot, Fate, Sent};
use std::collections::{BTreeMap, BTreeSet};

/// How many bots' artifacts are compared at a time.
const COMPARED_AT_A_TIME: usize = 8;

/// One bot: what it went through, what was sent, and what the table knows.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: SessionId,
    expected: Option<State>,
    outcome: Option<Outcome>,
    sent: Vec<Sent>,
    pub(super) known: Option<Known>,
    /// What should become of its artifacts; `None` where its provider's API is not ours.
    plan: Option<artifacts::Plan>,
    found: BTreeMap<Artifact, Found>,
}

/// What became of everything: the shape of `rollcall simulate --json`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Findings {
    pub(super) bots: usize,
    /// Requests, the repeated ones among them.
    pub(super) sent: usize,
    pub(super) copies: usize,
    pub(super) retries: usize,
    /// Lost on purpose.
    pub(super) dropped: usize,
    pub(super) answers: BTreeMap<String, usize>,
    pub(super) states: BTreeMap<&'static str, usize>,
    pub(super) outcomes: BTreeMap<&'static str, usize>,
    /// What became of the accepted deliveries, repeated ones among them.
    pub(super) deliveries: BTreeMap<&'static str, usize>,
    /// What became of the answers of the providers' APIs, which are merged into sessions as deliveries are.
    pub(super) api_answers: BTreeMap<&'static str, usize>,
    /// Accepted, and in none of the places where it should be.
    pub(super) unaccounted: Vec<Missing>,
    /// Sessions that are not as the bots' meetings were.
    pub(super) otherwise: Vec<Otherwise>,
    /// What became of artifacts, and how many of each kind; of those that are unavailable, by the reason.
    pub(super) artifacts: BTreeMap<&'static str, BTreeMap<String, usize>>,
    /// Artifacts that are not as the provider served them.
    pub(super) differing: Vec<Differing>,
    /// What the APIs did wrong, and how often.
    pub(super) api_faults: BTreeMap<String, u64>,
}

/// An accepted delivery that is nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Missing {
    pub(super) provider: &'static str,
    pub(super) bot_id: String,
    pub(super) name: String,
}

/// A session that is not as the bot's meeting was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Otherwise {
    pub(super) provider: &'static str,
    pub(super) bot_id: String,
    /// State and outcome, of which either may be unknown.
    pub(super) expected: [Option<&'static str>; 2],
    pub(super) found: [Option<&'static str>; 2],
    /// What never got through. If nothing, the session is wrong.
    pub(super) lost: BTreeSet<String>,
}

/// An artifact that is not as its provider served it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Differing {
    pub(super) provider: &'static str,
    pub(super) bot_id: String,
    pub(super) artifact: &'static str,
    pub(super) expected: String,
    pub(super) found: String,
    /// What never got through. If nothing, the artifact is wrong.
    pub(super) lost: BTreeSet<String>,
}

impl Account {
    /// One for each bot, with its own of what was sent; and with its artifacts, if the providers' APIs are served here.
    pub(super) fn open(bots: &[Bot], sent: Vec<Sent>, are_apis_served: bool) -> Vec<Self> {
        let mut of_bots: BTreeMap<String, Vec<Sent>> = BTreeMap::new();
        for one in sent {
            of_bots.entry(one.bot_id.clone()).or_default().push(one);
        }
        let account = |bot: &Bot| {
            let plan = bot.plan();
            let (expected, outcome) = if are_apis_served {
                (plan.state_when_confirmed(), plan.outcome_when_confirmed())
            } else {
                (plan.state_in_the_end(), plan.outcome_in_the_end())
            };
            Some(Self {
                id: bot.session_id()?,
                expected,
                outcome,
                sent: of_bots.remove(&plan.bot_id).unwrap_or_default(),
                known: None,
                plan: are_apis_served.then(|| artifacts::Plan::of(bot)),
                found: BTreeMap::new(),
            })
        };
        bots.iter().filter_map(account).collect()
    }

    /// Whether there is nothing more to wait for.
    pub(super) fn is_settled(&self) -> bool {
        let is_fetching = self.plan.is_some()
            && self.session().is_some_and(|session| KINDS.iter().any(|artifact| is_pending(session, *artifact)));
        self.unaccounted().is_empty() && !is_fetching && (self.is_as_expected() || !self.lost().is_empty())
    }

    /// Compares the artifacts of all with what the bucket has.
    pub(super) async fn compare(accounts: &mut [Self], bucket: &Bucket<'_>) -> Result<(), Failure> {
        let comparisons = accounts.iter_mut().map(|account| async move {
            let (Some(plan), Some(Known { session: Some((session, _)), .. })) = (&account.plan, &account.known) else {
                return Ok(());
            };
            account.found = plan.look(bucket, session).await?;
            Ok(())
        });
        stream::iter(comparisons).buffer_unordered(COMPARED_AT_A_TIME).try_collect().await
    }

    pub(super) fn session(&self) -> Option<&Session> {
        self.known.as_ref().and_then(Known::session)
    }

    /// The accepted deliveries that are nowhere, by name. One that could not be read has no name in the table.
    fn unaccounted(&self) -> Vec<String> {
        let mut nameless = 0;
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        if let Some(known) = &self.known {
            nameless = known.missing();
            for entry in &known.entries {
                if entry.name.is_empty() {
                    nameless += 1;
                } else {
                    *found.entry(&entry.name).or_default() += 1;
                }
            }
        }
        // A deletion removes what is stored beside the session: repetitions, of a name that is in it, and unverified deliveries
        // that came after the provider's API had said the same.
        let is_erased = self.session().is_some_and(Session::is_erased);
        let accepted = self.sent.iter().filter(|sent| sent.fate.is_accepted());
        let missing = accepted.filter(|sent| match found.get_mut(sent.name.as_str()) {
            Some(_) if is_erased => false,
            None if is_erased && sent.endpoint == Endpoint::MeetStreamCallback => false,
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        missing.map(|sent| sent.name.clone()).skip(nameless).collect()
    }

    /// What never got through, by name: every time it was sent, it was refused or lost.
    fn lost(&self) -> BTreeSet<String> {
        let got_through: BTreeSet<(&str, _)> = self
            .sent
            .iter()
            .filter(|sent| sent.fate.is_accepted())
            .map(|sent| (sent.name.as_str(), sent.endpoint))
            .collect();
        let lost = self.sent.iter().filter(|sent| !got_through.contains(&(sent.name.as_str(), sent.endpoint)));
        lost.map(|sent| sent.name.clone()).collect()
    }

    fn found(&self) -> (Option<State>, Option<Outcome>) {
        self.session().map_or((None, None), |session| (Some(session.state()), session.outcome()))
    }

    fn is_as_expected(&self) -> bool {
        self.found() == (self.expected, self.outcome)
    }
}

impl Findings {
    /// What the accounts come to, and what the APIs did wrong.
    pub(super) fn of(accounts: &[Account], api_faults: BTreeMap<String, u64>) -> Self {
        let mut findings = Self { bots: accounts.len(), api_faults, ..Self::default() };
        for account in accounts {
            findings.add(account);
        }
        findings
    }

    fn add(&mut self, account: &Account) {
        for sent in &account.sent {
            if sent.fate == Fate::Dropped {
                self.dropped += 1;
                continue;
            }
            self.sent += 1;
            self.copies += usize::from(sent.is_copy);
            self.retries += usize::from(sent.is_retry);
            *self.answers.entry(in_words(&sent.fate)).or_default() += 1;
        }
        let (provider, bot_id) = (account.id.provider.as_str(), account.id.id.as_sent());
        let (state, outcome) = account.found();
        if let Some(state) = state {
            *self.states.entry(state.as_str()).or_default() += 1;
        }
        if let Some(outcome) = outcome {
            *self.outcomes.entry(outcome.as_str()).or_default() += 1;
        }
        if let Some(known) = &account.known {
            for entry in &known.entries {
                let counts = match entry.source {
                    Source::Delivered(_) => &mut self.deliveries,
                    Source::Asked(_) | Source::Operator => &mut self.api_answers,
                };
                *counts.entry(entry.disposition.as_str()).or_default() += 1;
            }
            if known.missing() > 0 {
                *self.deliveries.entry(Disposition::Parked.as_str()).or_default() += known.missing();
            }
        }
        let missing = account.unaccounted().into_iter();
        self.unaccounted.extend(missing.map(|name| Missing { provider, bot_id: bot_id.to_owned(), name }));
        if !account.is_as_expected() {
            self.otherwise.push(Otherwise {
                provider,
                bot_id: bot_id.to_owned(),
                expected: [account.expected.map(State::as_str), account.outcome.map(Outcome::as_str)],
                found: [state.map(State::as_str), outcome.map(Outcome::as_str)],
                lost: account.lost(),
            });
        }
        self.add_artifacts(account);
    }

    fn add_artifacts(&mut self, account: &Account) {
        let Some(plan) = &account.plan else { return };
        for (artifact, found) in &account.found {
            *self.artifacts.entry(artifact.as_str()).or_default().entry(found.end().to_owned()).or_default() += 1;
        }
        let differing = plan.differences(&account.found).map(|(artifact, expected, found)| Differing {
            provider: account.id.provider.as_str(),
            bot_id: account.id.id.as_sent().to_owned(),
            artifact: artifact.as_str(),
            expected: artifacts::describe(expected),
            found: found.describe(),
            lost: account.lost(),
        });
        self.differing.extend(differing);
    }

    /// Whether all is well.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let wrong = self.otherwise.iter().filter(|otherwise| otherwise.lost.is_empty()).count();
        let differing = self.differing.iter().filter(|differing| differing.lost.is_empty()).count();
        if self.unaccounted.is_empty() && wrong == 0 && differing == 0 {
            return Ok(());
        }
        let unaccounted = self.unaccounted.len();
        let what = format!(
            "{unaccounted} accepted deliveries are not accounted for, {wrong} sessions and {differing} artifacts are not \
             as they should be"
        );
        Err(Failure::new(what).help(
            "they may be on their way: --wait SECONDS waits longer, and `rollcall status` shows what waits; the functions' logs say more",
        ))
    }
}

/// A fate in a word or two.
pub(super) fn in_words(fate: &Fate) -> String {
    match fate {
        Fate::Dropped => "lost".to_owned(),
        Fate::Answered { status, .. } => status.to_string(),
        Fate::Unanswered { .. } => "no answer".to_owned(),
        Fate::NoRoute => "no route".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{entry, session};
    use serde_json::{Value, json};
    use shared::{Provider, SenderId, session::TimelineLine};
    use simulator::{BotPlan, Knobs, Simulator};
    use std::time::Duration;

    fn sent(name: &str, status: Option<u16>) -> Sent {
        let fate = status.map_or(Fate::Dropped, |status| Fate::Answered { status, took: Duration::ZERO });
        let (bot_id, endpoint) = ("b".to_owned(), Endpoint::MeetStream);
        Sent { bot_id, endpoint, name: name.to_owned(), is_copy: false, is_retry: false, fate }
    }

    /// A bot that should end up joining, and of which the table has these entries, the first of them in its session.
    fn account(sent: Vec<Sent>, found: &[&str]) -> Account {
        let entries: Vec<Value> =
            found.iter().enumerate().map(|(at, name)| entry(&format!("k{at}"), &format!("a{at}"), 1, name)).collect();
        let known = Known {
            session: (!found.is_empty()).then(|| (serde_json::from_value(session("b", &entries[..1])).unwrap(), 1)),
            entries: entries.into_iter().map(|entry| serde_json::from_value::<TimelineLine>(entry).unwrap()).collect(),
            ..Known::default()
        };
        Account {
            id: SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap()),
            expected: Some(State::Joining),
            outcome: None,
            sent,
            known: Some(known),
            plan: None,
            found: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn check(name: &str, account: &Account, unaccounted: &[&str], otherwise: usize, is_well: bool) {
        let findings = Findings::of(std::slice::from_ref(account), BTreeMap::new());
        let missing: Vec<&str> = findings.unaccounted.iter().map(|missing| missing.name.as_str()).collect();
        assert_eq!(missing, unaccounted, "{name}");
        assert_eq!(findings.otherwise.len(), otherwise, "{name}");
        assert_eq!(findings.verdict().is_ok(), is_well, "{name}");
    }

    #[test]
    fn every_accepted_delivery_is_somewhere_or_missed() {
        let joining = || sent("bot.joining", Some(200));
        check("all there", &account(vec![joining()], &["bot.joining"]), &[], 0, true);
        check("a duplicate too", &account(vec![joining(), joining()], &["bot.joining"; 2]), &[], 0, true);
        check("one too few", &account(vec![joining(), joining()], &["bot.joining"]), &["bot.joining"], 0, false);
        check("more than was confirmed", &account(vec![joining()], &["bot.joining"; 3]), &[], 0, true);
        let two = || vec![joining(), sent("bot.inmeeting", Some(200))];
        check("another's place", &account(two(), &["bot.joining"; 2]), &["bot.inmeeting"], 0, false);
        check("unreadable", &account(two(), &["bot.joining", ""]), &[], 0, true);
        let refused = vec![joining(), sent("bot.inmeeting", Some(503))];
        check("never accepted", &account(refused, &["bot.joining"]), &[], 0, true);
        check("nothing known", &account(vec![joining()], &[]), &["bot.joining"], 1, false);
    }

    #[test]
    fn what_an_api_answered_is_no_delivery() {
        let mut asked = account(vec![sent("bot.joining", Some(200))], &["bot.joining", "confirmed"]);
        let entry = asked.known.as_mut().unwrap().entries.last_mut().unwrap();
        entry.source = Source::Asked(Provider::MeetStream);
        let findings = Findings::of(&[asked], BTreeMap::new());
        assert_eq!(findings.deliveries, BTreeMap::from([("applied", 1)]));
        assert_eq!(findings.api_answers, BTreeMap::from([("applied", 1)]));
    }

    #[test]
    fn parked_deliveries_are_accounted_for() {
        let mut parked = account(vec![sent("bot.joining", Some(200)); 2], &["bot.joining"]);
        let mut document = session("b", &[entry("k0", "a0", 1, "bot.joining")]);
        let missing = json!({ "accept_id": "a1", "received_at": 1, "parked_as": "parked/x", "reason": "y" });
        document["missing"] = json!([missing]);
        parked.known.as_mut().unwrap().session = Some((serde_json::from_value(document).unwrap(), 1));
        check("parked", &parked, &[], 0, true);
        assert_eq!(
            Findings::of(&[parked], BTreeMap::new()).deliveries,
            BTreeMap::from([("applied", 1), ("parked", 1)])
        );
    }

    #[test]
    fn repetitions_are_not_missed_after_a_deletion() {
        let twice = || vec![sent("bot.joining", Some(200)), sent("bot.joining", Some(200))];
        let mut erased = account(twice(), &["bot.joining"]);
        let mut document = session("b", &[entry("k0", "a0", 1, "bot.joining")]);
        document["deleted"] = json!({ "trust": "verified" });
        erased.known.as_mut().unwrap().session = Some((serde_json::from_value(document).unwrap(), 1));
        erased.expected = erased.session().map(Session::state);
        check("a repetition", &erased, &[], 0, true);
        erased.sent.push(sent("bot.inmeeting", Some(200)));
        check("the only one of its name", &erased, &["bot.inmeeting"], 0, false);
        erased.sent.iter_mut().for_each(|sent| sent.endpoint = Endpoint::MeetStreamCallback);
        check("the API may have said it before", &erased, &[], 0, true);
    }

    #[test]
    fn a_session_may_differ_when_something_was_lost() {
        let all = vec![sent("bot.joining", Some(200)), sent("bot.done", Some(200))];
        let far = Account { expected: Some(State::Done), ..account(all, &["bot.joining", "bot.done"]) };
        check("wrong", &far, &[], 1, false);
        assert!(!far.is_settled());
        let lost = vec![sent("bot.joining", Some(200)), sent("bot.done", None)];
        let lost = Account { expected: Some(State::Done), ..account(lost, &["bot.joining"]) };
        check("lost", &lost, &[], 1, true);
        assert!(lost.is_settled());
        let findings = Findings::of(&[lost], BTreeMap::new());
        assert_eq!(findings.otherwise[0].lost, BTreeSet::from(["bot.done".to_owned()]));
        assert_eq!((findings.sent, findings.dropped), (1, 1));
        let again = vec![sent("bot.joining", Some(503)), sent("bot.joining", Some(200))];
        assert!(account(again, &["bot.joining"]).lost().is_empty(), "it got through in the end");
    }

    #[tokio::test]
    async fn an_artifact_that_differs_is_named_with_both_sides() {
        let simulator = Simulator::start(Knobs::default()).await.unwrap();
        let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetStream, "b"));
        let mut accounts = Account::open(&[bot], vec![], true);
        let account = accounts.first_mut().unwrap();
        account.found = KINDS.map(|artifact| (artifact, Found::Unavailable("gone".to_owned()))).into();
        let findings = Findings::of(&accounts, BTreeMap::new());
        assert_eq!(findings.artifacts["audio"], BTreeMap::from([("gone".to_owned(), 1)]));
        let audio = findings.differing.iter().find(|differing| differing.artifact == "audio").unwrap();
        assert_eq!((findings.differing.len(), audio.bot_id.as_str()), (3, "b"));
        assert!(audio.expected.starts_with("stored (200000 bytes of audio/wav"), "{audio:?}");
        assert_eq!(audio.found, "unavailable (gone)");
        assert!(findings.verdict().unwrap_err().to_string().contains("3 artifacts"));
        assert!(Account::open(&[], vec![], true).is_empty());
    }
}
