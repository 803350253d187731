//! JSON log lines. Each delivery has one line, which also carries its metrics if there are any; everything else is logged
//! through `tracing`.

mod log_lines;
mod metrics;
mod output;

pub use metrics::{Metric, line, milliseconds};

use log_lines::LogLines;
use shared::env::Lookup;
use std::panic;

/// Starts sending logs and metrics to standard output. Every line is flushed at once, because Lambda may freeze the sandbox after
/// any answer. Without this call nothing is written, so tests are quiet.
pub fn init(lookup: &impl Lookup) {
    metrics::init(lookup);
    // An error means a second call, which is harmless.
    let _ = tracing::subscriber::set_global_default(LogLines::default());
    // A panic's message can quote a body, so only the panic's location is logged.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
}
