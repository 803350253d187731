//! Telling the rest of the system.

mod event_bridge;

pub use event_bridge::EventBridge;

use shared::session::Announcement;
use std::future::Future;

/// Where announcements go.
pub trait Publisher {
    /// Hands the announcements over. Called before the session is saved, so consumers get each at least once; `Ok` means
    /// that they will.
    fn publish(&self, announcements: &[Announcement]) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// The announcements were not taken; the delivery is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the announcements were not taken")]
pub struct PublishError;
