//! The queues, what reads them, what waits in them, and the schedule.

use crate::{
    doctor::{
        facts::{Facts, Heap, Lookup, Mapping, Schedule, Source, StackFacts},
        finding::{Check, Finding},
    },
    words::{many, span},
};
use std::collections::BTreeMap;

/// How often the sweep comes, in seconds, with some patience.
const SWEEP_LATE_SECONDS: i64 = 180;

/// The sweep looks into the spool every fifth minute; what is older than this it cannot get rid of.
const SPOOL_OLD_SECONDS: i64 = 900;

/// So many messages SQS looks through for a group that it may hand out ("Avoid having a large backlog of messages with the same
/// message group ID").
const LOOKED_THROUGH: i64 = 120_000;

/// Facts of AWS: a shorter visibility timeout lets a batch come again while it is still being worked on.
const VISIBILITY_TIMES: i64 = 6;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let stack = &facts.stack;
    let live_timeout = facts.process.live.found().map(|live| live.settings.timeout_seconds);
    let timeout = live_timeout.unwrap_or_else(|| stack.number("ProcessTimeoutSeconds"));
    let events = Reader { name: "events", batch: 10, concurrency: "ProcessMaximumConcurrency", queue: "EventsQueue" };
    let commands =
        Reader { name: "commands", batch: 10, concurrency: "CommandsMaximumConcurrency", queue: "CommandsQueue" };
    let checks = [Check::EventsMapping, Check::EventsQueue, Check::EventsVisibility];
    let mut findings = source(stack, &facts.events, &events, timeout, checks);
    let checks = [Check::CommandsMapping, Check::CommandsQueue, Check::CommandsVisibility];
    findings.extend(source(stack, &facts.commands, &commands, timeout, checks));
    findings.push(schedule(stack, &facts.schedule));
    findings.push(sweeps(stack, &facts.last_sweep));
    let backlog = &facts.backlog;
    let flags = stack_flag(stack);
    findings.push(waiting(&facts.events));
    findings.push(dead(&backlog.dead_deliveries, Check::BacklogDeliveries, "delivery", "", &flags));
    findings.push(dead(&backlog.dead_commands, Check::BacklogCommands, "command", " --commands", &flags));
    findings.push(spool(&backlog.spool, &flags));
    findings.push(parked(&backlog.parked, &flags));
    findings.push(quarantine(&backlog.quarantine, &flags));
    findings
}

/// The flag that leads another command to the same stack.
fn stack_flag(stack: &StackFacts) -> String {
    if stack.is_local { String::new() } else { format!(" --stack {}", stack.name) }
}

struct Reader {
    name: &'static str,
    batch: i64,
    concurrency: &'static str,
    queue: &'static str,
}

fn source(stack: &StackFacts, source: &Source, reader: &Reader, timeout: i64, checks: [Check; 3]) -> Vec<Finding> {
    let [mapping_check, queue_check, visibility_check] = checks;
    let gone = format!("there is no {} queue", reader.name);
    let gone = (gone.as_str(), "delete the stack and deploy it anew: nothing brings a single queue back");
    vec![
        mapping(stack, &source.mappings, reader, mapping_check),
        source.queue.judge(queue_check, gone, |queue| settings(stack, queue, &source.dead, reader, queue_check)),
        source.queue.judge(visibility_check, gone, |queue| visibility(stack, queue, reader, timeout, visibility_check)),
    ]
}

fn mapping(stack: &StackFacts, mappings: &Lookup<Vec<Mapping>>, reader: &Reader, check: Check) -> Finding {
    let name = reader.name;
    let gone = format!("nothing reads the {name} queue: there is no event source mapping");
    let anew = "`make deploy` with any change brings none back; delete the stack and deploy it anew";
    mappings.judge(check, (&gone, anew), |mappings| {
        let [mapping] = &mappings[..] else {
            return match mappings.len() {
                0 => Finding::fail(check, gone.clone(), anew),
                count => Finding::fail(
                    check,
                    format!("{count} mappings read the {name} queue, and take messages from each other"),
                    "`aws lambda list-event-source-mappings`, then `delete-event-source-mapping` for those that are not on process:live",
                ),
            };
        };
        let expected = stack.number(reader.concurrency);
        let mut problems = Vec::new();
        if mapping.state != "Enabled" {
            problems.push(format!("the mapping of the {name} queue is {}: nothing is processed", mapping.state));
        }
        if !mapping.function.ends_with(":live") {
            problems.push(format!("the mapping of the {name} queue invokes {}, not the alias live", mapping.function));
        }
        if mapping.batch_size != reader.batch {
            problems.push(format!("its batches have {} messages, not {}", mapping.batch_size, reader.batch));
        }
        if !mapping.reports_failures {
            problems.push("it does not take ReportBatchItemFailures: one failed record is all of its batch, and a \
                           batch with a failure is deleted as done".to_owned());
        }
        if mapping.maximum_concurrency != Some(expected) {
            let found = mapping.maximum_concurrency.map_or("none".to_owned(), |n| n.to_string());
            problems.push(format!("its MaximumConcurrency is {found}, and {} is {expected}", reader.concurrency));
        }
        let way_out = format!(
            "`aws lambda update-event-source-mapping --uuid {} --enabled --batch-size {} --function-response-types \
             ReportBatchItemFailures --scaling-config MaximumConcurrency={expected} --function-name {}:live`",
            mapping.id,
            reader.batch,
            stack.physical("ProcessFunction")
        );
        let well = format!(
            "the {name} queue is read by the alias live, {} at a time, {} at most at once",
            many(usize::try_from(reader.batch).unwrap_or(0), "message"),
            many(usize::try_from(expected).unwrap_or(0), "invocation")
        );
        Finding::unless(check, &problems, well, way_out)
    })
}

fn settings(
    stack: &StackFacts,
    queue: &BTreeMap<String, String>,
    dead: &Lookup<BTreeMap<String, String>>,
    reader: &Reader,
    check: Check,
) -> Finding {
    let of = |queue: &BTreeMap<String, String>, name: &str| queue.get(name).cloned().unwrap_or_default();
    let mut problems = Vec::new();
    let mut compare = |what: &str, found: String, expected: &str| {
        if found != expected {
            let found = if found.is_empty() { "not set" } else { &found };
            problems.push(format!("{what} is {found}, not {expected}"));
        }
    };
    if reader.name == "events" {
        compare("FifoQueue", of(queue, "FifoQueue"), "true");
        compare("DeduplicationScope", of(queue, "DeduplicationScope"), "messageGroup");
        compare("FifoThroughputLimit", of(queue, "FifoThroughputLimit"), "perMessageGroupId");
        compare("MaximumMessageSize", of(queue, "MaximumMessageSize"), "1048576");
    }
    compare("MessageRetentionPeriod", of(queue, "MessageRetentionPeriod"), "604800");
    // The local AWS does not tell it.
    if queue.get("SqsManagedSseEnabled").is_some_and(|sse| sse == "false") && !queue.contains_key("KmsMasterKeyId") {
        problems.push("it is not encrypted".to_owned());
    }
    let redrive: serde_json::Value = serde_json::from_str(&of(queue, "RedrivePolicy")).unwrap_or_default();
    let target = redrive.get("deadLetterTargetArn").and_then(|arn| arn.as_str()).unwrap_or_default();
    let receives =
        redrive.get("maxReceiveCount").and_then(|n| n.as_i64().or_else(|| n.as_str()?.parse().ok())).unwrap_or(0);
    match dead {
        Lookup::Found(dead) => {
            if target.is_empty() || of(dead, "QueueArn") != target {
                problems.push(
                    "it has no dead-letter queue, or another one: what kills the function comes for ever".to_owned(),
                );
            }
            if of(dead, "MessageRetentionPeriod") != "1209600" {
                problems
                    .push(format!("its dead letters are kept {} s, not 14 days", of(dead, "MessageRetentionPeriod")));
            }
        }
        Lookup::Absent => problems.push("its dead-letter queue is gone".to_owned()),
        Lookup::NotLocally(_) | Lookup::Unknown(_) => {}
    }
    let parks_after = stack.number("ParkAfterReceives");
    if reader.name == "events" && !target.is_empty() && receives <= parks_after {
        problems.push(format!(
            "maxReceiveCount is {receives}, and parking comes after {parks_after}: deliveries die unparked"
        ));
    }
    Finding::unless(
        check,
        &problems,
        format!(
            "the {} queue is as the template has it, with its dead-letter queue after {receives} receives",
            reader.name
        ),
        format!("`aws sqs set-queue-attributes --queue-url {} --attributes NAME=VALUE`", stack.physical(reader.queue)),
    )
}

fn visibility(
    stack: &StackFacts,
    queue: &BTreeMap<String, String>,
    reader: &Reader,
    timeout: i64,
    check: Check,
) -> Finding {
    let found: i64 = queue.get("VisibilityTimeout").and_then(|text| text.parse().ok()).unwrap_or(0);
    let wanted = stack.number("EventsVisibilitySeconds");
    let name = reader.name;
    let mut problems = Vec::new();
    if found < VISIBILITY_TIMES * timeout {
        problems.push(format!(
            "the visibility timeout of the {name} queue is {found} s, less than {VISIBILITY_TIMES} times process's \
             timeout of {timeout} s: messages come again while they are worked on"
        ));
    }
    if found != wanted {
        problems.push(format!(
            "the visibility timeout of the {name} queue is {found} s, and EventsVisibilitySeconds is {wanted}"
        ));
    }
    let well = format!(
        "the visibility timeout of the {name} queue is {found} s, at least {VISIBILITY_TIMES} times {timeout} s"
    );
    let enough = wanted.max(VISIBILITY_TIMES * timeout);
    let url = stack.physical(reader.queue);
    let way_out = format!("`aws sqs set-queue-attributes --queue-url {url} --attributes VisibilityTimeout={enough}`");
    Finding::unless(check, &problems, well, way_out)
}

fn schedule(stack: &StackFacts, schedule: &Lookup<Schedule>) -> Finding {
    let check = Check::ScheduleEnabled;
    let gone = "there is no schedule: what is spooled stays there, and failed jobs are not tried again";
    schedule.judge(check, (gone, "delete the stack and deploy it anew"), |schedule| {
        let mut problems = Vec::new();
        if schedule.state != "ENABLED" {
            problems.push(format!("the schedule of the sweep is {}", schedule.state));
        }
        if schedule.expression != "rate(1 minute)" {
            problems.push(format!("the sweep comes at {}, not at rate(1 minute)", schedule.expression));
        }
        let process = format!("{}:live", stack.physical("ProcessFunction"));
        if !schedule.target.ends_with(&process) {
            problems.push(format!("the schedule calls {}, not {process}", schedule.target));
        }
        let name = stack.physical("SweepSchedule");
        let way_out = format!(
            "in the console under EventBridge Scheduler, {name}: enable it; or `aws scheduler update-schedule`, which wants all \
             of the schedule's settings again"
        );
        Finding::unless(check, &problems, "the sweep is called every minute", way_out)
    })
}

fn sweeps(stack: &StackFacts, last: &Lookup<Option<i64>>) -> Finding {
    let check = Check::ScheduleSweeps;
    let way_out = "see schedule.enabled, commands.mapping and process's log: `make logs`";
    last.judge(check, ("process has no log group, so its sweeps do not show", "see process.logging"), |last| match last
    {
        Some(seconds) if *seconds <= SWEEP_LATE_SECONDS => {
            Finding::pass(check, format!("the last sweep was {} ago", span(*seconds)))
        }
        _ if stack.age_seconds < SWEEP_LATE_SECONDS => {
            Finding::skipped(check, "the stack is younger than three minutes, and no sweep was due for certain")
        }
        Some(seconds) => Finding::fail(check, format!("the last sweep was {} ago", span(*seconds)), way_out),
        None => Finding::fail(check, "no sweep for a quarter of an hour", way_out),
    })
}

fn waiting(events: &Source) -> Finding {
    let check = Check::BacklogWaiting;
    events.queue.judge(check, ("there is no events queue", "see events.queue"), |queue| {
        let number = |name: &str| queue.get(name).and_then(|value| value.parse::<i64>().ok()).unwrap_or(0);
        let count = number("ApproximateNumberOfMessages") + number("ApproximateNumberOfMessagesNotVisible");
        let waiting = format!("{} in the events queue", many(usize::try_from(count).unwrap_or(0), "message"));
        let way_out = "docs/RUNBOOK.md, EventsOldestMessageAlarm: find out why processing does not keep up";
        match count {
            LOOKED_THROUGH.. => Finding::fail(
                check,
                format!(
                    "{waiting}: SQS looks through {LOOKED_THROUGH} of them for a bot, so one bot may hold up all others"
                ),
                way_out,
            ),
            _ if count > LOOKED_THROUGH / 10 => Finding::warn(check, waiting, way_out),
            _ => Finding::pass(check, waiting),
        }
    })
}

fn dead(count: &Lookup<usize>, check: Check, noun: &str, flag: &str, stack: &str) -> Finding {
    count.judge(check, ("its dead-letter queue is gone", "see events.queue and commands.queue"), |count| match count {
        0 => Finding::pass(check, format!("no {noun} is in its dead-letter queue")),
        count => Finding::fail(
            check,
            format!("{} in the dead-letter queue: process died of them, or never ran", many(*count, noun)),
            format!(
                "`rollcall dlq list{flag}{stack}` shows them, `rollcall dlq replay{flag} --all{stack}` puts them back"
            ),
        ),
    })
}

const NO_BUCKET: (&str, &str) = ("there is no bucket", "see bucket.private");

fn heap(heap: &Heap) -> String {
    format!("{} of {} bytes, the oldest {} old", many(heap.count, "object"), heap.bytes, span(heap.oldest_seconds))
}

fn spool(spool: &Lookup<Heap>, stack: &str) -> Finding {
    let check = Check::BacklogSpool;
    spool.judge(check, NO_BUCKET, |found| {
        let what = format!("spool/ holds {}", heap(found));
        let way_out = format!("`rollcall spool list{stack}` says what the queue said; `rollcall spool drain --all{stack}` does what the sweep should");
        match found {
            Heap { count: 0, .. } => Finding::pass(check, "nothing is spooled"),
            Heap { oldest_seconds: ..SPOOL_OLD_SECONDS, .. } => Finding::warn(check, what, way_out),
            _ => Finding::fail(check, format!("{what}: the sweep does not get rid of it"), way_out),
        }
    })
}

fn parked(parked: &Lookup<Heap>, stack: &str) -> Finding {
    let check = Check::BacklogParked;
    parked.judge(check, NO_BUCKET, |found| match found {
        Heap { count: 0, .. } => Finding::pass(check, "nothing is parked"),
        found => Finding::fail(
            check,
            format!("parked/ holds {}: deliveries that failed on every try", heap(found)),
            format!("`rollcall parked list{stack}` says why; once that is repaired: `rollcall parked replay --all --wait{stack}`"),
        ),
    })
}

fn quarantine(quarantine: &Lookup<Heap>, stack: &str) -> Finding {
    let check = Check::BacklogQuarantine;
    quarantine.judge(check, NO_BUCKET, |found| match found {
        Heap { count: 0, .. } => Finding::pass(check, "nothing is in quarantine"),
        found => Finding::warn(
            check,
            format!("quarantine/ holds {}: authentic, and not readable", heap(found)),
            format!("`rollcall quarantine list{stack}` says why"),
        ),
    })
}
