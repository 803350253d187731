//! Deliveries and settings, composed for tests.

use crate::{backoff::Backoff, jobs::JobSettings};
use shared::{AcceptId, Endpoint, Event, QueueMessage, ReceivedAt, Session, message::Head, provider, session::advance};
use std::time::Duration;

/// The waits that are configured by default.
pub(crate) const RETRY: Backoff = Backoff { base: Duration::from_secs(2), max: Duration::from_secs(900) };

/// The default settings of jobs, with recordings.
pub(crate) const JOBS: JobSettings =
    JobSettings { patience: Duration::from_secs(86_400), retry: RETRY, keeps_recordings: true };

/// The queue message of a delivery that was received at this time, in milliseconds since the Unix epoch.
pub(crate) fn message(endpoint: Endpoint, accept_id: &str, received_at: i64, body: impl AsRef<[u8]>) -> QueueMessage {
    let (accept_id, received_at) = (AcceptId::new(accept_id), ReceivedAt(received_at));
    QueueMessage::restored(Head { accept_id, endpoint, delivery_id: None, received_at }, body.as_ref().to_vec())
}

/// The event that such a delivery becomes.
pub(crate) fn event(endpoint: Endpoint, accept_id: &str, received_at: i64, body: impl AsRef<[u8]>) -> Event {
    provider::parse(&message(endpoint, accept_id, received_at, body)).unwrap()
}

/// A session before an event, and after it.
pub(crate) fn around(event: &Event) -> (Session, Session) {
    let before = Session::new(event.session.clone(), event.received_at);
    let after = advance(&before, event).session.unwrap();
    (before, after)
}
