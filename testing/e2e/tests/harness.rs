//! The harness against the local AWS and the real Lambda runtime client: the rules that its own fakes cannot check.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use e2e::fault_proxy::{Decision, FaultProxy, Match, Moment, Refusal, Service};
use e2e::local_aws::LocalAws;
use e2e::pump::{Batch, Pump};
use e2e::runtime_api::{Function, FunctionSpec, Invocation};
use e2e::scratch::{QueueRules, Scratch};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

/// This test binary, told to be a function.
fn function() -> Result<Function> {
    let arguments = ["--exact", "is_a_function_when_started_as_one", "--ignored", "--nocapture"];
    FunctionSpec::new(std::env::current_exe()?).arguments(arguments).start()
}

/// Not a test of anything: what `function` starts. It fails the records whose body tells it to.
#[tokio::test]
#[ignore = "started by the other tests as their function"]
async fn is_a_function_when_started_as_one() -> Result<(), lambda_runtime::Error> {
    async fn handle(event: LambdaEvent<Value>) -> Result<Value, lambda_runtime::Error> {
        let Some(records) = event.payload["Records"].as_array() else {
            return match event.payload["error"].as_str() {
                Some(error) => Err(error.into()),
                None => Ok(event.payload),
            };
        };
        let mut failures = Vec::new();
        for record in records {
            let first = record["attributes"]["ApproximateReceiveCount"] == "1";
            match record["body"].as_str().unwrap_or_default() {
                body if body.starts_with("die once") && first => std::process::exit(1),
                body if body.starts_with("fail once") && first => failures.push(record["messageId"].clone()),
                body if body.starts_with("fail always") => failures.push(record["messageId"].clone()),
                _ => {}
            }
        }
        Ok(json!({"batchItemFailures": failures.iter().map(|id| json!({"itemIdentifier": id})).collect::<Vec<_>>()}))
    }
    #[expect(clippy::disallowed_methods, reason = "whether this process is the function or the test")]
    let started_as_one = std::env::var("AWS_LAMBDA_RUNTIME_API").is_ok();
    if started_as_one { lambda_runtime::run(service_fn(handle)).await } else { Ok(()) }
}

async fn scratch(max_receives: u32) -> Result<Scratch> {
    let rules = QueueRules { visibility: Duration::from_secs(1), max_receives };
    Scratch::with_rules(&LocalAws::from_env()?, rules).await
}

async fn send(scratch: &Scratch, group: &str, body: &str) -> Result<()> {
    let message = scratch.aws.sqs.send_message().queue_url(&scratch.queue.url).message_body(body);
    message.message_group_id(group).message_deduplication_id(body.replace(' ', "-")).send().await?;
    Ok(())
}

/// What became of every message, in order: its body, the receive, whether it was deleted.
fn fates(batches: &[Batch]) -> Vec<(&str, u32, bool)> {
    let messages = batches.iter().flat_map(|batch| &batch.messages);
    messages.map(|message| (message.body.as_str(), message.receive_count, message.deleted)).collect()
}

#[tokio::test]
async fn the_real_runtime_client_is_served() -> Result<()> {
    let function = function()?;
    function.ready(SOON).await?;
    let answer = function.invoke(json!({"hello": 1}), SOON).await;
    assert_eq!(answer, Invocation::Response(json!({"hello": 1})));
    let answer = function.invoke(json!({"error": "as told"}), SOON).await;
    let Invocation::FunctionError(error) = answer else { anyhow::bail!("{answer:?}") };
    assert_eq!(error["errorMessage"], "as told");
    Ok(())
}

#[tokio::test]
async fn the_pump_deletes_what_succeeded_and_brings_the_rest_again() -> Result<()> {
    let scratch = scratch(20).await?;
    for (group, body) in [("a", "one"), ("a", "fail once"), ("b", "two")] {
        send(&scratch, group, body).await?;
    }
    let pump = Pump::new(&scratch.aws, &scratch.queue, &function()?);
    let batches = pump.drain(Duration::from_secs(20)).await?;
    let mut fates = fates(&batches);
    fates.sort_unstable();
    assert_eq!(fates, [("fail once", 1, false), ("fail once", 2, true), ("one", 1, true), ("two", 1, true)]);
    let groups = batches.iter().flat_map(|batch| &batch.messages).map(|message| message.group.as_deref());
    assert!(groups.into_iter().all(|group| matches!(group, Some("a" | "b"))));
    scratch.remove().await
}

#[tokio::test]
async fn the_pump_replaces_a_process_that_died() -> Result<()> {
    let scratch = scratch(20).await?;
    send(&scratch, "a", "die once").await?;
    let pump = Pump::new(&scratch.aws, &scratch.queue, &function()?);
    let batches = pump.drain(Duration::from_secs(20)).await?;
    assert_eq!(fates(&batches), [("die once", 1, false), ("die once", 2, true)]);
    assert!(matches!(batches.first().context("no batch")?.invocation, Invocation::Died(_)));
    scratch.remove().await
}

#[tokio::test]
async fn what_always_fails_ends_in_the_dead_letter_queue() -> Result<()> {
    let scratch = scratch(2).await?;
    send(&scratch, "a", "fail always").await?;
    let pump = Pump::new(&scratch.aws, &scratch.queue, &function()?);
    let batches = pump.drain(Duration::from_secs(20)).await?;
    assert_eq!(fates(&batches), [("fail always", 1, false), ("fail always", 2, false)]);
    let dead = scratch.aws.take_messages(&scratch.dlq.url).await?;
    assert_eq!(dead.iter().map(|message| message.body()).collect::<Vec<_>>(), [Some("fail always")]);
    scratch.remove().await
}

#[tokio::test]
async fn the_stores_of_a_scratch_can_be_looked_into() -> Result<()> {
    let scratch = scratch(20).await?;
    let Scratch { aws, table, bucket, .. } = &scratch;
    let put = aws.dynamodb.put_item().table_name(table).item("pk", AttributeValue::S("p".into()));
    put.item("sk", AttributeValue::S("session".into())).item("version", AttributeValue::N("1".into())).send().await?;
    assert_eq!(aws.items(table).await?, [json!({"pk": "p", "sk": "session", "version": 1})]);
    aws.s3.put_object().bucket(bucket).key("parked/a b#/é").body(b"\xff\x00".to_vec().into()).send().await?;
    assert_eq!(aws.objects(bucket, "parked/").await?, ["parked/a b#/é"]);
    assert_eq!(aws.object(bucket, "parked/a b#/é").await?, b"\xff\x00");
    assert!(aws.depth(&scratch.queue.url).await?.is_empty());
    scratch.remove().await
}

#[tokio::test]
async fn the_proxy_names_the_calls_of_the_real_clients_and_changes_nothing() -> Result<()> {
    let scratch = scratch(20).await?;
    let proxy = FaultProxy::start(&scratch.aws.outputs.endpoint_url).await?;
    let aws = scratch.aws.through(proxy.endpoint_url());
    let (table, bucket, queue) = (&scratch.table, &scratch.bucket, &scratch.queue.url);

    let put = || aws.dynamodb.put_item().table_name(table).condition_expression("attribute_not_exists(pk)");
    let put = || put().item("pk", AttributeValue::S("p".into())).item("sk", AttributeValue::S("s".into()));
    put().send().await?;
    let refused = put().send().await.err().context("the condition does not hold")?;
    assert!(refused.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()));
    let key = AttributeValue::S("p".into());
    aws.dynamodb.get_item().table_name(table).key("pk", key).key("sk", AttributeValue::S("s".into())).send().await?;
    let send = aws.sqs.send_message().queue_url(queue).message_body("b").message_group_id("g");
    send.message_deduplication_id("d").send().await?;
    let large = vec![b'x'; 3 * 1024 * 1024];
    aws.s3.put_object().bucket(bucket).key("k").body(large.clone().into()).send().await?;
    assert_eq!(aws.object(bucket, "k").await?, large);
    aws.s3.head_object().bucket(bucket).key("k").send().await?;
    aws.objects(bucket, "").await?;
    aws.s3.delete_object().bucket(bucket).key("k").send().await?;

    let calls: Vec<_> = proxy.records().into_iter().map(|record| record.call.operation).collect();
    let expected =
        [["PutItem", "PutItem", "GetItem", "SendMessage"], ["PutObject", "GetObject", "HeadObject", "ListObjectsV2"]];
    assert_eq!(calls[..8], expected.concat());
    assert_eq!(calls[8..], ["DeleteObject"]);
    assert_eq!(proxy.calls(&Match::service(Service::DynamoDb)).last().and_then(|record| record.effect), Some(200));
    scratch.remove().await
}

#[tokio::test]
async fn the_real_clients_understand_every_refusal() -> Result<()> {
    let scratch = scratch(20).await?;
    let proxy = FaultProxy::start(&scratch.aws.outputs.endpoint_url).await?;
    let aws = scratch.aws.through(proxy.endpoint_url());
    for (refusal, codes) in [
        (Refusal::Throttled, ["ProvisionedThroughputExceededException", "RequestThrottled", "SlowDown"]),
        (Refusal::Internal, ["InternalServerError", "InternalError", "InternalError"]),
        (Refusal::Unavailable, ["ServiceUnavailable"; 3]),
        (Refusal::Error(400, "ValidationException"), ["ValidationException"; 3]),
    ] {
        proxy.when(Match::anything()).then(Decision::Refuse(refusal));
        let get = aws.dynamodb.get_item().table_name(&scratch.table).key("pk", AttributeValue::S("p".into()));
        let error = get.send().await.err().context("refused")?;
        assert_eq!(error.code(), codes.first().copied(), "{refusal:?}: {error:?}");
        let receive = aws.sqs.receive_message().queue_url(&scratch.queue.url).send().await;
        let error = receive.err().context("refused")?;
        assert_eq!(error.code(), codes.get(1).copied(), "{refusal:?}: {error:?}");
        let object = aws.s3.get_object().bucket(&scratch.bucket).key("k").send().await;
        let error = object.err().context("refused")?;
        assert_eq!(error.code(), codes.get(2).copied(), "{refusal:?}: {error:?}");
    }
    proxy.pass_everything();
    scratch.remove().await
}

#[tokio::test]
async fn the_real_clients_see_no_answer_in_a_cut_or_in_garbage() -> Result<()> {
    let scratch = scratch(20).await?;
    let proxy = FaultProxy::start(&scratch.aws.outputs.endpoint_url).await?;
    let aws = scratch.aws.through(proxy.endpoint_url());
    for (number, decision, effects) in [
        ("1", Decision::Cut(Moment::BeforeEffect), 0),
        ("2", Decision::Cut(Moment::AfterEffect), 1),
        ("3", Decision::Garbage(Moment::BeforeEffect), 1),
        ("4", Decision::Garbage(Moment::AfterEffect), 2),
    ] {
        proxy.when(Match::operation(Service::DynamoDb, "PutItem")).then(decision.clone());
        let put = aws.dynamodb.put_item().table_name(&scratch.table).item("pk", AttributeValue::S(number.into()));
        let error = put.item("sk", AttributeValue::S("s".into())).send().await.err().context("no answer")?;
        assert!(error.as_service_error().is_none_or(|error| error.code().is_none()), "{decision:?}: {error:?}");
        assert_eq!(aws.items(&scratch.table).await?.len(), effects, "{decision:?}");
    }
    scratch.remove().await
}
