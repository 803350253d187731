//! The lines this function writes. Never a body, a name of a person or a secret.

use crate::{record::Record, sweep::Swept};
use aws_smithy_runtime_api::client::result::SdkError;
use edge::aws::causes;
use metrique::{
    ServiceMetrics,
    unit::{Millisecond, Second},
    unit_of_work::metrics,
};
use shared::{AcceptId, DeliveryKey, ReceivedAt, session::Disposition};
use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

/// One line for each record: log entry and metrics in one.
#[metrics(emf::dimension_sets = [["Outcome"], []], rename_all = "PascalCase")]
struct OutcomeLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    outcome: &'static str,
    outcomes: u32,
    quarantined: Option<u32>,
    parked: Option<u32>,
    retries: Option<u32>,
    #[metrics(unit = Millisecond)]
    age: Option<Duration>,
    #[metrics(name = "level")]
    level: &'static str,
    #[metrics(name = "requestId")]
    request_id: String,
    #[metrics(name = "messageId")]
    message_id: String,
    #[metrics(name = "receiveCount")]
    receive_count: String,
    #[metrics(name = "reason")]
    reason: Option<&'static str>,
    #[metrics(name = "bot")]
    bot: Option<String>,
    #[metrics(name = "kind")]
    kind: Option<&'static str>,
    #[metrics(name = "deliveryKey")]
    delivery_key: Option<String>,
    #[metrics(name = "acceptId")]
    accept_id: Option<String>,
}

/// What became of a record, for its line.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Why, where that needs saying.
    pub(crate) reason: Option<&'static str>,
    /// The bot, encoded.
    pub(crate) bot: Option<String>,
    /// What happened to it.
    pub(crate) kind: Option<&'static str>,
    /// The delivery.
    pub(crate) key: Option<DeliveryKey>,
    /// The accepted request.
    pub(crate) accept_id: Option<AcceptId>,
    /// When it was taken.
    pub(crate) received_at: Option<ReceivedAt>,
}

/// Writes the line of one record. `disposition` is `None` for one that will be tried again.
pub(crate) fn outcome(request_id: &str, record: &Record, disposition: Option<Disposition>, told: Told) {
    let count = |counted: bool| counted.then_some(1);
    let now = SystemTime::now();
    let age = told.received_at.and_then(|received_at| {
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(received_at.0).ok()?);
        Some(now.duration_since(received).unwrap_or_default())
    });
    let line = OutcomeLine {
        timestamp: now,
        outcome: disposition.map_or("retry", Disposition::as_str),
        outcomes: 1,
        quarantined: count(disposition == Some(Disposition::Quarantined)),
        parked: count(disposition == Some(Disposition::Parked)),
        retries: count(disposition.is_none()),
        age,
        level: match disposition {
            Some(Disposition::Applied | Disposition::Duplicate | Disposition::Ignored) => "INFO",
            Some(Disposition::Quarantined | Disposition::Parked) => "ERROR",
            None => "WARN",
        },
        request_id: request_id.to_owned(),
        message_id: record.message_id.clone(),
        receive_count: record.receive_count.to_string(),
        reason: told.reason,
        bot: told.bot,
        kind: told.kind,
        delivery_key: told.key.map(|key| key.to_string()),
        accept_id: told.accept_id.map(|id| id.to_string()),
    };
    drop(line.append_on_drop(ServiceMetrics::sink_or_discard()));
}

/// One line for each sweep: log entry and metrics in one.
#[metrics(rename_all = "PascalCase")]
struct SweepLine {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    /// Those that got through: the alarm hears when there are none.
    sweeps: u32,
    put_back: u64,
    /// What the alarm on a spool that does not empty looks at.
    spool_left: u64,
    #[metrics(unit = Second)]
    spool_age: Duration,
    quarantined: Option<u64>,
    #[metrics(name = "level")]
    level: &'static str,
}

/// Writes the line of one sweep; `None` for one that could not even look.
pub(crate) fn swept(swept: Option<Swept>) {
    let Swept { put_back, quarantined, left, oldest_seconds } = swept.unwrap_or_default();
    let line = SweepLine {
        timestamp: SystemTime::now(),
        sweeps: u32::from(swept.is_some()),
        put_back,
        spool_left: left,
        spool_age: Duration::from_secs(oldest_seconds),
        quarantined: (quarantined > 0).then_some(quarantined),
        level: match swept {
            None => "ERROR",
            Some(_) if left > 0 || quarantined > 0 => "ERROR",
            Some(_) if put_back > 0 => "WARN",
            Some(_) => "INFO",
        },
    };
    drop(line.append_on_drop(ServiceMetrics::sink_or_discard()));
}

/// Writes why a call to AWS failed: its name, and the error's own words.
pub(crate) fn aws_failure<E, R>(operation: &'static str, error: &SdkError<E, R>)
where
    E: std::error::Error + 'static,
    R: Debug,
{
    tracing::error!(operation, error = causes(error), "an AWS call failed on every attempt");
}
