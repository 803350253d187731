//! What `template.yaml` must say, whatever else it says.
//!
//! Resources are found by their role (the queue a mapping reads, the queue it redrives to), not by name, so that
//! renaming one breaks nothing and dropping one breaks a test.

use anyhow::{Context, Result, ensure};
use e2e::template::{Resource, Statement, Template, branches, points_at};
use serde_json::{Value, json};
use shared::Command;
use std::num::NonZeroU8;

/// An event source mapping on one of the functions.
struct Mapping {
    function: Resource,
    queue: Resource,
    properties: Value,
}

fn mappings(template: &Template) -> Result<Vec<Mapping>> {
    let mut mappings = Vec::new();
    for function in template.of_type("AWS::Serverless::Function") {
        let events = function.property("/Events").as_object().cloned().unwrap_or_default();
        for event in events.values().filter(|event| event["Type"] == "SQS") {
            let properties = event["Properties"].clone();
            let queue = template.target(event.pointer("/Properties/Queue").context("a mapping without a queue")?)?;
            mappings.push(Mapping { function: function.clone(), queue, properties });
        }
    }
    ensure!(mappings.len() == 2, "one mapping for the events queue and one for the commands queue");
    Ok(mappings)
}

fn is_fifo(queue: &Resource) -> bool {
    queue.property("/FifoQueue") == true
}

fn events_queue(template: &Template) -> Result<Resource> {
    let mapping = mappings(template)?.into_iter().find(|mapping| is_fifo(&mapping.queue));
    Ok(mapping.context("no mapping reads a FIFO queue")?.queue)
}

fn commands_queue(template: &Template) -> Result<Resource> {
    let mapping = mappings(template)?.into_iter().find(|mapping| !is_fifo(&mapping.queue));
    Ok(mapping.context("no mapping reads a standard queue")?.queue)
}

fn dead_letter_queue(template: &Template, queue: &Resource) -> Result<Resource> {
    template.target(queue.property("/RedrivePolicy/deadLetterTargetArn"))
}

/// The function behind the URL.
fn ingest(template: &Template) -> Result<Resource> {
    let functions = template.of_type("AWS::Serverless::Function").into_iter();
    let [ingest] =
        &functions.filter(|function| !function.property("/FunctionUrlConfig").is_null()).collect::<Vec<_>>()[..]
    else {
        anyhow::bail!("exactly one function has a URL");
    };
    Ok(ingest.clone())
}

/// The function behind the queues.
fn process(template: &Template) -> Result<Resource> {
    let mut mappings = mappings(template)?.into_iter();
    let process = mappings.next().context("no mapping")?.function;
    ensure!(mappings.all(|mapping| mapping.function.id == process.id), "one function is behind both queues");
    Ok(process)
}

fn only(template: &Template, kind: &str) -> Result<Resource> {
    let [resource] = &template.of_type(kind)[..] else { anyhow::bail!("exactly one {kind}") };
    Ok(resource.clone())
}

/// What a function may do.
fn statements_of(template: &Template, function: &Resource) -> Vec<Statement> {
    let role = points_at(function.property("/Role")).unwrap_or_default().to_owned();
    let statements = template.statements().into_iter();
    statements.filter(|statement| statement.holder == role || statement.holder == function.id).collect()
}

#[test]
fn there_are_two_functions_and_two_queues_with_their_dead_letter_queues() -> Result<()> {
    let template = Template::load()?;
    assert_eq!(template.of_type("AWS::Serverless::Function").len(), 2);
    assert_eq!(template.of_type("AWS::SQS::Queue").len(), 4);
    assert_ne!(ingest(&template)?.id, process(&template)?.id);
    Ok(())
}

#[test]
fn the_events_queue_is_fifo_per_bot_and_takes_large_messages() -> Result<()> {
    let template = Template::load()?;
    let queue = events_queue(&template)?;
    assert_eq!(queue.property("/DeduplicationScope"), "messageGroup");
    assert_eq!(queue.property("/FifoThroughputLimit"), "perMessageGroupId");
    assert_eq!(queue.property("/MaximumMessageSize"), 1_048_576);
    assert_eq!(dead_letter_queue(&template, &queue)?.property("/MaximumMessageSize"), 1_048_576);
    assert_ne!(queue.property("/ContentBasedDeduplication"), true, "the body does not decide what is the same");
    Ok(())
}

#[test]
fn each_dead_letter_queue_is_of_its_queues_type_and_keeps_longer() -> Result<()> {
    let template = Template::load()?;
    for queue in [events_queue(&template)?, commands_queue(&template)?] {
        let dlq = dead_letter_queue(&template, &queue)?;
        assert_eq!(is_fifo(&dlq), is_fifo(&queue), "{}", dlq.id);
        let kept = template.number(queue.property("/MessageRetentionPeriod"))?;
        let kept_dead = template.number(dlq.property("/MessageRetentionPeriod"))?;
        assert!(kept_dead > kept, "{} keeps {kept_dead} s, {} {kept} s", dlq.id, queue.id);
        assert!(dlq.property("/RedrivePolicy").is_null(), "{} is the end", dlq.id);
    }
    Ok(())
}

#[test]
fn parking_comes_before_the_dead_letter_queue() -> Result<()> {
    let template = Template::load()?;
    let receives = template.number(events_queue(&template)?.property("/RedrivePolicy/maxReceiveCount"))?;
    let parks_after = process(&template)?.property("/Environment/Variables/PARK_AFTER_RECEIVES").clone();
    assert!(template.number(&parks_after)? < receives);
    let parameter = points_at(&parks_after).context("a parameter")?;
    let most = template.number(template.get(&format!("/Parameters/{parameter}/MaxValue")))?;
    assert!(most < receives, "{parameter} may be {most}, and the queue gives up after {receives}");
    Ok(())
}

#[test]
fn the_timeout_and_the_visibility_are_parameters() -> Result<()> {
    let template = Template::load()?;
    for value in [process(&template)?.property("/Timeout"), events_queue(&template)?.property("/VisibilityTimeout")] {
        let parameter = points_at(value).context("not a parameter")?;
        assert!(template.get(&format!("/Parameters/{parameter}/Default")).is_number(), "{parameter}");
    }
    Ok(())
}

#[test]
fn both_mappings_report_failures_record_by_record_and_are_capped() -> Result<()> {
    let template = Template::load()?;
    for Mapping { queue, properties, .. } in mappings(&template)? {
        assert_eq!(properties["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{}", queue.id);
        let concurrency = template.number(&properties["ScalingConfig"]["MaximumConcurrency"])?;
        assert!((2..=1000).contains(&concurrency), "{}: {concurrency}", queue.id);
        assert!(properties["MaximumBatchingWindowInSeconds"].is_null(), "{}: waiting helps nobody", queue.id);
        assert_ne!(properties["Enabled"], false, "{}", queue.id);
        let batch = template.number(&properties["BatchSize"])?;
        assert!(
            (1..=10).contains(&batch),
            "{}: FIFO batches hold at most 10, and more commands would not fit the memory",
            queue.id
        );
    }
    Ok(())
}

#[test]
fn processing_leaves_concurrency_for_ingest_in_a_new_account() -> Result<()> {
    let template = Template::load()?;
    let mut capped = 0;
    for mapping in mappings(&template)? {
        capped += template.number(&mapping.properties["ScalingConfig"]["MaximumConcurrency"])?;
    }
    // And one for the sweep, which ends before the next begins.
    capped += 1;
    assert!(capped < 10, "a new account has 10, and processing may take {capped}");
    assert!(
        process(&template)?.property("/ReservedConcurrentExecutions").is_null(),
        "less than the caps burns receives"
    );
    Ok(())
}

#[test]
fn reserved_concurrency_of_ingest_is_a_parameter_and_off_by_default() -> Result<()> {
    let template = Template::load()?;
    let ingest = ingest(&template)?;
    let reserved = ingest.property("/ReservedConcurrentExecutions");
    let parts = reserved["Fn::If"].as_array().context("it must be optional")?;
    assert_eq!(parts.get(2), Some(&json!({"Ref": "AWS::NoValue"})));
    let parameter = parts.get(1).and_then(points_at).context("not a parameter")?;
    assert_eq!(template.get(&format!("/Parameters/{parameter}/Default")), 0);
    Ok(())
}

#[test]
fn the_public_url_hangs_on_the_published_alias() -> Result<()> {
    let template = Template::load()?;
    assert_eq!(ingest(&template)?.property("/FunctionUrlConfig/AuthType"), "NONE");
    for function in template.of_type("AWS::Serverless::Function") {
        assert_eq!(function.property("/AutoPublishAlias"), "live", "{}", function.id);
    }
    assert!(template.of_type("AWS::Lambda::Url").is_empty(), "a hand-written URL misses one of its permissions");
    Ok(())
}

#[test]
fn functions_are_built_for_a_chosen_architecture() -> Result<()> {
    let template = Template::load()?;
    for function in template.of_type("AWS::Serverless::Function") {
        assert_eq!(function.property("/Runtime"), "provided.al2023");
        assert_eq!(function.attribute("Metadata")["BuildMethod"], "rust-cargolambda", "{}", function.id);
        let architecture = branches(function.property("/Architectures"));
        let parameter = architecture.first().and_then(|value| points_at(value)).context("not a parameter")?;
        assert_eq!(template.get(&format!("/Parameters/{parameter}/AllowedValues")), &json!(["x86_64", "arm64"]));
        assert!(points_at(function.property("/MemorySize")).is_some(), "{}: memory is a parameter", function.id);
    }
    Ok(())
}

#[test]
fn functions_log_json_into_groups_that_expire() -> Result<()> {
    let template = Template::load()?;
    for function in template.of_type("AWS::Serverless::Function") {
        assert_eq!(function.property("/LoggingConfig/LogFormat"), "JSON", "{}", function.id);
        assert_eq!(function.property("/LoggingConfig/SystemLogLevel"), "WARN", "{}", function.id);
        let group = template.target(function.property("/LoggingConfig/LogGroup"))?;
        assert!(template.number(group.property("/RetentionInDays"))? > 0, "{}", group.id);
    }
    Ok(())
}

#[test]
fn an_unset_endpoint_is_declared_for_local_runs() -> Result<()> {
    let template = Template::load()?;
    for function in template.of_type("AWS::Serverless::Function") {
        let endpoint = function.property("/Environment/Variables/AWS_ENDPOINT_URL");
        assert_eq!(template.by_default(endpoint), "", "{}", function.id);
    }
    Ok(())
}

#[test]
fn the_table_survives_mistakes_and_expires_items() -> Result<()> {
    let template = Template::load()?;
    let table = only(&template, "AWS::DynamoDB::Table")?;
    assert_retained(&table);
    assert_eq!(table.property("/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"), true);
    let ttl = json!({"AttributeName": "expires_at", "Enabled": true});
    assert_eq!(table.property("/TimeToLiveSpecification"), &ttl);
    assert_eq!(table.property("/BillingMode"), "PAY_PER_REQUEST");
    Ok(())
}

#[test]
fn the_table_has_the_keys_and_indexes_the_code_uses() -> Result<()> {
    let template = Template::load()?;
    let table = only(&template, "AWS::DynamoDB::Table")?;
    assert_eq!(table.property("/KeySchema"), &keys("pk", "sk"));
    let indexes = branches(table.property("/GlobalSecondaryIndexes"));
    assert_eq!(indexes.len(), 2);
    for (name, hash, range) in [("by_first_seen", "day", "first_at"), ("by_due", "due_shard", "due_at")] {
        let index = indexes.iter().find(|index| index["IndexName"] == name).with_context(|| format!("no {name}"))?;
        assert_eq!(index["KeySchema"], keys(hash, range), "{name}");
        assert_eq!(index["Projection"]["ProjectionType"], "KEYS_ONLY", "{name}: every write bills what is projected");
    }
    let types = branches(table.property("/AttributeDefinitions"));
    for (attribute, kind) in
        [("pk", "S"), ("sk", "S"), ("day", "S"), ("first_at", "N"), ("due_shard", "S"), ("due_at", "N")]
    {
        let expected = json!({"AttributeName": attribute, "AttributeType": kind});
        assert!(types.contains(&&expected), "{attribute}");
    }
    Ok(())
}

fn keys(hash: &str, range: &str) -> Value {
    json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}])
}

#[test]
fn the_bucket_survives_mistakes_and_is_private() -> Result<()> {
    let template = Template::load()?;
    let bucket = only(&template, "AWS::S3::Bucket")?;
    assert_retained(&bucket);
    for switch in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(bucket.property(&format!("/PublicAccessBlockConfiguration/{switch}")), true, "{switch}");
    }
    Ok(())
}

fn assert_retained(resource: &Resource) {
    // A first creation that fails must leave nothing behind, or it could not be repeated.
    for (policy, expected) in [("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")] {
        assert_eq!(resource.attribute(policy), expected, "{} {policy}", resource.id);
    }
}

#[test]
fn the_bucket_is_reached_over_tls_only() -> Result<()> {
    let template = Template::load()?;
    let bucket = only(&template, "AWS::S3::Bucket")?.id;
    let policy = only(&template, "AWS::S3::BucketPolicy")?;
    assert_eq!(points_at(policy.property("/Bucket")), Some(bucket.as_str()));
    let statements = branches(policy.property("/PolicyDocument/Statement"));
    let everything = [json!({"Fn::GetAtt": [bucket, "Arn"]}), json!({"Fn::Sub": format!("${{{bucket}.Arn}}/*")})];
    let refuses_plain_http = |statement: &&Value| {
        let resources = branches(&statement["Resource"]);
        statement["Effect"] == "Deny"
            && statement["Principal"] == "*"
            && statement["Action"] == "s3:*"
            && statement["Condition"] == json!({"Bool": {"aws:SecureTransport": "false"}})
            && everything.iter().all(|resource| resources.contains(&resource))
    };
    assert!(statements.iter().any(refuses_plain_http));
    assert!(statements.iter().all(|statement| statement["Effect"] == "Deny"), "roles grant, the bucket only refuses");
    Ok(())
}

#[test]
fn nothing_parked_or_spooled_ever_expires() -> Result<()> {
    let template = Template::load()?;
    let bucket = only(&template, "AWS::S3::Bucket")?;
    let mut quarantine_expires = false;
    for rule in branches(bucket.property("/LifecycleConfiguration/Rules")) {
        let expires = ["ExpirationInDays", "ExpirationDate", "NoncurrentVersionExpiration"];
        if expires.iter().all(|way| rule[way].is_null()) {
            continue;
        }
        let prefix = rule["Prefix"].as_str().unwrap_or_default();
        quarantine_expires |=
            prefix == "quarantine/" && rule["ExpirationInDays"] == json!({"Ref": "QuarantineRetentionDays"});
        for kept in ["parked/", "spool/"] {
            assert!(!kept.starts_with(prefix) && !prefix.starts_with(kept), "{rule} deletes from {kept}");
        }
    }
    assert!(quarantine_expires, "what nobody can read is kept as long as its parameter says");
    Ok(())
}

#[test]
fn what_outlives_a_deletion_runs_out_as_claimed() -> Result<()> {
    let template = Template::load()?;
    let days_in =
        |queue: &Resource| -> Result<u64> { Ok(template.number(queue.property("/MessageRetentionPeriod"))? / 86_400) };
    let (events, commands) = (events_queue(&template)?, commands_queue(&template)?);
    let dead = [dead_letter_queue(&template, &events)?, dead_letter_queue(&template, &commands)?];
    assert_eq!((days_in(&events)?, days_in(&dead[0])?), (days_in(&commands)?, days_in(&dead[1])?));
    let past = only(&template, "AWS::DynamoDB::Table")?;
    let past = template.number(past.property("/PointInTimeRecoverySpecification/RecoveryPeriodInDays"))?;
    let bucket = only(&template, "AWS::S3::Bucket")?;
    assert!(bucket.property("/VersioningConfiguration").is_null(), "a version would outlive its deletion for ever");
    assert!(
        bucket.property("/ReplicationConfiguration").is_null() && template.of_type("AWS::Events::Archive").is_empty()
    );
    let rules = branches(bucket.property("/LifecycleConfiguration/Rules"));
    let parts: Vec<_> = rules.iter().filter_map(|rule| rule.pointer("/AbortIncompleteMultipartUpload")).collect();
    let [parts] = parts.as_slice() else { anyhow::bail!("one rule undoes uploads") };
    let parameter = |name: &str| template.number(&json!({ "Ref": name }));
    let claims = std::fs::read_to_string(e2e::workspace().join("docs/CLAIMS.md"))?;
    for (what, days) in [
        ("the table's past, by point-in-time recovery", past),
        ("messages in the events and commands queues", days_in(&events)?),
        ("messages in the dead-letter queues", days_in(&dead[0])?),
        ("parts of uploads that broke off", template.number(&parts["DaysAfterInitiation"])?),
        ("unreadable bodies that name no bot, in `quarantine/`", parameter("QuarantineRetentionDays")?),
        ("log lines", parameter("LogRetentionDays")?),
        ("the tombstone", parameter("SessionRetentionDays")?),
    ] {
        let row = format!("| {what} | {days} days");
        assert!(claims.lines().any(|line| line.starts_with(&row)), "docs/CLAIMS.md does not say: {row}");
    }
    Ok(())
}

#[test]
fn deliveries_are_parked_long_before_the_queue_forgets_them() -> Result<()> {
    let template = Template::load()?;
    let greatest = |parameter: &str| template.number(template.get(&format!("/Parameters/{parameter}/MaxValue")));
    let waits = greatest("RetryMaxSeconds")? * greatest("ParkAfterReceives")?;
    let retention = template.number(events_queue(&template)?.property("/MessageRetentionPeriod"))?;
    assert!(waits * 4 <= retention, "{waits} s of waiting, {retention} s of retention");
    Ok(())
}

#[test]
fn no_right_is_wider_than_aws_demands() -> Result<()> {
    let template = Template::load()?;
    let statements = template.statements();
    assert!(!statements.is_empty());
    for Statement { holder, actions, resources, .. } in &statements {
        assert!(!actions.iter().any(|action| action.contains('*')), "{holder}: {actions:?}");
        // X-Ray has no resources to name.
        let needs_any = actions.iter().all(|action| action.starts_with("xray:Put"));
        for resource in resources {
            assert!(needs_any || !is_too_wide(resource), "{holder}: {actions:?} on {resource}");
        }
        assert!(!resources.is_empty(), "{holder}: {actions:?} on nothing");
    }
    for role in template.of_type("AWS::IAM::Role") {
        assert!(role.property("/ManagedPolicyArns").is_null(), "{}: managed policies are wider than needed", role.id);
    }
    for function in template.of_type("AWS::Serverless::Function") {
        assert!(!statements_of(&template, &function).is_empty(), "{} has no rights of its own", function.id);
        let policies = branches(function.property("/Policies"));
        assert!(policies.iter().all(|policy| !policy["Statement"].is_null()), "{}: written out, please", function.id);
    }
    Ok(())
}

/// A star may stand only for objects below a prefix of a bucket, or for the streams of a log group.
fn is_too_wide(resource: &Value) -> bool {
    let text = resource["Fn::Sub"].as_str().or(resource.as_str()).unwrap_or_default();
    let Some(named) = text.strip_suffix('*') else { return text.contains('*') };
    let below_a_prefix = named.rsplit_once(".Arn}/").is_some_and(|(_, prefix)| !prefix.is_empty());
    let streams = named.ends_with("LogGroup.Arn}:");
    named.contains('*') || !(below_a_prefix || streams)
}

#[test]
fn ingest_can_only_write_where_deliveries_become_durable() -> Result<()> {
    let template = Template::load()?;
    let queue = events_queue(&template)?.id;
    for statement in statements_of(&template, &ingest(&template)?) {
        for action in &statement.actions {
            let service = action.split(':').next().unwrap_or_default();
            assert!(["sqs", "s3", "logs", "xray"].contains(&service), "{action}");
            if service == "sqs" {
                let only_the_queue = statement.resources.iter().all(|resource| points_at(resource) == Some(&queue));
                assert!(only_the_queue, "{action} on {:?}", statement.resources);
            }
        }
    }
    Ok(())
}

#[test]
fn process_deletes_only_what_a_deletion_or_the_spool_asks_for() -> Result<()> {
    let template = Template::load()?;
    let statements = statements_of(&template, &process(&template)?);
    let folders = ["meetstream", "meetingbaas", "spool", "claims", "parked", "quarantine"];
    for statement in &statements {
        if statement.actions.iter().any(|action| action.starts_with("s3:Delete")) {
            let known = |resource: &Value| {
                let arn = resource["Fn::Sub"].as_str().unwrap_or_default();
                folders.iter().any(|folder| arn.ends_with(&format!(".Arn}}/{folder}/*")))
            };
            assert!(statement.resources.iter().all(known), "{:?}", statement.resources);
        }
        assert!(!statement.actions.iter().any(|action| action == "dynamodb:DeleteTable" || action == "dynamodb:Scan"));
    }
    let may = |wanted: &str| statements.iter().any(|statement| statement.actions.iter().any(|action| action == wanted));
    let needed = [
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "sqs:ChangeMessageVisibility",
        "sqs:SendMessage",
        "s3:PutObject",
        "s3:GetObject",
        "s3:DeleteObject",
        "s3:ListBucket",
        "s3:PutObjectTagging",
        "s3:AbortMultipartUpload",
        "dynamodb:Query",
        "dynamodb:DeleteItem",
        "events:PutEvents",
    ];
    for needed in needed {
        assert!(may(needed), "{needed}");
    }
    Ok(())
}

#[test]
fn the_sweep_is_invoked_every_minute_in_words_that_the_code_reads_and_never_made_up_for() -> Result<()> {
    let template = Template::load()?;
    let schedule = only(&template, "AWS::Scheduler::Schedule")?;
    assert_eq!(schedule.property("/ScheduleExpression"), "rate(1 minute)");
    assert_ne!(schedule.property("/State"), "DISABLED");
    let process = process(&template)?;
    assert_eq!(schedule.property("/Target/Arn"), &json!({"Ref": format!("{}.Alias", process.id)}));
    // The schedule's own attempts to invoke, and Lambda's to carry out what was taken.
    for (what, retries) in [(&schedule, "/Target/RetryPolicy"), (&process, "/EventInvokeConfig")] {
        assert_eq!(what.property(&format!("{retries}/MaximumRetryAttempts")), 0);
        assert_eq!(what.property(&format!("{retries}/MaximumEventAgeInSeconds")), 60);
    }
    let input = schedule.property("/Target/Input").as_str().context("the schedule says nothing")?;
    let sweep = Command::Sweep { spool_every_minutes: NonZeroU8::new(5) };
    assert_eq!(Command::from_value(serde_json::from_str(input)?)?, sweep);
    let role = template.target(schedule.property("/Target/RoleArn"))?.id;
    let statements = template.statements();
    let may = |statement: &&Statement| statement.holder == role && statement.actions == ["lambda:InvokeFunction"];
    let allowed = statements.iter().find(may).context("it may not invoke")?;
    assert!(allowed.resources.iter().all(|resource| resource == schedule.property("/Target/Arn")));
    Ok(())
}

#[test]
fn claims_outlive_every_message_that_has_one() -> Result<()> {
    let template = Template::load()?;
    let events = events_queue(&template)?;
    let mut waits = 0;
    for queue in [dead_letter_queue(&template, &events)?, events] {
        waits += template.number(queue.property("/MessageRetentionPeriod"))?;
    }
    let bucket = only(&template, "AWS::S3::Bucket")?;
    let rules = branches(bucket.property("/LifecycleConfiguration/Rules"));
    let claims = rules.iter().find(|rule| rule["Prefix"] == "claims/").context("claims never expire")?;
    let parameter = points_at(&claims["ExpirationInDays"]).context("not a parameter")?;
    let days = |bound: &str| template.number(template.get(&format!("/Parameters/{parameter}/{bound}")));
    assert!(days("MinValue")? * 86_400 > waits, "a message waits for {waits} s");
    assert!(days("Default")? * 86_400 > 2 * waits, "and as long again after a redrive");
    Ok(())
}

#[test]
fn secrets_are_references_resolved_while_deploying() -> Result<()> {
    let template = Template::load()?;
    let mut found = 0;
    for function in template.of_type("AWS::Serverless::Function") {
        let variables = function.property("/Environment/Variables").as_object().cloned().unwrap_or_default();
        for (name, value) in variables {
            let secret = ["SECRET", "TOKEN", "API_KEY", "PASSWORD"].iter().any(|word| name.contains(word));
            let text = value["Fn::Sub"].as_str().or(value.as_str()).unwrap_or_default();
            if secret {
                found += 1;
                assert!(text.starts_with("{{resolve:secretsmanager:"), "{name} is {value}");
                assert!(text.ends_with("::${SecretVersionId}}}"), "{name}: without the version a rotation is not seen");
            } else {
                assert!(!text.contains("{{resolve:"), "{name} carries a secret under a harmless name");
            }
        }
    }
    assert!(found >= 2, "webhook secrets and callback tokens");
    assert!(template.get("/Parameters/SecretVersionId/Default").is_null(), "which version must be said");
    for (name, parameter) in template.section("Parameters") {
        assert!(parameter["NoEcho"].is_null(), "{name}: a secret is no parameter");
    }
    Ok(())
}

#[test]
fn outputs_name_everything_and_give_no_secret_away() -> Result<()> {
    let template = Template::load()?;
    let outputs = template.section("Outputs");
    for (name, output) in &outputs {
        let value = output["Value"].to_string().to_lowercase();
        for word in ["resolve:", "token", "secretstring"] {
            assert!(!value.contains(word) && !name.to_lowercase().contains(word), "{name} tells the {word}");
        }
        assert!(output["Description"].is_string(), "{name} is not described");
    }
    let named = |id: &str| outputs.iter().any(|(_, output)| points_at(&output["Value"]) == Some(id));
    for queue in template.of_type("AWS::SQS::Queue") {
        assert!(named(&queue.id), "no output for {}", queue.id);
    }
    for kind in ["AWS::DynamoDB::Table", "AWS::S3::Bucket"] {
        assert!(named(&only(&template, kind)?.id), "no output for the {kind}");
    }
    let urls = outputs.iter().filter(|(_, output)| output["Value"].to_string().contains("webhooks/meetstream"));
    assert_eq!(urls.count(), 1, "the signed route");
    Ok(())
}

#[test]
fn somebody_is_told() -> Result<()> {
    let template = Template::load()?;
    let (ingest, process, events) = (ingest(&template)?, process(&template)?, events_queue(&template)?);
    let dead = dead_letter_queue(&template, &events)?;
    for (metric, about) in [
        ("ApproximateNumberOfMessagesVisible", Some(&dead)),
        ("ApproximateAgeOfOldestMessage", Some(&events)),
        ("Errors", Some(&ingest)),
        ("Throttles", Some(&ingest)),
        ("Errors", Some(&process)),
        ("NotDurable", None),
        ("RetryAge", None),
        ("Sweeps", None),
        ("SetAside", None),
    ] {
        let about = about.map(|resource| resource.id.as_str());
        let alarms = template.of_type("AWS::CloudWatch::Alarm").into_iter();
        let found = alarms.filter(|alarm| alarm.property("/MetricName") == metric).any(|alarm| {
            let dimensions = branches(alarm.property("/Dimensions"));
            let names = dimensions.iter().filter_map(|dimension| points_at(&dimension["Value"])).collect::<Vec<_>>();
            about.is_none_or(|id| names.contains(&id))
        });
        assert!(found, "no alarm on {metric} of {about:?}");
    }
    Ok(())
}

#[test]
fn every_alarm_reaches_the_topic_and_stays_quiet_without_data() -> Result<()> {
    let template = Template::load()?;
    let topic = only(&template, "AWS::SNS::Topic")?.id;
    let alarms = template.of_type("AWS::CloudWatch::Alarm");
    assert!(alarms.len() <= 10, "ten alarms are free");
    for alarm in alarms {
        let tells = |kind: &str| branches(alarm.property(kind)).iter().any(|action| points_at(action) == Some(&topic));
        assert!(tells("/AlarmActions") && tells("/OKActions"), "{} tells nobody", alarm.id);
        // Of the schedule alone silence means that it does not work. Silence is told there as a state of its own, which a new
        // stack begins in: as breaching data it would put a new stack into alarm.
        let of_silence = alarm.property("/MetricName") == "Sweeps";
        let silence = if of_silence { "missing" } else { "notBreaching" };
        assert_eq!(alarm.property("/TreatMissingData"), silence, "{}", alarm.id);
        assert_eq!(tells("/InsufficientDataActions"), of_silence, "{}", alarm.id);
        assert!(alarm.property("/AlarmDescription").is_string(), "{}", alarm.id);
    }
    Ok(())
}

#[test]
fn what_the_runbook_asks_the_log_is_saved() -> Result<()> {
    let template = Template::load()?;
    let runbook = std::fs::read_to_string(e2e::workspace().join("docs/RUNBOOK.md"))?;
    let queries = template.of_type("AWS::Logs::QueryDefinition");
    assert!(!queries.is_empty());
    for query in queries {
        let name = query.property("/Name/Fn::Sub").as_str().context("no name")?.replace("${AWS::StackName}/", "");
        assert!(runbook.contains(&format!("`{name}`")), "the runbook does not name the query {name}");
    }
    for alarm in template.of_type("AWS::CloudWatch::Alarm") {
        assert!(
            runbook.contains(&format!("### {}\n", alarm.id)),
            "the runbook does not say what to do about {}",
            alarm.id
        );
    }
    Ok(())
}

#[test]
fn every_parameter_is_described() -> Result<()> {
    for (name, parameter) in Template::load()?.section("Parameters") {
        assert!(parameter["Description"].is_string(), "{name} is not described");
    }
    Ok(())
}

/// A stack that serves senders cannot have it by accident: without TLS there is no AWS behind the endpoint.
#[test]
fn only_a_local_stack_downloads_from_private_addresses() -> Result<()> {
    let template = Template::load()?;
    let allowed = process(&template)?.property("/Environment/Variables/ALLOW_LOCAL_DOWNLOADS").clone();
    assert_eq!(allowed, json!({"Fn::If": ["IsLocal", "true", "false"]}));
    let is_local = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "AwsEndpointUrl"}, ""]}]});
    assert_eq!(template.get("/Conditions/IsLocal"), &is_local);
    assert_eq!(template.get("/Parameters/AwsEndpointUrl/Default"), "");
    assert_eq!(template.get("/Parameters/AwsEndpointUrl/AllowedPattern"), "(http://.+)?");
    for function in [ingest(&template)?, process(&template)?] {
        let endpoint = function.property("/Environment/Variables/AWS_ENDPOINT_URL");
        assert_eq!(points_at(endpoint), Some("AwsEndpointUrl"), "{}", function.id);
    }
    Ok(())
}
