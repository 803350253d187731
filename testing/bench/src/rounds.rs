//! Every program in turn, several times: what disturbs one round disturbs all programs in it.

use crate::awake::Awake;
use crate::events;
use crate::measure::{Life, first_at_share, life};
use crate::one_processor::OneProcessor;
use crate::pipeline::batch_of_bots;
use crate::program::Program;
use crate::results::Row;
use crate::sink::{CALL, Sink};
use anyhow::Result;
use e2e::statistics::{median, milliseconds, quantile};
use std::collections::BTreeMap;
use std::time::Duration;

/// Further starts of each program in each round, without warm events.
const STARTS: usize = 2;

/// Lives of `programs`, `rounds` of each, one after the other, with so many warm events.
///
/// # Errors
/// If a program fails, or nothing can be bound to one processor.
pub async fn rows(sink: &Sink, programs: &[Program], rounds: usize, warm: usize) -> Result<Vec<Row>> {
    let _one_processor = OneProcessor::hold()?;
    let webhook = events::signed(&events::typical()?)?;
    let batch = match programs.iter().any(|program| Program::PROCESSORS.contains(program)) {
        true => events::batch(&batch_of_bots(sink, 1, 2).await?),
        false => Vec::new(),
    };
    let large = events::signed(&events::of_size(256 * 1024)?)?;
    let mut lives: BTreeMap<Program, Vec<Life>> = BTreeMap::new();
    let mut starts: BTreeMap<Program, Vec<Life>> = BTreeMap::new();
    let mut large_times: BTreeMap<Program, Vec<f64>> = BTreeMap::new();
    sink.only_confirm(true);
    for _ in 0..rounds {
        for program in programs.iter().copied() {
            sink.empty_table();
            sink.agree_to_everything(!program.is_rust());
            let event = if Program::PROCESSORS.contains(&program) { &batch } else { &webhook };
            lives.entry(program).or_default().push(life(program, sink, event, warm).await?);
            for _ in 0..STARTS {
                sink.empty_table();
                starts.entry(program).or_default().push(life(program, sink, event, 0).await?);
            }
            if matches!(program, Program::Ingest | Program::Node20Express) {
                let life = life(program, sink, &large, warm / 5).await?;
                large_times.entry(program).or_default().push(median(&milliseconds(&life.warm)));
            }
            drop(sink.take_sent());
        }
    }
    sink.agree_to_everything(false);
    sink.only_confirm(false);
    let row = |program: &Program| {
        let large = large_times.get(program).map(|times| median(times));
        let all = |of: &BTreeMap<Program, Vec<Life>>| of.get(program).cloned().unwrap_or_default();
        row(program.name(), &all(&starts), &all(&lives), large)
    };
    Ok(programs.iter().map(row).collect())
}

/// What disturbs a program can only make it slower, and on a busy machine something disturbs most starts and some event of
/// every hundred: of those the lower quartile over all lives counts. Of what happens often enough the middle does.
fn row(name: &str, starts: &[Life], lives: &[Life], large_p50_ms: Option<f64>) -> Row {
    let start = |number: fn(&Life) -> Duration| {
        quantile(&starts.iter().chain(lives).map(|life| number(life).as_secs_f64() * 1e3).collect::<Vec<_>>(), 0.25)
    };
    let of = |number: fn(&Life) -> f64| median(&lives.iter().map(number).collect::<Vec<_>>());
    let warm = |share| lives.iter().map(|life| quantile(&milliseconds(&life.warm), share)).collect::<Vec<_>>();
    let (init_ms, first_ms, p50_ms) = (start(|life| life.init), start(|life| life.first), median(&warm(0.5)));
    Row {
        name: name.to_owned(),
        init_ms,
        first_ms,
        cold_ms: init_ms + first_ms,
        cold_cpu_ms: start(|life| life.cold_cpu),
        p50_ms,
        p99_ms: quantile(&warm(0.99), 0.25),
        warm_cpu_ms: of(|life| life.warm_cpu.as_secs_f64() * 1e3),
        first_by_warm: first_ms / p50_ms,
        memory_mb: of(|life| f64::from(u32::try_from(life.peak_memory_kib).unwrap_or(u32::MAX)) / 1024.0),
        large_p50_ms,
    }
}

/// The first event of receivers whose share of a processor is a small function's, without the sink's own time, by memory
/// in MB. `Err` where shares cannot be set.
///
/// # Errors
/// If a program fails, or the kernel lets nobody set shares.
pub async fn small_functions(
    sink: &Sink,
    programs: &[Program],
    rounds: usize,
) -> Result<BTreeMap<String, BTreeMap<u64, f64>>> {
    let _awake = Awake::keep();
    let webhook = events::signed(&events::typical()?)?;
    let mut times: BTreeMap<(Program, u64), Vec<Duration>> = BTreeMap::new();
    sink.delay(CALL);
    sink.only_confirm(true);
    for _ in 0..rounds {
        for program in programs.iter().copied() {
            for memory_mb in [128, 256, 512] {
                let time = first_at_share(program, sink, &webhook, memory_mb).await?;
                times.entry((program, memory_mb)).or_default().push(time);
            }
        }
    }
    sink.delay(Duration::ZERO);
    sink.only_confirm(false);
    drop(sink.take_sent());
    let mut shares: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    for ((program, memory_mb), times) in times {
        shares.entry(program.name().to_owned()).or_default().insert(memory_mb, quantile(&milliseconds(&times), 0.25));
    }
    Ok(shares)
}
