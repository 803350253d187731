//! Telling the rest of the system.

mod event_bridge;

pub use event_bridge::EventBridge;

use shared::session::PublishedEvent;
use std::future::Future;

/// Where published events go.
pub trait Publisher {
    /// Hands the events over. Called before the session is saved, so consumers get each at least once; `Ok` means
    /// that they will.
    fn publish(&self, events: &[PublishedEvent]) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// The events were not taken; the delivery is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the events were not taken")]
pub struct PublishError;
