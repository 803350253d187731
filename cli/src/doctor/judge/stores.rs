//! The table, the bucket and the event bus.

use crate::doctor::{
    facts::{Facts, Lookup, Rule, StackFacts, TableDescription},
    finding::{Check, Finding},
};
use serde_json::Value;
use shared::{
    bucket::Folder,
    table::{BY_DUE, BY_FIRST_SEEN, EXPIRES_AT},
};

/// Days: the most that `DynamoDB` keeps, and what the template asks for.
const BACKUP_DAYS: i64 = 35;

const NO_TABLE: (&str, &str) =
    ("there is no table: every delivery fails", "docs/RUNBOOK.md says how to bring it back from its backups");

const NO_BUCKET: (&str, &str) = (
    "there is no bucket: large deliveries are answered 503, and nothing can be set aside",
    "delete the stack and deploy it anew",
);

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let (stack, table, bucket) = (&facts.stack, &facts.table, &facts.bucket);
    let name = stack.physical("Table");
    vec![
        table.description.judge(Check::TableKeys, NO_TABLE, |found| keys(name, found)),
        table.ttl.judge(Check::TableTtl, NO_TABLE, |found| ttl(name, found.as_deref())),
        table.backup_days.judge(Check::TableBackups, NO_TABLE, |found| backups(name, *found)),
        table.description.judge(Check::TableProtection, NO_TABLE, |found| protection(stack, name, found)),
        table.description.judge(Check::TableEncryption, NO_TABLE, encryption),
        private(stack, &bucket.open),
        tls(stack, &bucket.statements),
        bucket_encryption(stack, &bucket.encryption),
        retention(stack, &bucket.rules),
        versions(stack, &bucket.is_versioned),
        bus(stack, &facts.bus),
    ]
}

fn bus(stack: &StackFacts, bus: &Lookup<()>) -> Finding {
    let check = Check::BusExists;
    let name = stack.physical("EventBus");
    let gone = format!("there is no event bus {name}: nothing is published, so no delivery gets through");
    let way_out = format!("`aws events create-event-bus --name {name}`, and the rules of your consumers anew");
    bus.judge(check, (&gone, &way_out), |()| Finding::pass(check, format!("the event bus {name} is there")))
}

fn keys(name: &str, found: &TableDescription) -> Finding {
    let mut problems = Vec::new();
    if found.status != "ACTIVE" {
        problems.push(format!("the table {name} is {}", found.status));
    }
    for index in [BY_FIRST_SEEN, BY_DUE] {
        if !found.indexes.contains(index) {
            problems.push(format!("the table {name} has no index {index} that is active"));
        }
    }
    let way_out = "wait for an update that is under way; an index that somebody deleted comes back with \
                   `aws dynamodb update-table`, as template.yaml has it";
    Finding::unless(Check::TableKeys, &problems, format!("the table {name} is active, with both indexes"), way_out)
}

fn ttl(name: &str, attribute: Option<&str>) -> Finding {
    let way_out = format!(
        "`aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification \
         Enabled=true,AttributeName={EXPIRES_AT}`"
    );
    match attribute {
        Some(EXPIRES_AT) => Finding::pass(Check::TableTtl, format!("items of the table {name} expire by {EXPIRES_AT}")),
        Some(other) => Finding::fail(
            Check::TableTtl,
            format!("items of the table {name} expire by {other}, which none has"),
            way_out,
        ),
        None => Finding::fail(
            Check::TableTtl,
            format!("items of the table {name} never expire: sessions are kept for ever, and paid for"),
            way_out,
        ),
    }
}

fn backups(name: &str, days: Option<i64>) -> Finding {
    let way_out = format!(
        "`aws dynamodb update-continuous-backups --table-name {name} --point-in-time-recovery-specification \
         PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays={BACKUP_DAYS}`"
    );
    match days {
        Some(days) if days >= BACKUP_DAYS => {
            Finding::pass(Check::TableBackups, format!("the table {name} can be restored to any moment of {days} days"))
        }
        Some(days) => Finding::warn(
            Check::TableBackups,
            format!("the table {name} can be restored to the last {days} days, not {BACKUP_DAYS}"),
            way_out,
        ),
        None => Finding::fail(
            Check::TableBackups,
            format!("the table {name} has no point-in-time recovery: what is deleted is gone"),
            way_out,
        ),
    }
}

fn protection(stack: &StackFacts, name: &str, found: &TableDescription) -> Finding {
    if found.is_protected {
        return Finding::pass(Check::TableProtection, format!("the table {name} is protected against deletion"));
    }
    if stack.is_local {
        return Finding::skipped(Check::TableProtection, "the local AWS does not protect a table as its template says");
    }
    Finding::warn(
        Check::TableProtection,
        format!("the table {name} is not protected against deletion"),
        format!("`aws dynamodb update-table --table-name {name} --deletion-protection-enabled`"),
    )
}

/// A table is always encrypted; the question is whose key it is.
fn encryption(found: &TableDescription) -> Finding {
    match found.key.as_deref() {
        None | Some("") => {
            Finding::pass(Check::TableEncryption, "the table is encrypted with a key that DynamoDB owns")
        }
        Some(key) => Finding::pass(
            Check::TableEncryption,
            format!("the table is encrypted with a key in {key}, which is charged"),
        ),
    }
}

fn private(stack: &StackFacts, open: &Lookup<Vec<&'static str>>) -> Finding {
    let check = Check::BucketPrivate;
    let name = stack.physical("Bucket");
    let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
    let way_out =
        format!("`aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {all}`");
    let gone = format!("the bucket {name} has no public access block");
    open.judge(check, (&gone, &way_out), |open| {
        let problems: Vec<_> = open.iter().map(|which| format!("{which} is off for the bucket {name}")).collect();
        Finding::unless(check, &problems, format!("all public access to the bucket {name} is blocked"), way_out.clone())
    })
}

fn tls(stack: &StackFacts, statements: &Lookup<Vec<Value>>) -> Finding {
    let check = Check::BucketTls;
    let name = stack.physical("Bucket");
    let gone = format!("the bucket {name} has no policy, so it answers without TLS as well");
    let way_out = "`aws s3api put-bucket-policy` with the statement TlsOnly of template.yaml";
    statements.judge(check, (&gone, way_out), |statements| {
        let denies = |statement: &Value| {
            statement.get("Effect").is_some_and(|effect| effect == "Deny")
                && statement
                    .pointer("/Condition/Bool/aws:SecureTransport")
                    .is_some_and(|value| value == "false" || value == false)
        };
        if statements.iter().any(denies) {
            Finding::pass(check, format!("the bucket {name} refuses what comes without TLS"))
        } else {
            Finding::fail(
                check,
                format!("the policy of the bucket {name} does not refuse what comes without TLS"),
                way_out,
            )
        }
    })
}

fn bucket_encryption(stack: &StackFacts, algorithm: &Lookup<String>) -> Finding {
    let check = Check::BucketEncryption;
    let name = stack.physical("Bucket");
    // S3 encrypts everything since 2023, whether it is configured or not.
    algorithm.judge(check, NO_BUCKET, |algorithm| {
        Finding::pass(check, format!("the bucket {name} is encrypted ({algorithm})"))
    })
}

fn retention(stack: &StackFacts, rules: &Lookup<Vec<Rule>>) -> Finding {
    let check = Check::BucketRetention;
    let name = stack.physical("Bucket");
    let way_out = format!(
        "`aws s3api put-bucket-lifecycle-configuration --bucket {name}` with the rules of template.yaml and your parameters"
    );
    let gone = format!("the bucket {name} has no lifecycle: unreadable deliveries and large bodies are kept for ever");
    rules.judge(check, (&gone, &way_out), |rules| {
        let mut problems = Vec::new();
        for (folder, parameter) in
            [(Folder::Quarantine, "QuarantineRetentionDays"), (Folder::Claims, "ClaimRetentionDays")]
        {
            let (prefix, days) = (folder.prefix(), stack.number(parameter));
            let rule = rules.iter().find(|rule| rule.prefix == prefix && !rule.is_narrower);
            match rule.and_then(|rule| rule.expires_days) {
                Some(found) if found == days => {}
                Some(found) => problems.push(format!("{prefix} is kept {found} days, and {parameter} is {days}")),
                None => problems.push(format!("{prefix} is kept for ever, and {parameter} is {days}")),
            }
        }
        let expires = |rule: &&Rule| rule.expires_days.is_some();
        for prefix in [Folder::Parked.prefix(), Folder::Spool.prefix(), "meetstream/".into(), "meetingbaas/".into()] {
            let touches = |rule: &Rule| rule.prefix.starts_with(&prefix) || prefix.starts_with(&rule.prefix);
            if rules.iter().filter(expires).any(touches) {
                problems.push(format!("a rule deletes what is in {prefix}, which must never expire"));
            }
        }
        if !rules.iter().any(|rule| rule.aborts_uploads) {
            problems.push("nothing removes uploads that were never finished".to_owned());
        }
        let well = "quarantine/ and claims/ expire as their parameters say, and nothing else does";
        Finding::unless(check, &problems, well, way_out.clone())
    })
}

fn versions(stack: &StackFacts, is_versioned: &Lookup<bool>) -> Finding {
    let check = Check::BucketVersions;
    let name = stack.physical("Bucket");
    is_versioned.judge(check, NO_BUCKET, |is_versioned| match is_versioned {
        false => Finding::pass(check, format!("the bucket {name} keeps no old versions: what is erased is gone")),
        true => Finding::fail(
            check,
            format!("the bucket {name} keeps old versions: what a deletion erases is still there"),
            format!(
                "`aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Suspended`, and delete \
                 the old versions"
            ),
        ),
    })
}
