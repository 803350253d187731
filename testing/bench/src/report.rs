//! What was found, as the tables of `docs/PERFORMANCE.md`.

use crate::bars::{Bar, figure};
use crate::results::{Exact, Results, Row};
use crate::scale::Point;
use anyhow::{Context, Result, ensure};
use comfy_table::{Cell, CellAlignment, Table, presets};
use std::path::Path;

/// A table in Markdown; every column but the first and those of text on the right.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    for row in rows {
        let cells = row.iter().map(|text| {
            let number = text.chars().next().is_some_and(|first| first.is_ascii_digit() || first == '$');
            Cell::new(text).set_alignment(if number { CellAlignment::Right } else { CellAlignment::Left })
        });
        table.add_row(cells);
    }
    table.to_string()
}

/// Everything that a run found, in Markdown.
#[must_use]
pub fn markdown(results: &Results, bars: &[Bar]) -> String {
    let mut parts = vec![
        format!("{}, {} rounds.", results.machine, results.rounds),
        "### The bars".to_owned(),
        bars_table(bars),
        "### Side by side".to_owned(),
        programs(&results.rows),
    ];
    if !results.shares.is_empty() {
        parts.extend(["### The first webhook of a small function".to_owned(), shares(results)]);
    }
    parts.extend(["### What does not depend on the machine's load".to_owned(), exact(&results.exact)]);
    parts.extend(["### How cost grows".to_owned(), growth(results)]);
    parts.join("\n\n")
}

/// The bars, those that fail with their cause.
#[must_use]
pub fn bars_table(bars: &[Bar]) -> String {
    let row = |bar: &Bar| {
        let verdict = if bar.holds() { "holds".to_owned() } else { format!("**fails**: {}", bar.cause) };
        vec![
            bar.id.to_owned(),
            bar.what.clone(),
            figure(bar.number),
            format!("{} {}", bar.sign(), figure(bar.bar)),
            verdict,
        ]
    };
    table(&["", "what", "measured", "bar", ""], &bars.iter().map(row).collect::<Vec<_>>())
}

/// Times and memory, a row for each program.
#[must_use]
pub fn programs(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let micros = |ms: f64| format!("{:.0}", ms * 1e3);
            vec![
                row.name.clone(),
                figure(row.cold_ms),
                figure(row.init_ms),
                figure(row.first_ms),
                figure(row.cold_cpu_ms),
                micros(row.p50_ms),
                micros(row.p99_ms),
                micros(row.warm_cpu_ms),
                figure(row.memory_mb),
                row.large_p50_ms.map_or_else(String::new, figure),
            ]
        })
        .collect();
    let head = [
        "program",
        "cold ms",
        "start ms",
        "first ms",
        "cold CPU ms",
        "warm p50 µs",
        "p99 µs",
        "warm CPU µs",
        "peak MB",
        "256 KB p50 ms",
    ];
    table(&head, &rows)
}

fn shares(results: &Results) -> String {
    let rows: Vec<_> = results
        .shares
        .iter()
        .map(|(name, times)| {
            let time = |memory| times.get(&memory).map_or_else(String::new, |time| figure(*time));
            vec![name.clone(), time(128), time(256), time(512)]
        })
        .collect();
    table(&["program, ms beyond the calls' own 5 ms", "128 MB", "256 MB", "512 MB"], &rows)
}

/// Counts and sizes.
#[must_use]
pub fn exact(exact: &Exact) -> String {
    let mut rows: Vec<_> = [
        ("instructions: bare hello", exact.hello),
        ("instructions: hello behind a URL", exact.hello_http),
        ("instructions: ingest, typical webhook", exact.accepted),
        ("instructions: ingest, forged webhook", exact.forged),
        ("instructions: hello behind a URL, 256 KB", exact.hello_http_256_kb),
        ("instructions: ingest, 256 KB", exact.accepted_256_kb),
        ("bytes allocated beyond the front: forged, 1 KB", exact.forged_allocates_1_kb),
        ("bytes allocated beyond the front: forged, 900 KB", exact.forged_allocates_900_kb),
    ]
    .map(|(what, number)| vec![what.to_owned(), figure(number)])
    .to_vec();
    for size in &exact.sizes {
        let (binary, zip) = (figure(size.binary_mb), figure(size.zip_mb));
        rows.push(vec![format!("MB: {}, stripped and zipped", size.name), format!("{binary}, {zip}")]);
    }
    for (what, calls) in [("one group of ten", &exact.calls_per_group), ("ten groups", &exact.calls_per_ten_groups)] {
        let calls: Vec<_> = calls.iter().map(|(operation, count)| format!("{count} {operation}")).collect();
        rows.push(vec![format!("AWS calls of process: {what}"), calls.join(", ")]);
    }
    table(&["what", "number"], &rows)
}

fn growth(results: &Results) -> String {
    let line = |points: &[Point]| {
        points
            .iter()
            .map(|point| format!("{}: {}", figure(point.work), figure(point.took)))
            .collect::<Vec<_>>()
            .join(" · ")
    };
    let curves = &results.curves;
    let rows: Vec<_> = [
        ("events of a bot: $ per million events", &curves.dollars_per_million),
        ("events of a bot: write units per event", &curves.writes_per_event),
        ("events of a bot: CPU ms per event", &curves.cpu_per_event),
        ("bots in a batch: ms", &curves.batch),
        ("bytes of a webhook: CPU ms", &curves.body),
        ("deliveries waiting: seconds to drain", &curves.backlog),
    ]
    .map(|(what, points)| vec![what.to_owned(), line(points)])
    .to_vec();
    table(&["work: what it takes", "points"], &rows)
}

/// Puts `text` between the marks `<!-- name -->` and `<!-- /name -->` of a document.
///
/// # Errors
/// If the document has no such marks.
pub fn insert(path: &Path, name: &str, text: &str) -> Result<()> {
    let document = std::fs::read_to_string(path).with_context(|| format!("no document {}", path.display()))?;
    std::fs::write(path, inserted(&document, name, text)?)?;
    Ok(())
}

fn inserted(document: &str, name: &str, text: &str) -> Result<String> {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&open).with_context(|| format!("no mark {open}"))?;
    let (_, after) = rest.split_once(&close).with_context(|| format!("no mark {close}"))?;
    ensure!(!after.contains(&open), "two marks {open}");
    Ok(format!("{before}{open}\n\n{text}\n\n{close}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let document = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let once = inserted(document, "x", "new").unwrap();
        assert_eq!(once, "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n");
        assert_eq!(inserted(&once, "x", "new").unwrap(), once);
        assert!(inserted(document, "y", "new").is_err());
    }

    #[test]
    fn numbers_stand_on_the_right() {
        let text = table(
            &["a", "b"],
            &[vec!["long text".to_owned(), "1.0".to_owned()], vec!["x".to_owned(), "10.0".to_owned()]],
        );
        assert!(text.contains("| long text |  1.0 |"), "{text}");
    }
}
