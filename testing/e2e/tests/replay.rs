//! What was set aside comes back: the operator's command, run as an operator runs it, over the real functions.

use anyhow::{Context, Result};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::QueueAttributeName;
use e2e::{
    fault_proxy::{Decision, FaultProxy, Match, Moment, Refusal, Service},
    operator::Operator,
    pipeline::{Pipeline, event},
    scratch::QueueRules,
};
use serde_json::{Value, json};
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt,
    bucket::{Folder, beside_a_delivery, key},
    message::Head,
    provider,
};
use std::{cell::Cell, collections::BTreeMap, time::Duration};

const SOON: Duration = Duration::from_secs(30);
const NOON: &str = "2026-01-01T12:00:00Z";
/// In milliseconds since the Unix epoch.
const TAKEN_AT: i64 = 1_791_212_102_000;

fn saves() -> Match {
    Match::operation(Service::DynamoDb, "PutItem")
}

/// What bots say in a meeting, in order.
fn meeting(bot: &str) -> Vec<Value> {
    let lines = [
        ("bot.joining", "2026-01-01T12:00:00Z"),
        ("bot.inmeeting", "2026-01-01T12:00:10Z"),
        ("bot.stopped", "2026-01-01T12:30:00Z"),
        ("transcription.processed", "2026-01-01T12:31:00Z"),
        ("bot.done", "2026-01-01T12:32:00Z"),
    ];
    lines.iter().map(|(name, time)| event(bot, name, time)).collect()
}

/// What a session says, without what differs between two runs of the same deliveries: when they were taken, and as what.
fn essence(session: &Value) -> Value {
    let mut document = session["document"].clone();
    if let Some(entries) = document.pointer_mut("/timeline").and_then(Value::as_array_mut) {
        entries.sort_by_key(|entry| entry["k"].as_str().unwrap_or_default().to_owned());
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.retain(|name, _| name != "a" && name != "r");
        }
    }
    if let Some(document) = document.as_object_mut() {
        document.remove("first_received_at");
        // Errands say since when.
        document.remove("jobs");
        document.remove("copies");
    }
    json!([session["state"], session["outcome"], document])
}

async fn essences(pipeline: &Pipeline, bots: &[String]) -> Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for bot in bots {
        all.insert(
            bot.clone(),
            essence(&pipeline.session(bot).await?.with_context(|| format!("no session of {bot}"))?),
        );
    }
    Ok(all)
}

/// The sessions as they are when nothing goes wrong.
async fn fault_free(bots: &[String], bodies: impl Fn(&str) -> Vec<Value>) -> Result<BTreeMap<String, Value>> {
    let pipeline = Pipeline::start().await?;
    for body in bots.iter().flat_map(|bot| bodies(bot)) {
        pipeline.accept(&body).await?;
    }
    pipeline.drain(SOON).await?;
    let essences = essences(&pipeline, bots).await?;
    pipeline.scratch.remove().await?;
    Ok(essences)
}

/// Keeps the event source mapping going while something else happens. A batch that was begun is finished.
async fn meanwhile<T>(pipeline: &Pipeline, doing: impl Future<Output = Result<T>>) -> Result<T> {
    let is_done = Cell::new(false);
    let doing = async {
        let done = doing.await;
        is_done.set(true);
        done
    };
    let pumping = async {
        while !is_done.get() {
            pipeline.pump().await?;
        }
        anyhow::Ok(())
    };
    let (done, pumped) = tokio::join!(doing, pumping);
    pumped?;
    done
}

fn missing(session: &Value) -> usize {
    session.pointer("/document/missing").and_then(Value::as_array).map_or(0, Vec::len)
}

fn timeline(session: &Value) -> usize {
    session.pointer("/document/timeline").and_then(Value::as_array).map_or(0, Vec::len)
}

fn bots(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("bot-{n}")).collect()
}

/// Everything in the bucket and the queues, for comparing.
async fn everything(pipeline: &Pipeline) -> Result<(Vec<String>, Vec<Value>, Vec<u64>)> {
    let aws = &pipeline.scratch.aws;
    let mut depths = Vec::new();
    for queue in [&pipeline.scratch.queue, &pipeline.scratch.dlq, &pipeline.scratch.commands] {
        let depth = aws.depth(&queue.url).await?;
        depths.extend([depth.visible, depth.in_flight]);
    }
    Ok((aws.objects(&pipeline.scratch.bucket, "").await?, aws.items(&pipeline.scratch.table).await?, depths))
}

/// Puts a body into `parked/`, as the function keeps one.
async fn park(pipeline: &Pipeline, accept_id: &str, received_at: i64, body: &[u8]) -> Result<()> {
    let head = Head {
        accept_id: AcceptId::new(accept_id),
        endpoint: Endpoint::MeetStream,
        delivery_id: None,
        received_at: ReceivedAt(received_at),
    };
    let message = QueueMessage::restored(head, body.to_vec());
    let key = key(Folder::Parked, &provider::peek_message(&message).group, accept_id);
    let put = pipeline.scratch.aws.s3.put_object().bucket(&pipeline.scratch.bucket).key(&key);
    let put = beside_a_delivery(message.head()).into_iter().fold(put, |put, (name, value)| put.metadata(name, value));
    put.metadata("reason", "by_the_test").body(ByteStream::from(body.to_vec())).send().await?;
    Ok(())
}

#[tokio::test]
async fn after_an_outage_one_command_brings_every_session_to_its_fault_free_end() -> Result<()> {
    let bots = bots(4);
    let expected = fault_free(&bots, meeting).await?;
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    // Of two bots the table takes no save at all, so not even the missing deliveries are marked; of the others it refuses one delivery.
    for bot in &bots[..2] {
        pipeline.process_proxy.when(saves().mentioning(bot)).then(Decision::Refuse(Refusal::Internal));
    }
    let refused = saves().mentioning("12:30:00");
    pipeline.process_proxy.when(refused).then(Decision::Refuse(Refusal::Throttled));
    for body in bots.iter().flat_map(|bot| meeting(bot)) {
        pipeline.accept(&body).await?;
    }
    pipeline.drain(Duration::from_secs(120)).await?;
    pipeline.process_proxy.pass_everything();
    assert_eq!(missing(&pipeline.session("bot-3").await?.context("no session")?), 1);

    let parked = operator.list(&["parked", "list"]).await?;
    assert_eq!(parked.len(), 2 * 5 + 2, "{parked:?}");
    assert!(parked.iter().all(|line| line["reason"] == "store_unavailable" && line["refusal"].is_null()), "{parked:?}");
    let of_one = operator.list(&["parked", "list", "--bot", "meetstream", "bot-3"]).await?;
    assert_eq!((of_one.len(), &of_one[0]["event"], &of_one[0]["bot_id"]), (1, &json!("bot.stopped"), &json!("bot-3")));

    let before = everything(&pipeline).await?;
    let dry = operator.run(&["parked", "replay", "--all", "--dry-run"]).await?;
    assert_eq!((dry.code, dry.stdout.lines().count()), (Some(0), 13), "{dry:?}");
    assert!(dry.stdout.ends_with("12 would be put back into the events queue\n"), "{dry:?}");
    assert_eq!(everything(&pipeline).await?, before, "a dry run changes nothing");

    let command = ["parked", "replay", "--all", "--wait", "--timeout", "60"];
    let answer = meanwhile(&pipeline, operator.run(&command)).await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.stdout.starts_with("12 put back into the events queue\nof these: 12 applied"), "{answer:?}");
    assert!(answer.stderr.lines().filter(|line| line.starts_with("put back: meetstream ")).count() == 12, "{answer:?}");
    pipeline.drain(SOON).await?;
    assert_eq!(
        essences(&pipeline, &bots).await?,
        expected,
        "nothing missing, and every session as if nothing had happened"
    );
    assert!(pipeline.kept("").await?.is_empty());

    let again = operator.run(&["parked", "replay", "--all"]).await?;
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "0 put back into the events queue\n"), "{again:?}");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn one_poisoned_bot_among_a_hundred_delays_none_of_the_others() -> Result<()> {
    let bots = bots(100);
    let bodies = |bot: &str| vec![event(bot, "bot.joining", NOON), event(bot, "bot.inmeeting", "2026-01-01T12:00:10Z")];
    // However slow the machine is, nothing comes again for having been waited for.
    let rules = QueueRules { visibility: Duration::from_secs(60), max_receives: 50 };
    let pipeline = Pipeline::with_rules(rules, &[]).await?;
    let operator = Operator::of(&pipeline.scratch)?;
    pipeline.process_proxy.when(saves().mentioning("bot-50\"")).then(Decision::Refuse(Refusal::Internal));
    for body in bots.iter().flat_map(|bot| bodies(bot)) {
        pipeline.accept(&body).await?;
    }
    let batches = pipeline.drain(Duration::from_secs(120)).await?;
    let mut receives = BTreeMap::new();
    for message in batches.iter().flat_map(|batch| &batch.messages).filter(|message| message.deleted) {
        let is_poisoned = message.body.contains(r#""bot-50""#);
        receives.entry(is_poisoned).or_insert_with(Vec::new).push(message.receive_count);
    }
    assert_eq!(receives[&false], vec![1; 198], "none of the others came a second time");
    assert!(receives[&true].iter().all(|count| *count >= 4), "{receives:?}");
    assert_eq!(pipeline.kept("parked/").await?.len(), 2);

    pipeline.process_proxy.pass_everything();
    let command = ["parked", "replay", "--bot", "meetstream", "bot-50", "--wait"];
    let answer = meanwhile(&pipeline, operator.run(&command)).await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    pipeline.drain(SOON).await?;
    assert!(pipeline.kept("").await?.is_empty());
    for bot in &bots {
        let session = pipeline.session(bot).await?.context("no session")?;
        assert_eq!((timeline(&session), missing(&session), &session["state"]), (2, 0, &json!("in_call")), "{bot}");
    }
    pipeline.scratch.remove().await
}

/// Receives whatever is in the events queue and does nothing with it, until the queue gives up on all of it. From then on the
/// queue is patient again.
async fn let_die(pipeline: &Pipeline) -> Result<()> {
    let (sqs, url) = (&pipeline.scratch.aws.sqs, &pipeline.scratch.queue.url);
    let dying = async {
        while !pipeline.scratch.aws.depth(url).await?.is_empty() {
            sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), dying).await??;
    let redrive = json!({"deadLetterTargetArn": pipeline.scratch.dlq.arn, "maxReceiveCount": 50});
    let patient = sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::VisibilityTimeout, "30");
    patient.attributes(QueueAttributeName::RedrivePolicy, redrive.to_string()).send().await?;
    Ok(())
}

#[tokio::test]
async fn dead_letters_come_back_and_every_session_is_at_its_fault_free_end() -> Result<()> {
    let bots = bots(3);
    // More of one bot than a receive can give, and the rest of its group is not handed out while those are in flight ("FIFO queue
    // delivery logic in Amazon SQS": no further message of the group until they are deleted or visible again).
    let bodies = |bot: &str| {
        let more = if bot == "bot-0" { 7 } else { 0 };
        let joining = (0..more).map(|n| event(bot, "bot.joining", &format!("2026-01-01T11:00:0{n}Z")));
        meeting(bot).into_iter().chain(joining).collect::<Vec<_>>()
    };
    let expected = fault_free(&bots, bodies).await?;
    let rules = QueueRules { visibility: Duration::from_secs(1), max_receives: 2 };
    let pipeline = Pipeline::with_rules(rules, &[]).await?;
    let operator = Operator::of(&pipeline.scratch)?;
    for body in bots.iter().flat_map(|bot| bodies(bot)) {
        pipeline.accept(&body).await?;
    }
    let_die(&pipeline).await?;
    assert_eq!(pipeline.scratch.aws.depth(&pipeline.scratch.dlq.url).await?.visible, 22);

    let listed = operator.run(&["dlq", "list", "--json"]).await?;
    let lines: Vec<Value> = serde_json::from_str(&listed.stdout)?;
    assert_eq!(lines.len(), 20, "ten of each bot at most");
    assert!(listed.stderr.contains("about 2 more are behind"), "{listed:?}");
    let before = everything(&pipeline).await?;
    let dry = operator.run(&["dlq", "replay", "--all", "--dry-run"]).await?;
    assert!(dry.code == Some(0) && dry.stdout.ends_with("20 would be put back into the events queue\n"), "{dry:?}");
    assert_eq!(everything(&pipeline).await?, before, "what a list or a dry run has received is given back");

    // One of them by its id, then one bot, then the rest.
    let one =
        lines.iter().find(|line| line["bot_id"] == "bot-2").and_then(|line| line["key"].as_str()).context("none")?;
    let replay = |rest: &[&str]| [&["dlq", "replay"], rest].concat().into_iter().map(str::to_owned).collect::<Vec<_>>();
    for (arguments, count) in [
        (replay(&["--id", one]), 1),
        (replay(&["--id", one]), 0),
        (replay(&["--bot", "meetstream", "bot-0"]), 12),
        (replay(&["--all", "--wait"]), 9),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let answer = meanwhile(&pipeline, operator.run(&arguments)).await?;
        assert!(
            answer.stdout.starts_with(&format!("{count} put back into the events queue\n")),
            "{arguments:?}: {answer:?}"
        );
        assert_eq!(answer.code, Some(if count == 0 { 3 } else { 0 }), "{arguments:?}: {answer:?}");
    }
    pipeline.drain(SOON).await?;
    assert_eq!(essences(&pipeline, &bots).await?, expected);
    assert!(pipeline.scratch.aws.depth(&pipeline.scratch.dlq.url).await?.is_empty());
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn dead_commands_are_sent_to_their_queue_again_and_strangers_stay() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let (sqs, dead) = (&pipeline.scratch.aws.sqs, &pipeline.scratch.commands_dlq.url);
    let job = r#"{"v":1,"command":"job","session":{"provider":"meetstream","id":"b"},"job":"confirm"}"#;
    for text in [job, "dance"] {
        sqs.send_message().queue_url(dead).message_body(text).send().await?;
    }
    let lines = operator.list(&["dlq", "list", "--commands"]).await?;
    assert_eq!(
        lines.iter().filter(|line| line["event"] == "confirm" && line["refusal"].is_null()).count(),
        1,
        "{lines:?}"
    );
    let answer = operator.run(&["dlq", "replay", "--commands", "--all"]).await?;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert_eq!(answer.stdout, "1 put back into the commands queue, 1 cannot be\n");
    assert_eq!(pipeline.scratch.aws.depth(&pipeline.scratch.commands.url).await?.visible, 1);
    let left = operator.list(&["dlq", "list", "--commands"]).await?;
    assert!(left.len() == 1 && left[0]["refusal"].is_string(), "{left:?}");
    let shown =
        operator.run(&["dlq", "show", "--commands", left[0]["key"].as_str().context("no id")?, "--raw"]).await?;
    assert_eq!(shown.stdout, "dance");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_took_effect_already_is_not_done_twice() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let body = event("b", "bot.inmeeting", NOON);
    pipeline.accept(&body).await?;
    pipeline.drain(SOON).await?;
    let before = pipeline.session("b").await?.context("no session")?;
    let accept_id = before.pointer("/document/timeline/0/a").and_then(Value::as_str).context("no accept id")?;
    // As if it had been parked by a function that did not hear the answer to its save.
    let received_at = before.pointer("/document/timeline/0/r").and_then(Value::as_i64).context("no time")?;
    park(&pipeline, accept_id, received_at, body.to_string().as_bytes()).await?;
    let answer = meanwhile(&pipeline, operator.run(&["parked", "replay", "--all", "--wait"])).await?;
    assert_eq!((answer.code, answer.stdout.lines().last()), (Some(0), Some("of these: 1 applied")), "{answer:?}");
    pipeline.drain(SOON).await?;
    assert_eq!(pipeline.session("b").await?, Some(before), "not even written");
    assert!(pipeline.beside("b").await?.is_empty() && pipeline.kept("").await?.is_empty());
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn an_interrupted_replay_loses_nothing_and_another_completes_it() -> Result<()> {
    let calls = [(Service::S3, "CopyObject"), (Service::S3, "DeleteObject"), (Service::Sqs, "SendMessage")];
    // The second removal is that of what the replay had in hand.
    let cuts = calls.into_iter().map(|call| (call, 0)).chain([((Service::S3, "DeleteObject"), 1)]);
    for (((service, operation), skip), after) in cuts.flat_map(|cut| [(cut.clone(), false), (cut, true)]) {
        let case = format!("killed {} the {}. {operation}", if after { "after" } else { "before" }, skip + 1);
        let pipeline = Pipeline::start().await?;
        let bodies = meeting("b");
        for (n, body) in bodies.iter().enumerate() {
            park(&pipeline, &format!("accepted-{n}"), TAKEN_AT, body.to_string().as_bytes()).await?;
        }
        let proxy = FaultProxy::start(&pipeline.scratch.aws.outputs.endpoint_url).await?;
        let rule = proxy.when(Match::operation(service, operation)).skip(skip);
        let hold = if after { rule.hold_after() } else { rule.hold_before() };
        // It reads its outputs file while it starts, so the operator must stay.
        let operator = Operator::through(&pipeline.scratch, proxy.endpoint_url())?;
        let mut command = operator.start(&["parked", "replay", "--all"])?;
        hold.reached(SOON).await.context(case.clone())?;
        command.kill().await?;
        hold.cut();
        proxy.quiet(SOON).await?;
        // What arrived is processed before anybody looks again.
        pipeline.drain(SOON).await?;

        let answer = Operator::of(&pipeline.scratch)?.run(&["parked", "replay", "--all"]).await?;
        assert_eq!(answer.code, Some(0), "{case}: {answer:?}");
        pipeline.drain(SOON).await?;
        assert!(pipeline.kept("").await?.is_empty(), "{case}");
        let session = pipeline.session("b").await?.context(case.clone())?;
        assert_eq!((timeline(&session), &session["state"]), (bodies.len(), &json!("done")), "{case}");
        assert!(pipeline.beside("b").await?.is_empty(), "{case}: what came twice is recognised");
        pipeline.scratch.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_still_unreadable_is_kept_again_and_the_command_says_so() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let unreadable = json!({"bot_id": "b", "said": "\u{1b}]0;owned\u{7}"});
    pipeline.accept(&unreadable).await?;
    pipeline.drain(SOON).await?;
    let lines = operator.list(&["quarantine", "list", "--reason", "no_event_name"]).await?;
    assert_eq!((lines.len(), &lines[0]["bot_id"]), (1, &json!("b")), "{lines:?}");
    assert!(operator.list(&["quarantine", "list", "--reason", "no_bot"]).await?.is_empty());
    let id = lines[0]["accept_id"].as_str().context("no accept id")?;
    let shown = operator.run(&["quarantine", "show", id]).await?;
    assert!(shown.stdout.contains("no_event_name") && shown.stdout.contains("owned"), "{shown:?}");
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    let raw = operator.run(&["quarantine", "show", id, "--raw"]).await?;
    assert_eq!(raw.stdout, unreadable.to_string(), "to the byte");

    // The function keeps it again before the command can remove it from where it was.
    let proxy = FaultProxy::start(&pipeline.scratch.aws.outputs.endpoint_url).await?;
    let hold = proxy.when(Match::operation(Service::S3, "DeleteObject")).skip(1).hold_before();
    let slow = Operator::through(&pipeline.scratch, proxy.endpoint_url())?;
    let command = ["quarantine", "replay", "--all", "--wait", "--timeout", "30"];
    let overtaken = async {
        hold.reached(SOON).await?;
        while pipeline.kept("quarantine/").await?.len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        hold.release();
        anyhow::Ok(())
    };
    let both = async {
        let (answer, overtaken) = tokio::join!(slow.run(&command), overtaken);
        overtaken?;
        answer
    };
    let answer = meanwhile(&pipeline, both).await?;
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.stdout.contains("failed again, in quarantine/"), "{answer:?}");
    assert_eq!(pipeline.kept("quarantine/").await?, [unreadable.to_string().into_bytes()]);
    assert_eq!(operator.run(&["quarantine", "replay", "--key", "no-such"]).await?.code, Some(3));
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_large_body_goes_back_by_claim_and_a_claim_without_its_body_stays() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let mut large = event("large", "bot.inmeeting", NOON);
    large["filler"] = json!("x".repeat(4_000_000));
    park(&pipeline, "accepted-1", TAKEN_AT, large.to_string().as_bytes()).await?;
    let mut lost = event("lost", "bot.inmeeting", NOON);
    lost["filler"] = json!("x".repeat(1_000_000));
    pipeline.accept(&lost).await?;
    let (bucket, s3) = (&pipeline.scratch.bucket, &pipeline.scratch.aws.s3);
    for key in pipeline.scratch.aws.objects(bucket, "claims/").await? {
        s3.delete_object().bucket(bucket).key(key).send().await?;
    }
    pipeline.drain(SOON).await?;

    let answer = operator.run(&["quarantine", "replay", "--reason", "claim_missing"]).await?;
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(1), "0 put back into the events queue, 1 cannot be\n"));
    assert!(answer.stderr.contains("claims/") && answer.stderr.contains("send it anew"), "{answer:?}");
    assert_eq!(pipeline.kept("quarantine/").await?.len(), 1);

    let answer = meanwhile(&pipeline, operator.run(&["parked", "replay", "--all", "--wait"])).await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert_eq!(pipeline.session("large").await?.context("no session")?["state"], "in_call");
    assert!(pipeline.kept("parked/").await?.is_empty());
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn the_spool_is_drained_by_hand_where_no_sweep_runs() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let operator = Operator::of(&pipeline.scratch)?;
    let sends = Match::operation(Service::Sqs, "SendMessage");
    pipeline.ingest_proxy.when(sends.clone()).then(Decision::Refuse(Refusal::Unavailable));
    for body in meeting("b") {
        pipeline.accept(&body).await?;
    }
    let spooled = operator.list(&["spool", "list"]).await?;
    assert!(spooled.len() == 5 && spooled.iter().all(|line| line["reason"] == "queue_unavailable"), "{spooled:?}");

    // While the queue refuses the operator too, nothing moves and the command says why.
    let proxy = FaultProxy::start(&pipeline.scratch.aws.outputs.endpoint_url).await?;
    proxy.when(sends).then(Decision::Cut(Moment::BeforeEffect));
    let refused = Operator::through(&pipeline.scratch, proxy.endpoint_url())?.run(&["spool", "drain", "--all"]).await?;
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (Some(1), "0 put back into the events queue, 5 left where they were\n")
    );
    assert_eq!(pipeline.kept("spool/").await?.len(), 5);

    let answer = meanwhile(&pipeline, operator.run(&["spool", "drain", "--all", "--wait"])).await?;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(pipeline.kept("spool/").await?.is_empty());
    let session = pipeline.session("b").await?.context("no session")?;
    assert_eq!((timeline(&session), &session["state"]), (5, &json!("done")));
    pipeline.scratch.remove().await
}
