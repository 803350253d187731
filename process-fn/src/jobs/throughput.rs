//! How much work the commands get done in an hour of virtual time at the template's defaults, and how long a sweep waits, beside a
//! provider that is well, hangs, is slow or refuses. `cargo test -p process-fn throughput -- --nocapture` prints the figures.
//!
//! What is real: commands, jobs, sweep, breaker and patience. What is made up: an answer of a provider takes 300 ms, a call to
//! a store 20 ms, the transfer of a recording 30 s, and the processor nothing.

use super::{JobSettings, Jobs, command::CommandHandler, sweep::Sweep};
use crate::{
    composer,
    invocation::Invocation,
    ports::{
        Services,
        bucket::{Bucket, BucketError, Listed, Object, UploadError, Uploaded, memory::MemoryBucket},
        memory::MemoryEvents,
        providers::{ApiError, Cause, Download, Entries, Patience, ProviderApi, breaker::Breaker, memory::File},
        publisher::{PublishError, Publisher},
        queues::commands::{CommandQueue, NotSent},
        sessions::{DUE_PER_SHARD, SessionStore, Version, memory::MemoryStore},
    },
};
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_smithy_types::byte_stream::ByteStream;
use lambda_runtime::Context;
use serde_json::json;
use shared::{
    Command, Endpoint, Provider, Session, SessionId,
    api::{BotDetail, CalendarEntries, Content, Located},
    event::Artifact,
    session::{Job, PublishedEvent, StoredCopy, advance},
    url::DownloadUrl,
};
use std::{
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// `CommandsMaximumConcurrency` and `BatchSize` of the template.
const WORKERS: usize = 3;
const BATCH: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(120);

const NOW: u64 = 1_791_212_102;
const HOUR: Duration = Duration::from_secs(3600);

/// What `MeetStream` says of each meeting.
const NAMES: [&str; 3] = ["audio.processed", "video.processed", "transcription.processed"];

/// How a provider is.
#[derive(Clone, Copy, Debug)]
enum Health {
    Well,
    Hanging,
    Slow,
    Refusing,
}

/// A provider behind the real breaker and the real patience. Only `MeetStream` is ever unwell.
struct Api {
    health: Health,
    patience: Patience,
    breakers: [Breaker; 2],
    asked: Mutex<u64>,
    /// How often it was asked about bots, by the minute.
    details: Mutex<BTreeMap<u64, usize>>,
    began: Instant,
}

impl Api {
    async fn ask(&self, provider: Provider) -> Result<(), ApiError> {
        let (health, breaker) = match provider {
            Provider::MeetStream => (self.health, &self.breakers[0]),
            Provider::MeetingBaas => (Health::Well, &self.breakers[1]),
        };
        let attempt = || async move {
            *self.asked.lock().unwrap() += u64::from(provider == Provider::MeetStream);
            match health {
                Health::Well => sleep(Duration::from_millis(300)).await,
                Health::Slow => sleep(Duration::from_secs(4)).await,
                Health::Hanging => std::future::pending().await,
                Health::Refusing => return Err(ApiError::later(Cause::Busy)),
            }
            Ok(())
        };
        breaker.guard(self.patience.for_questions().with(attempt)).await
    }
}

impl ProviderApi for Api {
    fn is_configured(&self, _: Provider) -> bool {
        true
    }

    async fn artifact(&self, bot: &SessionId, artifact: Artifact) -> Result<Located, ApiError> {
        // Three questions for a transcript, one for a recording.
        for _ in 0..if artifact == Artifact::Transcript { 3 } else { 1 } {
            self.ask(bot.provider).await?;
        }
        let content = if artifact == Artifact::Transcript {
            Content::Inline(br#"[{"speaker":"Priya","transcript":"Hello."}]"#.to_vec())
        } else {
            Content::At(DownloadUrl::parse("https://files.example.invalid/a").unwrap())
        };
        Ok(Located::Found { content, run: None })
    }

    async fn detail(&self, bot: &SessionId) -> Result<BotDetail, ApiError> {
        *self.details.lock().unwrap().entry(self.began.elapsed().as_secs() / 60).or_default() += 1;
        self.ask(bot.provider).await?;
        Ok(BotDetail::default())
    }

    async fn calendar_entries(&self, _: &SessionId, _: &Entries) -> Result<CalendarEntries, ApiError> {
        Ok(CalendarEntries::default())
    }

    async fn download(&self, _: Artifact, _: &DownloadUrl) -> Result<Download, ApiError> {
        let file = File::of("video/mp4", b"moving pictures");
        Ok(Download::new(file.content_type, file.length, ByteStream::from(file.bytes)))
    }
}

/// A bucket whose artifacts take their time. Its artifacts are nowhere.
#[derive(Clone, Default)]
struct SlowBucket(MemoryBucket);

impl SlowBucket {
    fn uploaded(key: &str) -> Uploaded {
        Uploaded { key: key.to_owned(), content_type: None, size_bytes: 1, sha256: String::new() }
    }
}

impl Bucket for SlowBucket {
    async fn put(&self, object: &Object) -> Result<(), BucketError> {
        self.0.put(object).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        self.0.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, BucketError> {
        self.0.list(prefix).await
    }

    async fn remove(&self, key: &str) -> Result<(), BucketError> {
        self.0.remove(key).await
    }

    async fn put_artifact(&self, key: &str, _: &str, _: Vec<u8>) -> Result<Uploaded, UploadError> {
        sleep(Duration::from_millis(20)).await;
        Ok(Self::uploaded(key))
    }

    async fn upload(&self, key: &str, _: Download, _: Instant) -> Result<Uploaded, UploadError> {
        sleep(Duration::from_secs(30)).await;
        Ok(Self::uploaded(key))
    }
}

/// The commands queue, with the time at which each command was sent; and a bus that takes everything.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<(Command, Instant)>>>);

impl CommandQueue for Queue {
    async fn send(&self, command: &Command, _: Duration) -> Result<(), NotSent> {
        // And the two calls to the table with which a sweep notes that it was sent.
        sleep(Duration::from_millis(60)).await;
        self.0.lock().unwrap().push_back((command.clone(), Instant::now()));
        Ok(())
    }
}

impl Publisher for Queue {
    async fn publish(&self, _: &[PublishedEvent]) -> Result<(), PublishError> {
        sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

/// The ports of one run.
#[derive(Clone)]
struct Timed {
    sessions: MemoryStore,
    bucket: SlowBucket,
    events: MemoryEvents,
    queue: Queue,
    api: Arc<Api>,
}

impl Services for Timed {
    type Sessions = MemoryStore;
    type Bucket = SlowBucket;
    type Events = MemoryEvents;
    type Commands = Queue;
    type Publisher = Queue;
    type Providers = Api;

    fn sessions(&self) -> &MemoryStore {
        &self.sessions
    }

    fn bucket(&self) -> &SlowBucket {
        &self.bucket
    }

    fn events(&self) -> &MemoryEvents {
        &self.events
    }

    fn commands(&self) -> &Queue {
        &self.queue
    }

    fn publisher(&self) -> &Queue {
        &self.queue
    }

    fn providers(&self) -> &Api {
        &self.api
    }
}

struct Run {
    command_handler: CommandHandler<Timed>,
    services: Timed,
    began: Instant,
    longest_wait: Mutex<Duration>,
}

/// What an hour came to.
#[derive(Debug)]
struct Figures {
    stored_of_meetstream: usize,
    stored_of_meetingbaas: usize,
    asked: u64,
    longest_sweep: Duration,
    /// The longest that a command to fetch a transcript waited in the queue.
    longest_wait: Duration,
    most_details_a_minute: usize,
    left_in_queue: usize,
}

impl Run {
    fn new(health: Health, keeps_recordings: bool) -> Rc<Self> {
        let api = Api {
            health,
            patience: Patience::DEFAULT,
            breakers: Default::default(),
            asked: Mutex::default(),
            details: Mutex::default(),
            began: Instant::now(),
        };
        let (sessions, bucket, events) = (MemoryStore::default(), SlowBucket::default(), MemoryEvents::default());
        let services = Timed { sessions, bucket, events, queue: Queue::default(), api: Arc::new(api) };
        let settings = JobSettings { keeps_recordings, ..composer::JOBS };
        let jobs = Jobs::new(services.clone(), settings);
        let command_handler = CommandHandler { sweep: Sweep { services: services.clone() }, jobs };
        Rc::new(Self { command_handler, services, began: Instant::now(), longest_wait: Mutex::default() })
    }

    fn now(&self) -> Duration {
        Duration::from_secs(NOW) + self.began.elapsed()
    }

    fn context(&self) -> Context {
        let mut context = Context::default();
        context.deadline = u64::try_from((self.now() + TIMEOUT).as_millis()).unwrap();
        context
    }

    /// A meeting that has ended, and whose artifacts are ready; every other one is of the other provider.
    async fn meet(&self, n: usize) {
        let (endpoint, bodies): (_, Vec<_>) = if n.is_multiple_of(2) {
            let body =
                |name: &&str| json!({"bot_id": n.to_string(), "event": name, "timestamp": "2026-10-05T10:00:00Z"});
            (Endpoint::MeetStream, NAMES.iter().map(body).collect())
        } else {
            let body = json!({"event": "bot.completed", "data": {"bot_id": n.to_string(), "transcription": "https://a.example/t",
                "audio": "https://a.example/a", "video": "https://a.example/v", "status": "completed"}});
            (Endpoint::MeetingBaasV2, vec![body])
        };
        for (m, body) in bodies.into_iter().enumerate() {
            let received_at = i64::try_from(self.now().as_millis()).unwrap();
            let event = composer::event(endpoint, &format!("{n} {m}"), received_at, body.to_string());
            let now = i64::try_from(self.now().as_secs()).unwrap();
            let loaded = self.services.sessions.load(&event.session, now).await.unwrap();
            let before = loaded.session.unwrap_or_else(|| Session::new(event.session.clone(), event.received_at));
            let Some(next) = advance(&before, &event).session else { continue };
            let version = if m == 0 { Version::Absent } else { loaded.version };
            self.services.sessions.save(&next, version, now).await.unwrap();
            for job in next.newly_wanted(before.jobs(), now) {
                let command = Command::Job { session: event.session.clone(), job };
                self.services.queue.0.lock().unwrap().push_back((command, Instant::now()));
            }
        }
    }

    /// An unsigned callback that says that a bot is through. No such bot need exist.
    async fn forge(&self, n: usize) {
        let received_at = i64::try_from(self.now().as_millis()).unwrap();
        let body = format!(r#"{{"bot_id":"forged-{n}","event":"bot.done"}}"#);
        let event = composer::event(Endpoint::MeetStreamCallback, &format!("forged {n}"), received_at, body);
        let (before, session) = composer::around(&event);
        let now = i64::try_from(self.now().as_secs()).unwrap();
        self.services.sessions.save(&session, Version::Absent, now).await.unwrap();
        for job in session.newly_wanted(before.jobs(), now) {
            let command = Command::Job { session: event.session.clone(), job };
            self.services.queue.0.lock().unwrap().push_back((command, Instant::now()));
        }
    }

    /// One of the invocations that the mapping keeps going.
    async fn work(self: Rc<Self>) {
        loop {
            let mut batch = SqsEvent::default();
            {
                let mut queue = self.services.queue.0.lock().unwrap();
                for n in 0..BATCH.min(queue.len()) {
                    let mut message = SqsMessage::default();
                    message.message_id = Some(n.to_string());
                    message.body = queue.pop_front().map(|(command, sent_at)| {
                        if matches!(command, Command::Job { job: Job::FetchTranscript, .. }) {
                            let mut longest = self.longest_wait.lock().unwrap();
                            *longest = longest.max(sent_at.elapsed());
                        }
                        command.encode()
                    });
                    batch.records.push(message);
                }
            }
            if batch.records.is_empty() {
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            let context = self.context();
            let answer = self.command_handler.run(batch, Invocation::new(&context, self.now(), Duration::MAX)).await;
            assert!(answer.batch_item_failures.is_empty());
            // A call to the table before and after each, all of a batch beside each other.
            sleep(Duration::from_millis(60)).await;
        }
    }

    /// The schedule. Returns how long after its minute the longest sweep ended.
    async fn sweep(self: Rc<Self>, longest: Rc<Mutex<Duration>>) {
        loop {
            sleep(Duration::from_secs(60)).await;
            let (began, context) = (Instant::now(), self.context());
            let invocation = Invocation::new(&context, self.now(), Duration::from_secs(55));
            self.command_handler.run_directly(&Command::Sweep { spool_every_minutes: None }, invocation).await.unwrap();
            let mut longest = longest.lock().unwrap();
            *longest = longest.max(began.elapsed());
        }
    }
}

/// An hour with so many meetings, whose artifacts are ready one after another.
async fn hour(health: Health, meetings: usize, keeps_recordings: bool) -> Figures {
    hour_beside(health, meetings, keeps_recordings, 0).await
}

/// The same beside so many unverified ends of other bots, all in the first minute.
async fn hour_beside(health: Health, meetings: usize, keeps_recordings: bool, forged: usize) -> Figures {
    let run = Run::new(health, keeps_recordings);
    let longest = Rc::new(Mutex::new(Duration::ZERO));
    let local = tokio::task::LocalSet::new();
    for _ in 0..WORKERS {
        local.spawn_local(Rc::clone(&run).work());
    }
    local.spawn_local(Rc::clone(&run).sweep(Rc::clone(&longest)));
    let arriving = async {
        for n in 0..forged {
            run.forge(n).await;
        }
        for n in 0..meetings {
            run.meet(n).await;
            sleep(HOUR / u32::try_from(meetings).unwrap()).await;
        }
        sleep(Duration::from_secs(120)).await;
    };
    local.run_until(arriving).await;
    let now = i64::try_from(run.now().as_secs()).unwrap();
    let stored = |provider| {
        let sessions = run.services.sessions.sessions(now).into_iter();
        let of_provider = sessions.filter(move |session| session.id().provider == provider);
        of_provider
            .map(|session| session.copies().values().filter(|copy| matches!(copy, StoredCopy::Stored(_))).count())
            .sum()
    };
    let figures = Figures {
        stored_of_meetstream: stored(Provider::MeetStream),
        stored_of_meetingbaas: stored(Provider::MeetingBaas),
        asked: *run.services.api.asked.lock().unwrap(),
        longest_sweep: *longest.lock().unwrap(),
        longest_wait: *run.longest_wait.lock().unwrap(),
        most_details_a_minute: run.services.api.details.lock().unwrap().values().copied().max().unwrap_or(0),
        left_in_queue: run.services.queue.0.lock().unwrap().len(),
    };
    println!("{health:?}, {meetings} meetings, {forged} forged, recordings {keeps_recordings}: {figures:?}");
    figures
}

/// Every artifact of every meeting of a provider that is well.
fn all_of(meetings: usize, artifacts: usize) -> usize {
    meetings / 2 * artifacts
}

#[tokio::test(start_paused = true)]
async fn five_thousand_meetings_an_hour_have_their_transcripts() {
    let figures = hour(Health::Well, 5000, false).await;
    assert_eq!((figures.stored_of_meetstream, figures.stored_of_meetingbaas), (all_of(5000, 1), all_of(5000, 1)));
    assert_eq!(figures.left_in_queue, 0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_meetings_an_hour_have_their_recordings() {
    let figures = hour(Health::Well, 1000, true).await;
    assert_eq!((figures.stored_of_meetstream, figures.stored_of_meetingbaas), (all_of(1000, 3), all_of(1000, 3)));
}

/// Whoever knows the token of a callback can say of any number of bots that they are through.
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_unverified_ends_neither_hold_up_a_verified_fetch_nor_use_up_the_provider() {
    let figures = hour_beside(Health::Well, 1000, false, 100_000).await;
    assert_eq!((figures.stored_of_meetstream, figures.stored_of_meetingbaas), (all_of(1000, 1), all_of(1000, 1)));
    assert!(figures.most_details_a_minute <= 2 * DUE_PER_SHARD, "{figures:?}");
    assert!(figures.longest_wait < Duration::from_secs(60), "{figures:?}");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_unwell_holds_up_neither_the_sweep_nor_the_other() {
    for (health, meetings) in [(Health::Hanging, 2000), (Health::Refusing, 2000), (Health::Slow, 1000)] {
        let figures = hour(health, meetings, false).await;
        assert_eq!(figures.stored_of_meetingbaas, all_of(meetings, 1), "{figures:?}");
        assert!(figures.longest_sweep < Duration::from_secs(10), "{figures:?}");
        if matches!(health, Health::Slow) {
            assert_eq!(figures.stored_of_meetstream, all_of(meetings, 1), "{figures:?}");
        } else {
            assert!(figures.asked < 1000, "{figures:?}");
        }
    }
}
