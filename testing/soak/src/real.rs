//! A schedule with the real binaries over the local AWS, each behind a fault proxy.

mod boundary;
mod brown_out;
mod evidence;
mod plan;

pub use boundary::Boundary;
pub use brown_out::{BrownOut, SHARES, brown_out};
pub use plan::{Plan, Strike};

use crate::{
    audit::{self, Evidence, Sent, Stored},
    delivery::Delivery,
    order::{self, Answered},
    replay::put_back,
    report::Run,
};
use anyhow::{Context, Result, ensure};
use boundary::Side;
use e2e::{
    fault_proxy::{Call, Decision, Moment},
    local_aws::LocalAws,
    pipeline::Pipeline,
    pump::{Batch, Pump},
    runtime_api::{Function, Invocation},
    scratch::QueueRules,
    sender::{BodyEncoding, Reply},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The settings that make a run short: three receives, and no waits between them.
const SETTINGS: [(&str, &str); 3] =
    [("PARK_AFTER_RECEIVES", "3"), ("RETRY_BASE_SECONDS", "0"), ("RETRY_MAX_SECONDS", "1")];

/// Records come back this soon after a kill, and are given up soon after they would have been parked.
const RULES: QueueRules = QueueRules { visibility: Duration::from_secs(2), max_receives: 6 };

/// How long anything may take that should take no time at all.
const SOON: Duration = Duration::from_secs(20);

/// How long everything may take to settle once nothing goes wrong any more.
const SETTLING: Duration = Duration::from_secs(60);

/// Both functions as processes, with stores of their own, for one schedule after the other.
pub struct Lane {
    pipeline: Pipeline,
    events: Pump,
    commands: Pump,
    struck: Arc<Mutex<Struck>>,
}

type Struck = BTreeMap<(String, &'static str), u64>;

impl Lane {
    /// Starts both functions.
    ///
    /// # Errors
    /// If the local AWS cannot be reached, or a binary is missing or older than its sources.
    pub async fn start(aws: &LocalAws) -> Result<Self> {
        let pipeline = Pipeline::over(aws, RULES, &SETTINGS).await?;
        let events = Pump::new(&pipeline.scratch.aws, &pipeline.scratch.queue, &pipeline.process);
        let commands = Pump::new(&pipeline.scratch.aws, &pipeline.scratch.commands, &pipeline.process);
        let commands = commands.batch_size(1).wait(Duration::ZERO);
        Ok(Self { events: events.wait(Duration::ZERO), commands, pipeline, struck: Arc::default() })
    }

    /// Runs a schedule and audits what is left.
    ///
    /// # Errors
    /// If the harness itself fails, or the local AWS does.
    pub async fn run(&self, plan: &Plan) -> Result<Run> {
        let mut run = Run::default();
        lock(&self.struck).clear();
        self.plan(plan);
        let (sent, broken) = self.storm(plan, &mut run).await?;
        run.violations.extend(broken);
        self.pipeline.ingest_proxy.pass_everything();
        self.pipeline.process_proxy.pass_everything();
        run.violations.extend(self.settle().await?);

        let lines = self.pipeline.ingest.json_logs();
        run.spooled =
            lines.iter().filter(|line| line.get("storedAs").is_some_and(|stored| stored == "spooled")).count() as u64;
        let mut stored = self.stored().await?;
        let dead = self.pipeline.scratch.aws.take_messages(&self.pipeline.scratch.dlq.url).await?;
        stored.dead = dead.iter().filter_map(|message| message.body.clone()).collect();
        run.count_answers(&sent);
        run.count_endings(&stored);
        let wrong = audit::audit(&Evidence { sent: &sent, told: &[], stored: stored.clone(), is_final: false });
        run.violations.extend(wrong);
        self.replay(&stored, &dead).await?;
        run.violations.extend(self.settle().await?);
        let evidence = Evidence { sent: &sent, told: &[], stored: self.stored().await?, is_final: true };
        let mut wrong = audit::audit(&evidence);
        let heard = evidence::heard(&self.pipeline.process_proxy.records());
        wrong.extend(audit::published(&audit::announced(&evidence), &heard));
        run.violations.extend(wrong.into_iter().map(|what| format!("replayed: {what}")));

        run.struck = lock(&self.struck).clone();
        self.pipeline.scratch.empty().await?;
        for proxy in [&self.pipeline.ingest_proxy, &self.pipeline.process_proxy] {
            proxy.forget();
        }
        self.pipeline.ingest.forget_logs();
        self.pipeline.process.forget_logs();
        Ok(run)
    }

    /// Ends the functions and removes their stores.
    ///
    /// # Errors
    /// If the local AWS does not do it.
    pub async fn end(self) -> Result<()> {
        self.pipeline.scratch.remove().await
    }

    /// Puts the plan between both functions and AWS.
    fn plan(&self, plan: &Plan) {
        let Pipeline { ingest_proxy, process_proxy, ingest, process, .. } = &self.pipeline;
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        for (side, proxy, function) in [(Side::Ingest, ingest_proxy, ingest), (Side::Process, process_proxy, process)] {
            let striking = Striking {
                side,
                strikes: plan.strikes.clone(),
                poison: plan.poison.clone(),
                counts: Arc::clone(&counts),
                struck: Arc::clone(&self.struck),
                function: function.clone(),
            };
            proxy.decide(move |call| striking.decide(call));
        }
    }

    /// Sends everything, while batches and sweeps go on.
    async fn storm(&self, plan: &Plan, run: &mut Run) -> Result<(Vec<Sent>, Vec<String>)> {
        let Some(wave) = plan.schedule.waves.first() else { return Ok((vec![], vec![])) };
        let has_sent = AtomicBool::new(false);
        let sending = async {
            let began = Instant::now();
            let mut sent = Vec::new();
            for (n, delivery) in wave.deliveries.iter().enumerate() {
                tokio::time::sleep_until((began + delivery.at).into()).await;
                let accept_id = format!("accepted-{:x}-{n}", plan.schedule.seed);
                let asked = Instant::now();
                let answer = self.deliver(delivery, &accept_id).await?;
                if answer.is_some() {
                    run.waits.push(asked.elapsed());
                }
                sent.push(Sent::new(delivery, accept_id, None, answer));
            }
            let tail = if plan.poison.is_some() { 1500 } else { 300 };
            tokio::time::sleep(Duration::from_millis(tail)).await;
            has_sent.store(true, Ordering::Relaxed);
            anyhow::Ok(sent)
        };
        let turning = async {
            let mut broken = Vec::new();
            while !has_sent.load(Ordering::Relaxed) {
                broken.extend(self.turn().await?);
            }
            anyhow::Ok(broken)
        };
        tokio::try_join!(sending, turning)
    }

    /// One batch of deliveries and one sweep.
    async fn turn(&self) -> Result<Option<String>> {
        let batch = self.events.pump().await?;
        self.sweep().await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(batch.as_ref().and_then(out_of_order))
    }

    async fn sweep(&self) -> Result<()> {
        self.pipeline.sweep().await?;
        // JobRunner wait there too. No provider has a key, so each is soon at its end.
        while self.commands.pump().await?.is_some() {}
        Ok(())
    }

    /// One request; the answer is `None` if its sender gets none.
    async fn deliver(&self, delivery: &Delivery, accept_id: &str) -> Result<Option<u16>> {
        let ingest = &self.pipeline.ingest;
        if !ingest.is_running() {
            ingest.restart().await?;
        }
        let event = delivery.request(Timestamp::now())?.event(BodyEncoding::AsLambda)?;
        match ingest.invoke_as(accept_id, event, Duration::from_secs(10)).await {
            Invocation::Response(answer) => Ok(Some(Reply::from_answer(&answer)?.status)),
            _ => Ok(None),
        }
    }

    /// Waits until nothing is on its way any more.
    async fn settle(&self) -> Result<Option<String>> {
        let began = Instant::now();
        let Pipeline { scratch, ingest_proxy, process_proxy, .. } = &self.pipeline;
        ingest_proxy.quiet(SOON).await?;
        process_proxy.quiet(SOON).await?;
        let mut broken = None;
        loop {
            while let Some(batch) = self.events.pump().await? {
                broken = broken.or_else(|| out_of_order(&batch));
            }
            self.sweep().await?;
            let is_queued = !scratch.aws.depth(&scratch.queue.url).await?.is_empty();
            let is_commanded = !scratch.aws.depth(&scratch.commands.url).await?.is_empty();
            let is_spooled = !scratch.aws.objects(&scratch.bucket, "spool/").await?.is_empty();
            if !is_queued && !is_commanded && !is_spooled {
                return Ok(broken);
            }
            if began.elapsed() > SETTLING {
                return Ok(Some(format!("not settled: queued {is_queued}, spooled {is_spooled}")));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stored(&self) -> Result<Stored> {
        evidence::stored(&self.pipeline.scratch).await
    }

    /// Puts everything back that can take effect now, and takes it away from where it was.
    async fn replay(&self, stored: &Stored, dead: &[aws_sdk_sqs::types::Message]) -> Result<()> {
        let scratch = &self.pipeline.scratch;
        for (key, object) in &stored.objects {
            let Some(back) = put_back(key, object) else { continue };
            if let Some((key, body)) = back.claimed {
                evidence::put(scratch, &key, &body).await?;
            }
            self.send(&back.group, &back.dedup_id, &back.text).await?;
            scratch.aws.s3.delete_object().bucket(&scratch.bucket).key(key).send().await?;
        }
        for message in dead {
            let name = aws_sdk_sqs::types::MessageSystemAttributeName::MessageGroupId;
            let group = message.attributes().and_then(|all| all.get(&name)).context("a dead letter without a group")?;
            let dedup_id = format!("redrive-of-{}", message.message_id().unwrap_or_default());
            self.send(group, &dedup_id, message.body().unwrap_or_default()).await?;
        }
        Ok(())
    }

    async fn send(&self, group: &str, dedup_id: &str, text: &str) -> Result<()> {
        let scratch = &self.pipeline.scratch;
        let send = scratch.aws.sqs.send_message().queue_url(&scratch.queue.url).message_group_id(group);
        send.message_deduplication_id(dedup_id).message_body(text).send().await.context("putting back")?;
        Ok(())
    }
}

/// The plan of one schedule, between one function and AWS.
struct Striking {
    side: Side,
    strikes: BTreeMap<(Boundary, u32), Strike>,
    poison: Option<(Boundary, String, Strike)>,
    counts: Arc<Mutex<BTreeMap<Boundary, u32>>>,
    struck: Arc<Mutex<Struck>>,
    function: Function,
}

impl Striking {
    fn decide(&self, call: &Call) -> Decision {
        let Some(boundary) = Boundary::of(self.side, call) else { return Decision::Pass };
        let number = {
            let mut counts = lock(&self.counts);
            let next = counts.entry(boundary).or_default();
            *next += 1;
            *next - 1
        };
        let poisoned = self.poison.as_ref().filter(|(at, text, _)| *at == boundary && mentions(call, text));
        let strike = self.strikes.get(&(boundary, number)).copied();
        let Some(strike) = strike.or(poisoned.map(|(.., strike)| *strike)) else { return Decision::Pass };
        *lock(&self.struck).entry((format!("{boundary:?}"), strike.code())).or_default() += 1;
        match (strike, strike.decision()) {
            (Strike::Killed(moment), _) => self.kill(moment),
            (_, Some(decision)) => decision,
            (_, None) => Decision::Pass,
        }
    }

    /// Holds the call until its caller is dead. Held before its effect it then never has one.
    fn kill(&self, moment: Moment) -> Decision {
        let (decision, hold) = Decision::held(moment);
        let function = self.function.clone();
        tokio::spawn(async move {
            if hold.reached(SOON).await.is_ok() {
                function.kill().await;
            }
            hold.cut();
        });
        decision
    }
}

fn mentions(call: &Call, text: &str) -> bool {
    call.target.contains(text) || call.body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn out_of_order(batch: &Batch) -> Option<String> {
    let Invocation::Response(_) = batch.invocation else { return None };
    order::broken(batch.messages.iter().map(|message| Answered {
        group: message.group.as_deref().unwrap_or_default(),
        body: &message.body,
        has_failed: !message.deleted,
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a run with the real functions must have met: every boundary, and every strike.
///
/// # Errors
/// If one was never met, with its name.
pub fn covered(run: &Run) -> Result<()> {
    let missing_boundaries: Vec<_> = Boundary::ALL
        .into_iter()
        .filter(|boundary| !run.struck.keys().any(|(name, _)| *name == format!("{boundary:?}")))
        .collect();
    let strikes = Strike::ALL.into_iter().map(Strike::code);
    let missing_strikes: Vec<_> = strikes.filter(|code| !run.struck.keys().any(|(_, known)| known == code)).collect();
    ensure!(
        missing_boundaries.is_empty() && missing_strikes.is_empty(),
        "never struck: {missing_boundaries:?}; never done: {missing_strikes:?}"
    );
    Ok(())
}
