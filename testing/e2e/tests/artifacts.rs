//! From "ready" to in the bucket, and to nothing left: the real binaries, the local AWS, and a simulated provider.

use anyhow::{Context, Result};
use e2e::{
    pipeline::{Pipeline, SECRET, TOKEN, asking},
    sender::Delivery,
};
use serde_json::{Value, json};
use shared::{Endpoint, event::Artifact};
use simulator::{Bot, BotPlan, Ending, Expected, Knobs, Simulator, Transcription};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(40);

async fn start(simulator: &Simulator, knobs: &Knobs) -> Result<Pipeline> {
    Pipeline::with(&asking(simulator, knobs)).await
}

/// Plays a whole meeting through both functions, and carries out what it gives rise to.
async fn play(pipeline: &Pipeline, bot: &Bot) -> Result<()> {
    for webhook in bot.webhooks() {
        let delivery = match webhook.endpoint {
            Endpoint::MeetStreamCallback => Delivery::callback(TOKEN, webhook.body),
            _ => Delivery::signed(SECRET, webhook.body),
        };
        anyhow::ensure!(pipeline.deliver(&delivery).await? == 200, "{}", webhook.name);
    }
    pipeline.drain(SOON).await?;
    pipeline.run_commands(SOON).await?;
    // What rests on unsigned callbacks is the sweep's to send.
    pipeline.sweep().await?;
    pipeline.run_commands(SOON).await?;
    Ok(())
}

fn copy_of(session: &Value, artifact: Artifact) -> &Value {
    session.pointer(&format!("/document/copies/{}", artifact.as_str())).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn every_artifact_is_stored_as_it_was_served_or_said_to_be_unavailable() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs).await?;
    let endings = [Ending::Completed, Ending::Kicked, Ending::Failed];
    let transcriptions = [Transcription::PostCall, Transcription::Streaming, Transcription::Failed];
    for (n, (ending, transcription)) in
        endings.iter().flat_map(|ending| transcriptions.iter().map(move |how| (*ending, *how))).enumerate()
    {
        let base = BotPlan::new(Endpoint::MeetStream, format!("bot-{n}"));
        // The video takes several parts of an upload.
        let video_bytes = if n == 0 { Some(20_000_000) } else { Some(50_000) };
        let bot = simulator.add_bot(BotPlan { ending, transcription, video_bytes, audio_bytes: Some(70_000), ..base });
        play(&pipeline, &bot).await?;
        let session = pipeline.session(&bot.plan().bot_id).await?.context("no session")?;
        let truth = bot.truth();
        for (artifact, expected) in &truth.artifacts {
            let copy = copy_of(&session, *artifact);
            let name = format!("{ending:?} {transcription:?} {artifact:?}: {copy}");
            match expected {
                Expected::Stored(content) => {
                    assert_eq!(copy["stored"]["sha256"], content.sha256, "{name}");
                    assert_eq!(copy["stored"]["size_bytes"], content.size_bytes, "{name}");
                    let key = copy["stored"]["key"].as_str().context("no key")?;
                    let bytes = pipeline.scratch.aws.object(&pipeline.scratch.bucket, key).await?;
                    assert_eq!(shared::hash::sha256_hex(&bytes), content.sha256, "{name}");
                }
                Expected::Unavailable(_) => assert!(copy["stored"].is_null(), "{name}"),
            }
        }
        assert!(session["due_at"].is_null(), "nothing is left to do: {session}");
    }
    assert!(simulator.violations().is_empty(), "{:?}", simulator.violations());
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_an_unsigned_callback_claims_is_confirmed_by_the_provider() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs).await?;
    let bot = simulator.add_bot(BotPlan { ending: Ending::Kicked, ..BotPlan::new(Endpoint::MeetStreamCallback, "b") });
    play(&pipeline, &bot).await?;
    let session = pipeline.session("b").await?.context("no session")?;
    let sources: Vec<_> = session["document"]["timeline"].as_array().into_iter().flatten().map(|e| &e["s"]).collect();
    assert!(sources.contains(&&json!("meetstream-api")), "{sources:?}");
    assert_eq!(session["document"]["proven"], session["document"]["progress"], "{session}");
    // A forged end of a bot that the provider knows nothing of stays a claim.
    let forged = json!({"bot_id": "forged", "event": "bot.done", "timestamp": "2026-01-01T12:00:00Z"});
    assert_eq!(pipeline.deliver(&Delivery::callback(TOKEN, forged.to_string())).await?, 200);
    pipeline.drain(SOON).await?;
    pipeline.sweep().await?;
    pipeline.run_commands(SOON).await?;
    let session = pipeline.session("forged").await?.context("no session")?;
    assert_eq!((&session["state"], &session["document"]["proven"]), (&json!("done"), &Value::Null));
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn after_a_deletion_no_word_is_left_anywhere() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs).await?;
    let marker = "marker-of-a-person";
    let attributes = json!({ "customer": marker }).as_object().cloned().unwrap_or_default();
    let participants = vec![format!("{marker}-1"), format!("{marker}-2")];
    let plan = BotPlan { deletion: true, attributes, participants, ..BotPlan::new(Endpoint::MeetStream, "b") };
    let bot = simulator.add_bot(plan);
    bot.rewind();
    // An unreadable delivery and a neighbour's, whose bytes must go and stay.
    let unreadable = |bot: &str| Delivery::signed(SECRET, json!({"bot_id": bot, "said": marker}).to_string());
    assert_eq!(pipeline.deliver(&unreadable("b")).await?, 200);
    assert_eq!(pipeline.deliver(&unreadable("neighbour")).await?, 200);
    let mut most_kept = 0;
    while let Some(webhooks) = bot.step() {
        for webhook in webhooks {
            let delivery = Delivery::signed(SECRET, webhook.body);
            anyhow::ensure!(pipeline.deliver(&delivery).await? == 200, "{}", webhook.name);
        }
        pipeline.drain(SOON).await?;
        pipeline.run_commands(SOON).await?;
        pipeline.sweep().await?;
        most_kept = most_kept.max(pipeline.kept("meetstream/b/").await?.len());
    }
    assert!(most_kept >= 3, "there was something to erase");
    // Late words of a bot that is gone.
    let late = json!({"bot_id": "b", "event": "bot.error", "message": marker, "custom_attributes": {"who": marker}});
    pipeline.accept(&late).await?;
    pipeline.drain(SOON).await?;

    let session = pipeline.session("b").await?.context("no session")?;
    assert_eq!(session["state"], "deleted");
    let items = pipeline.scratch.aws.items(&pipeline.scratch.table).await?;
    let told: Vec<_> = items.iter().filter(|item| item.to_string().contains(marker)).collect();
    assert!(told.is_empty(), "{told:?}");
    let bucket = &pipeline.scratch.bucket;
    for key in pipeline.scratch.aws.objects(bucket, "").await? {
        let bytes = pipeline.scratch.aws.object(bucket, &key).await?;
        let is_told = String::from_utf8_lossy(&bytes).contains(marker);
        assert!(!is_told || String::from_utf8_lossy(&bytes).contains("neighbour"), "{key}");
    }
    assert_eq!(pipeline.kept("quarantine/").await?.len(), 1, "the neighbour's stays");
    let logs = pipeline.ingest.logs().into_iter().chain(pipeline.process.logs());
    let told: Vec<_> = logs.map(|line| line.text).filter(|line| line.contains(marker)).collect();
    assert!(told.is_empty(), "{told:?}");
    pipeline.scratch.remove().await
}
