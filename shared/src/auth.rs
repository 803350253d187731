//! Verification of a delivery over its raw bytes. Every endpoint has exactly one [`AuthMode`]; there is no downgrade.
//!
//! [`VerifiedBody`] has one constructor, [`AuthMode::verify`], and a queue message can only be made from one. Code that
//! forgets to verify does not compile.

mod path_token;
mod signature;
mod static_header;
mod svix;

pub use path_token::PathTokens;
pub use signature::{SignatureHeader, SignatureSecrets, SigningSecret, TimestampWindow};
pub use static_header::StaticHeader;
pub use svix::{MalformedKey, SvixKeys};

use crate::{event::Trust, hash::sha256_hex};
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
    /// `svix-*` or `webhook-*` headers over id, time and raw body: the v2 webhooks of Meeting BaaS.
    Svix(SvixKeys),
    /// A secret that is sent along as it is, in a header of its own: the v1 webhooks and v2 callbacks of Meeting BaaS.
    StaticHeader(StaticHeader),
    /// `X-MeetingBaas-Signature` over the raw body, by any of the secrets: what the web page of Meeting BaaS describes.
    MeetingBaasSignature(SignatureSecrets),
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
    delivery_id: Option<DeliveryId>,
}

/// The longest [`DeliveryId`], in bytes. Svix's have 31.
const MAX_DELIVERY_ID_BYTES: usize = 128;

/// The sender's own id of a delivery, the same on every try. There is one only where the credential covers it.
///
/// It is sender's text, so it becomes part of a key only inside a hash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Takes the id as sent. A longer one than any sender is known to use is replaced by its SHA-256: as good for telling
    /// deliveries apart, and no reason to lose one.
    pub(crate) fn new(id: &str) -> Self {
        Self(if id.len() > MAX_DELIVERY_ID_BYTES { sha256_hex(id.as_bytes()) } else { id.to_owned() })
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
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

    /// The sender's own id of the delivery, where the credential covers one.
    #[must_use]
    pub fn delivery_id(&self) -> Option<&DeliveryId> {
        self.delivery_id.as_ref()
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, Option<DeliveryId>) {
        (self.bytes, self.delivery_id)
    }
}

impl AuthMode {
    /// Checks `body` against what the request offers. `now` is our clock in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The reason as an [`AuthError`]; the body is dropped with it.
    pub fn verify(&self, offered: Credentials<'_>, body: Vec<u8>, now: i64) -> Result<VerifiedBody, AuthError> {
        let (trust, delivery_id) = match self {
            Self::MeetStreamSignature { secrets, window } => {
                if let Some(window) = window {
                    window.check(offered.headers, now)?;
                }
                secrets.check(SignatureHeader::MEETSTREAM, offered.headers, &body)?;
                (Trust::Verified, None)
            }
            Self::PathToken(tokens) => {
                tokens.check(offered.path_token)?;
                (Trust::Unverified, None)
            }
            Self::Svix(keys) => (Trust::Verified, Some(keys.check(offered.headers, &body, now)?)),
            Self::StaticHeader(header) => {
                header.check(offered.headers)?;
                (Trust::Verified, None)
            }
            Self::MeetingBaasSignature(secrets) => {
                secrets.check(SignatureHeader::MEETINGBAAS, offered.headers, &body)?;
                (Trust::Verified, None)
            }
        };
        Ok(VerifiedBody { bytes: body, trust, delivery_id })
    }
}
