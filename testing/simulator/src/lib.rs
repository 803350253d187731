//! Both providers, made up: a MeetStream and a Meeting BaaS that send whole meetings, signed, and serve their APIs.
//!
//! For tests and for operators; the functions never link it.

pub mod body;
mod calendar;
pub mod courier;
pub mod delivery;
pub mod dialect;
mod encoding;
mod fault;
mod fleet;
mod itinerary;
mod knobs;
mod limits;
mod plan;
mod player;
mod presigned;
#[cfg(any(test, feature = "testing"))]
pub mod receiver;
mod recording;
mod request;
mod rest;
mod results;
pub mod script;
mod server;
pub mod signature;
mod simulation;
pub mod time;
mod transcript;
mod truth;
pub mod webhook;
mod world;

pub use calendar::{CalendarEntry, CalendarPlan};
pub use fault::{Fault, Operation, PlannedFault, RetryAfter, Times};
pub use fleet::Fleet;
pub use knobs::{Erased, Knobs, ListOrder, WebhookKnobs};
pub use limits::RateLimits;
pub use plan::{Api, BotPlan};
pub use player::{Fate, Player, Receiver, Sent};
pub use recording::{Format, Recording};
pub use request::{Host, Request, Violation};
pub use script::{Ending, Transcription};
pub use simulation::{Bot, Calendar, Simulator};
pub use transcript::{Transcript, Utterance, Word};
pub use truth::{Content, Expected, Reason, Truth};
