//! One execution environment: a function whose every call may fail, and who can be killed at any of them.

use super::{bucket::Stored, world::World};
use crate::fault::{Call, Fault, Moment};
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::FutureExt;
use ingest_fn::{Ingest, QueueError, Queued, Spool, SpoolError, Stores};
use process_fn::{
    ApiError, Backoff, Bucket, BucketError, Cause, CommandQueue, Download, DueSessions, Entries, Function, JobSettings,
    Listed, Loaded, Message, NotSent, Object, ProviderApi, PublishError, Publisher, Record, Recorded, Services,
    SessionStore, Settings, StoreError, UploadError, Uploaded, Version,
};
use shared::{
    Command, Provider, SenderId, Session, SessionId,
    api::{BotDetail, CalendarEntries, CalendarEntry, Located},
    bucket::{Folder, metadata},
    event::Artifact,
    hash::sha256_hex,
    session::{Due, PublishedEvent, TimelineLine},
    url::DownloadUrl,
};
use std::{collections::BTreeMap, future::pending, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// The ports of one execution environment.
#[derive(Clone)]
pub(super) struct Sandbox {
    world: Arc<World>,
    killed: Arc<Notify>,
}

/// How an invocation ended.
#[derive(Debug)]
pub(super) enum Ended<T> {
    /// With an answer.
    Answered(T),
    /// The code panicked, which the runtime reports as an error.
    Panicked,
    /// The process was killed, by us or because its time was up.
    Died,
}

/// What drives deliveries and commands.
pub(super) type ProcessFunction = Function<Sandbox>;

/// What drives requests.
pub(super) type IngestFunction = Ingest<Sandbox, Sandbox>;

impl Sandbox {
    /// A new one.
    #[must_use]
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), killed: Arc::default() }
    }

    /// The function behind the queues, in this sandbox.
    #[must_use]
    pub(super) fn process(&self) -> ProcessFunction {
        let settings = self.world.settings();
        let retry = Backoff { base: Duration::from_secs(2), max: Duration::from_secs(900) };
        let jobs = JobSettings { patience: settings.patience, retry, keeps_recordings: settings.keeps_recordings };
        let deliveries = self.world.policy();
        Function::new(self.clone(), Settings { commands_queue_name: "commands".to_owned(), deliveries, jobs })
    }

    /// The function behind the webhook URL, in this sandbox.
    ///
    /// # Errors
    /// If the harness's own credentials are not good enough.
    pub(super) fn ingest(&self) -> anyhow::Result<IngestFunction> {
        let stores = Stores { queue: self.clone(), spool: self.clone() };
        Ok(Ingest { endpoints: World::endpoints()?, stores })
    }

    /// Runs one invocation until it ends, is killed, or has taken `timeout`.
    pub(super) async fn run<T>(&self, invocation: impl Future<Output = T>, timeout: Duration) -> Ended<T> {
        tokio::select! {
            biased;
            () = self.killed.notified() => Ended::Died,
            ended = AssertUnwindSafe(invocation).catch_unwind() => ended.map_or(Ended::Panicked, Ended::Answered),
            () = tokio::time::sleep(timeout) => Ended::Died,
        }
    }

    /// Makes a call as the weather will have it. `refusal` is what its caller is told; whether for good, is its argument.
    async fn call<R, F>(
        &self,
        call: Call,
        session: Option<&str>,
        effect: impl Fn() -> F + Send + Sync,
        refusal: impl Fn(bool) -> R + Send + Sync,
    ) -> R
    where
        R: Send,
        F: Future<Output = R> + Send + 'static,
    {
        tokio::time::sleep(self.world.pace()).await;
        match self.world.fault(call, session) {
            None => effect().await,
            Some(Fault::Refused) => refusal(false),
            Some(Fault::RefusedForGood) => refusal(true),
            Some(Fault::AnswerLost) => {
                effect().await;
                refusal(false)
            }
            Some(Fault::Repeated) => {
                effect().await;
                effect().await
            }
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                effect().await
            }
            Some(Fault::Late(time)) => {
                let (effect, under_way) = (effect(), self.world.under_way());
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    effect.await;
                    drop(under_way);
                });
                pending().await
            }
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Panics(moment)) => {
                if moment == Moment::After {
                    effect().await;
                }
                // Not `panic!`, which would fill the screen.
                std::panic::resume_unwind(Box::new("as planned"))
            }
            Some(Fault::Killed(moment)) => {
                if moment == Moment::After {
                    effect().await;
                }
                self.killed.notify_one();
                pending().await
            }
        }
    }
}

impl Services for Sandbox {
    type Sessions = Self;
    type Bucket = Self;
    type Events = Self;
    type Commands = Self;
    type Publisher = Self;
    type Providers = Self;

    fn sessions(&self) -> &Self {
        self
    }

    fn bucket(&self) -> &Self {
        self
    }

    fn events(&self) -> &Self {
        self
    }

    fn commands(&self) -> &Self {
        self
    }

    fn publisher(&self) -> &Self {
        self
    }

    fn providers(&self) -> &Self {
        self
    }
}

impl ingest_fn::EventsQueue for Sandbox {
    async fn send(&self, message: Queued<'_>) -> Result<(), QueueError> {
        let effect = || {
            let (world, text, group) = (Arc::clone(&self.world), message.text.to_owned(), message.group.to_owned());
            let accept_id = message.accept_id.to_string();
            async move {
                world.send(&group, &accept_id, &text);
                Ok(())
            }
        };
        let refusal = |for_good| Err(if for_good { QueueError::Refused } else { QueueError::Unavailable });
        self.call(Call::Enqueue, None, effect, refusal).await
    }
}

impl Spool for Sandbox {
    async fn put(&self, object: ingest_fn::Object) -> Result<(), SpoolError> {
        let is_claim = object.key.starts_with(&Folder::Claims.prefix());
        let effect = || {
            let (world, object) = (Arc::clone(&self.world), object.clone());
            async move {
                let metadata = object.metadata.into_iter().map(|(name, value)| (name.to_owned(), value));
                world.put(&object.key, object.bytes, metadata.collect());
                Ok(())
            }
        };
        let call = if is_claim { Call::PutClaim } else { Call::PutSpool };
        self.call(call, None, effect, |_| Err(SpoolError)).await
    }
}

impl SessionStore for Sandbox {
    async fn load(&self, id: &SessionId, now: i64) -> Result<Loaded, StoreError> {
        let effect = || {
            let (table, id) = (self.world.table.clone(), id.clone());
            async move { table.load(&id, now).await }
        };
        self.call(Call::Load, Some(&id.encoded()), effect, |_| Err(StoreError::Unavailable)).await
    }

    async fn save(&self, session: &Session, expected: Version, now: i64) -> Result<Version, StoreError> {
        let effect = || {
            let (world, session) = (Arc::clone(&self.world), session.clone());
            async move {
                let saved = world.table.save(&session, expected, now).await?;
                world.look_at(&session);
                Ok(saved)
            }
        };
        let refusal = |for_good| Err(if for_good { StoreError::Invalid } else { StoreError::Unavailable });
        self.call(Call::Save, Some(&session.id().encoded()), effect, refusal).await
    }

    async fn record(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<Recorded, StoreError> {
        let effect = || {
            let (table, id, entry) = (self.world.table.clone(), id.clone(), entry.clone());
            async move { table.record(&id, &entry, now).await }
        };
        let refusal = |for_good| Err(if for_good { StoreError::Invalid } else { StoreError::Unavailable });
        self.call(Call::Record, Some(&id.encoded()), effect, refusal).await
    }

    async fn due(&self, what: Due, now: i64) -> Result<DueSessions, StoreError> {
        let effect = || {
            let table = self.world.table.clone();
            async move { table.due(what, now).await }
        };
        self.call(Call::Due, None, effect, |_| Err(StoreError::Unavailable)).await
    }

    async fn calendar_entry(
        &self,
        id: &SessionId,
        entry: &SenderId,
        now: i64,
    ) -> Result<Option<CalendarEntry>, StoreError> {
        let effect = || {
            let (table, id, entry) = (self.world.table.clone(), id.clone(), entry.clone());
            async move { table.calendar_entry(&id, &entry, now).await }
        };
        self.call(Call::ReadEntry, None, effect, |_| Err(StoreError::Unavailable)).await
    }

    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), StoreError> {
        let effect = || {
            let (table, id, entry) = (self.world.table.clone(), id.clone(), entry.clone());
            async move { table.mirror(&id, &entry, now).await }
        };
        self.call(Call::Mirror, None, effect, |_| Err(StoreError::Unavailable)).await
    }

    async fn unmirror(&self, id: &SessionId, entry: &SenderId) -> Result<(), StoreError> {
        let effect = || {
            let (table, id, entry) = (self.world.table.clone(), id.clone(), entry.clone());
            async move { table.unmirror(&id, &entry).await }
        };
        self.call(Call::Unmirror, None, effect, |_| Err(StoreError::Unavailable)).await
    }

    async fn forget_entries(&self, id: &SessionId) -> Result<(), StoreError> {
        let effect = || {
            let (table, id) = (self.world.table.clone(), id.clone());
            async move { table.forget_entries(&id).await }
        };
        self.call(Call::Forget, None, effect, |_| Err(StoreError::Unavailable)).await
    }
}

impl CommandQueue for Sandbox {
    async fn send(&self, command: &Command, delay: Duration) -> Result<(), NotSent> {
        let effect = || {
            let (world, text) = (Arc::clone(&self.world), command.encode());
            async move {
                world.command(&text, delay);
                Ok(())
            }
        };
        self.call(Call::SendCommand, None, effect, |_| Err(NotSent)).await
    }
}

/// A provider that refuses is one that fails: what it says for good is said by its [`Desk`](super::api::Desk).
impl ProviderApi for Sandbox {
    fn is_configured(&self, _: Provider) -> bool {
        self.world.desk().has_key()
    }

    async fn artifact(&self, bot: &SessionId, artifact: Artifact) -> Result<Located, ApiError> {
        let effect = || {
            let (world, bot) = (Arc::clone(&self.world), bot.clone());
            async move {
                let answer = world.desk().locate(&bot, artifact);
                answer.wait().await
            }
        };
        self.call(Call::Locate, Some(&bot.encoded()), effect, |_| Err(ApiError::later(Cause::Failing))).await
    }

    async fn detail(&self, bot: &SessionId) -> Result<BotDetail, ApiError> {
        let effect = || {
            let (world, bot) = (Arc::clone(&self.world), bot.clone());
            async move {
                let answer = world.desk().detail(&bot);
                answer.wait().await
            }
        };
        self.call(Call::Detail, Some(&bot.encoded()), effect, |_| Err(ApiError::later(Cause::Failing))).await
    }

    async fn calendar_entries(&self, calendar: &SessionId, which: &Entries) -> Result<CalendarEntries, ApiError> {
        let effect = || {
            let (world, calendar, which) = (Arc::clone(&self.world), calendar.clone(), which.clone());
            async move {
                let answer = world.desk().entries(&calendar, &which);
                answer.wait().await
            }
        };
        self.call(Call::Entries, Some(&calendar.encoded()), effect, |_| Err(ApiError::later(Cause::Failing))).await
    }

    async fn download(&self, _: Artifact, url: &DownloadUrl) -> Result<Download, ApiError> {
        let effect = || {
            let (world, url) = (Arc::clone(&self.world), url.expose());
            async move {
                let answer = world.desk().download(&url);
                let (content_type, length, bytes) = answer.wait().await?;
                Ok(Download::new(Some(content_type), Some(length), ByteStream::from(bytes)))
            }
        };
        self.call(Call::Download, None, effect, |_| Err(ApiError::later(Cause::Failing))).await
    }
}

impl Bucket for Sandbox {
    async fn put(&self, object: &Object) -> Result<(), BucketError> {
        let effect = || {
            let (world, object) = (Arc::clone(&self.world), object.clone());
            async move {
                let beside = object.metadata.into_iter().map(|(name, value)| (name.to_owned(), value));
                let mut beside: BTreeMap<_, _> = beside.collect();
                beside.insert(metadata::REASON.to_owned(), object.reason.to_owned());
                world.put(&object.key, object.bytes, beside);
                Ok(())
            }
        };
        self.call(Call::Keep, None, effect, |_| Err(BucketError)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let effect = || {
            let (world, key) = (Arc::clone(&self.world), key.to_owned());
            async move { Ok(world.bucket().get(&key).map(|stored: &Stored| stored.bytes.clone())) }
        };
        self.call(Call::Fetch, None, effect, |_| Err(BucketError)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        let effect = || {
            let (world, prefix) = (Arc::clone(&self.world), prefix.to_owned());
            async move { Ok(world.bucket().list(&prefix)) }
        };
        self.call(Call::List, None, effect, |_| Err(BucketError)).await
    }

    async fn remove(&self, key: &str) -> Result<(), BucketError> {
        let effect = || {
            let (world, key) = (Arc::clone(&self.world), key.to_owned());
            async move {
                world.bucket().remove(&key);
                Ok(())
            }
        };
        self.call(Call::Remove, None, effect, |_| Err(BucketError)).await
    }

    async fn put_artifact(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Uploaded, UploadError> {
        self.store_artifact(Call::PutArtifact, key, Some(content_type.to_owned()), bytes).await
    }

    async fn upload(&self, key: &str, download: Download, deadline: Instant) -> Result<Uploaded, UploadError> {
        let content_type = download.content_type().map(str::to_owned);
        let read = timeout_at(deadline, download.into_bytes(usize::MAX)).await;
        let bytes = read.map_err(|_| UploadError::OutOfTime)??;
        self.store_artifact(Call::StoreArtifact, key, content_type, bytes).await
    }
}

impl Sandbox {
    async fn store_artifact(
        &self,
        call: Call,
        key: &str,
        content_type: Option<String>,
        bytes: Vec<u8>,
    ) -> Result<Uploaded, UploadError> {
        let (size_bytes, sha256) = (bytes.len() as u64, sha256_hex(&bytes));
        let uploaded = Uploaded { key: key.to_owned(), content_type, size_bytes, sha256 };
        let effect = || {
            let (world, uploaded, bytes) = (Arc::clone(&self.world), uploaded.clone(), bytes.clone());
            async move {
                world.put(&uploaded.key, bytes, BTreeMap::new());
                Ok(uploaded)
            }
        };
        self.call(call, None, effect, |_| Err(BucketError.into())).await
    }
}

impl process_fn::EventsQueue for Sandbox {
    async fn send(&self, message: Message<'_>) -> Result<(), process_fn::QueueError> {
        use process_fn::QueueError;
        let effect = || {
            let (world, text) = (Arc::clone(&self.world), message.text.to_owned());
            let (group, dedup_id) = (message.group.to_owned(), message.dedup_id.to_owned());
            async move {
                world.send(&group, &dedup_id, &text);
                Ok(())
            }
        };
        let refusal = |for_good| Err(if for_good { QueueError::Refused } else { QueueError::Unavailable });
        self.call(Call::PutBack, None, effect, refusal).await
    }

    async fn change_visibility(&self, records: &[Record], delay: Duration) {
        let receipts: Vec<u64> = records.iter().filter_map(|record| record.receipt_handle.parse().ok()).collect();
        let effect = || {
            let (world, receipts) = (Arc::clone(&self.world), receipts.clone());
            async move { world.postpone(&receipts, delay) }
        };
        self.call(Call::Postpone, None, effect, |_| ()).await;
    }
}

impl Publisher for Sandbox {
    async fn publish(&self, announcements: &[PublishedEvent]) -> Result<(), PublishError> {
        let said = |told: &PublishedEvent| (told.id.clone(), told.name, serde_json::to_value(told).unwrap_or_default());
        let published: Vec<_> = announcements.iter().map(said).collect();
        let effect = || {
            let (world, published) = (Arc::clone(&self.world), published.clone());
            async move {
                world.hear(published);
                Ok(())
            }
        };
        self.call(Call::Publish, None, effect, |_| Err(PublishError)).await
    }
}
