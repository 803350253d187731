//! The routes of Meeting BaaS through the deployed template, from the function URL to what is kept.

#![expect(clippy::indexing_slicing, reason = "a missing field is null, and fails the comparison")]

use anyhow::{Context, Result, bail};
use e2e::{
    local_aws::LocalAws,
    recordings::{self, fresh},
    sender::Delivery,
};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// What one recorded body must lead to: file, kind, disposition, state, outcome.
type Expected = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>);

#[rustfmt::skip]
const RECORDED: &[Expected] = &[
    ("v1/bot.status_change.in_call_recording", "session.recording", "applied", "recording", None),
    ("v1/bot.status_change.joining_call", "session.joining", "applied", "joining", None),
    ("v1/bot.status_change.meeting_error", "session.warning", "ignored", "unknown", None),
    ("v1/calendar.sync_events", "calendar.events_synced", "applied", "unknown", None),
    ("v1/complete", "session.done", "applied", "done", Some("completed")),
    ("v1/complete.no_transcript", "session.done", "applied", "done", Some("completed")),
    ("v1/failed.snake_case", "session.done", "applied", "done", Some("failed")),
    ("v1/transcription_complete", "transcript.announced", "applied", "unknown", None),
    ("v2-callback/bot.completed", "session.done", "applied", "done", Some("completed")),
    ("v2-callback/bot.failed", "session.done", "applied", "done", Some("denied")),
    ("v2/bot.chat_message", "chat.message", "ignored", "unknown", None),
    ("v2/bot.completed", "session.done", "applied", "done", Some("completed")),
    ("v2/bot.failed", "session.done", "applied", "done", Some("denied")),
    ("v2/bot.status_change.completed", "session.done", "applied", "done", Some("completed")),
    ("v2/bot.status_change.in_call_recording", "session.recording", "applied", "recording", None),
    ("v2/bot.status_change.in_waiting_room", "session.waiting", "applied", "waiting", None),
    ("v2/bot.status_change.joining_call", "session.joining", "applied", "joining", None),
    ("v2/bot.status_change.queued", "session.scheduled", "applied", "scheduled", None),
    ("v2/bot.status_change.recording_failed", "session.warning", "ignored", "unknown", None),
    ("v2/bot.status_change.retrying", "session.joining", "applied", "joining", None),
    ("v2/bot.status_change.transcribing", "session.processing", "ignored", "unknown", None),
    ("v2/calendar.connection_created", "calendar.connection_created", "applied", "unknown", None),
    ("v2/calendar.connection_deleted", "calendar.connection_deleted", "applied", "unknown", None),
    ("v2/calendar.connection_updated", "calendar.connection_updated", "applied", "unknown", None),
    ("v2/calendar.event_cancelled", "calendar.event_cancelled", "applied", "unknown", None),
    ("v2/calendar.event_created", "calendar.event_created", "applied", "unknown", None),
    ("v2/calendar.event_updated", "calendar.event_updated", "applied", "unknown", None),
    ("v2/calendar.events_synced", "calendar.events_synced", "applied", "unknown", None),
];

/// The deployed routes, as Meeting BaaS knows them.
struct Deployed(LocalAws);

impl Deployed {
    /// The delivery of a body in one of the folders' dialects.
    fn delivery(&self, dialect: &str, body: &Value) -> Result<Delivery> {
        let (outputs, body) = (&self.0.outputs, body.to_string());
        Ok(match dialect {
            "v1" => Delivery::unsigned("/webhooks/meetingbaas/v1", body)
                .header("x-meeting-baas-api-key", &outputs.meetingbaas_api_key),
            "v2" => Delivery::svix(&outputs.meetingbaas_svix_secret, &fresh("msg"), body)?,
            "v2-callback" => Delivery::unsigned("/webhooks/meetingbaas/callback", body)
                .header("x-mb-secret", &outputs.meetingbaas_callback_secret),
            "legacy" => Delivery::meetingbaas_legacy(&outputs.meetingbaas_legacy_secret, body),
            other => bail!("no dialect {other}"),
        })
    }

    async fn send(&self, delivery: &Delivery) -> Result<u16> {
        Ok(delivery.send(&self.0.outputs.function_url).await?.status)
    }

    async fn accept(&self, dialect: &str, body: &Value) -> Result<()> {
        let status = self.send(&self.delivery(dialect, body)?).await?;
        anyhow::ensure!(status == 200, "{dialect} answered {status}: {body}");
        Ok(())
    }

    /// What is kept under a partition key once it has that many deliveries: the session's item, and every delivery as pair of
    /// canonical kind and disposition, in order.
    async fn kept(&self, pk: &str, deliveries: usize) -> Result<(Value, Vec<(String, String)>)> {
        let deadline = tokio::time::Instant::now() + SOON;
        loop {
            let mut items = self.0.items(&self.0.outputs.table).await?;
            items.retain(|item| item["pk"] == pk);
            let (mut session, mut kept) = (Value::Null, Vec::new());
            let text = |value: &Value| value.as_str().unwrap_or("applied").to_owned();
            for item in items {
                let document = &item["document"];
                if item["sk"] == "session" {
                    let lines = document["timeline"].as_array().into_iter().flatten();
                    kept.extend(lines.map(|line| (text(&line["e"]), text(&line["d"]))));
                    session = item;
                } else {
                    kept.push((text(&document["e"]), text(&document["d"])));
                }
            }
            if kept.len() >= deliveries {
                kept.sort();
                return Ok((session, kept));
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "{pk}: {kept:?} and no more");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test]
async fn every_recorded_body_ends_in_its_state() -> Result<()> {
    let (recordings, on_disk) = (recordings::folder("meetingbaas"), recordings::names("meetingbaas")?);
    assert_eq!(on_disk, RECORDED.iter().map(|expected| expected.0).collect::<Vec<_>>(), "each recording has a line");

    let deployed = Deployed(LocalAws::from_env()?);
    let mut sent = Vec::new();
    for expected in RECORDED {
        let recording = std::fs::read_to_string(recordings.join(format!("{}.json", expected.0)))?;
        let mut body: Value = serde_json::from_str(&recording)?;
        let id = fresh("baas");
        let pk = match body.pointer_mut("/data/calendar_id") {
            Some(calendar_id) => {
                *calendar_id = json!(id);
                format!("meetingbaas#calendar#{id}")
            }
            None => {
                body["data"]["bot_id"] = json!(id);
                format!("meetingbaas#{id}")
            }
        };
        let dialect = expected.0.split('/').next().unwrap_or_default();
        deployed.accept(dialect, &body).await.context(expected.0)?;
        sent.push((expected, pk));
    }
    for ((name, kind, disposition, state, outcome), pk) in sent {
        let (session, kept) = deployed.kept(&pk, 1).await.context(*name)?;
        assert_eq!(kept, [((*kind).to_owned(), (*disposition).to_owned())], "{name}");
        if *disposition == "applied" {
            assert_eq!((session["state"].as_str(), session["outcome"].as_str()), (Some(*state), *outcome), "{name}");
        }
        if let Some(change) = kind.strip_prefix("calendar.event") {
            let affected = session["document"]["calendar"]["affected"].as_object().map_or(0, serde_json::Map::len);
            assert!(affected > 0, "{name} ({change}): {session}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_end_through_webhook_and_callback_takes_effect_once() -> Result<()> {
    let deployed = Deployed(LocalAws::from_env()?);
    let id = fresh("baas-twice");
    let body = |url: &str| {
        json!({"event": "bot.completed", "data": {
            "bot_id": id, "duration_seconds": 60, "joined_at": "2026-08-20T09:00:00Z", "exited_at": "2026-08-20T09:01:00Z",
            "video": format!("https://artifacts.example.invalid/v.mp4?X-Amz-Signature={url}"), "sent_at": "2026-08-20T09:05:00Z",
        }})
    };
    deployed.accept("v2", &body("first")).await?;
    let callback = deployed.delivery("v2-callback", &body("second"))?;
    assert_eq!(deployed.send(&callback.clone().method("PUT")).await?, 200, "callbacks may be PUT");
    assert_eq!(deployed.send(&callback).await?, 200, "or POST");
    let (session, kept) = deployed.kept(&format!("meetingbaas#{id}"), 3).await?;
    let dispositions: Vec<_> = kept.iter().map(|(_, disposition)| disposition.as_str()).collect();
    assert_eq!(dispositions, ["applied", "duplicate", "duplicate"], "all are on record");
    assert_eq!((session["state"].as_str(), session["outcome"].as_str()), (Some("done"), Some("completed")));
    Ok(())
}

#[tokio::test]
async fn names_of_the_web_page_are_understood() -> Result<()> {
    let deployed = Deployed(LocalAws::from_env()?);
    let id = fresh("baas-legacy");
    for name in ["meeting.started", "meeting.completed", "transcription.available"] {
        deployed.accept("legacy", &json!({"event": name, "data": {"bot_id": id}})).await?;
    }
    let (session, kept) = deployed.kept(&format!("meetingbaas#{id}"), 3).await?;
    assert_eq!(session["state"], "done");
    let kinds: Vec<_> = kept.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["session.done", "session.in_call", "transcript.announced"]);
    Ok(())
}

#[tokio::test]
async fn an_alert_that_is_sent_to_the_callback_route_is_kept_as_it_came() -> Result<()> {
    let deployed = Deployed(LocalAws::from_env()?);
    // Alerts have a secret header of their own and no route; with the callbacks' secret they are authentic, and about no bot.
    let body = json!({
        "alert_rule_id": fresh("rule"), "alert_type": "webhook_delivery_exhausted", "triggered_at": "2026-08-20T09:00:00.000Z",
    });
    deployed.accept("v2-callback", &body).await?;
    let (bucket, bytes) = (&deployed.0.outputs.bucket, body.to_string().into_bytes());
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        for key in deployed.0.objects(bucket, "quarantine/").await? {
            if deployed.0.object(bucket, &key).await? == bytes {
                return Ok(());
            }
        }
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "never quarantined: {body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn each_route_takes_its_own_credential_only() -> Result<()> {
    let deployed = Deployed(LocalAws::from_env()?);
    let body = json!({"event": "bot.completed", "data": {"bot_id": fresh("baas-forged")}});
    let routes = [
        ("v1", "/webhooks/meetingbaas/v1", 401),
        ("v2", "/webhooks/meetingbaas/v2", 401),
        // Its sender gives up for good on any 4xx.
        ("v2-callback", "/webhooks/meetingbaas/callback", 503),
        ("legacy", "/webhooks/meetingbaas/legacy", 401),
        ("legacy", "/webhooks/meetingbaas", 401),
    ];
    for (dialect, path, refused) in routes {
        let genuine = deployed.delivery(dialect, &body)?;
        for (other, ..) in routes {
            let given = deployed.delivery(other, &body)?.path(path);
            let expected = if other == dialect { 200 } else { refused };
            assert_eq!(deployed.send(&given).await?, expected, "{other} credential at {path}");
        }
        let mut altered = genuine.clone().path(path);
        altered.headers.iter_mut().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type")).for_each(
            |(_, value)| {
                *value = value.replace(char::is_alphanumeric, "0");
            },
        );
        assert_eq!(deployed.send(&altered).await?, refused, "an altered credential at {path}");
        let tampered = genuine.clone().path(path).tampered(body.to_string().replace("completed", "failed"));
        let signs_its_body = matches!(dialect, "v2" | "legacy");
        assert_eq!(
            deployed.send(&tampered).await?,
            if signs_its_body { refused } else { 200 },
            "another body at {path}"
        );
        let put = deployed.send(&genuine.path(path).method("PUT")).await?;
        assert_eq!(put, if dialect == "v2-callback" { 200 } else { 405 }, "PUT at {path}");
    }
    Ok(())
}
