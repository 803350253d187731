//! The lines this function writes. Never a body, a signature, a token or a secret.

use crate::{
    hand_over::{Durable, TakenBy},
    queue::QueueError,
    response::{self, Rejection},
};
use aws_sdk_sqs::error::SdkError;
use platform::aws::causes;
use platform::telemetry::{self, Metric};
use serde::Serialize;
use shared::{Endpoint, provider::Peek};
use std::time::Duration;

/// What the line of a request says.
#[derive(Serialize)]
struct Fields<'a> {
    #[serde(rename = "Route")]
    route: &'static str,
    #[serde(rename = "Reply")]
    reply: &'static str,
    level: &'static str,
    #[serde(rename = "requestId")]
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<String>,
    #[serde(rename = "deliveryKey", skip_serializing_if = "Option::is_none")]
    delivery_key: Option<String>,
    /// How it was kept, where that was not in the queue and whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<&'static str>,
    /// Milliseconds until a store had it.
    #[serde(rename = "tookMs", skip_serializing_if = "Option::is_none")]
    took_ms: Option<f64>,
}

/// Writes the line of one request. `peek` is what was seen of an authentic body.
pub(crate) fn delivery(
    request_id: &str,
    endpoint: Option<Endpoint>,
    peek: Option<&Peek>,
    result: &Result<Durable, Rejection>,
    took: Duration,
) {
    let durable = result.as_ref().ok();
    let refusal = durable.and_then(|durable| match durable.taken_by {
        TakenBy::Queue => None,
        TakenBy::Spool(refusal) => Some(refusal),
    });
    let is_claimed = durable.is_some_and(|durable| durable.is_claimed);
    // Authentic, and no store took it: what the alarm of that name counts.
    let not_durable = matches!(result, Err(Rejection::NotDurable(_)));
    let metrics = [Metric::count("NotDurable", not_durable.then_some(1))];
    let fields = Fields {
        route: endpoint.map_or("none", Endpoint::as_str),
        reply: response::reply(endpoint, result),
        level: match refusal {
            _ if not_durable => "ERROR",
            Some(_) => "WARN",
            None => "INFO",
        },
        request_id,
        reason: result.as_ref().err().map(Rejection::code).or_else(|| refusal.map(QueueError::code)),
        bot: peek.and_then(|peek| peek.session.as_ref()).map(|session| session.encoded()),
        delivery_key: peek.and_then(|peek| peek.key.as_ref()).map(ToString::to_string),
        kept: match refusal {
            Some(_) => Some("spooled"),
            None => is_claimed.then_some("claimed"),
        },
        took_ms: durable.map(|_| telemetry::milliseconds(took)),
    };
    telemetry::line(&metrics, &fields);
}

/// Writes why a call to AWS failed: its name, and the error's own words.
pub(crate) fn aws_failure<E, R>(operation: &'static str, error: &SdkError<E, R>)
where
    SdkError<E, R>: std::error::Error,
{
    tracing::error!(operation, error = causes(error), "an AWS call failed on every attempt");
}
