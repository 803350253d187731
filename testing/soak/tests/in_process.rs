//! A few hundred schedules in virtual time, every time the tests run. `make soak` runs thousands.

use anyhow::Result;
use soak::{
    fault::Call,
    in_process,
    runs::{Amount, in_threads},
    schedule::{Schedule, Speed},
};

#[test]
fn no_schedule_of_faults_breaks_a_promise() -> Result<()> {
    let report =
        in_threads(0, Amount::Count(300), false, |seed| in_process::run(&Schedule::draw(seed, Speed::InProcess)))?;
    assert!(report.failed.is_empty(), "{:?}; alone: cargo run -p soak -- --in-process --seed SEED", report.failed);
    assert!(report.run.deliveries() > 5000, "nothing was sent: {}", report.run);
    assert!(report.run.struck.len() > 50, "hardly any fault struck: {}", report.run);
    for call in Call::ALL {
        // So few schedules hardly ever take a calendar's entry away while something fails; `make soak` has thousands.
        if matches!(call, Call::Unmirror) {
            continue;
        }
        let call = format!("{call:?}");
        assert!(report.run.struck.keys().any(|(struck, _)| *struck == call), "no fault struck {call}: {}", report.run);
    }
    for job in ["transcript.ready", "recording.ready", "artifact.unavailable", "data.deleted", "calendar.event_changed"]
    {
        assert!(report.run.jobs.contains_key(job), "no {job} was published: {}", report.run);
    }
    for answer in ["Detail", "Entries", "Download(Transcript) Truncated", "Locate(Video) NotFound", "Detail Gone"] {
        assert!(report.run.jobs.contains_key(answer), "nobody was answered {answer}: {}", report.run);
    }
    Ok(())
}

/// Without this a seed that is printed might not fail again alone.
#[test]
fn a_seed_always_runs_the_same() -> Result<()> {
    for seed in 0..25 {
        let mut runs =
            (0..3).map(|_| in_process::run(&Schedule::draw(seed, Speed::InProcess)).map(|run| run.to_string()));
        let first = runs.next().transpose()?;
        for other in runs {
            assert_eq!(Some(other?), first, "seed {seed}");
        }
    }
    Ok(())
}
