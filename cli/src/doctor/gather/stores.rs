//! The table and the bucket.

use crate::doctor::asking::{lookup, statements};
use crate::{
    doctor::facts::{Lookup, Rule, TableDescription},
    stack::Stack,
};
use aws_sdk_dynamodb::types::{IndexStatus, PointInTimeRecoveryStatus, TimeToLiveStatus};
use aws_sdk_s3::types::{BucketVersioningStatus, ExpirationStatus, LifecycleRule};
use serde_json::Value;

/// What was found, unless the local AWS has lost it on the way from the template to the resource.
fn unless_lost<T>(stack: &Stack, is_lost: bool, what: &'static str, found: Lookup<T>) -> Lookup<T> {
    if is_lost && stack.aws.is_local() { Lookup::NotLocally(what) } else { found }
}

pub(super) async fn description(stack: &Stack, client: &aws_sdk_dynamodb::Client) -> Lookup<TableDescription> {
    let answer = client.describe_table().table_name(&stack.table).send().await;
    let found = lookup(&stack.aws, "describing the table", "describe tables", answer);
    found.and_then(|found| found.table).map(|table| {
        let is_active = |status: Option<&IndexStatus>| status.is_none_or(|status| *status == IndexStatus::Active);
        let indexes = table.global_secondary_indexes().iter().filter(|index| is_active(index.index_status()));
        TableDescription {
            status: table.table_status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            is_protected: table.deletion_protection_enabled().unwrap_or_default(),
            key: table.sse_description().and_then(|sse| sse.sse_type()).map(|kind| kind.as_str().to_owned()),
            indexes: indexes.filter_map(|index| index.index_name().map(str::to_owned)).collect(),
        }
    })
}

pub(super) async fn ttl(stack: &Stack, client: &aws_sdk_dynamodb::Client) -> Lookup<Option<String>> {
    let answer = client.describe_time_to_live().table_name(&stack.table).send().await;
    let found = lookup(&stack.aws, "reading how items expire", "tell how items expire", answer);
    let found = found.map(|found| {
        let ttl = found.time_to_live_description?;
        let is_on = matches!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        ttl.attribute_name.filter(|_| is_on)
    });
    unless_lost(stack, matches!(found, Lookup::Found(None)), "let a table's items expire as its template says", found)
}

pub(super) async fn backup_days(stack: &Stack, client: &aws_sdk_dynamodb::Client) -> Lookup<Option<i64>> {
    let answer = client.describe_continuous_backups().table_name(&stack.table).send().await;
    let found = lookup(&stack.aws, "reading the table's backups", "tell of backups", answer);
    let found = found.map(|found| {
        let recovery = found.continuous_backups_description?.point_in_time_recovery_description?;
        let is_on = recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled);
        // Where nothing else is said it is the most there is.
        is_on.then(|| recovery.recovery_period_in_days.map_or(35, i64::from))
    });
    unless_lost(stack, matches!(found, Lookup::Found(None)), "back a table up as its template says", found)
}

/// Which blocks of public access are off.
pub(super) async fn open(stack: &Stack, client: &aws_sdk_s3::Client) -> Lookup<Vec<&'static str>> {
    let answer = client.get_public_access_block().bucket(&stack.bucket).send().await;
    let found = lookup(&stack.aws, "reading the bucket's public access block", "block public access", answer);
    found.and_then(|found| found.public_access_block_configuration).map(|block| {
        let blocks = [
            ("BlockPublicAcls", block.block_public_acls),
            ("IgnorePublicAcls", block.ignore_public_acls),
            ("BlockPublicPolicy", block.block_public_policy),
            ("RestrictPublicBuckets", block.restrict_public_buckets),
        ];
        blocks.into_iter().filter(|(_, is_on)| *is_on != Some(true)).map(|(name, _)| name).collect()
    })
}

pub(super) async fn statements_of(stack: &Stack, client: &aws_sdk_s3::Client) -> Lookup<Vec<Value>> {
    let answer = client.get_bucket_policy().bucket(&stack.bucket).send().await;
    lookup(&stack.aws, "reading the bucket's policy", "know policies of buckets", answer)
        .map(|found| statements(&found.policy.unwrap_or_default()))
}

pub(super) async fn encryption(stack: &Stack, client: &aws_sdk_s3::Client) -> Lookup<String> {
    let answer = client.get_bucket_encryption().bucket(&stack.bucket).send().await;
    let found = lookup(&stack.aws, "reading the bucket's encryption", "tell of encryption", answer);
    found.map(|found| {
        let rules =
            found.server_side_encryption_configuration.map(|configuration| configuration.rules).unwrap_or_default();
        let default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
        default.map_or_else(|| "with S3's default".to_owned(), |default| default.sse_algorithm.as_str().to_owned())
    })
}

pub(super) async fn rules(stack: &Stack, client: &aws_sdk_s3::Client) -> Lookup<Vec<Rule>> {
    let answer = client.get_bucket_lifecycle_configuration().bucket(&stack.bucket).send().await;
    let rules = lookup(&stack.aws, "reading the bucket's lifecycle", "know lifecycles", answer).map(|found| {
        let in_force = |rule: &LifecycleRule| rule.status == ExpirationStatus::Enabled;
        found.rules.unwrap_or_default().iter().filter(|rule| in_force(rule)).map(rule).collect()
    });
    let is_lost = matches!(rules, Lookup::Absent);
    unless_lost(stack, is_lost, "give a bucket the lifecycle of its template", rules)
}

fn rule(found: &LifecycleRule) -> Rule {
    let filter = found.filter();
    let and = filter.and_then(|filter| filter.and());
    #[expect(deprecated, reason = "rules that were made long ago have their prefix here")]
    let old = found.prefix();
    let prefix = filter.and_then(|filter| filter.prefix()).or(and.and_then(|and| and.prefix())).or(old);
    Rule {
        prefix: prefix.unwrap_or_default().to_owned(),
        is_narrower: and.is_some() || filter.is_some_and(|filter| filter.tag().is_some()),
        expires_days: found.expiration().and_then(|expiration| expiration.days()).map(i64::from),
        aborts_uploads: found.abort_incomplete_multipart_upload().is_some(),
    }
}

pub(super) async fn is_versioned(stack: &Stack, client: &aws_sdk_s3::Client) -> Lookup<bool> {
    let answer = client.get_bucket_versioning().bucket(&stack.bucket).send().await;
    lookup(&stack.aws, "reading whether the bucket keeps versions", "keep versions", answer)
        .map(|found| found.status == Some(BucketVersioningStatus::Enabled))
}

/// The event bus that everything is published on.
pub(super) async fn bus(stack: &Stack, name: &str) -> Lookup<()> {
    let client = aws_sdk_eventbridge::Client::new(&stack.aws.config);
    let answer = client.describe_event_bus().name(name).send().await;
    lookup(&stack.aws, &format!("describing the event bus {name}"), "know event buses", answer).map(drop)
}
