//! The bars, from what a run found. `docs/PERFORMANCE.md` says where each comes from.

use crate::bars::Bar;
use crate::program::Program;
use crate::results::{Curves, Exact, Results, Row};
use crate::scale::Point;
use crate::sink::CALL;
use e2e::statistics::growth;
use std::collections::BTreeMap;

const TLS: &str = "another TLS provider than ring: the default one burns processor time at its first use";
const WARM_UP: &str = "the first AWS call is no longer made in the start of the function, or TLS is not ring's";
const WARM: &str = "work added to every delivery: see `make profile`, and whether tokio's flavour is current_thread";
const SIZE: &str =
    "default features of an AWS crate, a second HTTP or TLS stack, or a build that is not the release profile";

/// What needs neither Node nor Python.
#[must_use]
pub fn alone(ingest: &Row, exact: &Exact) -> Vec<Bar> {
    let mut bars =
        vec![Bar::at_most("P2", "first invocation / warm p50 of ingest", ingest.first_by_warm, 3.0, WARM_UP)];
    bars.extend(instructions(exact));
    bars.extend(sizes(exact));
    bars
}

/// Instructions and allocations.
fn instructions(exact: &Exact) -> Vec<Bar> {
    if exact.accepted == 0.0 {
        return Vec::new();
    }
    let parsing = "a body parsed into a tree (`serde_json::Value`) instead of the few fields that are needed";
    let forged = "work done before the credential is checked";
    vec![
        Bar::at_most(
            "P6",
            "instructions of ingest / hello behind a URL",
            exact.accepted / exact.hello_http,
            RATIO,
            WARM,
        ),
        Bar::at_most("P6", "instructions of ingest for a typical webhook", exact.accepted, INSTRUCTIONS, WARM),
        Bar::at_most("P6", "instructions of ingest for a webhook of 256 KB", exact.accepted_256_kb, LARGE, parsing),
        Bar::at_least("P14", "accepted / forged webhook, instructions", exact.accepted / exact.forged, 3.0, forged),
        Bar::at_most(
            "P14",
            "bytes allocated for each byte of a forged webhook, beyond its front's",
            (exact.forged_allocates_900_kb - exact.forged_allocates_1_kb) / (899.0 * 1024.0),
            0.5,
            "a copy of the body is made before the credential is checked",
        ),
    ]
}

/// Logs and metrics included; without them it was 673 thousand and 4.2 times the front.
const INSTRUCTIONS: f64 = 720e3;
const RATIO: f64 = 4.83;

/// 47.5 million were measured, of which more than half are SHA-256 in software, for valgrind knows no better.
const LARGE: f64 = 50.5e6;

fn sizes(exact: &Exact) -> Vec<Bar> {
    let ingest = exact.sizes.iter().find(|size| Some(size.name.as_str()) == Program::Ingest.binary());
    let Some(ingest) = ingest else { return Vec::new() };
    vec![
        Bar::at_most("P8", "ingest zipped, MB", ingest.zip_mb, ZIP_MB, SIZE),
        Bar::at_most("P8", "ingest stripped, MB", ingest.binary_mb, BINARY_MB, SIZE),
    ]
}

/// 2.8 and 6.0 without the client of S3, and what that adds.
const ZIP_MB: f64 = 3.9;
const BINARY_MB: f64 = 7.9;

/// All bars; those that were not measured are missing.
#[must_use]
pub fn all(results: &Results) -> Vec<Bar> {
    let row = |program: Program| results.rows.iter().find(|row| row.name == program.name());
    let mut bars = Vec::new();
    if let Some(ingest) = row(Program::Ingest) {
        bars.extend(alone(ingest, &results.exact));
        bars.extend(row(Program::Hello).map(|hello| {
            Bar::at_most("P1", "ingest cold / bare hello cold", ingest.cold_ms / hello.cold_ms, 6.0, TLS)
        }));
        if let (Some(express), Some(handler), Some(python)) =
            (row(Program::Node20Express), row(Program::Node20Handler), row(Program::PythonReceiver))
        {
            bars.extend(beside(ingest, express, handler, python));
        }
    }
    bars.push(Bar::at_most(
        "P9",
        "forbidden crates in the functions",
        e2e::statistics::as_f64(results.exact.forbidden),
        0.0,
        "an AWS crate with its default features",
    ));
    if let Some(time) = results.shares.get(Program::Ingest.name()).and_then(|times| times.get(&128)) {
        bars.push(Bar::at_most(
            "P10",
            "first invocation at 128 MB beyond the calls' own time, ms",
            *time,
            3.0,
            WARM_UP,
        ));
    }
    bars.extend(calls(&results.exact));
    bars.extend(curves(&results.curves));
    bars.sort_by_key(|bar| bar.id.trim_start_matches('P').parse::<u32>().unwrap_or(u32::MAX));
    bars
}

fn beside(ingest: &Row, express: &Row, handler: &Row, python: &Row) -> Vec<Bar> {
    let faster =
        |id, what: &str, times: f64, bar, cause| Bar::at_least(id, format!("{what}, times faster"), times, bar, cause);
    let mut bars = vec![
        faster("P3", "cold than Express on Node 20", express.cold_ms / ingest.cold_ms, 30.0, TLS),
        faster("P3", "cold than the handler on Node 20", handler.cold_ms / ingest.cold_ms, 20.0, TLS),
        faster("P3", "cold than Python", python.cold_ms / ingest.cold_ms, 60.0, TLS),
        faster("P4", "warm p50 than Express on Node 20", express.p50_ms / ingest.p50_ms, 5.0, WARM),
        faster("P4", "warm p50 than the handler on Node 20", handler.p50_ms / ingest.p50_ms, 3.5, WARM),
        faster("P4", "warm p50 than Python", python.p50_ms / ingest.p50_ms, 4.5, WARM),
        faster("P5", "warm p99 than Express on Node 20", express.p99_ms / ingest.p99_ms, 8.0, WARM),
        Bar::at_most(
            "P7",
            "peak memory of ingest, MB",
            ingest.memory_mb,
            10.0,
            "a buffer that grows, or another allocator",
        ),
        Bar::at_least("P7", "peak memory of Express / ingest", express.memory_mb / ingest.memory_mb, 8.0, "as above"),
    ];
    if let (Some(express), Some(ingest)) = (express.large_p50_ms, ingest.large_p50_ms) {
        bars.push(faster("P13", "256 KB warm p50 than Express on Node 20", express / ingest, 2.0, WARM));
    }
    bars
}

fn calls(exact: &Exact) -> Vec<Bar> {
    if exact.calls_per_group.is_empty() {
        return Vec::new();
    }
    let second = "a call for each record instead of each group, or a second write";
    let of = |calls: &BTreeMap<String, u64>, operation: &str| number(calls.get(operation).copied().unwrap_or(0));
    let others = |calls: &BTreeMap<String, u64>| {
        number(
            calls
                .iter()
                .filter(|(name, _)| {
                    !["GetItem", "PutItem"].contains(&name.as_str()) && !OTHER_SERVICES.contains(&name.as_str())
                })
                .map(|(_, count)| count)
                .sum(),
        )
    };
    let (one, ten) = (&exact.calls_per_group, &exact.calls_per_ten_groups);
    vec![
        Bar::at_most("P12", "reads for a group of ten records", of(one, "GetItem"), 1.0, second),
        Bar::at_most("P12", "writes for a group of ten records", of(one, "PutItem"), 1.0, second),
        Bar::at_most("P12", "reads for ten groups", of(ten, "GetItem"), 10.0, second),
        Bar::at_most("P12", "writes for ten groups", of(ten, "PutItem"), 10.0, second),
        Bar::at_most("P12", "other calls to DynamoDB", others(one) + others(ten), 0.0, "a transaction, or a query"),
    ]
}

/// Calls that are not DynamoDB's.
const OTHER_SERVICES: [&str; 5] =
    ["SendMessage", "SendMessageBatch", "PutEvents", "PutObject", "ChangeMessageVisibilityBatch"];

fn curves(curves: &Curves) -> Vec<Bar> {
    let took = |points: &[Point], work: f64| points.iter().find(|point| point.work == work).map(|point| point.took);
    let mut bars = Vec::new();
    if let (Some(one), Some(ten)) = (took(&curves.batch, 1.0), took(&curves.batch, 10.0)) {
        let what = format!("ten groups one after the other / beside each other, calls of {} ms", CALL.as_millis());
        bars.push(Bar::at_least("P11", what, 10.0 * one / ten, 5.0, "groups of a batch wait for each other"));
    }
    let growing = "something is read or written again for each of the deliveries before";
    if let (Some(few), Some(many)) =
        (took(&curves.dollars_per_million, 10.0), took(&curves.dollars_per_million, 1000.0))
    {
        bars.push(Bar::at_most("P15", "dollars per event, bot of 1000 / bot of 10", many / few, 3.0, growing));
    }
    for (what, points) in
        [("bots in a batch", &curves.batch), ("size of a body", &curves.body), ("a backlog", &curves.backlog)]
    {
        if points.len() > 1 {
            let slope = growth(&points.iter().map(|point| (point.work, point.took)).collect::<Vec<_>>());
            bars.push(Bar::at_most("P16", format!("growth with {what} (1 is linear)"), slope, 1.1, growing));
        }
    }
    bars
}

fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
