//! The code that both functions need and that does I/O, which `shared` must not: connections to AWS, log lines, metrics.
//!
//! # Invariants
//! - Nothing here knows what a webhook is.
//! - No `aws-config`: on Lambda, region and credentials come from the environment, and the provider chain of `aws-config` costs
//!   cold start.
//! - This is the only place that reads the process environment.

pub mod aws;
pub mod telemetry;

/// Looks up a variable of the process environment. Settings are read through it once, in `main`; tests pass a table.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the process environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
