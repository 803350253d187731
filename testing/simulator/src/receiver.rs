//! For tests: a receiver that judges deliveries as the function does, and targets that it accepts.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use crate::delivery::{Delivery, Secret, Target};
use http::HeaderMap;
use jiff::Timestamp;
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt,
    auth::{AuthError, AuthMode, Credentials, PathTokens, SignatureSecrets, StaticHeader, SvixKeys, VerifiedBody},
};

/// When everything is sent.
pub const NOW: &str = "2026-10-05T14:55:02.9Z";

/// The token in the path.
pub const TOKEN: &str = "a-token-of-22-characters";

/// A credential that is one for every route.
pub const CREDENTIAL: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

/// The receiver's route.
#[must_use]
pub fn target(endpoint: Endpoint) -> Target {
    let url = match endpoint {
        Endpoint::MeetStreamCallback => format!("https://host/webhooks/meetstream/{TOKEN}"),
        other => format!("https://host/webhooks/{}", other.as_str().replace('-', "/")),
    };
    Target::new(endpoint, Secret(url), Secret(CREDENTIAL.to_owned())).unwrap()
}

/// What the function says to a delivery.
///
/// # Errors
/// That it is not authentic.
pub fn verify(delivery: &Delivery) -> Result<(Endpoint, VerifiedBody), AuthError> {
    let headers: HeaderMap =
        delivery.headers().iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let path = delivery.url().0.strip_prefix("https://host").unwrap();
    let (endpoint, path_token) = Endpoint::from_path(path).unwrap();
    assert!(endpoint.accepts(&delivery.method().http()));
    let credentials = vec![CREDENTIAL.to_owned()];
    let secrets = SignatureSecrets::new(credentials.clone()).unwrap();
    let header = |name| AuthMode::StaticHeader(StaticHeader::new(name, credentials.clone()).unwrap());
    let mode = match endpoint {
        Endpoint::MeetStream => AuthMode::MeetStreamSignature { secrets, window: None },
        Endpoint::MeetStreamCallback => AuthMode::PathToken(PathTokens::new(vec![TOKEN.to_owned()]).unwrap().unwrap()),
        Endpoint::MeetingBaasV1 => header(StaticHeader::MEETINGBAAS_API_KEY),
        Endpoint::MeetingBaasV2 => AuthMode::Svix(SvixKeys::new(credentials.clone()).unwrap().unwrap()),
        Endpoint::MeetingBaasCallback => header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET),
        Endpoint::MeetingBaasLegacy => AuthMode::MeetingBaasSignature(secrets),
    };
    let offered = Credentials { headers: &headers, path_token };
    let now: Timestamp = NOW.parse().unwrap();
    mode.verify(offered, delivery.body().to_vec(), now.as_millisecond()).map(|body| (endpoint, body))
}

/// The queue message that the function makes of a delivery.
///
/// # Errors
/// That it is not authentic.
pub fn accept(delivery: &Delivery, accept_id: &str) -> Result<QueueMessage, AuthError> {
    let (endpoint, verified) = verify(delivery)?;
    Ok(QueueMessage::new(verified, endpoint, AcceptId::new(accept_id), ReceivedAt(0)))
}
