//! Deliveries through both real functions, with the sink for AWS between and behind them, and an account of what it took.

use crate::events::{self, Queued};
use crate::measure::invoke;
use crate::program::{EVENTS_QUEUE, Program};
use crate::queue::{BATCH_SIZE, Fifo, Shape};
use crate::sink::{Call, Sent, Sink};
use crate::usage;
use anyhow::{Context, Result, ensure};
use e2e::runtime_api::Function;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// What CloudWatch counts for every log entry beside its text, in bytes.
const LOG_ENTRY_BYTES: u64 = 26;

/// What a number of invocations of one function took. All but the times is the same on any machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Taken {
    /// Invocations.
    pub invocations: u64,
    /// Deliveries in them.
    pub deliveries: u64,
    /// The time of all invocations together, in seconds, on a whole processor and with the sink's delay.
    pub seconds: f64,
    /// The part of it that is processor time.
    pub cpu_seconds: f64,
    /// What the logs would be billed as, in bytes.
    pub log_bytes: u64,
    /// Calls to AWS by operation.
    pub calls: BTreeMap<String, u64>,
    /// Those calls as they are billed: one for each 64 KB begun.
    pub billed_64_kb: BTreeMap<String, u64>,
    /// Events as they are billed, by their kind: one for each 64 KB begun of each event.
    pub events: BTreeMap<String, u64>,
    /// Half units of reading from the table.
    pub half_reads: u64,
    /// Units of writing to the table.
    pub writes: u64,
    /// Units of writing to its indexes.
    pub index_writes: u64,
}

impl Taken {
    /// For one delivery, as a share of something counted here.
    #[must_use]
    pub fn per_delivery(&self, of: f64) -> f64 {
        of / self.deliveries.max(1).to_string().parse::<f64>().unwrap_or(1.0)
    }

    /// Units of writing, to table and indexes.
    #[must_use]
    pub fn units(&self) -> f64 {
        (self.writes + self.index_writes).to_string().parse().unwrap_or(f64::INFINITY)
    }

    fn count(&mut self, call: &Call) {
        *self.calls.entry(call.operation.clone()).or_default() += 1;
        *self.billed_64_kb.entry(call.operation.clone()).or_default() += chunks_of_64_kb(call.request_bytes);
        for (kind, bytes) in &call.events {
            *self.events.entry(kind.clone()).or_default() += chunks_of_64_kb(*bytes);
        }
        self.half_reads += call.units.half_reads;
        self.writes += call.units.writes;
        self.index_writes += call.units.index_writes;
    }
}

fn chunks_of_64_kb(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(64 * 1024).max(1)).unwrap_or(1)
}

/// A function at work, and what it has taken so far.
pub struct Worker<'a> {
    /// What it has taken since it was started.
    pub taken: Taken,
    program: Program,
    sink: &'a Sink,
    function: Function,
    process_id: u32,
}

impl<'a> Worker<'a> {
    /// Starts a function and waits for it to be ready; its start is not counted.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(program: Program, sink: &'a Sink) -> Result<Self> {
        let function = program.spec(sink)?.start()?;
        function.ready(LIMIT).await?;
        let process_id = function.process_id().context("no process")?;
        sink.take_calls()?;
        function.forget_logs();
        Ok(Self { taken: Taken::default(), program, sink, function, process_id })
    }

    /// Hands a webhook to ingest and returns the message that it queued.
    ///
    /// # Errors
    /// If it queued none.
    pub async fn receive(&mut self, body: &Value) -> Result<Sent> {
        let event = events::signed(body)?;
        self.run(1, async |worker| invoke(worker.program, &worker.function, &event).await).await?;
        let mut sent = self.sink.take_sent();
        sent.retain(|message| message.queue_url.ends_with(EVENTS_QUEUE));
        ensure!(sent.len() == 1, "{} messages for one webhook", sent.len());
        sent.pop().context("no message")
    }

    /// Hands a batch to process; all of it must be done.
    ///
    /// # Errors
    /// If any of it failed.
    pub async fn process(&mut self, batch: &[Queued]) -> Result<()> {
        let event = events::batch(batch);
        self.run(batch.len(), async |worker| invoke(worker.program, &worker.function, &event).await).await?;
        drop(self.sink.take_sent());
        Ok(())
    }

    /// Works off a queue in batches of a shape.
    ///
    /// # Errors
    /// If a record fails.
    pub async fn drain(&mut self, queue: &mut Fifo, shape: Shape) -> Result<()> {
        while let Some(batch) = queue.take(shape) {
            self.process(&batch).await?;
            queue.settle(batch, &[]);
        }
        ensure!(queue.is_empty(), "something is left");
        Ok(())
    }

    async fn run(&mut self, deliveries: usize, work: impl AsyncFnOnce(&Self) -> Result<Duration>) -> Result<()> {
        let before = usage::cpu(self.process_id)?;
        let time = work(self).await?;
        let cpu = usage::cpu(self.process_id)?.saturating_sub(before);
        self.taken.invocations += 1;
        self.taken.deliveries += u64::try_from(deliveries)?;
        self.taken.seconds += time.as_secs_f64();
        self.taken.cpu_seconds += cpu.as_secs_f64();
        for call in self.sink.take_calls()? {
            self.taken.count(&call);
        }
        Ok(())
    }

    /// Ends the function and tells what it took, its logs included: they come a little after the answers.
    ///
    /// # Errors
    /// If lines are missing.
    pub async fn end(mut self) -> Result<Taken> {
        let expected = usize::try_from(self.taken.deliveries)?;
        // The one line that each function writes of a delivery has a field of this name.
        let counts = |text: &str| text.contains("\"Route\"") || text.contains("\"Outcome\"");
        let wait = async {
            while self.function.logs().iter().filter(|line| counts(&line.text)).count() < expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LIMIT, wait).await.context("lines are missing from the logs")?;
        for line in self.function.logs() {
            self.taken.log_bytes += u64::try_from(line.text.len())? + LOG_ENTRY_BYTES;
        }
        self.function.kill().await;
        Ok(self.taken)
    }
}

/// The messages that ingest makes of webhooks, in their order.
///
/// # Errors
/// If ingest refuses one.
pub async fn queued(sink: &Sink, bodies: &[Value]) -> Result<Vec<Queued>> {
    let mut ingest = Worker::start(Program::Ingest, sink).await?;
    let mut queued = Vec::with_capacity(bodies.len());
    for (at, body) in bodies.iter().enumerate() {
        queued.push(Queued { id: format!("m{at}"), sent: ingest.receive(body).await?, receives: 1 });
    }
    Ok(queued)
}

/// A batch for process of one webhook each of so many bots.
///
/// # Errors
/// If ingest refuses one.
pub async fn batch_of_bots(sink: &Sink, bots: usize, kind: usize) -> Result<Vec<Queued>> {
    ensure!(bots <= BATCH_SIZE, "a batch has no more");
    let mut bodies = Vec::new();
    for bot in 0..bots {
        bodies.extend(events::meeting(&format!("bot-{bot}"), 12)?.into_iter().nth(kind));
    }
    queued(sink, &bodies).await
}
