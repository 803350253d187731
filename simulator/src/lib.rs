//! Both providers, made up: a MeetStream and a Meeting BaaS that send whole meetings, signed, and serve their APIs.
//!
//! For tests and for operators; the functions never link it.

pub mod body;
pub mod courier;
pub mod delivery;
pub mod dialect;
mod fault;
mod plan;
#[cfg(any(test, feature = "testing"))]
pub mod receiver;
mod recording;
pub mod script;
pub mod time;
mod transcript;
pub mod webhook;

pub use fault::{Fault, Operation, PlannedFault, RetryAfter, Times};
pub use plan::{Api, BotPlan};
pub use recording::{Format, Recording};
pub use script::{Ending, Transcription};
pub use transcript::{Transcript, Utterance, Word};
