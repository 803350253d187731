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
        selection::{How, Whose},
    },
    screen::Style,
    stack::{Stack, StackArgs},
};
use clap::{ArgGroup, Args, Subcommand, value_parser};
use shared::{SessionId, group};

/// Dead letters: list them, look at them, put them back
///
/// A delivery comes here when it took the function down with it every time, or nothing processed it for hours. With --commands:
/// slow and timed work that failed on every try. No session shows that a dead letter is missing.
///
/// To look at a queue is to receive from it: for the moment others see nothing there, and everything is given back.
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
/// Of each bot only the first ten can be seen: the queue gives no more while those are there.
#[derive(Args, Clone, Debug)]
struct List {
    #[command(flatten)]
    whose: Whose,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
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
Exits with 0 when all that was selected and could be seen is in the queue (with
--wait: took effect), even if that is nothing; with 1 when something was not put
back, or failed again; with 3 when there is nothing under an --id."
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
    /// Carries the command out.
    ///
    /// # Errors
    /// When something cannot be read, is not there, or was not put back.
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let of = if self.commands { Of::Commands } else { Of::Deliveries };
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
