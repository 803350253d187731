//! Everything that does not depend on the machine's load.

use crate::events;
use crate::instructions::{Counted, per_event};
use crate::one_processor::OneProcessor;
use crate::pipeline::{Worker, queued};
use crate::program::{Program, Valgrind, release};
use crate::results::{Exact, Size};
use crate::sink::Sink;
use anyhow::Result;
use e2e::statistics::as_f64;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::collections::BTreeMap;
use std::io::Write;

/// Counts the instructions of ingest and of the floor.
///
/// # Errors
/// If a program does not run under valgrind.
pub async fn instructions(sink: &Sink, valgrind: &Valgrind, found: &mut Exact) -> Result<()> {
    let typical = events::typical()?;
    let (accepted, forged) = (events::signed(&typical)?, events::forged(&typical)?);
    let large = events::signed(&events::of_size(256 * 1024)?)?;
    let count = async |program, event: &[u8]| per_event(program, sink, valgrind, Counted::Instructions, event).await;
    found.hello = count(Program::Hello, &accepted).await?;
    found.hello_http = count(Program::HelloHttp, &accepted).await?;
    found.accepted = count(Program::Ingest, &accepted).await?;
    found.forged = count(Program::Ingest, &forged).await?;
    found.hello_http_256_kb = count(Program::HelloHttp, &large).await?;
    found.accepted_256_kb = count(Program::Ingest, &large).await?;
    Ok(())
}

/// Counts what ingest allocates for a forged webhook beyond what its front does: for a small and for a large one.
///
/// # Errors
/// If a program does not run under valgrind.
pub async fn allocations(sink: &Sink, valgrind: &Valgrind, found: &mut Exact) -> Result<()> {
    let _one_processor = OneProcessor::hold()?;
    let beyond = async |bytes: usize| {
        let event = events::forged(&events::of_size(bytes)?)?;
        // How the front's buffers grow depends on how a body comes in; they grow least when it comes at once.
        let of = async |program| {
            let mut least = f64::INFINITY;
            for _ in 0..3 {
                least = least.min(per_event(program, sink, valgrind, Counted::AllocatedBytes, &event).await?);
            }
            anyhow::Ok(least)
        };
        anyhow::Ok(of(Program::Ingest).await? - of(Program::HelloHttp).await?)
    };
    found.forged_allocates_1_kb = beyond(1024).await?;
    found.forged_allocates_900_kb = beyond(900 * 1024).await?;
    Ok(())
}

/// Measures binaries as they are, and zipped as they are deployed.
///
/// # Errors
/// If one is not built.
pub fn sizes(programs: &[Program]) -> Result<Vec<Size>> {
    let mut sizes = Vec::new();
    for name in programs.iter().filter_map(|program| program.binary()) {
        let bytes = std::fs::read(release(name)?)?;
        let mut zip = DeflateEncoder::new(Vec::new(), Compression::default());
        zip.write_all(&bytes)?;
        let megabytes = |length: usize| as_f64(length) / 1e6;
        let (binary_mb, zip_mb) = (megabytes(bytes.len()), megabytes(zip.finish()?.len()));
        sizes.push(Size { name: name.to_owned(), binary_mb, zip_mb });
    }
    Ok(sizes)
}

/// Counts the calls of process for one group of ten records, and for ten groups of one, in one batch.
///
/// # Errors
/// If a record fails.
pub async fn calls(sink: &Sink, found: &mut Exact) -> Result<()> {
    let one_group = queued(sink, &events::meeting("bot-1", 10)?).await?;
    let ten_groups = crate::pipeline::batch_of_bots(sink, 10, 2).await?;
    let count = async |batch: &[events::Queued]| -> Result<BTreeMap<String, u64>> {
        sink.empty_table();
        let mut process = Worker::start(Program::Process, sink).await?;
        process.process(batch).await?;
        Ok(process.taken.calls)
    };
    found.calls_per_group = count(&one_group).await?;
    found.calls_per_ten_groups = count(&ten_groups).await?;
    Ok(())
}
