//! What a million deliveries cost, and a month without any: measured usage times list prices.

use crate::pipeline::Taken;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// AWS's list prices, from `testing/bench/prices.toml`.
#[derive(Clone, Debug, Deserialize)]
pub struct Prices {
    /// Of which region.
    pub region: String,
    /// As of when.
    pub date: String,
    per_million: BTreeMap<String, f64>,
    per_gb: BTreeMap<String, f64>,
    per_month: BTreeMap<String, f64>,
}

impl Prices {
    /// Reads the price list.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("no prices in {}", path.display()))?;
        toml::from_str(&text).context("the price list cannot be read")
    }

    fn each(&self, name: &str) -> Result<f64> {
        Ok(self.per_million.get(name).with_context(|| format!("no price for {name}"))? / 1e6)
    }

    fn gb(&self, name: &str) -> Result<f64> {
        self.per_gb.get(name).copied().with_context(|| format!("no price for {name}"))
    }

    fn month(&self, name: &str) -> Result<f64> {
        self.per_month.get(name).copied().with_context(|| format!("no price for {name}"))
    }
}

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

/// How the functions are set up.
#[derive(Clone, Copy, Debug)]
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
}

/// A line of the bill: what for, and how many dollars.
pub type Line = (&'static str, f64);

/// The memory at which Lambda gives a whole processor, in MB.
const WHOLE_PROCESSOR_MB: f64 = 1769.0;

/// The bill of a million deliveries, line by line.
///
/// # Errors
/// If the price list lacks a price.
pub fn per_million(usage: &Usage, setup: Setup, prices: &Prices) -> Result<Vec<Line>> {
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
    let fifo = sent + further + 2.0 * batches + postponed;
    // Each command is sent, received and deleted, and is an invocation of its own.
    let commands = of_process(&["SendMessage", "SendMessageBatch"]);
    let gb_second = if setup.arm64 { "lambda_gb_second_arm64" } else { "lambda_gb_second_x86_64" };
    let gb_seconds =
        ingest(gb_seconds(receiver, setup.ingest_memory_mb)) + process(gb_seconds(processor, setup.process_memory_mb));
    let log_gb = (ingest(number(receiver.log_bytes)) + process(number(processor.log_bytes))) / 1e9;
    let months = |days: f64| days / 30.0;
    let table_gb = usage.stored_bytes * 1e6 / 1e9 * months(setup.session_retention_days);
    Ok(vec![
        ("DynamoDB writes", process(number(processor.writes)) * prices.each("dynamodb_write_unit")?),
        ("DynamoDB index writes", process(number(processor.index_writes)) * prices.each("dynamodb_write_unit")?),
        ("DynamoDB reads", process(number(processor.half_reads)) / 2.0 * prices.each("dynamodb_read_unit")?),
        (
            "DynamoDB storage and backup",
            table_gb * (prices.gb("dynamodb_month")? + prices.gb("dynamodb_backup_month")?),
        ),
        (
            "SQS requests",
            fifo * prices.each("sqs_fifo_request")? + 3.0 * commands * prices.each("sqs_standard_request")?,
        ),
        (
            "Lambda requests",
            (ingest(number(receiver.invocations)) + batches + commands) * prices.each("lambda_request")?,
        ),
        ("Lambda time", gb_seconds * prices.each(gb_second)?),
        ("Logs written", log_gb * prices.gb("logs_ingested")?),
        ("Logs kept", log_gb * prices.gb("logs_month")? * months(setup.log_retention_days)),
        ("EventBridge events", of_process(&["PutEvents"]) * prices.each("eventbridge_event")?),
        ("S3 writes", (of_process(&["PutObject"]) + of_ingest("PutObject")) * prices.each("s3_put")?),
    ])
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
    /// Queries of an empty index in each sweep.
    pub queries_per_sweep: f64,
    /// Memory of process, which sweeps, in MB.
    pub process_memory_mb: f64,
}

/// Minutes in a month, and as many sweeps.
const MINUTES: f64 = 60.0 * 24.0 * 30.0;

/// What a sweep that finds nothing takes, in seconds: its calls go on beside each other.
const SWEEP_SECONDS: f64 = 0.05;

/// What a sweep's line has, in bytes.
const SWEEP_LOG_BYTES: f64 = 300.0;

/// The bill of a month without traffic, at list prices.
///
/// # Errors
/// If the price list lacks a price.
pub fn idle_month(idle: Idle, prices: &Prices) -> Result<Vec<Line>> {
    let receives = idle.receives_per_minute * MINUTES;
    let gb_seconds = MINUTES * SWEEP_SECONDS * idle.process_memory_mb / 1024.0;
    Ok(vec![
        (
            "Polling of both queues",
            receives * (prices.each("sqs_fifo_request")? + prices.each("sqs_standard_request")?),
        ),
        ("Alarms", e2e::statistics::as_f64(idle.alarms) * prices.month("alarm")?),
        ("Custom metrics", e2e::statistics::as_f64(idle.metrics) * prices.month("custom_metric")?),
        ("Secret", prices.month("secret")?),
        ("Sweeps: looks into the spool", MINUTES * prices.each("s3_list")?),
        ("Sweeps: schedule", MINUTES * prices.each("scheduler_invocation")?),
        (
            "Sweeps: invocations",
            MINUTES * prices.each("lambda_request")? + gb_seconds * prices.each("lambda_gb_second_x86_64")?,
        ),
        // Eventually consistent, and nothing found: half a unit.
        ("Sweeps: queries", MINUTES * idle.queries_per_sweep * 0.5 * prices.each("dynamodb_read_unit")?),
        ("Sweeps: log", MINUTES * SWEEP_LOG_BYTES / 1e9 * prices.gb("logs_ingested")?),
    ])
}

/// The same in an account that uses nothing else, within what AWS gives for good: a million requests of SQS, ten alarms, ten
/// metrics, three dashboards, 5 GB of logs, a million requests and 400,000 GB-seconds of Lambda, 14 million invocations by the
/// scheduler (each service's pricing page). Not what is free for the first months only, as S3's requests are.
///
/// # Errors
/// If the price list lacks a price.
pub fn within_free_tiers(idle: Idle, prices: &Prices) -> Result<Vec<Line>> {
    let requests = 2.0 * idle.receives_per_minute * MINUTES;
    let paid_share = (requests - 1e6).max(0.0) / requests;
    let lines = idle_month(idle, prices)?.into_iter().map(|(name, dollars)| {
        let left = match name {
            "Polling of both queues" => dollars * paid_share,
            "Alarms" if idle.alarms <= 10 => 0.0,
            "Custom metrics" if idle.metrics <= 10 => 0.0,
            "Sweeps: schedule" | "Sweeps: invocations" | "Sweeps: log" => 0.0,
            _ => dollars,
        };
        (name, left)
    });
    Ok(lines.collect())
}

/// The sum of a bill.
#[must_use]
pub fn total(lines: &[Line]) -> f64 {
    lines.iter().map(|(_, dollars)| dollars).sum()
}

fn number(count: u64) -> f64 {
    u32::try_from(count).map_or_else(|_| count.to_string().parse().unwrap_or(f64::INFINITY), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(invocations: u64, deliveries: u64) -> Taken {
        Taken { invocations, deliveries, ..Taken::default() }
    }

    #[test]
    fn a_million_deliveries_are_billed_by_what_was_counted() {
        let prices = Prices::load(&e2e::workspace().join("testing/bench/prices.toml")).unwrap();
        let setup = Setup {
            ingest_memory_mb: 256.0,
            process_memory_mb: 512.0,
            arm64: false,
            log_retention_days: 30.0,
            session_retention_days: 90.0,
        };
        let mut ingest = Taken { log_bytes: 4_000, seconds: 0.1, cpu_seconds: 0.01, ..taken(10, 10) };
        ingest.billed_64_kb.insert("SendMessage".to_owned(), 10);
        let process = Taken { writes: 10, half_reads: 20, index_writes: 1, ..taken(5, 10) };
        let usage = Usage { name: "ten, in batches of two".to_owned(), ingest, process, stored_bytes: 1000.0 };
        let bill: BTreeMap<_, _> = per_million(&usage, setup, &prices).unwrap().into_iter().collect();
        let near = |name: &str, dollars: f64| assert!((bill[name] - dollars).abs() < 1e-6, "{name}: {}", bill[name]);
        near("DynamoDB writes", 0.625);
        near("DynamoDB index writes", 0.0625);
        near("DynamoDB reads", 0.125);
        near("DynamoDB storage and backup", 1.0 * 3.0 * 0.45);
        near("SQS requests", 0.5 + 0.25 + 0.25);
        near("Lambda requests", 0.2 + 0.1);
        near("Logs written", 0.4 * 0.5);
        let ingest_seconds = 0.09 + 0.01 * 1769.0 / 256.0 + 10.0 * 0.0005;
        near("Lambda time", (ingest_seconds * 0.25 + 5.0 * 0.0005 * 0.5) * 16.6667e-6 * 1e5);
    }
}
