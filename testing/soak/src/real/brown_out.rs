//! A brown-out: for its whole length SQS fails some share of its calls, and senders wait for their answers.

use super::{Lane, Plan, Strike, boundary::Boundary};
use crate::{
    account::Account,
    bodies,
    delivery::Delivery,
    fault::Weather,
    report::Run,
    schedule::{Schedule, Settings, Wave},
};
use anyhow::Result;
use e2e::{
    fault_proxy::{Moment, Refusal},
    local_aws::LocalAws,
};
use fastrand::Rng;
use shared::Endpoint;
use std::{collections::BTreeMap, fmt, time::Duration};

/// The shares of SQS's calls that fail, in percent. The first is the healthy run that the others are compared with.
pub const SHARES: [u8; 4] = [0, 10, 50, 100];

/// How a failing call fails: mostly with an answer, because then a client tries again at once; sometimes with none.
const FAILURES: [Strike; 6] = [
    Strike::Refused(Refusal::Internal),
    Strike::Refused(Refusal::Unavailable),
    Strike::Refused(Refusal::Throttled),
    Strike::Cut(Moment::BeforeEffect),
    Strike::Cut(Moment::AfterEffect),
    Strike::TimedOut(Moment::BeforeEffect),
];

/// The calls to SQS that fail. That nothing can be received either needs no fault: it only comes later then.
const CALLS: [Boundary; 3] = [Boundary::SendMessage, Boundary::SendBack, Boundary::ChangeVisibility];

/// How many deliveries a bot has.
const PER_BOT: usize = 5;

/// What became of the deliveries under each share.
#[derive(Debug)]
pub struct BrownOut(pub Vec<(u8, Run)>);

/// Sends so many deliveries under each share of failing calls, over the real functions.
///
/// # Errors
/// If the harness itself fails, or the local AWS does.
pub async fn brown_out(aws: &LocalAws, deliveries: usize, seed: u64) -> Result<BrownOut> {
    let lane = Lane::start(aws).await?;
    let mut runs = Vec::new();
    for percent in SHARES {
        let plan = Plan::brown_out(percent, deliveries, seed);
        runs.push((percent, lane.run(&plan).await?));
    }
    lane.end().await?;
    Ok(BrownOut(runs))
}

impl Plan {
    /// So many deliveries one after the other while so many percent of SQS's calls fail.
    #[must_use]
    pub fn brown_out(percent: u8, deliveries: usize, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let sent = (0..deliveries.div_ceil(PER_BOT)).flat_map(|bot| {
            let id = format!("brown-{seed:x}-{bot}");
            let course = bodies::course(&mut rng, Endpoint::MeetStream, false, &id, "word").into_iter().take(PER_BOT);
            course.map(Delivery::of).collect::<Vec<_>>()
        });
        let wave = Wave {
            leap: Duration::ZERO,
            deliveries: sent.take(deliveries).collect(),
            strangers: vec![],
            weather: Weather::default(),
            tail: Duration::ZERO,
            orders: vec![],
            replay_after: Duration::ZERO,
        };
        // The seed is part of every accept id: the queue must not fold the deliveries of one share into those of another.
        let seed = seed.wrapping_mul(101).wrapping_add(u64::from(percent));
        let settings = Settings::draw(&mut rng);
        let schedule = Schedule { seed, settings, account: Account::default(), waves: vec![wave] };
        let mut strikes = BTreeMap::new();
        for boundary in CALLS {
            // A delivery takes a few attempts, and a sweep tries each spooled one again and again.
            for n in 0..u32::try_from(deliveries * 40).unwrap_or(u32::MAX) {
                if rng.u8(0..100) < percent
                    && let Some(strike) = rng.choice(FAILURES)
                {
                    strikes.insert((boundary, n), strike);
                }
            }
        }
        Self { schedule, strikes, poison: None }
    }
}

impl BrownOut {
    /// What is wrong, with its share.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let of = |(percent, run): &(u8, Run)| {
            let wrong = run.violations.iter().map(|what| format!("SQS failing {percent} %: {what}"));
            wrong.collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).collect()
    }
}

impl fmt::Display for BrownOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let healthy = self.0.first().and_then(|(_, run)| run.waited(0.5)).unwrap_or_default().as_secs_f64();
        writeln!(f, "  SQS fails  answered 200  by the bucket  another answer  p50            p99            longest")?;
        for (percent, run) in &self.0 {
            let accepted = run.answers.get("200").copied().unwrap_or(0);
            let time = |share| {
                let waited = run.waited(share).unwrap_or_default().as_secs_f64();
                format!("{:>7.1} ms {:>4.0}x", waited * 1e3, waited / healthy)
            };
            writeln!(
                f,
                "  {percent:>5} % of calls {accepted:>6} {:>14} {:>15}  {}  {}  {}",
                run.spooled,
                run.deliveries() - accepted,
                time(0.5),
                time(0.99),
                time(1.0),
            )?;
        }
        write!(f, "  violations {}", self.violations().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brown_out_fails_the_share_of_calls_that_it_says() {
        for percent in SHARES {
            let plan = Plan::brown_out(percent, 100, 7);
            let failing = (0..4000).filter(|n| plan.strikes.contains_key(&(Boundary::SendMessage, *n))).count();
            let expected = usize::from(percent) * 40;
            assert!(failing.abs_diff(expected) <= 100, "{percent} %: {failing} of 4000");
            assert_eq!(plan.schedule.waves[0].deliveries.len(), 100);
        }
    }
}
