//! HTTP in, verified, durable: the function behind the webhook URL.
//!
//! `path → Endpoint → AuthMode::verify → VerifiedBody → peek (group) → QueueMessage → Stores::persist → 200`
//!
//! # Invariants
//! - 2xx means that the queue, or the bucket where the queue refused, has confirmed the message.
//! - Nothing here knows what an event means: authentic bytes are queued whatever they say.
//! - No state and no database: `process-fn` recognises duplicates.
//! - Only [`response`] names status codes.

mod config;
mod endpoints;
mod handler;
mod log;
mod persist;
mod queue;
pub mod response;
mod spool;

pub use config::Config;
pub use endpoints::Endpoints;
pub use handler::{Ingest, handle, handle_at};
pub use persist::{Durable, NotDurable, StoredIn, Stores};
pub use queue::{EventsQueue, QueueError, Queued, SqsQueue};
pub use spool::{Object, S3Spool, Spool, SpoolError};
