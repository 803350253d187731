//! One execution environment: a function whose every call may fail, and who can be killed at any of them.

use super::{bucket::Stored, world::World};
use crate::fault::{Call, Fault, Moment};
use futures_util::FutureExt;
use ingest_fn::{EventQueue, HandOver, Ingest, Object, QueueError, Queued, Spool, SpoolError};
use process_fn::{
    Commander, Commands, DueSessions, Errands, Function, Kept, Listed, Loaded, MemoryApi, MemoryArchive, NotSent,
    Processor, PublishError, Publisher, Record, Recorded, Redelivery, Requeue, RequeueError, Returned, SessionStore,
    StoreError, Sweep, TranscriptPlaces, Vault, VaultError, Version,
};
use shared::{
    Command, SenderId, Session, SessionId,
    api::CalendarEntry,
    bucket::{Folder, metadata},
    session::{PublishedEvent, TimelineLine},
    table::Due,
};
use std::{collections::BTreeMap, future::pending, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::sync::Notify;

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
pub(super) type ProcessFunction = Function<
    Processor<Sandbox, Sandbox, Sandbox, Sandbox, Sandbox>,
    Commander<Sandbox, Sandbox, Sandbox, Sandbox, MemoryArchive, MemoryApi, Sandbox>,
>;

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
        let processor = Processor {
            store: self.clone(),
            vault: self.clone(),
            publisher: self.clone(),
            redelivery: self.clone(),
            commands: self.clone(),
            policy: self.world.policy(),
        };
        let sweep = Sweep { store: self.clone(), commands: self.clone(), vault: self.clone(), queue: self.clone() };
        let errands = Errands {
            store: self.clone(),
            vault: self.clone(),
            archive: MemoryArchive::default(),
            api: MemoryApi::default(),
            publisher: self.clone(),
            patience: Duration::from_secs(86_400),
            retry_base: Duration::from_secs(2),
            retry_max: Duration::from_secs(900),
            keeps_recordings: false,
            transcripts: TranscriptPlaces::default(),
        };
        let commander = Commander { sweep, errands };
        Function { processor, commander, commands_queue_name: "commands".to_owned() }
    }

    /// The function behind the webhook URL, in this sandbox.
    ///
    /// # Errors
    /// If the harness's own credentials are not good enough.
    pub(super) fn ingest(&self) -> anyhow::Result<IngestFunction> {
        let hand_over = HandOver { queue: self.clone(), spool: self.clone() };
        Ok(Ingest { endpoints: World::endpoints()?, hand_over })
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

impl EventQueue for Sandbox {
    async fn enqueue(&self, message: Queued<'_>) -> Result<(), QueueError> {
        let effect = || {
            let (world, text, group) = (Arc::clone(&self.world), message.text.clone(), message.group.to_owned());
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
    async fn put(&self, object: Object) -> Result<(), SpoolError> {
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
            let (table, session) = (self.world.table.clone(), session.clone());
            async move { table.save(&session, expected, now).await }
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

    async fn due(&self, _: Due, _: i64) -> Result<DueSessions, StoreError> {
        Ok(DueSessions::default())
    }

    async fn calendar_entry(&self, _: &SessionId, _: &SenderId, _: i64) -> Result<Option<CalendarEntry>, StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn mirror(&self, _: &SessionId, _: &CalendarEntry, _: i64) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn unmirror(&self, _: &SessionId, _: &SenderId) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    async fn forget_entries(&self, _: &SessionId) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }
}

/// These schedules are about deliveries: the jobs that they give rise to go nowhere.
impl Commands for Sandbox {
    async fn send(&self, _: &Command) -> Result<(), NotSent> {
        Ok(())
    }
}

impl Vault for Sandbox {
    async fn keep(&self, kept: &Kept) -> Result<(), VaultError> {
        let effect = || {
            let (world, kept) = (Arc::clone(&self.world), kept.clone());
            async move {
                let beside = kept.metadata.into_iter().map(|(name, value)| (name.to_owned(), value));
                let mut beside: BTreeMap<_, _> = beside.collect();
                beside.insert(metadata::REASON.to_owned(), kept.reason.to_owned());
                world.put(&kept.key, kept.bytes, beside);
                Ok(())
            }
        };
        self.call(Call::Keep, None, effect, |_| Err(VaultError)).await
    }

    async fn fetch(&self, key: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let effect = || {
            let (world, key) = (Arc::clone(&self.world), key.to_owned());
            async move { Ok(world.bucket().get(&key).map(|stored: &Stored| stored.bytes.clone())) }
        };
        self.call(Call::Fetch, None, effect, |_| Err(VaultError)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, VaultError> {
        let effect = || {
            let (world, prefix) = (Arc::clone(&self.world), prefix.to_owned());
            async move { Ok(world.bucket().list(&prefix)) }
        };
        self.call(Call::List, None, effect, |_| Err(VaultError)).await
    }

    async fn remove(&self, key: &str) -> Result<(), VaultError> {
        let effect = || {
            let (world, key) = (Arc::clone(&self.world), key.to_owned());
            async move {
                world.bucket().remove(&key);
                Ok(())
            }
        };
        self.call(Call::Remove, None, effect, |_| Err(VaultError)).await
    }
}

impl Requeue for Sandbox {
    async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
        let effect = || {
            let (world, text) = (Arc::clone(&self.world), message.text.to_owned());
            let (group, dedup_id) = (message.group.to_owned(), message.dedup_id.to_owned());
            async move {
                world.send(&group, &dedup_id, &text);
                Ok(())
            }
        };
        let refusal = |for_good| Err(if for_good { RequeueError::Refused } else { RequeueError::Unavailable });
        self.call(Call::PutBack, None, effect, refusal).await
    }
}

impl Publisher for Sandbox {
    async fn publish(&self, events: &[PublishedEvent]) -> Result<(), PublishError> {
        let ids: Vec<_> = events.iter().map(|event| event.id.clone()).collect();
        let effect = || {
            let (world, ids) = (Arc::clone(&self.world), ids.clone());
            async move {
                world.hear(ids);
                Ok(())
            }
        };
        self.call(Call::Publish, None, effect, |_| Err(PublishError)).await
    }
}

impl Redelivery for Sandbox {
    async fn postpone(&self, records: &[Record], delay: Duration) {
        let receipts: Vec<u64> = records.iter().filter_map(|record| record.receipt_handle.parse().ok()).collect();
        let effect = || {
            let (world, receipts) = (Arc::clone(&self.world), receipts.clone());
            async move { world.postpone(&receipts, delay) }
        };
        self.call(Call::Postpone, None, effect, |_| ()).await;
    }
}
