//! Asking the provider to confirm an unverified end or deletion.

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
    /// Returns what the provider's API says of the bot, as verified events. While the API does not confirm an unverified end or
    /// deletion, it is asked again for some time, because the provider may not have finished; then the session stays unverified.
    pub(super) async fn confirm(&self, session: &Session, now: i64) -> Result<JobResult, JobError> {
        let facts = match self.services.providers().detail(session.id()).await {
            Ok(detail) => detail.facts,
            Err(ApiError::Never(Refusal::Gone)) if session.claims_erasure() => {
                vec![Fact { kind: EventKind::Deleted, occurred_at: None, reason: None }]
            }
            Err(error) => {
                // A wrong base URL or another account's key gets 404 for every bot, and what is erased never comes back.
                if error == ApiError::Never(Refusal::NotFound) && session.claims_erasure() {
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
        if !confirms(&facts, session) {
            return Err(JobError::Pending);
        }
        let acting = facts.into_iter().filter(|fact| fact.kind.acts());
        Ok(JobResult::Confirmed(acting.map(|fact| Event::asked(session.id(), fact, asked_at(now))).collect()))
    }
}

/// Whether the facts prove everything that the session took from unverified deliveries alone.
fn confirms(facts: &[Fact], session: &Session) -> bool {
    let is_erased = facts.iter().any(|fact| fact.kind == EventKind::Deleted);
    let is_over = facts.iter().any(|fact| matches!(fact.kind, EventKind::Ended(_) | EventKind::Done));
    is_erased || (!session.claims_erasure() && (is_over || session.state() < State::Ended))
}
