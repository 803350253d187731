use super::*;
use crate::{
    composer,
    ports::{
        memory::{Memory, Mode},
        sessions::{Loaded, Version},
    },
};
use futures_util::FutureExt;
use shared::{Endpoint, Session, session::Job};
use std::{collections::BTreeSet, time::Duration};

const NOW: i64 = 1_791_212_102;

fn spooled(count: usize) -> Sweep<Memory> {
    let services = Memory::default();
    for n in 0..count {
        services.bucket.plant(&format!("spool/group-{}/{n}", n % 3), format!("text {n}").as_bytes());
    }
    services.bucket.plant("parked/group-0/1", b"not ours to move");
    Sweep { services }
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[tokio::test]
async fn what_is_unverified_goes_into_a_group_apart() {
    let sweep = spooled(0);
    for (endpoint, name) in [(Endpoint::MeetStream, "signed"), (Endpoint::MeetStreamCallback, "unsigned")] {
        sweep.services.bucket.plant(
            &format!("spool/group/{name}"),
            composer::message(endpoint, name, NOW * 1000, "{}").encode().as_bytes(),
        );
    }
    sweep.run(NOW, None, later()).await.unwrap();
    let groups: BTreeSet<_> = sweep.services.events.taken().into_iter().map(|(group, _)| group).collect();
    assert_eq!(groups, ["group".to_owned(), group::in_queue("group", Trust::Unverified)].into());
}

#[tokio::test]
async fn everything_spooled_goes_into_the_queue_and_out_of_the_spool() {
    let sweep = spooled(1203);
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    let oldest = Duration::from_secs(NOW.unsigned_abs());
    assert_eq!(swept, Swept { looked_into_spool: true, put_back: 1203, oldest, ..Swept::default() });
    let taken: BTreeSet<_> = sweep.services.events.taken().into_iter().collect();
    let expected = (0..1203).map(|n| (format!("group-{}", n % 3), format!("text {n}"))).collect();
    assert_eq!(taken, expected);
    assert_eq!(sweep.services.bucket.keys(), ["parked/group-0/1"]);
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
    sweep.services.bucket.plant("spool/group/1", b"text");
    assert_eq!(sweep.run(odd, every, later()).await.unwrap().put_back, 0);
    assert_eq!(sweep.run(odd, None, later()).await.unwrap().put_back, 1, "a person need not wait");
}

#[tokio::test]
async fn nothing_is_removed_that_the_queue_did_not_confirm() {
    let sweep = spooled(20);
    sweep.services.events.answer(|call| if call > 5 { Err(QueueError::Unavailable) } else { Ok(()) });
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (5, 15));
    assert_eq!(sweep.services.bucket.objects().len(), 16);
    assert!(sweep.services.events.calls() <= 5 + 8, "and the rest is not tried against a queue that is down");
    sweep.services.events.answer(|_| Ok(()));
    assert_eq!(sweep.run(NOW, None, later()).await.unwrap().put_back, 15);
}

#[tokio::test]
async fn what_the_queue_will_never_take_is_quarantined() {
    let sweep = spooled(2);
    sweep.services.events.answer(|call| if call == 1 { Err(QueueError::Refused) } else { Ok(()) });
    let swept = sweep.run(NOW, None, later()).await.unwrap();
    assert_eq!((swept.put_back, swept.quarantined, swept.left), (1, 1, 0));
    let kept = sweep.services.bucket.objects();
    let (key, kept) = kept.iter().find(|(key, _)| key.starts_with("quarantine/")).unwrap();
    assert!(key.starts_with("quarantine/group-0/") && kept.reason == "queue_refused" && kept.bytes == b"text 0");
}

#[tokio::test]
async fn when_time_is_up_the_rest_stays() {
    let sweep = spooled(3);
    let swept = sweep.run(NOW, None, Instant::now()).await.unwrap();
    assert_eq!((swept.put_back, swept.left), (0, 3));
    assert_eq!(sweep.services.bucket.objects().len(), 4);
}

#[tokio::test]
async fn a_spool_that_cannot_be_listed_is_no_empty_spool() {
    let sweep = spooled(3);
    sweep.services.bucket.switch.set(Mode::Refuses);
    assert_eq!(sweep.run(NOW, None, later()).await, Err(NotSwept::Spool(BucketError)));
}

/// A session for which a transcript is to be fetched since `since`.
fn waiting(since: i64) -> Session {
    let body = br#"{"bot_id":"b","event":"transcription.processed"}"#;
    composer::around(&composer::event(Endpoint::MeetStream, "1", since * 1000, body)).1
}

#[tokio::test]
async fn a_job_that_nothing_was_heard_of_is_sent_again_and_then_given_time() {
    let sweep = spooled(0);
    let session = waiting(NOW);
    sweep.services.sessions.save(&session, Version::Absent, NOW).await.unwrap();
    let due_at = session.due_at().unwrap();
    assert_eq!(sweep.run(due_at - 1, None, later()).await.unwrap().reminded, 0, "its first command is given time");
    sweep.services.commands.switch.set(Mode::Refuses);
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 0);
    sweep.services.commands.switch.set(Mode::Works);
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 1);
    assert_eq!(sweep.run(due_at + 60, None, later()).await.unwrap().reminded, 0, "it may be waiting in the queue");
    assert_eq!(sweep.run(due_at + 900, None, later()).await.unwrap().reminded, 1);
    let expected = (Command::Job { session: session.id().clone(), job: Job::FetchTranscript }, Duration::ZERO);
    assert_eq!(sweep.services.commands.sent(), [expected.clone(), expected]);
}

#[tokio::test]
async fn a_job_that_was_tried_before_its_reminder_is_noted_waits_no_longer_than_it_said() {
    let (sweep, session) = (spooled(0), waiting(NOW));
    let store = sweep.services.sessions.clone();
    store.save(&session, Version::Absent, NOW).await.unwrap();
    let due_at = session.due_at().unwrap();
    // The command is carried out before the sweep goes on: the provider is to be left alone for a while.
    let carried_out_in = store.clone();
    sweep.services.commands.on_send(move |command| {
        let Command::Job { session, job } = command else { panic!("a sweep sends jobs only") };
        let load = carried_out_in.load(session, NOW).now_or_never().unwrap();
        let Loaded { session, version } = load.unwrap();
        let rested = session.unwrap().with_rest(*job, due_at + 15);
        carried_out_in.save(&rested, version, NOW).now_or_never().unwrap().unwrap();
    });
    assert_eq!(sweep.run(due_at, None, later()).await.unwrap().reminded, 1);
    let saved = store.load(session.id(), NOW).await.unwrap().session.unwrap();
    assert_eq!(saved.due_at(), Some(due_at + 15));
}

/// Whoever knows the token of a callback can name any number of bots.
#[tokio::test]
async fn of_what_rests_on_unverified_deliveries_a_sweep_sends_only_so_much_for_each_provider() {
    let sweep = spooled(0);
    for n in 0..250 {
        let body = format!(r#"{{"bot_id":"forged-{n}","event":"bot.done"}}"#);
        let event = composer::event(Endpoint::MeetStreamCallback, &n.to_string(), NOW * 1000, body);
        let (before, session) = composer::around(&event);
        assert_eq!(session.newly_wanted(before.jobs(), NOW), [], "no command is sent for it at once");
        sweep.services.sessions.save(&session, Version::Absent, NOW).await.unwrap();
    }
    let verified = waiting(NOW - 3600);
    sweep.services.sessions.save(&verified, Version::Absent, NOW).await.unwrap();
    for (minute, expected) in [(0, 101), (1, 100), (2, 50), (3, 0)] {
        assert_eq!(sweep.run(NOW + 60 * minute, None, later()).await.unwrap().reminded, expected, "minute {minute}");
    }
    let (first, _) = sweep.services.commands.sent().swap_remove(0);
    assert_eq!(first, Command::Job { session: verified.id().clone(), job: Job::FetchTranscript });
}

#[tokio::test]
async fn a_spool_that_cannot_be_listed_holds_up_no_job() {
    let sweep = spooled(0);
    let session = waiting(NOW);
    sweep.services.sessions.save(&session, Version::Absent, NOW).await.unwrap();
    sweep.services.bucket.switch.set(Mode::Refuses);
    assert!(sweep.run(NOW + 3600, None, later()).await.is_err());
    assert_eq!(sweep.services.commands.sent().len(), 1);
}
