//! The simulated APIs over HTTP: shapes, credentials, artifacts, faults, deletion, calendars.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, Response, redirect::Policy};
use serde_json::{Value, json};
use shared::{Endpoint, event::Artifact};
use simulator::{
    Bot, BotPlan, CalendarEntry, CalendarPlan, Content, Erased, Expected, Fault, Knobs, Operation, Recording,
    RetryAfter, Simulator, Times, Transcription, Violation,
};
use std::{sync::LazyLock, time::Duration};

const TOKEN: &str = "Token simulated-meetstream-key";
const KEY: &str = "simulated-meetingbaas-key";

/// Making one takes long. No connection is kept, because each test has a runtime of its own.
fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0).build().unwrap()
    });
    &CLIENT
}

async fn simulator() -> Simulator {
    Simulator::start(Knobs::default()).await.unwrap()
}

fn meetstream(id: &str) -> BotPlan {
    BotPlan::new(Endpoint::MeetStream, id)
}

/// Asks `MeetStream`.
async fn ask(simulator: &Simulator, method: Method, path: &str) -> Response {
    let url = format!("{}{path}", simulator.meetstream_url);
    client().request(method, url).header("authorization", TOKEN).send().await.unwrap()
}

/// Asks Meeting BaaS.
async fn ask_baas(simulator: &Simulator, method: Method, path: &str) -> Response {
    let url = format!("{}{path}", simulator.meetingbaas_url);
    client().request(method, url).header("x-meeting-baas-api-key", KEY).send().await.unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn get(simulator: &Simulator, path: &str) -> Value {
    let response = ask(simulator, Method::GET, path).await;
    assert_eq!(response.status(), 200, "{path}");
    json_of(response).await
}

async fn get_baas(simulator: &Simulator, path: &str) -> Value {
    let response = ask_baas(simulator, Method::GET, path).await;
    assert_eq!(response.status(), 200, "{path}");
    json_of(response).await
}

async fn download(url: &Value) -> (Content, Vec<u8>) {
    let response = client().get(url.as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{url}");
    let content_type = match response.headers()["content-type"].to_str().unwrap() {
        "video/mp4" => "video/mp4",
        "audio/wav" => "audio/wav",
        "audio/flac" => "audio/flac",
        "application/json" => "application/json",
        other => panic!("{other}"),
    };
    let bytes = response.bytes().await.unwrap().to_vec();
    (Content::of(&bytes, content_type), bytes)
}

fn expected(bot: &Bot, artifact: Artifact) -> Content {
    match &bot.truth().artifacts[&artifact] {
        Expected::Stored(content) => content.clone(),
        Expected::Unavailable(reason) => panic!("{artifact:?} is unavailable: {reason:?}"),
    }
}

/// Whether `answer` has every field of `recorded`, of the same type; and of lists, whether all members are like the first.
#[track_caller]
fn has_shape(answer: &Value, recorded: &Value, place: &str) {
    match (answer, recorded) {
        (Value::Object(answer), Value::Object(recorded)) => {
            for (name, recorded) in recorded.iter().filter(|(name, _)| *name != "custom_attributes") {
                let field = answer.get(name).unwrap_or_else(|| panic!("{place}.{name} is missing"));
                has_shape(field, recorded, &format!("{place}.{name}"));
            }
        }
        (Value::Array(answer), Value::Array(recorded)) => {
            assert!(!answer.is_empty(), "{place} is empty");
            answer.iter().for_each(|answer| has_shape(answer, &recorded[0], &format!("{place}[]")));
        }
        (answer, recorded) => {
            let is_alike = std::mem::discriminant(answer) == std::mem::discriminant(recorded);
            assert!(is_alike || answer.is_null() || recorded.is_null(), "{place}: {answer} is not like {recorded}");
        }
    }
}

fn recorded(file: &str) -> Value {
    let path = format!("{}/../../events/rest/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test]
async fn answers_have_the_recorded_shapes() {
    let simulator = simulator().await;
    let bot = simulator.add_bot(meetstream("b-1"));
    let attributes = json!({ "tenant": "acme" });
    simulator.add_bot(BotPlan { attributes: attributes.as_object().unwrap().clone(), ..bot.plan().clone() });
    simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-2"));
    let status = get(&simulator, "/bots/b-1/status").await;
    has_shape(&status, &recorded("meetstream/status.json"), "status");
    assert_eq!((&status["status"], &status["custom_attributes"]), (&json!("Done"), &attributes));
    let detail = get(&simulator, "/bots/b-1/detail").await;
    has_shape(&detail, &recorded("meetstream/detail.json"), "detail");
    let details = &detail["bot_details"];
    assert_eq!((&details["AudioStatus"], &details["TranscriptStatus"]), (&json!("Success"), &json!("Success")));
    let reached = |stage: &str| details["StatusTimeline"][stage]["status"] == true;
    assert!(
        reached("Joining") && reached("Stopped") && reached("Done") && !reached("Error") && !reached("MediaExpired")
    );
    let transcriptions = get(&simulator, "/bots/b-1/transcriptions").await;
    has_shape(&transcriptions, &recorded("meetstream/transcriptions.json"), "transcriptions");
    let id = details["transcript_id"].as_str().unwrap();
    assert_eq!(transcriptions["transcriptions"][0]["transcript_id"], id);
    let transcript = get(&simulator, &format!("/transcript/{id}/get_transcript?raw=false")).await;
    has_shape(&transcript, &recorded("meetstream/get_transcript.json"), "get_transcript");
    let status = get_baas(&simulator, "/v2/bots/b-2/status").await;
    has_shape(&status, &recorded("meetingbaas/v2_status.json"), "v2 status");
    assert_eq!(status["data"]["transcription_status"], "done");
    let missing = ask_baas(&simulator, Method::GET, "/v2/bots/b-3").await;
    assert_eq!(missing.status(), 404);
    assert_eq!(json_of(missing).await, recorded("meetingbaas/v2_error.json"));
    let missing = ask(&simulator, Method::GET, "/bots/b-3/detail").await;
    assert_eq!(missing.status(), 404);
    assert!(json_of(missing).await["message"].is_string());
}

#[tokio::test]
async fn each_provider_asks_for_its_own_credential() {
    let simulator = simulator().await;
    simulator.add_bot(meetstream("b-1"));
    simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-2"));
    let detail = format!("{}/bots/b-1/detail", simulator.meetstream_url);
    let details = format!("{}/v2/bots/b-2", simulator.meetingbaas_url);
    let (authorization, key) = ("authorization", "x-meeting-baas-api-key");
    let stranger = |header| Some(Violation::CredentialToStranger { header });
    for (name, url, header, value, status, violation) in [
        ("MeetStream", &detail, authorization, TOKEN, 200, None),
        ("as a bearer", &detail, authorization, "Bearer simulated-meetstream-key", 401, None),
        ("nothing", &detail, "accept", "*/*", 401, None),
        ("a wrong one", &detail, authorization, "Token other", 403, None),
        ("the other's", &detail, key, KEY, 401, stranger(key)),
        ("Meeting BaaS", &details, key, KEY, 200, None),
        ("a wrong one", &details, key, "other", 401, None),
        ("the other's", &details, authorization, TOKEN, 401, stranger(authorization)),
    ] {
        let response = client().get(url).header(header, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{name} for {url}");
        assert_eq!(simulator.requests().pop().unwrap().violation, violation, "{name} for {url}");
    }
}

#[tokio::test]
async fn what_is_served_is_what_was_told_in_advance() {
    let simulator = simulator().await;
    let bot = simulator.add_bot(meetstream("b-1"));
    let audio = get(&simulator, "/bots/b-1/get_audio").await;
    assert_eq!(download(&audio["audio_url"]).await.0, expected(&bot, Artifact::Audio));
    let video = get(&simulator, "/bots/b-1/get_video").await;
    assert_eq!(download(&video["video_url"]).await.0, expected(&bot, Artifact::Video));
    let transcriptions = get(&simulator, "/bots/b-1/transcriptions").await;
    let run = &transcriptions["transcriptions"][0];
    let (content, bytes) = download(&run["download_urls"]["processed_transcript"]).await;
    assert_eq!(content, expected(&bot, Artifact::Transcript));
    let id = run["transcript_id"].as_str().unwrap();
    let transcript = get(&simulator, &format!("/transcript/{id}/get_transcript")).await;
    assert_eq!(transcript, serde_json::from_slice::<Value>(&bytes).unwrap());
    assert_eq!(transcript[3]["transcript"], bot.plan().transcript().utterances[3].text());

    let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-2"));
    let details = get_baas(&simulator, "/v2/bots/b-2").await;
    for (field, artifact) in
        [("video", Artifact::Video), ("audio", Artifact::Audio), ("transcription", Artifact::Transcript)]
    {
        assert_eq!(download(&details["data"][field]).await.0, expected(&bot, artifact), "{field}");
    }
    for field in ["diarization", "raw_transcription"] {
        assert!(download(&details["data"][field]).await.0.size_bytes > 0, "{field}");
    }

    let late = BotPlan { inline_transcript: false, ..BotPlan::new(Endpoint::MeetingBaasV1, "b-3") };
    let bot = simulator.add_bot(late);
    let data = get_baas(&simulator, "/bots/meeting_data?bot_id=b-3").await;
    assert_eq!(download(&data["mp4"]).await.0, expected(&bot, Artifact::Video));
    assert_eq!(download(&data["audio"]).await.0, expected(&bot, Artifact::Audio));
    let transcripts = data["bot_data"]["transcripts"].to_string();
    assert_eq!(Content::of(transcripts.as_bytes(), "application/json"), expected(&bot, Artifact::Transcript));
    let without = get_baas(&simulator, "/bots/meeting_data?bot_id=b-3&include_transcripts=false").await;
    assert_eq!(without["bot_data"]["transcripts"], json!([]));
    assert_eq!(simulator.violations(), []);
}

/// A file that no memory could hold is served from any place.
#[tokio::test]
async fn recordings_of_any_size_are_served_without_holding_them() {
    let simulator = simulator().await;
    let size_bytes = 5_000_000_000_000;
    let bot = simulator.add_bot(BotPlan { video_bytes: Some(size_bytes), ..meetstream("b-1") });
    let url = get(&simulator, "/bots/b-1/get_video").await["video_url"].as_str().unwrap().to_owned();
    let part = |range: &'static str| client().get(&url).header("range", range).send();
    let last = part("bytes=-10").await.unwrap();
    assert_eq!(last.status(), 206);
    assert_eq!(last.headers()["content-range"], "bytes 4999999999990-4999999999999/5000000000000");
    let recording: Recording = bot.plan().recording(Artifact::Video).unwrap();
    let mut bytes = [0; 10];
    assert_eq!(recording.fill(size_bytes - 10, &mut bytes), 10);
    assert_eq!(last.bytes().await.unwrap(), bytes.as_slice());
    let mut whole = client().get(&url).send().await.unwrap();
    assert_eq!(whole.content_length(), Some(size_bytes));
    let first = whole.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"\0\0\0\x18ftypmp42"));
    assert_eq!(part("bytes=5000000000000-").await.unwrap().status(), 416);
}

#[tokio::test]
async fn urls_are_good_for_a_while_and_for_one_file() {
    let simulator = simulator().await;
    simulator.add_bot(meetstream("b-1").with_fault(Operation::GetAudio, Fault::ExpiredUrls, Times::First(1)));
    let url = async || get(&simulator, "/bots/b-1/get_audio").await["audio_url"].as_str().unwrap().to_owned();
    let status = async |url: &str| client().get(url).send().await.unwrap().status().as_u16();
    assert_eq!(status(&url().await).await, 403, "the first has expired");
    let good = url().await;
    assert_eq!(status(&good).await, 200);
    assert_eq!(status(&good.replace("audio.wav", "video.mp4")).await, 403);
    simulator.expire_urls();
    assert_eq!(status(&good).await, 403, "weeks later");
    assert_eq!(status(&url().await).await, 200, "the API has new ones");
    let short = Simulator::start(Knobs { url_life: Duration::ZERO, ..Knobs::default() }).await.unwrap();
    short.add_bot(meetstream("b-1"));
    let url = get(&short, "/bots/b-1/get_audio").await["audio_url"].as_str().unwrap().to_owned();
    assert_eq!(status(&url).await, 403);
}

#[tokio::test]
async fn a_credential_for_files_is_a_violation() {
    let simulator = simulator().await;
    simulator.add_bot(meetstream("b-1"));
    let url = get(&simulator, "/bots/b-1/get_audio").await["audio_url"].as_str().unwrap().to_owned();
    for (header, value) in [("authorization", TOKEN), ("x-meeting-baas-api-key", KEY)] {
        let response = client().get(&url).header(header, value).send().await.unwrap();
        assert_eq!(response.status(), 400);
        assert_eq!(simulator.violations().pop(), Some(Violation::CredentialToFiles { header }));
    }
}

#[tokio::test]
async fn a_get_that_mutates_is_a_violation() {
    let simulator = simulator().await;
    simulator.add_bot(meetstream("x"));
    assert_eq!(ask(&simulator, Method::GET, "/bots/x/status").await.status(), 200);
    assert_eq!(simulator.violations(), []);
    // An id of `x/remove_bot`, with no more than percent encoding.
    ask(&simulator, Method::GET, "/bots/x%2Fremove_bot?/status").await;
    assert_eq!(simulator.violations(), [Violation::RemovedBot]);
}

/// What comes of a fault, twice, and then.
async fn check(name: &str, fault: Fault, status: u16, header: Option<(&str, &str)>) {
    let simulator = simulator().await;
    simulator.add_bot(meetstream("b-1").with_fault(Operation::Detail, fault, Times::First(2)));
    for _ in 0..2 {
        let response = ask(&simulator, Method::GET, "/bots/b-1/detail").await;
        assert_eq!(response.status(), status, "{name}");
        if let Some((header, value)) = header {
            assert!(response.headers()[header].to_str().unwrap().ends_with(value), "{name}: {response:?}");
        }
    }
    assert_eq!(ask(&simulator, Method::GET, "/bots/b-1/detail").await.status(), 200, "{name} is over");
    let statuses: Vec<_> = simulator.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(status), Some(status), Some(200)], "{name}");
}

#[tokio::test]
async fn faults_happen_as_often_as_planned() {
    check("not ready", Fault::Pending, 202, None).await;
    check("unknown", Fault::Status(404), 404, None).await;
    check("gone", Fault::Status(410), 410, None).await;
    check("broken", Fault::Status(500), 500, None).await;
    check("refused", Fault::Status(403), 403, None).await;
    check("later", Fault::TooManyRequests(RetryAfter::Seconds(7)), 429, Some(("retry-after", "7"))).await;
    check("at a time", Fault::TooManyRequests(RetryAfter::Date(7)), 429, Some(("retry-after", " GMT"))).await;
    check("a page", Fault::Garbage, 200, Some(("content-type", "text/html"))).await;
    check("elsewhere", Fault::Redirect, 307, Some(("location", "/elsewhere/api/v1/bots/b-1/detail"))).await;
}

#[tokio::test]
async fn what_is_slow_or_cut_or_bloated_has_the_right_beginning() {
    let simulator = simulator().await;
    let first = Times::First(1);
    simulator.add_bot(
        meetstream("b-1")
            .with_fault(Operation::Detail, Fault::Truncated, first)
            .with_fault(Operation::Detail, Fault::Reset, first)
            .with_fault(Operation::Detail, Fault::Slow(Duration::from_millis(1)), first)
            .with_fault(Operation::Detail, Fault::Bloated(3_000_000), first)
            .with_fault(Operation::Download(Artifact::Audio), Fault::Truncated, first)
            .with_fault(Operation::Download(Artifact::Audio), Fault::Redirect, first),
    );
    let url = format!("{}/bots/b-1/detail", simulator.meetstream_url);
    let ask = || client().get(&url).header("authorization", TOKEN).send();
    let cut = ask().await.unwrap();
    let promised = cut.content_length().unwrap();
    cut.bytes().await.unwrap_err();
    ask().await.unwrap_err();
    let slow = ask().await.unwrap().bytes().await.unwrap();
    assert_eq!(slow.len() as u64, promised);
    assert!(serde_json::from_slice::<Value>(&slow).unwrap()["bot_details"].is_object());
    let bloated = ask().await.unwrap().bytes().await.unwrap();
    assert_eq!(bloated.len(), 3_000_000);
    assert!(serde_json::from_slice::<Value>(&bloated).unwrap().is_string());
    assert!(simulator.requests()[1].status.is_none());

    let url = get(&simulator, "/bots/b-1/get_audio").await["audio_url"].as_str().unwrap().to_owned();
    client().get(&url).send().await.unwrap().bytes().await.unwrap_err();
    let redirected = client().get(&url).send().await.unwrap();
    assert_eq!(redirected.status(), 307);
    let elsewhere = redirected.headers()["location"].to_str().unwrap();
    assert_eq!(client().get(elsewhere).send().await.unwrap().bytes().await.unwrap().len(), 200_000);
}

#[tokio::test]
async fn a_streamed_or_failed_transcript_is_never_ready() {
    let simulator = simulator().await;
    for (id, transcription, status) in
        [("b-1", Transcription::Streaming, "Processing"), ("b-2", Transcription::Failed, "Failed")]
    {
        simulator.add_bot(BotPlan { transcription, ..meetstream(id) });
        let transcriptions = get(&simulator, &format!("/bots/{id}/transcriptions")).await;
        let run = &transcriptions["transcriptions"][0];
        assert_eq!((&run["status"], &run["download_urls"]), (&json!(status), &Value::Null));
        let path = format!("/transcript/{}/get_transcript", run["transcript_id"].as_str().unwrap());
        for _ in 0..5 {
            assert_eq!(ask(&simulator, Method::GET, &path).await.status(), 202);
        }
    }
    simulator.add_bot(BotPlan { transcription: Transcription::Skipped, ..meetstream("b-3") });
    assert_eq!(get(&simulator, "/bots/b-3/detail").await["bot_details"]["transcript_id"], Value::Null);
}

#[tokio::test]
async fn the_api_knows_how_far_a_meeting_has_come() {
    let simulator = simulator().await;
    let bot = simulator.add_bot(meetstream("b-1"));
    bot.rewind();
    let mut seen = Vec::new();
    while let Some(webhooks) = bot.step() {
        assert_eq!(webhooks.len(), 1);
        let status = get(&simulator, "/bots/b-1/status").await["status"].as_str().unwrap().to_owned();
        let audio = ask(&simulator, Method::GET, "/bots/b-1/get_audio").await.status().as_u16();
        seen.push((webhooks[0].name, status, audio));
    }
    let at =
        |name: &str| seen.iter().find(|(step, ..)| *step == name).map(|(_, status, audio)| (status.as_str(), *audio));
    assert_eq!(at("bot.joining"), Some(("Joining", 202)));
    assert_eq!(at("bot.recording"), Some(("Recording", 202)));
    assert_eq!(at("audio.processed"), Some(("Stopped", 200)));
    assert_eq!(at("bot.done"), Some(("Done", 200)));

    let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-2"));
    bot.rewind();
    for status in ["queued", "joining_call", "in_waiting_room", "in_call_not_recording", "in_call_recording"] {
        bot.step().unwrap();
        assert_eq!(get_baas(&simulator, "/v2/bots/b-2/status").await["data"]["status"], status);
    }
    assert_eq!(get_baas(&simulator, "/v2/bots/b-2").await["data"]["video"], Value::Null);
    assert_eq!(ask_baas(&simulator, Method::POST, "/v2/bots/b-2/resend-webhook").await.status(), 409);
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    for (erased, detail) in [(Erased::NotFound, 404), (Erased::Gone, 410), (Erased::MediaExpired, 200)] {
        let simulator = Simulator::start(Knobs { erased, ..Knobs::default() }).await.unwrap();
        simulator.add_bot(meetstream("b-1"));
        let url = get(&simulator, "/bots/b-1/get_audio").await["audio_url"].as_str().unwrap().to_owned();
        let deleted = ask(&simulator, Method::DELETE, "/bots/b-1/delete").await;
        assert_eq!(deleted.status(), 200);
        assert!(json_of(deleted).await["deleted_objects"].is_number());
        let after = ask(&simulator, Method::GET, "/bots/b-1/detail").await;
        assert_eq!(after.status(), detail, "{erased:?}");
        if erased == Erased::MediaExpired {
            let details = json_of(after).await;
            assert_eq!(details["bot_details"]["Status"], "MediaExpired");
            assert_eq!(details["bot_details"]["StatusTimeline"]["MediaExpired"]["status"], true);
        }
        assert!(ask(&simulator, Method::GET, "/bots/b-1/get_audio").await.status().is_client_error());
        assert_eq!(client().get(&url).send().await.unwrap().status(), 404);
        let sent: Vec<_> = simulator.take_outbox().iter().map(|webhook| webhook.name).collect();
        assert_eq!(sent, ["data_deletion"]);
    }
    let simulator = simulator().await;
    simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-2"));
    assert_eq!(ask_baas(&simulator, Method::DELETE, "/v2/bots/b-2/delete-data").await.status(), 200);
    let details = get_baas(&simulator, "/v2/bots/b-2").await;
    assert_eq!((&details["data"]["artifacts_deleted"], &details["data"]["video"]), (&json!(true), &Value::Null));
    simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV1, "b-3"));
    assert_eq!(ask_baas(&simulator, Method::POST, "/bots/b-3/delete_data").await.status(), 200);
    let data = get_baas(&simulator, "/bots/meeting_data?bot_id=b-3").await;
    assert_eq!((&data["mp4"], &data["bot_data"]["transcripts"]), (&json!(""), &json!([])));
}

#[tokio::test]
async fn a_second_transcription_is_another_and_the_first_stays_listed() {
    let simulator = simulator().await;
    let bot = simulator.add_bot(meetstream("b-1"));
    let id = async || get(&simulator, "/bots/b-1/detail").await["bot_details"]["transcript_id"].clone();
    let first = id().await;
    let asked = ask(&simulator, Method::POST, "/bots/b-1/transcribe").await;
    let second = json_of(asked).await["transcript_id"].clone();
    assert_ne!(first, second);
    assert_eq!(id().await, second);
    let runs = get(&simulator, "/bots/b-1/transcriptions").await["transcriptions"].clone();
    assert_eq!((&runs[0]["transcript_id"], &runs[1]["transcript_id"]), (&first, &second));
    let transcript = get(&simulator, &format!("/transcript/{}/get_transcript", second.as_str().unwrap())).await;
    assert_eq!(transcript[0]["transcript"], bot.plan().transcript_of_run(1).utterances[0].text());
    let sent = simulator.take_outbox();
    assert_eq!(sent.iter().map(|webhook| webhook.name).collect::<Vec<_>>(), ["transcription.processed"]);
    assert!(!String::from_utf8_lossy(&sent[0].body).contains("sent_by"));
}

#[tokio::test]
async fn v2_sends_its_last_word_again_with_new_urls() {
    let simulator = simulator().await;
    let channels = vec![Endpoint::MeetingBaasV2, Endpoint::MeetingBaasCallback];
    let bot = simulator.add_bot(BotPlan { channels, ..BotPlan::new(Endpoint::MeetingBaasV2, "b-1") });
    let first = bot.webhooks();
    simulator.expire_urls();
    for (call, endpoint) in
        [("resend-webhook", Endpoint::MeetingBaasV2), ("retry-callback", Endpoint::MeetingBaasCallback)]
    {
        assert_eq!(ask_baas(&simulator, Method::POST, &format!("/v2/bots/b-1/{call}")).await.status(), 200);
        let [again] = &simulator.take_outbox()[..] else { panic!("one webhook") };
        assert_eq!((again.endpoint, again.name), (endpoint, "bot.completed"));
        let of = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["data"]["video"].clone();
        let before =
            first.iter().find(|webhook| webhook.endpoint == endpoint && webhook.name == "bot.completed").unwrap();
        assert_eq!(client().get(of(&before.body).as_str().unwrap()).send().await.unwrap().status(), 403);
        download(&of(&again.body)).await;
    }
}

#[tokio::test]
async fn calendars_are_listed_page_by_page() {
    let now = Timestamp::now();
    let at = |hours: i64| now + SignedDuration::from_hours(hours);
    let entries = (1..=7).map(|hour| CalendarEntry::new(format!("e-{hour}"), at(hour), at(hour - 100)));
    let past = CalendarEntry::new("e-0", at(-5), at(-5));
    let entries: Vec<_> = entries.chain([past]).collect();
    for next_is_a_url in [false, true] {
        let knobs = Knobs { page_size: 3, next_is_a_url, ..Knobs::default() };
        let simulator = Simulator::start(knobs).await.unwrap();
        let calendar = simulator.add_calendar(CalendarPlan {
            entries: entries.clone(),
            ..CalendarPlan::new(Endpoint::MeetingBaasV1, "c-1")
        });
        let all = async |query: String| {
            let (mut found, mut path) = (Vec::new(), format!("/calendar_events/?calendar_id=c-1{query}"));
            loop {
                let page = get_baas(&simulator, &path).await;
                let page_entries = page["data"].as_array().unwrap();
                assert!(page_entries.len() <= 3);
                found.extend(page_entries.iter().map(|entry| entry["uuid"].as_str().unwrap().to_owned()));
                path = match page["next"].as_str() {
                    None => return found,
                    Some(url) if next_is_a_url => url.strip_prefix(&simulator.meetingbaas_url).unwrap().to_owned(),
                    Some(cursor) => format!("/calendar_events/?calendar_id=c-1{query}&cursor={cursor}"),
                };
            }
        };
        let upcoming = ["e-1", "e-2", "e-3", "e-4", "e-5", "e-6", "e-7"];
        assert_eq!(all(String::new()).await, upcoming);
        assert_eq!(all("&status=all".to_owned()).await.len(), 8);
        assert_eq!(all(format!("&updated_at_gte={}", at(-94))).await, ["e-6", "e-7"]);
        assert_eq!(get_baas(&simulator, "/calendar_events/e-3").await["uuid"], "e-3");
        assert_eq!(ask_baas(&simulator, Method::GET, "/calendar_events/e-9").await.status(), 404);
        let told = calendar.put(CalendarEntry { is_cancelled: true, ..CalendarEntry::new("e-3", at(3), now) }).unwrap();
        assert_eq!(told.name, "calendar.sync_events");
        assert_eq!(get_baas(&simulator, "/calendar_events/e-3").await["deleted"], true);
    }
    let simulator = Simulator::start(Knobs { page_size: 3, ..Knobs::default() }).await.unwrap();
    let calendar =
        simulator.add_calendar(CalendarPlan { entries, ..CalendarPlan::new(Endpoint::MeetingBaasV2, "c-2") });
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = get_baas(&simulator, &format!("/v2/calendars/c-2/events?limit=250{cursor}")).await;
        found += page["data"].as_array().unwrap().len();
        match page["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, 8);
    assert_eq!(ask_baas(&simulator, Method::GET, "/v2/calendars/c-2/events?limit=251").await.status(), 400);
    let names: Vec<_> = [("e-9", false), ("e-9", false), ("e-9", true)]
        .map(|(id, is_cancelled)| calendar.put(CalendarEntry { is_cancelled, ..CalendarEntry::new(id, now, now) }))
        .into_iter()
        .map(|webhook| webhook.unwrap().name)
        .collect();
    assert_eq!(names, ["calendar.event_created", "calendar.event_updated", "calendar.event_cancelled"]);
    let details = get_baas(&simulator, "/v2/calendars/c-2/events/e-9").await;
    assert_eq!(details["data"]["status"], "cancelled");
}
