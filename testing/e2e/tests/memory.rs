//! How much memory a video takes on its way into the bucket: the real binary, the local AWS, and a simulated provider.

use anyhow::{Context, Result, ensure};
use e2e::{
    pipeline::{Pipeline, SECRET, asking},
    pump::Pump,
    scratch::QueueRules,
    sender::Delivery,
    template::Template,
};
use shared::{Endpoint, event::Artifact, hash::sha256_hex};
use simulator::{BotPlan, Expected, Knobs, Simulator, Transcription};
use std::time::Duration;

const MB: u64 = 1_000_000;

/// What the function may hold, in MB, however long the video is: three parts of 8 MiB on their way and one that is being
/// filled, and what any invocation takes. This is a build without optimisation; `ProcessMemoryMb` is 512 by default.
const MOST_MB: u64 = 90;

const LIMIT: Duration = Duration::from_secs(600);

/// Stores a video of so many bytes, and tells the most memory that the function held meanwhile, in KiB.
async fn peak_while_storing(video_bytes: u64) -> Result<u64> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let rules = QueueRules { visibility: LIMIT, max_receives: 50 };
    let mut settings = asking(&simulator, &knobs);
    let common = Template::load()?.common_environment();
    settings.push(("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"));
    settings.extend(common.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let pipeline = Pipeline::with_rules(rules, &settings).await?;
    let only_video = BotPlan { audio_bytes: None, transcription: Transcription::Skipped, ..plan() };
    let bot = simulator.add_bot(BotPlan { video_bytes: Some(video_bytes), ..only_video });
    for webhook in bot.webhooks() {
        let status = pipeline.deliver(&Delivery::signed(SECRET, webhook.body)).await?;
        ensure!(status == 200, "{}: {status}", webhook.name);
    }
    pipeline.drain(LIMIT).await?;
    let commands = Pump::new(&pipeline.scratch.aws, &pipeline.scratch.commands, &pipeline.process);
    commands.batch_size(1).function_timeout(LIMIT).drain(LIMIT).await?;

    let peak = pipeline.process.peak_memory_kib()?;
    let session = pipeline.session(&bot.plan().bot_id).await?.context("no session")?;
    let stored = session.pointer("/document/copies/video/stored").with_context(|| session.to_string())?;
    let truth = bot.truth();
    let Some(Expected::Stored(content)) = truth.artifacts.get(&Artifact::Video) else { anyhow::bail!("{truth:?}") };
    ensure!(content.size_bytes == video_bytes && stored["size_bytes"] == video_bytes, "{stored}");
    let key = stored["key"].as_str().context("no key")?;
    let bytes = pipeline.scratch.aws.object(&pipeline.scratch.bucket, key).await?;
    ensure!(sha256_hex(&bytes) == content.sha256, "not what was served: {stored}");
    pipeline.scratch.remove().await?;
    Ok(peak)
}

fn plan() -> BotPlan {
    BotPlan::new(Endpoint::MeetStream, "b")
}

#[expect(clippy::print_stdout, reason = "the number is what a run by hand is for")]
async fn check(video_mb: u64) -> Result<()> {
    let peak_mb = peak_while_storing(video_mb * MB).await? * 1024 / MB;
    println!("a video of {video_mb} MB was stored with {peak_mb} MB of memory at most");
    ensure!(peak_mb < MOST_MB, "{peak_mb} MB for a video of {video_mb} MB");
    Ok(())
}

#[tokio::test]
async fn a_video_is_stored_in_less_memory_than_it_is_long() -> Result<()> {
    check(128).await
}

#[tokio::test]
#[ignore = "takes a minute and 2 GB of the local AWS's memory; docs/TESTING.md has the command"]
async fn a_video_of_500_mb_is_stored() -> Result<()> {
    check(500).await
}
