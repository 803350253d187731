//! `rollcall timeline`: what became of one bot, and of each of its deliveries.

pub mod rendering;
pub mod report;

use crate::{
    escape,
    failure::Failure,
    screen::{self, Look},
    stack::{Place, Stack},
    table::{self, Bot},
};
use clap::{Args, builder::PossibleValuesParser};
use report::Report;
use shared::{Provider, SenderId, SessionId, session::State};
use std::time::{Duration, Instant};

/// How often the table is looked at while waiting.
const WAIT_BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Show what became of a bot, delivery by delivery
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

Exits with 3 when nothing is known of the bot."
)]
pub struct Timeline {
    /// Whose bot
    #[arg(value_parser = ["meetstream"])]
    provider: String,
    /// The provider's id of the bot, exactly as it sent it
    #[arg(value_name = "BOT ID")]
    bot_id: String,
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

impl Timeline {
    /// Carries the command out.
    ///
    /// # Errors
    /// When the bot is not known, did not come as far as was waited for, or the table cannot be read.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let id = self.session_id()?;
        let stack = place.open().await?;
        let (bot, came_far_enough) = self.read(&stack, &id).await?;
        let Some(bot) = bot else {
            let bot_id = escape::text(id.id.as_sent());
            let what = format!("nothing is known of {} bot \"{bot_id}\" on {}", id.provider, stack.aws.name);
            return Err(Failure::not_found(what).help(format!(
                "`rollcall sessions{}` lists the bots of these days; a delivery takes a moment, --wait STATE waits for it",
                place.as_flags()
            )));
        };
        let report = Report::of(&id, &bot);
        if self.json {
            screen::print(&escape::json(&report).map_err(|error| Failure::new(error.to_string()))?)?;
        } else {
            screen::print(&rendering::render(&report, look))?;
        }
        match &self.wait {
            Some(state) if !came_far_enough => {
                Err(Failure::new(format!("after {} s the bot is {} and not yet {state}", self.timeout, report.state))
                    .help("--timeout SECONDS waits longer"))
            }
            _ => Ok(()),
        }
    }

    fn session_id(&self) -> Result<SessionId, Failure> {
        let provider = Provider::from_name(&self.provider)
            .ok_or_else(|| Failure::usage(format!("there is no provider \"{}\"", escape::text(&self.provider))))?;
        let bot_id = SenderId::try_from(self.bot_id.as_str()).map_err(|error| {
            Failure::usage(format!("no bot has the id \"{}\": {error}", escape::text(&self.bot_id)))
        })?;
        Ok(SessionId::bot(provider, bot_id))
    }

    /// What is known of the bot once it has come far enough, or time is up; and whether it has.
    async fn read(&self, stack: &Stack, id: &SessionId) -> Result<(Option<Bot>, bool), Failure> {
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let wanted = self.wait.as_deref().and_then(state_of_name);
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let now = jiff::Timestamp::now().as_second();
            let bot = table::bot(&client, stack, id, now).await?;
            let has_come_to = |wanted| bot.as_ref().is_some_and(|bot| bot.state() >= wanted);
            let far_enough = wanted.is_none_or(has_come_to);
            if far_enough || Instant::now() >= deadline {
                return Ok((bot, far_enough));
            }
            tokio::time::sleep(WAIT_BETWEEN_LOOKS).await;
        }
    }
}

impl Bot {
    /// How far the bot has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.session.as_ref().map_or(State::Unknown, |(session, _)| session.state())
    }
}
