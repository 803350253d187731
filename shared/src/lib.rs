//! What both functions know, and nothing else: the pure core of Rollcall.
//!
//! A delivery travels through these modules in this order:
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`endpoint`] | a request path | the [`Endpoint`] that names the sender |
//! | [`auth`] | headers, token and raw bytes | a [`VerifiedBody`](auth::VerifiedBody), or a reason |
//! | [`provider`] | a verified body | a [`Peek`](provider::Peek): just enough to queue it |
//! | [`message`] | a verified body | the versioned [`QueueMessage`] between the two functions |
//! | [`provider`] | a queued message | a canonical [`Event`] |
//! | [`session`] | a session and an event | a [`Transition`](session::Transition) |
//!
//! Three modules lay out what is stored: [`table`] for sessions, [`bucket`] for deliveries as objects, [`artifacts`] for transcripts
//! and recordings. Work that no delivery asks for directly is a [`command`].
//!
//! What the providers' own APIs answer is read by `rest` in each dialect's module, in the words of [`api`]; the URLs in those
//! answers are judged by [`url`].
//!
//! # Invariants
//! - No I/O, no async runtime, no AWS or Lambda crate, no environment access: `make lint` reads `cargo tree`.
//! - No clock: the time is an argument.
//! - Nothing here panics on any input.
//! - A sender's identifier becomes part of a key only through [`SenderId::encoded`] or inside a hash, and part of a URL only
//!   through [`SenderId::path_segment`] and [`SenderId::query_value`].

#![warn(missing_docs)]

// Leaves first: a module takes names only from those above it.
pub mod env;
pub mod hash;
pub mod time;
pub mod trust;
pub mod url;

mod canonical;
mod lenient;

pub mod endpoint;
pub mod group;
pub mod retry_after;
pub mod sender_id;

pub mod ids;
mod source;

pub mod auth;
pub mod event;
pub mod message;

pub mod api;
pub mod provider;
pub mod reconcile;
pub mod settings;
pub mod transcript;

pub mod session;

pub mod artifacts;
pub mod bucket;
pub mod command;
pub mod table;

pub use command::Command;
pub use endpoint::{Endpoint, Provider};
pub use event::{Event, EventKind};
pub use ids::{AcceptId, DeliveryKey, SessionId};
pub use message::QueueMessage;
pub use sender_id::SenderId;
pub use session::Session;
pub use source::Source;
pub use time::{OccurredAt, ReceivedAt};
pub use trust::Trust;
