//! A fleet of made-up bots against the deployed template, by the operator's command.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// What a provider's API is known to do wrong, and the deployed function must cope with.
const API_FAULTS: [&str; 14] = [
    "202",
    "202 for ever",
    "403 for ever",
    "404 for ever",
    "410 for ever",
    "429 with seconds",
    "429 with a date",
    "500",
    "expired URL",
    "redirect",
    "reset",
    "slow",
    "truncated",
    "truncated for ever",
];

/// One fleet at a time: a simulated API says of another fleet's bots that there are none.
static TURN: Mutex<()> = Mutex::new(());

/// Runs `rollcall simulate` and reads what it found.
fn simulate(flags: &str) -> Result<(Option<i32>, Value)> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = Command::new(e2e::binary::built("rollcall")?)
        .args(["simulate", "--json", "--wait", "180"])
        .args(flags.split_whitespace())
        .output()?;
    let told = String::from_utf8_lossy(&answer.stderr).into_owned();
    let findings = serde_json::from_slice(&answer.stdout).with_context(|| told.clone())?;
    Ok((answer.status.code(), findings))
}

/// Where nobody can be asked, nothing is sent to a stack on AWS, and nothing of it is even looked at; `--yes` is the answer.
#[test]
fn bots_that_never_were_are_sent_to_a_deployed_stack_only_with_consent() -> Result<()> {
    let simulate = |consent: &[&str]| -> Result<(Option<i32>, String)> {
        let nowhere =
            [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_REGION", "us-east-1"), ("AWS_MAX_ATTEMPTS", "1")];
        let answer = Command::new(e2e::binary::built("rollcall")?)
            .args(["simulate", "--bots", "3", "--stack", "production"])
            .args(consent)
            .envs(nowhere)
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .stdin(Stdio::null())
            .output()?;
        Ok((answer.status.code(), String::from_utf8_lossy(&answer.stderr).into_owned()))
    };
    let question = "Send 3 bots that never were to the stack \"production\"?";
    let (code, told) = simulate(&[])?;
    assert!(code == Some(2) && told.contains(question) && told.contains("--yes"), "{code:?} {told}");
    let (code, told) = simulate(&["--yes"])?;
    assert!(code != Some(0) && !told.contains(question) && told.contains("CloudFormation"), "{code:?} {told}");
    Ok(())
}

fn number(findings: &Value, name: &str) -> u64 {
    findings[name].as_u64().unwrap_or_default()
}

fn sum(findings: &Value, name: &str) -> u64 {
    findings[name].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_u64()).sum()
}

/// Nothing is lost here, so every session must be as its meeting was.
#[test]
fn every_delivery_of_a_fleet_is_accounted_for() -> Result<()> {
    let (code, findings) =
        simulate("--without-api --bots 30 --duration 10 --duplicate 0.2 --reorder 0.2 --delay 0.1 --seed 7")?;
    ensure!(code == Some(0), "{findings:#}");
    assert_eq!(findings["unaccounted"], Value::Array(vec![]), "{findings:#}");
    assert_eq!(findings["otherwise"], Value::Array(vec![]), "{findings:#}");
    assert_eq!(findings["answers"]["200"].as_u64(), Some(number(&findings, "sent")), "{findings:#}");
    // A deletion takes the record of a bot's repetitions with it.
    let (on_record, sent) = (sum(&findings, "deliveries"), number(&findings, "sent"));
    let is_deleted = findings["states"]["deleted"].as_u64() > Some(0);
    assert!(on_record == sent || (is_deleted && on_record > sent * 9 / 10 && on_record < sent), "{findings:#}");
    assert!(number(&findings, "copies") > 10 && number(&findings, "bots") == 30, "{findings:#}");
    Ok(())
}

/// What is lost on the way is excused, and nothing else is.
#[test]
fn what_was_lost_on_the_way_is_told_apart_from_what_was_accepted() -> Result<()> {
    let (code, findings) = simulate("--without-api --bots 15 --duration 5 --drop 0.3 --providers meetstream --seed 8")?;
    ensure!(code == Some(0), "{findings:#}");
    assert!(number(&findings, "dropped") > 10, "{findings:#}");
    let otherwise = findings["otherwise"].as_array().context("a list")?;
    assert!(!otherwise.is_empty(), "some ends were lost: {findings:#}");
    assert!(otherwise.iter().all(|bot| bot["lost"].as_array().is_some_and(|lost| !lost.is_empty())), "{findings:#}");
    Ok(())
}

/// The command compares: what the bucket has with what the simulated APIs served, and why the rest is unavailable.
#[test]
fn every_artifact_of_a_fleet_is_stored_as_it_was_served_or_unavailable_for_the_right_reason() -> Result<()> {
    let (code, findings) = simulate(
        "--bots 40 --duration 12 --duplicate 0.1 --reorder 0.1 --api-faults 0.6 --sweep-every 3 --seed 7 \
         --largest-recording 300000",
    )?;
    ensure!(code == Some(0), "{findings:#}");
    for nothing in ["unaccounted", "otherwise", "differing"] {
        assert_eq!(findings[nothing], Value::Array(vec![]), "{findings:#}");
    }
    for fault in API_FAULTS {
        assert!(findings["api_faults"][fault].as_u64() > Some(0), "{fault} never happened: {findings:#}");
    }
    assert!(findings["states"]["deleted"].as_u64() > Some(0), "nothing was deleted: {findings:#}");
    for artifact in ["transcript", "audio", "video"] {
        let ends = &findings["artifacts"][artifact];
        assert!(ends["stored"].as_u64() > Some(5), "{artifact}: {findings:#}");
        assert!(ends.as_object().is_some_and(|ends| ends.len() > 3), "few ends of {artifact}: {findings:#}");
    }
    Ok(())
}
