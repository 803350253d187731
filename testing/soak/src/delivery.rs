//! What a sender sends.

use crate::bodies::Body;
use anyhow::Result;
use e2e::{
    pipeline::{API_KEY, CALLBACK_SECRET, LEGACY_SECRET, SECRET, SVIX_SECRET, TOKEN},
    sender,
};
use jiff::{SignedDuration, Timestamp};
use shared::{
    Endpoint, QueueMessage,
    auth::StaticHeader,
    bucket::{Restored, metadata, restore},
    provider::{self, Peek},
};
use std::{fmt, time::Duration};

/// One delivery of a schedule.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When it is sent, since the beginning of its wave.
    pub at: Duration,
    /// What it is, for people.
    pub name: String,
    /// Where to.
    pub endpoint: Endpoint,
    /// The id that Svix gives it, on the route that has one.
    pub delivery_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// What is wrong with its credential; `None` for an authentic one.
    pub forgery: Option<Forgery>,
    /// What somebody does to its body in the bucket, should it be stored there as a claim.
    pub tampering: Option<Tampering>,
    /// Whether it must be understood, if it gets in.
    pub is_genuine: bool,
}

/// What is wrong with a request that must not get in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgery {
    /// It is signed with another secret, or carries another one.
    AnotherSecret,
    /// It carries no credential at all.
    NoCredential,
    /// Its body was changed after it was signed. Only a signature shows that.
    ChangedBody,
    /// Its path names no route.
    NoRoute,
    /// Its method is not one of the route's.
    Method,
    /// It was signed too long ago.
    Expired,
}

impl Forgery {
    /// Those that the endpoint can tell from an authentic request.
    #[must_use]
    pub fn against(endpoint: Endpoint) -> &'static [Self] {
        use Forgery::{AnotherSecret, ChangedBody, Expired, Method, NoCredential, NoRoute};
        match endpoint {
            Endpoint::MeetStream | Endpoint::MeetingBaasLegacy => {
                &[AnotherSecret, NoCredential, ChangedBody, NoRoute, Method]
            }
            Endpoint::MeetingBaasV2 => &[AnotherSecret, NoCredential, ChangedBody, NoRoute, Method, Expired],
            Endpoint::MeetingBaasV1 | Endpoint::MeetingBaasCallback => &[AnotherSecret, NoCredential, NoRoute, Method],
            Endpoint::MeetStreamCallback => &[AnotherSecret, NoRoute, Method],
        }
    }
}

/// What can happen to a stored body before somebody comes for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tampering {
    /// It is another one now, of the same size, that says something else.
    Altered,
    /// It is gone.
    Removed,
}

impl Delivery {
    /// An authentic one by `MeetStream`, sent at once.
    #[must_use]
    pub fn of(body: Body) -> Self {
        let Body { name, bytes, is_genuine } = body;
        let (at, endpoint) = (Duration::ZERO, Endpoint::MeetStream);
        Self { at, name, endpoint, delivery_id: None, body: bytes, forgery: None, tampering: None, is_genuine }
    }

    /// The request, composed and signed `now`.
    ///
    /// # Errors
    /// If the harness's own Svix secret is none.
    pub fn request(&self, now: Timestamp) -> Result<sender::Delivery> {
        let secret = |own: &'static str| match self.forgery {
            Some(Forgery::AnotherSecret) => "c29tZWJvZHktZWxzZXMtc2VjcmV0",
            _ => own,
        };
        let body = || self.body.clone();
        let request = match self.endpoint {
            Endpoint::MeetStream => sender::Delivery::signed(secret(SECRET), body()),
            Endpoint::MeetStreamCallback => sender::Delivery::callback(secret(TOKEN), body()),
            Endpoint::MeetingBaasV1 => sender::Delivery::unsigned("/webhooks/meetingbaas/v1", body())
                .header(StaticHeader::MEETINGBAAS_API_KEY, secret(API_KEY)),
            Endpoint::MeetingBaasV2 => {
                let age = if self.forgery == Some(Forgery::Expired) { 3600 } else { 0 };
                let signed_at = now - SignedDuration::from_secs(age);
                let id = self.delivery_id.as_deref().unwrap_or("msg");
                sender::Delivery::svix_at(signed_at, secret(SVIX_SECRET), id, body())?
            }
            Endpoint::MeetingBaasCallback => sender::Delivery::unsigned("/webhooks/meetingbaas/callback", body())
                .header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET, secret(CALLBACK_SECRET)),
            Endpoint::MeetingBaasLegacy => sender::Delivery::meetingbaas_legacy(secret(LEGACY_SECRET), body()),
        };
        Ok(match self.forgery {
            None | Some(Forgery::AnotherSecret | Forgery::Expired) => request,
            Some(Forgery::NoCredential) => {
                let path = request.path.clone();
                sender::Delivery::unsigned(&path, body())
            }
            Some(Forgery::ChangedBody) => request.tampered([self.body.as_slice(), b" "].concat()),
            Some(Forgery::NoRoute) => request.path("/webhooks/nobody"),
            Some(Forgery::Method) => request.method("GET"),
        })
    }

    /// The message that ingest makes of it, if it accepts it as this request at this time.
    #[must_use]
    pub fn message(&self, accept_id: &str, received_at: i64) -> Option<QueueMessage> {
        let find = |name: &str| match name {
            metadata::FORM => Some(metadata::DELIVERY.to_owned()),
            metadata::ACCEPT_ID => Some(accept_id.to_owned()),
            metadata::ENDPOINT => Some(self.endpoint.as_str().to_owned()),
            metadata::RECEIVED_AT => Some(received_at.to_string()),
            metadata::DELIVERY_ID => self.delivery_id.clone(),
            _ => None,
        };
        match restore(find, self.body.clone()) {
            Ok(Restored::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// What can be seen of it.
    #[must_use]
    pub fn peek(&self) -> Peek {
        provider::peek(self.endpoint, &self.body)
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {:<20} {}", self.at.as_secs_f64(), self.endpoint.as_str(), self.name)?;
        if let Some(session) = self.peek().session {
            write!(f, " of {}", session.encoded())?;
        }
        write!(f, ", {} bytes", self.body.len())?;
        if let Some(forgery) = self.forgery {
            write!(f, ", forged: {forgery:?}")?;
        }
        if let Some(tampering) = self.tampering {
            write!(f, ", its claim is {tampering:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_made_as_ingest_makes_it() {
        let delivery = Delivery {
            at: Duration::ZERO,
            name: "x".to_owned(),
            endpoint: Endpoint::MeetingBaasV2,
            delivery_id: Some("msg_1".to_owned()),
            body: b"{}".to_vec(),
            forgery: None,
            tampering: None,
            is_genuine: false,
        };
        let message = delivery.message("accepted", 7).unwrap();
        assert_eq!((message.accept_id().as_str(), message.received_at().0), ("accepted", 7));
        assert_eq!(message.delivery_id().unwrap().as_str(), "msg_1");
    }
}
