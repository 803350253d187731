//! `rollcall timeline`: what became of one bot or calendar, and of each of its deliveries.

pub mod rendering;
pub mod report;

use crate::{
    bot::{self, BotArgs},
    failure::Failure,
    screen::{self, Style},
    stack::{Stack, StackArgs},
    table::{self, Known},
};
use clap::{Args, builder::PossibleValuesParser};
use report::Report;
use shared::{Session, SessionId, ids::Subject, session::State};
use std::time::{Duration, Instant};

/// How often the table is read while waiting.
const BETWEEN_READS: Duration = Duration::from_millis(500);

/// Show what became of a bot or a calendar, delivery by delivery
///
/// The first block is the session: how far it has come, how it ended, whether a signature or the provider's API proves that or
/// only an unsigned callback says so, what became of each artifact, and which deliveries are missing. Of a calendar it has the
/// connection and the entries that changed, the latest first.
///
/// Below it is a line for each delivery: when it happened by the sender's clock, when it was received by ours, and what became
/// of it. All times are in UTC. A character that a terminal would act on is shown as an escape.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
What became of a delivery:
  applied      it took effect
  duplicate    another delivery had said the same
  ignored      it is recorded and changes nothing
  quarantined  it could not be read; its bytes are in the bucket
A delivery that failed on every try is none of these: it is parked, and listed as missing with its key in the bucket.

What became of an artifact, at the provider: announced, failed or skipped; after it with us: stored, pending, unavailable, \
not_kept (no recordings are copied) or erased.

Examples:
  rollcall timeline 7c1e4a92
  rollcall timeline meetstream 7c1e4a92 --wait done --timeout 60
  rollcall timeline meetstream 7c1e4a92 --json | jq .artifacts
  rollcall timeline meetingbaas 5a0c9e1f --calendar

Exits with 3 when nothing is known of it.")]
pub struct Timeline {
    #[command(flatten)]
    bot: BotArgs,
    /// The id is that of a calendar
    #[arg(long, conflicts_with = "wait")]
    calendar: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Wait until the bot has come this far, or further
    #[arg(long, value_name = "STATE", value_parser = states())]
    wait: Option<String>,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "wait")]
    timeout: u64,
}

pub fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(State::ALL.map(State::as_str))
}

pub fn state_of_name(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.as_str() == name)
}

impl Timeline {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let subject = if self.calendar { Subject::Calendar } else { Subject::Bot };
        let candidates = self.bot.candidates(subject)?;
        let stack = stack_args.open().await?;
        let (found, came_far_enough) = self.read(&stack, &candidates).await?;
        let Some((id, known)) = found else {
            return Err(bot::nothing_known(&stack, stack_args, &candidates).await);
        };
        let report = Report::of(&id, &known);
        if self.json {
            screen::print_json(&report)?;
        } else {
            screen::print(&rendering::render(&report, style))?;
        }
        match &self.wait {
            Some(state) if !came_far_enough => {
                Err(Failure::new(format!("after {} s the bot is {} and not yet {state}", self.timeout, report.state))
                    .help("--timeout SECONDS waits longer"))
            }
            _ => Ok(()),
        }
    }

    /// What is known of it once it has come far enough, or time is up; and whether it has.
    async fn read(
        &self,
        stack: &Stack,
        candidates: &[SessionId],
    ) -> Result<(Option<(SessionId, Known)>, bool), Failure> {
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let wanted = self.wait.as_deref().and_then(state_of_name);
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let now = jiff::Timestamp::now().as_second();
            let found = bot::only(candidates, async |id| table::known(&client, stack, id, now).await).await?;
            let far_enough =
                wanted.is_none_or(|wanted| found.as_ref().is_some_and(|(_, known)| known.state() >= wanted));
            if far_enough || Instant::now() >= deadline {
                return Ok((found, far_enough));
            }
            tokio::time::sleep(BETWEEN_READS).await;
        }
    }
}

impl Known {
    /// How far the bot has come.
    pub fn state(&self) -> State {
        self.session().map_or(State::Unknown, Session::state)
    }

    /// How many deliveries are missing from the session, because they were parked.
    pub fn missing(&self) -> usize {
        self.session().map_or(0, |session| session.missing().len())
    }
}
