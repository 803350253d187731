//! Verification of a delivery over its raw bytes. Every endpoint has exactly one [`AuthMode`]; there is no downgrade.
//!
//! [`VerifiedBody`] has one constructor, [`AuthMode::verify`], and a queue message can only be made from one. Code that
//! forgets to verify does not compile.

mod path_token;
mod signature;

pub use path_token::PathTokens;
pub use signature::{SignatureSecrets, SigningSecret, TimestampWindow};

use crate::event::Trust;
use http::HeaderMap;

/// How the deliveries of one endpoint prove where they come from.
#[derive(Debug)]
pub enum AuthMode {
    /// `X-MeetStream-Signature` over the raw body, by any of the secrets: `MeetStream`'s workspace webhooks.
    MeetStreamSignature {
        /// The secrets that are accepted.
        secrets: SignatureSecrets,
        /// How far `X-MeetStream-Timestamp` may be from our clock; `None` leaves the header unread.
        window: Option<TimestampWindow>,
    },
    /// An unguessable last segment of the path: `MeetStream`'s per-bot `callback_url`, which is never signed.
    PathToken(PathTokens),
}

/// Why a delivery is not authentic. The sender learns none of this; the log does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    /// A header that the endpoint's mode needs is absent.
    #[error("a required header is missing")]
    MissingHeader,
    /// A credential is present and has the wrong form.
    #[error("the credential is malformed")]
    Malformed,
    /// The delivery's timestamp is outside the window.
    #[error("the timestamp is outside the window")]
    Expired,
    /// The credential has the right form and matches none of ours.
    #[error("the credential does not match")]
    Mismatch,
}

impl AuthError {
    /// A short name for logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What a request offers as proof, beside its body.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The path's last segment, where the route has a place for a token.
    pub path_token: Option<&'a str>,
}

/// The raw bytes of a delivery whose credential was checked, and how far that makes them trustworthy.
#[derive(Debug)]
pub struct VerifiedBody {
    bytes: Vec<u8>,
    trust: Trust,
}

impl VerifiedBody {
    /// The bytes, exactly as they were sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the credential covers the bytes, or only the way they came.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl AuthMode {
    /// Checks `body` against what the request offers. `now` is our clock in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The reason as an [`AuthError`]; the body is dropped with it.
    pub fn verify(&self, offered: Credentials<'_>, body: Vec<u8>, now: i64) -> Result<VerifiedBody, AuthError> {
        match self {
            Self::MeetStreamSignature { secrets, window } => {
                if let Some(window) = window {
                    window.check(offered.headers, now)?;
                }
                secrets.check(offered.headers, &body)?;
                Ok(VerifiedBody { bytes: body, trust: Trust::Verified })
            }
            Self::PathToken(tokens) => {
                tokens.check(offered.path_token)?;
                Ok(VerifiedBody { bytes: body, trust: Trust::Claimed })
            }
        }
    }
}
