//! The deployed template, from the function URL to the session as an operator sees it: `rollcall timeline --json`.

use anyhow::{Context, Result, bail};
use e2e::{
    local_aws::LocalAws,
    pipeline::event,
    recordings::{self, fresh},
    sender::Delivery,
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// How long a delivery may take from the answer to the session. Lambda polls, and the local one takes its time.
const SOON: Duration = Duration::from_secs(60);

/// The deployed system, as a sender and an operator know it.
struct Deployed(LocalAws);

impl Deployed {
    fn new() -> Result<Self> {
        Ok(Self(LocalAws::from_env()?))
    }

    fn signed(&self, body: impl Into<Vec<u8>>) -> Delivery {
        Delivery::signed(&self.0.outputs.meetstream_secret, body)
    }

    /// The same bytes through the per-bot callback.
    async fn call_back(&self, body: &Value) -> Result<u16> {
        Ok(Delivery::unsigned("/", body.to_string()).send_to(&self.0.outputs.callback_url).await?.status)
    }

    async fn send(&self, delivery: &Delivery) -> Result<u16> {
        Ok(delivery.send(&self.0.outputs.function_url).await?.status)
    }

    async fn accept(&self, body: &Value) -> Result<()> {
        let status = self.send(&self.signed(body.to_string())).await?;
        anyhow::ensure!(status == 200, "answered {status}: {body}");
        Ok(())
    }

    /// What an operator sees of a bot; `None` if there is nothing.
    fn timeline(bot_id: &str) -> Result<Option<Value>> {
        let answer = Command::new(e2e::binary::built("rollcall")?)
            .args(["timeline", "meetstream", "--json", "--", bot_id])
            .output()?;
        match answer.status.code() {
            Some(0) => Ok(Some(serde_json::from_slice(&answer.stdout)?)),
            Some(3) => Ok(None),
            _ => bail!("rollcall timeline {bot_id}: {}", String::from_utf8_lossy(&answer.stderr)),
        }
    }

    /// The timeline once it has that many events.
    async fn with_events(&self, bot_id: &str, count: usize) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let timeline = Self::timeline(bot_id)?;
            match timeline {
                Some(timeline) if events(&timeline).len() >= count => return Ok(timeline),
                seen if tokio::time::Instant::now() > deadline => {
                    bail!("{bot_id}: {count} events never came: {seen:?}")
                }
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// The bytes in quarantine, once there is an object with exactly these.
    async fn quarantined(&self, bytes: &[u8]) -> Result<()> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            for key in self.0.objects(&self.0.outputs.bucket, "quarantine/").await? {
                if self.0.object(&self.0.outputs.bucket, &key).await? == bytes {
                    return Ok(());
                }
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "never quarantined: {bytes:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn events(timeline: &Value) -> &[Value] {
    timeline["events"].as_array().map_or(&[], Vec::as_slice)
}

fn count(timeline: &Value, disposition: &str) -> usize {
    events(timeline).iter().filter(|event| event["disposition"] == disposition).count()
}

/// What one recorded body must lead to: file, kind, disposition, state, outcome.
type Expected = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>);

#[rustfmt::skip]
const RECORDED: &[Expected] = &[
    ("blog-2025/bot.inmeeting", "session.in_call", "applied", "in_call", None),
    ("blog-2025/bot.stopped", "session.ended", "applied", "ended", Some("completed")),
    ("blog-2025/transcription.processed", "transcript.announced", "applied", "unknown", None),
    ("current-2026-09/audio.processed", "audio.announced", "applied", "unknown", None),
    ("current-2026-09/audio.skipped", "audio.skipped", "applied", "unknown", None),
    ("current-2026-09/bot.done", "session.done", "applied", "done", Some("unknown")),
    ("current-2026-09/bot.error.nonterminal", "session.warning", "ignored", "unknown", None),
    ("current-2026-09/bot.in_waiting_room", "session.waiting", "applied", "waiting", None),
    ("current-2026-09/bot.inmeeting", "session.in_call", "applied", "in_call", None),
    ("current-2026-09/bot.joining", "session.joining", "applied", "joining", None),
    ("current-2026-09/bot.joining.retry2", "session.joining", "applied", "joining", None),
    ("current-2026-09/bot.leaving", "session.leaving", "applied", "leaving", None),
    ("current-2026-09/bot.recording", "session.recording", "applied", "recording", None),
    ("current-2026-09/bot.recording_permission_allowed.zoom", "session.permission_allowed", "applied", "in_call", None),
    ("current-2026-09/bot.recording_permission_denied.zoom", "session.permission_denied", "applied", "in_call", None),
    ("current-2026-09/bot.scheduled", "session.scheduled", "applied", "scheduled", None),
    ("current-2026-09/bot.stopped.clean", "session.ended", "applied", "ended", Some("completed")),
    ("current-2026-09/bot.stopped.denied", "session.ended", "applied", "ended", Some("denied")),
    ("current-2026-09/bot.stopped.failed", "session.ended", "applied", "ended", Some("failed")),
    ("current-2026-09/bot.stopped.kicked", "session.ended", "applied", "ended", Some("kicked")),
    ("current-2026-09/bot.stopped.notallowed", "session.ended", "applied", "ended", Some("not_admitted")),
    ("current-2026-09/bot.transcriptionready", "transcript.announced", "applied", "unknown", None),
    ("current-2026-09/bot.uploading", "session.uploading", "ignored", "unknown", None),
    ("current-2026-09/data_deletion", "data.deleted", "applied", "deleted", None),
    ("current-2026-09/manifest.completed", "manifest.announced", "applied", "unknown", None),
    ("current-2026-09/manifest.skipped", "manifest.skipped", "applied", "unknown", None),
    ("current-2026-09/transcription.failed", "transcript.failed", "applied", "unknown", None),
    ("current-2026-09/transcription.processed", "transcript.announced", "applied", "unknown", None),
    ("current-2026-09/transcription.skipped", "transcript.skipped", "applied", "unknown", None),
    ("current-2026-09/video.processed", "video.announced", "applied", "unknown", None),
    ("docs-event-2026-02/bot.joining", "session.joining", "applied", "joining", None),
    ("docs-event-2026-02/bot.stopped.Denied", "session.ended", "applied", "ended", Some("denied")),
    ("docs-event-2026-02/bot.stopped.Error", "session.ended", "applied", "ended", Some("failed")),
    ("docs-event-2026-02/bot.stopped.NotAllowed", "session.ended", "applied", "ended", Some("not_admitted")),
    ("docs-event-2026-02/bot.stopped.Stopped", "session.ended", "applied", "ended", Some("completed")),
    ("docs-event-2026-02/data_deletion", "data.deleted", "applied", "deleted", None),
    ("docs-event-2026-02/transcription.processed.no_timestamp", "transcript.announced", "applied", "unknown", None),
    ("realtime/live_transcript.meetstream_streaming", "live.transcript", "ignored", "unknown", None),
    ("realtime/participant_events.join", "participant.joined", "ignored", "unknown", None),
    ("realtime/participant_events.leave", "participant.left", "ignored", "unknown", None),
];

#[tokio::test]
async fn every_recorded_body_ends_in_its_state() -> Result<()> {
    let (recordings, on_disk) = (recordings::folder("meetstream"), recordings::names("meetstream")?);
    assert_eq!(on_disk, RECORDED.iter().map(|expected| expected.0).collect::<Vec<_>>(), "each recording has a line");

    let deployed = Deployed::new()?;
    let mut sent = Vec::new();
    for expected in RECORDED {
        let recording = std::fs::read_to_string(recordings.join(format!("{}.json", expected.0)))?;
        let mut body: Value = serde_json::from_str(&recording)?;
        let bot_id = fresh("recorded");
        match body.pointer_mut("/data/bot/id") {
            Some(in_data) => *in_data = json!(bot_id),
            None => body["bot_id"] = json!(bot_id),
        }
        deployed.accept(&body).await.context(expected.0)?;
        sent.push((expected, bot_id, body));
    }
    for ((name, kind, disposition, state, outcome), bot_id, body) in sent {
        let timeline = deployed.with_events(&bot_id, 1).await.context(*name)?;
        let [event] = events(&timeline) else { bail!("{name}: {timeline}") };
        assert_eq!(
            (event["kind"].as_str(), event["disposition"].as_str()),
            (Some(*kind), Some(*disposition)),
            "{name}"
        );
        assert_eq!((timeline["state"].as_str(), timeline["outcome"].as_str()), (Some(*state), *outcome), "{name}");
        assert_eq!(
            (event["trust"].as_str(), event["source"].as_str()),
            (Some("verified"), Some("meetstream")),
            "{name}"
        );
        assert_eq!(event["occurred_at"].is_null(), body["timestamp"].is_null(), "{name}: no time is invented or lost");
        let attributes = &body["custom_attributes"];
        let kept = *disposition == "applied" && attributes.as_object().is_some_and(|attributes| !attributes.is_empty());
        assert_eq!(timeline["custom_attributes"], if kept { attributes.clone() } else { Value::Null }, "{name}");
        if let Some((artifact, status)) = kind.split_once('.')
            && ["manifest", "audio", "video", "transcript"].contains(&artifact)
        {
            assert_eq!(timeline["artifacts"][artifact]["status"], status, "{name}");
        }
        if *kind == "session.ended" {
            let status = body["bot_status"].as_str().context("no status")?;
            assert!(timeline["reason"].as_str().is_some_and(|reason| reason.contains(status)), "{name}: {timeline}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_same_event_fifty_times_at_once_takes_effect_once() -> Result<()> {
    let deployed = Deployed::new()?;
    for same_bytes in [true, false] {
        let bot_id = fresh("fifty");
        let body = |n: usize| {
            let mut body = event(&bot_id, "bot.inmeeting", "2026-01-01T12:00:00Z");
            if !same_bytes {
                body["message"] = json!(format!("the same in other words, {n}"));
            }
            deployed.signed(body.to_string())
        };
        let mut sending = tokio::task::JoinSet::new();
        for n in 0..50 {
            let (delivery, url) = (body(n), deployed.0.outputs.function_url.clone());
            sending.spawn(async move { anyhow::Ok(delivery.send(&url).await?.status) });
        }
        while let Some(status) = sending.join_next().await {
            assert_eq!(status??, 200);
        }
        let timeline = deployed.with_events(&bot_id, 50).await?;
        assert_eq!((count(&timeline, "applied"), count(&timeline, "duplicate")), (1, 49), "same bytes: {same_bytes}");
        assert_eq!(timeline["state"], "in_call");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_and_leaves_no_trace() -> Result<()> {
    let deployed = Deployed::new()?;
    let bot_id = fresh("forged");
    let body = event(&bot_id, "bot.stopped", "2026-01-01T12:00:00Z").to_string();
    let genuine = deployed.signed(body.clone());
    let oversize = "x".repeat(6 * 1024 * 1024 + 1);
    let cases = [
        ("signed by a stranger", Delivery::signed("stranger", body.clone()), 401),
        ("unsigned", Delivery::unsigned("/webhooks/meetstream", body.clone()), 401),
        ("signed, then changed", genuine.clone().tampered(body.replace("stopped", "denied")), 401),
        ("signed, to a callback path", genuine.clone().path("/webhooks/meetstream/not-the-token-not-the-token"), 401),
        ("wrong path", genuine.clone().path("/webhooks/other"), 404),
        ("no path", genuine.clone().path("/"), 404),
        ("GET", genuine.clone().method("GET"), 405),
        ("PUT", genuine.clone().method("PUT"), 405),
        ("DELETE", genuine.clone().method("DELETE"), 405),
        ("oversize", deployed.signed(oversize), 413),
    ];
    for (name, delivery, status) in cases {
        assert_eq!(deployed.send(&delivery).await?, status, "{name}");
    }
    // A genuine one behind them, to know when they would have arrived.
    let marker = fresh("after-forged");
    deployed.accept(&event(&marker, "bot.joining", "2026-01-01T12:00:00Z")).await?;
    deployed.with_events(&marker, 1).await?;
    assert_eq!(Deployed::timeline(&bot_id)?, None);
    Ok(())
}

#[tokio::test]
async fn authentic_bytes_are_kept_whatever_they_are() -> Result<()> {
    let deployed = Deployed::new()?;
    let mark = fresh("odd");
    let bodies: [Vec<u8>; 6] = [
        format!("not json {mark}").into_bytes(),
        [b"not utf-8 \xff\xfe ".as_slice(), mark.as_bytes()].concat(),
        [b"control \x00\x01\x08\x1f characters ".as_slice(), mark.as_bytes()].concat(),
        format!("noncharacters \u{FFFE}\u{FFFF} {mark}").into_bytes(),
        json!({"bot_id": "b".repeat(600), "event": "bot.joining", "mark": mark}).to_string().into_bytes(),
        json!({"event": "bot.joining", "mark": mark}).to_string().into_bytes(),
    ];
    for body in &bodies {
        // Of what is not text under a text's name, the local AWS makes replacement characters before we see it.
        let delivery = deployed.signed(body.clone()).without_header("Content-Type");
        let answered = deployed.send(&delivery.header("Content-Type", "application/octet-stream")).await?;
        assert_eq!(answered, 200, "{}", String::from_utf8_lossy(body));
    }
    for body in &bodies {
        deployed.quarantined(body).await?;
    }
    let nameless = fresh("nameless");
    deployed.accept(&json!({"bot_id": nameless, "surprise": true})).await?;
    let timeline = deployed.with_events(&nameless, 1).await?;
    assert_eq!(count(&timeline, "quarantined"), 1, "its bot shows it: {timeline}");
    Ok(())
}

#[tokio::test]
async fn hostile_ids_reach_no_key_unencoded() -> Result<()> {
    let deployed = Deployed::new()?;
    let mark = fresh("hostile");
    let ids = [
        format!("x/remove_bot?{mark}"),
        format!("..{mark}"),
        format!("../../{mark}"),
        format!("#session#{mark}"),
        format!("control\u{1}\n\u{7f}{mark}"),
        format!("🤖 {mark}"),
        format!("'\"<script>{mark}"),
        format!("{mark}{}", "é".repeat(200)),
    ];
    for id in &ids {
        deployed.accept(&event(id, "bot.joining", "2026-01-01T12:00:00Z")).await?;
        // One that is kept beside the session, and one in quarantine.
        deployed.accept(&event(id, "bot.unheard_of", "2026-01-01T12:00:00Z")).await?;
        deployed.accept(&json!({"bot_id": id, "surprise": true})).await?;
    }
    for id in &ids {
        let timeline = deployed.with_events(id, 3).await?;
        assert_eq!((timeline["bot_id"].as_str(), timeline["state"].as_str()), (Some(id.as_str()), Some("joining")));
    }
    let plain = |key: &str| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_~#/".contains(&b));
    for item in deployed.0.items(&deployed.0.outputs.table).await? {
        let (pk, sk) = (item["pk"].as_str().unwrap_or_default(), item["sk"].as_str().unwrap_or_default());
        let parts: Vec<_> = pk.split('#').collect();
        assert!(plain(pk) && !pk.contains('/') && matches!(parts.as_slice(), [_, _] | [_, "calendar", _]), "{pk}");
        assert!(plain(sk) && !sk.contains('/'), "{sk}");
    }
    for key in deployed.0.objects(&deployed.0.outputs.bucket, "").await? {
        // What was set aside has three parts, a transcript of a bot five; names of files have one dot.
        let parts: Vec<_> = key.split('/').collect();
        assert!(plain(&key.replace('.', "_")) && (3..=5).contains(&parts.len()), "{key}");
        assert!(parts.iter().all(|part| !matches!(*part, "" | "." | "..")), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_forged_callback_never_replaces_the_genuine_end() -> Result<()> {
    let deployed = Deployed::new()?;
    let bot_id = fresh("trust");
    let end = |name: &str| json!({"bot_id": bot_id, "event": "bot.stopped", "bot_event": name, "bot_status": "Stopped", "timestamp": "2026-01-01T12:00:00Z"});
    assert_eq!(deployed.call_back(&end("bot.failed")).await?, 200);
    assert_eq!(deployed.call_back(&end("bot.stopped")).await?, 200);
    let unverified = deployed.with_events(&bot_id, 2).await?;
    assert_eq!((unverified["outcome"].as_str(), unverified["confirmed"].as_bool()), (Some("failed"), Some(false)));

    deployed.accept(&end("bot.stopped")).await?;
    let verified = deployed.with_events(&bot_id, 3).await?;
    assert_eq!((verified["outcome"].as_str(), verified["confirmed"].as_bool()), (Some("completed"), Some(true)));
    let genuine: Vec<_> = events(&verified).iter().filter(|event| event["trust"] == "verified").collect();
    assert!(genuine.len() == 1 && genuine.iter().all(|event| event["disposition"] == "applied"), "{verified}");
    assert_eq!(count(&verified, "duplicate"), 2, "the unverified lines about the end stay on record");
    Ok(())
}

#[tokio::test]
async fn a_meeting_out_of_order_with_repetitions_ends_as_it_did() -> Result<()> {
    let deployed = Deployed::new()?;
    let bot_id = fresh("meeting");
    let lines = [
        ("bot.done", "2026-01-01T12:45:00Z"),
        ("bot.recording", "2026-01-01T12:01:01Z"),
        ("bot.joining", "2026-01-01T12:00:00Z"),
        ("transcription.processed", "2026-01-01T12:40:00Z"),
        ("bot.joining", "2026-01-01T12:00:30Z"),
        ("bot.inmeeting", "2026-01-01T12:01:00Z"),
        ("bot.done", "2026-01-01T12:45:00Z"),
    ];
    let kicked = json!({"bot_id": bot_id, "event": "bot.stopped", "bot_event": "bot.kicked", "bot_status": "Stopped", "timestamp": "2026-01-01T12:30:00Z"});
    for (name, time) in lines {
        deployed.accept(&event(&bot_id, name, time)).await?;
    }
    deployed.accept(&kicked).await?;
    let timeline = deployed.with_events(&bot_id, 8).await?;
    assert_eq!((timeline["state"].as_str(), timeline["outcome"].as_str()), (Some("done"), Some("kicked")));
    assert_eq!((count(&timeline, "applied"), count(&timeline, "duplicate")), (7, 1));
    assert_eq!(timeline["joined_at"], "2026-01-01T12:01:00Z");
    assert_eq!(timeline["ended_at"], "2026-01-01T12:30:00Z");
    Ok(())
}
