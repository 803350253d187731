//! A few hundred schedules in virtual time, every time the tests run. `make soak` runs thousands.

use anyhow::Result;
use soak::{
    in_process,
    runs::{Amount, in_threads},
    schedule::{Schedule, Speed},
};

#[test]
fn no_schedule_of_faults_breaks_a_promise() -> Result<()> {
    let report = in_threads(0, Amount::Count(300), |seed| in_process::run(&Schedule::draw(seed, Speed::InProcess)))?;
    assert!(report.failed.is_empty(), "{:?}; alone: cargo run -p soak -- --in-process --seed SEED", report.failed);
    assert!(report.run.deliveries() > 5000, "nothing was sent: {}", report.run);
    assert!(report.run.struck.len() > 50, "hardly any fault struck: {}", report.run);
    Ok(())
}
