//! A schedule with both handlers in this process, over stores in memory that obey the real ones' rules, in virtual time.

mod api;
mod bucket;
mod mapping;
mod queue;
mod sandbox;
mod world;

mod replay;
mod table;

use crate::{
    account::ENTRIES,
    audit::{self, Announced, Around, Evidence, Sent, Stored},
    delivery::Delivery,
    fault::{Call, Weather},
    report::Run,
    schedule::{Schedule, Wave},
};
use anyhow::Result;
use jiff::Timestamp;
use lambda_http::{Body, Context as LambdaContext, Request, RequestExt, http};
use process_fn::SessionStore as _;
use sandbox::{Ended, Sandbox};
use shared::{Command, Event, SenderId, SessionId, api::CalendarEntry};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::{JoinSet, LocalSet};
use world::World;

/// How long Lambda lets the function behind the webhook URL run.
const INGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long everything may take to settle once nothing goes wrong any more: what fails is parked within hours, and what the
/// provider does not give is given up when our patience is at its end.
fn settling(world: &World) -> Duration {
    Duration::from_secs(12 * 3600) + world.settings().patience
}

/// Runs a schedule and audits what is left.
///
/// # Errors
/// If the harness itself fails.
pub fn run(schedule: &Schedule) -> Result<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(LocalSet::new().run_until(play(schedule)))
}

async fn play(schedule: &Schedule) -> Result<Run> {
    let world = Arc::new(World::new(schedule));
    let mut run = Run::default();
    let mut known = Known { candidates: schedule.account.events(), lives: 1, ..Known::default() };
    for (n, wave) in schedule.waves.iter().enumerate() {
        known.pass(&world, wave.leap).await;
        let mut surroundings = mapping::start(&world, schedule);
        world.set_weather(wave.weather.clone());
        let (sent, ordered) = tokio::join!(storm(&world, n, wave), carry_out(&world, &wave.orders));
        known.sent.extend(sent?);
        known.ordered.extend(ordered);
        world.set_weather(Weather::default());
        if !settle(&world).await {
            run.violations.push(format!("wave {n}: not settled within {:?}: {}", settling(&world), left(&world)));
        }
        run.count_endings(&stored(&world));
        let wrong = audit::audit(&known.evidence(&world, false));
        run.violations.extend(wrong.into_iter().map(|what| format!("wave {n}: {what}")));

        known.pass(&world, wave.replay_after).await;
        replay::everything(&world);
        if !settle(&world).await {
            run.violations.push(format!("wave {n}: replayed, and not settled: {}", left(&world)));
        }
        known.mirrored = mirrored(&world, schedule).await;
        let around = known.around(&world, schedule);
        let evidence = known.evidence(&world, true);
        let wrong = audit::audit(&evidence).into_iter().chain(audit::afterwards(&evidence, &around));
        run.violations.extend(wrong.map(|what| format!("wave {n}, replayed: {what}")));
        let announced = audit::announced(&evidence);
        known.expected.extend(announced);
        run.violations.extend(surroundings.end().await.into_iter().chain(world.hasty()));
    }
    let heard = world.heard().into_iter().map(|told| (told.id, told.name)).collect();
    run.violations.extend(audit::published(&known.expected, &heard));
    run.count_answers(&known.sent);
    run.count_jobs(&world.heard(), &world.asked());
    run.struck = world.struck().into_iter().map(|((call, fault), n)| ((format!("{call:?}"), fault), n)).collect();
    Ok(run)
}

/// What is known of a run so far, from outside.
#[derive(Default)]
struct Known {
    sent: Vec<Sent>,
    expected: Announced,
    /// What may become known without a delivery, and what did.
    candidates: Vec<Event>,
    told: Vec<Event>,
    ordered: Vec<(Command, bool)>,
    mirrored: BTreeMap<(SessionId, String), CalendarEntry>,
    /// How much was published before sessions last expired.
    published_before: usize,
    /// How often a provider was asked before that.
    asked_before: usize,
    lives: u64,
}

impl Known {
    /// Lets time pass, and forgets what expires meanwhile.
    async fn pass(&mut self, world: &World, time: Duration) {
        if time.is_zero() {
            return;
        }
        let before = stored(world);
        tokio::time::sleep(time).await;
        if world.settings().is_prompt {
            world.table.delete_expired(world.now_seconds());
        }
        // What has expired is as if it had never been.
        let sessions_expired = time >= Duration::from_secs(90 * 86_400);
        if time >= Duration::from_secs(7 * 86_400) {
            audit::forget(&mut self.sent, &before, sessions_expired);
        }
        if sessions_expired {
            self.told.clear();
            self.ordered.clear();
            self.published_before = world.heard().len();
            self.asked_before = world.asked().len();
            self.lives += 1;
        }
    }

    fn evidence(&mut self, world: &World, is_final: bool) -> Evidence<'_> {
        let stored = stored(world);
        for event in audit::told(&self.candidates, &stored) {
            if !self.told.iter().any(|known| known.accept_id == event.accept_id) {
                self.told.push(event);
            }
        }
        Evidence { sent: &self.sent, told: &self.told, stored, is_final }
    }

    fn around<'a>(&self, world: &World, schedule: &'a Schedule) -> Around<'a> {
        let deletions = self.ordered.iter().filter_map(|(command, is_done)| match command {
            Command::Delete { session } => Some((session.clone(), *is_done)),
            _ => None,
        });
        let faults =
            world.struck().into_iter().filter(|((call, code), _)| can_cost_a_try(*call, code)).map(|(_, n)| n).sum();
        let commands = world.commands();
        let texts = commands.bodies().map(str::to_owned).chain(commands.dead().iter().map(|dead| dead.body.clone()));
        Around {
            account: &schedule.account,
            keeps_recordings: schedule.settings.keeps_recordings,
            published: world.heard().split_off(self.published_before),
            asked: world.asked().split_off(self.asked_before),
            mirrored: self.mirrored.clone(),
            commands: texts.collect(),
            deletions: deletions.collect(),
            refetches: self.ordered.iter().filter(|(command, _)| matches!(command, Command::Refetch { .. })).count()
                as u64,
            faults,
            lives: self.lives,
        }
    }
}

/// Whether a fault is a reason to ask the provider once more. A bus that fails is none, and neither is what stands in no job's way.
fn can_cost_a_try(call: Call, code: &str) -> bool {
    match call {
        Call::Enqueue | Call::PutClaim | Call::PutSpool | Call::PutBack | Call::Postpone | Call::Acknowledge => false,
        Call::Due | Call::Forget | Call::SendCommand => false,
        Call::Publish => !["refused", "refused for good", "answer lost", "repeated", "slow"].contains(&code),
        _ => true,
    }
}

/// What an operator orders. A deletion that was not carried out is ordered again, until it was.
async fn carry_out(world: &Arc<World>, orders: &[(Duration, Command)]) -> Vec<(Command, bool)> {
    let began = world.now();
    let mut carried_out = Vec::new();
    for (at, command) in orders {
        tokio::time::sleep((began + *at).saturating_sub(world.now())).await;
        let mut is_done = false;
        for _ in 0..5 {
            is_done = is_done || mapping::order(world, command.clone()).await;
        }
        carried_out.push((command.clone(), is_done));
    }
    carried_out
}

/// The entries of calendars that are mirrored.
async fn mirrored(world: &World, schedule: &Schedule) -> BTreeMap<(SessionId, String), CalendarEntry> {
    let mut mirrored = BTreeMap::new();
    for id in schedule.account.holdings.keys() {
        for name in ENTRIES {
            let Ok(entry) = SenderId::try_from(name) else { continue };
            if let Ok(Some(entry)) = world.table.calendar_entry(id, &entry, world.now_seconds()).await {
                mirrored.insert((id.clone(), name.to_owned()), entry);
            }
        }
    }
    mirrored
}

/// Sends everything, each delivery in a sandbox of its own, and waits until the weather has had its time.
async fn storm(world: &Arc<World>, wave: usize, plan: &Wave) -> Result<Vec<Sent>> {
    let mut senders = JoinSet::new();
    for (n, delivery) in plan.deliveries.iter().enumerate() {
        let (world, delivery) = (Arc::clone(world), delivery.clone());
        senders.spawn_local(async move {
            tokio::time::sleep(delivery.at).await;
            let accept_id = format!("accepted-{wave}-{n}");
            if let Some(how) = delivery.tampering {
                world.bucket().tamper(&accept_id, how);
            }
            let sent_at = world.now_ms();
            let answer = deliver(&world, &delivery, &accept_id).await?;
            anyhow::Ok((n, Sent::new(&delivery, accept_id, Some(sent_at), answer)))
        });
    }
    for (at, group, text) in plan.strangers.clone() {
        tokio::time::sleep(at).await;
        world.send(&group, &text.replace(' ', "-"), &text);
    }
    let mut sent = BTreeMap::new();
    while let Some(done) = senders.join_next().await {
        let (n, one) = done??;
        sent.insert(n, one);
    }
    tokio::time::sleep(plan.tail).await;
    Ok(sent.into_values().collect())
}

/// One request; the answer is `None` if its sender gets none.
async fn deliver(world: &Arc<World>, delivery: &Delivery, accept_id: &str) -> Result<Option<u16>> {
    let now = world.now();
    let signed_at = Timestamp::from_second(i64::try_from(now.as_secs())?)?;
    let composed = delivery.request(signed_at)?;
    let mut request = http::Request::builder().method(composed.method.as_str()).uri(composed.path.as_str());
    for (name, value) in &composed.headers {
        request = request.header(name, value);
    }
    let mut context = LambdaContext::default();
    context.request_id = accept_id.to_owned();
    let request: Request = request.body(Body::Binary(composed.body))?.with_lambda_context(context);
    let sandbox = Sandbox::new(world);
    let ingest = sandbox.ingest()?;
    let under_way = world.under_way();
    let ended = sandbox.run(ingest_fn::handle_at(&ingest, request, now), INGEST_TIMEOUT).await;
    drop(under_way);
    Ok(match ended {
        Ended::Answered(response) => Some(response.status().as_u16()),
        Ended::Panicked | Ended::Died => None,
    })
}

/// Waits until nothing is on its way any more; not, if that takes too long.
async fn settle(world: &World) -> bool {
    let began = world.now();
    let mut quiet = 0;
    while quiet < 4 {
        if world.now() > began + settling(world) {
            return false;
        }
        // Longer in all than any sweep: one may be about to put back what it has read.
        tokio::time::sleep(Duration::from_secs(45)).await;
        quiet = if world.is_quiet() { quiet + 1 } else { 0 };
        if quiet == 4 && world.is_waiting() {
            // A job that waits for the provider may wait for a day.
            tokio::time::sleep(Duration::from_secs(600)).await;
            quiet = 0;
        }
    }
    true
}

fn left(world: &World) -> String {
    let queued: Vec<_> = world.events().bodies().map(|text| text.chars().take(80).collect::<String>()).collect();
    let spooled: Vec<_> = world.bucket().list("spool/").into_iter().map(|object| object.key).collect();
    let commands: Vec<_> = world.commands().bodies().map(str::to_owned).collect();
    let sessions = world.table.sessions(world.now_seconds());
    let waiting: Vec<_> = sessions.iter().filter(|session| session.due_at().is_some()).collect();
    let waiting: Vec<_> = waiting.iter().map(|session| (session.id().encoded(), session.jobs())).collect();
    format!("queued {queued:?}, spooled {spooled:?}, commands {commands:?}, waiting {waiting:?}")
}

/// Everything that is stored anywhere.
fn stored(world: &World) -> Stored {
    let now = world.now_seconds();
    let events = world.events();
    let bucket = world.bucket();
    let objects = bucket.objects().iter().map(|(key, object)| {
        (key.clone(), audit::Object { bytes: object.bytes.clone(), metadata: object.metadata.clone() })
    });
    Stored {
        sessions: world.table.sessions(now),
        entries: world.table.entries(now),
        objects: objects.collect(),
        queued: events.bodies().map(str::to_owned).collect(),
        dead: events.dead().iter().map(|message| message.body.clone()).collect(),
    }
}

/// What the event source mappings saw, for the audit.
type Seen = Arc<Mutex<Vec<String>>>;

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use e2e::template::Template;

    #[test]
    fn the_surroundings_are_as_the_template_has_them() -> Result<()> {
        let template = Template::load()?;
        let seconds = |parameter: &str| template.get(&format!("/Parameters/{parameter}/Default")).as_i64();
        assert_eq!(seconds("EventsVisibilitySeconds"), Some(world::VISIBILITY_MS / 1000));
        assert_eq!(seconds("ProcessTimeoutSeconds").map(i64::unsigned_abs), Some(mapping::TIMEOUT.as_secs()));
        Ok(())
    }
}
