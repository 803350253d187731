//! What is sent: that it is authentic, that it is read as meant, and that it leads to the end that was told in advance.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use fastrand::Rng;
use jiff::Timestamp;
use shared::{
    Endpoint, Session,
    event::{Artifact, ArtifactStatus},
    provider,
    session::{Disposition, advance},
};
use simulator::{
    Bot, BotPlan, CalendarEntry, CalendarPlan, Ending, Fate, Fleet, Knobs, Player, Receiver, Simulator, Transcription,
    WebhookKnobs,
    body::Era,
    delivery::{Secret, Target},
    receiver::{CREDENTIAL, NOW, accept, target},
    webhook::Webhook,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

async fn simulator() -> Simulator {
    Simulator::start(Knobs::default()).await.unwrap()
}

/// Every plan that differs in something that webhooks tell.
fn plans() -> Vec<BotPlan> {
    use Endpoint::{MeetStream, MeetStreamCallback, MeetingBaasCallback, MeetingBaasV2};
    let channels: Vec<Vec<Endpoint>> = Endpoint::ALL
        .into_iter()
        .map(|endpoint| vec![endpoint])
        .chain([vec![MeetStream, MeetStreamCallback], vec![MeetingBaasV2, MeetingBaasCallback]])
        .collect();
    let mut plans = Vec::new();
    for (number, channels) in channels.into_iter().enumerate() {
        for ending in Ending::ALL {
            for transcription in
                [Transcription::PostCall, Transcription::Streaming, Transcription::Failed, Transcription::Skipped]
            {
                for (audio_bytes, video_bytes, deletion, era, inline_transcript) in [
                    (Some(100), Some(200), false, Era::Both, true),
                    (Some(100), None, true, Era::BotEvent, false),
                    (None, Some(200), false, Era::Event, true),
                ] {
                    // The web page knows of no later transcript.
                    let inline_transcript = inline_transcript || channels == [Endpoint::MeetingBaasLegacy];
                    plans.push(BotPlan {
                        channels: channels.clone(),
                        ending,
                        transcription,
                        audio_bytes,
                        video_bytes,
                        deletion,
                        era,
                        inline_transcript,
                        ..BotPlan::new(channels[0], format!("b-{number}"))
                    });
                }
            }
        }
    }
    plans
}

/// The session that the functions make of these deliveries; `None` if there are none.
fn session_of(webhooks: &[Webhook]) -> Option<Session> {
    let mut session: Option<Session> = None;
    for (number, webhook) in webhooks.iter().enumerate() {
        let delivery = webhook.delivery(&target(webhook.endpoint), NOW.parse().unwrap());
        let event = provider::parse(&accept(&delivery, &number.to_string()).unwrap()).unwrap();
        assert_eq!(event.name, webhook.name_in_session, "{}", webhook.name);
        assert_eq!(event.source, shared::Source::Delivered(webhook.endpoint));
        let before = session.unwrap_or_else(|| Session::new(event.session.clone(), event.received_at));
        let moved = advance(&before, &event);
        // Errors on the way and progress are remarks.
        let is_remark = matches!(webhook.name, "meeting_error" | "bot.transcriptionready");
        assert!(moved.disposition != Disposition::Ignored || is_remark, "{}", webhook.name);
        session = Some(moved.session.unwrap_or(before));
    }
    session
}

#[track_caller]
fn check(name: &str, bot: &Bot, webhooks: &[Webhook]) {
    let (truth, session) = (bot.truth(), session_of(webhooks));
    let name = format!("{name}: {:?}", bot.plan());
    assert_eq!(session.as_ref().map(Session::state), truth.state, "{name}");
    assert_eq!(session.as_ref().and_then(Session::outcome), truth.outcome, "{name}");
    let announced: BTreeMap<Artifact, ArtifactStatus> = session
        .iter()
        .flat_map(|session| session.artifacts().iter().map(|(artifact, fact)| (*artifact, fact.status)))
        .collect();
    assert_eq!(announced, truth.announced, "{name}");
    if let Some(session) = session {
        assert_eq!(Some(session.id().clone()), bot.session_id(), "{name}");
        let attributes = session.custom_attributes().map(str::to_owned);
        // A proved deletion leaves no word of anybody's.
        let expected = (!session.is_erased()).then_some(r#"{"sent_by":"rollcall"}"#);
        assert_eq!(attributes.as_deref(), expected, "{name}");
    }
}

/// In order, and in another order with half of them repeated.
#[tokio::test]
async fn every_meeting_is_read_as_it_is_meant() {
    let simulator = simulator().await;
    let mut rng = Rng::with_seed(3);
    for plan in plans() {
        let bot = simulator.add_bot(plan);
        let mut webhooks = bot.webhooks();
        check("in order", &bot, &webhooks);
        let repeated: Vec<Webhook> = webhooks.iter().filter(|_| rng.bool()).cloned().collect();
        webhooks.extend(repeated);
        rng.shuffle(&mut webhooks);
        check("shuffled", &bot, &webhooks);
    }
}

#[tokio::test]
async fn completions_carry_urls_of_what_there_is() {
    let simulator = simulator().await;
    let last = |bot: &Bot, name: &str| {
        let webhook = bot.webhooks().into_iter().find(|webhook| webhook.name == name).unwrap();
        serde_json::from_slice::<serde_json::Value>(&webhook.body).unwrap()["data"].clone()
    };
    let begins = |url: &serde_json::Value| url.as_str().is_some_and(|url| url.starts_with(&simulator.files_url));
    let v2 = simulator.add_bot(BotPlan { audio_bytes: None, ..BotPlan::new(Endpoint::MeetingBaasV2, "b-1") });
    let data = last(&v2, "bot.completed");
    assert!(begins(&data["video"]) && begins(&data["transcription"]) && data["audio"].is_null(), "{data}");
    let erased = BotPlan { deletion: true, ..BotPlan::new(Endpoint::MeetingBaasV2, "b-2") };
    let data = last(&simulator.add_bot(erased), simulator::script::ERASED);
    assert!(data["data_deleted"] == true && data["video"].is_null(), "{data}");
    let v1 = simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV1, "b-3"));
    let data = last(&v1, "complete");
    assert!(begins(&data["mp4"]) && begins(&data["audio"]), "{data}");
    assert_eq!(data["transcript"], v1.plan().transcript().inline_of_v1());
}

#[tokio::test]
async fn calendars_are_read_as_they_are_meant() {
    let simulator = simulator().await;
    for (channel, kinds) in [
        (Endpoint::MeetingBaasV1, ["calendar.events_synced"; 3]),
        (Endpoint::MeetingBaasV2, ["calendar.event_created", "calendar.event_updated", "calendar.event_cancelled"]),
    ] {
        let calendar = simulator.add_calendar(CalendarPlan::new(channel, "c-1"));
        for (number, kind) in kinds.into_iter().enumerate() {
            let entry = CalendarEntry {
                is_cancelled: number == 2,
                ..CalendarEntry::new("e-1", Timestamp::UNIX_EPOCH, NOW.parse().unwrap())
            };
            let webhook = calendar.put(entry).unwrap();
            let delivery = webhook.delivery(&target(channel), NOW.parse().unwrap());
            let event = provider::parse(&accept(&delivery, "a").unwrap()).unwrap();
            assert_eq!((event.kind.as_str(), event.session.id.as_sent()), (kind, "c-1"));
        }
    }
}

/// What a server heard, and with what it answers.
#[derive(Default)]
struct Heard {
    /// The sender's own id, where there is one, and the body.
    deliveries: Vec<(Option<String>, Vec<u8>)>,
    refusals: usize,
}

/// A receiver that first refuses so many deliveries with 503.
async fn listen(refusals: usize) -> (Receiver, Arc<Mutex<Heard>>) {
    let heard = Arc::new(Mutex::new(Heard { refusals, ..Heard::default() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hear = async |State(heard): State<Arc<Mutex<Heard>>>, request: Request| {
        let id = request.headers().get("svix-id").map(|id| id.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap().to_vec();
        let mut heard = heard.lock().unwrap();
        heard.deliveries.push((id, body));
        let is_refused = heard.refusals > 0;
        heard.refusals = heard.refusals.saturating_sub(1);
        if is_refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let app = Router::new().fallback(hear).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let routes = Endpoint::ALL.map(|endpoint| {
        let url = Secret(format!("{url}/webhooks/{}", endpoint.as_str().replace('-', "/")));
        (endpoint, Target::new(endpoint, url, Secret(CREDENTIAL.to_owned())).unwrap())
    });
    (Receiver::new(routes).unwrap(), heard)
}

fn player(receiver: Receiver, knobs: WebhookKnobs) -> Player {
    Player { receiver, knobs, seed: 1, in_real_time: false }
}

#[tokio::test]
async fn a_meeting_is_played_in_order_and_every_delivery_is_told_of() {
    let simulator = simulator().await;
    let (receiver, heard) = listen(0).await;
    let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV2, "b-1"));
    let mut told = Vec::new();
    let sent = player(receiver, WebhookKnobs::default()).play(&bot, |sent| told.push(sent.clone())).await;
    assert_eq!(sent, told);
    assert!(sent.iter().all(|sent| sent.fate.is_accepted() && !sent.is_copy && !sent.is_retry), "{sent:?}");
    let names: Vec<&str> = sent.iter().map(|sent| sent.name.as_str()).collect();
    assert_eq!((names[0], names[6]), ("bot.status_change/queued", "bot.completed"));
    let expected: Vec<_> = bot.webhooks().into_iter().map(|webhook| webhook.name).collect();
    assert_eq!(names.iter().map(|name| name.rsplit('/').next().unwrap()).collect::<Vec<_>>(), expected);
    assert_eq!(heard.lock().unwrap().deliveries.len(), 7);
}

/// Each sender tries again as it does in reality, with the same request; `MeetStream` never.
#[tokio::test]
async fn refused_deliveries_are_tried_again_as_their_senders_do() {
    let simulator = simulator().await;
    for (endpoint, tries) in [
        (Endpoint::MeetStream, 1),
        (Endpoint::MeetStreamCallback, 1),
        (Endpoint::MeetingBaasV1, 3),
        (Endpoint::MeetingBaasV2, 7),
        (Endpoint::MeetingBaasCallback, 4),
    ] {
        let (receiver, heard) = listen(usize::MAX).await;
        let plan = BotPlan { ending: Ending::Cancelled, ..BotPlan::new(endpoint, "b-1") };
        let ending = if matches!(endpoint, Endpoint::MeetingBaasV1 | Endpoint::MeetingBaasCallback) {
            Ending::Denied
        } else {
            plan.ending
        };
        let bot = simulator.add_bot(BotPlan { ending, ..plan });
        let sent = player(receiver, WebhookKnobs::default()).play(&bot, |_| {}).await;
        let first = &sent[0];
        let of_the_first = sent.iter().filter(|sent| sent.name == first.name);
        assert_eq!(of_the_first.count(), tries, "{endpoint:?}");
        let heard = &heard.lock().unwrap().deliveries;
        assert_eq!(heard.iter().filter(|again| **again == heard[0]).count(), tries, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_gets_through_in_the_end_is_accepted_once() {
    let simulator = simulator().await;
    let (receiver, _) = listen(2).await;
    let bot =
        simulator.add_bot(BotPlan { ending: Ending::Denied, ..BotPlan::new(Endpoint::MeetingBaasCallback, "b-1") });
    let sent = player(receiver, WebhookKnobs::default()).play(&bot, |_| {}).await;
    let fates: Vec<bool> = sent.iter().map(|sent| sent.fate.is_accepted()).collect();
    assert_eq!(fates, [false, false, true]);
}

#[tokio::test]
async fn lost_and_repeated_deliveries_are_told_of() {
    let simulator = simulator().await;
    let (receiver, heard) = listen(0).await;
    let knobs = WebhookKnobs { drop: 0.2, duplicate: 0.2, reorder: 0.2, ..WebhookKnobs::default() };
    let player = player(receiver, knobs);
    let fleet = Fleet {
        bots: 40,
        channels: vec![Endpoint::MeetStream, Endpoint::MeetingBaasV1, Endpoint::MeetingBaasV2],
        begins_at: Timestamp::now(),
        duration: Duration::from_secs(1),
        api_faults: 0.0,
        largest: 1000,
        seed: 4,
        run: 1,
    };
    let (mut lost, mut copies, mut arrived, mut all) = (0, 0, 0, 0);
    for plan in fleet.plans() {
        let bot = simulator.add_bot(plan);
        all += bot.webhooks().len();
        for sent in player.play(&bot, |_| {}).await {
            lost += usize::from(sent.fate == Fate::Dropped);
            copies += usize::from(sent.is_copy);
            arrived += usize::from(sent.fate.is_accepted());
        }
    }
    assert!(lost > all / 10 && copies > all / 10, "{lost} lost, {copies} twice, of {all}");
    assert_eq!(arrived, all - lost + copies);
    assert_eq!(heard.lock().unwrap().deliveries.len(), arrived);
}
