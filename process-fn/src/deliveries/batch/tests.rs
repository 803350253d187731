use super::*;
use crate::{
    composer,
    deliveries::Policy,
    ports::memory::{Memory, Mode},
    ports::{
        bucket::Bucket,
        sessions::{Loaded, SessionStore, StoreError, Version},
    },
};
use aws_lambda_events::sqs::SqsMessage;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::{
    AcceptId, Command, Endpoint, QueueMessage, ReceivedAt, Session, SessionId,
    message::{Carried, MAX_MESSAGE_BYTES, MAX_WHOLE_BYTES, Packed},
    provider,
    session::{Disposition, Job, MissingDelivery, State},
};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

const LAST_RECEIVE: u32 = 5;

/// The age from which a record that fails is parked at once.
const OLD: Duration = Duration::from_secs(1000);

type Function = Deliveries<Memory>;

fn function() -> Function {
    let policy = Policy { park_after_receives: LAST_RECEIVE, park_after_age: OLD, retry: composer::RETRY };
    Deliveries { services: Memory::default(), policy }
}

fn message(accept_id: &str, endpoint: Endpoint, body: &[u8]) -> QueueMessage {
    composer::message(endpoint, accept_id, 1_791_212_102_000, body)
}

/// A record as the queue would deliver it: its id is the accept id.
fn record(accept_id: &str, receive_count: u32, body: &[u8]) -> SqsMessage {
    let message = message(accept_id, Endpoint::MeetStream, body);
    let group = provider::peek(Endpoint::MeetStream, body).group;
    raw_record(accept_id, receive_count, &group, &message.encode())
}

fn raw_record(message_id: &str, receive_count: u32, group: &str, body: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message_id.to_owned());
    record.receipt_handle = Some(format!("receipt of {message_id}"));
    record.body = Some(body.to_owned());
    record.attributes.insert("MessageGroupId".to_owned(), group.to_owned());
    record.attributes.insert("ApproximateReceiveCount".to_owned(), receive_count.to_string());
    record.event_source_arn = Some("arn:aws:sqs:eu-central-1:123456789012:events.fifo".to_owned());
    record
}

fn event(bot: &str, name: &str, time: &str) -> Vec<u8> {
    json!({"bot_id": bot, "event": name, "bot_event": name, "timestamp": format!("2026-01-01T{time}Z")})
        .to_string()
        .into_bytes()
}

fn bot(id: &str) -> SessionId {
    provider::peek(Endpoint::MeetStream, json!({ "bot_id": id }).to_string().as_bytes()).session.unwrap()
}

async fn invoke_within(
    function: &Function,
    records: Vec<SqsMessage>,
    time: Duration,
) -> Result<Vec<String>, NoMessageId> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut event = SqsEvent::default();
    event.records = records;
    let mut context = lambda_runtime::Context::default();
    context.request_id = "request".to_owned();
    context.deadline = u64::try_from((now + time).as_millis()).unwrap();
    let response = function.process_batch(event, Invocation::new(&context, now, Duration::MAX)).await?;
    Ok(response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect())
}

async fn invoke(function: &Function, records: Vec<SqsMessage>) -> Vec<String> {
    invoke_within(function, records, Duration::from_secs(60)).await.unwrap()
}

impl Function {
    fn state(&self, id: &str) -> State {
        self.services.sessions.session(&bot(id)).map_or(State::Unknown, |session| session.state())
    }

    fn beside(&self, id: &str) -> Vec<Disposition> {
        self.services.sessions.entries(&bot(id)).iter().map(|entry| entry.disposition).collect()
    }

    /// Fails every call about one bot.
    fn fail_for(&self, id: &str, error: StoreError) {
        let failing = bot(id);
        self.services.sessions.set_fault(move |_, id| if *id == failing { Err(error) } else { Ok(()) });
    }
}

#[tokio::test]
async fn a_group_costs_one_load_and_one_save() {
    let function = function();
    let names = ["bot.joining", "bot.inmeeting", "bot.recording", "bot.leaving"];
    let records = names.iter().enumerate().map(|(n, name)| record(&n.to_string(), 1, &event("b", name, "10:00:00")));
    assert_eq!(invoke(&function, records.collect()).await, [""; 0]);
    assert_eq!(function.state("b"), State::Leaving);
    assert_eq!(function.services.sessions.calls(), ["load", "save"]);
    assert_eq!(function.services.publisher.published().len(), 4);
}

#[tokio::test]
async fn a_record_that_failed_before_is_saved_alone() {
    let function = function();
    let batch = vec![
        record("1", 2, &event("b", "bot.joining", "10:00:00")),
        record("2", 1, &event("b", "bot.inmeeting", "10:00:01")),
    ];
    assert_eq!(invoke(&function, batch).await, [""; 0]);
    assert_eq!(function.services.sessions.calls(), ["load", "save", "save"], "and what was saved is not read again");
}

#[tokio::test]
async fn a_failure_stalls_its_own_group_only() {
    let function = function();
    function.fail_for("bad", StoreError::Unavailable);
    let batch = || {
        vec![
            record("good 1", 1, &event("good", "bot.joining", "10:00:00")),
            record("bad 1", 1, &event("bad", "bot.joining", "10:00:00")),
            record("good 2", 1, &event("good", "bot.inmeeting", "10:00:01")),
            record("bad 2", 1, &event("bad", "bot.inmeeting", "10:00:01")),
            record("other 1", 1, &event("other", "bot.joining", "10:00:00")),
        ]
    };
    assert_eq!(invoke(&function, batch()).await, ["bad 1", "bad 2"]);
    assert_eq!((function.state("good"), function.state("other")), (State::InCall, State::Joining));
    assert_eq!(
        function.services.events.postponed(),
        [(vec!["bad 1".to_owned(), "bad 2".to_owned()], 2)],
        "together, in order"
    );

    function.services.sessions.clear_fault();
    let again = vec![
        record("bad 1", 2, &event("bad", "bot.joining", "10:00:00")),
        record("bad 2", 2, &event("bad", "bot.inmeeting", "10:00:01")),
    ];
    assert_eq!(invoke(&function, again).await, [""; 0], "nothing of the first invocation is remembered");
    assert_eq!(function.state("bad"), State::InCall);
}

#[tokio::test]
async fn what_is_behind_a_failure_is_untouched_and_waits_as_long() {
    let function = function();
    function.services.sessions.set_fault(|call, _| if call == "save" { Err(StoreError::Unavailable) } else { Ok(()) });
    let batch = |count| {
        vec![
            record("1", count, &event("b", "bot.joining", "10:00:00")),
            record("2", count, &event("b", "bot.error", "10:00:01")),
        ]
    };
    assert_eq!(invoke(&function, batch(3)).await, ["1", "2"]);
    assert_eq!(function.services.sessions.calls(), ["load", "save"], "the second record was not tried");
    assert_eq!(function.services.events.postponed(), [(vec!["1".to_owned(), "2".to_owned()], 8)]);
}

#[tokio::test]
async fn one_bad_record_does_not_hold_its_batch_mates_for_ever() {
    let function = function();
    // The store cannot take the second event, and nobody knows why.
    function.services.sessions.set_fault({
        let mut saves = 0;
        move |call, _| {
            saves += usize::from(call == "save");
            if call == "save" && saves != 2 { Err(StoreError::Invalid) } else { Ok(()) }
        }
    });
    let batch = |count| {
        vec![
            record("1", count, &event("b", "bot.joining", "10:00:00")),
            record("2", count, &event("b", "bot.inmeeting", "10:00:01")),
        ]
    };
    assert_eq!(invoke(&function, batch(1)).await, ["1", "2"], "together they fail");
    assert_eq!(invoke(&function, batch(2)).await, [""; 0], "one by one the good one passes");
    assert_eq!(function.state("b"), State::Joining);
    let kept: Vec<_> = function.services.bucket.objects().into_values().map(|kept| (kept.reason, kept.bytes)).collect();
    assert_eq!(kept, [("store_invalid", event("b", "bot.inmeeting", "10:00:01"))], "the bad one is kept");
}

#[tokio::test]
async fn the_same_event_takes_effect_once_and_each_delivery_is_on_record() {
    let function = function();
    let bytes = event("b", "bot.inmeeting", "10:00:00");
    for start in (0..50).step_by(10) {
        let records = (start..start + 10).map(|n| record(&n.to_string(), 1, &bytes)).collect();
        assert_eq!(invoke(&function, records).await, [""; 0]);
    }
    assert_eq!(function.services.sessions.session(&bot("b")).unwrap().timeline().len(), 1);
    assert_eq!(function.beside("b"), [Disposition::Duplicate; 49]);
}

#[tokio::test]
async fn a_redelivery_after_the_save_leaves_no_second_trace() {
    for name in ["bot.inmeeting", "bot.error"] {
        let function = function();
        invoke(&function, vec![record("1", 1, &event("b", name, "10:00:00"))]).await;
        let (session, beside) = (function.services.sessions.session(&bot("b")), function.beside("b"));
        invoke(&function, vec![record("1", 2, &event("b", name, "10:00:00"))]).await;
        assert_eq!((function.services.sessions.session(&bot("b")), function.beside("b")), (session, beside), "{name}");
    }
}

#[tokio::test]
async fn kinds_that_are_not_acted_on_are_kept_beside_the_session() {
    let function = function();
    let warning = event("b", "bot.error", "10:00:00");
    let batch = vec![
        record("1", 1, &warning),
        record("2", 1, &warning),
        record("3", 1, &event("b", "bot.unheard_of", "10:00:00")),
    ];
    invoke(&function, batch).await;
    let mut beside = function.beside("b");
    beside.sort();
    assert_eq!(beside, [Disposition::Duplicate, Disposition::Ignored, Disposition::Ignored]);
    assert!(function.services.sessions.session(&bot("b")).is_none(), "no session was written for them");
}

#[tokio::test]
async fn what_cannot_be_read_is_kept_and_blocks_nothing() {
    let function = function();
    let nameless = br#"{"bot_id":"b","surprise":true}"#;
    let long_id = json!({"event": "bot.joining", "bot_id": "b".repeat(600)}).to_string().into_bytes();
    let batch = vec![
        record("1", 1, &event("b", "bot.joining", "10:00:00")),
        record("2", 1, nameless),
        record("3", 1, &event("b", "bot.inmeeting", "10:00:01")),
        record("4", 1, b"not json \xff"),
        record("5", 1, &long_id),
    ];
    assert_eq!(invoke(&function, batch).await, [""; 0]);
    assert_eq!(function.state("b"), State::InCall);
    assert_eq!(function.beside("b"), [Disposition::Quarantined]);
    let kept = function.services.bucket.objects();
    let mut reasons: Vec<_> = kept.values().map(|kept| (kept.reason, kept.bytes.len())).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [("bad_bot_id", long_id.len()), ("no_event_name", nameless.len()), ("not_an_object", 10)]);
    assert!(kept.keys().all(|key| key.starts_with("quarantine/") && !key.contains("..")), "{kept:?}");
}

#[tokio::test]
async fn what_is_kept_says_how_to_make_its_message_again() {
    let function = function();
    let wire = json!({
        "v": 1, "accept_id": "1", "endpoint": "meetingbaas-v2", "received_at": 1_791_212_102_000_i64,
        "delivery_id": "msg_2", "body": "text",
    });
    let text = format!("{wire}\nnot json");
    assert_eq!(invoke(&function, vec![raw_record("1", 1, "group", &text)]).await, [""; 0]);
    let kept = function.services.bucket.objects();
    let kept = kept.values().next().unwrap();
    let metadata: BTreeMap<_, _> = kept.metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let expected = [
        ("accept-id", "1"),
        ("delivery-id", "msg_2"),
        ("endpoint", "meetingbaas-v2"),
        ("form", "delivery"),
        ("received-at", "1791212102000"),
    ];
    assert_eq!((kept.bytes.as_slice(), metadata), (b"not json".as_slice(), expected.into()));
}

#[tokio::test]
async fn a_vault_that_fails_loses_nothing() {
    let function = function();
    function.services.bucket.switch.set(Mode::Refuses);
    let batch = |count| vec![record("1", count, b"not json")];
    assert_eq!(invoke(&function, batch(1)).await, ["1"]);
    assert_eq!(invoke(&function, batch(LAST_RECEIVE)).await, ["1"], "not even on the last receive");
    function.services.bucket.switch.set(Mode::Works);
    assert_eq!(invoke(&function, batch(LAST_RECEIVE + 1)).await, [""; 0]);
    assert_eq!(function.services.bucket.objects().len(), 1);
}

#[tokio::test]
async fn on_its_last_receive_a_record_is_parked_and_its_group_goes_on() {
    let function = function();
    let poison = event("b", "bot.joining", "10:00:00");
    // The store panics over one event, and only over that.
    function.services.sessions.set_fault({
        let mut saves = 0;
        move |call, _| {
            saves += usize::from(call == "save");
            assert!(call != "save" || saves > 1, "boom");
            Ok(())
        }
    });
    let batch =
        vec![record("1", LAST_RECEIVE, &poison), record("2", LAST_RECEIVE, &event("b", "bot.inmeeting", "10:00:01"))];
    assert_eq!(invoke(&function, batch).await, [""; 0]);
    let session = function.services.sessions.session(&bot("b")).unwrap();
    assert_eq!(session.state(), State::InCall);
    let kept: Vec<_> = function.services.bucket.objects().into_iter().collect();
    let [(key, kept)] = kept.as_slice() else { panic!("{kept:?}") };
    assert!(key.starts_with("parked/") && kept.reason == "panicked" && kept.bytes == poison, "{kept:?}");
    let missing: Vec<_> =
        session.missing().iter().map(|missing| (missing.accept_id.as_str(), missing.parked_as.as_str())).collect();
    assert_eq!(missing, [("1", key.as_str())]);

    invoke(&function, vec![record("1", 1, &poison)]).await;
    assert_eq!(function.services.sessions.session(&bot("b")).unwrap().missing(), [], "put back, it is missing no more");
}

#[tokio::test]
async fn what_waited_behind_a_parked_record_gets_a_try_of_its_own() {
    let function = function();
    function.fail_for("b", StoreError::Unavailable);
    let batch = vec![
        record("1", LAST_RECEIVE, &event("b", "bot.joining", "10:00:00")),
        record("2", LAST_RECEIVE, &event("b", "bot.inmeeting", "10:00:01")),
    ];
    assert_eq!(invoke(&function, batch).await, ["2"], "it was never tried before");
    assert_eq!(function.services.bucket.objects().len(), 1);
}

#[tokio::test]
async fn what_is_old_is_parked_at_once_and_its_group_empties_before_the_queue_forgets_it() {
    let function = function();
    function.fail_for("b", StoreError::Unavailable);
    let sent = |n: u32, age: Duration| {
        let mut record = record(&n.to_string(), 1, &event("b", "bot.joining", &format!("10:00:{n:02}")));
        let sent_at = (SystemTime::now() - age).duration_since(UNIX_EPOCH).unwrap().as_millis();
        record.attributes.insert("SentTimestamp".to_owned(), sent_at.to_string());
        record
    };
    assert_eq!(
        invoke(&function, vec![sent(1, OLD - Duration::from_secs(1))]).await,
        ["1"],
        "it has time for further tries"
    );
    assert_eq!(invoke(&function, (0..10).map(|n| sent(n, OLD)).collect()).await, [""; 0]);
    assert_eq!(function.services.bucket.objects().len(), 10, "all of them, in one invocation");
}

#[tokio::test]
async fn a_body_that_went_with_its_bot_is_not_missing() {
    let function = function();
    let body = [event("b", "bot.kicked", "10:00:00"), vec![b' '; MAX_WHOLE_BYTES]].concat();
    let message = message("1", Endpoint::MeetStream, &body);
    let group = bot("b").group();
    let claim = || raw_record("1", 1, &group, &message.pack(&group, Some(&bot("b"))).text);
    assert_eq!(invoke(&function, vec![claim()]).await, [""; 0]);
    assert!(
        function.services.bucket.objects().keys().any(|key| key.starts_with("quarantine/")),
        "of a bot that is there it is missing"
    );

    let function = self::function();
    assert_eq!(invoke(&function, vec![record("0", 1, &event("b", "data_deletion", "11:00:00"))]).await, [""; 0]);
    assert_eq!(invoke(&function, vec![claim()]).await, [""; 0]);
    assert_eq!(function.services.bucket.objects().len(), 0, "and of one that was erased it is not");
}

#[tokio::test]
async fn a_quarantined_delivery_is_kept_once_even_if_its_session_cannot_be_told() {
    let panicking: fn(&str, &SessionId) -> Result<(), StoreError> = |_, _| panic!("as planned");
    for fault in [|_: &str, _: &SessionId| Err(StoreError::Unavailable), panicking] {
        let function = function();
        function.services.sessions.set_fault(fault);
        let nameless = br#"{"bot_id":"b","surprise":true}"#;
        assert_eq!(invoke(&function, vec![record("1", 1, nameless)]).await, ["1"], "the note is worth another try");
        assert_eq!(invoke(&function, vec![record("1", LAST_RECEIVE, nameless)]).await, [""; 0]);
        let keys: Vec<_> = function.services.bucket.objects().into_keys().collect();
        assert!(keys.len() == 1 && keys[0].starts_with("quarantine/"), "{keys:?}");
    }
}

/// Bytes of a bot whose data was deleted must not stay because its session could not be told of them.
#[tokio::test]
async fn a_session_that_cannot_be_told_of_kept_bytes_is_told_by_a_command() {
    let nameless = br#"{"bot_id":"b","surprise":true}"#.to_vec();
    for (body, folder) in [(event("b", "bot.joining", "10:00:00"), "parked/"), (nameless, "quarantine/")] {
        let function = function();
        function.fail_for("b", StoreError::Unavailable);
        function.services.commands.switch.set(Mode::Refuses);
        assert_eq!(invoke(&function, vec![record("1", LAST_RECEIVE, &body)]).await, ["1"], "{folder}: nobody was told");
        function.services.commands.switch.set(Mode::Works);
        assert_eq!(invoke(&function, vec![record("1", LAST_RECEIVE + 1, &body)]).await, [""; 0]);
        let keys: Vec<_> = function.services.bucket.objects().into_keys().collect();
        assert!(keys.len() == 1 && keys[0].starts_with(folder), "{keys:?}");
        let note = Command::NoteSetAside { session: bot("b"), received_at: ReceivedAt(1_791_212_102_000) };
        assert_eq!(function.services.commands.sent(), [(note, Duration::ZERO)]);
    }
}

#[tokio::test]
async fn what_was_quarantined_and_put_back_is_on_record_as_what_became_of_it() {
    let function = function();
    let body = event("b", "bot.joining", "10:00:00");
    assert_eq!(invoke(&function, vec![record("1", 1, &body)]).await, [""; 0]);
    let mut refusals = 1;
    function.services.sessions.set_fault(move |call, _| {
        let refused = call == "record" && std::mem::take(&mut refusals) > 0;
        if refused { Err(StoreError::Invalid) } else { Ok(()) }
    });
    assert_eq!(invoke(&function, vec![record("2", 1, &body)]).await, [""; 0]);
    assert_eq!(function.beside("b"), [Disposition::Quarantined]);
    assert_eq!(invoke(&function, vec![record("2", 1, &body)]).await, [""; 0], "put back");
    assert_eq!(function.beside("b"), [Disposition::Duplicate, Disposition::Quarantined]);
}

#[tokio::test]
async fn a_panic_outside_the_guarded_steps_fails_its_own_group_only() {
    let function = function();
    function.services.events.switch.set(Mode::Panics);
    function.fail_for("bad", StoreError::Unavailable);
    let batch = vec![
        record("bad 1", 1, &event("bad", "bot.joining", "10:00:00")),
        record("good 1", 1, &event("good", "bot.joining", "10:00:00")),
    ];
    assert_eq!(invoke(&function, batch).await, ["bad 1"]);
}

#[tokio::test]
async fn before_its_last_receive_nothing_is_parked() {
    let function = function();
    function.fail_for("b", StoreError::Unavailable);
    for count in 1..LAST_RECEIVE {
        assert_eq!(invoke(&function, vec![record("1", count, &event("b", "bot.joining", "10:00:00"))]).await, ["1"]);
    }
    assert!(function.services.bucket.objects().is_empty());
    let parked = invoke(&function, vec![record("1", LAST_RECEIVE, &event("b", "bot.joining", "10:00:00"))]).await;
    assert_eq!(parked, [""; 0], "parked although its session cannot be marked");
    assert_eq!(function.services.bucket.objects().len(), 1);
    let waits: Vec<_> = function.services.events.postponed().into_iter().map(|(_, wait)| wait).collect();
    assert_eq!(waits, [2, 4, 8, 16]);
}

#[tokio::test]
async fn a_panic_fails_its_own_group_only() {
    let function = function();
    let failing = bot("bad");
    function.services.sessions.set_fault(move |_, id| {
        assert!(*id != failing, "boom");
        Ok(())
    });
    let batch = vec![
        record("bad 1", 1, &event("bad", "bot.joining", "10:00:00")),
        record("good 1", 1, &event("good", "bot.joining", "10:00:00")),
    ];
    assert_eq!(invoke(&function, batch).await, ["bad 1"]);
    assert_eq!(function.state("good"), State::Joining);
}

#[tokio::test]
async fn foreign_records_wait_and_are_parked_last() {
    let function = function();
    for body in ["hello", "{}", r#"{"v":99}"#] {
        assert_eq!(invoke(&function, vec![raw_record("1", 1, "group", body)]).await, ["1"], "{body}");
    }
    assert_eq!(invoke(&function, vec![raw_record("1", LAST_RECEIVE, "../group", "hello")]).await, [""; 0]);
    let kept = function.services.bucket.objects();
    let (key, kept) = kept.first_key_value().unwrap();
    assert_eq!((kept.bytes.as_slice(), kept.reason), (b"hello".as_slice(), "foreign"));
    assert!(!key.contains(".."), "{key}");
}

#[tokio::test]
async fn when_time_is_up_what_is_left_is_handed_back() {
    let function = function();
    let batch = |count| {
        vec![
            record("1", count, &event("b", "bot.joining", "10:00:00")),
            record("2", count, &event("c", "bot.joining", "10:00:00")),
        ]
    };
    let failed = invoke_within(&function, batch(LAST_RECEIVE), Duration::ZERO).await.unwrap();
    assert_eq!(failed, ["1", "2"]);
    assert!(function.services.bucket.objects().is_empty(), "the records are not to blame");
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_return_do_not_outlast_the_invocation() {
    let hanging = function();
    hanging.services.events.switch.set(Mode::Hangs);
    hanging.services.bucket.switch.set(Mode::Hangs);
    hanging.services.sessions.set_fault(|_, _| Err(StoreError::Unavailable));
    for count in [1, LAST_RECEIVE] {
        let records = vec![Record::try_from(record("1", count, &event("b", "bot.joining", "10:00:00"))).unwrap()];
        let began = Instant::now();
        let (deadline, last_call) = (began + Duration::from_secs(8), began + Duration::from_secs(9));
        let invocation = Invocation { request_id: "request", deadline, last_call, now: 0 };
        assert_eq!(hanging.process_group(&records, invocation).await, 0, "it comes again");
        assert!(Instant::now() <= last_call + Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_save_by_somebody_else_is_met_with_a_bounded_reload() {
    let function = function();
    function.services.sessions.set_fault({
        let mut conflicts = 4;
        move |call, _| {
            if call == "save" && conflicts > 0 {
                conflicts -= 1;
                return Err(StoreError::Conflict);
            }
            Ok(())
        }
    });
    assert_eq!(invoke(&function, vec![record("1", 1, &event("b", "bot.joining", "10:00:00"))]).await, [""; 0]);
    assert_eq!(function.services.sessions.calls(), ["load", "save"].repeat(5));
    function.services.sessions.set_fault(|call, _| if call == "save" { Err(StoreError::Conflict) } else { Ok(()) });
    assert_eq!(invoke(&function, vec![record("2", 1, &event("b", "bot.inmeeting", "10:00:00"))]).await, ["2"]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_answered_record_by_record_fails_as_a_whole() {
    let function = function();
    let mut nameless = record("1", 1, &event("b", "bot.joining", "10:00:00"));
    nameless.message_id = None;
    assert_eq!(invoke_within(&function, vec![nameless], Duration::from_secs(60)).await, Err(NoMessageId));
}

/// A record whose body was stored under its claim's key, unless `stored` says otherwise.
fn claimed(function: &Function, accept_id: &str, receive_count: u32, body: &[u8], stored: Option<&[u8]>) -> SqsMessage {
    let message = message(accept_id, Endpoint::MeetStream, body);
    let peek = provider::peek_message(&message);
    let Packed { text, claim } = message.pack(&peek.group, peek.session.as_ref());
    let claim = claim.unwrap();
    if let Some(stored) = stored {
        function.services.bucket.plant(&claim.key(), stored);
    }
    assert!(matches!(QueueMessage::decode(&text), Ok(Carried::Claimed(found)) if found == claim));
    raw_record(accept_id, receive_count, &peek.group, &text)
}

fn large_event(bot: &str, name: &str) -> Vec<u8> {
    let filler = "x".repeat(MAX_WHOLE_BYTES);
    json!({"bot_id": bot, "event": name, "timestamp": "2026-01-01T10:00:00Z", "filler": filler})
        .to_string()
        .into_bytes()
}

#[tokio::test]
async fn a_claimed_body_is_fetched_and_takes_effect() {
    let function = function();
    let body = large_event("b", "bot.inmeeting");
    let batch = vec![
        record("1", 1, &event("b", "bot.joining", "09:59:00")),
        claimed(&function, "2", 1, &body, Some(&body)),
        record("3", 1, &event("b", "bot.leaving", "10:01:00")),
    ];
    assert_eq!(invoke(&function, batch).await, [""; 0]);
    assert_eq!(function.state("b"), State::Leaving);
    assert_eq!(function.services.sessions.calls(), ["load", "save"], "in one step with the others");
}

#[tokio::test]
async fn a_claim_to_nothing_or_to_other_bytes_is_quarantined() {
    let body = large_event("b", "bot.inmeeting");
    let altered = large_event("b", "bot.recording");
    for (stored, reason) in [(None, "claim_missing"), (Some(altered.as_slice()), "claim_altered")] {
        let function = function();
        let record = claimed(&function, "1", 1, &body, stored);
        let text = record.body.clone().unwrap();
        assert_eq!(invoke(&function, vec![record]).await, [""; 0]);
        let kept = function.services.bucket.objects();
        let (_, kept) = kept.iter().find(|(key, _)| key.starts_with("quarantine/")).unwrap();
        assert_eq!((kept.reason, String::from_utf8(kept.bytes.clone()).unwrap()), (reason, text));
        assert_eq!(function.state("b"), State::Unknown);
    }
}

#[tokio::test]
async fn a_vault_that_does_not_answer_is_no_missing_claim() {
    let function = function();
    let body = large_event("b", "bot.inmeeting");
    let record = |count| claimed(&function, "1", count, &body, Some(&body));
    let (first, last) = (record(1), record(LAST_RECEIVE));
    function.services.bucket.switch.set(Mode::Refuses);
    assert_eq!(invoke(&function, vec![first]).await, ["1"]);
    assert_eq!(invoke(&function, vec![last.clone()]).await, ["1"], "nor is it parked without its body");
    function.services.bucket.switch.set(Mode::Works);
    assert_eq!(invoke(&function, vec![last]).await, [""; 0]);
    assert_eq!(function.state("b"), State::InCall);
}

#[tokio::test]
async fn a_parked_claim_takes_its_body_along() {
    let function = function();
    function.fail_for("b", StoreError::Unavailable);
    let body = large_event("b", "bot.inmeeting");
    let record = claimed(&function, "1", LAST_RECEIVE, &body, Some(&body));
    assert_eq!(invoke(&function, vec![record]).await, [""; 0]);
    let kept = function.services.bucket.objects();
    let (_, kept) = kept.iter().find(|(key, _)| key.starts_with("parked/")).unwrap();
    assert!(kept.bytes == body && kept.metadata.contains(&("form", "delivery".to_owned())), "claims expire");
}

#[tokio::test]
async fn a_parked_delivery_that_cannot_be_read_after_all_is_not_missing() {
    let function = function();
    let session = Session::new(bot("b"), ReceivedAt(1));
    let missing = MissingDelivery {
        accept_id: AcceptId::new("1"),
        received_at: ReceivedAt(1),
        parked_as: "parked/g/1".to_owned(),
        reason: "panicked".to_owned(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    function.services.sessions.save(&session.with_missing(missing), Version::Absent, now.cast_signed()).await.unwrap();
    assert_eq!(invoke(&function, vec![record("1", 1, br#"{"bot_id":"b","surprise":true}"#)]).await, [""; 0]);
    assert_eq!(function.services.sessions.session(&bot("b")).unwrap().missing(), []);
}

#[tokio::test]
async fn a_delivery_gives_rise_to_its_jobs_once() {
    let function = function();
    let jobs = || {
        let job = |(command, _)| if let Command::Job { job, .. } = command { Some(job) } else { None };
        function.services.commands.sent().into_iter().filter_map(job).collect::<Vec<_>>()
    };
    let ready = |time| event("b", "transcription.processed", time);
    let batch = vec![
        record("1", 1, &event("b", "bot.done", "10:30:00")),
        record("2", 1, &ready("10:31:00")),
        record("3", 1, &ready("10:31:00")),
        record("4", 1, &event("b", "manifest.completed", "10:31:00")),
    ];
    invoke(&function, batch).await;
    assert_eq!(jobs(), [Job::FetchTranscript], "of a manifest no copy is kept");
    assert!(
        function.services.sessions.session(&bot("b")).unwrap().due_at().is_some(),
        "the sweep finds it if the command is lost"
    );
    invoke(&function, vec![record("5", 1, &ready("10:31:00"))]).await;
    assert_eq!(jobs(), [], "a repetition is no further reason");
    invoke(&function, vec![record("6", 1, &ready("11:00:00"))]).await;
    assert_eq!(jobs(), [Job::FetchTranscript], "it was made anew");
    invoke(&function, vec![record("7", 1, &event("b", "data_deletion", "12:00:00"))]).await;
    assert_eq!(jobs(), [], "no command is sent for an erasure");
    let deleted = function.services.sessions.session(&bot("b")).unwrap();
    let deleted_at = deleted.pending(Job::Erase).unwrap().wanted().received_at().0 / 1000;
    assert_eq!(deleted.due_at(), Some(deleted_at), "the next sweep has it");
}

/// A try of the delivery stored its transcript, and before it saved, the job ended for another delivery of the same transcript.
#[tokio::test]
async fn a_transcript_that_no_job_will_come_for_is_taken_away_again() {
    let function = function();
    let words = json!([{"speaker": "Priya", "words": [{"start": 0.1, "end": 0.4, "word": "Hello"}]}]);
    let body = json!({"event": "complete", "data": {"bot_id": "b", "transcript": words}}).to_string().into_bytes();
    let peek = provider::peek(Endpoint::MeetingBaasV1, &body);
    let deliver = async |accept_id: &str| {
        let message = message(accept_id, Endpoint::MeetingBaasV1, &body).encode();
        invoke(&function, vec![raw_record(accept_id, 1, &peek.group, &message)]).await
    };
    assert!(deliver("1").await.is_empty());
    let id = peek.session.clone().unwrap();
    let bucket = &function.services.bucket;
    let [key] = bucket.keys().try_into().expect("one object is stored until the job comes for it");
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let Loaded { session, version } = function.services.sessions.load(&id, now).await.unwrap();
    let session = session.unwrap();
    let trigger = session.pending(Job::FetchTranscript).unwrap().wanted();
    function.services.sessions.save(&session.with_settled(Job::FetchTranscript, trigger), version, now).await.unwrap();
    bucket.remove(&key).await.unwrap();
    bucket.plant(&key.replace("-1.json", "-2.json"), &body);
    assert!(deliver("2").await.is_empty());
    assert!(bucket.keys().is_empty(), "{:?}", bucket.keys());
    bucket.switch.set(Mode::Refuses);
    assert!(deliver("3").await.is_empty(), "a bucket that fails holds up no duplicate");
}

/// A function that has a bot whose data was deleted, and nothing left to erase.
async fn after_an_erasure() -> Function {
    let function = function();
    invoke(&function, vec![record("1", 1, &event("b", "data_deletion", "12:00:00"))]).await;
    let erased = function.services.sessions.session(&bot("b")).unwrap();
    let settled = erased.with_erased(Job::Erase, erased.pending(Job::Erase).unwrap().wanted(), None);
    assert_eq!(settled.due_at(), None);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    function.services.sessions.save(&settled, Version::At(1), now).await.unwrap();
    function
}

/// Whatever of a late delivery is kept must go, also if the delivery was taken long before the deletion and held up.
#[tokio::test]
async fn what_is_kept_of_an_erased_bot_is_erased_again() {
    let filler = "x".repeat(MAX_MESSAGE_BYTES);
    let large = json!({"bot_id": "b", "event": "chat.message", "text": filler}).to_string().into_bytes();
    let chat = json!({"bot_id": "b", "event": "chat.message", "text": "words"}).to_string().into_bytes();
    for received_at in [1_000_000_000_000_i64, 1_791_212_102_000, 1_999_999_999_000] {
        for (name, expected) in [("unreadable", 1), ("large", 0), ("failing", 1), ("tried before", 0), ("small", 0)] {
            let function = after_an_erasure().await;
            let mut late = match name {
                "unreadable" => record("2", 1, br#"{"bot_id":"b","surprise":"words"}"#),
                "large" => claimed(&function, "2", 1, &large, Some(&large)),
                "failing" => record("2", LAST_RECEIVE, &chat),
                // It may have been set aside by a call whose answer was lost.
                "tried before" => record("2", LAST_RECEIVE + 1, &chat),
                _ => record("2", 1, &chat),
            };
            if name == "failing" {
                function
                    .services
                    .sessions
                    .set_fault(|call, _| if call == "record" { Err(StoreError::Unavailable) } else { Ok(()) });
            }
            late.body = late.body.map(|body| body.replace("1791212102000", &received_at.to_string()));
            assert_eq!(invoke(&function, vec![late]).await, [""; 0], "{name}");
            let set_aside = function.services.bucket.objects().keys().filter(|key| !key.starts_with("claims/")).count();
            assert_eq!(set_aside, expected, "{name}");
            let session = function.services.sessions.session(&bot("b")).unwrap();
            let is_due = session.pending(Job::Erase).is_some();
            assert_eq!(is_due, name != "small", "{name}, taken at {received_at}");
        }
    }
}

#[tokio::test]
async fn the_largest_message_is_processed() {
    let function = function();
    let body = json!({"bot_id": "b", "event": "bot.joining", "filler": "x".repeat(MAX_MESSAGE_BYTES * 9 / 10)});
    assert_eq!(invoke(&function, vec![record("1", 1, body.to_string().as_bytes())]).await, [""; 0]);
    assert_eq!(function.state("b"), State::Joining);
}

/// A FIFO queue by its rules, for one run: groups in order, a failed group locked until the next round.
async fn drain(function: &Function, mut queue: Vec<(String, Vec<u8>, u32)>) {
    for _ in 0..200 {
        if queue.is_empty() {
            return;
        }
        for (_, _, receives) in queue.iter_mut().take(10) {
            *receives += 1;
        }
        let batch = queue.iter().take(10).map(|(id, body, receives)| record(id, *receives, body)).collect();
        let failed = invoke(function, batch).await;
        let taken: Vec<_> = queue.iter().take(10).map(|(id, ..)| id.clone()).collect();
        queue.retain(|(id, ..)| !taken.contains(id) || failed.contains(id));
    }
    panic!("not drained: {queue:?}");
}

fn meeting(bots: &[&str]) -> Vec<(String, Vec<u8>, u32)> {
    let lines: [(&str, Value); 7] = [
        ("joining", json!({"event": "bot.joining", "timestamp": "2026-01-01T10:00:00Z"})),
        ("inmeeting", json!({"event": "bot.inmeeting", "timestamp": "2026-01-01T10:00:10Z"})),
        ("error", json!({"event": "bot.error"})),
        ("stopped", json!({"event": "bot.stopped", "bot_event": "bot.kicked", "timestamp": "2026-01-01T10:30:00Z"})),
        ("again", json!({"event": "bot.stopped", "bot_event": "bot.kicked", "timestamp": "2026-01-01T10:30:00Z"})),
        ("nameless", json!({"surprise": 1})),
        ("done", json!({"event": "bot.done", "timestamp": "2026-01-01T10:31:00Z"})),
    ];
    let of = |bot: &&str| {
        let bot = (*bot).to_owned();
        lines.clone().into_iter().map(move |(name, mut body)| {
            body["bot_id"] = json!(bot);
            (format!("{bot} {name}"), body.to_string().into_bytes(), 0)
        })
    };
    bots.iter().flat_map(of).collect()
}

type End = (Option<Session>, Vec<(String, Disposition)>);

/// The end of a run, by what it must not depend on: the faults on the way.
fn end(function: &Function, bots: &[&str]) -> BTreeMap<String, End> {
    let of = |name: &&str| {
        let entries = function.services.sessions.entries(&bot(name));
        let beside = entries.into_iter().map(|e| (e.accept_id.to_string(), e.disposition)).collect();
        ((*name).to_owned(), (function.services.sessions.session(&bot(name)), beside))
    };
    bots.iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_faults_on_the_way_leave_the_fault_free_end(
        faults in proptest::collection::vec(0..6u8, 0..40), queue in Just(meeting(&["a", "b", "c"])).prop_shuffle(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (calm, mut stormy) = (function(), function());
        runtime.block_on(drain(&calm, queue.clone()));
        stormy.policy.park_after_receives = 1000;
        let mut faults = faults.into_iter();
        stormy.services.sessions.set_fault(move |_, _| match faults.next() {
            Some(0) => Err(StoreError::Unavailable),
            Some(1) => Err(StoreError::Conflict),
            Some(2) => panic!("boom"),
            _ => Ok(()),
        });
        runtime.block_on(drain(&stormy, queue));
        let bots = ["a", "b", "c"];
        prop_assert_eq!(end(&stormy, &bots), end(&calm, &bots));
        prop_assert_eq!(stormy.services.bucket.objects(), calm.services.bucket.objects());
        prop_assert_eq!(stormy.services.publisher.ids(), calm.services.publisher.ids());
    }
}
