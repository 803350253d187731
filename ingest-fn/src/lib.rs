//! HTTP in, verified, durable: the function behind the webhook URL.
//!
//! `path → Endpoint → AuthMode::verify → VerifiedBody → peek (group) → QueueMessage → EventQueue::enqueue → 200`
//!
//! # Invariants
//! - 2xx means that the queue has confirmed the message.
//! - Nothing here knows what an event means: authenticated bytes are queued whatever they say.
//! - No state, no database: what is a duplicate is decided where it is processed.
//! - Only [`response`] names status codes.

mod config;
mod endpoints;
mod handler;
mod log;
mod queue;
pub mod response;

pub use config::Config;
pub use endpoints::Endpoints;
pub use handler::{Ingest, handle};
pub use queue::{EventQueue, QueueError, Queued, SqsQueue};
