//! The stack, the account, both functions, the URL and the secret.

use crate::doctor::{
    facts::{Account, Facts, Function, Invoked, Live, Lookup, SecretFacts, Settings, StackFacts, Url},
    finding::{Check, Finding},
};
use serde_json::Value;

/// What a burst of webhooks should find free for ingest. Each invocation takes some 10 ms, so this is about a thousand a second.
const ROOM_FOR_INGEST: i64 = 10;

/// Seconds. The template says it as a number, not as a parameter.
const INGEST_TIMEOUT: i64 = 10;

/// How AWS, and with it the template, names what the functions run on.
const RUNTIME: &str = "provided.al2023";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let stack = &facts.stack;
    let memory = |name| stack.number(name);
    let ingest = Expected { memory_mb: memory("IngestMemoryMb"), timeout: INGEST_TIMEOUT };
    let process = Expected { memory_mb: memory("ProcessMemoryMb"), timeout: stack.number("ProcessTimeoutSeconds") };
    let mut findings = vec![status(stack), concurrency(stack, &facts.account)];
    let checks = [Check::IngestState, Check::IngestSettings, Check::IngestAlias, Check::IngestLogging];
    findings.extend(function(stack, &facts.ingest, &ingest, checks));
    let checks = [Check::ProcessState, Check::ProcessSettings, Check::ProcessAlias, Check::ProcessLogging];
    findings.extend(function(stack, &facts.process, &process, checks));
    findings.push(invoked(&facts.process, &facts.invoked));
    findings.push(loops(&facts.process, &facts.loops));
    findings.push(url(&facts.ingest, &facts.url));
    findings.push(permissions(&facts.ingest, &facts.permissions));
    findings.push(version(stack, &facts.secret));
    findings.push(deployed(&facts.secret));
    findings
}

fn status(stack: &StackFacts) -> Finding {
    let check = Check::StackStatus;
    match stack.status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => {
            Finding::pass(check, format!("the stack {} is {}", stack.name, stack.status))
        }
        "UPDATE_ROLLBACK_COMPLETE" => Finding::warn(
            check,
            "the last deploy failed and was rolled back: what runs is what was there before it",
            "`aws cloudformation describe-stack-events` says why; then `make deploy`",
        ),
        status if status.ends_with("_IN_PROGRESS") => Finding::warn(
            check,
            format!("the stack is {status}: what is found below may change at any moment"),
            "run `rollcall doctor` again when the deploy is through",
        ),
        status => Finding::fail(
            check,
            format!("the stack is {status}"),
            "`aws cloudformation describe-stack-events` says why",
        ),
    }
}

fn concurrency(stack: &StackFacts, account: &Lookup<Account>) -> Finding {
    let check = Check::AccountConcurrency;
    account.judge(check, ("Lambda says nothing about the account", "try again"), |account| {
        let mappings = stack.number("ProcessMaximumConcurrency") + stack.number("CommandsMaximumConcurrency");
        let reserved = stack.number("IngestReservedConcurrency");
        // The sweep is invoked beside the mappings.
        let left = account.unreserved - mappings - 1;
        let quota = format!(
            "of {} concurrent invocations in the account {} are unreserved, and process may take {}",
            account.limit,
            account.unreserved,
            mappings + 1
        );
        let way_out = "ask for more under Service Quotas, AWS Lambda, \"Concurrent executions\"; until then lower \
                       ProcessMaximumConcurrency: `make deploy SET=\"ProcessMaximumConcurrency=2\"`";
        match (reserved, left) {
            (1.., 0..) => Finding::pass(check, format!("{quota}; {reserved} are reserved for ingest")),
            (1.., _) => Finding::fail(check, format!("{quota}: its messages are throttled"), way_out),
            (_, ROOM_FOR_INGEST..) => Finding::pass(check, format!("{quota}: {left} are left for ingest")),
            (_, 1..) => Finding::warn(
                check,
                format!("{quota}: {left} are left for ingest, and a burst beyond that is answered 429"),
                way_out,
            ),
            _ => Finding::fail(check, format!("{quota}: none is left for ingest, whose callers get 429"), way_out),
        }
    })
}

struct Expected {
    memory_mb: i64,
    timeout: i64,
}

fn function(stack: &StackFacts, function: &Function, expected: &Expected, checks: [Check; 4]) -> Vec<Finding> {
    let [state_check, settings_check, alias_check, logging_check] = checks;
    let name = &function.name;
    let gone = format!("there is no function {name}");
    let gone = (gone.as_str(), "`make deploy` with any change, or delete the stack and deploy it anew");
    vec![
        function.latest.judge(state_check, gone, |latest| state(name, latest, state_check)),
        function.live.judge(settings_check, gone, |live| settings(stack, function, live, expected, settings_check)),
        alias(function, alias_check),
        function.live.judge(logging_check, gone, |live| logging(stack, function, &live.settings, logging_check)),
    ]
}

fn state(name: &str, latest: &Settings, check: Check) -> Finding {
    let reason = if latest.reason.is_empty() { String::new() } else { format!(" ({})", latest.reason) };
    match (latest.state.as_str(), latest.last_update.as_str()) {
        // Lambda puts a function to sleep that was not invoked for weeks; the next call wakes it, and fails.
        ("Active", "Successful" | "") => Finding::pass(check, format!("{name} is active")),
        ("Inactive", _) => Finding::warn(
            check,
            format!("Lambda has put {name} to sleep: the first call fails while it wakes up"),
            "send it anything, as this command does without --quick",
        ),
        (state, update) => Finding::fail(
            check,
            format!("{name} is {state}, its last update {update}{reason}"),
            "wait for a deploy that is under way; else `make deploy`",
        ),
    }
}

fn settings(stack: &StackFacts, function: &Function, live: &Live, expected: &Expected, check: Check) -> Finding {
    let found = &live.settings;
    let mut problems = Vec::new();
    let mut compare = |what: &str, found: &str, expected: &str| {
        if found != expected {
            problems.push(format!("{what} is {found}, and the template says {expected}"));
        }
    };
    compare("the runtime", &found.runtime, RUNTIME);
    compare("the architecture", &found.architecture, stack.parameter("Architecture"));
    compare("the memory in MB", &found.memory_mb.to_string(), &expected.memory_mb.to_string());
    compare("the timeout in seconds", &found.timeout_seconds.to_string(), &expected.timeout.to_string());
    if let Lookup::Found(reserved) = &function.reserved {
        let wanted = stack.number("IngestReservedConcurrency");
        let wanted = if check == Check::IngestSettings && wanted > 0 { wanted.to_string() } else { "none".to_owned() };
        compare("the reserved concurrency", &reserved.map_or("none".to_owned(), |n| n.to_string()), &wanted);
    }
    let well = format!(
        "{} has {} MB, {} s, {} on {}, as its parameters say",
        function.name, found.memory_mb, found.timeout_seconds, found.runtime, found.architecture
    );
    let way_out = format!(
        "somebody changed {} by hand: change it back with `aws lambda update-function-configuration` (or \
         `put-function-concurrency`), or deploy with a changed parameter and then with the right one",
        function.name
    );
    Finding::unless(check, &problems, well, way_out)
}

fn alias(function: &Function, check: Check) -> Finding {
    let name = &function.name;
    let gone = format!("{name} has no alias live: nothing invokes it");
    let way_out = format!(
        "`aws lambda list-versions-by-function --function-name {name}` shows the versions; the newest is what was deployed: \
         `aws lambda update-alias --function-name {name} --name live --function-version VERSION`"
    );
    function.live.judge(check, (&gone, &way_out), |live| {
        if live.version == "$LATEST" {
            return Finding::fail(
                check,
                format!("the alias live of {name} points at $LATEST, not at a version"),
                way_out.clone(),
            );
        }
        if !live.beside.is_empty() {
            let beside = live.beside.join(", ");
            return Finding::warn(
                check,
                format!(
                    "the alias live of {name} shares its invocations between the versions {} and {beside}",
                    live.version
                ),
                "a gradual deploy does that while it lasts",
            );
        }
        let well = format!("the alias live of {name} serves version {}, which is what was deployed last", live.version);
        let Lookup::Found(latest) = &function.latest else { return Finding::pass(check, well) };
        let different = differences(latest, &live.settings);
        if different.is_empty() {
            return Finding::pass(check, well);
        }
        let what = format!(
            "the alias live of {name} serves version {}, which differs from what was deployed last in {}",
            live.version,
            different.join(", ")
        );
        Finding::fail(check, what, way_out.clone())
    })
}

/// In what a version differs from what was deployed last. Of a variable the name is told and never the value.
fn differences(latest: &Settings, live: &Settings) -> Vec<String> {
    let fields = [
        ("its code", latest.code_sha256 == live.code_sha256),
        ("its memory", latest.memory_mb == live.memory_mb),
        ("its timeout", latest.timeout_seconds == live.timeout_seconds),
        ("its architecture", latest.architecture == live.architecture),
        ("its logging", latest.log_group == live.log_group && latest.log_format == live.log_format),
    ];
    let mut names: Vec<&String> = latest.variables.keys().chain(live.variables.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| latest.variables.get(*name) != live.variables.get(*name));
    let fields = fields.into_iter().filter(|(_, same)| !same).map(|(what, _)| what.to_owned());
    fields.chain(changed.map(|name| format!("the variable {name}"))).collect()
}

fn logging(stack: &StackFacts, function: &Function, live: &Settings, check: Check) -> Finding {
    let mut problems = Vec::new();
    if live.log_format != "JSON" {
        problems.push(format!("the log format is {}, not JSON: queries find no fields", live.log_format));
    }
    if live.application_level != "INFO" {
        problems.push(format!("the application's log level is {}, not INFO", live.application_level));
    }
    if live.system_level != "WARN" {
        problems.push(format!(
            "the system's log level is {}, not WARN: a line for each invocation costs",
            live.system_level
        ));
    }
    let group = format!("/aws/lambda/{}", function.name);
    if live.log_group != group {
        problems.push(format!("the log lines go to {}, not to {group}", live.log_group));
    }
    let days = stack.number("LogRetentionDays");
    match &function.log_days {
        Lookup::Found(Some(found)) if *found == days => {}
        Lookup::Found(Some(found)) => problems.push(format!("its log lines are kept {found} days, not {days}")),
        Lookup::Found(None) => problems.push(format!("its log lines are kept for ever, not {days} days")),
        Lookup::Absent => problems.push(format!("there is no log group {group}")),
        Lookup::NotLocally(_) | Lookup::Unknown(_) => {}
    }
    Finding::unless(
        check,
        &problems,
        format!("{} logs JSON from INFO on to {group}, kept {days} days", function.name),
        format!(
            "`aws logs put-retention-policy --log-group-name {group} --retention-in-days {days}`, and \
             `aws lambda update-function-configuration --logging-config` with a new version on the alias, or `make deploy`"
        ),
    )
}

/// As the template's `EventInvokeConfig` has it.
const INVOKED: Invoked = Invoked { retries: 0, event_age_seconds: 60 };

fn invoked(process: &Function, invoked: &Lookup<Invoked>) -> Finding {
    let check = Check::ProcessInvoked;
    let Invoked { retries, event_age_seconds } = INVOKED;
    let way_out = format!(
        "`aws lambda put-function-event-invoke-config --function-name {} --qualifier live --maximum-retry-attempts {retries} \
         --maximum-event-age-in-seconds {event_age_seconds}`",
        process.name
    );
    let gone = "nothing says what becomes of a sweep that failed: Lambda tries it twice more, and one that was throttled for six hours, \
                beside those of every minute";
    invoked.judge(check, (gone, &way_out), |found| {
        if *found == INVOKED {
            return Finding::pass(check, "Lambda gives up a sweep that failed or was throttled; the next one makes up for it");
        }
        let what = format!(
            "Lambda tries a failed sweep {} times more and a throttled one for {} s, not {retries} times and {event_age_seconds} s",
            found.retries, found.event_age_seconds
        );
        Finding::fail(check, what, way_out.clone())
    })
}

/// What one delivery or command leads to is a chain of invocations, and Lambda stops a chain at about the 16th.
fn loops(process: &Function, loops: &Lookup<f64>) -> Finding {
    let check = Check::ProcessLoops;
    let name = &process.name;
    loops.judge(check, ("nobody counts the loops that Lambda stops", "try again"), |stopped| {
        if *stopped == 0.0 {
            return Finding::pass(check, format!("Lambda has stopped no invocation of {name} as an endless loop in two weeks"));
        }
        Finding::fail(
            check,
            format!("Lambda has stopped {stopped} invocations of {name} as endless loops in two weeks: their messages are dead letters"),
            format!(
                "`aws lambda put-function-recursion-config --function-name {name} --recursive-loop Allow`, then \
                 `rollcall dlq`, and tell us: no chain should be so long"
            ),
        )
    })
}

fn url(ingest: &Function, url: &Lookup<Url>) -> Finding {
    let check = Check::UrlConfig;
    let name = &ingest.name;
    let way_out =
        format!("`aws lambda update-function-url-config --function-name {name} --qualifier live --auth-type NONE`");
    let gone = format!("the alias live of {name} has no URL: no webhook arrives");
    let anew = "delete the stack and deploy it anew, which gives a new URL that the senders must be told";
    // It was asked for by the alias, so it is the alias's.
    url.judge(check, (&gone, anew), |url| match url.auth.as_str() {
        "NONE" => Finding::pass(check, format!("{} is open to senders, on the alias live", url.url)),
        auth => {
            let what = format!("the URL asks for {auth}, which no sender can prove: it answers 403");
            Finding::fail(check, what, way_out)
        }
    })
}

/// Facts of AWS: both are needed since October 2025, and without the second every caller gets 403 before the function runs.
fn permissions(ingest: &Function, statements: &Lookup<Vec<Value>>) -> Finding {
    let check = Check::UrlPermissions;
    let name = &ingest.name;
    let add =
        format!("`aws lambda add-permission --function-name {name} --qualifier live --principal '*' --statement-id");
    let way_out = format!(
        "{add} url --action lambda:InvokeFunctionUrl --function-url-auth-type NONE` and \
         {add} invoke --action lambda:InvokeFunction --invoked-via-function-url`"
    );
    statements.judge(check, ("nobody may call the URL: it answers 403", &way_out), |statements| {
        let allows = |action: &str, condition: &str, expected: &str| {
            statements.iter().any(|statement| allows(statement, action, condition, expected))
        };
        let mut problems = Vec::new();
        if !allows("lambda:InvokeFunctionUrl", "/Condition/StringEquals/lambda:FunctionUrlAuthType", "NONE") {
            problems.push("lambda:InvokeFunctionUrl is not allowed to everybody: the URL answers 403".to_owned());
        }
        if !allows("lambda:InvokeFunction", "/Condition/Bool/lambda:InvokedViaFunctionUrl", "true") {
            problems.push(
                "lambda:InvokeFunction through the URL is not allowed to everybody: the URL answers 403".to_owned(),
            );
        }
        Finding::unless(check, &problems, "both permissions that a public URL needs are there", way_out.clone())
    })
}

fn allows(statement: &Value, action: &str, condition: &str, expected: &str) -> bool {
    let is_everybody = |principal: &Value| principal == "*" || principal.get("AWS").is_some_and(|aws| aws == "*");
    statement.get("Effect").is_some_and(|effect| effect == "Allow")
        && statement.get("Action").is_some_and(|its| its == action)
        && statement.get("Principal").is_some_and(is_everybody)
        && statement.pointer(condition).is_some_and(|found| found == expected || (expected == "true" && *found == true))
}

fn version(stack: &StackFacts, secret: &Lookup<SecretFacts>) -> Finding {
    let check = Check::SecretVersion;
    let name = stack.parameter("SecretName");
    let gone = format!("there is no secret {name}: the next deploy fails");
    secret.judge(check, (&gone, "`aws secretsmanager restore-secret` within its recovery window; else `make deploy` makes one"), |secret| {
        if secret.current == stack.parameter("SecretVersionId") {
            return Finding::pass(check, format!("the deployed version of the secret {name} is its current one"));
        }
        Finding::fail(
            check,
            format!("the secret {name} has a newer version than the deployed one: what was entered last is not accepted yet"),
            "`make rotate` hands it to the functions, and changes nothing else",
        )
    })
}

fn deployed(secret: &Lookup<SecretFacts>) -> Finding {
    let check = Check::SecretDeployed;
    secret.judge(check, ("there is no secret to compare with", "see secret.version"), |secret| match &secret.outdated {
        None => Finding::warn(
            check,
            "the secret's value could not be read, so it could not be compared with what the functions hold",
            "use credentials with secretsmanager:GetSecretValue",
        ),
        Some(outdated) if outdated.is_empty() => {
            Finding::pass(check, "the versions that are invoked hold what the secret says")
        }
        Some(outdated) => {
            let names: Vec<&str> = outdated.iter().map(String::as_str).collect();
            let what =
                format!("the versions that are invoked hold something else than the secret in {}", names.join(", "));
            Finding::fail(
                check,
                what,
                "`make rotate` publishes versions with it; see also ingest.alias and process.alias",
            )
        }
    })
}
