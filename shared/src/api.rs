//! What providers' REST APIs say, in our words. What each of them writes is read by `rest` in its dialect's module; who asks,
//! and how often, is not decided here.

use crate::{
    event::{Artifact, ArtifactStatus, EventKind, Fact},
    sender_id::SenderId,
    time::OccurredAt,
    url::DownloadUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The key of an account at a provider. It cannot be printed.
#[derive(Clone)]
pub struct ApiKey(SecretString);

impl ApiKey {
    /// Takes the key as it was entered.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The key, for a header of a request to the provider's own API and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// An answer that is not what it should be: no JSON object or array of the documented kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the answer cannot be read")]
pub struct Unreadable;

/// Where an artifact is now.
#[derive(Clone, PartialEq, Debug)]
pub enum Located {
    /// Here it is.
    Found {
        /// The artifact, or where it is.
        content: Content,
        /// Which run of the transcription made it, where the provider tells one run from another.
        run: Option<SenderId>,
    },
    /// It may still come. Providers say so for ever of some that will not, so whoever asks sets a deadline.
    Pending,
    /// It is not there, and asking again will not change that.
    Unavailable(Absence),
}

/// An artifact, or where it is.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// It can be downloaded, for some minutes or hours.
    At(DownloadUrl),
    /// The API gave it in its answer: JSON, as the provider wrote it.
    Inline(Vec<u8>),
}

/// Never what was said in a meeting.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(url) => f.debug_tuple("At").field(url).finish(),
            Self::Inline(body) => write!(f, "Inline({} bytes)", body.len()),
        }
    }
}

/// Why there is no artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Making it failed.
    Failed,
    /// It was not to be made.
    Skipped,
    /// The provider has erased it.
    Erased,
    /// The provider is through with the bot and has made none: nobody was recorded, or nobody asked for it.
    NeverMade,
    /// This provider's API does not give this kind of artifact.
    NotOffered,
}

impl Absence {
    /// The name in the table, in logs and in published events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Erased => "erased",
            Self::NeverMade => "never_made",
            Self::NotOffered => "not_offered",
        }
    }
}

/// What the provider says of a bot when it is asked.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct BotDetail {
    /// The bot's status, in the provider's words.
    pub status: Option<String>,
    /// What has happened to it, as events would tell it, in the order in which it happens.
    pub facts: Vec<Fact>,
    /// What the user attached to the bot, as JSON text.
    pub custom_attributes: Option<String>,
    /// The time for which it was created, if that was a later one.
    pub join_at: Option<OccurredAt>,
}

impl BotDetail {
    /// What an answer without a body says of the bot, by its HTTP status. Only 410 says something: that its data was erased. A 404
    /// does not: a key of another workspace gets it for every bot, and so does one that was created a moment ago.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        let erased = Fact { kind: EventKind::Deleted, occurred_at: None, reason: None };
        (status == 410).then(|| Self { facts: vec![erased], ..Self::default() })
    }

    /// Whether the provider says the same as a claim. An end is confirmed by any end, because a claim of one with another
    /// outcome is still right about the end: ask [`BotDetail::facts`] for the outcome. That a bot was erased is also
    /// confirmed by an answer that there is no such bot (any more), which is no `BotDetail`.
    #[must_use]
    pub fn confirms(&self, claim: &EventKind) -> bool {
        self.facts.iter().any(|fact| match (&fact.kind, claim) {
            (EventKind::Ended(_), EventKind::Ended(_)) | (EventKind::Done, EventKind::Concluded(_)) => true,
            (said, claimed) => said == claimed,
        })
    }

    /// What it says about an artifact.
    #[must_use]
    pub fn artifact(&self, artifact: Artifact) -> Option<ArtifactStatus> {
        self.facts.iter().rev().find_map(|fact| match fact.kind {
            EventKind::Artifact(which, status) if which == artifact => Some(status),
            _ => None,
        })
    }

    /// Whether the provider is through with the bot.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.facts.iter().any(|fact| matches!(fact.kind, EventKind::Done | EventKind::Deleted))
    }

    /// Whether the provider has erased what it held.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.facts.iter().any(|fact| fact.kind == EventKind::Deleted)
    }

    /// What to make of an artifact that the API does not give.
    #[must_use]
    pub fn missing(&self, artifact: Artifact) -> Located {
        match self.artifact(artifact) {
            Some(ArtifactStatus::Failed) => Located::Unavailable(Absence::Failed),
            Some(ArtifactStatus::Skipped) => Located::Unavailable(Absence::Skipped),
            _ if self.is_erased() => Located::Unavailable(Absence::Erased),
            None if self.is_over() => Located::Unavailable(Absence::NeverMade),
            // It is said to be ready and yet not given: it may be a moment away.
            Some(ArtifactStatus::Announced) | None => Located::Pending,
        }
    }
}

/// One entry of a calendar: a meeting, as the provider knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CalendarEntry {
    /// The provider's id of it.
    pub id: SenderId,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<OccurredAt>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<OccurredAt>,
    /// Whether it takes place.
    pub status: EntryStatus,
    /// Where people meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting_url: Option<String>,
    /// The series that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series_id: Option<String>,
    /// Whether a bot is to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_scheduled: Option<bool>,
    /// When it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<OccurredAt>,
}

/// Whether an entry of a calendar takes place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum EntryStatus {
    Unknown,
    Tentative,
    Confirmed,
    Cancelled,
}

/// Entries of a calendar, as the provider has them now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalendarEntries {
    /// Those that exist, by id. A cancelled one exists.
    pub entries: BTreeMap<SenderId, CalendarEntry>,
    /// Those that were asked for by id and were not found. One that is neither here nor there was refused.
    pub gone: Vec<SenderId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Certainty, Ended, Outcome};

    fn detail(kinds: &[EventKind]) -> BotDetail {
        let fact = |kind: &EventKind| Fact { kind: kind.clone(), occurred_at: None, reason: None };
        BotDetail { facts: kinds.iter().map(fact).collect(), ..BotDetail::default() }
    }

    fn ended(outcome: Outcome) -> EventKind {
        EventKind::Ended(Ended { outcome, certainty: Certainty::Final })
    }

    fn transcript(status: ArtifactStatus) -> EventKind {
        EventKind::Artifact(Artifact::Transcript, status)
    }

    #[test]
    fn only_410_says_that_a_bot_was_erased() {
        assert!(BotDetail::of_status(410).unwrap().is_erased());
        for status in [200, 202, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 507] {
            assert_eq!(BotDetail::of_status(status), None, "{status}");
        }
    }

    #[test]
    fn claims_are_confirmed_by_what_the_provider_says() {
        let said = detail(&[ended(Outcome::Completed), transcript(ArtifactStatus::Announced)]);
        assert!(said.confirms(&ended(Outcome::Kicked)), "that it ended");
        assert!(said.confirms(&transcript(ArtifactStatus::Announced)));
        assert!(!said.confirms(&transcript(ArtifactStatus::Failed)));
        assert!(!said.confirms(&EventKind::Done));
        assert!(!said.confirms(&EventKind::Deleted));
    }

    #[track_caller]
    fn check_missing(name: &str, kinds: &[EventKind], expected: Located) {
        assert_eq!(detail(kinds).missing(Artifact::Transcript), expected, "{name}");
    }

    #[test]
    fn what_is_missing_is_pending_until_the_provider_says_otherwise() {
        use {ArtifactStatus as S, EventKind as K};
        check_missing("nothing said", &[], Located::Pending);
        check_missing("a meeting that has ended", &[ended(Outcome::Completed)], Located::Pending);
        check_missing("said to be ready", &[transcript(S::Announced), K::Done], Located::Pending);
        check_missing("failed", &[transcript(S::Failed)], Located::Unavailable(Absence::Failed));
        check_missing("skipped", &[transcript(S::Skipped)], Located::Unavailable(Absence::Skipped));
        check_missing("failed, then made", &[transcript(S::Failed), transcript(S::Announced)], Located::Pending);
        check_missing("never made", &[K::Done], Located::Unavailable(Absence::NeverMade));
        check_missing("erased", &[transcript(S::Announced), K::Deleted], Located::Unavailable(Absence::Erased));
    }

    #[test]
    fn keys_and_what_was_said_are_never_printed() {
        assert_eq!(format!("{:?}", ApiKey::new("s3cret".to_owned())), "[REDACTED]");
        assert_eq!(format!("{:?}", Content::Inline(b"words".to_vec())), "Inline(5 bytes)");
    }
}
