//! The providers' APIs, made up, where a stack on this machine looks for them.

use crate::{
    failure::Failure,
    stack::{Keyring, Stack, StackArgs},
    table,
};
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use shared::{
    Provider, Session, SessionId,
    session::{Job, State},
};
use simulator::{Bot, BotPlan, Knobs, Simulator};
use std::time::{Duration, Instant};

/// How long a stack on this machine takes at most to fetch what one bot has.
const FETCHED_WITHIN: Duration = Duration::from_secs(60);

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Serves the APIs of both providers on `port`, and presigned URLs on the next one; on free ports if it is 0. They ask for the
/// keys that the stack has.
pub async fn serve(port: u16, keyring: &Keyring<'_>, knobs: Knobs) -> Result<Simulator, Failure> {
    let key = |provider| keyring.api_key(provider).map(|secret| secret.0);
    let knobs = Knobs {
        meetstream_key: key(Provider::MeetStream).unwrap_or(knobs.meetstream_key),
        meetingbaas_key: key(Provider::MeetingBaas).unwrap_or(knobs.meetingbaas_key),
        ..knobs
    };
    Simulator::start_on(port, knobs).await.map_err(|error| {
        let ports = if port == 0 { String::new() } else { format!(" on ports {port} and {}", port.saturating_add(1)) };
        Failure::new(format!("the providers' APIs cannot be served{ports}: {error}"))
            .help("only one rollcall can serve them at a time: end the other one")
    })
}

/// One bot whose provider's API is served where a stack looks for it.
#[derive(Debug)]
pub struct ServedBot {
    pub bot: Bot,
    stack: Stack,
    /// It serves until it is dropped.
    _simulator: Simulator,
}

impl ServedBot {
    pub async fn start(stack_args: &StackArgs, plan: BotPlan) -> Result<Self, Failure> {
        let stack = stack_args.open().await?;
        let port = stack.api_port.ok_or_else(|| {
            Failure::new(format!("{} does not ask for the providers' APIs on this machine", stack.aws.name))
                .help("--serve-api needs a local stack that `make up` of this version started")
        })?;
        let simulator = serve(port, &stack.keyring().await?, Knobs::default()).await?;
        Ok(Self { bot: simulator.add_bot(plan), stack, _simulator: simulator })
    }

    /// Waits until the stack has nothing left to fetch for it.
    pub async fn wait(&self) -> Result<(), Failure> {
        let client = Client::new(&self.stack.aws.config);
        let ids: Vec<SessionId> = self.bot.session_id().into_iter().collect();
        let deadline = Instant::now() + FETCHED_WITHIN;
        loop {
            let sessions = table::sessions(&client, &self.stack, &ids, Timestamp::now().as_second()).await?;
            let is_over = |session: &Session| session.state() >= State::Done && !session.all_pending().any(is_at_once);
            if sessions.first().is_some_and(is_over) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = format!("after {} s the stack has not fetched everything", FETCHED_WITHIN.as_secs());
                return Err(Failure::new(what).help("`rollcall artifacts` and the functions' logs say why"));
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// A deletion has a second round, after 20 minutes.
fn is_at_once((job, _): (Job, i64)) -> bool {
    job != Job::EraseAgain
}
