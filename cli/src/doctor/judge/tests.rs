use super::*;
use crate::{
    doctor::{
        facts::{
            Account, Alarm, ApiAnswer, Asked, Backlog, BucketFacts, Function, Heap, Invoked, Live, Mapping, Route,
            Rule, Schedule, SecretFacts, Settings, Source, StackFacts, Subscription, TableDescription, TableFacts, Url,
        },
        finding::Verdict,
    },
    failure::Failure,
};
use serde_json::json;
use shared::{Endpoint, Provider};
use std::collections::{BTreeMap, BTreeSet};

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn settings(function: &str, memory_mb: i64, timeout_seconds: i64) -> Settings {
    Settings {
        state: "Active".into(),
        last_update: "Successful".into(),
        runtime: "provided.al2023".into(),
        architecture: "arm64".into(),
        memory_mb,
        timeout_seconds,
        code_sha256: "code".into(),
        log_format: "JSON".into(),
        application_level: "INFO".into(),
        system_level: "WARN".into(),
        log_group: format!("/aws/lambda/{function}"),
        variables: texts(&[("BUCKET_NAME", "hash of b"), ("MEETSTREAM_WEBHOOK_SECRETS", "hash of s3cret")]),
        ..Settings::default()
    }
}

fn function(name: &str, memory_mb: i64, timeout_seconds: i64) -> Function {
    let settings = settings(name, memory_mb, timeout_seconds);
    Function {
        name: name.into(),
        latest: Lookup::Found(settings.clone()),
        live: Lookup::Found(Live { version: "7".into(), beside: vec![], settings }),
        reserved: Lookup::Found(None),
        log_days: Lookup::Found(Some(30)),
    }
}

fn source(function: &str, name: &str, batch_size: i64, maximum_concurrency: i64) -> Source {
    let arn = |name: &str| format!("arn:aws:sqs:r:1:{name}");
    let redrive = json!({"deadLetterTargetArn": arn(&format!("{name}-dlq")), "maxReceiveCount": 50}).to_string();
    Source {
        mappings: Lookup::Found(vec![Mapping {
            id: "m-1".into(),
            function: format!("arn:aws:lambda:r:1:function:{function}:live"),
            state: "Enabled".into(),
            batch_size,
            reports_failures: true,
            maximum_concurrency: Some(maximum_concurrency),
        }]),
        queue: Lookup::Found(texts(&[
            ("QueueArn", &arn(name)),
            ("FifoQueue", "true"),
            ("DeduplicationScope", "messageGroup"),
            ("FifoThroughputLimit", "perMessageGroupId"),
            ("MaximumMessageSize", "1048576"),
            ("MessageRetentionPeriod", "604800"),
            ("VisibilityTimeout", "720"),
            ("SqsManagedSseEnabled", "true"),
            ("RedrivePolicy", &redrive),
        ])),
        dead: Lookup::Found(texts(&[
            ("QueueArn", &arn(&format!("{name}-dlq"))),
            ("MessageRetentionPeriod", "1209600"),
        ])),
    }
}

fn alarm(name: &str) -> Alarm {
    Alarm {
        name: name.into(),
        state: "OK".into(),
        actions: vec!["topic".into()],
        actions_enabled: true,
        ..Alarm::default()
    }
}

/// A deployment on AWS in which everything is as it should be.
pub(crate) fn healthy() -> Facts {
    let parameters = texts(&[
        ("SecretName", "rollcall"),
        ("SecretVersionId", "v2"),
        ("Architecture", "arm64"),
        ("IngestMemoryMb", "256"),
        ("ProcessMemoryMb", "512"),
        ("ProcessTimeoutSeconds", "120"),
        ("EventsVisibilitySeconds", "720"),
        ("ProcessMaximumConcurrency", "5"),
        ("CommandsMaximumConcurrency", "2"),
        ("IngestReservedConcurrency", "0"),
        ("ParkAfterReceives", "20"),
        ("QuarantineRetentionDays", "90"),
        ("ClaimRetentionDays", "60"),
        ("LogRetentionDays", "30"),
        ("AlarmEmail", "you@example.org"),
    ]);
    let resources = [
        ("ProcessFunction", "AWS::Lambda::Function", "s-process"),
        ("ParkedAlarm", "AWS::CloudWatch::Alarm", "s-ParkedAlarm-1"),
        ("SpooledAlarm", "AWS::CloudWatch::Alarm", "s-SpooledAlarm-1"),
        ("AlarmTopic", "AWS::SNS::Topic", "arn:topic"),
        ("Table", "AWS::DynamoDB::Table", "s-Table-1"),
        ("Bucket", "AWS::S3::Bucket", "s-bucket-1"),
        ("EventsQueue", "AWS::SQS::Queue", "https://sqs/events"),
    ];
    let resources =
        resources.map(|(logical, kind, physical)| (logical.to_owned(), (kind.to_owned(), physical.to_owned())));
    let statement = |action: &str, condition: serde_json::Value| json!({"Effect": "Allow", "Principal": "*", "Action": action, "Condition": condition});
    let answer = ApiAnswer::Status { status: 200, is_json: true };
    let api = |url: &str| Asked { url: url.into(), answer: answer.clone() };
    Facts {
        stack: StackFacts {
            name: "s".into(),
            is_local: false,
            status: "UPDATE_COMPLETE".into(),
            age_seconds: 86_400,
            parameters,
            resources: resources.into(),
        },
        account: Lookup::Found(Account { limit: 1000, unreserved: 1000 }),
        ingest: function("s-ingest", 256, 10),
        process: function("s-process", 512, 120),
        invoked: Lookup::Found(Invoked { retries: 0, event_age_seconds: 60 }),
        loops: Lookup::Found(0.0),
        url: Lookup::Found(Url { url: "https://u.lambda-url.r.on.aws/".into(), auth: "NONE".into() }),
        permissions: Lookup::Found(vec![
            statement("lambda:InvokeFunctionUrl", json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}})),
            statement("lambda:InvokeFunction", json!({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}})),
        ]),
        secret: Lookup::Found(SecretFacts { current: "v2".into(), outdated: Some(BTreeSet::new()) }),
        events: source("s-process", "events", 10, 5),
        commands: source("s-process", "commands", 10, 2),
        table: TableFacts {
            description: Lookup::Found(TableDescription {
                status: "ACTIVE".into(),
                is_protected: true,
                key: None,
                indexes: ["by_first_seen", "by_due"].map(str::to_owned).into(),
            }),
            ttl: Lookup::Found(Some("expires_at".into())),
            backup_days: Lookup::Found(Some(35)),
        },
        bucket: BucketFacts {
            open: Lookup::Found(vec![]),
            statements: Lookup::Found(vec![
                json!({"Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
            ]),
            encryption: Lookup::Found("AES256".into()),
            rules: Lookup::Found(vec![
                Rule { prefix: "quarantine/".into(), expires_days: Some(90), ..Rule::default() },
                Rule { prefix: "claims/".into(), expires_days: Some(60), ..Rule::default() },
                Rule { aborts_uploads: true, ..Rule::default() },
            ]),
            is_versioned: Lookup::Found(false),
        },
        bus: Lookup::Found(()),
        alarms: Lookup::Found(vec![alarm("s-ParkedAlarm-1"), alarm("s-SpooledAlarm-1")]),
        subscriptions: Lookup::Found(vec![Subscription {
            protocol: "email".into(),
            endpoint: "you@example.org".into(),
            is_confirmed: true,
        }]),
        schedule: Lookup::Found(Schedule {
            state: "ENABLED".into(),
            expression: "rate(1 minute)".into(),
            target: "arn:aws:lambda:r:1:function:s-process:live".into(),
        }),
        last_sweep: Lookup::Found(Some(40)),
        backlog: Backlog {
            dead_deliveries: Lookup::Found(0),
            dead_commands: Lookup::Found(0),
            spool: Lookup::Found(Heap::default()),
            parked: Lookup::Found(Heap::default()),
            quarantine: Lookup::Found(Heap::default()),
        },
        apis: [
            (Provider::MeetStream, api("https://api.meetstream.ai/api/v1")),
            (Provider::MeetingBaas, api("https://api.meetingbaas.com")),
        ]
        .into(),
        routes: Lookup::Found([(Endpoint::MeetStream, hourly(60)), (Endpoint::MeetingBaasV2, Route::default())].into()),
        rejected: Lookup::Found(BTreeMap::new()),
    }
}

/// A route that received thirty deliveries, one an hour, the last of them so many seconds ago.
fn hourly(last: i64) -> Route {
    Route { received: (0..30).map(|n| last + n * 3600).collect(), doctors: vec![] }
}

fn of<T>(seen: &mut Lookup<T>) -> &mut T {
    match seen {
        Lookup::Found(found) => found,
        _ => panic!("it is there"),
    }
}

fn live(function: &mut Function) -> &mut Settings {
    &mut of(&mut function.live).settings
}

/// The findings that are neither passes nor skips.
fn bad(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().filter(|finding| finding.verdict > Verdict::Skipped).collect()
}

#[test]
fn a_healthy_deployment_passes_every_check() {
    let findings = judge(&healthy());
    for finding in &findings {
        assert_eq!((finding.verdict, &finding.way_out), (Verdict::Pass, &None), "{finding:?}");
    }
    let checks: BTreeSet<Check> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks.len(), findings.len(), "each check once");
    let active = ["front.", "body.", "logs.", "metrics.", "retry.", "cleanup.", "alarms.ring"];
    let expected = Check::ALL.iter().filter(|check| !active.iter().any(|name| check.as_str().starts_with(name)));
    assert_eq!(checks, expected.copied().collect(), "every check that sends nothing");
}

type Planted = (Check, Verdict, &'static str, fn(&mut Facts));

/// What can go wrong, what must be told of it, and by which check alone.
#[rustfmt::skip]
const PLANTED: &[Planted] = &[
    (Check::StackStatus, Verdict::Warn, "rolled back", |f| f.stack.status = "UPDATE_ROLLBACK_COMPLETE".into()),
    (Check::StackStatus, Verdict::Warn, "UPDATE_IN_PROGRESS", |f| f.stack.status = "UPDATE_IN_PROGRESS".into()),
    (Check::StackStatus, Verdict::Fail, "ROLLBACK_COMPLETE", |f| f.stack.status = "ROLLBACK_COMPLETE".into()),
    (Check::AccountConcurrency, Verdict::Warn, "2 are left for ingest", |f| f.account = Lookup::Found(Account { limit: 10, unreserved: 10 })),
    (Check::AccountConcurrency, Verdict::Fail, "none is left for ingest", |f| f.account = Lookup::Found(Account { limit: 10, unreserved: 8 })),
    (Check::IngestState, Verdict::Fail, "s-ingest is Failed", |f| of(&mut f.ingest.latest).state = "Failed".into()),
    (Check::ProcessState, Verdict::Warn, "put s-process to sleep", |f| of(&mut f.process.latest).state = "Inactive".into()),
    (Check::ProcessState, Verdict::Fail, "its last update Failed (InvalidImage)", |f| { of(&mut f.process.latest).last_update = "Failed".into(); of(&mut f.process.latest).reason = "InvalidImage".into(); }),
    (Check::IngestSettings, Verdict::Fail, "the memory in MB is 128, and the template says 256", |f| { live(&mut f.ingest).memory_mb = 128; of(&mut f.ingest.latest).memory_mb = 128; }),
    (Check::IngestSettings, Verdict::Fail, "the reserved concurrency is 0", |f| f.ingest.reserved = Lookup::Found(Some(0))),
    (Check::ProcessSettings, Verdict::Fail, "the architecture is x86_64", |f| { live(&mut f.process).architecture = "x86_64".into(); of(&mut f.process.latest).architecture = "x86_64".into(); }),
    (Check::IngestAlias, Verdict::Fail, "has no alias live", |f| { f.ingest.live = Lookup::Absent; }),
    (Check::IngestAlias, Verdict::Fail, "points at $LATEST", |f| of(&mut f.ingest.live).version = "$LATEST".into()),
    (Check::IngestAlias, Verdict::Warn, "between the versions 7 and 8", |f| of(&mut f.ingest.live).beside = vec!["8".into()]),
    (Check::ProcessAlias, Verdict::Fail, "differs from what was deployed last in its code, the variable BUCKET_NAME", |f| { let live = live(&mut f.process); live.code_sha256 = "old".into(); live.variables.remove("BUCKET_NAME"); }),
    (Check::IngestLogging, Verdict::Fail, "the log format is Text", |f| { live(&mut f.ingest).log_format = "Text".into(); of(&mut f.ingest.latest).log_format = "Text".into(); }),
    (Check::ProcessLogging, Verdict::Fail, "the application's log level is ERROR", |f| live(&mut f.process).application_level = "ERROR".into()),
    (Check::ProcessLogging, Verdict::Fail, "kept for ever, not 30 days", |f| f.process.log_days = Lookup::Found(None)),
    (Check::ProcessLogging, Verdict::Fail, "there is no log group", |f| f.process.log_days = Lookup::Absent),
    (Check::ProcessInvoked, Verdict::Fail, "for six hours", |f| f.invoked = Lookup::Absent),
    (Check::ProcessInvoked, Verdict::Fail, "tries a failed sweep 2 times more", |f| of(&mut f.invoked).retries = 2),
    (Check::ProcessLoops, Verdict::Fail, "has stopped 3 invocations of s-process", |f| f.loops = Lookup::Found(3.0)),
    (Check::UrlConfig, Verdict::Fail, "has no URL", |f| f.url = Lookup::Absent),
    (Check::UrlConfig, Verdict::Fail, "asks for AWS_IAM", |f| of(&mut f.url).auth = "AWS_IAM".into()),
    (Check::UrlPermissions, Verdict::Fail, "nobody may call the URL", |f| f.permissions = Lookup::Absent),
    (Check::UrlPermissions, Verdict::Fail, "lambda:InvokeFunctionUrl is not allowed", |f| { of(&mut f.permissions).remove(0); }),
    (Check::UrlPermissions, Verdict::Fail, "lambda:InvokeFunction through the URL is not allowed", |f| { of(&mut f.permissions).remove(1); }),
    (Check::UrlPermissions, Verdict::Fail, "lambda:InvokeFunction through the URL is not allowed", |f| of(&mut f.permissions)[1]["Principal"] = json!({"AWS": "arn:aws:iam::1:root"})),
    (Check::SecretVersion, Verdict::Fail, "has a newer version", |f| of(&mut f.secret).current = "v3".into()),
    (Check::SecretDeployed, Verdict::Fail, "in MEETSTREAM_WEBHOOK_SECRETS", |f| of(&mut f.secret).outdated = Some(["MEETSTREAM_WEBHOOK_SECRETS".to_owned()].into())),
    (Check::SecretDeployed, Verdict::Warn, "could not be read", |f| of(&mut f.secret).outdated = None),
    (Check::EventsMapping, Verdict::Fail, "is Disabled: nothing is processed", |f| of(&mut f.events.mappings)[0].state = "Disabled".into()),
    (Check::EventsMapping, Verdict::Fail, "nothing reads the events queue", |f| of(&mut f.events.mappings).clear()),
    (Check::EventsMapping, Verdict::Fail, "2 mappings read the events queue", |f| { let one = of(&mut f.events.mappings)[0].clone(); of(&mut f.events.mappings).push(one); }),
    (Check::EventsMapping, Verdict::Fail, "not the alias live", |f| of(&mut f.events.mappings)[0].function = "arn:aws:lambda:r:1:function:s-process".into()),
    (Check::EventsMapping, Verdict::Fail, "ReportBatchItemFailures", |f| of(&mut f.events.mappings)[0].reports_failures = false),
    (Check::CommandsMapping, Verdict::Fail, "batches have 7 messages", |f| of(&mut f.commands.mappings)[0].batch_size = 7),
    (Check::CommandsMapping, Verdict::Fail, "MaximumConcurrency is none", |f| of(&mut f.commands.mappings)[0].maximum_concurrency = None),
    (Check::EventsQueue, Verdict::Fail, "FifoThroughputLimit is perQueue", |f| { of(&mut f.events.queue).insert("FifoThroughputLimit".into(), "perQueue".into()); }),
    (Check::EventsQueue, Verdict::Fail, "no dead-letter queue", |f| { of(&mut f.events.queue).remove("RedrivePolicy"); }),
    (Check::EventsQueue, Verdict::Fail, "deliveries die unparked", |f| { f.stack.parameters.insert("ParkAfterReceives".into(), "50".into()); }),
    (Check::EventsQueue, Verdict::Fail, "MaximumMessageSize is 262144", |f| { of(&mut f.events.queue).insert("MaximumMessageSize".into(), "262144".into()); }),
    (Check::EventsQueue, Verdict::Fail, "not encrypted", |f| { of(&mut f.events.queue).insert("SqsManagedSseEnabled".into(), "false".into()); }),
    (Check::CommandsQueue, Verdict::Fail, "dead letters are kept 60 s", |f| { of(&mut f.commands.dead).insert("MessageRetentionPeriod".into(), "60".into()); }),
    (Check::CommandsQueue, Verdict::Fail, "its dead-letter queue is gone", |f| f.commands.dead = Lookup::Absent),
    (Check::EventsVisibility, Verdict::Fail, "30 s, less than 6 times process's timeout of 120 s", |f| { of(&mut f.events.queue).insert("VisibilityTimeout".into(), "30".into()); }),
    (Check::CommandsVisibility, Verdict::Fail, "is 721 s, and EventsVisibilitySeconds is 720", |f| { of(&mut f.commands.queue).insert("VisibilityTimeout".into(), "721".into()); }),
    (Check::TableKeys, Verdict::Fail, "no index by_due", |f| { of(&mut f.table.description).indexes.remove("by_due"); }),
    (Check::TableTtl, Verdict::Fail, "never expire", |f| f.table.ttl = Lookup::Found(None)),
    (Check::TableTtl, Verdict::Fail, "expire by ttl", |f| f.table.ttl = Lookup::Found(Some("ttl".into()))),
    (Check::TableBackups, Verdict::Fail, "no point-in-time recovery", |f| f.table.backup_days = Lookup::Found(None)),
    (Check::TableBackups, Verdict::Warn, "the last 7 days", |f| f.table.backup_days = Lookup::Found(Some(7))),
    (Check::TableProtection, Verdict::Warn, "not protected", |f| of(&mut f.table.description).is_protected = false),
    (Check::BucketPrivate, Verdict::Fail, "has no public access block", |f| f.bucket.open = Lookup::Absent),
    (Check::BucketPrivate, Verdict::Fail, "BlockPublicPolicy is off", |f| f.bucket.open = Lookup::Found(vec!["BlockPublicPolicy"])),
    (Check::BucketTls, Verdict::Fail, "answers without TLS", |f| f.bucket.statements = Lookup::Absent),
    (Check::BucketTls, Verdict::Fail, "does not refuse", |f| of(&mut f.bucket.statements).clear()),
    (Check::BucketRetention, Verdict::Fail, "has no lifecycle", |f| f.bucket.rules = Lookup::Absent),
    (Check::BucketRetention, Verdict::Fail, "quarantine/ is kept 30 days, and QuarantineRetentionDays is 90", |f| of(&mut f.bucket.rules)[0].expires_days = Some(30)),
    (Check::BucketRetention, Verdict::Fail, "claims/ is kept for ever", |f| { of(&mut f.bucket.rules).remove(1); }),
    (Check::BucketRetention, Verdict::Fail, "deletes what is in parked/", |f| of(&mut f.bucket.rules).push(Rule { prefix: "park".into(), expires_days: Some(1), ..Rule::default() })),
    (Check::BucketRetention, Verdict::Fail, "deletes what is in spool/", |f| of(&mut f.bucket.rules)[2].expires_days = Some(365)),
    (Check::BucketVersions, Verdict::Fail, "keeps old versions", |f| f.bucket.is_versioned = Lookup::Found(true)),
    (Check::BusExists, Verdict::Fail, "there is no event bus", |f| f.bus = Lookup::Absent),
    (Check::AlarmsExist, Verdict::Fail, "the alarm SpooledAlarm is gone", |f| { of(&mut f.alarms).pop(); }),
    (Check::AlarmsActions, Verdict::Fail, "s-ParkedAlarm-1 has no action", |f| of(&mut f.alarms)[0].actions.clear()),
    (Check::AlarmsActions, Verdict::Fail, "s-ParkedAlarm-1 are disabled", |f| of(&mut f.alarms)[0].actions_enabled = false),
    (Check::AlarmsActions, Verdict::Warn, "AlarmEmail is empty", |f| { f.stack.parameters.remove("AlarmEmail"); }),
    (Check::AlarmsSubscription, Verdict::Warn, "you@example.org (email) is asked, and hears of none", |f| of(&mut f.subscriptions)[0].is_confirmed = false),
    (Check::AlarmsSubscription, Verdict::Warn, "nobody is subscribed", |f| of(&mut f.subscriptions).clear()),
    (Check::AlarmsSubscription, Verdict::Fail, "the topic of the alarms is gone", |f| f.subscriptions = Lookup::Absent),
    (Check::AlarmsQuiet, Verdict::Warn, "s-ParkedAlarm-1 rings: two were parked", |f| { let alarm = &mut of(&mut f.alarms)[0]; alarm.state = "ALARM".into(); alarm.reason = "two were parked".into(); }),
    (Check::ScheduleEnabled, Verdict::Fail, "is DISABLED", |f| of(&mut f.schedule).state = "DISABLED".into()),
    (Check::ScheduleEnabled, Verdict::Fail, "not s-process:live", |f| of(&mut f.schedule).target = "arn:aws:sqs:r:1:commands".into()),
    (Check::ScheduleEnabled, Verdict::Fail, "there is no schedule", |f| f.schedule = Lookup::Absent),
    (Check::ScheduleSweeps, Verdict::Fail, "was 10 minutes ago", |f| f.last_sweep = Lookup::Found(Some(600))),
    (Check::ScheduleSweeps, Verdict::Fail, "no sweep for a quarter of an hour", |f| f.last_sweep = Lookup::Found(None)),
    (Check::BacklogWaiting, Verdict::Warn, "12001 messages in the events queue", |f| waiting(f, "12001")),
    (Check::BacklogWaiting, Verdict::Fail, "one bot may hold up all others", |f| waiting(f, "120000")),
    (Check::BacklogDeliveries, Verdict::Fail, "2 deliveries in the dead-letter queue", |f| f.backlog.dead_deliveries = Lookup::Found(2)),
    (Check::BacklogCommands, Verdict::Fail, "1 command in the dead-letter queue", |f| f.backlog.dead_commands = Lookup::Found(1)),
    (Check::BacklogSpool, Verdict::Warn, "1 object of 9 bytes, the oldest 20 seconds old", |f| f.backlog.spool = Lookup::Found(Heap { count: 1, bytes: 9, oldest_seconds: 20 })),
    (Check::BacklogSpool, Verdict::Fail, "the sweep does not get rid of it", |f| f.backlog.spool = Lookup::Found(Heap { count: 1, bytes: 9, oldest_seconds: 3600 })),
    (Check::BacklogParked, Verdict::Fail, "parked/ holds 3 objects", |f| f.backlog.parked = Lookup::Found(Heap { count: 3, bytes: 9, oldest_seconds: 20 })),
    (Check::BacklogQuarantine, Verdict::Warn, "quarantine/ holds 1 object", |f| f.backlog.quarantine = Lookup::Found(Heap { count: 1, bytes: 9, oldest_seconds: 20 })),
    (Check::ApiMeetStream, Verdict::Fail, "refuses the key with 403", |f| answer(f, Provider::MeetStream, ApiAnswer::Status { status: 403, is_json: true })),
    (Check::ApiMeetStream, Verdict::Fail, "answers 404, and not as meetstream's API", |f| answer(f, Provider::MeetStream, ApiAnswer::Status { status: 404, is_json: false })),
    (Check::ApiMeetStream, Verdict::Fail, "leads elsewhere", |f| answer(f, Provider::MeetStream, ApiAnswer::Status { status: 301, is_json: false })),
    (Check::ApiMeetingBaas, Verdict::Warn, "no answer from https://api.meetingbaas.com: connection refused", |f| answer(f, Provider::MeetingBaas, ApiAnswer::Nothing("connection refused".into()))),
    (Check::ApiMeetingBaas, Verdict::Fail, "names another host than the provider's own", |f| { answer(f, Provider::MeetingBaas, ApiAnswer::Status { status: 200, is_json: false }); f.apis.get_mut(&Provider::MeetingBaas).unwrap().url = "https://example.org".into(); }),
    (Check::RoutesHeard, Verdict::Warn, "meetingbaas-v2 received nothing but 1 request with a wrong credential", |f| rejected(f, Endpoint::MeetingBaasV2, &[9])),
    (Check::RoutesHeard, Verdict::Warn, "meetstream received its last delivery 60 seconds ago, and 3 requests with a wrong credential since", |f| rejected(f, Endpoint::MeetStream, &[9, 8, 7, 61])),
    (Check::RoutesHeard, Verdict::Warn, "last delivery 13 hours ago, and before that it never went longer than 60 minutes without one", |f| { of(&mut f.routes).insert(Endpoint::MeetStream, hourly(13 * 3600)); }),
];

fn waiting(facts: &mut Facts, count: &str) {
    of(&mut facts.events.queue).insert("ApproximateNumberOfMessages".into(), count.into());
}

fn rejected(facts: &mut Facts, endpoint: Endpoint, seconds_ago: &[i64]) {
    of(&mut facts.rejected).insert(endpoint, seconds_ago.to_vec());
}

fn answer(facts: &mut Facts, provider: Provider, answer: ApiAnswer) {
    facts.apis.get_mut(&provider).unwrap().answer = answer;
}

#[test]
fn what_went_wrong_is_told_by_its_check() {
    for (check, verdict, words, plant) in PLANTED {
        let mut facts = healthy();
        plant(&mut facts);
        let found = bad(judge(&facts));
        let told =
            found.iter().find(|finding| finding.check == *check).unwrap_or_else(|| panic!("{check}: {found:#?}"));
        assert_eq!(told.verdict, *verdict, "{told:?}");
        assert!(told.what.contains(words), "{check} says \"{}\", not \"{words}\"", told.what);
        assert!(told.way_out.as_ref().is_some_and(|way_out| !way_out.is_empty()), "{told:?}");
    }
}

#[test]
fn what_strangers_and_doctors_send_and_usual_silences_are_no_problem() {
    let plants: [fn(&mut Facts); 5] = [
        |f| rejected(f, Endpoint::MeetStream, &[9, 8]),
        |f| rejected(f, Endpoint::MeetStream, &[61, 62, 63, 64]),
        |f| {
            of(&mut f.routes).insert(Endpoint::MeetingBaasV2, Route { doctors: vec![700, 100], received: vec![] });
            rejected(f, Endpoint::MeetingBaasV2, &[695, 95]);
        },
        |f| drop(of(&mut f.routes).insert(Endpoint::MeetStream, hourly(11 * 3600))),
        |f| f.rejected = Lookup::NotLocally("search log lines"),
    ];
    for (number, plant) in plants.into_iter().enumerate() {
        let mut facts = healthy();
        plant(&mut facts);
        assert_eq!(bad(judge(&facts)), [], "{number}");
    }
}

#[test]
fn a_check_that_could_not_be_carried_out_never_passes() {
    let mut facts = healthy();
    let denied = || Failure::new("it is forbidden").help("use other credentials");
    facts.table.ttl = Lookup::Unknown(denied());
    facts.url = Lookup::NotLocally("know function URLs");
    let found = judge(&facts);
    let verdict = |check| found.iter().find(|finding| finding.check == check).unwrap().clone();
    let ttl = verdict(Check::TableTtl);
    assert_eq!((ttl.verdict, ttl.what.as_str()), (Verdict::Warn, "it could not be checked: it is forbidden"));
    assert_eq!(ttl.way_out.as_deref(), Some("use other credentials"));
    let url = verdict(Check::UrlConfig);
    assert_eq!((url.verdict, url.what.as_str()), (Verdict::Skipped, "the local AWS does not know function URLs"));
}

#[test]
fn no_secret_is_told() {
    let mut facts = healthy();
    live(&mut facts.ingest).variables.insert("MEETSTREAM_WEBHOOK_SECRETS".into(), "hash of another".into());
    let told = format!("{:?}", judge(&facts));
    assert!(told.contains("the variable MEETSTREAM_WEBHOOK_SECRETS") && !told.contains("hash of"), "{told}");
}

#[test]
fn what_a_local_stack_does_without_is_skipped() {
    let mut facts = healthy();
    facts.stack.is_local = true;
    facts.stack.parameters.remove("AlarmEmail");
    answer(&mut facts, Provider::MeetStream, ApiAnswer::Nothing("connection refused".into()));
    facts.stack.age_seconds = 20;
    facts.last_sweep = Lookup::Found(None);
    assert_eq!(bad(judge(&facts)), []);
}

/// The logical ids that are asked for by name are those of the template.
#[test]
fn the_template_has_what_is_asked_for_by_name() {
    let template = include_str!("../../../../template.yaml");
    for logical in [
        "IngestFunction",
        "ProcessFunction",
        "EventsQueue",
        "CommandsQueue",
        "SweepSchedule",
        "AlarmTopic",
        "EventBus",
        "Table",
        "Bucket",
    ] {
        assert!(template.contains(&format!("\n  {logical}:\n")), "{logical}");
    }
    let parameters = healthy().stack.parameters;
    for parameter in parameters.keys().map(String::as_str).chain(["MeetStreamApiUrl", "MeetingBaasApiUrl"]) {
        assert!(template.contains(&format!("\n  {parameter}:\n")), "{parameter}");
    }
}
