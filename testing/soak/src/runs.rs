//! Many schedules, one after the other and beside each other.

use crate::{
    real::{Lane, Plan},
    report::Run,
};
use anyhow::{Context, Result};
use e2e::local_aws::LocalAws;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// So many schedules.
    Count(u64),
    /// As many as begin within this time.
    Time(Duration),
}

/// What they came to.
#[derive(Debug, Default)]
pub struct Report {
    /// The first seed.
    pub from: u64,
    /// How many seeds were run.
    pub schedules: u64,
    /// How long it took.
    pub took: Duration,
    /// All together.
    pub run: Run,
    /// The seeds that broke a promise, each with its first violation.
    pub failed: Vec<(u64, String)>,
}

/// Runs the schedules of the seeds from `from` on, as many beside each other as the machine has cores; with `until_broken` none
/// is begun any more once one has broken a promise.
///
/// # Errors
/// If the harness itself fails.
pub fn in_threads(
    from: u64,
    amount: Amount,
    until_broken: bool,
    one: impl Fn(u64) -> Result<Run> + Sync,
) -> Result<Report> {
    let began = Instant::now();
    let (next, all) = (AtomicU64::new(from), Mutex::new(Report { from, ..Report::default() }));
    let work = || -> Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if amount.is_enough(seed - from, began) || (until_broken && is_broken(&all)) {
                return Ok(());
            }
            let run = one(seed)?;
            all.lock().unwrap_or_else(PoisonError::into_inner).add(seed, run);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    let mut report = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.took = began.elapsed();
    Ok(report)
}

/// The same with the real binaries, in so many lanes beside each other.
///
/// # Errors
/// If the harness itself fails, or the local AWS does.
pub async fn in_lanes(aws: &LocalAws, from: u64, amount: Amount, until_broken: bool, lanes: u32) -> Result<Report> {
    let began = Instant::now();
    let (next, all) = (AtomicU64::new(from), Mutex::new(Report { from, ..Report::default() }));
    let work = async || -> Result<()> {
        let lane = Lane::start(aws).await?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if amount.is_enough(seed - from, began) || (until_broken && is_broken(&all)) {
                return lane.end().await;
            }
            let run = lane.run(&Plan::draw(seed)).await.with_context(|| format!("seed {seed}"))?;
            all.lock().unwrap_or_else(PoisonError::into_inner).add(seed, run);
        }
    };
    futures_util::future::try_join_all((0..lanes).map(|_| work())).await?;
    let mut report = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.took = began.elapsed();
    Ok(report)
}

fn is_broken(all: &Mutex<Report>) -> bool {
    !all.lock().unwrap_or_else(PoisonError::into_inner).failed.is_empty()
}

impl Amount {
    fn is_enough(self, done: u64, began: Instant) -> bool {
        match self {
            Self::Count(count) => done >= count,
            Self::Time(time) => began.elapsed() >= time,
        }
    }
}

impl Report {
    /// Adds the run of a seed.
    pub fn add(&mut self, seed: u64, run: Run) {
        self.schedules += 1;
        if let Some(first) = run.violations.first() {
            self.failed.push((seed, first.clone()));
            self.failed.sort_unstable();
        }
        self.run.add(run);
    }
}
