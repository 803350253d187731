//! The lines this function writes. Never a body, a name of a person or a secret.

use crate::{errand::Setback, record::Record, sweep::Swept};
use aws_smithy_runtime_api::client::result::SdkError;
use edge::aws::causes;
use edge::telemetry::{self, Metric};
use serde::Serialize;
use shared::{
    AcceptId, DeliveryKey, ReceivedAt, Session, SessionId,
    event::Outcome,
    session::{Disposition, Errand, Unreadable},
};
use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

/// What the line of a record says beside its metrics.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(rename = "Outcome")]
    outcome: &'static str,
    level: &'static str,
    request_id: &'a str,
    message_id: &'a str,
    receive_count: String,
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

/// Writes the line of one record, log entry and metrics in one. `disposition` is `None` for one that will be tried again.
pub(crate) fn outcome(request_id: &str, record: &Record, disposition: Option<Disposition>, told: Told) {
    let count = |counted: bool| counted.then_some(1);
    let age = told.received_at.and_then(|received_at| {
        let received = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(received_at.0).ok()?);
        Some(SystemTime::now().duration_since(received).unwrap_or_default())
    });
    let metrics = [
        Metric::count("Outcomes", 1),
        Metric::count("Quarantined", count(disposition == Some(Disposition::Quarantined))),
        Metric::count("Parked", count(disposition == Some(Disposition::Parked))),
        Metric::count("Retries", count(disposition.is_none())),
        Metric::time("Age", age),
    ];
    let fields = Fields {
        outcome: disposition.map_or("retry", Disposition::as_str),
        level: match disposition {
            Some(Disposition::Applied | Disposition::Duplicate | Disposition::Ignored) => "INFO",
            Some(Disposition::Quarantined | Disposition::Parked) => "ERROR",
            None => "WARN",
        },
        request_id,
        message_id: &record.message_id,
        receive_count: record.receive_count.to_string(),
        reason: told.reason,
        bot: told.bot,
        kind: told.kind,
        delivery_key: told.key.map(|key| key.to_string()),
        accept_id: told.accept_id,
    };
    telemetry::line(&[&["Outcome"], &[]], &metrics, &fields);
}

/// What the line of a meeting's end says beside its metrics.
#[derive(Serialize)]
struct MeetingFields {
    #[serde(rename = "MeetingOutcome")]
    outcome: &'static str,
    level: &'static str,
    bot: String,
}

/// Writes the line of a meeting's end, when it is first heard of or turns out to be another than it was `before`.
pub(crate) fn meeting(before: Option<Outcome>, session: &Session) {
    let Some(outcome) = session.outcome().filter(|outcome| before != Some(*outcome)) else { return };
    let has_failed = |outcome| matches!(outcome, Outcome::NotAdmitted | Outcome::Denied | Outcome::Failed);
    let fails_now = has_failed(outcome) && !before.is_some_and(has_failed);
    let metrics = [
        Metric::count("Meetings", before.is_none().then_some(1)),
        // What the alarm on bots that were not let in looks at.
        Metric::count("FailedMeetings", fails_now.then_some(1)),
    ];
    let level = if has_failed(outcome) { "WARN" } else { "INFO" };
    let fields = MeetingFields { outcome: outcome.as_str(), level, bot: session.id().encoded() };
    telemetry::line(&[&["MeetingOutcome"], &[]], &metrics, &fields);
}

/// What the line of a sweep says beside its metrics.
#[derive(Serialize)]
struct SweepFields {
    level: &'static str,
}

/// Writes the line of one sweep; `None` for one that could not even look.
pub(crate) fn swept(swept: Option<Swept>) {
    let Swept { put_back, quarantined, left, reminded, oldest } = swept.unwrap_or_default();
    let metrics = [
        // Those that got through: the alarm hears when there are none.
        Metric::count("Sweeps", u32::from(swept.is_some())),
        Metric::count("PutBack", put_back),
        Metric::count("SpoolLeft", left),
        Metric::count("Reminded", reminded),
        // What the alarm on a spool that does not empty looks at.
        Metric::time("SpoolAge", oldest),
        Metric::count("Quarantined", (quarantined > 0).then_some(quarantined)),
    ];
    let level = match swept {
        None => "ERROR",
        Some(_) if left > 0 || quarantined > 0 => "ERROR",
        Some(_) if put_back > 0 => "WARN",
        Some(_) => "INFO",
    };
    telemetry::line(&[&[]], &metrics, &SweepFields { level });
}

/// What the line of an errand says beside its metrics.
#[derive(Serialize)]
struct ErrandFields {
    #[serde(rename = "Errand")]
    errand: &'static str,
    #[serde(rename = "End")]
    end: &'static str,
    level: &'static str,
    bot: String,
    attempts: String,
}

/// Writes the line of one try of an errand, after so many in vain.
pub(crate) fn errand(id: &SessionId, errand: Errand, attempts: u32, end: Result<&'static str, Setback>) {
    let metrics = [Metric::count("Errands", 1), Metric::count("Setbacks", end.is_err().then_some(1))];
    let fields = ErrandFields {
        errand: errand.as_str(),
        end: end.unwrap_or_else(Setback::code),
        level: if end.is_err() { "WARN" } else { "INFO" },
        bot: id.encoded(),
        attempts: attempts.to_string(),
    };
    telemetry::line(&[&["Errand", "End"], &[]], &metrics, &fields);
}

/// Writes why a call to AWS failed: its name, and the error's own words.
pub(crate) fn aws_failure<E, R>(operation: &'static str, error: &SdkError<E, R>)
where
    E: std::error::Error + 'static,
    R: Debug,
{
    tracing::error!(operation, error = causes(error), "an AWS call failed on every attempt");
}

/// Writes which session another version of this code wrote, or something damaged. It stays as it is: what this version does not
/// understand would be missing from what it wrote.
pub(crate) fn unreadable(session: &str, why: &Unreadable) {
    tracing::error!(session, reason = why.code(), "the stored session cannot be read and is left as it is");
}
