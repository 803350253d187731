//! `soak`: runs seeded schedules, for a count or for a time, and tells what they came to.

use anyhow::{Result, bail};
use clap::Parser;
use e2e::local_aws::LocalAws;
use soak::{
    in_process,
    real::{self, BrownOut, Lane, Plan},
    report::Run,
    runs::{Amount, Report, in_lanes, in_threads},
    schedule::{Schedule, Speed},
};
use std::{fmt::Display, io::Write, time::Duration};

/// Run both functions under seeded faults and audit what is left
#[derive(Parser, Debug)]
struct Arguments {
    #[command(flatten)]
    mode: Mode,
    /// This schedule alone, printed in full
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many schedules
    #[arg(long, default_value_t = 1000)]
    count: u64,
    /// For how many seconds, instead of a count
    #[arg(long)]
    seconds: Option<u64>,
    /// The local AWS for the real binaries [default: what `make up` left, or `ROLLCALL_OUTPUTS` names]
    #[arg(long)]
    endpoint: Option<String>,
    /// How many pairs of the real binaries beside each other
    #[arg(long, default_value_t = 4)]
    lanes: u32,
    /// Fail also if a boundary or a kind of fault was never met
    #[arg(long)]
    covered: bool,
    /// Stop at the first schedule that breaks a promise
    #[arg(long)]
    first: bool,
}

#[derive(clap::Args, Clone, Copy, Debug)]
#[group(required = true, multiple = false)]
struct Mode {
    /// The handlers in this process, in virtual time
    #[arg(long)]
    in_process: bool,
    /// The real binaries over a local AWS
    #[arg(long)]
    real: bool,
    /// The real binaries while SQS fails 0, 10, 50 and 100 % of its calls, with so many deliveries each as --count says
    #[arg(long)]
    brown_out: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let aws = || match &arguments.endpoint {
        Some(endpoint) => Ok(LocalAws::bare(endpoint)),
        None => LocalAws::from_env(),
    };
    if arguments.mode.brown_out {
        let deliveries = usize::try_from(arguments.count)?;
        let report = real::brown_out(&aws()?, deliveries, arguments.from).await?;
        return tell_brown_out(&report);
    }
    if let Some(seed) = arguments.seed {
        if arguments.mode.real {
            let plan = Plan::draw(seed);
            let lane = Lane::start(&aws()?).await?;
            let run = lane.run(&plan).await?;
            lane.end().await?;
            return tell_one(&plan, &run);
        }
        let schedule = Schedule::draw(seed, Speed::InProcess);
        let run = tokio::task::block_in_place(|| in_process::run(&schedule))?;
        return tell_one(&schedule, &run);
    }
    let amount = match arguments.seconds {
        Some(seconds) => Amount::Time(Duration::from_secs(seconds)),
        None => Amount::Count(arguments.count),
    };
    let (mode, report) = if arguments.mode.real {
        ("real", in_lanes(&aws()?, arguments.from, amount, arguments.first, arguments.lanes).await?)
    } else {
        let one = |seed| in_process::run(&Schedule::draw(seed, Speed::InProcess));
        ("in-process", in_threads(arguments.from, amount, arguments.first, one)?)
    };
    tell(mode, &report)?;
    if arguments.covered && arguments.mode.real {
        real::covered(&report.run)?;
    }
    if !report.failed.is_empty() {
        bail!("{} schedules break a promise", report.failed.len());
    }
    Ok(())
}

fn tell_one(schedule: &impl Display, run: &Run) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{schedule}")?;
    for violation in &run.violations {
        writeln!(out, "  violation: {violation}")?;
    }
    writeln!(out, "{run}")?;
    if !run.violations.is_empty() {
        bail!("it breaks a promise");
    }
    Ok(())
}

fn tell_brown_out(report: &BrownOut) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "brown-out:\n{report}")?;
    let wrong = report.violations();
    for what in wrong.iter().take(10) {
        writeln!(out, "  {what}")?;
    }
    if !wrong.is_empty() {
        bail!("it breaks a promise");
    }
    Ok(())
}

fn tell(mode: &str, report: &Report) -> Result<()> {
    let mut out = std::io::stdout();
    let (from, to) = (report.from, report.from + report.schedules.saturating_sub(1));
    writeln!(out, "{mode}: {} schedules, seeds {from} to {to}, in {:.1?}", report.schedules, report.took)?;
    writeln!(out, "{}", report.run)?;
    for (seed, what) in &report.failed {
        writeln!(out, "  seed {seed}: {what}\n    alone: cargo run -p soak -- --{mode} --seed {seed}")?;
    }
    Ok(())
}
