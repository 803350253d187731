//! Asks the provider to confirm an unverified end or deletion.

use super::{Archive, JobError, JobResult, JobRunner, asked_at};
use crate::{
    ports::bucket::Vault,
    ports::providers::{ApiError, ProviderApi, Refusal},
    ports::publisher::Publisher,
    ports::sessions::SessionStore,
};
use shared::{
    Event, Session,
    event::{EventKind, Fact},
    session::State,
};

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// What the provider's API says of the bot, as events that prove what they say. A claim that it does not bear out is asked
    /// about again for a while, because the provider may not be through; then it stays a claim.
    pub(super) async fn confirm(&self, session: &Session, now: i64) -> Result<JobResult, JobError> {
        let facts = match self.api.detail(session.id()).await {
            Ok(detail) => detail.facts,
            Err(ApiError::Never(Refusal::Gone)) if session.claims_erasure() => {
                vec![Fact { kind: EventKind::Deleted, occurred_at: None, reason: None }]
            }
            Err(error) => {
                // A wrong URL or another account's key knows nothing of any bot either, and what is erased never comes back.
                if error == ApiError::Never(Refusal::NotFound) && session.claims_erasure() {
                    let bot = session.id().encoded();
                    tracing::error!(
                        bot,
                        unproved = "deletion",
                        "an unverified deletion is not confirmed: the provider's API answers 404, which proves no deletion; see the runbook"
                    );
                }
                return Err(JobError::Provider(error));
            }
        };
        if !bears_out(session, &facts) {
            return Err(JobError::Pending);
        }
        let acting = facts.into_iter().filter(|fact| fact.kind.acts());
        Ok(JobResult::Told(acting.map(|fact| Event::asked(session.id(), fact, asked_at(now))).collect()))
    }
}

/// Whether the facts prove everything that the session believes on a claim alone.
fn bears_out(session: &Session, facts: &[Fact]) -> bool {
    let is_erased = facts.iter().any(|fact| fact.kind == EventKind::Deleted);
    let is_over = facts.iter().any(|fact| matches!(fact.kind, EventKind::Ended(_) | EventKind::Done));
    is_erased || (!session.claims_erasure() && (is_over || session.state() < State::Ended))
}
