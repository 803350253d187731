//! Recent sessions, by the index of the days on which they were first heard of.

use super::{Item, has_expired, session_of, text};
use crate::{failure::Failure, stack::Stack};
use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use shared::{
    Provider, ReceivedAt, Session, SessionId,
    ids::Subject,
    session::State,
    table::{BY_FIRST_SEEN, FIRST_SEEN_DAY, PK, SESSION_SORT_KEY, SK, day, partition_key},
};
use std::{collections::HashMap, time::Duration};

const MILLISECONDS_PER_DAY: i64 = 86_400_000;

/// As many as `DynamoDB` gives in one call.
const BATCH: usize = 100;

/// How often what was left over is asked for, with growing pauses: 50 ms to 3.2 s.
const ATTEMPTS: u32 = 8;

/// Which sessions are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Only sessions of this provider.
    pub provider: Option<Provider>,
    /// Only bots in this state.
    pub state: Option<State>,
    /// Only bots with this custom attribute of this value.
    pub attribute: Option<(&'a str, &'a str)>,
    /// How many days back, today included.
    pub days: u32,
    /// How many at most.
    pub limit: usize,
}

impl Wanted<'_> {
    /// Whether this session is wanted.
    pub(super) fn is(&self, session: &Session) -> bool {
        let id = session.id();
        self.provider.is_none_or(|provider| id.provider == provider)
            && self.state.is_none_or(|state| id.subject == Subject::Bot && session.state() == state)
            && self.attribute.is_none_or(|(name, value)| {
                let attributes = session.custom_attributes().and_then(|text| serde_json::from_str(text).ok());
                let found = attributes.as_ref().and_then(|all: &serde_json::Value| all.get(name));
                found.is_some_and(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned) == value)
            })
    }
}

/// The sessions, newest first, and those items that this version cannot read.
pub async fn recent(
    client: &Client,
    stack: &Stack,
    wanted: Wanted<'_>,
    now: ReceivedAt,
) -> Result<(Vec<Session>, Vec<Failure>), Failure> {
    let mut sessions = Vec::new();
    let mut unreadable = Vec::new();
    for days_back in 0..i64::from(wanted.days) {
        let day = day(ReceivedAt(now.0.saturating_sub(days_back.saturating_mul(MILLISECONDS_PER_DAY))));
        let mut pages = client
            .query()
            .table_name(&stack.table)
            .index_name(BY_FIRST_SEEN)
            .key_condition_expression("#day = :day")
            .expression_attribute_names("#day", FIRST_SEEN_DAY)
            .expression_attribute_values(":day", AttributeValue::S(day))
            .scan_index_forward(false)
            .limit(i32::try_from(BATCH).unwrap_or(i32::MAX))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let doing = format!("listing the index {BY_FIRST_SEEN} of the table {}", stack.table);
            let page = page.map_err(|error| stack.aws.failure(&doing, &error))?;
            for item in fetch(client, stack, page.items()).await? {
                match session_of(&item) {
                    _ if has_expired(&item, now.unix_seconds()) => {}
                    Ok(session) if wanted.is(&session) => sessions.push(session),
                    Ok(_) => {}
                    Err(failure) => unreadable.push(failure),
                }
            }
            if sessions.len() >= wanted.limit {
                sessions.truncate(wanted.limit);
                return Ok((sessions, unreadable));
            }
        }
    }
    Ok((sessions, unreadable))
}

/// The sessions of these bots and calendars, those that there are. `now` is in seconds since the Unix epoch.
pub async fn sessions(client: &Client, stack: &Stack, ids: &[SessionId], now: i64) -> Result<Vec<Session>, Failure> {
    let key = |id| {
        let value = |text: &str| AttributeValue::S(text.to_owned());
        Item::from([(PK.to_owned(), value(&partition_key(id))), (SK.to_owned(), value(SESSION_SORT_KEY))])
    };
    let keys: Vec<Item> = ids.iter().map(key).collect();
    let found = fetch(client, stack, &keys).await?;
    found.iter().filter(|item| !has_expired(item, now)).map(session_of).collect()
}

/// The whole items that the index has keys of, in the order of the index. Those that are gone by now are left out.
async fn fetch(client: &Client, stack: &Stack, keys: &[Item]) -> Result<Vec<Item>, Failure> {
    let mut found = HashMap::new();
    for keys in keys.chunks(BATCH) {
        let mut open: Vec<Item> = keys.iter().filter_map(session_key).collect();
        let mut attempt = 0;
        while !open.is_empty() {
            if attempt == ATTEMPTS {
                let what =
                    format!("the table {} left {} sessions unread, {ATTEMPTS} times over", stack.table, open.len());
                return Err(
                    Failure::new(what).help("it is being throttled; try again later, or with a smaller --limit")
                );
            }
            if attempt > 0 {
                tokio::time::sleep(Duration::from_millis(25 << attempt)).await;
            }
            attempt += 1;
            (found, open) = fetch_once(client, stack, found, open).await?;
        }
    }
    Ok(keys.iter().filter_map(|key| found.remove(text(key, PK)?)).collect())
}

/// One call. What the table did not get to comes back with what it found.
async fn fetch_once(
    client: &Client,
    stack: &Stack,
    mut found: HashMap<String, Item>,
    open: Vec<Item>,
) -> Result<(HashMap<String, Item>, Vec<Item>), Failure> {
    let doing = format!("reading the table {}", stack.table);
    let request = KeysAndAttributes::builder()
        .set_keys(Some(open))
        .consistent_read(true)
        .build()
        .map_err(|error| Failure::new(format!("{doing} failed: {error}")))?;
    let answer = client
        .batch_get_item()
        .request_items(&stack.table, request)
        .send()
        .await
        .map_err(|error| stack.aws.failure(&doing, &error))?;
    for item in answer.responses.into_iter().flat_map(HashMap::into_values).flatten() {
        if let Some(key) = text(&item, PK) {
            found.insert(key.to_owned(), item);
        }
    }
    let left = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|left| left.keys).collect();
    Ok((found, left))
}

/// The table's key of an index item; `None` if it is not a session.
fn session_key(item: &Item) -> Option<Item> {
    (text(item, SK) == Some(SESSION_SORT_KEY))
        .then(|| [PK, SK].iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect())
}
