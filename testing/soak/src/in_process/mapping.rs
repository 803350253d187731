//! The event source mappings and the schedule: what Lambda and `EventBridge` do on their own.

use super::{
    Seen,
    queue::Received,
    sandbox::{Ended, ProcessFunction, Sandbox},
    take,
    world::World,
};
use crate::{
    fault::Call,
    order::{self, Answered},
    schedule::Schedule,
};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use fastrand::Rng;
use lambda_runtime::{Context, LambdaEvent};
use process_fn::{Answer, Payload};
use shared::Command;
use std::{sync::Arc, time::Duration};
use tokio::{sync::futures::Notified, task::JoinSet};

/// How long Lambda lets the function behind the queues run, as in the template.
pub(super) const TIMEOUT: Duration = Duration::from_secs(120);

/// How often the schedule invokes the function for a sweep.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What runs beside the senders.
pub(super) struct Surroundings {
    tasks: JoinSet<()>,
    seen: Seen,
}

impl Surroundings {
    /// Ends everything, and tells what was not as it must be.
    pub(super) async fn end(&mut self) -> Vec<String> {
        self.tasks.shutdown().await;
        take(&self.seen)
    }
}

/// Starts the mapping of the events queue and the schedule, in the local set that this is called in.
pub(super) fn start(world: &Arc<World>, schedule: &Schedule) -> Surroundings {
    let (mut tasks, seen) = (JoinSet::new(), Seen::default());
    for n in 0..schedule.settings.pollers {
        let rng = Rng::with_seed(schedule.seed.wrapping_add(u64::from(n)));
        tasks.spawn_local(poll_events(Arc::clone(world), rng, Arc::clone(&seen)));
    }
    for n in 0..schedule.settings.command_pollers {
        let rng = Rng::with_seed(schedule.seed.wrapping_mul(31).wrapping_add(u64::from(n)));
        tasks.spawn_local(poll_commands(Arc::clone(world), rng));
    }
    let world = Arc::clone(world);
    tasks.spawn_local(async move {
        loop {
            tokio::time::sleep(SWEEP_EVERY).await;
            // Days pass between two waves; a sweep that finds nothing changes nothing.
            if !world.is_to_sweep() {
                continue;
            }
            let sandbox = Sandbox::new(&world);
            let function = sandbox.process();
            // Whatever becomes of it, the next one makes up for it.
            let _ = answer(&world, &sandbox, &function, Command::Sweep { spool_every_minutes: None }).await;
        }
    });
    Surroundings { tasks, seen }
}

async fn poll_events(world: Arc<World>, mut rng: Rng, seen: Seen) {
    let mut sandbox = Sandbox::new(&world);
    let mut function = sandbox.process();
    loop {
        let news = world.news();
        let most = if rng.u8(0..3) == 0 { rng.usize(1..10) } else { 10 };
        let batch = world.events().receive(world.now_ms(), most);
        if batch.is_empty() {
            let next = world.events().next_visible();
            wait(&world, news, next).await;
            continue;
        }
        let under_way = world.under_way();
        let answer = invoke(&world, &sandbox, &function, &batch).await;
        drop(under_way);
        match answer {
            Ended::Answered(Some(response)) => {
                let failed: Vec<_> = response.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect();
                let answered = batch.iter().map(|message| Answered {
                    group: message.group.as_deref().unwrap_or_default(),
                    body: &message.body,
                    has_failed: failed.contains(&message.message_id.as_str()),
                });
                if let Some(what) = order::broken(answered) {
                    seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(what);
                }
                for message in batch.iter().filter(|message| !failed.contains(&message.message_id.as_str())) {
                    if world.fault(Call::Acknowledge, None).is_none() {
                        world.events().delete(world.now_ms(), message.receipt);
                    }
                }
            }
            Ended::Answered(None) | Ended::Panicked => {}
            Ended::Died => {
                sandbox = Sandbox::new(&world);
                function = sandbox.process();
            }
        }
    }
}

async fn poll_commands(world: Arc<World>, mut rng: Rng) {
    let mut sandbox = Sandbox::new(&world);
    let mut function = sandbox.process();
    loop {
        let news = world.news();
        let most = if rng.u8(0..3) == 0 { rng.usize(1..10) } else { 10 };
        let batch = world.commands().receive(world.now_ms(), most);
        if batch.is_empty() {
            let next = world.commands().next_visible();
            wait(&world, news, next).await;
            continue;
        }
        let under_way = world.under_way();
        let mut event = SqsEvent::default();
        event.records = batch.iter().map(|message| record(message, COMMANDS_ARN)).collect();
        let answer = answer(&world, &sandbox, &function, event).await;
        drop(under_way);
        match answer {
            Ended::Answered(Some(Answer::Batch(response))) => {
                let failed: Vec<_> = response.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect();
                for message in batch.iter().filter(|message| !failed.contains(&message.message_id.as_str())) {
                    // A standard queue delivers some messages twice.
                    let is_again = rng.u8(0..20) == 0;
                    if !is_again && world.fault(Call::AcknowledgeCommand, None).is_none() {
                        world.commands().delete(world.now_ms(), message.receipt);
                    }
                }
            }
            Ended::Answered(_) | Ended::Panicked => {}
            Ended::Died => {
                sandbox = Sandbox::new(&world);
                function = sandbox.process();
            }
        }
    }
}

/// Invokes the function with a command, as an operator does. Whether it was carried out.
pub(super) async fn order(world: &Arc<World>, command: Command) -> bool {
    let sandbox = Sandbox::new(world);
    let function = sandbox.process();
    let under_way = world.under_way();
    let answer = answer(world, &sandbox, &function, command).await;
    drop(under_way);
    matches!(answer, Ended::Answered(Some(_)))
}

/// Waits for something new in a queue, or until something in it can be seen again.
async fn wait(world: &World, news: Notified<'_>, next_visible: Option<i64>) {
    let Some(at) = next_visible else {
        news.await;
        return;
    };
    let delay = u64::try_from(at - world.now_ms()).unwrap_or(0).max(1);
    tokio::select! {
        biased;
        () = news => {}
        () = tokio::time::sleep(Duration::from_millis(delay)) => {}
    }
}

async fn invoke(
    world: &World,
    sandbox: &Sandbox,
    function: &ProcessFunction,
    batch: &[Received],
) -> Ended<Option<SqsBatchResponse>> {
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(|message| record(message, EVENTS_ARN)).collect();
    match answer(world, sandbox, function, event).await {
        Ended::Answered(Some(Answer::Batch(response))) => Ended::Answered(Some(response)),
        Ended::Answered(_) => Ended::Answered(None),
        Ended::Panicked => Ended::Panicked,
        Ended::Died => Ended::Died,
    }
}

/// One invocation, as Lambda would make it.
async fn answer(
    world: &World,
    sandbox: &Sandbox,
    function: &ProcessFunction,
    payload: impl Into<Payload>,
) -> Ended<Option<Answer>> {
    let mut context = Context::default();
    context.deadline = u64::try_from((world.now() + TIMEOUT).as_millis()).unwrap_or(u64::MAX);
    let invocation = process_fn::handle_at(function, LambdaEvent::new(payload.into(), context), world.now());
    match sandbox.run(invocation, TIMEOUT).await {
        Ended::Answered(answer) => Ended::Answered(answer.ok()),
        Ended::Panicked => Ended::Panicked,
        Ended::Died => Ended::Died,
    }
}

const EVENTS_ARN: &str = "arn:aws:sqs:eu-central-1:123456789012:events.fifo";
const COMMANDS_ARN: &str = "arn:aws:sqs:eu-central-1:123456789012:commands";

fn record(message: &Received, arn: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.clone());
    record.receipt_handle = Some(message.receipt.to_string());
    record.body = Some(message.body.clone());
    record.event_source_arn = Some(arn.to_owned());
    record.attributes.insert("ApproximateReceiveCount".to_owned(), message.receive_count.to_string());
    record.attributes.insert("SentTimestamp".to_owned(), message.sent_at_ms.to_string());
    if let Some(group) = &message.group {
        record.attributes.insert("MessageGroupId".to_owned(), group.clone());
    }
    record
}
