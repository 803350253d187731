//! What both functions know, and nothing else: the pure core of Rollcall.
//!
//! A delivery travels through these modules in this order:
//!
//! | module | turns | into |
//! |---|---|---|
//! | [`provider`] | a request path | the [`Endpoint`] that names the sender |
//! | [`auth`] | headers, token and raw bytes | a [`VerifiedBody`](auth::VerifiedBody), or a reason |
//! | [`provider`] | a verified body | a [`Peek`](provider::Peek): just enough to queue it |
//! | [`message`] | a verified body | the versioned [`QueueMessage`] between the two functions |
//! | [`provider`] | a queued message | a canonical [`Event`] |
//! | [`session`] | a session and an event | a [`Transition`](session::Transition) |
//!
//! What leaves this way is stored: [`kept`] says under which key and how it comes back. What no delivery asks for is a
//! [`command`].
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

pub mod api;
pub mod artifacts;
pub mod auth;
mod canonical;
pub mod command;
pub mod env;
pub mod event;
pub mod group;
pub mod hash;
pub mod kept;
mod lenient;
pub mod message;
pub mod provider;
pub mod retry_after;
pub mod sender_id;
pub mod session;
pub mod settings;
mod source;
pub mod table;
pub mod time;
pub mod transcript;
pub mod url;

pub use command::Command;
pub use event::{DeliveryKey, Event, EventKind, SessionId, Trust};
pub use message::{AcceptId, QueueMessage};
pub use provider::{Endpoint, Provider};
pub use sender_id::SenderId;
pub use session::Session;
pub use source::Source;
pub use time::{OccurredAt, ReceivedAt};
