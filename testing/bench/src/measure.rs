//! Times, processor time and memory of one program over one life: its start, its first event, and warm ones.

use crate::cpu_share::CpuShare;
use crate::program::Program;
use crate::sink::Sink;
use crate::usage;
use anyhow::{Context, Result, bail};
use e2e::runtime_api::{Function, Invocation};
use serde_json::Value;
use std::time::Duration;

/// Lambda's own limit for the start of a function, and more than any program here takes for an event.
const LIMIT: Duration = Duration::from_secs(10);

/// Warm events that are not counted: time for a just-in-time compiler to do its work.
const UNCOUNTED: usize = 100;

/// One life of a program.
#[derive(Clone, Debug)]
pub struct Life {
    /// From the start of the process until it asked for its first event.
    pub init: Duration,
    /// The first event, the sink's own time included.
    pub first: Duration,
    /// Processor time until the first answer.
    pub cold_cpu: Duration,
    /// Each warm event.
    pub warm: Vec<Duration>,
    /// Processor time for one warm event, on average.
    pub warm_cpu: Duration,
    /// The most memory that it held, in KiB.
    pub peak_memory_kib: u64,
}

/// Starts `program`, hands it `event` once and then `warm` times more, and ends it.
///
/// # Errors
/// If it does not start, or fails an event.
pub async fn life(program: Program, sink: &Sink, event: &[u8], warm: usize) -> Result<Life> {
    let function = program.spec(sink)?.start()?;
    function.ready(LIMIT).await?;
    let init = function.init_duration().context("no start")?;
    let process_id = function.process_id().context("no process")?;
    let first = invoke(program, &function, event).await?;
    let cold_cpu = usage::cpu(process_id)?;
    if warm > 0 {
        for _ in 0..UNCOUNTED {
            invoke(program, &function, event).await?;
        }
    }
    let before = usage::cpu(process_id)?;
    let mut times = Vec::with_capacity(warm);
    for _ in 0..warm {
        times.push(invoke(program, &function, event).await?);
    }
    let warm_cpu = usage::cpu(process_id)?.saturating_sub(before) / u32::try_from(warm.max(1))?;
    let peak_memory_kib = function.peak_memory_kib()?;
    function.kill().await;
    sink.take_calls()?;
    Ok(Life { init, first, cold_cpu, warm: times, warm_cpu, peak_memory_kib })
}

/// The first event of a program whose share of a processor is that of `memory_mb`, without the time that the sink took.
/// Its start has all the processor there is, as Lambda grants it.
///
/// # Errors
/// As for [`life`], and where the kernel lets nobody set shares.
pub async fn first_at_share(program: Program, sink: &Sink, event: &[u8], memory_mb: u64) -> Result<Duration> {
    let share = CpuShare::of(memory_mb)?;
    let function = program.spec(sink)?.start()?;
    function.ready(LIMIT).await?;
    sink.take_calls()?;
    share.admit(function.process_id().context("no process")?)?;
    // What the start used up must not count against the first event.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let first = invoke(program, &function, event).await?;
    function.kill().await;
    let held = sink.take_calls()?.iter().map(|call| call.held).sum();
    Ok(first.saturating_sub(held))
}

/// Hands over one event and holds the program to its answer.
///
/// # Errors
/// If it is not answered as an event that was taken.
pub async fn invoke(program: Program, function: &Function, event: &[u8]) -> Result<Duration> {
    match function.invoke_timed(event.to_vec(), LIMIT).await {
        (Invocation::Response(answer), Some(time)) if succeeded(program, &answer) => Ok(time),
        (outcome, _) => {
            let logs: Vec<_> = function.logs().into_iter().map(|line| line.text).collect();
            let from = logs.len().saturating_sub(10);
            bail!("{} answered {outcome:?}\n{}", program.name(), logs.get(from..).unwrap_or_default().join("\n"))
        }
    }
}

fn succeeded(program: Program, answer: &Value) -> bool {
    match program {
        Program::Hello => answer == "hello",
        Program::Process | Program::PythonProcessor => {
            answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty) && answer.is_object()
        }
        _ => answer["statusCode"] == 200,
    }
}
