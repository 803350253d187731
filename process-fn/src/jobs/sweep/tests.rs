use super::*;
use crate::{
    ports::bucket::memory::MemoryVault,
    ports::queues::commands::NotSent,
    ports::sessions::{Loaded, Version, memory::MemoryStore},
};
use shared::{
    AcceptId, Endpoint, ReceivedAt, Session,
    message::Head,
    provider,
    session::{Job, advance},
};
use std::{collections::BTreeSet, sync::Mutex, time::Duration};

const NOW: i64 = 1_791_212_102;

/// A queue that folds by dedup id as SQS does, and answers each call as it is told.
#[derive(Default)]
struct FakeQueue {
    taken: Mutex<Vec<(String, String)>>,
    folded: Mutex<BTreeSet<String>>,
    calls: Mutex<u32>,
    answer: Option<fn(u32) -> Result<(), RequeueError>>,
}

impl Requeue for FakeQueue {
    async fn put_back(&self, message: Returned<'_>) -> Result<(), RequeueError> {
        let mut calls = self.calls.lock().unwrap();
        *calls += 1;
        self.answer.map_or(Ok(()), |answer| answer(*calls))?;
        if self.folded.lock().unwrap().insert(message.dedup_id.to_owned()) {
            self.taken.lock().unwrap().push((message.group.to_owned(), message.text.to_owned()));
        }
        Ok(())
    }
}

/// A commands queue that remembers what it was sent, and refuses as it is told.
#[derive(Default)]
struct Sent {
    commands: Mutex<Vec<Command>>,
    is_refusing: bool,
}

impl CommandQueue for Sent {
    async fn send(&self, command: &Command, _: Duration) -> Result<(), NotSent> {
        if self.is_refusing {
            return Err(NotSent);
        }
        self.commands.lock().unwrap().push(command.clone());
        Ok(())
    }
}

fn spooled(count: usize) -> Sweep<MemoryStore, MemoryVault, FakeQueue, Sent> {
    let vault = MemoryVault::default();
    for n in 0..count {
        vault.plant(&format!("spool/group-{}/{n}", n % 3), format!("text {n}").as_bytes());
    }
    vault.plant("parked/group-0/1", b"not ours to move");
    Sweep { store: MemoryStore::default(), commands: Sent::default(), vault, queue: FakeQueue::default() }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn what_is_unverified_goes_into_a_group_apart() {
    let sweep = spooled(0);
    let text = |endpoint, accept_id: &str| {
        let head = Head {
            accept_id: AcceptId::new(accept_id),
            endpoint,
            delivery_id: None,
            received_at: ReceivedAt(NOW * 1000),
        };
        QueueMessage::restored(head, b"{}".to_vec()).encode()
    };
    for (endpoint, name) in [(Endpoint::MeetStream, "signed"), (Endpoint::MeetStreamCallback, "unsigned")] {
        sweep.vault.plant(&format!("spool/group/{name}"), text(endpoint, name).as_bytes());
    }
    sweep.run(NOW, None, later()).await.unwrap();
    let groups: BTreeSet<_> = sweep.queue.taken.lock().unwrap().iter().map(|(group, _)| group.clone()).collect();
    assert_eq!(groups, ["group".to_owned(), group::in_queue("group", Trust::Unverified)].into());
}

#[tokio::test]
async fn everything_spooled_goes_into_the_queue_and_out_of_the_spool() {
    let sweep = spooled(1203);
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    let oldest = Duration::from_secs(NOW.unsigned_abs());
    assert_eq!(swept, Swept { looked_into_spool: true, put_back: 1203, oldest, ..Swept::default() });
    let taken: BTreeSet<_> = sweep.queue.taken.lock().unwrap().iter().cloned().collect();
    let expected = (0..1203).map(|n| (format!("group-{}", n % 3), format!("text {n}"))).collect();
    assert_eq!(taken, expected);
    let left: Vec<_> = sweep.vault.kept().into_keys().collect();
    assert_eq!(left, ["parked/group-0/1"]);
    let again = sweep.run(NOW, None, later()).await;
    assert_eq!(again, Ok(Swept { looked_into_spool: true, ..Swept::default() }), "draining twice");
}

/// Each look into the spool is billed, and an empty spool is the rule.
#[tokio::test]
async fn the_spool_has_its_turn_in_every_fifth_minute_and_after_a_missed_one_in_the_next_fifth() {
    let sweep = spooled(0);
    let every = NonZeroU8::new(5);
    let hour = NOW - NOW % 3600;
    let mut looks = Vec::new();
    for minute in 0..60 {
        let swept = sweep.run(hour + 60 * minute + 59, every, later()).await.unwrap();
        assert_eq!(swept.looked_into_spool, minute % 5 == 0, "minute {minute}");
        looks.extend(swept.looked_into_spool.then_some(minute));
    }
    let longest_with_one_missed = looks.windows(3).map(|looks| looks[2] - looks[0]).max();
    assert_eq!(longest_with_one_missed, Some(10));
    let odd = hour + 60;
    sweep.vault.plant("spool/group/1", b"text");
    assert_eq!(sweep.run(odd, every, later()).await.unwrap().put_back, 0);
    assert_eq!(sweep.run(odd, None, later()).await.unwrap().put_back, 1, "a person need not wait");
}

#[tokio::test]
async fn nothing_is_removed_that_the_queue_did_not_confirm() {
    let mut sweep = spooled(20);
    sweep.queue.answer = Some(|call| if call > 5 { Err(RequeueError::Unavailable) } else { Ok(()) });
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (5, 15));
    assert_eq!(sweep.vault.kept().len(), 16);
    assert!(*sweep.queue.calls.lock().unwrap() <= 5 + 8, "and the rest is not tried against a queue that is down");
    sweep.queue.answer = None;
    assert_eq!(sweep.run(NOW, None, later()).await.unwrap().put_back, 15);
}

#[tokio::test]
async fn what_the_queue_will_never_take_is_quarantined() {
    let mut sweep = spooled(2);
    sweep.queue.answer = Some(|call| if call == 1 { Err(RequeueError::Refused) } else { Ok(()) });
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.quarantined, swept.left), (1, 1, 0));
    let kept = sweep.vault.kept();
    let (key, kept) = kept.iter().find(|(key, _)| key.starts_with("quarantine/")).unwrap();
    assert!(key.starts_with("quarantine/group-0/") && kept.reason == "queue_refused" && kept.bytes == b"text 0");
}

#[tokio::test]
async fn when_time_is_up_the_rest_stays() {
    let sweep = spooled(3);
    let swept = sweep.run(NOW, None, Instant::now()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (0, 3));
    assert_eq!(sweep.vault.kept().len(), 4);
}

#[tokio::test]
async fn a_spool_that_cannot_be_listed_is_no_empty_spool() {
    let sweep = spooled(3);
    sweep.vault.set_failing(true);
    assert_eq!(sweep.run(NOW, None, later()).await, Err(NotSwept::Spool(VaultError)));
}

/// A session for which a transcript is to be fetched since `since`.
fn waiting(since: i64) -> Session {
    let body = br#"{"bot_id":"b","event":"transcription.processed"}"#;
    let head = Head {
        accept_id: shared::AcceptId::new("1"),
        endpoint: Endpoint::MeetStream,
        delivery_id: None,
        received_at: ReceivedAt(since * 1000),
    };
    let event = provider::parse(&QueueMessage::restored(head, body.to_vec())).unwrap();
    let session = Session::new(event.session.clone(), event.received_at);
    advance(&session, &event).session.unwrap()
}

#[tokio::test]
async fn a_job_that_nothing_was_heard_of_is_sent_again_and_then_given_time() {
    let mut sweep = spooled(0);
    let session = waiting(NOW);
    sweep.store.save(&session, Version::Absent, NOW).await.unwrap();
    let due_at = session.due_at().unwrap();
    assert_eq!(sweep.run(due_at - 1, None, later()).await.unwrap().reminded, 0, "its first command is given time");
    sweep.commands.is_refusing = true;
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 0);
    sweep.commands.is_refusing = false;
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 1);
    assert_eq!(sweep.run(due_at + 60, None, later()).await.unwrap().reminded, 0, "it may be waiting in the queue");
    assert_eq!(sweep.run(due_at + 900, None, later()).await.unwrap().reminded, 1);
    let expected = Command::Job { session: session.id().clone(), job: Job::FetchTranscript };
    assert_eq!(*sweep.commands.commands.lock().unwrap(), [expected.clone(), expected]);
}

/// A commands queue whose command is carried out before the sweep goes on: the provider is left alone until `retry_at`.
struct CarriedOutAtOnce {
    store: MemoryStore,
    retry_at: i64,
}

impl CommandQueue for CarriedOutAtOnce {
    async fn send(&self, command: &Command, _: Duration) -> Result<(), NotSent> {
        let Command::Job { session, job } = command else { panic!("a sweep sends jobs only") };
        let Loaded { session, version } = self.store.load(session, NOW).await.unwrap();
        self.store.save(&session.unwrap().with_rest(*job, self.retry_at), version, NOW).await.unwrap();
        Ok(())
    }
}

#[tokio::test]
async fn a_job_that_was_tried_before_its_reminder_is_noted_waits_no_longer_than_it_said() {
    let (store, session) = (MemoryStore::default(), waiting(NOW));
    store.save(&session, Version::Absent, NOW).await.unwrap();
    let due_at = session.due_at().unwrap();
    let commands = CarriedOutAtOnce { store: store.clone(), retry_at: due_at + 15 };
    let sweep = Sweep { store: store.clone(), commands, vault: MemoryVault::default(), queue: FakeQueue::default() };
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 1);
    let saved = store.load(session.id(), NOW).await.unwrap().session.unwrap();
    assert_eq!(saved.due_at(), Some(due_at + 15));
}

/// Whoever knows the token of a callback can name any number of bots.
#[tokio::test]
async fn of_what_rests_on_unverified_deliveries_a_sweep_sends_only_so_much_for_each_provider() {
    let sweep = spooled(0);
    for n in 0..250 {
        let head = Head {
            accept_id: AcceptId::new(n.to_string()),
            endpoint: Endpoint::MeetStreamCallback,
            delivery_id: None,
            received_at: ReceivedAt(NOW * 1000),
        };
        let body = format!(r#"{{"bot_id":"forged-{n}","event":"bot.done"}}"#);
        let event = provider::parse(&QueueMessage::restored(head, body.into_bytes())).unwrap();
        let before = Session::new(event.session.clone(), event.received_at);
        let session = advance(&before, &event).session.unwrap();
        assert_eq!(session.newly_wanted(before.jobs(), NOW), [], "no command is sent for it at once");
        sweep.store.save(&session, Version::Absent, NOW).await.unwrap();
    }
    let verified = waiting(NOW - 3600);
    sweep.store.save(&verified, Version::Absent, NOW).await.unwrap();
    for (minute, expected) in [(0, 101), (1, 100), (2, 50), (3, 0)] {
        assert_eq!(sweep.run(NOW + 60 * minute, None, later()).await.unwrap().reminded, expected, "minute {minute}");
    }
    let first = sweep.commands.commands.lock().unwrap()[0].clone();
    assert_eq!(first, Command::Job { session: verified.id().clone(), job: Job::FetchTranscript });
}

#[tokio::test]
async fn a_spool_that_cannot_be_listed_holds_up_no_job() {
    let sweep = spooled(0);
    let session = waiting(NOW);
    sweep.store.save(&session, Version::Absent, NOW).await.unwrap();
    sweep.vault.set_failing(true);
    assert!(sweep.run(NOW + 3600, None, later()).await.is_err());
    assert_eq!(sweep.commands.commands.lock().unwrap().len(), 1);
}
