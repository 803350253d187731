//! How cost grows as work grows.

use crate::events;
use crate::measure;
use crate::pipeline::{Taken, Worker, batch_of_bots, queued};
use crate::program::Program;
use crate::queue::{Fifo, Shape};
use crate::sink::Sink;
use anyhow::Result;
use e2e::statistics::{as_f64, median, milliseconds};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// One point of a curve: so much work, and what it took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    /// How much work.
    pub work: f64,
    /// What it took in all.
    pub took: f64,
}

/// A bot's deliveries through process, in full batches of its own: so many of them, and what they took.
///
/// # Errors
/// If one is refused or fails.
pub async fn events_per_bot(sink: &Sink, events: usize) -> Result<Taken> {
    sink.empty_table();
    let messages = queued(sink, &events::meeting("bot-1", events)?).await?;
    let mut queue = Fifo::default();
    messages.into_iter().for_each(|message| queue.push(message));
    let mut process = Worker::start(Program::Process, sink).await?;
    process.drain(&mut queue, Shape::FULL).await?;
    process.end().await
}

/// The time of one batch of 1 to 10 bots, a webhook each, with the sink's delay, in milliseconds.
///
/// # Errors
/// If a batch fails.
pub async fn bots_per_batch(sink: &Sink, delay: Duration, rounds: usize) -> Result<Vec<Point>> {
    let all = batch_of_bots(sink, 10, 2).await?;
    let event = events::batch(all.get(..1).unwrap_or_default());
    let function = Program::Process.spec(sink)?.start()?;
    measure::invoke(Program::Process, &function, &event).await?;
    sink.delay(delay);
    let mut points = Vec::new();
    for bots in 1..=all.len() {
        let mut times = Vec::new();
        for _ in 0..rounds {
            sink.empty_table();
            let event = events::batch(all.get(..bots).unwrap_or_default());
            times.push(measure::invoke(Program::Process, &function, &event).await?);
        }
        points.push(Point { work: as_f64(bots), took: median(&milliseconds(&times)) });
    }
    sink.delay(Duration::ZERO);
    function.kill().await;
    sink.take_calls()?;
    Ok(points)
}

/// The processor time of ingest for one webhook of so many bytes, in milliseconds.
///
/// # Errors
/// If one is refused.
pub async fn body_size(sink: &Sink, bytes: usize, rounds: usize) -> Result<Point> {
    let body = events::of_size(bytes)?;
    let life = measure::life(Program::Ingest, sink, &events::signed(&body)?, rounds).await?;
    drop(sink.take_sent());
    Ok(Point { work: as_f64(body.to_string().len()), took: life.warm_cpu.as_secs_f64() * 1e3 })
}

/// The seconds that process takes for a backlog of so many deliveries, 20 of each bot, one batch after the other.
///
/// # Errors
/// If one is refused or fails.
pub async fn backlog(sink: &Sink, deliveries: usize) -> Result<Point> {
    sink.empty_table();
    // What ingest makes of one meeting is, but for the names, what it makes of all.
    let template = queued(sink, &events::meeting("bot-template", 20)?).await?;
    let mut queue = Fifo::default();
    for at in 0..deliveries {
        let (bot, event) = (at / template.len(), at % template.len());
        let Some(message) = template.get(event) else { continue };
        let mut message = message.clone();
        message.id = format!("m{at}");
        message.sent.body = message.sent.body.replace("bot-template", &format!("bot-{bot}"));
        message.sent.group = Some(format!("{bot:064x}"));
        queue.push(message);
    }
    let mut process = Worker::start(Program::Process, sink).await?;
    let began = Instant::now();
    process.drain(&mut queue, Shape { of_group: 4, ..Shape::FULL }).await?;
    let took = began.elapsed().as_secs_f64();
    let taken = process.end().await?;
    anyhow::ensure!(taken.deliveries == u64::try_from(deliveries)?, "{} of {deliveries}", taken.deliveries);
    Ok(Point { work: as_f64(deliveries), took })
}
