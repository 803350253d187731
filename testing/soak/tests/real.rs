//! A few dozen schedules with the real binaries over the local AWS, every time the tests run. `make soak` runs hundreds.

use anyhow::Result;
use e2e::local_aws::LocalAws;
use soak::{
    real::{SHARES, brown_out, covered},
    runs::{Amount, in_lanes},
};

#[tokio::test]
async fn no_schedule_of_faults_breaks_a_promise_of_the_real_binaries() -> Result<()> {
    let report = in_lanes(&LocalAws::from_env()?, 0, Amount::Count(30), false, 2).await?;
    assert!(report.failed.is_empty(), "{:?}; alone: cargo run -p soak -- --real --seed SEED", report.failed);
    assert!(report.run.deliveries() > 300, "nothing was sent: {}", report.run);
    covered(&report.run)
}

#[tokio::test]
async fn a_brown_out_of_sqs_loses_nothing() -> Result<()> {
    let report = brown_out(&LocalAws::from_env()?, 25, 0).await?;
    assert!(report.violations().is_empty(), "{:?}", report.violations());
    assert_eq!(report.0.len(), SHARES.len());
    for (percent, run) in &report.0 {
        assert_eq!(run.answers.get("200"), Some(&25), "SQS failing {percent} %: {run}");
        match percent {
            0 => assert_eq!(run.spooled, 0, "healthy: {run}"),
            100 => assert_eq!(run.spooled, 25, "dark: {run}"),
            _ => assert!(!run.struck.is_empty(), "SQS failing {percent} %: {run}"),
        }
    }
    Ok(())
}
