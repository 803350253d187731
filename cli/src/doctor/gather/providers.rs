//! The providers' APIs, and what the routes received and rejected.

use crate::{
    doctor::{
        facts::{ApiAnswer, Asked, BOT_PREFIX, Lookup, RETRY_SUFFIX, Route, StackFacts},
        logs::{self, Lines},
    },
    stack::{Keyring, Stack, is_here},
    table::{self, Wanted},
};
use jiff::Timestamp;
use reqwest::{Client, redirect::Policy};
use serde_json::Value;
use shared::{Endpoint, Provider, ReceivedAt, Session, Source};
use simulator::delivery::Secret;
use std::{collections::BTreeMap, error::Error as _, time::Duration};

/// How long a provider has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far back sessions are looked at, and how many at most.
const RECENT: Wanted<'_> = Wanted { provider: None, state: None, attribute: None, days: 30, limit: 500 };

/// How far back rejected requests are looked for.
const REJECTED_SECONDS: i64 = 86_400;

/// What the providers' APIs say to the stack's keys.
pub(super) async fn apis(stack: &Stack, described: &StackFacts) -> BTreeMap<Provider, Asked> {
    let keyring = stack.keyring().await;
    let mut asked = BTreeMap::new();
    for provider in Provider::ALL {
        let url = match provider {
            Provider::MeetStream => described.parameter("MeetStreamApiUrl"),
            Provider::MeetingBaas => described.parameter("MeetingBaasApiUrl"),
        };
        let url = url.trim_end_matches('/').to_owned();
        let answer = match keyring.as_ref().map(|keyring| keyring.api_key(provider)) {
            Err(failure) => ApiAnswer::Unread(failure.clone()),
            Ok(None) => ApiAnswer::NoKey,
            Ok(Some(key)) => ask(provider, &url, &key).await,
        };
        asked.insert(provider, Asked { url, answer });
    }
    asked
}

/// Asks for a list, which is there whatever else is not.
async fn ask(provider: Provider, url: &str, key: &Secret) -> ApiAnswer {
    match provider {
        Provider::MeetStream => get(&format!("{url}/bots"), "authorization", &format!("Token {}", key.0)).await,
        Provider::MeetingBaas => {
            let header = "x-meeting-baas-api-key";
            match get(&format!("{url}/v2/bots?limit=1"), header, &key.0).await {
                // An account may know the older version only.
                refused @ ApiAnswer::Status { status: 401 | 403, .. } => {
                    match get(&format!("{url}/bots/bots_with_metadata?limit=1"), header, &key.0).await {
                        taken @ ApiAnswer::Status { status: 200..=299, .. } => taken,
                        _ => refused,
                    }
                }
                answer => answer,
            }
        }
    }
}

async fn get(url: &str, header: &'static str, credential: &str) -> ApiAnswer {
    // The credential goes to this host and nowhere else.
    let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE);
    let client = if is_here(url) { client.no_proxy() } else { client };
    let client = match client.build() {
        Ok(client) => client,
        Err(error) => return ApiAnswer::Nothing(error.to_string()),
    };
    let request = client.get(url).header(header, credential).header("accept", "application/json");
    match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let is_json = answer.json::<serde::de::IgnoredAny>().await.is_ok();
            ApiAnswer::Status { status, is_json }
        }
        Err(error) => {
            let error = error.without_url();
            ApiAnswer::Nothing(error.source().map_or_else(|| error.to_string(), root))
        }
    }
}

/// The last cause, which says most in fewest words.
fn root(mut cause: &(dyn std::error::Error + 'static)) -> String {
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// What each route that has a credential received.
pub(super) async fn routes(stack: &Stack) -> Lookup<BTreeMap<Endpoint, Route>> {
    let keyring = match stack.keyring().await {
        Ok(keyring) => keyring,
        Err(failure) => return Lookup::Unknown(failure),
    };
    let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
    let now = Timestamp::now();
    let recent = table::recent(&client, stack, RECENT, ReceivedAt(now.as_millisecond())).await;
    Lookup::from(recent).map(|(sessions, _)| received(&sessions, &open(&keyring), now.as_millisecond()))
}

/// The routes that have a credential.
pub(crate) fn open(keyring: &Keyring<'_>) -> Vec<Endpoint> {
    Endpoint::ALL.into_iter().filter(|endpoint| keyring.credential(*endpoint).is_ok()).collect()
}

fn received(sessions: &[Session], open: &[Endpoint], now: i64) -> BTreeMap<Endpoint, Route> {
    let ago = |at: ReceivedAt| ((now - at.0) / 1000).max(0);
    let (of_doctor, others): (Vec<&Session>, Vec<_>) =
        sessions.iter().partition(|session| session.id().id.as_sent().starts_with(BOT_PREFIX));
    // A run has a session in its name, perhaps one of each provider, and another one whose delivery fails for a while.
    let run = |session: &&Session| (session.id().id.as_sent().to_owned(), ago(session.first_received_at()));
    let mut runs: BTreeMap<String, i64> = of_doctor.iter().map(run).collect();
    runs.retain(|id, _| !id.ends_with(RETRY_SUFFIX));
    let route = |endpoint: Endpoint| {
        let lines = others.iter().flat_map(|session| session.timeline());
        let lines = lines.filter(|line| line.source == Source::Delivered(endpoint));
        let mut received: Vec<i64> = lines.map(|line| ago(line.received_at)).collect();
        received.sort_unstable();
        Route { received, doctors: runs.values().copied().collect() }
    };
    open.iter().map(|endpoint| (*endpoint, route(*endpoint))).collect()
}

/// The requests of the last day with a wrong credential, by ingest's log lines. One without any credential is a stranger's.
pub(super) async fn rejected(stack: &Stack, ingest: &str) -> Lookup<BTreeMap<Endpoint, Vec<i64>>> {
    let reasons = ["mismatch", "malformed", "expired"];
    let now = Timestamp::now().as_second();
    let pattern = reasons.map(|reason| format!("$.reason = \"{reason}\"")).join(" || ");
    let lines =
        Lines { group: logs::group(ingest), since: now - REJECTED_SECONDS, pattern: format!("{{ {pattern} }}") };
    let is_rejected =
        |line: &Value| line.get("reason").and_then(Value::as_str).is_some_and(|reason| reasons.contains(&reason));
    lines.find(stack, is_rejected).await.map(|found| {
        let mut rejected: BTreeMap<Endpoint, Vec<i64>> = BTreeMap::new();
        for line in found {
            let route = line.json.get("Route").and_then(Value::as_str);
            let endpoint = Endpoint::ALL.into_iter().find(|endpoint| route == Some(endpoint.as_str()));
            if let Some(endpoint) = endpoint {
                rejected.entry(endpoint).or_default().push((now - line.at).max(0));
            }
        }
        rejected
    })
}
