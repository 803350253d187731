//! What a run of the benchmark found.

use crate::bill::Usage;
use crate::scale::Point;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that one run found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// Where and when, for the reader.
    pub machine: String,
    /// How often every program was started.
    pub rounds: usize,
    /// One row for each program.
    pub rows: Vec<Row>,
    /// Times of the first event of a small function, by program and memory in MB; empty where shares cannot be set.
    pub shares: BTreeMap<String, BTreeMap<u64, f64>>,
    /// What does not depend on load.
    pub exact: Exact,
    /// How cost grows.
    pub curves: Curves,
    /// Usage for the bill, one for each kind of traffic.
    pub usages: Vec<Usage>,
}

/// One program: of starts, and of the slowest of a hundred events, the lower quartile over all its lives; of everything else
/// the middle.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Row {
    /// The program's name.
    pub name: String,
    /// Start of the process until it asks for an event, in milliseconds.
    pub init_ms: f64,
    /// The first event, in milliseconds.
    pub first_ms: f64,
    /// Both together.
    pub cold_ms: f64,
    /// Processor time for both, in milliseconds.
    pub cold_cpu_ms: f64,
    /// The middle of warm events, in milliseconds.
    pub p50_ms: f64,
    /// What 99 of 100 warm events are not above, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of a warm event, in milliseconds.
    pub warm_cpu_ms: f64,
    /// The first event by the middle of warm ones.
    pub first_by_warm: f64,
    /// The most memory it held, in MB.
    pub memory_mb: f64,
    /// The middle of warm events with 256 KB, in milliseconds, where that was measured.
    pub large_p50_ms: Option<f64>,
}

/// Counts and sizes, the same in every run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exact {
    /// Instructions for a warm event of the bare hello.
    pub hello: f64,
    /// The same behind a function URL.
    pub hello_http: f64,
    /// Of ingest, for a typical webhook.
    pub accepted: f64,
    /// For one of 256 KB.
    pub accepted_256_kb: f64,
    /// The hello behind a function URL, for one of 256 KB.
    pub hello_http_256_kb: f64,
    /// Of ingest, for a forged webhook.
    pub forged: f64,
    /// Bytes that ingest allocates for a forged webhook of 1 KB, beyond what the front does.
    pub forged_allocates_1_kb: f64,
    /// The same for one of 900 KB.
    pub forged_allocates_900_kb: f64,
    /// The binaries.
    pub sizes: Vec<Size>,
    /// Forbidden crates in the dependency trees of the functions.
    pub forbidden: usize,
    /// Calls of process to DynamoDB for one group of ten records in a batch, by operation, and conditional ones among them.
    pub calls_per_group: BTreeMap<String, u64>,
    /// The same for ten groups of one record.
    pub calls_per_ten_groups: BTreeMap<String, u64>,
}

/// A binary as it is deployed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Size {
    /// Its name.
    pub name: String,
    /// In MB.
    pub binary_mb: f64,
    /// Zipped, in MB.
    pub zip_mb: f64,
}

/// How cost grows as work grows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Curves {
    /// Deliveries of one bot; what process took for one of them, in milliseconds of processor time.
    pub cpu_per_event: Vec<Point>,
    /// Deliveries of one bot; units of writing for one of them.
    pub writes_per_event: Vec<Point>,
    /// Deliveries of one bot; dollars for a million of them, without fixed costs.
    pub dollars_per_million: Vec<Point>,
    /// Bots in a batch; milliseconds for it, each call taking 5.
    pub batch: Vec<Point>,
    /// Bytes of a webhook; milliseconds of processor time of ingest.
    pub body: Vec<Point>,
    /// Deliveries waiting; seconds until none does.
    pub backlog: Vec<Point>,
}
