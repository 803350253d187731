//! Asking the provider to confirm an unverified end, or an unverified deletion.

use super::{JobError, JobResult, Jobs, asked_at};
use crate::ports::{
    Services,
    providers::{ApiError, ProviderApi, Refusal},
};
use shared::{
    Event, Session,
    event::{EventKind, Fact},
    session::State,
};

impl<S: Services> Jobs<S> {
    /// Asks the provider about an unverified end, and returns what its API says of the bot as verified events. While the API does not
    /// say that the bot has ended, it is asked again for some time, because the provider may not have finished; then the session
    /// stays unverified.
    pub(super) async fn confirm(&self, session: &Session, now: i64) -> Result<JobResult, JobError> {
        let facts = self.services.providers().detail(session.id()).await?.facts;
        let is_over =
            facts.iter().any(|fact| matches!(fact.kind, EventKind::Ended(_) | EventKind::Done | EventKind::Deleted));
        if is_over || session.state() < State::Ended { Ok(asked(session, facts, now)) } else { Err(JobError::Pending) }
    }

    /// The same for an unverified deletion, which only the provider's word about the deletion proves.
    pub(super) async fn confirm_deletion(&self, session: &Session, now: i64) -> Result<JobResult, JobError> {
        let facts = match self.services.providers().detail(session.id()).await {
            Ok(detail) => detail.facts,
            Err(ApiError::Never(Refusal::Gone)) => {
                vec![Fact { kind: EventKind::Deleted, occurred_at: None, reason: None }]
            }
            Err(error) => {
                // A wrong base URL or another account's key gets 404 for every bot, and what is erased never comes back.
                if error == ApiError::Never(Refusal::NotFound) {
                    let bot = session.id().encoded();
                    tracing::error!(
                        bot,
                        unproved = "deletion",
                        "an unverified deletion is not confirmed: the provider's API answers 404, which proves no deletion; see the runbook"
                    );
                }
                return Err(error.into());
            }
        };
        let is_deleted = facts.iter().any(|fact| fact.kind == EventKind::Deleted);
        if is_deleted { Ok(asked(session, facts, now)) } else { Err(JobError::Pending) }
    }
}

/// The facts as verified events, without those that change nothing in a session.
fn asked(session: &Session, facts: Vec<Fact>, now: i64) -> JobResult {
    let acting = facts.into_iter().filter(|fact| fact.kind.acts());
    JobResult::Confirmed(acting.map(|fact| Event::asked(session.id(), fact, asked_at(now))).collect())
}
