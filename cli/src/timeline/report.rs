//! What there is to say of a bot: the shape of `rollcall timeline --json`.

use crate::table::Bot;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use shared::{
    OccurredAt, SessionId,
    event::Artifact,
    session::{ArtifactFact, Disposition, Entry, Hole, Session},
};
use std::collections::BTreeMap;

/// One bot. Times are in UTC; what is not known is `null`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Report {
    /// Whose bot.
    pub provider: &'static str,
    /// The provider's id of it.
    pub bot_id: String,
    /// How far it has come.
    pub state: &'static str,
    /// How it ended; absent while it has not.
    pub outcome: Option<&'static str>,
    /// Why it ended, in the sender's words.
    pub reason: Option<String>,
    /// Whether a signature proves that it ended, or an unsigned callback only claims it; absent while it has not ended.
    pub confirmed: Option<bool>,
    /// When it came into the meeting.
    #[serde(serialize_with = "rfc3339")]
    pub joined_at: Option<Timestamp>,
    /// When it ended.
    #[serde(serialize_with = "rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// What the user attached to the bot.
    pub custom_attributes: Option<Value>,
    /// What became of each artifact that was heard of.
    pub artifacts: BTreeMap<&'static str, ArtifactReport>,
    /// Deliveries that are missing.
    pub holes: Vec<HoleReport>,
    /// How often the session was written; absent where there is none.
    pub version: Option<u64>,
    /// The deliveries, by time of receipt.
    pub events: Vec<EventReport>,
}

/// One artifact.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[expect(missing_docs, reason = "as in the session")]
pub struct ArtifactReport {
    pub status: &'static str,
    pub trust: &'static str,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: Option<Timestamp>,
    pub reason: Option<String>,
}

/// One missing delivery.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[expect(missing_docs, reason = "as in the session")]
pub struct HoleReport {
    pub accept_id: String,
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Option<Timestamp>,
    pub parked_as: String,
    pub reason: String,
}

/// One delivery.
#[derive(Clone, PartialEq, Serialize, Debug)]
#[expect(missing_docs, reason = "as in the session")]
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
    /// What there is to say of a bot.
    #[must_use]
    pub fn of(id: &SessionId, bot: &Bot) -> Self {
        let session = bot.session.as_ref().map(|(session, _)| session);
        let moment = |time: Option<&OccurredAt>| time.map(OccurredAt::moment);
        let outcome = session.and_then(Session::outcome);
        Self {
            provider: id.provider.as_str(),
            bot_id: id.id.as_sent().to_owned(),
            state: bot.state().as_str(),
            outcome: outcome.map(shared::event::Outcome::as_str),
            reason: session.and_then(Session::ending).and_then(|ending| ending.reason.clone()),
            confirmed: session.map(Session::is_confirmed),
            joined_at: moment(session.and_then(Session::joined_at)),
            ended_at: moment(session.and_then(Session::ended_at)),
            custom_attributes: session.and_then(Session::custom_attributes).map(attributes),
            artifacts: session.map(artifacts).unwrap_or_default(),
            holes: session.map(Session::holes).unwrap_or_default().iter().map(HoleReport::of).collect(),
            version: bot.session.as_ref().map(|(_, version)| *version),
            events: bot.entries.iter().map(EventReport::of).collect(),
        }
    }
}

/// They are stored as JSON text. Should that ever be none, the text itself is better than nothing.
fn attributes(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn artifact_name(artifact: Artifact) -> &'static str {
    match artifact {
        Artifact::Manifest => "manifest",
        Artifact::Audio => "audio",
        Artifact::Video => "video",
        Artifact::Transcript => "transcript",
    }
}

fn artifacts(session: &Session) -> BTreeMap<&'static str, ArtifactReport> {
    let report = |fact: &ArtifactFact| ArtifactReport {
        status: fact.status.as_str(),
        trust: fact.trust.as_str(),
        occurred_at: fact.occurred_at.as_ref().map(OccurredAt::moment),
        reason: fact.reason.clone(),
    };
    session.artifacts().iter().map(|(artifact, fact)| (artifact_name(*artifact), report(fact))).collect()
}

impl HoleReport {
    fn of(hole: &Hole) -> Self {
        Self {
            accept_id: hole.accept_id.as_str().to_owned(),
            received_at: hole.received_at.timestamp(),
            parked_as: hole.parked_as.clone(),
            reason: hole.reason.clone(),
        }
    }
}

impl EventReport {
    /// What there is to say of a delivery.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            kind: entry.kind.clone(),
            name: entry.name.clone(),
            occurred_at: entry.occurred_at.as_ref().map(OccurredAt::moment),
            received_at: entry.received_at.timestamp(),
            source: entry.source.as_str(),
            trust: entry.trust().as_str(),
            disposition: entry.disposition,
            reason: entry.reason.clone(),
            delivery_key: entry.key.as_str().to_owned(),
            accept_id: entry.accept_id.as_str().to_owned(),
        }
    }
}

/// A sender's time, as exact as the sender gave it.
pub(crate) fn rfc3339<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(serializer)
}

/// Our own time, to the millisecond.
pub(crate) fn milliseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).serialize(serializer)
}
