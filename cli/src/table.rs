//! Reads the table. Nothing here writes to it.

mod recent;

pub use recent::{Wanted, recent, sessions};

use crate::{escape, failure::Failure, stack::Stack};
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use shared::{
    Session, SessionId,
    session::{Disposition, Document, TimelineLine, Unreadable},
    table::{
        DOCUMENT, ENTRY_SORT_KEY_PREFIX, EXPIRES_AT, IDS, LINE_SORT_KEY_PREFIX, PK, SESSION_SORT_KEY, SK, VERSION,
        partition_key,
    },
};
use std::collections::{HashMap, HashSet};

type Item = HashMap<String, AttributeValue>;

/// Everything that is known of one bot or calendar.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Known {
    /// The session and how often it was written. One of which only unimportant things were heard has none.
    pub session: Option<(Session, u64)>,
    /// Its deliveries, in the session and beside it, by time of receipt and then of occurrence.
    pub entries: Vec<TimelineLine>,
    /// How many entries of a calendar are mirrored beside it.
    pub mirrored: usize,
}

/// Everything that is known of a bot or calendar; `None` if that is nothing. `now` is in seconds since the Unix epoch.
pub async fn known(client: &Client, stack: &Stack, id: &SessionId, now: i64) -> Result<Option<Known>, Failure> {
    let mut pages = client
        .query()
        .table_name(&stack.table)
        .key_condition_expression("#pk = :pk")
        .expression_attribute_names("#pk", PK)
        .expression_attribute_values(":pk", AttributeValue::S(partition_key(id)))
        .consistent_read(true)
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        let doing = format!("reading the table {}", stack.table);
        items.push(item.map_err(|error| stack.aws.failure(&doing, &error))?);
    }
    Known::of(&items, now)
}

impl Known {
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref().map(|(session, _)| session)
    }

    /// What the items of one partition say. Expired ones count as absent.
    fn of(items: &[Item], now: i64) -> Result<Option<Self>, Failure> {
        let mut session = None;
        let mut beside = Vec::new();
        let mut mirrored = 0;
        for item in items.iter().filter(|item| !has_expired(item, now)) {
            match text(item, SK) {
                Some(SESSION_SORT_KEY) => {
                    session = Some((session_of(item)?, number(item, VERSION).unwrap_or_default()))
                }
                Some(key) if key.starts_with(LINE_SORT_KEY_PREFIX) => beside.push(entry_of(item)?),
                Some(key) if key.starts_with(ENTRY_SORT_KEY_PREFIX) => mirrored += 1,
                _ => {}
            }
        }
        let inside = session.as_ref().map_or(&[][..], |(session, _): &(Session, u64)| session.timeline());
        let entries = merged(inside, beside);
        let is_known = session.is_some() || !entries.is_empty() || mirrored > 0;
        Ok(is_known.then_some(Self { session, entries, mirrored }))
    }
}

/// One line for each delivery. A crash between two writes can leave one in the session and beside it; then the session is
/// right.
fn merged(inside: &[TimelineLine], mut beside: Vec<TimelineLine>) -> Vec<TimelineLine> {
    beside.sort_by_key(|entry| entry.disposition != Disposition::Applied);
    let mut seen = HashSet::new();
    let mut entries: Vec<TimelineLine> = inside.iter().cloned().chain(beside).collect();
    entries.retain(|entry| seen.insert((entry.key.clone(), entry.accept_id.clone())));
    entries.sort_by(|a, b| {
        let order = |entry: &TimelineLine| (entry.received_at, entry.occurred_at.clone(), entry.key.clone());
        order(a).cmp(&order(b))
    });
    entries
}

fn has_expired(item: &Item, now: i64) -> bool {
    number(item, EXPIRES_AT).is_some_and(|expires_at: i64| expires_at <= now)
}

fn session_of(item: &Item) -> Result<Session, Failure> {
    document(item).session(text(item, PK).unwrap_or_default()).map_err(|error| unreadable(item, &error))
}

fn entry_of(item: &Item) -> Result<TimelineLine, Failure> {
    document(item).line().map_err(|error| unreadable(item, &error))
}

fn document(item: &Item) -> Document {
    let ids = item.get(IDS).and_then(|ids| ids.as_b().ok()).map(|ids| ids.as_ref().to_vec());
    Document { text: text(item, DOCUMENT).unwrap_or_default().to_owned(), ids: ids.unwrap_or_default() }
}

fn unreadable(item: &Item, error: &Unreadable) -> Failure {
    let key = |name| escape::text(text(item, name).unwrap_or_default());
    let error = escape::text(&error.to_string());
    Failure::new(format!("the item {} / {} in the table cannot be read: {error}", key(PK), key(SK)))
        .help("a newer version may have written it: use the rollcall of the deployed version")
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

#[cfg(test)]
pub(crate) mod tests;
