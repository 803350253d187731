//! What can happen to a bot, an artifact or a calendar.

use crate::time::OccurredAt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What happened. Closed for our vocabulary, open for the senders': a new name of theirs is [`EventKind::Unknown`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// The bot was created for a later time.
    Scheduled,
    /// The bot is on its way in; repeated when joining is tried again.
    Joining,
    /// The bot waits to be admitted.
    Waiting,
    /// The bot is in the meeting.
    InCall,
    /// Recording was asked for and allowed or denied.
    Permission(Permission),
    /// The bot records.
    Recording,
    /// Recording was interrupted.
    RecordingPaused,
    /// Recording goes on.
    RecordingResumed,
    /// The bot is on its way out.
    Leaving,
    /// The bot is out, and how that went.
    Ended(Ended),
    /// Something about one of the meeting's artifacts.
    Artifact(Artifact, ArtifactStatus),
    /// The provider has finished everything.
    Done,
    /// The provider has finished everything, and says in the same delivery how it ended and what there is.
    Concluded(Conclusion),
    /// Something went wrong that ends nothing.
    Warning,
    /// The provider has erased what it held.
    Deleted,
    /// The provider is uploading what was recorded.
    Uploading,
    /// The provider works on what was recorded.
    Processing,
    /// Somebody joined or left the meeting.
    Participant(Presence),
    /// A piece of live transcript.
    LiveTranscript,
    /// Somebody wrote into the meeting's chat.
    Chat,
    /// Something about a calendar.
    Calendar(CalendarChange),
    /// A name we do not know.
    Unknown,
}

/// What happened to a calendar, and to which of its entries.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CalendarChange {
    /// What happened.
    pub what: CalendarEvent,
    /// The provider's ids of the entries it happened to, at most [`MAX_AFFECTED`].
    pub affected: BTreeSet<String>,
}

/// The most entries of a calendar that one delivery, or one session, names. The provider's API has them all.
pub const MAX_AFFECTED: usize = 200;

/// What can happen to a calendar. The order is the precedence when two events about the connection have the same time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum CalendarEvent {
    EventsSynced,
    EventCreated,
    EventUpdated,
    EventCancelled,
    ConnectionCreated,
    ConnectionUpdated,
    ConnectionError,
    ConnectionDeleted,
}

impl CalendarEvent {
    /// The canonical name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsSynced => "calendar.events_synced",
            Self::EventCreated => "calendar.event_created",
            Self::EventUpdated => "calendar.event_updated",
            Self::EventCancelled => "calendar.event_cancelled",
            Self::ConnectionCreated => "calendar.connection_created",
            Self::ConnectionUpdated => "calendar.connection_updated",
            Self::ConnectionError => "calendar.connection_error",
            Self::ConnectionDeleted => "calendar.connection_deleted",
        }
    }

    /// Whether it is about the connection and not about what is in the calendar.
    #[must_use]
    pub fn is_of_the_connection(self) -> bool {
        self >= Self::ConnectionCreated
    }
}

/// The answer to a request for recording.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Permission {
    Allowed,
    Denied,
}

/// What a participant did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Presence {
    Joined,
    Left,
}

/// How a session ended, and how sure the event is of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ended {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the sender named this very end, or it was read from a less telling field.
    pub certainty: Certainty,
}

/// Everything that one delivery says of a finished session. It is several facts at once, and takes effect as a whole:
/// [`Event::facts`] takes it apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Conclusion {
    /// How it ended.
    pub ended: Ended,
    /// When the bot came into the meeting.
    pub joined_at: Option<OccurredAt>,
    /// When the bot left the meeting.
    pub exited_at: Option<OccurredAt>,
    /// What became of the artifacts; what it does not mention is absent.
    pub artifacts: BTreeMap<Artifact, ArtifactStatus>,
    /// Whether what there was has been erased already.
    pub data_deleted: bool,
}

/// How much an event says about an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Read from a field that is known to be unreliable.
    Hint,
    /// The sender's own name for this end.
    Final,
}

/// How a session ended. The order is the precedence when two equally trusted events disagree: a particular end beats a
/// general one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ended, and nobody said how.
    Unknown,
    /// The meeting ended, or the bot was told to leave.
    Completed,
    /// It was called off before it began.
    Cancelled,
    /// A participant removed the bot.
    Kicked,
    /// Nobody let the bot in.
    NotAdmitted,
    /// The host refused the bot.
    Denied,
    /// The bot broke down.
    Failed,
}

impl Outcome {
    /// The name in logs, on the screen and in published events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Kicked => "kicked",
            Self::NotAdmitted => "not_admitted",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What a meeting leaves behind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Artifact {
    Manifest,
    Audio,
    Video,
    Transcript,
}

impl Artifact {
    /// The name in keys, in logs and in published events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Transcript => "transcript",
        }
    }
}

/// What became of an artifact at the provider. The order is the precedence when events disagree: what is announced can be
/// fetched, whatever failed beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactStatus {
    /// There will be none.
    Skipped,
    /// Making it failed.
    Failed,
    /// The provider says that it can be fetched.
    Announced,
}

impl ArtifactStatus {
    /// The name in logs and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Announced => "announced",
        }
    }
}

impl EventKind {
    /// The canonical name, as in the timeline and in published events.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Scheduled => "session.scheduled",
            Self::Joining => "session.joining",
            Self::Waiting => "session.waiting",
            Self::InCall => "session.in_call",
            Self::Permission(Permission::Allowed) => "session.permission_allowed",
            Self::Permission(Permission::Denied) => "session.permission_denied",
            Self::Recording => "session.recording",
            Self::RecordingPaused => "session.recording_paused",
            Self::RecordingResumed => "session.recording_resumed",
            Self::Leaving => "session.leaving",
            Self::Ended(_) => "session.ended",
            Self::Done | Self::Concluded(_) => "session.done",
            Self::Warning => "session.warning",
            Self::Uploading => "session.uploading",
            Self::Processing => "session.processing",
            Self::Deleted => "data.deleted",
            Self::Participant(Presence::Joined) => "participant.joined",
            Self::Participant(Presence::Left) => "participant.left",
            Self::LiveTranscript => "live.transcript",
            Self::Chat => "chat.message",
            Self::Calendar(change) => change.what.as_str(),
            Self::Unknown => "unknown",
            Self::Artifact(artifact, status) => match (artifact, status) {
                (Artifact::Manifest, ArtifactStatus::Announced) => "manifest.announced",
                (Artifact::Manifest, ArtifactStatus::Failed) => "manifest.failed",
                (Artifact::Manifest, ArtifactStatus::Skipped) => "manifest.skipped",
                (Artifact::Audio, ArtifactStatus::Announced) => "audio.announced",
                (Artifact::Audio, ArtifactStatus::Failed) => "audio.failed",
                (Artifact::Audio, ArtifactStatus::Skipped) => "audio.skipped",
                (Artifact::Video, ArtifactStatus::Announced) => "video.announced",
                (Artifact::Video, ArtifactStatus::Failed) => "video.failed",
                (Artifact::Video, ArtifactStatus::Skipped) => "video.skipped",
                (Artifact::Transcript, ArtifactStatus::Announced) => "transcript.announced",
                (Artifact::Transcript, ArtifactStatus::Failed) => "transcript.failed",
                (Artifact::Transcript, ArtifactStatus::Skipped) => "transcript.skipped",
            },
        }
    }

    /// Whether the session acts on it. All others are recorded beside the session and change nothing in it.
    #[must_use]
    pub fn acts(&self) -> bool {
        match self {
            Self::Scheduled
            | Self::Joining
            | Self::Waiting
            | Self::InCall
            | Self::Permission(_)
            | Self::Recording
            | Self::RecordingPaused
            | Self::RecordingResumed
            | Self::Leaving
            | Self::Ended(_)
            | Self::Artifact(..)
            | Self::Done
            | Self::Concluded(_)
            | Self::Calendar(_)
            | Self::Deleted => true,
            Self::Warning
            | Self::Uploading
            | Self::Processing
            | Self::Participant(_)
            | Self::LiveTranscript
            | Self::Chat
            | Self::Unknown => false,
        }
    }

    /// Whether it can be true of a bot more than once: joining is tried again, recording stops and goes on, artifacts are
    /// made again, calendars change.
    #[must_use]
    pub fn recurs(&self) -> bool {
        match self {
            Self::Joining | Self::RecordingPaused | Self::RecordingResumed | Self::Artifact(..) | Self::Calendar(_) => {
                true
            }
            Self::Scheduled
            | Self::Waiting
            | Self::InCall
            | Self::Permission(_)
            | Self::Recording
            | Self::Leaving
            | Self::Ended(_)
            | Self::Done
            | Self::Concluded(_)
            | Self::Warning
            | Self::Deleted
            | Self::Uploading
            | Self::Processing
            | Self::Participant(_)
            | Self::LiveTranscript
            | Self::Chat
            | Self::Unknown => false,
        }
    }
}
