use super::*;
use crate::{
    composer,
    ports::memory::{Memory, Mode},
};
use lambda_runtime::Context;
use shared::{
    Endpoint, SenderId, SessionId,
    endpoint::Provider,
    event::Artifact,
    hash::sha256_hex,
    session::{Job, StoredCopy},
};

const NOW: i64 = 1_791_212_102;

fn function(services: &Memory) -> Function<Memory> {
    let deliveries = Policy { park_after_receives: 20, park_after_age: Policy::PARK_AFTER_AGE, retry: composer::RETRY };
    let commands_queue_name = "commands".to_owned();
    Function::new(services.clone(), Settings { commands_queue_name, deliveries, jobs: composer::JOBS })
}

/// The ids of the messages that come again, after an invocation with one message of this queue.
async fn invoke(function: &Function<Memory>, queue: &str, body: String) -> Vec<String> {
    let mut message = SqsMessage::default();
    message.message_id = Some("message".to_owned());
    message.body = Some(body);
    message.event_source_arn = Some(format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"));
    let mut event = SqsEvent::default();
    event.records.push(message);
    let now = Duration::from_secs(NOW.unsigned_abs());
    let mut context = Context::default();
    context.deadline = u64::try_from((now + Duration::from_secs(60)).as_millis()).unwrap();
    let answer = handle_at(function, LambdaEvent::new(event.into(), context), now).await.unwrap();
    let Answer::Batch(response) = answer else { panic!("{answer:?}") };
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

/// Meeting BaaS's v1 sends the transcript inside of the webhook `complete`, so what the delivery leaves in the bucket is all that the
/// job has.
#[tokio::test]
async fn a_transcript_inside_of_a_v1_webhook_is_stored_in_our_shape_and_nobody_is_asked_for_it() {
    let body = include_bytes!("../../../events/provider/meetingbaas/v1/complete.json");
    for endpoint in [Endpoint::MeetingBaasV1, Endpoint::MeetingBaasLegacy] {
        let services = Memory::default();
        let function = function(&services);
        let delivery = composer::message(endpoint, "1", NOW * 1000, body).encode();
        assert_eq!(invoke(&function, "events.fifo", delivery).await, [""; 0]);
        let sent: Vec<_> = services.commands.sent().into_iter().map(|(command, _)| command).collect();
        let fetch = sent.iter().find(|command| matches!(command, Command::Job { job: Job::FetchTranscript, .. }));
        let carried = services.bucket.keys();
        assert!(matches!(carried.as_slice(), [key] if key.contains("/carried/")), "{endpoint:?}: {carried:?}");

        assert_eq!(invoke(&function, "commands", fetch.unwrap().encode()).await, [""; 0]);
        assert!(services.providers.asked().is_empty(), "{endpoint:?}");
        let objects = services.bucket.objects();
        let (raw, normalised) = match objects.values().collect::<Vec<_>>().as_slice() {
            [normalised, raw] => ((*raw).clone(), (*normalised).clone()),
            others => panic!("{endpoint:?}: {others:?}"),
        };
        assert!(raw.key.ends_with("/raw.json") && normalised.key.ends_with("/normalised.json"));
        assert_eq!(raw.bytes, body, "{endpoint:?}: as the provider wrote it");
        let normalised: Value = serde_json::from_slice(&normalised.bytes).unwrap();
        let sent: Value = serde_json::from_slice(body).unwrap();
        let (segments, lines) = (&normalised["segments"], &sent["data"]["transcript"]);
        assert_eq!(segments.as_array().map(Vec::len), lines.as_array().map(Vec::len), "{normalised}");
        assert_eq!(segments[0]["speaker"], lines[0]["speaker"], "{normalised}");
        let words = lines[0]["words"].as_array().unwrap().iter();
        let text: Vec<_> = words.map(|word| word["word"].as_str().unwrap().trim()).collect();
        assert_eq!(segments[0]["text"], text.join(" "), "{normalised}");

        let bot = SenderId::try_from(sent["data"]["bot_id"].as_str().unwrap()).unwrap();
        let session = services.sessions.session(&SessionId::bot(Provider::MeetingBaas, bot)).unwrap();
        let StoredCopy::Stored(stored) = &session.copies()[&Artifact::Transcript] else { panic!("{session:?}") };
        assert_eq!((&stored.key, &stored.sha256), (&raw.key, &sha256_hex(body)));
        assert!(services.publisher.names().contains(&"transcript.ready"), "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_delivery_whose_transcript_cannot_be_stored_comes_again() {
    let body = include_bytes!("../../../events/provider/meetingbaas/v1/complete.json");
    let services = Memory::default();
    services.bucket.switch.set(Mode::Refuses);
    let delivery = composer::message(Endpoint::MeetingBaasV1, "1", NOW * 1000, body).encode();
    assert_eq!(invoke(&function(&services), "events.fifo", delivery).await, ["message"]);
    assert!(services.commands.sent().is_empty(), "and no job looks for it yet");
}
