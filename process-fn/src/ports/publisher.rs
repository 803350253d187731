//! Publishing events to the rest of the system.

mod event_bridge;

pub use event_bridge::EventBridge;

use shared::session::PublishedEvent;
use std::future::Future;

pub trait Publisher {
    /// Publishes events. This is called before the session is saved, so consumers get each event at least once. `Ok` means that the bus
    /// has them.
    fn publish(&self, events: &[PublishedEvent]) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// The bus did not take the events. The caller tries again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the event bus did not take the events")]
pub struct PublishError;
