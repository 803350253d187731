//! The log lines of this function. They never have a body, a name of a person or a secret.

use platform::telemetry::{self, Metric};
use serde::Serialize;
use shared::{
    AcceptId, DeliveryKey, ReceivedAt, Session, SessionId,
    event::Outcome,
    session::{Disposition, Job, Unreadable},
};
use std::time::{Duration, SystemTime};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(rename = "Outcome")]
    outcome: &'static str,
    level: &'static str,
    request_id: &'a str,
    /// SQS's own id, for a record that did not take effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    /// Absent on the first receive.
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_id: Option<AcceptId>,
    /// Milliseconds since the request was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<f64>,
}

/// What is known of a record, for its line.
#[derive(Debug)]
pub(crate) struct RecordLog {
    /// SQS's own id.
    pub(crate) message_id: String,
    pub(crate) receive_count: u32,
    /// Why the record did not take effect, or what was dropped.
    pub(crate) reason: Option<&'static str>,
    pub(crate) bot: Option<String>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) key: Option<DeliveryKey>,
    pub(crate) accept_id: Option<AcceptId>,
    pub(crate) received_at: Option<ReceivedAt>,
}

/// Writes the line of one record. `disposition` is `None` for one that will be tried again.
pub(crate) fn record(request_id: &str, disposition: Option<Disposition>, log: RecordLog) {
    let age = log.received_at.and_then(|received_at| {
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(received_at.0).ok()?);
        Some(SystemTime::now().duration_since(received).unwrap_or_default())
    });
    let level = match disposition {
        Some(Disposition::Applied | Disposition::Duplicate | Disposition::Ignored) => "INFO",
        Some(Disposition::Quarantined | Disposition::Parked) => "ERROR",
        None => "WARN",
    };
    let metrics = [
        Metric::count("SetAside", (level == "ERROR").then_some(1)),
        // SQS's own metric of the oldest message leaves out messages that were received three times.
        Metric::time("RetryAge", age.filter(|_| disposition.is_none())),
    ];
    let fields = Fields {
        outcome: disposition.map_or("retry", Disposition::as_str),
        level,
        request_id,
        message_id: (level != "INFO").then_some(log.message_id),
        receive_count: Some(log.receive_count).filter(|count| *count > 1),
        reason: log.reason,
        bot: log.bot,
        kind: log.kind,
        delivery_key: log.key.map(|key| key.to_string()),
        accept_id: log.accept_id,
        age_ms: age.map(telemetry::milliseconds),
    };
    telemetry::line(&metrics, &fields);
}

#[derive(Serialize)]
struct MeetingFields {
    #[serde(rename = "MeetingOutcome")]
    outcome: &'static str,
    level: &'static str,
    bot: String,
}

/// Writes the line of a meeting's end: when the session first has an outcome, and when the outcome changes from what it was `before`.
pub(crate) fn meeting(before: Option<Outcome>, session: &Session) {
    let Some(outcome) = session.outcome().filter(|outcome| before != Some(*outcome)) else { return };
    let has_failed = |outcome| matches!(outcome, Outcome::NotAdmitted | Outcome::Denied | Outcome::Failed);
    let fails_now = has_failed(outcome) && !before.is_some_and(has_failed);
    // The alarm on bots that were not admitted uses this metric.
    let metrics = [Metric::count("FailedMeetings", fails_now.then_some(1))];
    let level = if has_failed(outcome) { "WARN" } else { "INFO" };
    let fields = MeetingFields { outcome: outcome.as_str(), level, bot: session.id().encoded() };
    telemetry::line(&metrics, &fields);
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Swept {
    /// Whether the sweep looked into the spool.
    pub looked_into_spool: bool,
    /// Deliveries that the sweep brought into the queue.
    pub put_back: u32,
    /// Deliveries that the queue will never take, and that are in quarantine now.
    pub quarantined: u32,
    /// Deliveries that are still in the spool.
    pub left: u32,
    /// Jobs that were sent, for the first time or again.
    pub reminded: u32,
    /// Due sessions that this version of the code cannot read.
    pub unreadable: u32,
    /// How long the oldest delivery had been in the spool.
    pub oldest: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SweepFields {
    level: &'static str,
    /// Absent if the sweep did not look into the spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    spool_left: Option<u32>,
    put_back: u32,
    quarantined: u32,
    reminded: u32,
    unreadable: u32,
}

/// Writes the line of one sweep; `None` for one that could not list its work.
pub(crate) fn swept(swept: Option<Swept>) {
    let Swept { looked_into_spool, put_back, quarantined, left, reminded, unreadable, oldest } =
        swept.unwrap_or_default();
    let metrics = [
        // An alarm rings when no sweep succeeds.
        Metric::count("Sweeps", u32::from(swept.is_some())),
        // A delivery that stays in the spool waits like one that is tried again.
        Metric::time("RetryAge", (left > 0).then_some(oldest)),
        Metric::count("SetAside", (quarantined > 0).then_some(quarantined)),
    ];
    let level = match swept {
        None => "ERROR",
        Some(_) if left > 0 || quarantined > 0 || unreadable > 0 => "ERROR",
        Some(_) if put_back > 0 => "WARN",
        Some(_) => "INFO",
    };
    let spool_left = looked_into_spool.then_some(left);
    let fields = SweepFields { level, spool_left, put_back, quarantined, reminded, unreadable };
    telemetry::line(&metrics, &fields);
}

#[derive(Serialize)]
struct JobFields {
    #[serde(rename = "Job")]
    job: &'static str,
    #[serde(rename = "JobResult")]
    result: &'static str,
    level: &'static str,
    bot: String,
    attempts: String,
}

/// Writes the line of one try of a job, after so many failed ones.
pub(crate) fn job(id: &SessionId, job: Job, attempts: u32, result: Result<&'static str, &'static str>) {
    let fields = JobFields {
        job: job.as_str(),
        result: result.unwrap_or_else(|code| code),
        level: if result.is_err() { "WARN" } else { "INFO" },
        bot: id.encoded(),
        attempts: attempts.to_string(),
    };
    telemetry::line(&[], &fields);
}

/// Logs a session that another version of this code wrote, or that is damaged. The session stays as it is, because a save would drop what
/// this version does not understand.
pub(crate) fn unreadable(session: &str, why: &Unreadable) {
    tracing::error!(session, reason = why.code(), "the stored session cannot be read and is left as it is");
}
