//! One JSON line for each delivery, which is at once its log entry and, where there is something to count, its metrics; and
//! ordinary JSON log lines for everything else.

mod log_lines;
mod metrics;
mod output;

pub use metrics::{Metric, line, milliseconds};

use log_lines::LogLines;
use shared::env::Lookup;
use std::panic;

/// Sends logs and metrics to standard output, line by line and at once: a Lambda sandbox may be frozen after any answer.
/// Before it is called no line is written, so tests are quiet.
pub fn init(lookup: &impl Lookup) {
    metrics::init(lookup);
    // A second call would be a mistake, and no reason not to start.
    let _ = tracing::subscriber::set_global_default(LogLines::default());
    // A panic's own message can quote what was being read, so only its place is told.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
