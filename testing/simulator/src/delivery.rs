//! One webhook request, to the byte, proved as its sender would prove it.

use crate::{
    signature::{self, NoSvixKey},
    time::micros,
};
use shared::{Endpoint, auth::StaticHeader};
use std::fmt;

const SIGNATURE_HEADER: &str = "X-MeetStream-Signature";
const TIMESTAMP_HEADER: &str = "X-MeetStream-Timestamp";
const BARE_SIGNATURE_HEADER: &str = "X-MeetingBaas-Signature";

/// A text that must not end up on a screen by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Where deliveries go, and the proof that they carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    url: Secret,
    proof: Proof,
    method: Method,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Proof {
    /// `MeetStream`'s signature over the body.
    Signature(Secret),
    /// None but the last segment of the URL.
    Token,
    /// The secret itself, in a header.
    Header(&'static str, Secret),
    /// Svix's signature over id, time and body.
    Svix(Key),
    /// The bare digits of a signature over the body.
    BareSignature(Secret),
}

/// The bytes of a signing key.
#[derive(Clone, PartialEq, Eq)]
struct Key(Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// How a delivery is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Method {
    #[default]
    Post,
    Put,
}

impl Method {
    /// As HTTP has it.
    #[must_use]
    pub fn http(self) -> http::Method {
        match self {
            Self::Post => http::Method::POST,
            Self::Put => http::Method::PUT,
        }
    }
}

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    url: Secret,
    method: Method,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Target {
    /// A route, and what its sender proves itself with. Where a token in the URL is all the proof there is, `credential` is
    /// not used.
    ///
    /// # Errors
    /// When the credential does not have the form that the route asks for.
    pub fn new(endpoint: Endpoint, url: Secret, credential: Secret) -> Result<Self, NoSvixKey> {
        let proof = match endpoint {
            Endpoint::MeetStream => Proof::Signature(credential),
            Endpoint::MeetStreamCallback => Proof::Token,
            Endpoint::MeetingBaasV1 => Proof::Header(StaticHeader::MEETINGBAAS_API_KEY, credential),
            Endpoint::MeetingBaasV2 => Proof::Svix(Key(signature::svix_key(&credential.0)?)),
            Endpoint::MeetingBaasCallback => Proof::Header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET, credential),
            Endpoint::MeetingBaasLegacy => Proof::BareSignature(credential),
        };
        Ok(Self { url, proof, method: Method::Post })
    }

    /// The same place by another method.
    #[must_use]
    pub fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The same place with a proof of the right form that is worth nothing.
    #[must_use]
    pub fn forged(self) -> Self {
        let not = |secret: Secret| Secret(format!("not {}", secret.0));
        let Self { url: Secret(url), proof, method } = self;
        let (url, proof) = match proof {
            Proof::Token => {
                let (route, token) = url.rsplit_once('/').unwrap_or((&url, ""));
                (format!("{route}/{}", "x".repeat(token.len().max(22))), Proof::Token)
            }
            Proof::Signature(secret) => (url, Proof::Signature(not(secret))),
            Proof::Header(name, secret) => (url, Proof::Header(name, not(secret))),
            Proof::Svix(Key(key)) => (url, Proof::Svix(Key([b"not ", &key[..]].concat()))),
            Proof::BareSignature(secret) => (url, Proof::BareSignature(not(secret))),
        };
        Self { url: Secret(url), proof, method }
    }

    /// Where it is. A token may be in it.
    #[must_use]
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// The place without its token, as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        match (&self.proof, &self.url) {
            (Proof::Token, Secret(url)) => format!("{}/<token>", url.rsplit_once('/').map_or("", |(route, _)| route)),
            (_, Secret(url)) => url.clone(),
        }
    }
}

impl Delivery {
    /// A request to `target` with exactly these bytes, sent at `now`. Sent again, it is the sender's next try of the same
    /// delivery.
    #[must_use]
    pub fn new(target: &Target, body: Vec<u8>, now: jiff::Timestamp) -> Self {
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        match &target.proof {
            Proof::Signature(secret) => {
                headers.push((SIGNATURE_HEADER, signature::meetstream(&secret.0, &body)));
                headers.push((TIMESTAMP_HEADER, micros(now)));
            }
            Proof::Token => {}
            Proof::Header(name, secret) => headers.push((*name, secret.0.clone())),
            Proof::Svix(key) => {
                let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(27).collect();
                let (id, timestamp) = (format!("msg_{id}"), now.as_second().to_string());
                let signature = signature::svix(&key.0, &id, now.as_second(), &body);
                headers.extend([("svix-id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)]);
            }
            Proof::BareSignature(secret) => headers.push((BARE_SIGNATURE_HEADER, signature::bare(&secret.0, &body))),
        }
        Self { url: target.url.clone(), method: target.method, headers, body }
    }

    /// Where it goes. A token may be in it.
    #[must_use]
    pub fn url(&self) -> &Secret {
        &self.url
    }

    /// By which method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What goes with it, the proof among it.
    #[must_use]
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// The bytes.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::{CREDENTIAL, NOW, TOKEN, target, verify};
    use shared::auth::AuthError;

    fn delivery(target: &Target, body: &[u8]) -> Delivery {
        Delivery::new(target, body.to_vec(), NOW.parse().unwrap())
    }

    #[test]
    fn what_is_proved_here_is_accepted_there() {
        for endpoint in Endpoint::ALL {
            for body in [&b"{}"[..], b"", b"\xff\0", "{\"message\":\"caf\u{e9}\"}\n".as_bytes()] {
                let (route, verified) = verify(&delivery(&target(endpoint), body)).unwrap();
                assert_eq!((route, verified.bytes()), (endpoint, body));
                let refused = verify(&delivery(&target(endpoint).forged(), body)).unwrap_err();
                assert_eq!(refused, AuthError::Mismatch, "{endpoint:?}");
            }
        }
    }

    #[test]
    fn every_svix_delivery_has_an_id_and_keeps_it() {
        let id = |delivery: &Delivery| verify(delivery).unwrap().1.delivery_id().unwrap().as_str().to_owned();
        let (first, second) =
            (delivery(&target(Endpoint::MeetingBaasV2), b"{}"), delivery(&target(Endpoint::MeetingBaasV2), b"{}"));
        assert!(id(&first).starts_with("msg_") && id(&first).len() == 31, "{}", id(&first));
        assert_eq!(id(&first), id(&first));
        assert_ne!(id(&first), id(&second));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(target(Endpoint::MeetStreamCallback).shown(), "https://host/webhooks/meetstream/<token>");
        for endpoint in Endpoint::ALL {
            let target = target(endpoint);
            let debug = format!("{target:?} {}", target.shown());
            assert!(!debug.contains(TOKEN) && !debug.contains(CREDENTIAL) && !debug.contains("115, 101"), "{debug}");
        }
    }
}
