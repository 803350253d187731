//! `docs/COST.md` and `make cost`: measured usage, list prices, and the reader's own numbers.

use crate::bars::Bar;
use crate::bill::{Idle, Setup, Usage, idle_month, per_million};
use crate::pipeline::{Taken, Worker, queued};
use crate::prices::{Prices, total};
use crate::program::Program;
use crate::queue::{Fifo, Shape};
use crate::sink::{CALL, Sink};
use crate::{events, table as store};
use anyhow::{Context, Result, ensure};
use clap::Args;
use e2e::statistics::as_f64;
use e2e::template::Template;
use e2e::workspace;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// The reader's own numbers.
#[derive(Args, Clone, Debug)]
pub struct Yours {
    /// Meetings a month, of 12 webhooks each
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub meetings: u32,
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
    /// The kinds of events that are published, with commas between them [default: the template's]
    #[arg(long, value_delimiter = ',')]
    pub published: Option<Vec<String>>,
}

impl Yours {
    /// Everything as in the template.
    #[must_use]
    pub fn of_the_template() -> Self {
        Self {
            meetings: 5000,
            ingest_memory: None,
            process_memory: None,
            arm64: false,
            log_days: None,
            session_days: None,
            published: None,
        }
    }
}

/// Webhooks of a meeting, from the joining to what the provider has made of it.
pub const WEBHOOKS_OF_A_MEETING: u32 = 12;

/// A choice of kinds for `PublishedKinds` that leaves a consumer with what a meeting came to: that the bot was in it, how it ended,
/// and what there is of it.
pub const LIMITED: [&str; 6] =
    ["meeting.joined", "meeting.ended", "transcript.ready", "recording.ready", "artifact.unavailable", "data.deleted"];

/// [`LIMITED`] as a setup has it.
#[must_use]
pub fn limited() -> BTreeSet<String> {
    LIMITED.map(str::to_owned).into()
}

/// What a million deliveries cost that took so much of process, ingest and fixed costs apart.
///
/// # Errors
/// If the price list lacks a price.
pub fn dollars_per_million(process: Taken, setup: &Setup, prices: &Prices) -> Result<f64> {
    let ingest = Taken { deliveries: process.deliveries, ..Taken::default() };
    let usage = Usage { name: String::new(), ingest, process, stored_bytes: 0.0 };
    Ok(total(&prices.at_list_price(&per_million(&usage, setup))?))
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
/// If the template lacks a parameter, or a kind of event is none.
pub fn setup(yours: &Yours) -> Result<Setup> {
    let template = Template::load()?;
    let by_default = template.get("/Parameters/PublishedKinds/Default").as_str().context("no PublishedKinds")?;
    let published = yours.published.clone().unwrap_or_else(|| by_default.split(',').map(str::to_owned).collect());
    let published = (published != ["all"]).then_some(published);
    for kind in published.iter().flatten() {
        let schema = workspace().join("docs/schemas").join(format!("{kind}.json"));
        ensure!(schema.exists(), "no event is called {kind:?}: docs/schemas has one file for each kind");
    }
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
        published: published.map(|kinds| kinds.into_iter().collect()),
    })
}

/// Metrics that have data in every hour of an ordinary month: `Sweeps`. All others have data only where something is wrong, and a
/// metric is billed by the hours in which it has data ("Amazon CloudWatch pricing").
const METRICS: usize = 1;

/// Receives of an empty queue: Lambda keeps five long polls open, of 20 seconds each. It would go down to two where there is
/// little traffic, but not with `ScalingConfig` ("Configuring scaling behavior for SQS event source mappings").
const RECEIVES_PER_MINUTE: f64 = 15.0;

/// Queries of the index `by_due` in each sweep, one for each of its parts.
const QUERIES_PER_SWEEP: f64 = 7.0;

/// What a month without any webhook takes.
///
/// # Errors
/// If there is no template.
pub fn idle() -> Result<Idle> {
    let template = Template::load()?;
    // An alarm with a condition is one that somebody asked for.
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    let alarms = alarms.iter().filter(|alarm| alarm.attribute("Condition").is_null()).count();
    // The schedule tells the sweep in which minutes the spool has its turn; where it does not, in each.
    let sweep = template.get("/Resources/SweepSchedule/Properties/Target/Input").as_str().context("no sweep")?;
    let sweep: Value = serde_json::from_str(sweep).context("the sweep's input is not JSON")?;
    let spool_every_minutes = sweep.get("spool_every_minutes").and_then(Value::as_f64).unwrap_or(1.0);
    Ok(Idle {
        alarms,
        metrics: METRICS,
        receives_per_minute: RECEIVES_PER_MINUTE,
        spool_looks_per_minute: 1.0 / spool_every_minutes,
        queries_per_sweep: QUERIES_PER_SWEEP,
    })
}

/// The traffic of an ordinary day, and that of full batches.
///
/// # Errors
/// If one of them was not measured.
pub fn low_and_full(usages: &[Usage]) -> Result<(&Usage, &Usage)> {
    let find = |(name, ..): &(&str, Shape, usize, usize)| {
        usages.iter().find(|usage| usage.name == *name).with_context(|| format!("{name:?} was not measured"))
    };
    let [low, _, full, _] = &TRAFFIC;
    Ok((find(low)?, find(full)?))
}

/// The bars of the bill, in dollars, with everything as the template sets it up. What is made dearer than these fails the tests.
///
/// # Errors
/// If something is missing.
pub fn bars(usages: &[Usage]) -> Result<Vec<Bar>> {
    let (prices, setup, idle) = (prices()?, setup(&Yours::of_the_template())?, idle()?);
    let (low, full) = low_and_full(usages)?;
    let limited = Setup { published: Some(limited()), ..setup.clone() };
    let million = |usage: &Usage, setup: &Setup| {
        Ok::<_, anyhow::Error>(total(&prices.at_list_price(&per_million(usage, setup))?))
    };
    let month = idle_month(idle, &setup);
    let more = "a call, a write unit or a log field more for each delivery";
    let fixed = "an alarm, a metric or a call more in each sweep";
    Ok(vec![
        Bar::at_most("C1", "$ a month without webhooks", total(&prices.at_list_price(&month)?), 2.40, fixed),
        Bar::at_most("C2", "$ of it within the free tiers", total(&prices.within_free_tiers(&month)?), 0.70, fixed),
        Bar::at_most("C3", "$ for a million webhooks, low", million(low, &setup)?, 4.85, more),
        Bar::at_most("C4", "$ for a million webhooks, full batches", million(full, &setup)?, 3.10, more),
        Bar::at_most("C5", "$ for a million webhooks, low, a few kinds published", million(low, &limited)?, 4.25, more),
        Bar::at_most("C6", "$ the same in full batches", million(full, &limited)?, 2.50, more),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_holds_its_bars() {
        for bar in bars(&kept().unwrap()).unwrap() {
            assert!(bar.holds(), "{bar}");
        }
    }

    #[test]
    fn the_kinds_of_the_limited_choice_are_kinds() {
        let yours = Yours { published: Some(LIMITED.map(str::to_owned).into()), ..Yours::of_the_template() };
        assert_eq!(setup(&yours).unwrap().published.unwrap().len(), LIMITED.len());
        let wrong = Yours { published: Some(vec!["meeting.stopped".to_owned()]), ..Yours::of_the_template() };
        assert!(setup(&wrong).unwrap_err().to_string().contains("\"meeting.stopped\""));
    }
}
