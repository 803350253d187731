//! `rollcall settings check`: whether the functions would start with the settings that are about to be deployed.

use crate::{failure::Failure, screen};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use shared::{
    Endpoint,
    env::ConfigError,
    settings::{self, ApiSettings, PublishedKinds},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

/// The most that Lambda takes as a function's environment, in bytes of the JSON object that it makes of the variables.
/// (Lambda quotas, "Environment variables: 4 KB"; its refusal prints the JSON object as "String measured".)
const MAX_ENVIRONMENT_BYTES: usize = 4096;

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Settings {
    Check(Check),
}

/// Read the environment of both functions from standard input, and refuse what they would refuse
///
/// The input is a JSON object: {"ingest": {"NAME": "value", …}, "process": {"NAME": "value", …}}. It holds secrets. They are
/// read from standard input so that they are in no argument, and no value is printed.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall settings check < environments.json
  rollcall settings check --json < environments.json | jq -r '.routes[]'")]
pub(crate) struct Check {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The environment variables of both functions, as `template.yaml` sets them.
#[derive(Deserialize)]
struct Environments {
    ingest: BTreeMap<String, String>,
    process: BTreeMap<String, String>,
}

/// What the settings open, and how large they are. This is the shape of `--json`.
#[derive(PartialEq, Serialize, Debug)]
struct Report {
    /// The names of the routes that have a credential.
    routes: Vec<&'static str>,
    /// The providers whose API there is a key for.
    apis: Vec<&'static str>,
    /// The size of each function's environment, in bytes as Lambda counts them.
    environment_bytes: BTreeMap<&'static str, usize>,
}

impl Settings {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self::Check(check) = self;
        let mut input = String::new();
        std::io::stdin()
            .read_to_string(&mut input)
            .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
        let report = Report::of(&input)?;
        if check.json { screen::print_json(&report) } else { screen::print(&report.render()) }
    }
}

impl Report {
    /// Reads the settings as the functions do. No error of this names a value: a parser's own words could quote a secret.
    fn of(input: &str) -> Result<Self, Failure> {
        let environments: Environments = serde_json::from_str(input).map_err(|_| {
            Failure::usage("standard input is not a JSON object of the environments of both functions")
                .help(r#"write {"ingest": {"NAME": "value"}, "process": {"NAME": "value"}}, with text values only"#)
        })?;
        let mut sizes = BTreeMap::new();
        for (function, environment) in [("ingest", &environments.ingest), ("process", &environments.process)] {
            check_lists(environment)?;
            sizes.insert(function, check_size(function, environment)?);
        }
        let open = settings::endpoints(&|name: &str| environments.ingest.get(name).cloned()).map_err(refusal)?;
        let process = |name: &str| environments.process.get(name).cloned();
        let apis = ApiSettings::from_env(&process).map_err(refusal)?;
        PublishedKinds::from_env(&process).map_err(refusal)?;
        let keys = [("meetstream", apis.meetstream.is_some()), ("meetingbaas", apis.meetingbaas.is_some())];
        Ok(Self {
            routes: open.into_iter().map(|(endpoint, _)| Endpoint::as_str(endpoint)).collect(),
            apis: keys.into_iter().filter(|(_, has_key)| *has_key).map(|(name, _)| name).collect(),
            environment_bytes: sizes,
        })
    }

    fn render(&self) -> String {
        let none = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let mut lines = vec![
            format!("open routes       {}", none(&self.routes)),
            format!("API keys for      {}", none(&self.apis)),
        ];
        for (function, bytes) in &self.environment_bytes {
            lines.push(format!("{function:<8}          {bytes} of {MAX_ENVIRONMENT_BYTES} bytes of environment"));
        }
        lines.join("\n")
    }
}

/// Refuses a credential that is listed twice: somebody who drops one of the two would believe that it is no longer accepted.
fn check_lists(environment: &BTreeMap<String, String>) -> Result<(), Failure> {
    for (name, value) in environment.iter().filter(|(name, _)| is_list_of_credentials(name)) {
        let mut seen = BTreeSet::new();
        let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (position, entry) in entries.enumerate() {
            if !seen.insert(entry) {
                return Err(Failure::new(format!("{name} lists entry {} a second time", position + 1))
                    .help("drop it: `make secret` shows how"));
            }
        }
    }
    Ok(())
}

fn is_list_of_credentials(name: &str) -> bool {
    ["_SECRETS", "_TOKENS", "_API_KEYS"].iter().any(|end| name.ends_with(end))
}

fn check_size(function: &str, environment: &BTreeMap<String, String>) -> Result<usize, Failure> {
    let bytes = serde_json::to_string(environment).map_err(|error| Failure::new(error.to_string()))?.len();
    if bytes > MAX_ENVIRONMENT_BYTES {
        let what = format!(
            "the environment of the {function} function has {bytes} bytes, and Lambda takes {MAX_ENVIRONMENT_BYTES}"
        );
        return Err(Failure::new(what).help("drop old entries of the secret's longest lists"));
    }
    Ok(bytes)
}

fn refusal(error: ConfigError) -> Failure {
    Failure::new(format!("the function would not start: {error}"))
        .help("correct the secret with `make secret`, or the parameter with `make deploy SET=…`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TOKEN: &str = "a-token-of-22-characters";

    fn with(ingest: Value, process: Value) -> Result<Report, Failure> {
        Report::of(&json!({"ingest": ingest, "process": process}).to_string())
    }

    #[test]
    fn usable_settings_are_reported_without_their_values() {
        let report = with(
            json!({"MEETSTREAM_WEBHOOK_SECRETS": "n3w,0ld", "MEETSTREAM_CALLBACK_TOKENS": TOKEN, "MEETINGBAAS_API_KEYS": ","}),
            json!({"MEETSTREAM_API_KEYS": "k3y", "MEETINGBAAS_API_KEYS": ","}),
        )
        .unwrap();
        assert_eq!(report.routes, ["meetstream", "meetstream-callback"]);
        assert_eq!(report.apis, ["meetstream"]);
        assert_eq!(
            report.environment_bytes["process"],
            r#"{"MEETINGBAAS_API_KEYS":",","MEETSTREAM_API_KEYS":"k3y"}"#.len()
        );
        let shown = report.render() + &crate::escape::json(&report).unwrap();
        assert!(!["n3w", "0ld", TOKEN, "k3y"].iter().any(|value| shown.contains(value)), "{shown}");
    }

    #[test]
    fn what_a_function_would_refuse_is_refused_and_never_shown() {
        let fine = json!({"MEETSTREAM_WEBHOOK_SECRETS": "s3cret"});
        let none = json!({});
        let cases = [
            (none.clone(), none.clone(), "MEETSTREAM_WEBHOOK_SECRETS"),
            (json!({"MEETSTREAM_CALLBACK_TOKENS": "s3cret"}), none.clone(), "at least 22 characters"),
            (json!({"MEETINGBAAS_SVIX_SECRETS": "s3cret!"}), none.clone(), "MEETINGBAAS_SVIX_SECRETS"),
            (json!({"MEETSTREAM_WEBHOOK_SECRETS": "{{resolve:s3cret}}"}), none.clone(), "unresolved"),
            (json!({"MEETSTREAM_WEBHOOK_SECRETS": "a,s3cret, s3cret"}), none.clone(), "entry 3 a second time"),
            (fine.clone(), json!({"MEETSTREAM_API_KEYS": "s3 cret"}), "MEETSTREAM_API_KEYS"),
            (fine.clone(), json!({"MEETINGBAAS_API_KEYS": "s3cret,s3cret"}), "MEETINGBAAS_API_KEYS lists entry 2"),
            (fine.clone(), json!({"MEETSTREAM_API_URL": "http://host"}), "MEETSTREAM_API_URL"),
        ];
        for (ingest, process, said) in cases {
            let error = with(ingest, process).unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains("s3cret"), "{said}: {error}");
        }
    }

    #[test]
    fn an_environment_is_measured_as_lambda_measures_it() {
        let around = r#"{"MEETSTREAM_WEBHOOK_SECRETS":""}"#.len();
        let secret = |length| json!({"MEETSTREAM_WEBHOOK_SECRETS": "s".repeat(length)});
        assert!(with(secret(MAX_ENVIRONMENT_BYTES - around), json!({})).is_ok());
        let error = with(secret(MAX_ENVIRONMENT_BYTES - around + 1), json!({})).unwrap_err().to_string();
        assert!(error.contains("ingest function has 4097 bytes"), "{error}");
        assert!(with(json!({"MEETSTREAM_WEBHOOK_SECRETS": "s"}), secret(5000)).is_err(), "of both functions");
    }

    #[test]
    fn what_is_no_pair_of_environments_is_refused_without_quoting_it() {
        for odd in
            ["", "s3cret", "[]", r#"{"ingest":{}}"#, r#"{"ingest":{"A":1},"process":{}}"#, r#"{"ingest":{"A":"s3cret"#]
        {
            let error = Report::of(odd).unwrap_err().to_string();
            assert!(error.contains("not a JSON object") && !error.contains("s3cret"), "{odd}: {error}");
        }
    }
}
