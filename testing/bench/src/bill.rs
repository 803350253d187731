//! What a million deliveries take, and a month without any, in units that AWS has prices for.

use crate::pipeline::Taken;
use crate::prices::Line;
use crate::sink::CALL;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was measured of both functions for one kind of traffic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Which traffic.
    pub name: String,
    /// What the receiving function took.
    pub ingest: Taken,
    /// What the processing function took.
    pub process: Taken,
    /// How much is left in the table for a delivery, in bytes.
    pub stored_bytes: f64,
}

impl Usage {
    /// The least that a FIFO queue and two functions take for the same deliveries in the same batches: each message is sent,
    /// received and deleted, and each group of a batch is one write of one unit. Nothing is computed, read, logged, published or
    /// kept; what a function waits for is its one call.
    #[must_use]
    pub fn floor(&self) -> Self {
        let of = |taken: &Taken| Taken {
            invocations: taken.invocations,
            deliveries: taken.deliveries,
            seconds: number(taken.invocations) * CALL.as_secs_f64(),
            ..Taken::default()
        };
        let sent = BTreeMap::from([("SendMessage".to_owned(), self.ingest.deliveries)]);
        Self {
            name: self.name.clone(),
            ingest: Taken { billed_64_kb: sent, ..of(&self.ingest) },
            process: Taken { writes: self.process.calls.get("PutItem").copied().unwrap_or(0), ..of(&self.process) },
            stored_bytes: 0.0,
        }
    }
}

/// How the functions are set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Memory of ingest, in MB.
    pub ingest_memory_mb: f64,
    /// Memory of process, in MB.
    pub process_memory_mb: f64,
    /// Whether they run on arm64.
    pub arm64: bool,
    /// Days that logs are kept.
    pub log_retention_days: f64,
    /// Days that sessions are kept.
    pub session_retention_days: f64,
    /// The kinds of events that are published; `None` is all of them.
    pub published: Option<BTreeSet<String>>,
}

impl Setup {
    /// The cheapest that Lambda has.
    #[must_use]
    pub fn floor() -> Self {
        Self {
            ingest_memory_mb: 128.0,
            process_memory_mb: 128.0,
            arm64: true,
            log_retention_days: 0.0,
            session_retention_days: 0.0,
            published: None,
        }
    }

    fn gb_second(&self) -> &'static str {
        if self.arm64 { "lambda_gb_second_arm64" } else { "lambda_gb_second_x86_64" }
    }

    fn publishes(&self, kind: &str) -> bool {
        self.published.as_ref().is_none_or(|kinds| kinds.contains(kind))
    }
}

/// The memory at which Lambda gives a whole processor, in MB ("Configure Lambda function memory").
const WHOLE_PROCESSOR_MB: f64 = 1769.0;

/// The bill of a million deliveries, line by line.
#[must_use]
pub fn per_million(usage: &Usage, setup: &Setup) -> Vec<Line> {
    let ingest = |amount: f64| amount * 1e6 / number(usage.ingest.deliveries.max(1));
    let process = |amount: f64| amount * 1e6 / number(usage.process.deliveries.max(1));
    let of_ingest = |name: &str| ingest(requests(&usage.ingest, &[name]));
    let of_process = |names: &[&str]| process(requests(&usage.process, names));
    let (receiver, processor) = (&usage.ingest, &usage.process);
    // Each batch is received by one request and deleted by another, on behalf of the mapping; every further 64 KB of a
    // message count once more when it is received.
    let batches = process(number(processor.invocations));
    let sent = of_ingest("SendMessage");
    let further = (sent - ingest(number(receiver.deliveries))).max(0.0);
    let postponed = of_process(&["ChangeMessageVisibility", "ChangeMessageVisibilityBatch"]);
    // Each command is sent, received and deleted, and is an invocation of its own.
    let commands = of_process(&["SendMessage", "SendMessageBatch"]);
    let gb_seconds =
        ingest(gb_seconds(receiver, setup.ingest_memory_mb)) + process(gb_seconds(processor, setup.process_memory_mb));
    let log_gb = (ingest(number(receiver.log_bytes)) + process(number(processor.log_bytes))) / 1e9;
    let published = processor.events.iter().filter(|(kind, _)| setup.publishes(kind)).map(|(_, count)| count).sum();
    let months = |days: f64| days / 30.0;
    let table_gb = usage.stored_bytes * 1e6 / 1e9 * months(setup.session_retention_days);
    vec![
        Line::new("DynamoDB writes", "dynamodb_write_unit", process(number(processor.writes))),
        Line::new("DynamoDB index writes", "dynamodb_write_unit", process(number(processor.index_writes))),
        Line::new("DynamoDB reads", "dynamodb_read_unit", process(number(processor.half_reads)) / 2.0),
        Line::new("DynamoDB storage and backup", "dynamodb_gb_month", table_gb),
        Line::new("DynamoDB storage and backup", "dynamodb_backup_gb_month", table_gb),
        Line::new("SQS requests", "sqs_fifo_request", sent + further + 2.0 * batches + postponed),
        Line::new("SQS requests", "sqs_standard_request", 3.0 * commands),
        Line::new("Lambda requests", "lambda_request", ingest(number(receiver.invocations)) + batches + commands),
        Line::new("Lambda time", setup.gb_second(), gb_seconds),
        Line::new("Logs written", "logs_gb", log_gb),
        Line::new("Logs kept", "logs_gb_month", log_gb * months(setup.log_retention_days)),
        Line::new("EventBridge events", "eventbridge_event", process(number(published))),
        Line::new("S3 writes", "s3_put", of_process(&["PutObject"]) + of_ingest("PutObject")),
    ]
}

/// Requests as they are billed.
fn requests(taken: &Taken, names: &[&str]) -> f64 {
    number(names.iter().filter_map(|name| taken.billed_64_kb.get(*name)).sum())
}

/// Billed time times memory, in GB-seconds: the time that was waited, and processor time stretched to the share of a
/// processor that the memory brings. Each invocation is billed to the next millisecond.
fn gb_seconds(taken: &Taken, memory_mb: f64) -> f64 {
    let waited = (taken.seconds - taken.cpu_seconds).max(0.0);
    let computed = taken.cpu_seconds * (WHOLE_PROCESSOR_MB / memory_mb).max(1.0);
    let rounded_up = number(taken.invocations) * 0.0005;
    (waited + computed + rounded_up) * memory_mb / 1024.0
}

/// What there is to pay each month for a system without any traffic.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Alarms in the template.
    pub alarms: usize,
    /// Metrics that have data in every hour.
    pub metrics: usize,
    /// Receives each minute by the mapping of an empty queue.
    pub receives_per_minute: f64,
    /// Looks into the spool each minute.
    pub spool_looks_per_minute: f64,
    /// Queries of an empty index in each sweep.
    pub queries_per_sweep: f64,
}

/// Minutes in a month, and as many sweeps.
const MINUTES: f64 = 60.0 * 24.0 * 30.0;

/// What a sweep that finds nothing takes, in seconds: its calls go on beside each other.
const SWEEP_SECONDS: f64 = 0.05;

/// What a sweep's line has, in bytes.
const SWEEP_LOG_BYTES: f64 = 300.0;

/// The bill of a month without traffic. The dashboard is not in it: [`dashboard`].
#[must_use]
pub fn idle_month(idle: Idle, setup: &Setup) -> Vec<Line> {
    let receives = idle.receives_per_minute * MINUTES;
    let gb_seconds = MINUTES * SWEEP_SECONDS * setup.process_memory_mb / 1024.0;
    vec![
        Line::new("Polling of both queues", "sqs_fifo_request", receives),
        Line::new("Polling of both queues", "sqs_standard_request", receives),
        Line::new("Alarms", "alarm_month", e2e::statistics::as_f64(idle.alarms)),
        Line::new("Custom metrics", "custom_metric_month", e2e::statistics::as_f64(idle.metrics)),
        Line::new("Saved queries, as long as nobody runs one", "logs_scanned_gb", 0.0),
        Line::new("Secret", "secret_month", 1.0),
        Line::new("Sweeps: looks into the spool", "s3_list", MINUTES * idle.spool_looks_per_minute),
        Line::new("Sweeps: schedule", "scheduler_invocation", MINUTES),
        Line::new("Sweeps: invocations", "lambda_request", MINUTES),
        Line::new("Sweeps: invocations", setup.gb_second(), gb_seconds),
        // Eventually consistent, and nothing found: half a unit.
        Line::new("Sweeps: queries", "dynamodb_read_unit", MINUTES * idle.queries_per_sweep * 0.5),
        Line::new("Sweeps: log", "logs_gb", MINUTES * SWEEP_LOG_BYTES / 1e9),
    ]
}

/// The least that a month costs in which a FIFO queue waits for a message: the polling of its mapping.
#[must_use]
pub fn floor_of_a_month(idle: Idle) -> Vec<Line> {
    vec![Line::new("Polling of both queues", "sqs_fifo_request", idle.receives_per_minute * MINUTES)]
}

/// A month of the dashboard. It is apart from the rest, because it is free for all who have no three others.
#[must_use]
pub fn dashboard() -> Vec<Line> {
    vec![Line::new("The dashboard", "dashboard_month", 1.0)]
}

/// A webhook with its headers on its way through the optional front, in bytes: the recorded webhooks have less than half of it.
const FRONT_BYTES: f64 = 1_000.0;

/// What `make front` adds to a million webhooks.
#[must_use]
pub fn front_per_million() -> Vec<Line> {
    vec![
        Line::new("The front", "cloudfront_request", 1e6),
        Line::new("The front", "cloudfront_gb_to_origin", 1e6 * FRONT_BYTES / 1e9),
    ]
}

pub(crate) fn number(count: u64) -> f64 {
    u32::try_from(count).map_or_else(|_| count.to_string().parse().unwrap_or(f64::INFINITY), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::Prices;

    fn taken(invocations: u64, deliveries: u64) -> Taken {
        Taken { invocations, deliveries, ..Taken::default() }
    }

    fn setup() -> Setup {
        Setup {
            ingest_memory_mb: 256.0,
            process_memory_mb: 512.0,
            arm64: false,
            log_retention_days: 30.0,
            session_retention_days: 90.0,
            published: None,
        }
    }

    /// Ten deliveries, processed in batches of two.
    fn usage() -> Usage {
        let mut ingest = Taken { log_bytes: 4_000, seconds: 0.1, cpu_seconds: 0.01, ..taken(10, 10) };
        ingest.billed_64_kb.insert("SendMessage".to_owned(), 10);
        let mut process = Taken { writes: 10, half_reads: 20, index_writes: 1, ..taken(5, 10) };
        process.calls.insert("PutItem".to_owned(), 5);
        process.events = [("meeting.joining".to_owned(), 3), ("meeting.ended".to_owned(), 1)].into();
        Usage { name: "ten, in batches of two".to_owned(), ingest, process, stored_bytes: 1000.0 }
    }

    fn bill(usage: &Usage, setup: &Setup) -> BTreeMap<&'static str, f64> {
        let prices = Prices::load(&e2e::workspace().join("testing/bench/prices.toml")).unwrap();
        prices.at_list_price(&per_million(usage, setup)).unwrap().into_iter().collect()
    }

    fn near(bill: &BTreeMap<&str, f64>, name: &str, dollars: f64) {
        assert!((bill[name] - dollars).abs() < 1e-6, "{name}: {}", bill[name]);
    }

    #[test]
    fn a_million_deliveries_are_billed_by_what_was_counted() {
        let bill = bill(&usage(), &setup());
        near(&bill, "DynamoDB writes", 0.625);
        near(&bill, "DynamoDB index writes", 0.0625);
        near(&bill, "DynamoDB reads", 0.125);
        near(&bill, "DynamoDB storage and backup", 1.0 * 3.0 * 0.45);
        near(&bill, "SQS requests", 0.5 + 0.25 + 0.25);
        near(&bill, "Lambda requests", 0.2 + 0.1);
        near(&bill, "Logs written", 0.4 * 0.5);
        near(&bill, "EventBridge events", 0.4);
        let ingest_seconds = 0.09 + 0.01 * 1769.0 / 256.0 + 10.0 * 0.0005;
        near(&bill, "Lambda time", (ingest_seconds * 0.25 + 5.0 * 0.0005 * 0.5) * 16.6667e-6 * 1e5);
    }

    #[test]
    fn only_published_kinds_are_billed() {
        let only = |kinds: &[&str]| Some(kinds.iter().map(|kind| (*kind).to_owned()).collect());
        let limited = Setup { published: only(&["meeting.ended", "transcript.ready"]), ..setup() };
        near(&bill(&usage(), &limited), "EventBridge events", 0.1);
        near(&bill(&usage(), &Setup { published: only(&[]), ..setup() }), "EventBridge events", 0.0);
    }

    #[test]
    fn the_floor_is_three_requests_and_a_write_a_group() {
        let bill = bill(&usage().floor(), &Setup::floor());
        near(&bill, "SQS requests", 0.5 + 0.25 + 0.25);
        near(&bill, "Lambda requests", 0.2 + 0.1);
        near(&bill, "DynamoDB writes", 0.5 * 0.625);
        near(&bill, "Lambda time", 15.0 * 0.0055 * 0.125 * 13.3334e-6 * 1e5);
        let known = ["SQS requests", "Lambda requests", "DynamoDB writes", "Lambda time"];
        let rest: BTreeMap<_, _> = bill.iter().filter(|(name, _)| !known.contains(name)).collect();
        assert!(rest.values().all(|dollars| **dollars == 0.0), "{rest:?}");
    }
}
