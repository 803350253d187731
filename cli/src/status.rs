//! `rollcall status`: what is on its way and not processed yet, what was set aside, and when the last sweep was.

use crate::{
    bucket::Bucket,
    doctor::{
        facts::{Heap, Lookup},
        gather::{heap, last_sweep, oldest_message},
    },
    failure::Failure,
    queue::{Depth, Queue},
    screen::{self, Style, Tone},
    stack::{Stack, StackArgs},
    words::{many, span},
};
use clap::Args;
use serde::Serialize;
use shared::bucket::Folder;

/// Show what is waiting, what was set aside, and when the last sweep was
///
/// A delivery that was answered 200 and is in no timeline yet is in the events queue, or in spool/ if the queue refused it. SQS
/// counts approximately.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall status
  rollcall status --json | jq .events.visible

`rollcall doctor` judges these figures, and much more. Exits with 0 whatever the figures are.")]
pub struct Status {
    /// Print one JSON object; null is what could not be found out
    #[arg(long)]
    json: bool,
}

/// The shape of `rollcall status --json`.
#[derive(Serialize)]
struct Report {
    stack: String,
    events: Option<Waiting>,
    commands: Option<Waiting>,
    dead_deliveries: Option<usize>,
    dead_commands: Option<usize>,
    spool: Option<Heap>,
    parked: Option<Heap>,
    quarantine: Option<Heap>,
    /// The seconds since the last sweep; `null` also where there was none for a quarter of an hour.
    last_sweep_seconds: Option<i64>,
}

/// What a queue holds.
#[derive(Serialize)]
struct Waiting {
    /// Those that nobody works on.
    visible: usize,
    /// Those that process works on, or waits to try again.
    hidden: usize,
    /// The age of the oldest, as CloudWatch knows it some minutes later.
    oldest_seconds: Option<i64>,
}

impl Status {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        let report = Report::read(&stack).await;
        if self.json { screen::print_json(&report) } else { screen::print(&report.render(&stack.aws.name, style)) }
    }
}

impl Report {
    async fn read(stack: &Stack) -> Self {
        let bucket = Bucket::of(stack);
        let (events, commands) = (Queue::events(stack), Queue::commands(stack));
        let (dead_events, dead_commands) = (Queue::events_dlq(stack), Queue::commands_dlq(stack));
        let (events, commands, dead_events, dead_commands, events_age, commands_age) = tokio::join!(
            events.depth(),
            commands.depth(),
            dead_events.depth(),
            dead_commands.depth(),
            oldest_message(stack, &stack.queue_url),
            oldest_message(stack, &stack.commands_url),
        );
        let (spool, parked, quarantine, sweep) = tokio::join!(
            heap(&bucket, Folder::Spool),
            heap(&bucket, Folder::Parked),
            heap(&bucket, Folder::Quarantine),
            last_sweep(stack, &stack.process_function),
        );
        let waiting = |depth: Depth, age: Lookup<Option<i64>>| Waiting {
            visible: depth.visible,
            hidden: depth.hidden,
            oldest_seconds: known(age).flatten(),
        };
        let all = |depth: Depth| depth.visible + depth.hidden;
        Self {
            stack: stack.name.clone(),
            events: known(events.into()).map(|depth| waiting(depth, events_age)),
            commands: known(commands.into()).map(|depth| waiting(depth, commands_age)),
            dead_deliveries: known(dead_events.into()).map(all),
            dead_commands: known(dead_commands.into()).map(all),
            spool: known(spool),
            parked: known(parked),
            quarantine: known(quarantine),
            last_sweep_seconds: known(sweep).flatten(),
        }
    }

    fn render(&self, place: &str, style: Style) -> String {
        let count = |count: Option<usize>, noun: &str| count.map_or_else(|| "unknown".to_owned(), |n| many(n, noun));
        let waiting = |found: &Option<Waiting>, noun: &str| match found {
            None => "unknown".to_owned(),
            Some(Waiting { visible, hidden, oldest_seconds }) => {
                let oldest = oldest_seconds.filter(|_| visible + hidden > 0);
                let oldest = oldest.map(|seconds| format!(", the oldest {} old", span(seconds))).unwrap_or_default();
                format!("{}, and {hidden} in hand{oldest}", many(*visible, noun))
            }
        };
        let heap = |found: &Option<Heap>| match found {
            None => "unknown".to_owned(),
            Some(Heap { count: 0, .. }) => "none".to_owned(),
            Some(heap) => format!("{}, the oldest {} old", many(heap.count, "delivery"), span(heap.oldest_seconds)),
        };
        let sweep = self.last_sweep_seconds.map_or_else(
            || "no line of a sweep in the log of the last quarter of an hour".to_owned(),
            |seconds| format!("{} ago", span(seconds)),
        );
        let dead = format!("{}, {}", count(self.dead_deliveries, "delivery"), count(self.dead_commands, "command"));
        let lines = [
            ("events queue", waiting(&self.events, "delivery")),
            ("commands", waiting(&self.commands, "command")),
            ("spooled", heap(&self.spool)),
            ("parked", heap(&self.parked)),
            ("quarantined", heap(&self.quarantine)),
            ("dead letters", dead),
            ("last sweep", sweep),
        ];
        let lines = lines.map(|(label, what)| format!("  {} {what}", style.paint(&format!("{label:12}"), Tone::Faint)));
        format!("{} on {place}\n{}", style.paint(&self.stack, Tone::Strong), lines.join("\n"))
    }
}

/// What was found. What a local AWS does not tell needs no warning.
fn known<T>(looked_for: Lookup<T>) -> Option<T> {
    match looked_for {
        Lookup::Found(found) => Some(found),
        Lookup::Unknown(failure) => {
            screen::remark(&format!("warning: {failure}"));
            None
        }
        Lookup::Absent | Lookup::NotLocally(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_on_its_way_and_what_was_set_aside_is_counted() {
        let waiting = |visible, hidden, oldest_seconds| Some(Waiting { visible, hidden, oldest_seconds });
        let report = Report {
            stack: "rollcall".to_owned(),
            events: waiting(3, 1, Some(130)),
            commands: waiting(0, 0, Some(7)),
            dead_deliveries: Some(1),
            dead_commands: None,
            spool: Some(Heap::default()),
            parked: Some(Heap { count: 2, bytes: 9, oldest_seconds: 10_800 }),
            quarantine: None,
            last_sweep_seconds: Some(40),
        };
        let expected = "\
rollcall on AWS
  events queue 3 deliveries, and 1 in hand, the oldest 2 minutes old
  commands     0 commands, and 0 in hand
  spooled      none
  parked       2 deliveries, the oldest 3 hours old
  quarantined  unknown
  dead letters 1 delivery, unknown
  last sweep   40 seconds ago";
        assert_eq!(report.render("AWS", Style::PLAIN), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["parked"], json!({"count": 2, "bytes": 9, "oldest_seconds": 10_800}));
        assert_eq!(json["events"], json!({"visible": 3, "hidden": 1, "oldest_seconds": 130}));
        assert_eq!(json["quarantine"], json!(null));
    }
}
