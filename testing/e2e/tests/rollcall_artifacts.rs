//! `rollcall artifacts` over what the real functions stored.

use anyhow::{Context, Result, ensure};
use e2e::{
    fault_proxy::FaultProxy,
    operator::Operator,
    pipeline::{API_KEY, Pipeline, SECRET, SVIX_SECRET, asking},
    runtime_api::Function,
    sender::Delivery,
};
use serde_json::Value;
use shared::{Endpoint, hash::sha256_hex};
use simulator::{Bot, BotPlan, CalendarEntry, CalendarPlan, Expected, Knobs, Simulator};
use std::{fs, time::Duration};

const SOON: Duration = Duration::from_secs(40);

async fn start(simulator: &Simulator, knobs: &Knobs, recordings: &str) -> Result<Pipeline> {
    let mut settings = asking(simulator, knobs);
    settings.push(("KEEP_RECORDINGS", recordings));
    Pipeline::with(&settings).await
}

async fn tell(pipeline: &Pipeline, bot: &Bot) -> Result<()> {
    for webhook in bot.webhooks() {
        let delivery = match webhook.endpoint {
            Endpoint::MeetStream => Delivery::signed(SECRET, webhook.body),
            _ => Delivery::unsigned("/webhooks/meetingbaas/v1", webhook.body).header("x-meeting-baas-api-key", API_KEY),
        };
        ensure!(pipeline.deliver(&delivery).await? == 200, "{}", webhook.name);
    }
    pipeline.drain(SOON).await.map(drop)
}

/// Kind and state of each line, in order of the alphabet.
fn states(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let mut states: Vec<_> = lines.iter().map(|line| text(line, "kind") + " " + &text(line, "state")).collect();
    states.sort();
    states
}

#[tokio::test]
async fn what_is_stored_is_listed_and_arrives_as_it_was_served() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs, "1").await?;
    let operator = Operator::of(&pipeline.scratch)?;
    // The video takes several parts of an upload, and its checksum a tag of its own.
    let bot = simulator.add_bot(BotPlan { video_bytes: Some(20_000_000), ..BotPlan::new(Endpoint::MeetStream, "b") });
    tell(&pipeline, &bot).await?;
    let mut on_their_way = operator.list(&["artifacts", "meetstream", "b"]).await?;
    assert_eq!(states(&on_their_way), ["audio pending", "transcript pending", "video pending"]);
    assert!(on_their_way.iter_mut().all(|line| line["due_at"].is_string()), "{on_their_way:?}");
    pipeline.run_commands(SOON).await?;

    let stored = operator.list(&["artifacts", "meetstream", "b"]).await?;
    assert_eq!(states(&stored), ["audio stored", "transcript stored", "video stored"]);
    assert_eq!(states(&operator.list(&["artifacts"]).await?), states(&stored), "and of all bots");
    let folder = tempfile::tempdir()?;
    let to = folder.path().to_str().context("a path that is no text")?;
    let answer = operator.run(&["artifacts", "meetstream", "b", "--download", to]).await?;
    ensure!(answer.code == Some(0) && answer.stdout.matches("checksum verified").count() == 4, "{answer:?}");
    for (artifact, expected) in bot.truth().artifacts {
        let Expected::Stored(content) = expected else { continue };
        let Some(line) = stored.iter().find(|line| line["kind"] == artifact.as_str()) else { continue };
        assert_eq!(line["sha256"], content.sha256);
        let bytes = fs::read(folder.path().join(line["key"].as_str().context("no key")?))?;
        assert_eq!((sha256_hex(&bytes), bytes.len() as u64), (content.sha256, content.size_bytes), "{artifact:?}");
    }
    // What somebody put in place of it does not get its name.
    let key = "meetstream/b/audio/recording.wav";
    let put = pipeline.scratch.aws.s3.put_object().bucket(&pipeline.scratch.bucket).key(key);
    put.body(b"other".to_vec().into()).send().await?;
    fs::remove_file(folder.path().join(key))?;
    let answer = operator.run(&["artifacts", "meetstream", "b", "--kind", "audio", "--download", to]).await?;
    ensure!(answer.code == Some(1) && answer.stderr.contains("is not what was stored"), "{answer:?}");
    assert_eq!(fs::read_dir(folder.path().join("meetstream/b/audio"))?.count(), 0);
    let unknown = operator.run(&["artifacts", "meetstream", "nobody"]).await?;
    ensure!(unknown.code == Some(3) && unknown.stderr.contains("rollcall sessions"), "{unknown:?}");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_transcript_that_came_with_its_delivery_is_listed_before_and_after_it_has_its_place() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs, "0").await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetingBaasV1, "b"));
    tell(&pipeline, &bot).await?;
    let before = operator.list(&["artifacts", "meetingbaas", "b", "--kind", "transcript"]).await?;
    assert_eq!(states(&before), ["transcript carried", "transcript pending"]);
    pipeline.run_commands(SOON).await?;
    let after = operator.list(&["artifacts", "meetingbaas", "b"]).await?;
    assert!(states(&after).contains(&"transcript stored".to_owned()), "{after:?}");
    assert!(after.iter().all(|line| line["kind"] == "transcript" || line["state"] == "not_kept"), "{after:?}");
    pipeline.scratch.remove().await
}

/// An operator whose commands reach a process function.
async fn operator_of(pipeline: &Pipeline, process: &Function) -> Result<(Operator, FaultProxy)> {
    let proxy = FaultProxy::start(&pipeline.scratch.aws.outputs.endpoint_url).await?;
    proxy.invoke(process);
    Ok((Operator::through(&pipeline.scratch, proxy.endpoint_url())?, proxy))
}

#[tokio::test]
async fn what_was_given_up_is_asked_for_again_and_nothing_else_is() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    // Without a key everything is given up at once.
    let mut settings = asking(&simulator, &knobs);
    settings.retain(|(name, _)| *name != "MEETSTREAM_API_KEYS");
    settings.push(("KEEP_RECORDINGS", "0"));
    let pipeline = Pipeline::with(&settings).await?;
    let bot = simulator.add_bot(BotPlan::new(Endpoint::MeetStream, "b"));
    tell(&pipeline, &bot).await?;
    pipeline.run_commands(SOON).await?;

    // Somebody enters one and deploys.
    let second = pipeline.second_process_with(&[("MEETSTREAM_API_KEYS", &knobs.meetstream_key)]).await?;
    let (operator, _proxy) = operator_of(&pipeline, &second.function).await?;
    let transcript = ["artifacts", "meetstream", "b", "--kind", "transcript"];
    assert_eq!(states(&operator.list(&transcript).await?), ["transcript unavailable"]);
    let refetch = ["artifacts", "meetstream", "b", "--refetch"];
    let audio = operator.run(&[&refetch[..], &["--kind", "audio"]].concat()).await?;
    ensure!(audio.code == Some(3) && audio.stderr.contains("nothing was given up"), "{audio:?}");
    let answer = operator.run(&refetch).await?;
    ensure!(answer.code == Some(0) && answer.stdout == "asked for again: transcript\n", "{answer:?}");
    while second.commands.pump().await?.is_some() {}
    let stored = operator.list(&transcript).await?;
    assert_eq!(states(&stored), ["transcript stored"]);
    let expected = bot.truth().artifacts.into_values().find_map(|expected| match expected {
        Expected::Stored(content) if stored.iter().any(|line| line["sha256"] == content.sha256) => Some(content),
        _ => None,
    });
    assert!(expected.is_some(), "it is what the provider serves: {stored:?}");
    let again = operator.run(&refetch).await?;
    ensure!(again.code == Some(3), "what is stored is not asked for again: {again:?}");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn of_a_deleted_calendar_no_title_is_left() -> Result<()> {
    let knobs = Knobs::default();
    let simulator = Simulator::start(knobs.clone()).await?;
    let pipeline = start(&simulator, &knobs, "0").await?;
    let (operator, _proxy) = operator_of(&pipeline, &pipeline.process).await?;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    for id in ["c", "neighbour"] {
        let calendar = simulator.add_calendar(CalendarPlan::new(Endpoint::MeetingBaasV2, id));
        let entry =
            CalendarEntry { title: format!("title of {id}"), ..CalendarEntry::new(format!("e-{id}"), soon, soon) };
        let webhook = calendar.put(entry).context("there is no such calendar")?;
        let status = pipeline.deliver(&Delivery::svix(SVIX_SECRET, &format!("msg_{id}"), webhook.body)?).await?;
        ensure!(status == 200, "{status}");
    }
    pipeline.drain(SOON).await?;
    pipeline.run_commands(SOON).await?;
    let titles = async || {
        let items = pipeline.scratch.aws.items(&pipeline.scratch.table).await?;
        let count = |id: &str| items.iter().filter(|item| item.to_string().contains(&format!("title of {id}"))).count();
        anyhow::Ok((count("c"), count("neighbour")))
    };
    let before = titles().await?;
    ensure!(before.0 > 0 && before.1 > 0, "both are mirrored: {before:?}");

    let delete = ["delete", "meetingbaas", "--calendar", "c"];
    let dry = operator.run(&[&delete[..], &["--dry-run"]].concat()).await?;
    ensure!(dry.code == Some(0) && dry.stdout.contains("meetingbaas calendar c\n"), "{dry:?}");
    let unasked = operator.run(&delete).await?;
    ensure!(unasked.code == Some(2) && unasked.stderr.contains("--yes"), "{unasked:?}");
    assert_eq!(titles().await?, before, "nobody said yes");
    let answer = operator.run(&[&delete[..], &["--yes", "--wait", "--timeout", "30"]].concat()).await?;
    ensure!(answer.code == Some(0) && answer.stdout.contains("erased: "), "{answer:?}");
    assert_eq!(titles().await?, (0, before.1), "and the neighbour keeps its own");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_bot_that_nobody_knows_is_not_deleted() -> Result<()> {
    let simulator = Simulator::start(Knobs::default()).await?;
    let pipeline = start(&simulator, &Knobs::default(), "0").await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let answer = operator.run(&["delete", "meetingbaas", "nobody", "--yes"]).await?;
    ensure!(answer.code == Some(3) && answer.stderr.contains("meetingbaas bot \"nobody\""), "{answer:?}");
    assert!(
        pipeline.run_commands(SOON).await?.is_empty()
            && pipeline.scratch.aws.items(&pipeline.scratch.table).await?.is_empty()
    );
    pipeline.scratch.remove().await
}
