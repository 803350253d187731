//! Plays the meetings, and looks at the table meanwhile and afterwards.

use super::{
    audit::Account,
    live::{Copies, Live, Progress},
};
use crate::{failure::Failure, invoke, stack::Stack, table};
use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use shared::SessionId;
use simulator::{Bot, Player, Sent};
use std::time::{Duration, Instant};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::MissedTickBehavior,
};

/// How often the table is read.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Where sessions are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    pub(super) client: &'a Client,
    pub(super) stack: &'a Stack,
}

/// Plays all meetings at once, and shows how that goes.
pub(super) async fn play(
    table: Table<'_>,
    player: &Player,
    bots: &[Bot],
    live: &mut Live,
) -> Result<Vec<Sent>, Failure> {
    let (tell, mut told): (UnboundedSender<Sent>, UnboundedReceiver<Sent>) = unbounded_channel();
    let begins_at = bots.iter().filter_map(first_step).min().unwrap_or_else(Timestamp::now);
    let mut meetings = JoinSet::new();
    for bot in bots {
        let (player, bot, tell) = (player.clone(), bot.clone(), tell.clone());
        meetings.spawn(async move {
            let late = first_step(&bot).map(|first| first.duration_since(begins_at)).unwrap_or_default();
            tokio::time::sleep(Duration::try_from(late).unwrap_or_default()).await;
            player.play(&bot, |sent| drop(tell.send(sent.clone()))).await;
        });
    }
    drop(tell);
    let ids: Vec<SessionId> = bots.iter().filter_map(Bot::session_id).collect();
    let mut progress = Progress::new(bots.len());
    let mut sent = Vec::new();
    let mut look = tokio::time::interval(BETWEEN_LOOKS);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            one = told.recv() => {
                // Every meeting is over, and everything was told.
                let Some(one) = one else { return Ok(sent) };
                progress.count(&one);
                sent.push(one);
            }
            Some(_) = meetings.join_next() => progress.over += 1,
            _ = look.tick() => {
                progress.see(&table::sessions(table.client, table.stack, &ids, Timestamp::now().as_second()).await?);
                live.show(&progress);
            }
        }
    }
}

/// Invokes a sweep that often, until this is dropped. What is to be tried again waits for one.
pub(super) async fn sweep(stack: &Stack, every: Duration) -> Failure {
    loop {
        tokio::time::sleep(every).await;
        if let Err(failure) = invoke::sweep(stack).await {
            return failure;
        }
    }
}

fn first_step(bot: &Bot) -> Option<Timestamp> {
    let plan = bot.plan();
    plan.steps().first().map(|step| plan.at(*step))
}

/// What the table knows of each bot, once it accounts for everything or time is up.
pub(super) async fn settle(
    table: Table<'_>,
    mut accounts: Vec<Account>,
    wait: Duration,
    live: &mut Live,
) -> Result<Vec<Account>, Failure> {
    let deadline = Instant::now() + wait;
    loop {
        for account in accounts.iter_mut().filter(|account| !account.is_settled()) {
            account.known = table::known(table.client, table.stack, &account.id, Timestamp::now().as_second()).await?;
        }
        let open = accounts.iter().filter(|account| !account.is_settled()).count();
        let mut copies = Copies::default();
        accounts.iter().filter_map(Account::session).for_each(|session| copies.count(session));
        live.settling(accounts.len() - open, accounts.len(), copies);
        if open == 0 || Instant::now() >= deadline {
            return Ok(accounts);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
