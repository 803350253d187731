//! The canonical event: one vocabulary for every provider and every generation of its payloads.

mod kind;

pub use kind::{
    Artifact, ArtifactStatus, CalendarChange, CalendarEvent, Certainty, Conclusion, Ended, EventKind, MAX_AFFECTED,
    Outcome, Permission, Presence,
};

use crate::{
    hash::FieldHash,
    ids::{AcceptId, DeliveryKey, SessionId},
    source::Source,
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};

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
    /// Whether the sender proved that it wrote the delivery.
    pub trust: Trust,
    /// Two deliveries with this key are the same delivery, sent twice.
    pub key: DeliveryKey,
    /// Which accepted request it is: a redelivery of our own queue has the same one, the sender's repetition has another.
    pub accept_id: AcceptId,
    /// What the user attached to the bot, as JSON text.
    pub custom_attributes: Option<String>,
    /// Whether the user attached more to the bot than we keep: too long, or nested too deep.
    pub has_dropped_attributes: bool,
}

/// One thing that a provider's API says has happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// What happened.
    pub kind: EventKind,
    /// When, by the provider's clock.
    pub occurred_at: Option<OccurredAt>,
    /// Why, in the provider's words, where something ended or failed.
    pub reason: Option<String>,
}

impl Event {
    /// The event for a fact that a provider's API gave when it was asked about a bot. The same fact makes the same delivery again.
    #[must_use]
    pub fn asked(session: &SessionId, fact: Fact, received_at: ReceivedAt) -> Self {
        let source = Source::Asked(session.provider);
        let hash = Self::hash(session, source, &fact.kind).optional(fact.occurred_at.as_ref().map(OccurredAt::as_sent));
        let name = fact.kind.as_str();
        Self::without_delivery(session, source, (fact, name), DeliveryKey::from_digest(hash.digest()), received_at)
    }

    /// The same with what the user attached to the bot, as JSON text. A bot of which nothing was heard is known by it.
    #[must_use]
    pub fn with_attributes(self, attributes: Option<&str>) -> Self {
        Self { custom_attributes: attributes.map(str::to_owned), ..self }
    }

    /// The event for an operator's request to delete a bot's data. The same request makes the same delivery again.
    #[must_use]
    pub fn deletion_asked(session: &SessionId, received_at: ReceivedAt) -> Self {
        let (source, fact) = (Source::Operator, Fact { kind: EventKind::Deleted, occurred_at: None, reason: None });
        let key = DeliveryKey::from_digest(Self::hash(session, source, &fact.kind).digest());
        Self::without_delivery(session, source, (fact, "delete"), key, received_at)
    }

    fn hash(session: &SessionId, source: Source, kind: &EventKind) -> FieldHash {
        FieldHash::default().field(source.as_str()).field(session.encoded()).field(kind.as_str())
    }

    fn without_delivery(
        session: &SessionId,
        source: Source,
        (Fact { kind, occurred_at, reason }, name): (Fact, &str),
        key: DeliveryKey,
        received_at: ReceivedAt,
    ) -> Self {
        let way = if source == Source::Operator { "operator" } else { "asked" };
        Self {
            session: session.clone(),
            kind,
            name: name.to_owned(),
            reason,
            occurred_at,
            received_at,
            source,
            trust: source.trust(),
            accept_id: AcceptId::new(format!("{way}-{key}")),
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
