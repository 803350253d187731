//! What the rest of the system is told.

use crate::{
    api::CalendarEntry,
    event::{Artifact, ArtifactStatus, CalendarChange, Event, EventKind, Permission},
    hash::FieldHash,
    ids::{SessionId, Subject},
    sender_id::SenderId,
    session::{Ending, Session, StoredCopy, Trigger},
    time::OccurredAt,
    trust::Trust,
};
use serde::Serialize;

/// One thing that happened, for consumers outside. They get it at least once, with the same id each time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PublishedEvent {
    /// A hash of the session, what happened, whether that is proved and, where it can happen more than once, which time it is: by
    /// the sender's time, or by the delivery where it gives none. Of an end also which [`Ending::revision`] it is. Else it does
    /// not depend on the delivery, so the same fact through two channels has one id. 64 hexadecimal characters.
    pub id: String,
    /// What happened, as in `docs/schemas`.
    #[serde(skip)]
    pub name: &'static str,
    /// Whose bot or calendar.
    pub provider: &'static str,
    /// The provider's id of the bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_id: Option<String>,
    /// The provider's id of the calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar_id: Option<String>,
    /// When the sender says it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<OccurredAt>,
    /// Whether the sender proved that it wrote it.
    pub confirmed: bool,
    /// What more there is to say.
    #[serde(flatten)]
    pub about: About,
}

/// What more there is to say of what happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum About {
    /// Nothing.
    Nothing {},
    /// An end.
    Ended {
        /// How it ended.
        outcome: &'static str,
        /// How well that is known: an end with a higher number corrects all ends with a lower one.
        revision: u32,
        /// Why, in the sender's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An artifact that is not to be had.
    Unavailable {
        /// Which.
        artifact: &'static str,
        /// Why, by a short name.
        reason: String,
    },
    /// A copy of an artifact in the bucket.
    Stored {
        /// Which.
        artifact: &'static str,
        /// Its key.
        key: String,
        /// The SHA-256 of its bytes, in hexadecimal.
        sha256: String,
        /// How many bytes it has.
        size_bytes: u64,
        /// What kind of content it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    },
    /// An entry of a calendar.
    Entry {
        /// The provider's id of it.
        entry_id: String,
        /// What it is now; absent if it is no more.
        #[serde(skip_serializing_if = "Option::is_none")]
        entry: Option<CalendarEntry>,
    },
    /// A change of a calendar.
    Calendar {
        /// What happened.
        change: &'static str,
        /// To which entries, by the provider's ids.
        entries: Vec<String>,
    },
}

impl PublishedEvent {
    /// The published events for a delivery: one for each of its facts that consumers are told. `end` is from
    /// [`PublishedEvent::of_end`].
    pub(super) fn of(event: &Event, mut end: Option<Self>) -> Vec<Self> {
        let announced = event.facts().into_iter().filter_map(|(kind, occurred_at)| {
            if matches!(kind, EventKind::Ended(_)) {
                return end.take();
            }
            let (name, about) = told(&kind)?;
            Some(Self {
                id: id(event, &kind, occurred_at.as_ref()),
                occurred_at,
                confirmed: event.trust == Trust::Verified,
                about,
                ..Self::about(&event.session, name)
            })
        });
        announced.collect()
    }

    /// The event that tells how the session ended, if `event` changed that. Consumers are told what the session says and not what each
    /// delivery says, so a witness worse than the best so far leads to no event.
    pub(super) fn of_end(before: &Session, after: &Session, event: &Event) -> Option<Self> {
        let ending = after.ending()?;
        let revision = ending.revision();
        if before.ending().map(Ending::revision) == Some(revision) {
            return None;
        }
        let is_end = |kind: &EventKind| matches!(kind, EventKind::Ended(_));
        let (kind, occurred_at) = event.facts().into_iter().find(|(kind, _)| is_end(kind))?;
        let hash = FieldHash::default().field(event.session.encoded()).field(kind.as_str());
        Some(Self {
            id: hash.field(revision.to_string()).hex(),
            occurred_at,
            confirmed: ending.trust == Trust::Verified,
            about: About::Ended { outcome: ending.outcome.as_str(), revision, reason: ending.reason.clone() },
            ..Self::about(&event.session, "meeting.ended")
        })
    }

    /// What became of an artifact with us, for this reason.
    #[must_use]
    pub fn of_copy(session: &SessionId, artifact: Artifact, copy: &StoredCopy, trigger: Trigger) -> Self {
        let (name, about) = match copy {
            StoredCopy::Stored(stored) => {
                let name = if artifact == Artifact::Transcript { "transcript.ready" } else { "recording.ready" };
                let about = About::Stored {
                    artifact: artifact.as_str(),
                    key: stored.key.clone(),
                    sha256: stored.sha256.clone(),
                    size_bytes: stored.size_bytes,
                    content_type: stored.content_type.clone(),
                };
                (name, about)
            }
            StoredCopy::Unavailable(reason) => {
                ("artifact.unavailable", About::Unavailable { artifact: artifact.as_str(), reason: reason.clone() })
            }
        };
        let hash = FieldHash::default().field(session.encoded()).field(name).field(artifact.as_str());
        Self { id: hash.field(trigger.as_run()).hex(), confirmed: true, about, ..Self::about(session, name) }
    }

    /// That nothing of a bot is left.
    #[must_use]
    pub fn of_erasure(session: &SessionId) -> Self {
        let name = "data.deleted";
        let id = FieldHash::default().field(session.encoded()).field(name).hex();
        Self { id, confirmed: true, ..Self::about(session, name) }
    }

    /// An entry of a calendar as it is now.
    #[must_use]
    pub fn of_entry(session: &SessionId, entry: &CalendarEntry) -> Self {
        let said = serde_json::to_string(entry).unwrap_or_default();
        let about = About::Entry { entry_id: entry.id.as_sent().to_owned(), entry: Some(entry.clone()) };
        Self::of_an_entry(session, &entry.id, &said, about)
    }

    /// An entry of a calendar that is no more.
    #[must_use]
    pub fn of_gone_entry(session: &SessionId, id: &SenderId) -> Self {
        Self::of_an_entry(session, id, "gone", About::Entry { entry_id: id.as_sent().to_owned(), entry: None })
    }

    /// Leaves out what people said or entered.
    pub(super) fn forget_words(&mut self) {
        if let About::Ended { reason, .. } = &mut self.about {
            *reason = None;
        }
    }

    fn of_an_entry(session: &SessionId, id: &SenderId, said: &str, about: About) -> Self {
        let name = "calendar.event_changed";
        let hash = FieldHash::default().field(session.encoded()).field(name).field(id.as_sent()).field(said);
        Self { id: hash.hex(), confirmed: true, about, ..Self::about(session, name) }
    }

    fn about(session: &SessionId, name: &'static str) -> Self {
        let id = session.id.as_sent().to_owned();
        let (bot_id, calendar_id) = match session.subject {
            Subject::Bot => (Some(id), None),
            Subject::Calendar => (None, Some(id)),
        };
        Self {
            id: String::new(),
            name,
            provider: session.provider.as_str(),
            bot_id,
            calendar_id,
            occurred_at: None,
            confirmed: false,
            about: About::Nothing {},
        }
    }
}

/// The published name of a fact, and its details. `None` for facts that are published elsewhere (an end by
/// [`PublishedEvent::of_end`], an artifact once we have it, a deletion once it is done) or never.
fn told(kind: &EventKind) -> Option<(&'static str, About)> {
    let nothing = |name| Some((name, About::Nothing {}));
    match kind {
        EventKind::Scheduled => nothing("meeting.scheduled"),
        EventKind::Joining => nothing("meeting.joining"),
        EventKind::Waiting => nothing("meeting.waiting"),
        EventKind::InCall => nothing("meeting.joined"),
        EventKind::Permission(Permission::Allowed) => nothing("recording.allowed"),
        EventKind::Permission(Permission::Denied) => nothing("recording.denied"),
        EventKind::Recording => nothing("recording.started"),
        EventKind::RecordingPaused => nothing("recording.paused"),
        EventKind::RecordingResumed => nothing("recording.resumed"),
        EventKind::Leaving => nothing("meeting.leaving"),
        EventKind::Done => nothing("meeting.done"),
        EventKind::Artifact(Artifact::Manifest, _) | EventKind::Artifact(_, ArtifactStatus::Announced) => None,
        EventKind::Artifact(artifact, status) => {
            let about = About::Unavailable { artifact: artifact.as_str(), reason: status.as_str().to_owned() };
            Some(("artifact.unavailable", about))
        }
        EventKind::Calendar(CalendarChange { what, affected }) => {
            let about = About::Calendar { change: what.as_str(), entries: affected.iter().cloned().collect() };
            Some(("calendar.changed", about))
        }
        EventKind::Ended(_)
        | EventKind::Concluded(_)
        | EventKind::Deleted
        | EventKind::Warning
        | EventKind::Uploading
        | EventKind::Processing
        | EventKind::Participant(_)
        | EventKind::LiveTranscript
        | EventKind::Chat
        | EventKind::Unknown => None,
    }
}

fn id(event: &Event, kind: &EventKind, occurred_at: Option<&OccurredAt>) -> String {
    // A conclusion is about the one run that the meeting itself made; copies of it are sent at different times.
    let run = (event.kind.recurs() && kind.recurs())
        .then(|| occurred_at.map_or_else(|| event.key.to_string(), |at| at.moment().to_string()));
    let hash = FieldHash::default().field(event.session.encoded()).field(kind.as_str()).optional(run);
    // A consumer that drops repeated ids must still hear that an unverified fact is now proved.
    let hash = if event.trust == Trust::Unverified { hash.field("unverified") } else { hash };
    // Two changes of a calendar may have the same second, and touch different entries.
    let affected = if let EventKind::Calendar(change) = kind { Some(&change.affected) } else { None };
    affected.into_iter().flatten().fold(hash, FieldHash::field).hex()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::EntryStatus,
        endpoint::Provider,
        event::{CalendarEvent, Certainty, Ended, Fact, Outcome},
        session::{Stored, Trigger, advance},
        time::ReceivedAt,
    };
    use serde_json::Value;
    use std::{collections::BTreeSet, fs, path::Path};

    fn bot() -> SessionId {
        SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap())
    }

    fn event(session: &SessionId, kind: EventKind) -> Event {
        let occurred_at = Some(OccurredAt::parse("2026-10-05T10:00:00Z").unwrap());
        let fact = Fact { kind, occurred_at, reason: Some("why".to_owned()) };
        Event::asked(session, fact, ReceivedAt(1_791_212_102_000))
    }

    /// What outsiders are told when this is the first that is heard of a session.
    fn announced(event: &Event) -> Vec<PublishedEvent> {
        advance(&Session::new(event.session.clone(), event.received_at), event).published
    }

    /// One of every kind of event that outsiders are told.
    fn all() -> Vec<PublishedEvent> {
        let calendar = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c").unwrap());
        let kinds = [
            EventKind::Scheduled,
            EventKind::Joining,
            EventKind::Waiting,
            EventKind::InCall,
            EventKind::Permission(Permission::Allowed),
            EventKind::Permission(Permission::Denied),
            EventKind::Recording,
            EventKind::RecordingPaused,
            EventKind::RecordingResumed,
            EventKind::Leaving,
            EventKind::Ended(Ended { outcome: Outcome::Kicked, certainty: Certainty::Final }),
            EventKind::Done,
            EventKind::Artifact(Artifact::Audio, ArtifactStatus::Failed),
        ];
        let change = CalendarChange { what: CalendarEvent::EventUpdated, affected: ["e".to_owned()].into() };
        let told = kinds.into_iter().flat_map(|kind| announced(&event(&bot(), kind)));
        let changed = announced(&event(&calendar, EventKind::Calendar(change)));
        let trigger = Trigger::new(Trust::Verified, None, ReceivedAt(1));
        let stored = StoredCopy::Stored(Stored {
            key: "meetstream/b/audio/recording.wav".to_owned(),
            sha256: "0".repeat(64),
            size_bytes: 1,
            content_type: Some("audio/wav".to_owned()),
            stored_at: 1,
            is_unpublished: false,
        });
        let entry = CalendarEntry {
            id: SenderId::try_from("e").unwrap(),
            title: Some("Standup".to_owned()),
            starts_at: None,
            ends_at: None,
            status: EntryStatus::Cancelled,
            meeting_url: None,
            series_id: None,
            bot_scheduled: Some(true),
            updated_at: None,
        };
        told.chain(changed)
            .chain([
                PublishedEvent::of_copy(&bot(), Artifact::Transcript, &stored, trigger),
                PublishedEvent::of_copy(&bot(), Artifact::Audio, &stored, trigger),
                PublishedEvent::of_copy(
                    &bot(),
                    Artifact::Audio,
                    &StoredCopy::Unavailable("no_key".to_owned()),
                    trigger,
                ),
                PublishedEvent::of_erasure(&bot()),
                PublishedEvent::of_entry(&calendar, &entry),
                PublishedEvent::of_gone_entry(&calendar, &entry.id),
            ])
            .collect()
    }

    #[test]
    fn every_event_has_its_schema() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        let mut told = BTreeSet::new();
        for event in all() {
            let name = event.name;
            let schema = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap_or_else(|_| panic!("{name}"));
            let schema: Value = serde_json::from_str(&schema).unwrap();
            assert_eq!(schema["title"], name);
            let validator = jsonschema::validator_for(&schema).unwrap();
            let detail = serde_json::to_value(&event).unwrap();
            let errors: Vec<_> = validator.iter_errors(&detail).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{name}: {detail}: {errors:?}");
            told.insert(format!("{name}.json"));
        }
        let described: BTreeSet<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(told, described, "and every schema its event");
        let page = fs::read_to_string(folder.join("../CONSUMING.md")).unwrap();
        for event in all() {
            assert!(page.contains(&format!("`{}`", event.name)), "{} is not in CONSUMING.md", event.name);
        }
    }

    #[test]
    fn unverified_facts_are_published_as_not_confirmed() {
        for kind in [EventKind::Done, EventKind::Ended(Ended { outcome: Outcome::Kicked, certainty: Certainty::Final })]
        {
            let proved = event(&bot(), kind);
            let unverified = Event { trust: Trust::Unverified, ..proved.clone() };
            let told = |event| announced(event).into_iter().map(|told| (told.confirmed, told.id)).collect::<Vec<_>>();
            let (proved, unverified) = (told(&proved), told(&unverified));
            assert_eq!((proved.len(), unverified.len(), proved[0].0, unverified[0].0), (1, 1, true, false));
            assert_ne!(proved[0].1, unverified[0].1, "a consumer that drops repeated ids hears of the proof");
        }
    }

    #[test]
    fn of_a_calendar_each_change_and_each_state_of_an_entry_has_its_id() {
        let calendar = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c").unwrap());
        let changed = |what, affected: &str| {
            let change = CalendarChange { what, affected: [affected.to_owned()].into() };
            event(&calendar, EventKind::Calendar(change))
        };
        let proved = changed(CalendarEvent::EventUpdated, "e");
        let unverified = Event { trust: Trust::Unverified, ..proved.clone() };
        let later = OccurredAt::parse("2026-10-05T10:00:01Z").unwrap();
        let later = Event { occurred_at: Some(later), ..proved.clone() };
        let others =
            [changed(CalendarEvent::EventUpdated, "f"), changed(CalendarEvent::EventCancelled, "e"), later, unverified];
        let told: Vec<_> = [&proved].into_iter().chain(&others).flat_map(announced).collect();
        let times: Vec<_> = told.iter().filter_map(|told| told.occurred_at.as_ref()).map(OccurredAt::as_sent).collect();
        let at = "2026-10-05T10:00:00Z";
        assert_eq!(times, [at, at, at, "2026-10-05T10:00:01Z", at], "the sender's time");
        let confirmed: Vec<_> = told.iter().map(|told| told.confirmed).collect();
        assert_eq!(confirmed, [true, true, true, true, false]);

        let entry = |title: &str| CalendarEntry {
            id: SenderId::try_from("e").unwrap(),
            title: Some(title.to_owned()),
            starts_at: None,
            ends_at: None,
            status: EntryStatus::Cancelled,
            meeting_url: None,
            series_id: None,
            bot_scheduled: None,
            updated_at: None,
        };
        let entries = [
            PublishedEvent::of_entry(&calendar, &entry("Standup")),
            PublishedEvent::of_entry(&calendar, &entry("Retro")),
            PublishedEvent::of_gone_entry(&calendar, &entry("Standup").id),
        ];
        assert_eq!(entries[0], PublishedEvent::of_entry(&calendar, &entry("Standup")));
        for told in &entries {
            assert_eq!((told.confirmed, &told.occurred_at), (true, &None), "the provider was asked; it gives no time");
            assert_eq!((told.calendar_id.as_deref(), &told.bot_id), (Some("c"), &None));
        }
        let ids: BTreeSet<_> = told.iter().chain(&entries).map(|told| &told.id).collect();
        assert_eq!(ids.len(), told.len() + entries.len());
    }

    #[test]
    fn the_same_fact_has_the_same_id_and_another_has_another() {
        let told = all();
        let ids: BTreeSet<_> = told.iter().map(|told| told.id.clone()).collect();
        assert_eq!(ids.len(), told.len());
        assert_eq!(told, all());
        let copy = |seconds: i64| {
            let trigger = Trigger::new(Trust::Verified, None, ReceivedAt(seconds * 1000));
            PublishedEvent::of_copy(&bot(), Artifact::Audio, &StoredCopy::Unavailable("gone".to_owned()), trigger).id
        };
        assert_ne!(copy(1), copy(2), "an artifact that was made anew is told anew");
    }
}
