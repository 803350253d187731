//! A schedule with both handlers in this process, over stores in memory that obey the real ones' rules, in virtual time.

mod bucket;
mod mapping;
mod queue;
mod sandbox;
mod world;

mod replay;
mod table;

use crate::{
    audit::{self, Announced, Evidence, Sent, Stored},
    delivery::Delivery,
    fault::Weather,
    report::Run,
    schedule::{Schedule, Wave},
};
use anyhow::Result;
use jiff::Timestamp;
use lambda_http::{Body, Context as LambdaContext, Request, RequestExt, http};
use sandbox::{Ended, Sandbox};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::{JoinSet, LocalSet};
use world::World;

/// How long Lambda lets the function behind the webhook URL run.
const INGEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long everything may take to settle once nothing goes wrong any more.
const SETTLING: Duration = Duration::from_secs(12 * 3600);

/// Runs a schedule and audits what is left.
///
/// # Errors
/// If the harness itself fails.
pub fn run(schedule: &Schedule) -> Result<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(LocalSet::new().run_until(play(schedule)))
}

async fn play(schedule: &Schedule) -> Result<Run> {
    let world = Arc::new(World::new(schedule.settings));
    let mut run = Run::default();
    let (mut sent, mut expected) = (Vec::new(), Announced::default());
    for (n, wave) in schedule.waves.iter().enumerate() {
        let before = stored(&world);
        tokio::time::sleep(wave.leap).await;
        if schedule.settings.is_prompt {
            world.table.delete_expired(world.now_seconds());
        }
        // What has expired is as if it had never been.
        let sessions_expired = wave.leap >= Duration::from_secs(90 * 86_400);
        audit::forget(&mut sent, &before, sessions_expired);
        let mut surroundings = mapping::start(&world, schedule);
        world.set_weather(wave.weather.clone());
        sent.extend(storm(&world, n, wave).await?);
        world.set_weather(Weather::default());
        if !settle(&world).await {
            run.violations.push(format!("wave {n}: not settled within {SETTLING:?}: {}", left(&world)));
        }
        run.count_endings(&stored(&world));
        let evidence = Evidence { sent: &sent, stored: stored(&world), is_final: false };
        run.violations.extend(audit::audit(&evidence).into_iter().map(|what| format!("wave {n}: {what}")));

        replay::everything(&world);
        if !settle(&world).await {
            run.violations.push(format!("wave {n}: replayed, and not settled: {}", left(&world)));
        }
        let evidence = Evidence { sent: &sent, stored: stored(&world), is_final: true };
        run.violations.extend(audit::audit(&evidence).into_iter().map(|what| format!("wave {n}, replayed: {what}")));
        expected.extend(audit::announced(&evidence));
        run.violations.extend(surroundings.end().await);
    }
    let heard = world.heard();
    run.violations.extend(expected.due.difference(&heard).map(|id| format!("the event {id} was never published")));
    run.violations
        .extend(heard.difference(&expected.possible).map(|id| format!("the event {id} says what never happened")));
    run.count_answers(&sent);
    run.struck = world.struck().into_iter().map(|((call, fault), n)| ((format!("{call:?}"), fault), n)).collect();
    Ok(run)
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
        if world.now() > began + SETTLING {
            return false;
        }
        // Longer in all than any sweep: one may be about to put back what it has read.
        tokio::time::sleep(Duration::from_secs(45)).await;
        quiet = if world.is_quiet() { quiet + 1 } else { 0 };
    }
    true
}

fn left(world: &World) -> String {
    let queued: Vec<_> = world.events().bodies().map(|text| text.chars().take(80).collect::<String>()).collect();
    let spooled: Vec<_> = world.bucket().list("spool/").into_iter().map(|object| object.key).collect();
    format!("queued {queued:?}, spooled {spooled:?}")
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
