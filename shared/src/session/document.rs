//! The form in which sessions and deliveries are in the table: short, because every write of a session pays for all of it, and
//! such that a person who looks at an item in `DynamoDB`'s console can read what happened.
//!
//! A document is a text and the ids of its deliveries, which nobody reads and which are bytes therefore ([`lines`] has both).
//! The text is JSON, and says once what was said once: what follows from the lines of the deliveries, as the state does for an
//! ordinary meeting, is written only where it differs from what the lines say ([`Said`]).
//!
//! A rollback must lose nothing. So each text has the number of its form, and nothing is read whose form, or any field of it, this
//! code does not know: read without it, the field would be missing from the next write. Whoever adds a field or changes what one
//! means counts [`FORM`] up; `the_stored_form_is_what_it_was` shows the text that such a change touches.

mod form;
mod lines;

pub use self::form::Unreadable;

use self::{
    form::FORM,
    lines::{Line, Lines},
};
use super::{
    ArtifactFact, CalendarFacts, Dated, Deletion, Ending, Job, MissingDelivery, Progress, Session, State, StoredCopy,
    TimelineLine,
};
use crate::{
    event::{Artifact, ArtifactStatus, Certainty, Outcome},
    ids::SessionId,
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;

/// What the table has of a session, or of a delivery beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// JSON.
    pub text: String,
    /// For each of its deliveries the delivery key and the accept id, 16 bytes each.
    pub ids: Vec<u8>,
}

impl Document {
    /// A session as the table keeps it.
    ///
    /// # Errors
    /// Never: texts, numbers and lists of them always serialise.
    pub fn of_session(session: &Session) -> Result<Self, serde_json::Error> {
        let Session {
            id,
            progress,
            proven,
            ending,
            joined_at,
            ended_at,
            deleted,
            artifacts,
            custom_attributes,
            calendar,
            first_received_at,
            timeline,
            missing,
            jobs,
            copies,
            join_at,
        } = session;
        let said = Said::by(timeline);
        let entered = custom_attributes.as_ref();
        let attributes = entered.and_then(|(_, text)| json(text));
        let Lines { lines, ids } = Lines::of(timeline);
        let text = SessionText {
            form: FORM,
            id: (SessionId::decoded(&id.encoded()).as_ref() != Some(id)).then(|| id.clone()),
            first: unless(first_received_at, &said.first),
            state: unless(progress, &said.state),
            proven: unless(proven, &said.proven),
            outcome: ending.as_ref().map(|ending| ending.outcome),
            outcome_is_hint: ending.as_ref().is_some_and(|ending| ending.certainty == Certainty::Hint),
            outcome_is_unverified: ending.as_ref().is_some_and(|ending| ending.trust == Trust::Unverified),
            reason: ending.as_ref().and_then(|ending| unless(&ending.reason, &said.reason)),
            joined: unless(joined_at, &said.joined),
            ended: unless(ended_at, &said.ended),
            deleted: deleted.as_ref().map(|deletion| deletion.trust),
            artifacts: unless(artifacts, &said.artifacts),
            attributes_text: entered.filter(|_| attributes.is_none()).map(|(_, text)| text.clone()),
            attributes,
            attributes_are_unverified: entered.is_some_and(|(trust, _)| *trust == Trust::Unverified),
            calendar: calendar.clone(),
            lines,
            missing: missing.clone(),
            jobs: jobs.clone(),
            copies: copies.clone(),
            join_at: join_at.clone(),
        };
        Ok(Self { text: serde_json::to_string(&text)?, ids })
    }

    /// The session that was written as this document under the partition key `pk`.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn session(&self, pk: &str) -> Result<Session, Unreadable> {
        let text: SessionText = read(&self.text)?;
        let id = text.id.or_else(|| SessionId::decoded(pk)).filter(|id| id.encoded() == pk);
        let timeline = Lines { lines: text.lines, ids: self.ids.clone() }.entries()?;
        let said = Said::by(&timeline);
        let trust = |is_unverified| if is_unverified { Trust::Unverified } else { Trust::Verified };
        let attributes = text.attributes.map(|json| json.to_string()).or(text.attributes_text);
        let certainty = if text.outcome_is_hint { Certainty::Hint } else { Certainty::Final };
        Ok(Session {
            id: id.ok_or_else(|| Unreadable::Damaged("its key is not that of its session".to_owned()))?,
            progress: text.state.unwrap_or(said.state),
            proven: text.proven.unwrap_or(said.proven),
            ending: text.outcome.map(|outcome| Ending {
                trust: trust(text.outcome_is_unverified),
                certainty,
                outcome,
                reason: text.reason.unwrap_or(said.reason),
            }),
            joined_at: text.joined.unwrap_or(said.joined),
            ended_at: text.ended.unwrap_or(said.ended),
            deleted: text.deleted.map(|trust| Deletion { trust }),
            artifacts: text.artifacts.unwrap_or(said.artifacts),
            custom_attributes: attributes.map(|text_of_them| (trust(text.attributes_are_unverified), text_of_them)),
            calendar: text.calendar,
            first_received_at: text.first.unwrap_or(said.first),
            timeline,
            missing: text.missing,
            jobs: text.jobs,
            copies: text.copies,
            join_at: text.join_at,
        })
    }

    /// A delivery beside its session as the table keeps it.
    ///
    /// # Errors
    /// Never: texts, numbers and lists of them always serialise.
    pub fn of_line(delivery: &TimelineLine) -> Result<Self, serde_json::Error> {
        let Lines { mut lines, ids } = Lines::of(std::slice::from_ref(delivery));
        let text = EntryText { form: FORM, line: lines.pop().unwrap_or_default() };
        Ok(Self { text: serde_json::to_string(&text)?, ids })
    }

    /// The delivery that was written as this document.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn line(&self) -> Result<TimelineLine, Unreadable> {
        let text: EntryText = read(&self.text)?;
        let mut entries = Lines { lines: vec![text.line], ids: self.ids.clone() }.entries()?;
        entries.pop().ok_or_else(|| Unreadable::Damaged("it has no line".to_owned()))
    }
}

/// A text of any form.
#[derive(Deserialize)]
struct Numbered {
    form: u32,
}

trait Text: DeserializeOwned {
    fn form(&self) -> u32;
}

/// Reads a text of this form. That of another form is looked for only once something does not fit.
fn read<T: Text>(text: &str) -> Result<T, Unreadable> {
    let form = match serde_json::from_str::<T>(text) {
        Ok(read) if read.form() == FORM => return Ok(read),
        Ok(read) => read.form(),
        Err(error) => match serde_json::from_str::<Numbered>(text) {
            Ok(Numbered { form }) if form != FORM => form,
            _ => return Err(error.into()),
        },
    };
    Err(Unreadable::Form(form))
}

/// A session, and nothing in it that its lines say already.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionText {
    form: u32,
    /// Where the partition key has only a hash of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<ReceivedAt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proven: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    /// Unless it is final.
    #[serde(default, skip_serializing_if = "super::is_default")]
    outcome_is_hint: bool,
    /// Unless it is verified.
    #[serde(default, skip_serializing_if = "super::is_default")]
    outcome_is_unverified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    reason: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    joined: Option<Option<Dated>>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    ended: Option<Option<Dated>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted: Option<Trust>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifacts: Option<BTreeMap<Artifact, ArtifactFact>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes: Option<Value>,
    /// Where JSON would be spelt in another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attributes_text: Option<String>,
    /// Unless they are verified.
    #[serde(default, skip_serializing_if = "super::is_default")]
    attributes_are_unverified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calendar: Option<CalendarFacts>,
    lines: Vec<Line>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    missing: Vec<MissingDelivery>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    jobs: BTreeMap<Job, Progress>,
    #[serde(default, skip_serializing_if = "super::is_default")]
    copies: BTreeMap<Artifact, StoredCopy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    join_at: Option<OccurredAt>,
}

impl Text for SessionText {
    fn form(&self) -> u32 {
        self.form
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    form: u32,
    line: Line,
}

impl Text for EntryText {
    fn form(&self) -> u32 {
        self.form
    }
}

/// What the lines of a session's deliveries say by themselves. It is a guess at the session's fields, right for most meetings,
/// and what is wrong is written out; so it need not follow the rules of the merge, and must not change as long as the form does
/// not.
#[derive(Default)]
struct Said {
    first: ReceivedAt,
    state: State,
    proven: State,
    joined: Option<Dated>,
    ended: Option<Dated>,
    reason: Option<String>,
    artifacts: BTreeMap<Artifact, ArtifactFact>,
}

impl Said {
    fn by(lines: &[TimelineLine]) -> Self {
        let mut said = Self { first: lines.first().map_or(ReceivedAt(0), |line| line.received_at), ..Self::default() };
        for line in lines {
            said.hear(line);
        }
        said
    }

    fn hear(&mut self, line: &TimelineLine) {
        let trust = line.trust();
        let dated = || line.occurred_at.clone().map(|at| Dated { trust, at });
        let (topic, what) = line.kind.split_once('.').unwrap_or_default();
        let state = match what {
            _ if topic != "session" => State::Unknown,
            "scheduled" => State::Scheduled,
            "joining" => State::Joining,
            "waiting" => State::Waiting,
            "in_call" | "permission_allowed" | "permission_denied" => State::InCall,
            "recording" | "recording_paused" | "recording_resumed" => State::Recording,
            "leaving" => State::Leaving,
            "ended" => State::Ended,
            "done" => State::Done,
            _ => State::Unknown,
        };
        self.state = self.state.max(state);
        if trust == Trust::Verified {
            self.proven = self.proven.max(state);
        }
        match (topic, what) {
            ("session", "in_call") => self.joined = self.joined.take().or_else(dated),
            ("session", "ended") => {
                self.ended = self.ended.take().or_else(dated);
                self.reason = self.reason.take().or_else(|| line.reason.clone());
            }
            _ => {
                let artifact = [Artifact::Manifest, Artifact::Audio, Artifact::Video, Artifact::Transcript];
                let status = [ArtifactStatus::Skipped, ArtifactStatus::Failed, ArtifactStatus::Announced];
                let artifact = artifact.into_iter().find(|artifact| artifact.as_str() == topic);
                let status = status.into_iter().find(|status| status.as_str() == what);
                if let Some((artifact, status)) = artifact.zip(status) {
                    let reason = line.reason.clone().filter(|_| status != ArtifactStatus::Announced);
                    let fact = ArtifactFact { trust, status, occurred_at: line.occurred_at.clone(), reason };
                    self.artifacts.insert(artifact, fact);
                }
            }
        }
    }
}

/// A value, unless the lines say it.
fn unless<T: PartialEq + Clone>(value: &T, said: &T) -> Option<T> {
    (value != said).then(|| value.clone())
}

/// A field that is there, be it with `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// JSON, if it is read from within other JSON and then written as it was. (JSON is read to a bounded depth.)
fn json(text: &str) -> Option<Value> {
    let [json] = serde_json::from_str::<[Value; 1]>(&format!("[{text}]")).ok()?;
    let written = json.to_string();
    (written == text).then_some(json)
}

#[cfg(test)]
mod tests;
