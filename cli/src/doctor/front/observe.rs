//! Whether what was sent shows in logs and metrics.

use super::Front;
use crate::doctor::{
    facts::Lookup,
    finding::{Check, Finding},
    logs::{self, Line, Lines},
};
use aws_sdk_cloudwatch::{primitives::DateTime, types::Statistic};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long log lines may take.
const LINES_WITHIN: Duration = Duration::from_secs(60);

/// How long metrics may take before it is told that they are late.
const METRICS_WITHIN: Duration = Duration::from_secs(180);

const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// Counted once a minute, whatever else happens.
const METRIC: &str = "Sweeps";

/// The lines of both functions about the invented bot.
pub(super) async fn lines(front: &Front<'_>) -> Finding {
    let check = Check::LogsLines;
    let mut found = Vec::new();
    for function in [&front.facts.ingest.name, &front.facts.process.name] {
        // A term with a hyphen is a term only between quotation marks.
        let wanted =
            Lines { group: logs::group(function), since: front.began - 5, pattern: format!("\"{}\"", front.run) };
        let deadline = Instant::now() + LINES_WITHIN;
        loop {
            let lines = match wanted.find(front.stack, |_| true).await {
                Lookup::Found(lines) => lines,
                other => {
                    return other
                        .judge(check, ("there is no log group", "see ingest.logging"), |_| Finding::pass(check, ""));
                }
            };
            if !lines.is_empty() || Instant::now() >= deadline {
                found.push((function.as_str(), lines));
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
    let platform = match front.stack.aws.is_local() {
        // It writes those lines whatever it is told.
        true => 0,
        false => platform_lines(front).await,
    };
    judge_lines(&found, platform)
}

/// How many lines Lambda itself wrote about ingest's invocations.
async fn platform_lines(front: &Front<'_>) -> usize {
    let group = logs::group(&front.facts.ingest.name);
    let wanted = Lines { group, since: front.began, pattern: "{ $.type = \"platform.start\" }".to_owned() };
    wanted.find(front.stack, |_| true).await.found().map_or(0, Vec::len)
}

fn judge_lines(found: &[(&str, Vec<Line>)], platform: usize) -> Finding {
    let check = Check::LogsLines;
    let mut problems = Vec::new();
    for (function, lines) in found {
        match lines {
            lines if lines.is_empty() => {
                problems.push(format!(
                    "{function} wrote no line about the invented bot within {} s",
                    LINES_WITHIN.as_secs()
                ));
            }
            lines if lines.iter().any(|line| !line.json.is_object()) => {
                problems
                    .push(format!("{function} writes lines that are no JSON objects: queries find nothing in them"));
            }
            _ => {}
        }
    }
    if !problems.is_empty() {
        return Finding::fail(check, problems.join("; "), "see ingest.logging and process.logging");
    }
    if platform > 0 {
        let what = format!("Lambda writes lines of its own about each invocation ({platform} since this began)");
        return Finding::warn(check, what, "see ingest.logging: the system's log level is to be WARN");
    }
    Finding::pass(check, "both functions' lines about the invented bot arrive, as JSON")
}

/// The metric that is made of log lines.
pub(super) async fn metrics(front: &Front<'_>) -> Finding {
    let check = Check::MetricsArrive;
    if front.stack.aws.is_local() {
        return Finding::skipped(check, "the local AWS does not make metrics of log lines");
    }
    let client = aws_sdk_cloudwatch::Client::new(&front.stack.aws.config);
    let namespace = format!("Rollcall/{}", front.stack.name);
    let began = Instant::now();
    loop {
        let now = Timestamp::now().as_second();
        let answer = client
            .get_metric_statistics()
            .namespace(&namespace)
            .metric_name(METRIC)
            .start_time(DateTime::from_secs(front.began / 60 * 60))
            .end_time(DateTime::from_secs(now + 60))
            .period(60)
            .statistics(Statistic::Sum)
            .send()
            .await;
        let points = answer.map(|answer| answer.datapoints().iter().filter_map(|point| point.sum()).sum::<f64>());
        match points {
            Ok(sum) if sum > 0.0 => {
                return Finding::pass(
                    check,
                    format!("{METRIC} of {namespace} has counted, {} s later", began.elapsed().as_secs()),
                );
            }
            Err(error) => return super::could_not(check, &front.stack.aws.failure("reading a metric", &error)),
            Ok(_) if began.elapsed() >= METRICS_WITHIN => {
                return Finding::warn(
                    check,
                    format!("{METRIC} of {namespace} has counted nothing within {} s", METRICS_WITHIN.as_secs()),
                    "look again in some minutes; if it stays empty, alarms on our own metrics cannot ring: see logs.lines",
                );
            }
            Ok(_) => tokio::time::sleep(BETWEEN_LOOKS).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;
    use serde_json::{Value, json};

    fn line(json: Value) -> Line {
        Line { at: 0, text: json.to_string(), json }
    }

    #[test]
    fn lines_arrive_as_json() {
        let good = || vec![line(json!({"level": "WARN"})), line(json!({"Reply": "200"}))];
        let check = |found: &[(&str, Vec<Line>)], platform, verdict, words: &str| {
            let finding = judge_lines(found, platform);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.what.contains(words), "{finding:?}");
        };
        check(&[("i", good()), ("p", good())], 0, Verdict::Pass, "both functions");
        check(&[("i", good()), ("p", vec![])], 0, Verdict::Fail, "p wrote no line");
        check(
            &[("i", vec![line(Value::Null)]), ("p", good())],
            0,
            Verdict::Fail,
            "i writes lines that are no JSON objects",
        );
        check(&[("i", good()), ("p", good())], 3, Verdict::Warn, "3 since this began");
    }
}
