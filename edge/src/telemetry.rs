//! One JSON line for each delivery, which is at once its log entry and its metrics (`CloudWatch`'s embedded metric
//! format), and ordinary JSON log lines for everything else.

use metrique::{
    ServiceMetrics,
    emf::Emf,
    writer::{AttachGlobalEntrySinkExt, FormatExt, sink::AttachHandle},
};
use shared::env::{self, Lookup};
use std::{io, panic};
use tracing_subscriber::filter::LevelFilter;

/// The `CloudWatch` namespace of every metric, unless `METRICS_NAMESPACE` says otherwise: the template gives each stack its
/// own, so that one stack's alarms do not hear of another's deliveries.
const DEFAULT_NAMESPACE: &str = "Rollcall";

/// Sends logs and metrics to standard output, line by line and at once: a Lambda sandbox may be frozen after any answer.
/// Keep the handle as long as the process runs.
pub fn init(lookup: &impl Lookup) -> AttachHandle {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(io::stdout)
        .init();
    // A panic's own message can quote what was being read, so only its place is told.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked");
    }));
    let namespace = env::optional(lookup, "METRICS_NAMESPACE").ok().flatten();
    let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let emf = Emf::builder(namespace, vec![vec![]]).build();
    ServiceMetrics::write_directly_to(emf.output_to(io::stdout()))
}
