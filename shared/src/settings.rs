//! What both functions read when they start, and `rollcall settings check` before a deploy.
//!
//! `CloudFormation` deploys a version whether or not it can start. So the code that refuses to start is here, where the
//! deploy can ask it first.

mod apis;
mod credentials;
mod published;

pub use apis::{AccountSettings, ApiSettings, MEETINGBAAS_API_KEYS, MEETSTREAM_API_KEYS};
pub use credentials::endpoints;
pub use published::PublishedKinds;
