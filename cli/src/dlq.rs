//! `rollcall dlq`: the dead-letter queues, and how what is in them comes back.

mod look;
mod put_back;
mod scan;

use crate::{
    escape,
    failure::Failure,
    queue::{Letter, Queue},
    replay::{
        content::Content,
        selection::{How, Listing, Whose},
    },
    screen::Style,
    stack::{Stack, StackArgs},
};
use clap::{ArgGroup, Args, Subcommand};
use shared::{SessionId, group};

/// Dead letters: list them, look at them, put them back
///
/// A delivery is moved to this queue when it crashed the process function on every receive, or when nothing processed it for
/// hours. With --commands: commands that failed on every receive. No session shows that a dead letter is missing.
///
/// SQS shows messages only by receiving them. So while this command runs, others see nothing in the queue; at its end it makes
/// all messages visible again.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall dlq list
  rollcall dlq replay --all --dry-run
  rollcall dlq replay --bot meetstream 7c1e4a92 --wait
  rollcall dlq list --commands")]
pub struct Dlq {
    /// The commands dead-letter queue instead of the one of deliveries
    #[arg(long, global = true)]
    commands: bool,
    /// Nobody knows one: a message is dead because the function did not get it done
    #[arg(long, global = true, hide = true)]
    reason: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone, Debug)]
enum Action {
    List(List),
    Show(Show),
    Replay(PutBack),
}

/// List them
///
/// Of each bot only the first ten are shown: SQS hands out no more of a message group while those are in flight.
#[derive(Args, Clone, Debug)]
struct List {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    listing: Listing,
}

/// Print one with its body
///
/// The body may contain what people said. What would act on a terminal in it is shown as an escape.
#[derive(Args, Clone, Debug)]
struct Show {
    /// Its message id, or its accept id
    id: String,
    /// Write nothing but the body's bytes, exactly as they were sent
    #[arg(long)]
    raw: bool,
}

/// Put them back into the queue that they came from
///
/// Each one is removed from here only when that queue has confirmed it. Interrupting this, or doing it twice, does no harm: a
/// delivery that took effect is recognised.
#[derive(Args, Clone, Debug)]
#[command(
    group(ArgGroup::new("which").required(true).multiple(true).args(["all", "ids", "bot", "calendar"])),
    after_help = "\
Exits with 0 when all that was selected and could be seen is in the queue (with --wait: took effect), even if that is nothing; \
with 1 when something was not put back, or failed again; with 3 when there is nothing under an --id."
)]
struct PutBack {
    #[command(flatten)]
    whose: Whose,
    /// This one, by its message id or accept id; may be given several times
    #[arg(long = "id", value_name = "ID", conflicts_with_all = ["bot", "calendar"])]
    ids: Vec<String>,
    /// Everything
    #[arg(long, conflicts_with_all = ["ids", "bot", "calendar"])]
    all: bool,
    #[command(flatten)]
    how: How,
}

/// Which of the two dead-letter queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Of {
    Deliveries,
    Commands,
}

impl Dlq {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let of = if self.commands { Of::Commands } else { Of::Deliveries };
        if self.reason.is_some() {
            return Err(Failure::usage(
                "dead letters have no --reason: SQS does not say why a message was received in vain",
            )
            .help("leave out --reason; the log of the process function says what it died of: docs/RUNBOOK.md"));
        }
        let stack = stack_args.open().await?;
        match self.action {
            Action::List(list) => list.run(of, &stack, style).await,
            Action::Show(show) => show.run(of, &stack).await,
            Action::Replay(replay) => replay.run(of, &stack, style).await,
        }
    }
}

impl Of {
    fn dead<'a>(self, stack: &'a Stack) -> Queue<'a> {
        match self {
            Self::Deliveries => Queue::events_dlq(stack),
            Self::Commands => Queue::commands_dlq(stack),
        }
    }

    fn alive<'a>(self, stack: &'a Stack) -> Queue<'a> {
        match self {
            Self::Deliveries => Queue::events(stack),
            Self::Commands => Queue::commands(stack),
        }
    }

    /// Whose dead letters are asked for.
    fn session(self, whose: &Whose) -> Result<Option<SessionId>, Failure> {
        match (self, whose.session()?) {
            (Self::Commands, Some(_)) => {
                Err(Failure::usage("commands are about no bot").help("leave out --bot or --commands"))
            }
            (_, session) => Ok(session),
        }
    }
}

/// Whether a dead letter is of this bot or calendar.
fn is_of(letter: &Letter, session: Option<&SessionId>) -> bool {
    session.is_none_or(|session| letter.group.as_deref().map(group::in_bucket) == Some(session.group().as_str()))
}

/// Whether a dead letter has this message id or accept id.
fn is_asked_for(letter: &Letter, id: &str) -> bool {
    let accept_id = || Content::of_record(letter.body.clone()).ok().map(|content| content.head().accept_id.clone());
    letter.id == id || accept_id().is_some_and(|accept_id| accept_id.as_str() == id)
}

fn missing(id: &str, queue: &str) -> Failure {
    Failure::not_found(format!("there is no \"{}\" to be seen in {queue}", escape::text(id)))
        .help("`rollcall dlq list` shows what there is")
}

#[cfg(test)]
mod tests;
