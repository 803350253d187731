//! What there is to say of a bot or a calendar: the shape of `rollcall timeline --json`.

use crate::{
    artifacts::inventory,
    bot::subject_name,
    table::Known,
    words::{milliseconds, rfc3339},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::{
    OccurredAt, SessionId,
    event::{Artifact, ArtifactStatus},
    ids::Subject,
    session::{
        ArtifactFact, CalendarFacts, ConnectionFact, Disposition, Mention, MissingDelivery, Session, TimelineLine,
    },
};
use std::collections::BTreeMap;

/// One bot or calendar. Times are in UTC; what is not known is `null`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Report {
    pub provider: &'static str,
    /// `bot` or `calendar`.
    pub subject: &'static str,
    /// The provider's id of it, of a calendar too.
    pub bot_id: String,
    /// How far it has come. Calendars stay at `unknown`.
    pub state: &'static str,
    /// How it ended; absent while it has not.
    pub outcome: Option<&'static str>,
    pub reason: Option<String>,
    /// Whether a signature proves that it ended, or an unsigned callback only claims it; absent while it has not ended.
    pub confirmed: Option<bool>,
    #[serde(serialize_with = "rfc3339")]
    pub joined_at: Option<Timestamp>,
    #[serde(serialize_with = "rfc3339")]
    pub ended_at: Option<Timestamp>,
    pub custom_attributes: Option<Value>,
    /// What became of each artifact that was heard of.
    pub artifacts: BTreeMap<&'static str, ArtifactReport>,
    /// What is known of it as a calendar; `null` for a bot.
    pub calendar: Option<CalendarReport>,
    pub missing: Vec<MissingReport>,
    /// How often the session was written; absent where there is none.
    pub version: Option<u64>,
    /// The deliveries, by time of receipt.
    pub events: Vec<EventReport>,
}

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct ArtifactReport {
    /// At the provider: `announced`, `failed` or `skipped`.
    pub status: &'static str,
    /// With us: one of the states of `rollcall artifacts`, or `erased`; `null` where there is nothing to fetch.
    pub copy: Option<&'static str>,
    pub trust: &'static str,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: Option<Timestamp>,
    pub reason: Option<String>,
}

#[derive(Clone, PartialEq, Serialize, Debug, Default)]
pub struct CalendarReport {
    /// The last that was heard of its connection.
    pub connection: Option<ConnectionReport>,
    /// When it last changed, by the sender's clock.
    #[serde(serialize_with = "rfc3339")]
    pub last_updated: Option<Timestamp>,
    /// The entries that were touched, each with the last time: by the sender's clock, or by ours where it gave none.
    pub affected: BTreeMap<String, Moment>,
}

/// The last that was heard of a calendar's connection.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct ConnectionReport {
    pub what: &'static str,
    pub trust: &'static str,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: Option<Timestamp>,
}

/// A time, if there is one that can be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Debug)]
#[serde(transparent)]
pub struct Moment(#[serde(serialize_with = "rfc3339")] pub Option<Timestamp>);

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct MissingReport {
    pub accept_id: String,
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Option<Timestamp>,
    pub parked_as: String,
    pub reason: String,
}

#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct EventReport {
    pub kind: String,
    pub name: String,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: Option<Timestamp>,
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Option<Timestamp>,
    pub source: &'static str,
    pub trust: &'static str,
    pub disposition: Disposition,
    pub reason: Option<String>,
    pub delivery_key: String,
    pub accept_id: String,
}

impl Report {
    /// What there is to say of it.
    pub fn of(id: &SessionId, known: &Known) -> Self {
        let session = known.session();
        let moment = |time: Option<&OccurredAt>| time.map(OccurredAt::moment);
        let outcome = session.and_then(Session::outcome);
        Self {
            provider: id.provider.as_str(),
            subject: subject_name(id.subject),
            bot_id: id.id.as_sent().to_owned(),
            state: known.state().as_str(),
            outcome: outcome.map(shared::event::Outcome::as_str),
            reason: session.and_then(Session::ending).and_then(|ending| ending.reason.clone()),
            confirmed: session.map(Session::is_confirmed),
            joined_at: moment(session.and_then(Session::joined_at)),
            ended_at: moment(session.and_then(Session::ended_at)),
            custom_attributes: session.and_then(Session::custom_attributes).map(attributes),
            artifacts: session.map(artifacts).unwrap_or_default(),
            calendar: (id.subject == Subject::Calendar)
                .then(|| session.and_then(Session::calendar).map(CalendarReport::of).unwrap_or_default()),
            missing: session.map(Session::missing).unwrap_or_default().iter().map(MissingReport::of).collect(),
            version: known.session.as_ref().map(|(_, version)| *version),
            events: known.entries.iter().map(EventReport::of).collect(),
        }
    }
}

/// They are stored as JSON text. Should that ever be none, the text itself is better than nothing.
fn attributes(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn artifacts(session: &Session) -> BTreeMap<&'static str, ArtifactReport> {
    let lines = inventory(session.id(), Some(session), None);
    let report = |artifact: &Artifact, fact: &ArtifactFact| ArtifactReport {
        status: fact.status.as_str(),
        copy: match lines.iter().find(|line| line.kind == artifact.as_str()) {
            _ if fact.status != ArtifactStatus::Announced => None,
            _ if session.is_erased() => Some("erased"),
            line => line.map(|line| line.state),
        },
        trust: fact.trust.as_str(),
        occurred_at: fact.occurred_at.as_ref().map(OccurredAt::moment),
        reason: fact.reason.clone(),
    };
    session.artifacts().iter().map(|(artifact, fact)| (artifact.as_str(), report(artifact, fact))).collect()
}

impl CalendarReport {
    fn of(facts: &CalendarFacts) -> Self {
        let moment = |heard: &Mention| {
            let sent = heard.occurred_at.as_ref().map(OccurredAt::moment);
            Moment(sent.or_else(|| heard.received_at.timestamp()))
        };
        Self {
            connection: facts.connection.as_ref().map(ConnectionReport::of),
            last_updated: facts.last_updated.as_ref().map(OccurredAt::moment),
            affected: facts.affected.iter().map(|(id, heard)| (id.clone(), moment(heard))).collect(),
        }
    }
}

impl ConnectionReport {
    fn of(fact: &ConnectionFact) -> Self {
        Self {
            what: fact.what.as_str(),
            trust: fact.trust.as_str(),
            occurred_at: fact.heard.occurred_at.as_ref().map(OccurredAt::moment),
        }
    }
}

impl MissingReport {
    fn of(missing: &MissingDelivery) -> Self {
        Self {
            accept_id: missing.accept_id.as_str().to_owned(),
            received_at: missing.received_at.timestamp(),
            parked_as: missing.parked_as.clone(),
            reason: missing.reason.clone(),
        }
    }
}

impl EventReport {
    /// What there is to say of a delivery.
    pub fn of(entry: &TimelineLine) -> Self {
        Self {
            kind: entry.kind.clone(),
            name: entry.name.clone(),
            occurred_at: entry.occurred_at.as_ref().map(OccurredAt::moment),
            received_at: entry.received_at.timestamp(),
            source: entry.source.as_str(),
            trust: entry.trust().as_str(),
            disposition: entry.disposition,
            reason: entry.reason.clone(),
            delivery_key: entry.key.to_string(),
            accept_id: entry.accept_id.as_str().to_owned(),
        }
    }
}
