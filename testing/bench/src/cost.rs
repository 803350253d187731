//! `docs/COST.md` and `make cost`: measured usage, list prices, and the reader's own numbers.

use crate::bars::figure;
use crate::bill::{Idle, Prices, Setup, Usage, idle_month, per_million, total, within_free_tiers};
use crate::pipeline::{Taken, Worker, queued};
use crate::program::Program;
use crate::queue::{Fifo, Shape};
use crate::report::table;
use crate::rounds::CALL;
use crate::sink::Sink;
use crate::{events, table as store};
use anyhow::{Context, Result};
use clap::Args;
use e2e::statistics::as_f64;
use e2e::template::Template;
use e2e::workspace;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// The reader's own numbers.
#[derive(Args, Clone, Copy, Debug)]
pub struct Yours {
    /// Webhooks a month
    #[arg(long, default_value_t = 1e6)]
    pub events: f64,
    /// Memory of ingest, in MB [default: the template's]
    #[arg(long)]
    pub ingest_memory: Option<u32>,
    /// Memory of process, in MB [default: the template's]
    #[arg(long)]
    pub process_memory: Option<u32>,
    /// On arm64
    #[arg(long)]
    pub arm64: bool,
    /// Days that logs are kept [default: the template's]
    #[arg(long)]
    pub log_days: Option<u32>,
    /// Days that sessions are kept [default: the template's]
    #[arg(long)]
    pub session_days: Option<u32>,
}

impl Yours {
    /// A million webhooks, and everything else as in the template.
    #[must_use]
    pub fn of_the_template() -> Self {
        Self {
            events: 1e6,
            ingest_memory: None,
            process_memory: None,
            arm64: false,
            log_days: None,
            session_days: None,
        }
    }
}

/// What a million deliveries cost that took so much of process, ingest and fixed costs apart.
///
/// # Errors
/// If the price list lacks a price.
pub fn dollars_per_million(process: Taken, setup: Setup, prices: &Prices) -> Result<f64> {
    let ingest = Taken { deliveries: process.deliveries, ..Taken::default() };
    let usage = Usage { name: String::new(), ingest, process, stored_bytes: 0.0 };
    Ok(total(&per_million(&usage, setup, prices)?))
}

/// Kinds of traffic: their name, how full batches are, how many bots are busy at a time, and events of a bot.
const TRAFFIC: [(&str, Shape, usize, usize); 4] = [
    ("low: a webhook now and then", Shape { most: 1, of_group: 1 }, 4, 12),
    ("medium: batches of 3", Shape { most: 3, of_group: 1 }, 12, 12),
    ("high: batches of 10", Shape { most: 10, of_group: 2 }, 20, 12),
    ("high, bots that talk: 100 events each", Shape { most: 10, of_group: 2 }, 10, 100),
];

/// Measures what each kind of traffic takes.
///
/// # Errors
/// If a delivery is refused or fails.
pub async fn measure(sink: &Sink) -> Result<Vec<Usage>> {
    let mut usages = Vec::new();
    for (name, shape, bots, events_each) in TRAFFIC {
        sink.empty_table();
        let meetings: Vec<_> = (0..bots)
            .map(|bot| events::meeting(&format!("7c1e4a92-5d0b-4f6e-9a37-{bot:012x}"), events_each))
            .collect::<Result<_>>()?;
        // Meetings run beside each other.
        let bodies: Vec<_> =
            (0..events_each).flat_map(|at| meetings.iter().filter_map(move |m| m.get(at)).cloned()).collect();
        sink.delay(CALL);
        let mut ingest = Worker::start(Program::Ingest, sink).await?;
        for body in bodies.iter().take(100) {
            ingest.receive(body).await?;
        }
        let ingest = ingest.end().await?;
        sink.delay(Duration::ZERO);
        let mut queue = Fifo::default();
        queued(sink, &bodies).await?.into_iter().for_each(|message| queue.push(message));
        sink.delay(CALL);
        let mut process = Worker::start(Program::Process, sink).await?;
        process.drain(&mut queue, shape).await?;
        let process = process.end().await?;
        sink.delay(Duration::ZERO);
        let stored_bytes = as_f64(usize::try_from(sink.table(store::Table::bytes))?) / as_f64(bodies.len());
        usages.push(Usage { name: name.to_owned(), ingest, process, stored_bytes });
    }
    Ok(usages)
}

/// Where measured usage is kept, so that a bill needs no measuring.
fn usage_file() -> PathBuf {
    workspace().join("testing/bench/usage.json")
}

/// Keeps what was measured.
///
/// # Errors
/// If it cannot be written.
pub fn keep(usages: &[Usage]) -> Result<()> {
    Ok(std::fs::write(usage_file(), format!("{}\n", serde_json::to_string_pretty(&json!(usages))?))?)
}

/// What was measured last.
///
/// # Errors
/// If nothing was.
pub fn kept() -> Result<Vec<Usage>> {
    let text = std::fs::read_to_string(usage_file()).context("nothing is measured yet: `make bench` does")?;
    Ok(serde_json::from_str(&text)?)
}

/// The price list.
///
/// # Errors
/// If it cannot be read.
pub fn prices() -> Result<Prices> {
    Prices::load(&workspace().join("testing/bench/prices.toml"))
}

/// The functions as the template sets them up, but for the reader's own numbers.
///
/// # Errors
/// If the template lacks a parameter.
pub fn setup(yours: Yours) -> Result<Setup> {
    let template = Template::load()?;
    let parameter = |own: Option<u32>, name: &str| match own {
        Some(own) => Ok(f64::from(own)),
        None => Ok::<_, anyhow::Error>(f64::from(u32::try_from(template.number(&json!({"Ref": name}))?)?)),
    };
    Ok(Setup {
        ingest_memory_mb: parameter(yours.ingest_memory, "IngestMemoryMb")?,
        process_memory_mb: parameter(yours.process_memory, "ProcessMemoryMb")?,
        arm64: yours.arm64,
        log_retention_days: parameter(yours.log_days, "LogRetentionDays")?,
        session_retention_days: parameter(yours.session_days, "SessionRetentionDays")?,
    })
}

/// Metrics that have data in every hour of an ordinary month: `Sweeps`. All others have data only where something is wrong, and a
/// metric is billed by the hours in which it has data ("Amazon CloudWatch pricing").
const METRICS: usize = 1;

/// Receives of an empty queue: Lambda keeps five long polls open, of 20 seconds each. It would go down to two where there is
/// little traffic, but not with `ScalingConfig` ("Configuring scaling behavior for SQS event source mappings").
const RECEIVES_PER_MINUTE: f64 = 15.0;

/// Queries of the index `by_due` in each sweep, one for each of its parts.
const QUERIES_PER_SWEEP: f64 = 6.0;

/// The bill of every kind of traffic, and of none, in Markdown.
///
/// # Errors
/// If something is missing.
pub fn markdown(usages: &[Usage], yours: Yours) -> Result<String> {
    let (prices, setup) = (prices()?, setup(yours)?);
    let bills = usages.iter().map(|usage| per_million(usage, setup, &prices)).collect::<Result<Vec<_>>>()?;
    let mut head = vec!["$ for a million webhooks"];
    head.extend(usages.iter().map(|usage| usage.name.as_str()));
    let dollars = |amount: f64| format!("${amount:.2}");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (at, (name, _)) in bills.first().context("nothing is measured")?.iter().enumerate() {
        let amounts: Vec<_> = bills.iter().filter_map(|bill| bill.get(at)).map(|(_, amount)| *amount).collect();
        if amounts.iter().any(|amount| *amount >= 0.005) {
            let mut row = vec![(*name).to_owned()];
            row.extend(amounts.into_iter().map(dollars));
            rows.push(row);
        }
    }
    let summed = |name: &str, of: &dyn Fn(f64) -> f64| {
        let mut row = vec![format!("**{name}**")];
        row.extend(bills.iter().map(|bill| dollars(of(total(bill)))));
        row
    };
    rows.push(summed("sum", &|sum| sum));
    let free = within_free_tiers(idle(setup)?, &prices)?;
    let idle = idle_month(idle(setup)?, &prices)?;
    let months = format!("{} webhooks a month, with the fixed ${:.2}", figure(yours.events), total(&idle));
    rows.push(summed(&months, &|sum| sum * yours.events / 1e6 + total(&idle)));
    let both = idle
        .iter()
        .zip(&free)
        .map(|((name, list), (_, free))| vec![(*name).to_owned(), dollars(*list), dollars(*free)]);
    let sums = vec!["**sum**".to_owned(), dollars(total(&idle)), dollars(total(&free))];
    let fixed: Vec<_> = both.chain([sums]).collect();
    let arm = if setup.arm64 { "arm64" } else { "x86_64" };
    let what = format!(
        "Prices of {} as of {}; ingest {} MB, process {} MB, {arm}; logs kept {} days, sessions {}.",
        prices.region,
        prices.date,
        setup.ingest_memory_mb,
        setup.process_memory_mb,
        setup.log_retention_days,
        setup.session_retention_days,
    );
    let measured =
        table(&["measured for one webhook", "low", "medium", "high", "high, talking"], &per_delivery(usages));
    Ok([
        what,
        table(&head, &rows),
        "Fixed, for a month without any webhook:".to_owned(),
        table(&["", "list price", "within the free tiers"], &fixed),
        measured,
    ]
    .join("\n\n"))
}

fn per_delivery(usages: &[Usage]) -> Vec<Vec<String>> {
    let row = |name: &str, of: &dyn Fn(&Usage) -> f64| {
        let mut row = vec![name.to_owned()];
        row.extend(usages.iter().map(|usage| figure(of(usage))));
        row
    };
    let count = |number: u64| as_f64(usize::try_from(number).unwrap_or(usize::MAX));
    let calls = |usage: &Usage, name: &str| {
        usage.process.per_delivery(count(usage.process.calls.get(name).copied().unwrap_or(0)))
    };
    vec![
        row("invocations of process", &|usage| usage.process.per_delivery(count(usage.process.invocations))),
        row("reads of a session", &|usage| calls(usage, "GetItem")),
        row("writes", &|usage| calls(usage, "PutItem")),
        row("write units, without indexes", &|usage| usage.process.per_delivery(count(usage.process.writes))),
        row("write units of indexes", &|usage| usage.process.per_delivery(count(usage.process.index_writes))),
        row("read units", &|usage| usage.process.per_delivery(count(usage.process.half_reads) / 2.0)),
        row("log bytes of ingest", &|usage| usage.ingest.per_delivery(count(usage.ingest.log_bytes))),
        row("log bytes of process", &|usage| usage.process.per_delivery(count(usage.process.log_bytes))),
        row("ms of ingest, calls of 5 ms", &|usage| usage.ingest.per_delivery(usage.ingest.seconds) * 1e3),
        row("ms of process, calls of 5 ms", &|usage| usage.process.per_delivery(usage.process.seconds) * 1e3),
        row("bytes left in the table", &|usage| usage.stored_bytes),
    ]
}

fn idle(setup: Setup) -> Result<Idle> {
    // An alarm with a condition is one that somebody asked for.
    let alarms = Template::load()?.of_type("AWS::CloudWatch::Alarm");
    let alarms = alarms.iter().filter(|alarm| alarm.attribute("Condition").is_null()).count();
    Ok(Idle {
        alarms,
        metrics: METRICS,
        receives_per_minute: RECEIVES_PER_MINUTE,
        queries_per_sweep: QUERIES_PER_SWEEP,
        process_memory_mb: setup.process_memory_mb,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_without_webhooks_costs_no_more_than_this() {
        let (prices, setup) = (prices().unwrap(), setup(Yours::of_the_template()).unwrap());
        let idle = idle(setup).unwrap();
        let (list, free) =
            (total(&idle_month(idle, &prices).unwrap()), total(&within_free_tiers(idle, &prices).unwrap()));
        assert!(list <= 2.50 && free <= 0.80, "{list} at list price, {free} within the free tiers");
    }
}
