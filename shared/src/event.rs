//! The canonical event: one vocabulary for every provider and every generation of its payloads.

use crate::{
    api::Fact,
    hash::FieldHash,
    message::AcceptId,
    provider::Provider,
    sender_id::SenderId,
    source::Source,
    time::{OccurredAt, ReceivedAt},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// One bot in one meeting, or one calendar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SessionId {
    /// Whose it is.
    pub provider: Provider,
    /// What it is.
    #[serde(default, skip_serializing_if = "Subject::is_bot")]
    pub subject: Subject,
    /// The provider's id of it.
    #[serde(alias = "bot_id")]
    pub id: SenderId,
}

/// What a session is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Subject {
    #[default]
    Bot,
    Calendar,
}

impl Subject {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_bot(&self) -> bool {
        *self == Self::Bot
    }
}

impl SessionId {
    /// A bot of a provider.
    #[must_use]
    pub fn bot(provider: Provider, id: SenderId) -> Self {
        Self { provider, subject: Subject::Bot, id }
    }

    /// A calendar that is connected to a provider.
    #[must_use]
    pub fn calendar(provider: Provider, id: SenderId) -> Self {
        Self { provider, subject: Subject::Calendar, id }
    }

    /// The id for keys and logs: `<provider>#<encoded bot id>`, or `<provider>#calendar#<encoded calendar id>`. No id of a bot
    /// looks like that of a calendar, because encoding leaves no `#`.
    #[must_use]
    pub fn encoded(&self) -> String {
        match self.subject {
            Subject::Bot => format!("{}#{}", self.provider, self.id.encoded()),
            Subject::Calendar => format!("{}#calendar#{}", self.provider, self.id.encoded()),
        }
    }

    /// The session that [`SessionId::encoded`] gave this text for; `None` for a text that it never gives, or gives for a hash of
    /// an id, which says nothing of the id itself.
    #[must_use]
    pub fn decoded(text: &str) -> Option<Self> {
        let (provider, rest) = text.split_once('#')?;
        let provider = Provider::ALL.into_iter().find(|known| known.as_str() == provider)?;
        match rest.strip_prefix("calendar#") {
            Some(id) => Some(Self::calendar(provider, SenderId::decoded(id)?)),
            None => Some(Self::bot(provider, SenderId::decoded(rest)?)),
        }
    }

    /// The group of its deliveries in the bucket: a hash, 64 hexadecimal characters. [`group::in_queue`](crate::group::in_queue)
    /// makes message groups of it.
    #[must_use]
    pub fn group(&self) -> String {
        let hash = FieldHash::default().field(self.provider.as_str());
        match self.subject {
            Subject::Bot => hash.field(self.id.as_sent()).hex(),
            Subject::Calendar => hash.field("calendar").field(self.id.as_sent()).hex(),
        }
    }
}

/// Whether the sender proved that it wrote an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The delivery is unsigned: it came to a URL that only the sender should know, and nothing covers its bytes.
    Unverified,
    /// A signature or secret was checked.
    Verified,
}

impl Trust {
    /// The name in logs and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Verified => "verified",
        }
    }
}

/// What makes two deliveries the same delivery: the first 128 bits of a SHA-256 over what identifies an event.
///
/// Half the digest, because every write of a session pays for all its keys. 128 bits leave no accidental twin among the
/// deliveries of one bot, which are all that it is compared with. To be taken for a given genuine delivery, a forged one needs a
/// second preimage of its 128 bits, which is out of reach; and a delivery that proves nothing displaces none that does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryKey([u8; 16]);

/// A text that is no delivery key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a delivery key has 32 hexadecimal characters")]
pub struct NoDeliveryKey;

impl DeliveryKey {
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        let (key, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(*key)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// As 32 lower-case hexadecimal characters.
impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for DeliveryKey {
    type Error = NoDeliveryKey;

    fn try_from(text: String) -> Result<Self, NoDeliveryKey> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key).map_err(|_| NoDeliveryKey)?;
        Ok(Self(key))
    }
}

impl From<DeliveryKey> for String {
    fn from(key: DeliveryKey) -> Self {
        key.to_string()
    }
}

/// One delivery, understood.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The bot or calendar it is about.
    pub session: SessionId,
    /// What happened, in our words.
    pub kind: EventKind,
    /// What happened, in the sender's words.
    pub name: String,
    /// Why, in the sender's words, where the event ends something or failed.
    pub reason: Option<String>,
    /// When the sender says it happened.
    pub occurred_at: Option<OccurredAt>,
    /// When we took the delivery.
    pub received_at: ReceivedAt,
    /// Where it comes from.
    pub source: Source,
    /// Whether the sender proved that it wrote it.
    pub trust: Trust,
    /// What makes it the same delivery as another.
    pub key: DeliveryKey,
    /// Which accepted request it is: a redelivery of our own queue has the same one, the sender's repetition has another.
    pub accept_id: AcceptId,
    /// What the user attached to the bot, as JSON text.
    pub custom_attributes: Option<String>,
    /// Whether the user attached more to the bot than we keep: too long, or nested too deep.
    pub has_dropped_attributes: bool,
}

impl Event {
    /// What a provider's API answered when it was asked about a bot. Asked again, it is the same delivery again.
    #[must_use]
    pub fn asked(session: &SessionId, fact: Fact, received_at: ReceivedAt) -> Self {
        let Fact { kind, occurred_at, reason } = fact;
        let source = Source::Asked(session.provider);
        let hash = FieldHash::default().field(source.as_str()).field(session.encoded()).field(kind.as_str());
        let key = DeliveryKey::from_digest(hash.optional(occurred_at.as_ref().map(OccurredAt::as_sent)).digest());
        Self {
            session: session.clone(),
            name: kind.as_str().to_owned(),
            kind,
            reason,
            occurred_at,
            received_at,
            source,
            trust: source.trust(),
            accept_id: AcceptId::new(format!("asked-{key}")),
            key,
            custom_attributes: None,
            has_dropped_attributes: false,
        }
    }

    /// That an operator wants a bot's data deleted. Asked again, it is the same delivery again.
    #[must_use]
    pub fn deletion_asked(session: &SessionId, received_at: ReceivedAt) -> Self {
        let (source, kind) = (Source::Operator, EventKind::Deleted);
        let hash = FieldHash::default().field(source.as_str()).field(session.encoded()).field(kind.as_str());
        let key = DeliveryKey::from_digest(hash.digest());
        Self {
            session: session.clone(),
            name: "delete".to_owned(),
            kind,
            reason: None,
            occurred_at: None,
            received_at,
            source,
            trust: source.trust(),
            accept_id: AcceptId::new(format!("operator-{key}")),
            key,
            custom_attributes: None,
            has_dropped_attributes: false,
        }
    }

    /// The single facts that the event states, each with its time: a conclusion's parts, or the event's one kind.
    #[must_use]
    pub fn facts(&self) -> Vec<(EventKind, Option<OccurredAt>)> {
        let at = &self.occurred_at;
        let EventKind::Concluded(conclusion) = &self.kind else { return vec![(self.kind.clone(), at.clone())] };
        let joined = conclusion.joined_at.clone().map(|joined| (EventKind::InCall, Some(joined)));
        let ended = (EventKind::Ended(conclusion.ended), conclusion.exited_at.clone().or_else(|| at.clone()));
        let artifacts = conclusion.artifacts.iter().map(|(artifact, status)| {
            let kind = EventKind::Artifact(*artifact, *status);
            (kind, at.clone())
        });
        let deleted = conclusion.data_deleted.then(|| (EventKind::Deleted, at.clone()));
        let done = (EventKind::Done, at.clone());
        joined.into_iter().chain([ended]).chain(artifacts).chain([done]).chain(deleted).collect()
    }
}

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

/// What became of an artifact at the provider. The order is the precedence when events disagree: what is ready can be
/// fetched, whatever failed beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactStatus {
    /// There will be none.
    Skipped,
    /// Making it failed.
    Failed,
    /// It can be fetched.
    Ready,
}

impl ArtifactStatus {
    /// The name in logs and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Ready => "ready",
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
                (Artifact::Manifest, ArtifactStatus::Ready) => "manifest.ready",
                (Artifact::Manifest, ArtifactStatus::Failed) => "manifest.failed",
                (Artifact::Manifest, ArtifactStatus::Skipped) => "manifest.skipped",
                (Artifact::Audio, ArtifactStatus::Ready) => "audio.ready",
                (Artifact::Audio, ArtifactStatus::Failed) => "audio.failed",
                (Artifact::Audio, ArtifactStatus::Skipped) => "audio.skipped",
                (Artifact::Video, ArtifactStatus::Ready) => "video.ready",
                (Artifact::Video, ArtifactStatus::Failed) => "video.failed",
                (Artifact::Video, ArtifactStatus::Skipped) => "video.skipped",
                (Artifact::Transcript, ArtifactStatus::Ready) => "transcript.ready",
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
