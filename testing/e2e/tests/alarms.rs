//! Every alarm on a metric of ours, driven over its threshold by the real binaries. What CloudWatch makes of a line is by its
//! documentation: a metric has the value that the line's member of its name has, in the namespace and by the dimensions in `_aws`.

#![expect(clippy::indexing_slicing, reason = "a missing field is null, and fails the comparison")]

use anyhow::{Context, Result};
use e2e::fault_proxy::{Decision, Match, Refusal, Service};
use e2e::pipeline::{Pipeline, SECRET, event};
use e2e::sender::{BodyEncoding, Delivery};
use e2e::template::{Resource, Template};
use serde_json::{Value, json};
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt,
    message::{Head, Packed},
};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const SOON: Duration = Duration::from_secs(20);
const NOON: &str = "2026-01-01T12:00:00Z";

/// The values that a metric without dimensions has in these lines.
fn values(lines: &[Value], metric: &str) -> Vec<f64> {
    let is_defined = |line: &&Value| {
        line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten().any(|directive| {
            let names = directive["Metrics"].as_array().into_iter().flatten().map(|one| &one["Name"]);
            directive["Namespace"] == "Rollcall/harness"
                && directive["Dimensions"] == json!([[]])
                && names.clone().any(|name| name == metric)
        })
    };
    lines.iter().filter(is_defined).filter_map(|line| line[metric].as_f64()).collect()
}

/// Whether an alarm's condition is met by these lines, were they all of one period.
fn is_met(template: &Template, alarm: &Resource, lines: &[Value]) -> Result<bool> {
    let values = values(lines, alarm.property("/MetricName").as_str().context("no metric")?);
    if values.is_empty() {
        return Ok(alarm.property("/TreatMissingData") == "breaching");
    }
    let value = match alarm.property("/Statistic").as_str() {
        Some("Sum") => values.iter().sum(),
        Some("Maximum") => values.iter().copied().fold(f64::MIN, f64::max),
        Some("Minimum") => values.iter().copied().fold(f64::MAX, f64::min),
        other => anyhow::bail!("{}: {other:?}", alarm.id),
    };
    let threshold: f64 = template.number(alarm.property("/Threshold"))?.to_string().parse()?;
    match alarm.property("/ComparisonOperator").as_str() {
        Some("GreaterThanThreshold") => Ok(value > threshold),
        Some("GreaterThanOrEqualToThreshold") => Ok(value >= threshold),
        Some("LessThanThreshold") => Ok(value < threshold),
        other => anyhow::bail!("{}: {other:?}", alarm.id),
    }
}

/// The alarms on metrics of ours whose conditions are met by what both functions wrote. The optional one has its threshold by
/// default at 0, which means that there is none; here it is one meeting.
fn met(pipeline: &Pipeline) -> Result<BTreeSet<String>> {
    let template = Template::load()?;
    let mut lines = pipeline.ingest.json_logs();
    lines.extend(pipeline.process.json_logs());
    let mut met = BTreeSet::new();
    for alarm in template.of_type("AWS::CloudWatch::Alarm") {
        if alarm.property("/Namespace").is_string() {
            continue; // AWS's own
        }
        let is_met = match alarm.id.as_str() {
            "FailedMeetingsAlarm" => values(&lines, "FailedMeetings").iter().sum::<f64>() >= 1.0,
            _ => is_met(&template, &alarm, &lines)?,
        };
        if is_met {
            met.insert(alarm.id.clone());
        }
    }
    Ok(met)
}

fn only(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

#[tokio::test]
async fn a_quiet_system_rings_nothing() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    assert_eq!(met(&pipeline)?, BTreeSet::new(), "without any line, as on a new stack");
    pipeline.accept(&event("b", "bot.inmeeting", NOON)).await?;
    assert_eq!(
        pipeline.deliver(&Delivery::signed("a guess", "{}".to_owned())).await?,
        401,
        "nobody rings it from outside"
    );
    pipeline.drain(SOON).await?;
    pipeline.sweep().await?;
    assert_eq!(met(&pipeline)?, BTreeSet::new());
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_no_store_takes_rings_for_itself_alone() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline.ingest_proxy.when(Match::service(Service::Sqs)).then(Decision::Refuse(Refusal::Unavailable));
    pipeline.ingest_proxy.when(Match::service(Service::S3)).then(Decision::Refuse(Refusal::Unavailable));
    let delivery = Delivery::signed(SECRET, event("b", "bot.joining", NOON).to_string());
    let reply = delivery.invoke(&pipeline.ingest, BodyEncoding::Plain, Duration::from_secs(10)).await?;
    assert_eq!(reply.status, 503);
    assert_eq!(met(&pipeline)?, only("IngestNotDurableAlarm"));
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_keeps_failing_rings_once_it_is_old() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline.process_proxy.when(Match::service(Service::DynamoDb)).then(Decision::Refuse(Refusal::Unavailable));
    for (minutes, expected) in [(1, BTreeSet::new()), (31, only("RetryAgeAlarm"))] {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let head = Head {
            accept_id: AcceptId::new(format!("accepted-{minutes}")),
            endpoint: Endpoint::MeetStream,
            delivery_id: None,
            received_at: ReceivedAt(now - minutes * 60_000),
        };
        let body = event(&format!("bot-{minutes}"), "bot.joining", NOON).to_string().into_bytes();
        let Packed { text, .. } = QueueMessage::restored(head, body).pack("group", None);
        let send = pipeline.scratch.aws.sqs.send_message().queue_url(&pipeline.scratch.queue.url).message_body(text);
        let name = format!("{minutes}");
        send.message_group_id(&name).message_deduplication_id(&name).send().await?;
        let batch = pipeline.pump().await?.context("nothing to take")?;
        assert!(batch.messages.iter().all(|message| !message.deleted), "{batch:?}");
        assert_eq!(met(&pipeline)?, expected, "{minutes} minutes old");
    }
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_is_set_aside_rings() -> Result<()> {
    let unreadable = Pipeline::start().await?;
    unreadable.accept(&json!({"bot_id": "b", "message": "without a name"})).await?;
    unreadable.drain(SOON).await?;
    assert_eq!(met(&unreadable)?, only("SetAsideAlarm"), "quarantined");
    unreadable.scratch.remove().await?;

    let failing = Pipeline::with(&[("PARK_AFTER_RECEIVES", "2")]).await?;
    failing.process_proxy.when(Match::service(Service::DynamoDb)).then(Decision::Refuse(Refusal::Unavailable));
    failing.accept(&event("b", "bot.joining", NOON)).await?;
    failing.drain(SOON).await?;
    assert_eq!(met(&failing)?, only("SetAsideAlarm"), "parked");
    failing.scratch.remove().await
}

#[tokio::test]
async fn a_sweep_that_cannot_look_rings() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline.sweep().await?;
    assert_eq!(met(&pipeline)?, BTreeSet::new());
    // Only every fifth sweep looks into the spool. The four others succeed while S3 refuses, and must not hide that it does.
    pipeline.process_proxy.when(Match::service(Service::S3)).then(Decision::Refuse(Refusal::Unavailable));
    pipeline.sweep().await?;
    assert_eq!(met(&pipeline)?, only("SweepsMissingAlarm"));
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_bot_that_was_not_let_in_rings_if_that_is_wanted() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline.accept(&event("b", "bot.notallowed", NOON)).await?;
    pipeline.drain(SOON).await?;
    assert_eq!(met(&pipeline)?, only("FailedMeetingsAlarm"));
    pipeline.scratch.remove().await
}
