//! What does not depend on the machine's load: instructions, by callgrind, and bytes allocated, by dhat.

use crate::program::{Program, Valgrind};
use crate::sink::Sink;
use anyhow::{Context, Result, bail, ensure};
use e2e::runtime_api::Invocation;
use e2e::statistics::as_f64;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// valgrind runs a program about 50 times slower.
const LIMIT: Duration = Duration::from_secs(60);

/// How many events come before those that are counted, and how many are.
const BEFORE: usize = 10;
const COUNTED: usize = 40;

/// What valgrind counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Instructions executed.
    Instructions,
    /// Bytes taken from the heap, whether or not they were given back.
    AllocatedBytes,
}

/// How much one warm event takes. Whatever the answer is: forged ones count too.
///
/// # Errors
/// If the program does not run under valgrind, or does not answer.
pub async fn per_event(
    program: Program,
    sink: &Sink,
    valgrind: &Valgrind,
    counted: Counted,
    event: &[u8],
) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("counted");
    let events = [event.to_vec()];
    match counted {
        // The start would not matter if it were always the same; it depends on the order of things in a certificate store.
        Counted::Instructions => {
            run(program, sink, valgrind, counted, &events, Events { before: BEFORE, counted: COUNTED }, &out).await?;
            Ok(instructions(&out)? / as_f64(COUNTED))
        }
        Counted::AllocatedBytes => {
            let mut totals = Vec::new();
            for events_counted in [BEFORE, BEFORE + COUNTED] {
                run(program, sink, valgrind, counted, &events, Events { before: 0, counted: events_counted }, &out)
                    .await?;
                totals.push(allocated_bytes(&out)?);
            }
            let [few, many] = totals[..] else { bail!("two runs") };
            Ok((many - few) / as_f64(COUNTED))
        }
    }
}

/// How many events a run has, and from which on it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// Before counting begins; with 0 the start of the program is counted, too.
    pub before: usize,
    /// Counted.
    pub counted: usize,
}

/// Lets valgrind write down to `out` what it counted. The events are handed over in turn.
///
/// # Errors
/// As for [`per_event`].
pub async fn run(
    program: Program,
    sink: &Sink,
    valgrind: &Valgrind,
    counted: Counted,
    events: &[Vec<u8>],
    Events { before, counted: count }: Events,
    out: &Path,
) -> Result<()> {
    let (tool, option) = match counted {
        Counted::Instructions => ("callgrind", "callgrind-out-file"),
        Counted::AllocatedBytes => ("dhat", "dhat-out-file"),
    };
    let options = [format!("--tool={tool}"), format!("--{option}={}", out.display())];
    let function = program.under_valgrind(sink, valgrind, &options)?.start()?;
    function.ready(LIMIT).await?;
    let process_id = function.process_id().context("no process")?.to_string();
    for (at, event) in events.iter().cycle().take(before + count).enumerate() {
        if at == before && before > 0 {
            let forgot =
                Command::new(&valgrind.control).arg(format!("--pid={process_id}")).arg("zero").output().await?;
            ensure!(forgot.status.success(), "valgrind does not listen: {}", String::from_utf8_lossy(&forgot.stderr));
        }
        let (outcome, _) = function.invoke_timed(event.clone(), LIMIT).await;
        if !matches!(outcome, Invocation::Response(_)) {
            bail!("{} answered {outcome:?} under valgrind", program.name());
        }
    }
    // Asked politely valgrind writes down what it counted; killed it could not.
    Command::new("kill").args(["-TERM", &process_id]).status().await?;
    function.exited(LIMIT).await?;
    sink.take_calls()?;
    drop(sink.take_sent());
    Ok(())
}

fn instructions(out: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(out).context("callgrind wrote nothing down")?;
    let total = text.lines().filter_map(|line| line.strip_prefix("totals: ")).next_back().context("no total")?;
    Ok(total.trim().parse()?)
}

fn allocated_bytes(out: &Path) -> Result<f64> {
    let text = std::fs::read_to_string(out).context("dhat wrote nothing down")?;
    let written: Value = serde_json::from_str(&text)?;
    let points = written.get("pps").and_then(Value::as_array).context("no program points")?;
    Ok(points.iter().filter_map(|point| point.get("tb").and_then(Value::as_f64)).sum())
}
