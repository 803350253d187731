//! Verification of a delivery over its raw bytes. Every endpoint has exactly one [`AuthMode`]; there is no downgrade.
//!
//! [`VerifiedBody`] has one constructor, [`AuthMode::verify`], and a queue message can only be made from one. Code that
//! forgets to verify does not compile.

mod error;
mod path_token;
mod signature;
mod static_header;
mod svix;

pub use error::AuthError;
pub use path_token::PathTokens;
pub use signature::{SignatureHeader, SignatureSecrets, SigningSecret, TimestampWindow};
pub use static_header::StaticHeader;
pub use svix::{MalformedKey, SvixKeys};

use crate::{ids::DeliveryId, trust::Trust};
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
