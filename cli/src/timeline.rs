//! `rollcall timeline`: what became of one bot or calendar, and of each of its deliveries.

pub mod rendering;
pub mod report;

use crate::{
    escape,
    failure::Failure,
    screen::{self, Style},
    stack::{Stack, StackArgs},
    table::{self, Known},
};
use clap::{Args, builder::PossibleValuesParser};
use report::{Report, subject_name};
use shared::{Provider, SenderId, SessionId, ids::Subject, session::State};
use std::time::{Duration, Instant};

/// How often the table is looked at while waiting.
const WAIT_BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Show what became of a bot or a calendar, delivery by delivery
///
/// The first block is the session: how far it has come, how it ended, whether a
/// signature proves that or an unsigned callback only claims it, what there is
/// to fetch, and what is missing. Then comes a line for each delivery: when it
/// happened by the sender's clock, when it was received by ours, and
///
///   applied      it took effect
///   duplicate    another delivery had said the same
///   ignored      it is recorded and changes nothing
///   quarantined  it could not be read; its bytes are in the bucket
///
/// A delivery that failed on every try is none of these: it is listed as missing,
/// with the place of its bytes in the bucket.
///
/// Of a calendar, the first block has its connection and the entries that were
/// touched, the latest first.
///
/// All times are in UTC. What would act on a terminal in a sender's text is
/// shown as an escape.
#[derive(Args, Clone, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  rollcall timeline meetstream 7c1e4a92
  rollcall timeline meetstream 7c1e4a92 --wait done --timeout 60
  rollcall timeline meetstream 7c1e4a92 --json | jq .artifacts
  rollcall timeline meetingbaas 5a0c9e1f --calendar

Exits with 3 when nothing is known of it."
)]
pub struct Timeline {
    /// Whose it is
    #[arg(value_parser = providers())]
    provider: String,
    /// The provider's id of the bot or calendar, exactly as it sent it
    #[arg(value_name = "ID")]
    id: String,
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

/// The names of providers, for arguments.
#[must_use]
pub fn providers() -> PossibleValuesParser {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str))
}

/// The names of states, for arguments.
#[must_use]
pub fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(State::ALL.map(State::as_str))
}

/// The state of this name.
#[must_use]
pub fn state_of_name(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.as_str() == name)
}

/// The bot or calendar that arguments name.
///
/// # Errors
/// When no bot or calendar can be called so.
pub fn session_id(provider: &str, subject: Subject, id: &str) -> Result<SessionId, Failure> {
    let shown = escape::text(provider);
    let provider =
        Provider::from_name(provider).ok_or_else(|| Failure::usage(format!("there is no provider \"{shown}\"")))?;
    let id = SenderId::try_from(id).map_err(|error| {
        Failure::usage(format!("no {} has the id \"{}\": {error}", subject_name(subject), escape::text(id)))
    })?;
    Ok(SessionId { provider, subject, id })
}

impl Timeline {
    /// Carries the command out.
    ///
    /// # Errors
    /// When the bot is not known, did not come as far as was waited for, or the table cannot be read.
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let subject = if self.calendar { Subject::Calendar } else { Subject::Bot };
        let id = session_id(&self.provider, subject, &self.id)?;
        let stack = stack_args.open().await?;
        let (known, came_far_enough) = self.read(&stack, &id).await?;
        let Some(known) = known else {
            let (subject, shown) = (subject_name(id.subject), escape::text(id.id.as_sent()));
            let what = format!("nothing is known of {} {subject} \"{shown}\" on {}", id.provider, stack.aws.name);
            let wait = if self.calendar { "" } else { ", --wait STATE waits for it" };
            return Err(Failure::not_found(what).help(format!(
                "`rollcall sessions{}` lists those of these days; a delivery takes a moment{wait}",
                stack_args.as_flags()
            )));
        };
        let report = Report::of(&id, &known);
        if self.json {
            screen::print(&escape::json(&report).map_err(|error| Failure::new(error.to_string()))?)?;
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
    async fn read(&self, stack: &Stack, id: &SessionId) -> Result<(Option<Known>, bool), Failure> {
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let wanted = self.wait.as_deref().and_then(state_of_name);
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let now = jiff::Timestamp::now().as_second();
            let known = table::known(&client, stack, id, now).await?;
            let has_come_to = |wanted| known.as_ref().is_some_and(|known| known.state() >= wanted);
            let far_enough = wanted.is_none_or(has_come_to);
            if far_enough || Instant::now() >= deadline {
                return Ok((known, far_enough));
            }
            tokio::time::sleep(WAIT_BETWEEN_LOOKS).await;
        }
    }
}

impl Known {
    /// How far the bot has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.session.as_ref().map_or(State::Unknown, |(session, _)| session.state())
    }

    /// How many deliveries are missing from the session, because they were parked.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.session.as_ref().map_or(0, |(session, _)| session.missing().len())
    }
}
