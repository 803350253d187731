//! The real binaries over the local AWS, with faults between: what only the whole process can show.

use anyhow::{Context, Result};
use e2e::fault_proxy::{Decision, Match, Moment, Refusal, Service};
use e2e::pipeline::{Pipeline, SECRET, TOKEN, event};
use e2e::runtime_api::{FunctionSpec, Invocation};
use e2e::sender::{BodyEncoding, Delivery};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(20);
const NOON: &str = "2026-01-01T12:00:00Z";

fn saves() -> Match {
    Match::operation(Service::DynamoDb, "PutItem")
}

fn applied(session: &Value) -> usize {
    session.pointer("/document/timeline").and_then(Value::as_array).map_or(0, Vec::len)
}

#[tokio::test]
async fn a_group_costs_one_read_and_one_conditional_write_per_batch() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    for bot in ["a", "b"] {
        for (name, time) in [("bot.joining", "12:00:00"), ("bot.inmeeting", "12:00:10"), ("bot.recording", "12:00:11")]
        {
            pipeline.accept(&event(bot, name, &format!("2026-01-01T{time}Z"))).await?;
        }
    }
    pipeline.process_proxy.forget();
    let batches = pipeline.drain(SOON).await?;
    let groups: usize = batches
        .iter()
        .map(|batch| batch.messages.iter().map(|message| &message.group).collect::<BTreeSet<_>>().len())
        .sum();
    let calls: Vec<_> = pipeline.process_proxy.records().into_iter().map(|record| record.call.operation).collect();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    let bar = "P12: one read, one conditional write and one call for all events of each group of a batch; likely cause of more: \
               a call for each record, a second write, a transaction";
    assert_eq!((count("GetItem"), count("PutItem"), count("PutEvents")), (groups, groups, groups), "{bar}: {calls:?}");
    assert_eq!(calls.len(), 3 * groups, "{bar}, and nothing else: {calls:?}");
    for bot in ["a", "b"] {
        assert_eq!(pipeline.session(bot).await?.context("no session")?["state"], "recording");
    }
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn killed_before_or_after_its_save_it_applies_an_event_once() -> Result<()> {
    for after in [false, true] {
        let pipeline = Pipeline::start().await?;
        pipeline.accept(&event("b", "bot.inmeeting", NOON)).await?;
        let rule = pipeline.process_proxy.when(saves());
        let hold = if after { rule.hold_after() } else { rule.hold_before() };
        let kill = async {
            hold.reached(SOON).await?;
            pipeline.process.kill().await;
            hold.cut();
            anyhow::Ok(())
        };
        let (batch, killed) = tokio::join!(pipeline.pump(), kill);
        killed?;
        let batch = batch?.context("nothing was delivered")?;
        assert!(matches!(batch.invocation, Invocation::Died(_)), "{batch:?}");
        assert_eq!(pipeline.session("b").await?.is_some(), after, "killed {}", if after { "after" } else { "before" });

        pipeline.drain(SOON).await?;
        let session = pipeline.session("b").await?.context("no session")?;
        assert_eq!((applied(&session), &session["state"]), (1, &json!("in_call")));
        assert_eq!(session["version"], 1, "one write, whenever the process died");
        assert!(pipeline.beside("b").await?.is_empty(), "the queue's redelivery is no duplicate of the sender's");
        pipeline.scratch.remove().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_record_that_always_fails_stalls_its_own_group_and_is_parked() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    // The table refuses whatever mentions the bad bot; two good ones go before and after it.
    pipeline.process_proxy.when(saves().mentioning("bad-bot")).then(Decision::Refuse(Refusal::Internal));
    pipeline.accept(&event("good-bot", "bot.joining", NOON)).await?;
    let poison = event("bad-bot", "bot.joining", NOON);
    pipeline.accept(&poison).await?;
    pipeline.accept(&event("good-bot", "bot.inmeeting", "2026-01-01T12:00:01Z")).await?;
    let first = pipeline.pump().await?.context("nothing was delivered")?;
    let left: Vec<_> = first.messages.iter().filter(|message| !message.deleted).map(|message| &message.body).collect();
    assert!(left.len() == 1 && left[0].contains("bad-bot"), "{left:?}");
    assert_eq!(pipeline.session("good-bot").await?.context("no session")?["state"], "in_call");

    let batches = pipeline.drain(Duration::from_secs(40)).await?;
    let receives = batches.iter().flat_map(|batch| &batch.messages).map(|message| message.receive_count).max();
    assert_eq!(receives, Some(4), "parked on its last receive");
    assert_eq!(pipeline.kept("parked/").await?, [poison.to_string().into_bytes()]);
    assert!(pipeline.scratch.aws.take_messages(&pipeline.scratch.dlq.url).await?.is_empty(), "that is for crashes");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_table_that_refuses_for_a_minute_parks_nothing() -> Result<()> {
    // Production's count of receives, and waits shortened so that a minute is long in comparison.
    let settings = [("PARK_AFTER_RECEIVES", "20"), ("RETRY_BASE_SECONDS", "1"), ("RETRY_MAX_SECONDS", "15")];
    let pipeline = Pipeline::with(&settings).await?;
    let bots: Vec<_> = (0..3).map(|n| format!("bot-{n}")).collect();
    for bot in &bots {
        pipeline.accept(&event(bot, "bot.joining", NOON)).await?;
        pipeline.accept(&event(bot, "bot.done", "2026-01-01T12:30:00Z")).await?;
    }
    pipeline.process_proxy.when(Match::service(Service::DynamoDb)).then(Decision::Refuse(Refusal::Throttled));
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if let Some(batch) = pipeline.pump().await? {
            assert!(batch.messages.iter().all(|message| !message.deleted), "{batch:?}");
        }
    }
    pipeline.process_proxy.pass_everything();
    pipeline.drain(Duration::from_secs(60)).await?;
    for bot in &bots {
        let session = pipeline.session(bot).await?.context("no session")?;
        assert_eq!((applied(&session), &session["state"]), (2, &json!("done")));
    }
    assert!(pipeline.kept("").await?.is_empty());
    pipeline.scratch.remove().await
}

fn faults() -> [Decision; 6] {
    [
        Decision::Refuse(Refusal::Internal),
        Decision::Refuse(Refusal::Throttled),
        Decision::Refuse(Refusal::Error(403, "AccessDenied")),
        Decision::Cut(Moment::BeforeEffect),
        Decision::Garbage(Moment::BeforeEffect),
        Decision::Delay(Moment::BeforeEffect, Duration::from_secs(30)),
    ]
}

fn sends() -> Match {
    Match::operation(Service::Sqs, "SendMessage")
}

fn puts() -> Match {
    Match::operation(Service::S3, "PutObject")
}

#[tokio::test]
async fn no_2xx_without_a_store() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let delivery = Delivery::signed(SECRET, event("b", "bot.joining", NOON).to_string());
    for fault in faults() {
        let name = format!("{fault:?}");
        pipeline.ingest_proxy.pass_everything();
        pipeline.ingest_proxy.when(sends()).then(fault.clone());
        pipeline.ingest_proxy.when(puts()).then(fault);
        // The harness waits no longer than the senders that say how long they wait.
        let reply = delivery.invoke(&pipeline.ingest, BodyEncoding::Plain, Duration::from_secs(10)).await?;
        assert_eq!(reply.status, 503, "{name}");
    }
    pipeline.ingest_proxy.pass_everything();
    // What the alarm on lost webhooks counts.
    let lost = pipeline.ingest.json_logs().into_iter().filter(|line| line["NotDurable"] == 1).count();
    assert_eq!(lost, 6, "one for each fault");
    assert_eq!(pipeline.deliver(&delivery).await?, 200, "and it goes on when the stores are back");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn what_the_queue_refuses_is_spooled_and_swept_into_it() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    for (n, fault) in faults().into_iter().enumerate() {
        pipeline.ingest_proxy.pass_everything();
        pipeline.ingest_proxy.when(sends()).then(fault);
        pipeline.accept(&event(&format!("bot-{n}"), "bot.inmeeting", NOON)).await?;
    }
    pipeline.ingest_proxy.pass_everything();
    assert_eq!(pipeline.kept("spool/").await?.len(), 6);
    let spooled =
        pipeline.ingest.json_logs().into_iter().filter(|line| line["storedAs"] == "spooled" && line["Reply"] == "200");
    assert_eq!(spooled.count(), 6);

    // While the queue refuses the sweep too, nothing moves.
    pipeline.process_proxy.when(sends()).then(Decision::Refuse(Refusal::Unavailable));
    assert_eq!(pipeline.sweep().await?, Invocation::Response(json!({"done": "sweep"})), "the next one comes by itself");
    assert_eq!(pipeline.kept("spool/").await?.len(), 6);
    pipeline.process_proxy.pass_everything();

    pipeline.sweep().await?;
    assert!(pipeline.kept("spool/").await?.is_empty());
    pipeline.drain(SOON).await?;
    for n in 0..6 {
        let session = pipeline.session(&format!("bot-{n}")).await?.context("no session")?;
        assert_eq!((applied(&session), &session["state"]), (1, &json!("in_call")));
    }
    let lines: Vec<_> = pipeline.process.json_logs().into_iter().filter(|line| line["Sweeps"].is_number()).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["putBack"], &line["spoolLeft"])).collect();
    assert_eq!(told, [(&json!(0), &json!(6)), (&json!(6), &json!(0))]);
    assert!(lines[0]["RetryAge"].is_number(), "what its alarm looks at: {}", lines[0]);
    assert!(lines[1]["RetryAge"].is_null(), "nothing waits: {}", lines[1]);
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_sweep_that_is_killed_midway_or_runs_twice_changes_nothing() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline.ingest_proxy.when(sends()).then(Decision::Refuse(Refusal::Unavailable));
    for n in 0..4 {
        pipeline.accept(&event("b", "bot.joining", &format!("2026-01-01T12:00:0{n}Z"))).await?;
    }
    // Killed when the queue has a delivery and the spool has it still.
    let hold = pipeline.process_proxy.when(Match::operation(Service::S3, "DeleteObject")).hold_before();
    let kill = async {
        hold.reached(SOON).await?;
        pipeline.process.kill().await;
        hold.cut();
        anyhow::Ok(())
    };
    let (swept, killed) = tokio::join!(pipeline.sweep(), kill);
    killed?;
    assert!(matches!(swept?, Invocation::Died(_)));
    assert!(!pipeline.kept("spool/").await?.is_empty());
    pipeline.drain(SOON).await?;
    // By now the queue would fold nothing: what comes again is recognised by the session.
    pipeline.sweep().await?;
    assert!(pipeline.kept("spool/").await?.is_empty());
    pipeline.drain(SOON).await?;
    let session = pipeline.session("b").await?.context("no session")?;
    assert_eq!((applied(&session), &session["state"]), (4, &json!("joining")));
    assert!(pipeline.beside("b").await?.is_empty(), "no duplicates of our own making");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_body_of_4_mb_is_taken_and_processed() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let body = |name: &str| {
        let mut body = event("b", name, NOON);
        body["filler"] = json!("x".repeat(4_000_000));
        body
    };
    pipeline.accept(&body("bot.inmeeting")).await?;
    // Not even the queue can stop it.
    pipeline.ingest_proxy.when(sends()).then(Decision::Refuse(Refusal::Unavailable));
    pipeline.accept(&body("bot.done")).await?;
    assert_eq!(pipeline.kept("claims/").await?.len(), 2);
    pipeline.sweep().await?;
    pipeline.drain(SOON).await?;
    let session = pipeline.session("b").await?.context("no session")?;
    assert_eq!((applied(&session), &session["state"]), (2, &json!("done")));
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn a_claim_whose_body_is_lost_or_altered_is_quarantined_and_blocks_nothing() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    for bot in ["missing", "altered"] {
        let mut body = event(bot, "bot.inmeeting", NOON);
        body["filler"] = json!("x".repeat(1_000_000));
        pipeline.accept(&body).await?;
        pipeline.accept(&event(bot, "bot.leaving", "2026-01-01T12:30:00Z")).await?;
    }
    let (bucket, s3) = (&pipeline.scratch.bucket, &pipeline.scratch.aws.s3);
    for key in pipeline.scratch.aws.objects(bucket, "claims/").await? {
        let bytes = pipeline.scratch.aws.object(bucket, &key).await?;
        if String::from_utf8_lossy(&bytes).contains("altered") {
            let altered = aws_sdk_s3::primitives::ByteStream::from_static(b"{}");
            s3.put_object().bucket(bucket).key(&key).body(altered).send().await?;
        } else {
            s3.delete_object().bucket(bucket).key(&key).send().await?;
        }
    }
    pipeline.drain(SOON).await?;
    let reasons: BTreeSet<_> = pipeline
        .process
        .json_logs()
        .into_iter()
        .filter(|line| line["Outcome"] == "quarantined")
        .map(|line| line["reason"].to_string())
        .collect();
    assert_eq!(reasons, ["\"claim_altered\"".to_owned(), "\"claim_missing\"".to_owned()].into());
    assert_eq!(pipeline.kept("quarantine/").await?.len(), 2);
    for bot in ["missing", "altered"] {
        assert_eq!(pipeline.session(bot).await?.context("no session")?["state"], "leaving");
    }
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn an_attempt_that_was_cut_off_after_its_effect_leaves_one_message() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    pipeline
        .ingest_proxy
        .when(Match::operation(Service::Sqs, "SendMessage"))
        .times(1)
        .then(Decision::Cut(Moment::AfterEffect));
    pipeline.accept(&event("b", "bot.joining", NOON)).await?;
    let sent = pipeline.ingest_proxy.count(&Match::operation(Service::Sqs, "SendMessage"));
    assert_eq!(sent, 2, "the first answer was lost, so it was sent again");
    let delivered: usize = pipeline.drain(SOON).await?.iter().map(|batch| batch.messages.len()).sum();
    assert_eq!(delivered, 1, "under the same dedup id");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn an_event_that_lambda_http_cannot_convert_takes_nothing_else_down() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let delivery = Delivery::signed(SECRET, event("b", "bot.joining", NOON).to_string());
    let mut broken = delivery.event(BodyEncoding::Base64)?;
    broken["body"] = json!("this is *not* base64");
    let answer = pipeline.ingest.invoke(broken, SOON).await;
    assert!(matches!(answer, Invocation::FunctionError(_)), "{answer:?}");
    let process_id = pipeline.ingest.process_id();
    assert_eq!(pipeline.deliver(&delivery).await?, 200);
    assert_eq!(pipeline.ingest.process_id(), process_id, "the same process");
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn odd_paths_are_answered_like_any_unknown_one() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let delivery = Delivery::signed(SECRET, event("b", "bot.joining", NOON).to_string());
    for path in ["", "//", "/é", "/%00", "/a\u{0}b", "/a?b#c", "*", "/\"<>", "http://x/webhooks/meetstream"] {
        assert_eq!(pipeline.deliver(&delivery.clone().path(path)).await?, 404, "{path:?}");
    }
    assert_eq!(pipeline.deliver(&delivery.path("/webhooks/meetstream/a b")).await?, 401);
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn every_delivery_has_one_line_on_each_side_and_no_line_tells_too_much() -> Result<()> {
    let pipeline = Pipeline::start().await?;
    let mut body = event("b", "bot.stopped", NOON);
    body["message"] = json!("said by Priya Raman");
    body["custom_attributes"] = json!({"tenant": "marker-of-the-tenant"});
    pipeline.accept(&body).await?;
    // The unsigned copy has a group of its own, which SQS may hand out first.
    pipeline.drain(SOON).await?;
    assert_eq!(pipeline.deliver(&Delivery::callback(TOKEN, body.to_string())).await?, 200);
    let nameless = json!({"bot_id": "b", "message": "said by Priya Raman"});
    pipeline.accept(&nameless).await?;
    let forged = Delivery::signed("another secret", body.to_string());
    assert_eq!(pipeline.deliver(&forged).await?, 401);
    pipeline.drain(SOON).await?;

    let lines =
        |logs: Vec<Value>, field: &str| logs.into_iter().filter(|line| line[field].is_string()).collect::<Vec<_>>();
    let ingest = lines(pipeline.ingest.json_logs(), "Reply");
    let replies: Vec<_> = ingest.iter().map(|line| line["Reply"].as_str().unwrap_or_default()).collect();
    assert_eq!(replies, ["200", "200", "200", "401"]);
    let accepted = ingest.first().context("no line")?;
    let process = lines(pipeline.process.json_logs(), "Outcome");
    let outcomes: BTreeSet<_> = process.iter().map(|line| line["Outcome"].as_str().unwrap_or_default()).collect();
    assert_eq!((process.len(), outcomes), (3, BTreeSet::from(["applied", "duplicate", "quarantined"])));
    let done = process.first().context("no line")?;
    assert_eq!(done["deliveryKey"], accepted["deliveryKey"], "both sides name the delivery alike");
    assert_eq!(done["acceptId"], accepted["requestId"]);
    assert_eq!((&done["bot"], &accepted["bot"]), (&json!("meetstream#b"), &json!("meetstream#b")));
    for ordinary in [accepted, done] {
        assert!(ordinary["_aws"].is_null(), "half a line that each delivery would pay for: {ordinary}");
    }

    let everything: Vec<_> =
        pipeline.ingest.logs().into_iter().chain(pipeline.process.logs()).map(|line| line.text).collect();
    let signature = simulator::signature::meetstream(SECRET, body.to_string().as_bytes());
    for secret in [SECRET, TOKEN, "Priya", "marker-of-the-tenant", signature.trim_start_matches("sha256=")] {
        let told: Vec<_> = everything.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{secret}: {told:?}");
    }
    pipeline.scratch.remove().await
}

#[tokio::test]
async fn half_configured_functions_do_not_start() -> Result<()> {
    let cases = [
        ("ingest-fn", "EVENTS_QUEUE_URL", vec![("MEETSTREAM_WEBHOOK_SECRETS", "s")]),
        ("ingest-fn", "MEETSTREAM_WEBHOOK_SECRETS", vec![("EVENTS_QUEUE_URL", "http://127.0.0.1:9/q")]),
        (
            "ingest-fn",
            "BUCKET_NAME",
            vec![("MEETSTREAM_WEBHOOK_SECRETS", "s"), ("EVENTS_QUEUE_URL", "http://127.0.0.1:9/q")],
        ),
        (
            "ingest-fn",
            "resolve",
            vec![
                ("EVENTS_QUEUE_URL", "http://127.0.0.1:9/q"),
                ("MEETSTREAM_WEBHOOK_SECRETS", "{{resolve:secretsmanager:x}}"),
            ],
        ),
        (
            "process-fn",
            "TABLE_NAME",
            vec![("BUCKET_NAME", "b"), ("EVENTS_QUEUE_URL", "u"), ("COMMANDS_QUEUE_URL", "u"), ("EVENT_BUS_NAME", "b")],
        ),
    ];
    for (name, blamed, settings) in cases {
        let mut spec = FunctionSpec::built(name)?;
        for (setting, value) in settings {
            spec = spec.env(setting, value);
        }
        let function = spec.start()?;
        let status = function.exited(SOON).await?;
        assert!(!status.success(), "{name} without {blamed}");
        let logs: Vec<_> = function.logs().into_iter().map(|line| line.text).collect();
        assert!(logs.iter().any(|line| line.contains(blamed) && line.contains("ERROR")), "{name}: {logs:?}");
        assert!(!logs.iter().any(|line| line.contains("secretsmanager")), "{logs:?}");
    }
    Ok(())
}
