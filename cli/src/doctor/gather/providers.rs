//! The providers' APIs, and what was heard of them.

use crate::{
    doctor::facts::{ApiAnswer, Asked, BOT_PREFIX, Seen, StackFacts},
    stack::{Keyring, Stack, is_here},
    table::{self, Found},
};
use jiff::Timestamp;
use reqwest::{Client, redirect::Policy};
use shared::{Endpoint, Provider, ReceivedAt, Session, Source};
use simulator::delivery::Secret;
use std::{collections::BTreeMap, error::Error as _, time::Duration};

/// How long a provider has for its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far back sessions are looked at, and how many at most.
const HEARD: Found = Found { provider: None, state: None, days: 30, limit: 500 };

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

/// Of each route that has a credential, the seconds since its last delivery.
pub(super) async fn heard(stack: &Stack) -> Seen<BTreeMap<Endpoint, Option<i64>>> {
    let keyring = match stack.keyring().await {
        Ok(keyring) => keyring,
        Err(failure) => return Seen::Unknown(failure),
    };
    let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
    let now = Timestamp::now();
    match table::recent(&client, stack, HEARD, ReceivedAt(now.as_millisecond())).await {
        Ok((sessions, _)) => Seen::Here(last(&sessions, &open(&keyring), now.as_millisecond())),
        Err(failure) => Seen::Unknown(failure),
    }
}

/// The routes that have a credential.
pub(crate) fn open(keyring: &Keyring<'_>) -> Vec<Endpoint> {
    Endpoint::ALL.into_iter().filter(|endpoint| keyring.credential(*endpoint).is_ok()).collect()
}

fn last(sessions: &[Session], open: &[Endpoint], now: i64) -> BTreeMap<Endpoint, Option<i64>> {
    let of_others = sessions.iter().filter(|session| !session.id().id.as_sent().starts_with(BOT_PREFIX));
    let lines: Vec<_> =
        of_others.flat_map(Session::timeline).map(|entry| (entry.source, entry.received_at.0)).collect();
    let last = |endpoint| {
        let of_route = lines.iter().filter(|(source, _)| *source == Source::Delivered(endpoint));
        of_route.map(|(_, at)| *at).max().map(|at| ((now - at) / 1000).max(0))
    };
    open.iter().map(|endpoint| (*endpoint, last(*endpoint))).collect()
}
