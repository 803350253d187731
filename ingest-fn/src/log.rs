//! The lines this function writes. Never a body, a signature, a token or a secret.

use crate::{
    hand_over::{Durable, TakenBy},
    queue::QueueError,
    response::{self, Rejection},
};
use aws_sdk_sqs::error::SdkError;
use edge::aws::causes;
use metrique::{ServiceMetrics, unit::Millisecond, unit_of_work::metrics};
use shared::{Endpoint, provider::Peek};
use std::time::{Duration, SystemTime};

/// One line for each request: log entry and metrics in one.
#[metrics(emf::dimension_sets = [["Route", "Reply"], []], rename_all = "PascalCase")]
struct DeliveryLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    route: &'static str,
    reply: &'static str,
    deliveries: u32,
    /// Authentic, and no store took it: what the alarm of that name counts.
    not_durable: Option<u32>,
    /// Durable, but not in the queue yet.
    spooled: Option<u32>,
    /// The body was stored and its claim was sent.
    claimed: Option<u32>,
    #[metrics(unit = Millisecond)]
    time_to_durable: Option<Duration>,
    #[metrics(name = "level")]
    level: &'static str,
    #[metrics(name = "requestId")]
    request_id: String,
    #[metrics(name = "reason")]
    reason: Option<&'static str>,
    #[metrics(name = "bot")]
    bot: Option<String>,
    #[metrics(name = "deliveryKey")]
    delivery_key: Option<String>,
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
    let line = DeliveryLine {
        timestamp: SystemTime::now(),
        route: endpoint.map_or("none", Endpoint::as_str),
        reply: response::reply(endpoint, result),
        deliveries: 1,
        not_durable: matches!(result, Err(Rejection::NotDurable(_))).then_some(1),
        spooled: refusal.is_some().then_some(1),
        claimed: durable.is_some_and(|durable| durable.is_claimed).then_some(1),
        time_to_durable: result.is_ok().then_some(took),
        level: match (result, refusal) {
            (Err(Rejection::NotDurable(_)), _) => "ERROR",
            (_, Some(_)) => "WARN",
            _ => "INFO",
        },
        request_id: request_id.to_owned(),
        reason: result.as_ref().err().map(Rejection::code).or_else(|| refusal.map(QueueError::code)),
        bot: peek.and_then(|peek| peek.session.as_ref()).map(|session| session.encoded()),
        delivery_key: peek.and_then(|peek| peek.key.as_ref()).map(ToString::to_string),
    };
    drop(line.append_on_drop(ServiceMetrics::sink_or_discard()));
}

/// Writes why a call to AWS failed: its name, and the error's own words.
pub(crate) fn aws_failure<E, R>(operation: &'static str, error: &SdkError<E, R>)
where
    SdkError<E, R>: std::error::Error,
{
    tracing::error!(operation, error = causes(error), "an AWS call failed on every attempt");
}
