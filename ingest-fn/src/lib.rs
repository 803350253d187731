//! HTTP in, verified, durable: the function behind the webhook URL.
//!
//! `path → Endpoint → AuthMode::verify → VerifiedBody → peek (group) → QueueMessage → HandOver::make_durable → 200`
//!
//! # Invariants
//! - 2xx means that the queue, or the bucket where the queue refused, has confirmed the message.
//! - Nothing here knows what an event means: authenticated bytes are queued whatever they say.
//! - No state, no database: what is a duplicate is decided where it is processed.
//! - Only [`response`] names status codes.

mod config;
mod endpoints;
mod hand_over;
mod handler;
mod log;
mod queue;
pub mod response;
mod spool;

pub use config::Config;
pub use endpoints::Endpoints;
pub use hand_over::{Durable, HandOver, NotDurable, TakenBy};
pub use handler::{Ingest, handle, handle_at};
pub use queue::{EventQueue, QueueError, Queued, SqsQueue};
pub use spool::{Object, S3Spool, Spool, SpoolError};
