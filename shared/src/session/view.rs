//! What a session says of its bot.

use super::{ArtifactFact, CalendarFacts, Deletion, Ending, MissingDelivery, Session, State, StoredCopy, TimelineLine};
use crate::{
    event::{Artifact, Outcome},
    ids::SessionId,
    time::{OccurredAt, ReceivedAt},
    trust::Trust,
};
use std::collections::BTreeMap;

impl Session {
    /// Which bot it is.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// How far it has come. An unverified deletion does not count: whoever learns a path token must not hide a session.
    #[must_use]
    pub fn state(&self) -> State {
        match &self.deleted {
            Some(Deletion { trust: Trust::Verified }) => State::Deleted,
            _ => self.progress,
        }
    }

    /// Whether verified deliveries alone would say the same of its state and its outcome.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.proven >= self.progress && self.ending.as_ref().is_none_or(|ending| ending.trust == Trust::Verified)
    }

    /// How it ended; `None` while it has not.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.ending {
            Some(ending) => Some(ending.outcome),
            None => (self.progress >= State::Ended).then_some(Outcome::Unknown),
        }
    }

    /// The end in detail, if one was reported.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// When the bot came into the meeting, by the sender's clock.
    #[must_use]
    pub fn joined_at(&self) -> Option<&OccurredAt> {
        self.joined_at.as_ref().map(|dated| &dated.at)
    }

    /// When the session ended, by the sender's clock.
    #[must_use]
    pub fn ended_at(&self) -> Option<&OccurredAt> {
        self.ended_at.as_ref().map(|dated| &dated.at)
    }

    /// What became of each artifact that was heard of.
    #[must_use]
    pub fn artifacts(&self) -> &BTreeMap<Artifact, ArtifactFact> {
        &self.artifacts
    }

    /// What the user attached to the bot, as JSON text.
    #[must_use]
    pub fn custom_attributes(&self) -> Option<&str> {
        self.custom_attributes.as_ref().map(|(_, text)| text.as_str())
    }

    /// What is known of it as a calendar; `None` for a bot.
    #[must_use]
    pub fn calendar(&self) -> Option<&CalendarFacts> {
        self.calendar.as_ref()
    }

    /// When the first of its deliveries was taken.
    #[must_use]
    pub fn first_received_at(&self) -> ReceivedAt {
        self.first_received_at
    }

    /// The deliveries it was made from, by time of receipt.
    #[must_use]
    pub fn timeline(&self) -> &[TimelineLine] {
        &self.timeline
    }

    /// The deliveries that are missing from it, because they were parked.
    #[must_use]
    pub fn missing(&self) -> &[MissingDelivery] {
        &self.missing
    }

    /// What became of its artifacts with us.
    #[must_use]
    pub fn copies(&self) -> &BTreeMap<Artifact, StoredCopy> {
        &self.copies
    }
}
