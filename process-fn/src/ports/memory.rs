//! All ports in memory, for tests.

use super::{
    Services,
    bucket::memory::MemoryBucket,
    providers::memory::MemoryApi,
    publisher::{PublishError, Publisher},
    queues::{
        commands::{CommandQueue, NotSent},
        events::{EventsQueue, Message, QueueError},
        record::Record,
    },
    sessions::memory::MemoryStore,
};
use shared::{Command, session::PublishedEvent};
use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

/// All ports in memory. Its clones are the same ports.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) sessions: MemoryStore,
    pub(crate) bucket: MemoryBucket,
    pub(crate) events: MemoryEvents,
    pub(crate) commands: MemoryCommands,
    pub(crate) publisher: MemoryBus,
    pub(crate) providers: Arc<MemoryApi>,
}

impl Services for Memory {
    type Sessions = MemoryStore;
    type Bucket = MemoryBucket;
    type Events = MemoryEvents;
    type Commands = MemoryCommands;
    type Publisher = MemoryBus;
    type Providers = MemoryApi;

    fn sessions(&self) -> &MemoryStore {
        &self.sessions
    }

    fn bucket(&self) -> &MemoryBucket {
        &self.bucket
    }

    fn events(&self) -> &MemoryEvents {
        &self.events
    }

    fn commands(&self) -> &MemoryCommands {
        &self.commands
    }

    fn publisher(&self) -> &MemoryBus {
        &self.publisher
    }

    fn providers(&self) -> &MemoryApi {
        &self.providers
    }
}

/// How a port treats every call from now on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Mode {
    #[default]
    Works,
    Refuses,
    Hangs,
    Panics,
}

/// What every call of a port passes first.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<Mutex<Mode>>);

impl Switch {
    pub(crate) fn set(&self, mode: Mode) {
        *self.0.lock().unwrap() = mode;
    }

    /// Answers with `refusal` if the port refuses.
    pub(crate) async fn pass<E>(&self, refusal: E) -> Result<(), E> {
        let mode = *self.0.lock().unwrap();
        match mode {
            Mode::Works => Ok(()),
            Mode::Refuses => Err(refusal),
            Mode::Hangs => std::future::pending().await,
            Mode::Panics => panic!("as planned"),
        }
    }
}

/// An events queue that drops what has a known dedup id, as SQS does.
#[derive(Clone, Default)]
pub(crate) struct MemoryEvents {
    state: Arc<Mutex<EventsState>>,
    /// For changes of visibility.
    pub(crate) switch: Switch,
}

#[derive(Default)]
struct EventsState {
    taken: Vec<(String, String)>,
    dedup_ids: BTreeSet<String>,
    calls: u32,
    answer: Option<fn(u32) -> Result<(), QueueError>>,
    postponed: Vec<(Vec<String>, u64)>,
}

impl MemoryEvents {
    /// From now on each call to send is answered by its number, from 1.
    pub(crate) fn answer(&self, answer: fn(u32) -> Result<(), QueueError>) {
        self.state.lock().unwrap().answer = Some(answer);
    }

    /// The groups and texts of all messages that were taken.
    pub(crate) fn taken(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().taken.clone()
    }

    /// How often somebody tried to send.
    pub(crate) fn calls(&self) -> u32 {
        self.state.lock().unwrap().calls
    }

    /// The ids of records whose visibility was changed since the last call, and for how many seconds.
    pub(crate) fn postponed(&self) -> Vec<(Vec<String>, u64)> {
        mem::take(&mut self.state.lock().unwrap().postponed)
    }
}

impl EventsQueue for MemoryEvents {
    async fn send(&self, message: Message<'_>) -> Result<(), QueueError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        state.answer.map_or(Ok(()), |answer| answer(state.calls))?;
        if state.dedup_ids.insert(message.dedup_id.to_owned()) {
            state.taken.push((message.group.to_owned(), message.text.to_owned()));
        }
        Ok(())
    }

    async fn change_visibility(&self, records: &[Record], delay: Duration) {
        if self.switch.pass(()).await.is_ok() {
            let ids = records.iter().map(|record| record.message_id.clone()).collect();
            self.state.lock().unwrap().postponed.push((ids, delay.as_secs()));
        }
    }
}

type OnSend = Box<dyn Fn(&Command) + Send>;

/// A commands queue that remembers what it was sent.
#[derive(Clone, Default)]
pub(crate) struct MemoryCommands {
    sent: Arc<Mutex<Vec<(Command, Duration)>>>,
    on_send: Arc<Mutex<Option<OnSend>>>,
    pub(crate) switch: Switch,
}

impl MemoryCommands {
    /// The commands that were sent since the last call, each with its delay.
    pub(crate) fn sent(&self) -> Vec<(Command, Duration)> {
        mem::take(&mut self.sent.lock().unwrap())
    }

    /// Runs `hook` on each command that is sent from now on.
    pub(crate) fn on_send(&self, hook: impl Fn(&Command) + Send + 'static) {
        *self.on_send.lock().unwrap() = Some(Box::new(hook));
    }
}

impl CommandQueue for MemoryCommands {
    async fn send(&self, command: &Command, delay: Duration) -> Result<(), NotSent> {
        self.switch.pass(NotSent).await?;
        self.sent.lock().unwrap().push((command.clone(), delay));
        if let Some(hook) = &*self.on_send.lock().unwrap() {
            hook(command);
        }
        Ok(())
    }
}

/// An event bus that remembers what was published.
#[derive(Clone, Default)]
pub(crate) struct MemoryBus {
    published: Arc<Mutex<Vec<PublishedEvent>>>,
    pub(crate) switch: Switch,
}

impl MemoryBus {
    pub(crate) fn published(&self) -> Vec<PublishedEvent> {
        self.published.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.published().iter().map(|event| event.name).collect()
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.published().into_iter().map(|event| event.id).collect()
    }
}

impl Publisher for MemoryBus {
    async fn publish(&self, events: &[PublishedEvent]) -> Result<(), PublishError> {
        self.switch.pass(PublishError).await?;
        self.published.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}
