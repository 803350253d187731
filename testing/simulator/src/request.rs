//! What was asked of the simulated APIs, for tests to look at afterwards.

use crate::fault::Operation;

/// One request, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which of the two hosts it came to.
    pub host: Host,
    /// The method.
    pub method: String,
    /// The path, as it came and without a query: there are signatures in those.
    pub path: String,
    /// What it means; `None` if it means nothing.
    pub operation: Option<Operation>,
    /// The bot or calendar in it, if it is a known one.
    pub subject: Option<String>,
    /// How it was answered; `None` if the connection was closed instead.
    pub status: Option<u16>,
    /// What a client must never do.
    pub violation: Option<Violation>,
}

/// A host of the simulator's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// The APIs of both providers.
    Api,
    /// Presigned URLs.
    Files,
}

/// What a client must never do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Violation {
    /// It sent a credential to the host of presigned URLs, which is not its provider's.
    CredentialToFiles {
        /// The header it was in.
        header: &'static str,
    },
    /// It sent one provider's credential to the other.
    CredentialToStranger {
        /// The header it was in.
        header: &'static str,
    },
    /// It made a bot leave its meeting.
    RemovedBot,
}
