//! Who may ask.

use super::Answer;
use crate::{knobs::Knobs, plan::Api};
use axum::http::HeaderMap;

pub(super) const AUTHORIZATION: &str = "authorization";
pub(super) const MEETINGBAAS: &str = "x-meeting-baas-api-key";

/// Whether a request has the credential that the API asks for; the answer to it if not.
pub(super) fn check(api: Api, headers: &HeaderMap, knobs: &Knobs) -> Result<(), Answer> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match api {
        Api::MeetStream => match value(AUTHORIZATION).and_then(|value| value.strip_prefix("Token ")) {
            // `Bearer` too, which is for another host.
            None => Err(Answer::error(api, 401, "Authentication credentials were not provided.")),
            Some(key) if key == knobs.meetstream_key => Ok(()),
            Some(_) => Err(Answer::error(api, 403, "Invalid token.")),
        },
        Api::MeetingBaasV1 | Api::MeetingBaasV2 => match value(MEETINGBAAS) {
            Some(key) if key == knobs.meetingbaas_key => Ok(()),
            _ => Err(Answer::error(api, 401, "Invalid API key")),
        },
    }
}

/// The header in which a request to one provider has a credential of the other's.
pub(super) fn of_a_stranger(api: Api, headers: &HeaderMap, knobs: &Knobs) -> Option<&'static str> {
    let key = match api {
        Api::MeetStream => &knobs.meetingbaas_key,
        Api::MeetingBaasV1 | Api::MeetingBaasV2 => &knobs.meetstream_key,
    };
    let holds_key = |header: &&str| {
        headers.get(*header).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(key.as_str()))
    };
    [AUTHORIZATION, MEETINGBAAS].into_iter().find(holds_key)
}
