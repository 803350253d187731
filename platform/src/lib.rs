//! What the mains of both functions need and the pure crate must not have.
//!
//! # Invariants
//! - Nothing here knows what a webhook is.
//! - No `aws-config`: on Lambda region and credentials come from the environment, and its provider chain costs cold start.
//! - This is the only place that reads the process environment.

pub mod aws;
pub mod telemetry;

/// Looks up a variable of the process environment. Settings are read through it once, in `main`; tests pass a table.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the process environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
