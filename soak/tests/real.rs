//! A few dozen schedules with the real binaries over the local AWS, every time the tests run. `make soak` runs hundreds.

use anyhow::Result;
use e2e::local_aws::LocalAws;
use soak::runs::{Amount, in_lanes};

#[tokio::test]
async fn no_schedule_of_faults_breaks_a_promise_of_the_real_binaries() -> Result<()> {
    let report = in_lanes(&LocalAws::from_env()?, 0, Amount::Count(30), 2).await?;
    assert!(report.failed.is_empty(), "{:?}; alone: cargo run -p soak -- --real --seed SEED", report.failed);
    assert!(report.run.deliveries() > 300, "nothing was sent: {}", report.run);
    Ok(())
}
