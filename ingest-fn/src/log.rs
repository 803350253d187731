//! The lines this function writes. Never a body, a signature, a token or a secret.

use crate::{
    persist::{Durable, StoredIn},
    queue::QueueError,
    response::{self, Rejection},
};
use platform::telemetry::{self, Metric};
use serde::Serialize;
use shared::{Endpoint, provider::Peek};
use std::time::Duration;

/// The fields of a request's line.
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
    /// Where the delivery is, if not whole in the queue.
    #[serde(rename = "storedAs", skip_serializing_if = "Option::is_none")]
    stored_as: Option<&'static str>,
    /// Milliseconds until a store had confirmed the delivery.
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
    let queue_error = durable.and_then(|durable| match durable.stored_in {
        StoredIn::Queue => None,
        StoredIn::Spool(error) => Some(error),
    });
    let is_claimed = durable.is_some_and(|durable| durable.is_claimed);
    // `IngestNotDurableAlarm` counts authentic deliveries that no store took.
    let not_durable = matches!(result, Err(Rejection::NotDurable(_)));
    let metrics = [Metric::count("NotDurable", not_durable.then_some(1))];
    let fields = Fields {
        route: endpoint.map_or("none", Endpoint::as_str),
        reply: response::reply(endpoint, result),
        level: match queue_error {
            _ if not_durable => "ERROR",
            Some(_) => "WARN",
            None => "INFO",
        },
        request_id,
        reason: result.as_ref().err().map(Rejection::code).or_else(|| queue_error.map(QueueError::code)),
        bot: peek.and_then(|peek| peek.session.as_ref()).map(|session| session.encoded()),
        delivery_key: peek.and_then(|peek| peek.key.as_ref()).map(ToString::to_string),
        stored_as: match queue_error {
            Some(_) => Some("spooled"),
            None => is_claimed.then_some("claimed"),
        },
        took_ms: durable.map(|_| telemetry::milliseconds(took)),
    };
    telemetry::line(&metrics, &fields);
}
