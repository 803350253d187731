//! Lines in `CloudWatch`'s embedded metric format: the member `_aws` of the JSON object names the members that are metrics. A
//! line without metrics has no such member, because it is half a line and logs are billed by the byte.
//!
//! No metric has a dimension, because `CloudWatch` bills each combination of values as a metric of its own. To find a cause, query
//! the fields in the log.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use super::output;
use serde::{Serialize, Serializer};
use shared::env::{self, Lookup};
use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The `CloudWatch` namespace of every metric if `METRICS_NAMESPACE` is not set. The template sets another one for each stack, so
/// that one stack's alarms do not count another's deliveries.
const DEFAULT_NAMESPACE: &str = "Rollcall";

static NAMESPACE: OnceLock<String> = OnceLock::new();

pub(super) fn init(lookup: &impl Lookup) {
    let namespace = env::optional(lookup, "METRICS_NAMESPACE").ok().flatten();
    let _ = NAMESPACE.set(namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()));
}

/// One metric of a line. A metric without a value is left out.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    name: &'static str,
    value: Option<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Count(u32),
    Time(Duration),
}

impl Metric {
    /// A count has no unit.
    #[must_use]
    pub fn count(name: &'static str, count: impl Into<Option<u32>>) -> Self {
        Self { name, value: count.into().map(Value::Count) }
    }

    /// A time is written in milliseconds.
    #[must_use]
    pub fn time(name: &'static str, time: impl Into<Option<Duration>>) -> Self {
        Self { name, value: time.into().map(Value::Time) }
    }
}

/// Writes one line with `fields` and those of the `metrics` that have a value.
pub fn line(metrics: &[Metric], fields: &impl Serialize) {
    let Some(namespace) = NAMESPACE.get() else { return };
    if let Ok(line) = text(namespace, metrics, fields, SystemTime::now()) {
        output::write(&line);
    }
}

fn text(namespace: &str, metrics: &[Metric], fields: &impl Serialize, at: SystemTime) -> serde_json::Result<Vec<u8>> {
    if metrics.iter().all(|metric| metric.value.is_none()) {
        return output::json_line(fields);
    }
    let timestamp = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let cloud_watch_metrics = [Directive { namespace, dimensions: [[]], metrics: Definitions(metrics) }];
    let aws = Metadata { cloud_watch_metrics, timestamp: u64::try_from(timestamp).unwrap_or(u64::MAX) };
    output::json_line(&Line { aws, values: Values(metrics), fields })
}

#[derive(Serialize)]
struct Line<'a, F> {
    #[serde(rename = "_aws")]
    aws: Metadata<'a>,
    #[serde(flatten)]
    values: Values<'a>,
    #[serde(flatten)]
    fields: &'a F,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    cloud_watch_metrics: [Directive<'a>; 1],
    timestamp: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: [[&'a str; 0]; 1],
    metrics: Definitions<'a>,
}

struct Definitions<'a>(&'a [Metric]);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

impl Serialize for Definitions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().filter_map(|metric| {
            let unit = match metric.value? {
                Value::Count(_) => None,
                Value::Time(_) => Some("Milliseconds"),
            };
            Some(Definition { name: metric.name, unit })
        }))
    }
}

struct Values<'a>(&'a [Metric]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter_map(|metric| Some((metric.name, metric.value?))))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Time(time) => serializer.serialize_f64(milliseconds(*time)),
        }
    }
}

/// A time in milliseconds, rounded to the microsecond, because every digit of a log is billed.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Fields {
        #[serde(rename = "Route")]
        route: &'static str,
        #[serde(rename = "requestId")]
        request_id: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
    }

    #[track_caller]
    fn check(name: &str, metrics: &[Metric], reason: Option<&'static str>, expected: &str) {
        let fields = Fields { route: "meetstream", request_id: "r\n1", reason };
        let at = UNIX_EPOCH + Duration::from_millis(1_795_513_926_929);
        let line = text("Rollcall/\"x\"", metrics, &fields, at).unwrap();
        assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"), "{name}");
    }

    #[test]
    fn lines_are_what_cloudwatch_reads() {
        check(
            "a count and a time",
            &[Metric::count("SetAside", 1), Metric::time("RetryAge", Duration::from_nanos(612_021_499))],
            None,
            r#"{"_aws":{"CloudWatchMetrics":[{"Namespace":"Rollcall/\"x\"","Dimensions":[[]],"Metrics":[{"Name":"SetAside"},{"Name":"RetryAge","Unit":"Milliseconds"}]}],"Timestamp":1795513926929},"SetAside":1,"RetryAge":612.021,"Route":"meetstream","requestId":"r\n1"}"#,
        );
        check(
            "without a value there is neither the metric nor its definition",
            &[Metric::count("SetAside", 1), Metric::count("NotDurable", None), Metric::time("RetryAge", None)],
            Some("mismatch"),
            r#"{"_aws":{"CloudWatchMetrics":[{"Namespace":"Rollcall/\"x\"","Dimensions":[[]],"Metrics":[{"Name":"SetAside"}]}],"Timestamp":1795513926929},"SetAside":1,"Route":"meetstream","requestId":"r\n1","reason":"mismatch"}"#,
        );
        check(
            "without any metric it is a plain line",
            &[Metric::count("NotDurable", None)],
            None,
            r#"{"Route":"meetstream","requestId":"r\n1"}"#,
        );
    }

    #[test]
    fn before_init_nothing_is_written() {
        assert!(NAMESPACE.get().is_none());
        line(&[Metric::count("SetAside", 1)], &());
    }
}
