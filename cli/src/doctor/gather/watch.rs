//! Alarms, logs and the schedule.

use crate::doctor::asking::lookup;
use crate::{
    doctor::{
        facts::{Alarm, Lookup, Schedule, StackFacts, Subscription},
        logs::{self, Lines},
    },
    stack::Stack,
};
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Dimension, Statistic},
};
use jiff::Timestamp;

/// As many as CloudWatch takes in one call.
const ALARMS_AT_A_TIME: usize = 100;

/// How far back sweeps are looked for, in seconds.
const LOOK_BACK_SECONDS: i64 = 900;

/// How far back stopped loops are looked for, in seconds.
const LOOPS_SECONDS: i64 = 14 * 86_400;

/// The alarms of the stack that there are.
pub(super) async fn alarms(stack: &Stack, described: &StackFacts) -> Lookup<Vec<Alarm>> {
    let names: Vec<_> = described.of_type("AWS::CloudWatch::Alarm").map(|(_, physical)| physical.to_owned()).collect();
    let client = aws_sdk_cloudwatch::Client::new(&stack.aws.config);
    let mut alarms = Vec::new();
    for names in names.chunks(ALARMS_AT_A_TIME) {
        let answer = client.describe_alarms().set_alarm_names(Some(names.to_vec())).send().await;
        let found = match lookup(&stack.aws, "describing the alarms", "know alarms", answer) {
            Lookup::Found(found) => found.metric_alarms.unwrap_or_default(),
            other => return other.map(|_| vec![]),
        };
        alarms.extend(found.into_iter().map(|alarm| Alarm {
            name: alarm.alarm_name.unwrap_or_default(),
            state: alarm.state_value.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            reason: alarm.state_reason.unwrap_or_default(),
            actions: alarm.alarm_actions.unwrap_or_default(),
            actions_enabled: alarm.actions_enabled.unwrap_or(true),
        }));
    }
    Lookup::Found(alarms)
}

/// Who is told of alarms.
pub(crate) async fn subscriptions(stack: &Stack, described: &StackFacts) -> Lookup<Vec<Subscription>> {
    let Some((_, topic)) = described.resources.get("AlarmTopic") else { return Lookup::Absent };
    let client = aws_sdk_sns::Client::new(&stack.aws.config);
    let answer = client.list_subscriptions_by_topic().topic_arn(topic).send().await;
    lookup(&stack.aws, "listing who is told of alarms", "know subscriptions", answer).map(|found| {
        let subscriptions = found.subscriptions.unwrap_or_default().into_iter();
        let subscriptions = subscriptions.map(|one| Subscription {
            protocol: one.protocol.unwrap_or_default(),
            endpoint: one.endpoint.unwrap_or_default(),
            // Until somebody confirms there is no ARN, but "PendingConfirmation" in its place.
            is_confirmed: one.subscription_arn.is_some_and(|arn| arn.starts_with("arn:")),
        });
        subscriptions.collect()
    })
}

pub(super) async fn schedule(stack: &Stack, described: &StackFacts) -> Lookup<Schedule> {
    let client = aws_sdk_scheduler::Client::new(&stack.aws.config);
    let answer = client.get_schedule().name(described.physical("SweepSchedule")).send().await;
    lookup(&stack.aws, "reading the schedule", "know schedules", answer).map(|found| Schedule {
        state: found.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        expression: found.schedule_expression.unwrap_or_default(),
        target: found.target.map(|target| target.arn).unwrap_or_default(),
    })
}

/// The invocations of a function that Lambda has stopped in two weeks, because it took them for endless loops.
pub(super) async fn loops(stack: &Stack, function: &str) -> Lookup<f64> {
    if stack.aws.is_local() {
        return Lookup::NotLocally("look for endless loops");
    }
    let now = Timestamp::now().as_second();
    let client = aws_sdk_cloudwatch::Client::new(&stack.aws.config);
    let answer = client
        .get_metric_statistics()
        .namespace("AWS/Lambda")
        .metric_name("RecursiveInvocationsDropped")
        .dimensions(Dimension::builder().name("FunctionName").value(function).build())
        .start_time(DateTime::from_secs(now - LOOPS_SECONDS))
        .end_time(DateTime::from_secs(now))
        .period(86_400)
        .statistics(Statistic::Sum)
        .send()
        .await;
    lookup(&stack.aws, "reading the metric RecursiveInvocationsDropped", "count endless loops", answer)
        .map(|found| found.datapoints().iter().filter_map(|point| point.sum()).sum())
}

/// The days that a function's log lines are kept.
pub(super) async fn log_days(stack: &Stack, function: &str) -> Lookup<Option<i64>> {
    let group = logs::group(function);
    let client = aws_sdk_cloudwatchlogs::Client::new(&stack.aws.config);
    let answer = client.describe_log_groups().log_group_name_prefix(&group).send().await;
    let found = lookup(&stack.aws, "describing the log groups", "describe log groups", answer);
    let groups = found.map(|found| found.log_groups.unwrap_or_default());
    let group = groups.and_then(|groups| groups.into_iter().find(|its| its.log_group_name.as_ref() == Some(&group)));
    group.map(|group| group.retention_in_days.map(i64::from))
}

/// The seconds since the last line of a sweep that got through.
pub(crate) async fn last_sweep(stack: &Stack, process: &str) -> Lookup<Option<i64>> {
    let now = Timestamp::now().as_second();
    let lines =
        Lines { group: logs::group(process), since: now - LOOK_BACK_SECONDS, pattern: "{ $.Sweeps >= 1 }".to_owned() };
    let found =
        lines.find(stack, |line| line.get("Sweeps").and_then(serde_json::Value::as_i64).is_some_and(|n| n >= 1));
    found.await.map(|found| found.iter().map(|line| line.at).max().map(|at| (now - at).max(0)))
}

/// The age of a queue's oldest message in seconds; `None` where CloudWatch has heard nothing of the queue in ten minutes.
pub(crate) async fn oldest_message(stack: &Stack, queue_url: &str) -> Lookup<Option<i64>> {
    if stack.aws.is_local() {
        return Lookup::NotLocally("tell how old a message is");
    }
    let now = Timestamp::now().as_second();
    let name = queue_url.rsplit('/').next().unwrap_or_default();
    let answer = aws_sdk_cloudwatch::Client::new(&stack.aws.config)
        .get_metric_statistics()
        .namespace("AWS/SQS")
        .metric_name("ApproximateAgeOfOldestMessage")
        .dimensions(Dimension::builder().name("QueueName").value(name).build())
        .start_time(DateTime::from_secs(now - 600))
        .end_time(DateTime::from_secs(now))
        .period(60)
        .statistics(Statistic::Maximum)
        .send()
        .await;
    lookup(&stack.aws, "reading the metric ApproximateAgeOfOldestMessage", "tell how old a message is", answer).map(
        |found| {
            let latest = found.datapoints().iter().max_by_key(|point| point.timestamp().map(DateTime::secs));
            #[expect(clippy::cast_possible_truncation, reason = "an age in seconds, of 14 days at most")]
            latest.and_then(|point| point.maximum()).map(|seconds| seconds as i64)
        },
    )
}
