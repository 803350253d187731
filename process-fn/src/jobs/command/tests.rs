use super::*;
use crate::{
    composer,
    ports::{
        memory::{Memory, Mode},
        providers::Refusal,
        sessions::Version,
    },
};
use lambda_runtime::Context;
use serde_json::json;
use shared::{
    Endpoint, EventKind, Provider, ReceivedAt, SenderId,
    api::{BotDetail, Content, Located},
    event::{ArtifactStatus, Fact},
};

const SWEEP: Command = Command::Sweep { spool_every_minutes: None };

type Handler = CommandHandler<Memory>;

fn handler() -> Handler {
    let services = Memory::default();
    CommandHandler { jobs: Jobs::new(services.clone(), composer::JOBS), sweep: Sweep { services } }
}

fn context() -> Context {
    let mut context = Context::default();
    context.deadline = 60_000;
    context
}

/// The ids of the messages that come again, of a batch with these commands, from 1.
async fn carry_out(handler: &Handler, commands: &[&str]) -> Vec<String> {
    let mut event = SqsEvent::default();
    for (n, command) in commands.iter().enumerate() {
        let mut message = SqsMessage::default();
        message.message_id = Some((n + 1).to_string());
        message.body = Some((*command).to_owned());
        event.records.push(message);
    }
    let context = context();
    let response = handler.run(event, Invocation::new(&context, Duration::ZERO, Duration::MAX)).await;
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

async fn invoke(handler: &Handler, command: &Command, now: Duration) -> Result<(), NotDone> {
    let mut context = context();
    context.deadline += u64::try_from(now.as_millis()).unwrap();
    handler.run_directly(command, Invocation::new(&context, now, Duration::MAX)).await
}

fn bot(id: &str) -> SessionId {
    SessionId::bot(Provider::MeetStream, SenderId::try_from(id).unwrap())
}

/// A session that has heard this, signed or not, at the beginning of the epoch.
async fn heard(handler: &Handler, endpoint: Endpoint, bot_id: &str, name: &str) {
    let body = json!({"bot_id": bot_id, "event": name, "timestamp": "2026-10-05T10:00:00Z"});
    let (_, session) = composer::around(&composer::event(endpoint, "1", 0, body.to_string()));
    handler.services().sessions.save(&session, Version::Absent, 0).await.unwrap();
}

#[tokio::test]
async fn a_deletion_is_saved_before_anything_is_erased() {
    let handler = handler();
    let bucket = &handler.services().bucket;
    let command = Command::Delete { session: bot("b") };
    bucket.plant("meetstream/b/audio/recording.wav", b"Priya");
    handler.services().sessions.set_fault(|_, _| Err(StoreError::Unavailable));
    assert_eq!(invoke(&handler, &command, Duration::ZERO).await, Err(NotDone("store_unavailable")));
    assert!(!bucket.objects().is_empty());
    handler.services().sessions.clear_fault();
    bucket.switch.set(Mode::Refuses);
    invoke(&handler, &command, Duration::ZERO).await.unwrap();
    let saved = handler.services().sessions.session(&bot("b")).unwrap();
    assert!(saved.is_erased() && saved.pending(Job::Erase).is_some(), "asked for, and the sweep's to do");
    bucket.switch.set(Mode::Works);
    invoke(&handler, &SWEEP, Duration::from_secs(60)).await.unwrap();
    assert!(bucket.objects().is_empty());

    bucket.plant("meetstream/c/audio/recording.wav", b"Priya");
    invoke(&handler, &Command::Delete { session: bot("c") }, Duration::ZERO).await.unwrap();
    assert!(bucket.objects().is_empty(), "as a rule whoever asked finds everything erased");
    assert!(handler.services().commands.sent().is_empty(), "no erasure travels through the queue");
}

#[tokio::test]
async fn a_sweep_erases_what_was_deleted_whatever_else_is_overdue_or_broken() {
    let handler = handler();
    let bucket = &handler.services().bucket;
    for n in 0..20 {
        heard(&handler, Endpoint::MeetStream, &format!("waiting-{n}"), "transcription.processed").await;
        heard(&handler, Endpoint::MeetStreamCallback, &format!("unverified-{n}"), "bot.done").await;
        heard(&handler, Endpoint::MeetStream, &format!("deleted-{n}"), "data_deletion").await;
        bucket.plant(&format!("meetstream/deleted-{n}/audio/recording.wav"), b"Priya");
    }
    handler.services().sessions.set_fault(|call, id| {
        assert!(!(call == "forget" && id.id.as_sent() == "deleted-3"), "one panics");
        if call == "save" && id.id.as_sent() == "deleted-4" { Err(StoreError::Unavailable) } else { Ok(()) }
    });
    invoke(&handler, &SWEEP, Duration::from_secs(3600)).await.unwrap();
    assert!(bucket.objects().is_empty(), "{:?}", bucket.objects().keys());
    let erased = (0..20).filter(|n| {
        let session = handler.services().sessions.session(&bot(&format!("deleted-{n}"))).unwrap();
        session.pending(Job::Erase).is_none() && session.pending(Job::EraseAgain).is_some()
    });
    assert_eq!(erased.count(), 18);
    let sent = handler.services().commands.sent().len();
    assert_eq!(sent, 40, "and all others are reminded of");
    handler.services().sessions.clear_fault();
    invoke(&handler, &SWEEP, Duration::from_secs(3660)).await.unwrap();
    for n in [3, 4] {
        let session = handler.services().sessions.session(&bot(&format!("deleted-{n}"))).unwrap();
        assert!(session.pending(Job::Erase).is_none(), "{n}: the next sweep makes up for it");
    }
}

#[tokio::test]
async fn a_sweep_puts_back_what_is_spooled() {
    let handler = handler();
    handler.services().bucket.plant("spool/group/1", b"text");
    invoke(&handler, &SWEEP, Duration::ZERO).await.unwrap();
    assert_eq!(handler.services().events.taken(), [("group".to_owned(), "text".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn commands_of_a_batch_are_carried_out_beside_each_other() {
    let handler = handler();
    let mut commands = vec!["dance".to_owned()];
    for n in 0..9 {
        heard(&handler, Endpoint::MeetStreamCallback, &format!("b{n}"), "bot.done").await;
        handler.services().providers.describe(&bot(&format!("b{n}")), Err(Refusal::Gone.into()));
        commands.push(Command::Job { session: bot(&format!("b{n}")), job: Job::Confirm }.encode());
    }
    handler.services().providers.set_delay(Duration::from_secs(5));
    let began = Instant::now();
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    assert_eq!(carry_out(&handler, &commands).await, ["1"], "one that is none fails alone");
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    assert_eq!(handler.services().providers.asked().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_two_have_a_transcript_in_memory() {
    let handler = handler();
    let mut commands = vec![];
    for n in 0..10 {
        heard(&handler, Endpoint::MeetStream, &format!("b{n}"), "transcription.processed").await;
        let content = Content::Inline(br#"[{"transcript":"Hello."}]"#.to_vec());
        handler.services().providers.locate(
            &bot(&format!("b{n}")),
            Artifact::Transcript,
            Ok(Located::Found { content, run: None }),
        );
        commands.push(Command::Job { session: bot(&format!("b{n}")), job: Job::FetchTranscript }.encode());
    }
    handler.services().providers.set_delay(Duration::from_secs(5));
    let began = Instant::now();
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    assert_eq!(carry_out(&handler, &commands).await, Vec::<String>::new());
    assert_eq!(began.elapsed(), Duration::from_secs(5 * 10 / 2));
    assert_eq!(handler.services().bucket.objects().len(), 20);
}

#[tokio::test]
async fn what_a_job_gives_rise_to_is_sent_at_once() {
    let handler = handler();
    heard(&handler, Endpoint::MeetStreamCallback, "b", "bot.done").await;
    let ready = Fact {
        kind: EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Announced),
        occurred_at: None,
        reason: None,
    };
    let done = Fact { kind: EventKind::Done, occurred_at: None, reason: None };
    let detail = BotDetail { facts: vec![ready, done], ..BotDetail::default() };
    handler.services().providers.describe(&bot("b"), Ok(detail));

    let confirm = Command::Job { session: bot("b"), job: Job::Confirm };
    assert_eq!(carry_out(&handler, &[&confirm.encode()]).await, Vec::<String>::new());
    let sent = handler.services().commands.sent();
    assert_eq!(sent, [(Command::Job { session: bot("b"), job: Job::FetchTranscript }, Duration::ZERO)]);
}

/// No other copy of the note exists, so an outage of the table must not use up the receives that its queue allows.
#[tokio::test]
async fn a_note_of_bytes_that_the_table_refuses_is_sent_anew_and_so_never_given_up() {
    let handler = handler();
    heard(&handler, Endpoint::MeetStream, "b", "data_deletion").await;
    invoke(&handler, &SWEEP, Duration::from_secs(60)).await.unwrap();
    let is_to_erase =
        |handler: &Handler| handler.services().sessions.session(&bot("b")).unwrap().pending(Job::Erase).is_some();
    assert!(!is_to_erase(&handler), "the first erasure is done");
    let note = Command::NoteSetAside { session: bot("b"), received_at: ReceivedAt(0) };
    handler.services().commands.switch.set(Mode::Refuses);
    handler.services().sessions.set_fault(|_, _| Err(StoreError::Unavailable));
    assert_eq!(carry_out(&handler, &[&note.encode()]).await, ["1"], "neither saved nor sent anew");
    handler.services().commands.switch.set(Mode::Works);
    assert_eq!(carry_out(&handler, &[&note.encode()]).await, [""; 0]);
    let (sent, delay) = handler.services().commands.sent().pop().unwrap();
    assert_eq!((&sent, delay), (&note, Duration::from_secs(900)));
    handler.services().sessions.clear_fault();
    assert_eq!(carry_out(&handler, &[&sent.encode()]).await, [""; 0]);
    assert!(is_to_erase(&handler), "the next sweep erases the bytes");
}

#[tokio::test]
async fn unknown_commands_go_to_their_dead_letter_queue() {
    let direct = [SWEEP, Command::Delete { session: bot("b") }].map(|command| command.encode());
    for text in ["", r#"{"command":"unheard of"}"#, r#"{"v":2,"command":"sweep"}"#, &direct[0], &direct[1]] {
        let handler = handler();
        handler.services().bucket.plant("spool/group/1", b"text");
        assert_eq!(carry_out(&handler, &[text]).await, ["1"], "{text}");
        assert!(handler.services().events.taken().is_empty(), "{text}");
        assert!(handler.services().sessions.calls().is_empty(), "{text}");
    }
}

#[tokio::test]
async fn a_command_that_panics_comes_again() {
    let handler = handler();
    handler.services().sessions.set_fault(|_, _| panic!("as planned"));
    let command = Command::Job { session: bot("b"), job: Job::Confirm };
    assert_eq!(carry_out(&handler, &[&command.encode()]).await, ["1"]);
}
