//! Everything around the functions: queues, table, bucket, clock, and the weather.

use super::api::Desk;
use super::{
    bucket::{Bucket, Stored},
    queue::{Queue, Rules},
    table::Table,
};
use crate::{
    audit::{Asked, Published},
    fault::{Call, Fault, Weather},
    schedule::{Schedule, Settings},
};
use e2e::pipeline::CREDENTIALS;
use fastrand::Rng;
use ingest_fn::Endpoints;
use process_fn::{Backoff, Policy};
use shared::Session;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, futures::Notified},
    time::Instant,
};

/// When every run begins, as the time since the Unix epoch.
const BEGINNING: Duration = Duration::from_secs(1_791_212_102);

/// As in the template.
pub(super) const VISIBILITY_MS: i64 = 720_000;

const RETENTION_MS: i64 = 7 * 86_400_000;

/// What surrounds the functions during one run.
pub(super) struct World {
    /// Where sessions live.
    pub(super) table: Table,
    settings: Settings,
    began: Instant,
    events: Mutex<Queue>,
    commands: Mutex<Queue>,
    bucket: Mutex<Bucket>,
    heard: Mutex<Vec<Published>>,
    desk: Mutex<Desk>,
    weather: Mutex<Weather>,
    calls: Mutex<BTreeMap<Call, u32>>,
    struck: Mutex<BTreeMap<(Call, &'static str), u64>>,
    sent: Notify,
    pace: Mutex<Rng>,
    hasty: Mutex<Vec<String>>,
    under_way: Arc<AtomicUsize>,
}

/// Something that will still have an effect. Dropped when it has had it.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl World {
    /// An empty one, at its beginning.
    #[must_use]
    pub(super) fn new(Schedule { seed, settings, account, .. }: &Schedule) -> Self {
        let settings = *settings;
        let rules = |max_receives| Rules { visibility_ms: VISIBILITY_MS, max_receives, retention_ms: RETENTION_MS };
        Self {
            table: Table::new(settings.is_dynamo),
            settings,
            began: Instant::now(),
            events: Mutex::new(Queue::new(rules(settings.max_receives))),
            commands: Mutex::new(Queue::new(rules(settings.command_receives))),
            bucket: Mutex::default(),
            heard: Mutex::default(),
            desk: Mutex::new(Desk::new(account.clone())),
            weather: Mutex::default(),
            calls: Mutex::default(),
            struck: Mutex::default(),
            sent: Notify::new(),
            pace: Mutex::new(Rng::with_seed(*seed)),
            hasty: Mutex::default(),
            under_way: Arc::default(),
        }
    }

    /// The endpoints of ingest, all of them open.
    ///
    /// # Errors
    /// If the harness's own credentials are not good enough.
    pub(super) fn endpoints() -> anyhow::Result<Endpoints> {
        let find = |name: &str| {
            let credential = CREDENTIALS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            credential
                .or_else(|| ["EVENTS_QUEUE_URL", "BUCKET_NAME"].contains(&name).then_some("here"))
                .map(str::to_owned)
        };
        Ok(ingest_fn::Config::from_env(&find)?.endpoints)
    }

    /// How everything is set up.
    #[must_use]
    pub(super) fn settings(&self) -> Settings {
        self.settings
    }

    /// How failures are met.
    #[must_use]
    pub(super) fn policy(&self) -> Policy {
        Policy {
            park_after_receives: self.settings.park_after_receives,
            park_after_age: Policy::PARK_AFTER_AGE,
            retry: Backoff { base: self.settings.retry_base, max: self.settings.retry_max },
        }
    }

    /// The time since the Unix epoch.
    #[must_use]
    pub(super) fn now(&self) -> Duration {
        BEGINNING + self.began.elapsed()
    }

    /// The same in milliseconds.
    #[must_use]
    pub(super) fn now_ms(&self) -> i64 {
        i64::try_from(self.now().as_millis()).unwrap_or(i64::MAX)
    }

    /// The same in seconds.
    #[must_use]
    pub(super) fn now_seconds(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// From now on things go wrong like this; calls are counted anew.
    pub(super) fn set_weather(&self, weather: Weather) {
        *lock(&self.weather) = weather;
        lock(&self.calls).clear();
    }

    /// What happens to the call that is just being made.
    pub(super) fn fault(&self, call: Call, session: Option<&str>) -> Option<Fault> {
        let mut calls = lock(&self.calls);
        let next = calls.entry(call).or_default();
        let number = *next;
        *next += 1;
        drop(calls);
        let fault = lock(&self.weather).of(call, number, session)?;
        *lock(&self.struck).entry((call, fault.code())).or_default() += 1;
        Some(fault)
    }

    /// How long the next call takes: most are quick, and a few take so long that others overtake them.
    pub(super) fn pace(&self) -> Duration {
        let slowest = self.settings.slowest;
        if slowest.is_zero() {
            return slowest;
        }
        let mut rng = lock(&self.pace);
        let longest = if rng.u8(0..8) == 0 { slowest } else { slowest / 64 };
        Duration::from_millis(rng.u64(0..=u64::try_from(longest.as_millis()).unwrap_or(0)))
    }

    /// Looks at a session that was just saved: a reminder belongs to a job whose time has come, or it puts off what a try between
    /// the reminder and its note has set.
    pub(super) fn look_at(&self, session: &Session) {
        let said = serde_json::to_value(session.jobs()).unwrap_or_default();
        for (job, progress) in said.as_object().into_iter().flatten() {
            let at = |name: &str| progress.get(name).and_then(serde_json::Value::as_i64);
            if let (Some(reminded_at), Some(retry_at)) = (at("reminded_at"), at("retry_at"))
                && reminded_at < retry_at
            {
                let id = session.id().encoded();
                lock(&self.hasty).push(format!("{id}: {job} is due at {retry_at}, and was reminded at {reminded_at}"));
            }
        }
    }

    /// The reminders that were noted before their time.
    #[must_use]
    pub(super) fn hasty(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.hasty))
    }

    /// How often each fault struck each call.
    #[must_use]
    pub(super) fn struck(&self) -> BTreeMap<(Call, &'static str), u64> {
        lock(&self.struck).clone()
    }

    /// Notes that something will still have an effect.
    #[must_use]
    pub(super) fn under_way(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }

    /// Puts a message into the events queue.
    pub(super) fn send(&self, group: &str, dedup_id: &str, text: &str) {
        self.events().send_fifo(self.now_ms(), group, dedup_id, text);
        self.sent.notify_waiters();
    }

    /// Hides messages of the events queue for this long.
    pub(super) fn postpone(&self, receipts: &[u64], delay: Duration) {
        let now = self.now_ms();
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let mut events = self.events();
        receipts.iter().for_each(|receipt| events.change_visibility(now, *receipt, delay_ms));
        drop(events);
        self.sent.notify_waiters();
    }

    /// Tells when a queue may have something new: whoever asked before looking misses nothing. Those who wait are woken in the
    /// order in which they asked; a `watch` channel would wake them in a random one, and a seed would not be one schedule.
    pub(super) fn news(&self) -> Notified<'_> {
        self.sent.notified()
    }

    /// Puts an object into the bucket.
    pub(super) fn put(&self, key: &str, bytes: Vec<u8>, metadata: BTreeMap<String, String>) {
        self.bucket().put(key, Stored { bytes, metadata, stored_at: self.now_seconds() });
    }

    /// Puts a command into its queue.
    pub(super) fn command(&self, text: &str, delay: Duration) {
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.commands().send(self.now_ms(), delay_ms, text);
        self.sent.notify_waiters();
    }

    /// Hears what is published: the id, the name and the detail of each. What it says of an object is looked up at once.
    pub(super) fn hear(&self, published: Vec<(String, &'static str, serde_json::Value)>) {
        for (id, name, detail) in published {
            let object = detail
                .get("key")
                .and_then(serde_json::Value::as_str)
                .map(|key| self.bucket().get(key).map(|stored| stored.bytes.clone()));
            lock(&self.heard).push(Published { id, name: name.to_owned(), detail, object });
        }
    }

    /// Everything that was published so far.
    #[must_use]
    pub(super) fn heard(&self) -> Vec<Published> {
        lock(&self.heard).clone()
    }

    /// Where the provider answers questions.
    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    /// Every question so far.
    #[must_use]
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.desk().asked().to_vec()
    }

    /// The commands queue.
    pub(super) fn commands(&self) -> MutexGuard<'_, Queue> {
        lock(&self.commands)
    }

    /// Whether a sweep would find something to do now.
    #[must_use]
    pub(super) fn is_to_sweep(&self) -> bool {
        self.table.is_due(self.now_seconds()) || !self.bucket().list("spool/").is_empty()
    }

    /// Whether a session waits for a job, however long.
    #[must_use]
    pub(super) fn is_waiting(&self) -> bool {
        self.table.sessions(self.now_seconds()).iter().any(|session| session.due_at().is_some())
    }

    /// The events queue.
    pub(super) fn events(&self) -> MutexGuard<'_, Queue> {
        lock(&self.events)
    }

    /// The bucket.
    pub(super) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        lock(&self.bucket)
    }

    /// Whether nothing is on its way anywhere; jobs may still wait for their time.
    #[must_use]
    pub(super) fn is_quiet(&self) -> bool {
        let is_spooled = !self.bucket().list("spool/").is_empty();
        let is_queued = self.events().bodies().next().is_some() || self.commands().bodies().next().is_some();
        self.under_way.load(Ordering::Relaxed) == 0 && !is_queued && !is_spooled
    }
}

/// Whatever panicked while it held the lock was planned, and left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
