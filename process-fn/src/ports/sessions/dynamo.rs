//! Sessions on `DynamoDB`.

use super::{DUE_PER_SHARD, DueSessions, ENTRY_RETENTION_SECONDS, Loaded, Recorded, SessionStore, StoreError, Version};
use crate::log;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::put_item::{PutItemError, builders::PutItemFluentBuilder},
    primitives::Blob,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use platform::aws::log_failure;
use shared::{
    SenderId, Session, SessionId,
    api::CalendarEntry,
    session::{Document, Due, TimelineLine, Unreadable},
    table::{
        BY_DUE, DISPOSITION, DOCUMENT, DUE_AT, DUE_SHARD, ENTRY_SORT_KEY_PREFIX, EXPIRES_AT, FIRST_SEEN_AT,
        FIRST_SEEN_DAY, IDS, LINE_SORT_KEY_PREFIX, OUTCOME, PK, SESSION_SORT_KEY, SK, STATE, VERSION, day, due_shard,
        entry_sort_key, line_sort_key, partition_key,
    },
};
use std::{collections::HashMap, error::Error, time::Duration};

type Item = HashMap<String, AttributeValue>;

/// The most pages of one shard of the index that a sweep reads.
const MAX_DUE_PAGES: usize = 10;

/// This version of the code cannot read the session.
struct Unread;

/// The table on `DynamoDB`.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    client: Client,
    table_name: String,
    session_retention: Duration,
}

impl DynamoStore {
    /// How long the first call may delay the start.
    const WARM_UP: Duration = Duration::from_secs(1);

    /// Connects to a table. A session is kept for `session_retention` after its last change.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, table_name: String, session_retention: Duration) -> Self {
        Self { client: Client::new(connection), table_name, session_retention }
    }

    /// Makes the first call of the process, so that name resolution, TCP, TLS and signing are warm before the first batch.
    /// The result is ignored: startup must not depend on it.
    pub async fn warm_up(&self) {
        let key = |name: &str| (name.to_owned(), AttributeValue::S("warm-up".to_owned()));
        let call =
            self.client.get_item().table_name(&self.table_name).set_key(Some(HashMap::from([key(PK), key(SK)]))).send();
        let _ = tokio::time::timeout(Self::WARM_UP, call).await;
    }

    /// Adds the due sessions of one shard of the index. If the index has entries for sessions that are unreadable, have expired or are
    /// not due any more, the next page makes up for them.
    async fn due_in(&self, shard: &str, now: i64, due: &mut DueSessions) -> Result<(), StoreError> {
        let enough = due.sessions.len() + DUE_PER_SHARD;
        let mut after = None;
        for _ in 0..MAX_DUE_PAGES {
            let (keys, next) = self.due_keys(shard, now, after).await?;
            for key in keys.into_iter().take(enough - due.sessions.len()) {
                match self.due_session(key, now).await? {
                    Ok(session) => due.sessions.extend(session),
                    Err(Unread) => due.unreadable += 1,
                }
            }
            after = next;
            if after.is_none() || due.sessions.len() >= enough {
                break;
            }
        }
        Ok(())
    }

    /// The session with this key, if it is still due; the index may be behind what was saved since.
    async fn due_session(&self, key: Item, now: i64) -> Result<Result<Option<Session>, Unread>, StoreError> {
        let read = self.client.get_item().table_name(&self.table_name).set_key(Some(key)).consistent_read(true);
        let read = read.send().await.map_err(unavailable("GetItem"))?;
        let Some(item) = read.item.filter(|item| !has_expired(item, now)) else { return Ok(Ok(None)) };
        let pk = item.get(PK).and_then(|pk| pk.as_s().ok()).map_or("", String::as_str);
        Ok(match read_session(&item, pk) {
            Ok(loaded) => Ok(loaded.session.filter(|session| session.due_at().is_some_and(|due_at| due_at <= now))),
            Err(unreadable) => {
                log::unreadable(pk, &unreadable);
                Err(Unread)
            }
        })
    }

    /// One page of the keys of due sessions in one shard of the index, and where the next page begins.
    async fn due_keys(
        &self,
        shard: &str,
        now: i64,
        after: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table_name)
            .index_name(BY_DUE)
            .key_condition_expression("#due_shard = :shard AND #due_at <= :now")
            .expression_attribute_names("#due_shard", DUE_SHARD)
            .expression_attribute_names("#due_at", DUE_AT)
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":now", number(now))
            .limit(i32::try_from(DUE_PER_SHARD).unwrap_or(i32::MAX))
            .set_exclusive_start_key(after);
        let page = query.send().await.map_err(unavailable("Query"))?;
        let keys = page.items.unwrap_or_default().into_iter();
        let keys = keys.map(|item| item.into_iter().filter(|(name, _)| name == PK || name == SK).collect());
        Ok((keys.collect(), page.last_evaluated_key))
    }

    fn session_retention_seconds(&self) -> i64 {
        i64::try_from(self.session_retention.as_secs()).unwrap_or(i64::MAX)
    }

    /// Removes the items of a session whose sort keys begin so.
    async fn forget(&self, id: &SessionId, kind: &str) -> Result<(), StoreError> {
        loop {
            let page = self
                .client
                .query()
                .table_name(&self.table_name)
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :kind)")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", text(partition_key(id)))
                .expression_attribute_values(":kind", text(kind))
                .projection_expression("#pk, #sk")
                .consistent_read(true)
                .send()
                .await
                .map_err(unavailable("Query"))?;
            // Each round removes what it found, so each round reads from the beginning.
            if page.items().is_empty() {
                return Ok(());
            }
            for key in page.items.unwrap_or_default() {
                let delete = self.client.delete_item().table_name(&self.table_name).set_key(Some(key));
                delete.send().await.map_err(unavailable("DeleteItem"))?;
            }
        }
    }

    fn put(&self, item: Item) -> PutItemFluentBuilder {
        self.client.put_item().table_name(&self.table_name).set_item(Some(item))
    }
}

impl SessionStore for DynamoStore {
    async fn load(&self, id: &SessionId, now: i64) -> Result<Loaded, StoreError> {
        let read = self
            .client
            .get_item()
            .table_name(&self.table_name)
            .key(PK, text(partition_key(id)))
            .key(SK, text(SESSION_SORT_KEY))
            // A stale read would end in a conflict, and the reload could be as stale.
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable("GetItem"))?;
        match read.item.filter(|item| !has_expired(item, now)) {
            None => Ok(Loaded { session: None, version: Version::Absent }),
            Some(item) => read_session(&item, &partition_key(id)).map_err(|unreadable| {
                // A newer version of this code may have written the session, and a save would drop what this version does not know.
                log::unreadable(&partition_key(id), &unreadable);
                StoreError::Unreadable
            }),
        }
    }

    async fn save(&self, session: &Session, expected: Version, now: i64) -> Result<Version, StoreError> {
        let next = match expected {
            Version::Absent => 1,
            Version::At(version) => version + 1,
        };
        let item = session_item(session, next, now.saturating_add(self.session_retention_seconds()))?;
        let put = match expected {
            Version::Absent => absent_or_expired(self.put(item), now),
            Version::At(version) => self
                .put(item)
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":version", number(version)),
        };
        match put.send().await {
            Ok(_) => Ok(Version::At(next)),
            Err(error) => Err(classify(&error)),
        }
    }

    async fn due(&self, what: Due, now: i64) -> Result<DueSessions, StoreError> {
        let mut due = DueSessions::default();
        for shard in what.shards() {
            self.due_in(&shard, now, &mut due).await?;
        }
        Ok(due)
    }

    async fn calendar_entry(
        &self,
        id: &SessionId,
        entry: &SenderId,
        now: i64,
    ) -> Result<Option<CalendarEntry>, StoreError> {
        let read = self.client.get_item().table_name(&self.table_name).set_key(Some(entry_key(id, entry)));
        let read = read.consistent_read(true).send().await.map_err(unavailable("GetItem"))?;
        Ok(read.item.filter(|item| !has_expired(item, now)).as_ref().and_then(calendar_entry))
    }

    async fn mirror(&self, id: &SessionId, entry: &CalendarEntry, now: i64) -> Result<(), StoreError> {
        let mut item = entry_key(id, &entry.id);
        item.insert(DOCUMENT.to_owned(), text(serde_json::to_string(entry).map_err(|_| StoreError::Invalid)?));
        item.insert(EXPIRES_AT.to_owned(), number(now.saturating_add(self.session_retention_seconds())));
        self.put(item).send().await.map(drop).map_err(|error| classify(&error))
    }

    async fn unmirror(&self, id: &SessionId, entry: &SenderId) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table_name).set_key(Some(entry_key(id, entry)));
        delete.send().await.map(drop).map_err(unavailable("DeleteItem"))
    }

    async fn forget_entries(&self, id: &SessionId) -> Result<(), StoreError> {
        for kind in [LINE_SORT_KEY_PREFIX, ENTRY_SORT_KEY_PREFIX] {
            self.forget(id, kind).await?;
        }
        Ok(())
    }

    async fn record(&self, id: &SessionId, entry: &TimelineLine, now: i64) -> Result<Recorded, StoreError> {
        let written = Document::of_line(entry).map_err(|_| StoreError::Invalid)?;
        let item = Item::from([
            (PK.to_owned(), text(partition_key(id))),
            (SK.to_owned(), text(line_sort_key(entry))),
            (DOCUMENT.to_owned(), text(written.text)),
            (IDS.to_owned(), AttributeValue::B(Blob::new(written.ids))),
            (DISPOSITION.to_owned(), text(entry.disposition.as_str())),
            (EXPIRES_AT.to_owned(), number(now + ENTRY_RETENTION_SECONDS)),
        ]);
        let put = absent_or_expired(self.put(item), now)
            // The stored item shows without another read whether this is a redelivery or a repetition.
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match put.send().await {
            Ok(_) => return Ok(Recorded::New),
            Err(error) => error,
        };
        if let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() {
            let in_the_way = failed.item().map(|item| document(item).and_then(|document| document.line()));
            let again = in_the_way.is_some_and(|other| other.is_ok_and(|other| other.accept_id == entry.accept_id));
            return Ok(if again { Recorded::Again } else { Recorded::Taken });
        }
        Err(classify(&error))
    }
}

fn absent_or_expired(put: PutItemFluentBuilder, now: i64) -> PutItemFluentBuilder {
    put.condition_expression("attribute_not_exists(#pk) OR #expires_at <= :now")
        .expression_attribute_names("#pk", PK)
        .expression_attribute_names("#expires_at", EXPIRES_AT)
        .expression_attribute_values(":now", number(now))
}

/// Logs that a read or a removal failed.
fn unavailable<E: Error>(operation: &'static str) -> impl Fn(E) -> StoreError {
    move |error| {
        log_failure(operation, &error);
        StoreError::Unavailable
    }
}

/// What a failed write means. An unknown error counts as one that may pass.
fn classify<R: std::fmt::Debug>(error: &SdkError<PutItemError, R>) -> StoreError {
    if let Some(PutItemError::ConditionalCheckFailedException(_)) = error.as_service_error() {
        return StoreError::Conflict;
    }
    log_failure("PutItem", error);
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("ValidationException") => StoreError::Invalid,
        _ => StoreError::Unavailable,
    }
}

fn entry_key(id: &SessionId, entry: &SenderId) -> Item {
    Item::from([(PK.to_owned(), text(partition_key(id))), (SK.to_owned(), text(entry_sort_key(entry)))])
}

fn has_expired(item: &Item, now: i64) -> bool {
    as_number(item, EXPIRES_AT).is_some_and(|expires_at: i64| expires_at <= now)
}

/// A session as the item of its write with this number.
fn session_item(session: &Session, version: u64, expires_at: i64) -> Result<Item, StoreError> {
    let document = Document::of_session(session).map_err(|_| StoreError::Invalid)?;
    let mut item = Item::from([
        (PK.to_owned(), text(partition_key(session.id()))),
        (SK.to_owned(), text(SESSION_SORT_KEY)),
        (VERSION.to_owned(), number(version)),
        (DOCUMENT.to_owned(), text(document.text)),
        (STATE.to_owned(), text(session.state().as_str())),
        (FIRST_SEEN_DAY.to_owned(), text(day(session.first_received_at()))),
        (FIRST_SEEN_AT.to_owned(), number(session.first_received_at().0)),
        (EXPIRES_AT.to_owned(), number(expires_at)),
    ]);
    if !document.ids.is_empty() {
        item.insert(IDS.to_owned(), AttributeValue::B(Blob::new(document.ids)));
    }
    if let Some(due_at) = session.due_at() {
        item.insert(DUE_SHARD.to_owned(), text(due_shard(session)));
        item.insert(DUE_AT.to_owned(), number(due_at));
    }
    if let Some(outcome) = session.outcome() {
        item.insert(OUTCOME.to_owned(), text(outcome.as_str()));
    }
    Ok(item)
}

fn read_session(item: &Item, pk: &str) -> Result<Loaded, Unreadable> {
    let version = as_number(item, VERSION).ok_or_else(|| Unreadable::Damaged("it has no version".to_owned()))?;
    Ok(Loaded { session: Some(document(item)?.session(pk)?), version: Version::At(version) })
}

fn document(item: &Item) -> Result<Document, Unreadable> {
    let found = item.get(DOCUMENT).and_then(|text| text.as_s().ok());
    let text = found.ok_or_else(|| Unreadable::Damaged("it has no document".to_owned()))?;
    let ids = item.get(IDS).and_then(|ids| ids.as_b().ok()).map(|ids| ids.as_ref().to_vec());
    Ok(Document { text: text.clone(), ids: ids.unwrap_or_default() })
}

/// Of a calendar's entry nothing is lost by a rollback: it is written anew as the provider has it, whatever was there.
fn calendar_entry(item: &Item) -> Option<CalendarEntry> {
    serde_json::from_str(item.get(DOCUMENT)?.as_s().ok()?).ok()
}

fn as_number<T: std::str::FromStr>(item: &Item, name: &str) -> Option<T> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::operation::{
        get_item::{GetItemInput, GetItemOutput},
        put_item::PutItemOutput,
        query::QueryOutput,
    };
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use shared::{
        AcceptId, Endpoint, Event, OccurredAt, Provider, QueueMessage, ReceivedAt, SenderId, message::Head, provider,
        session::advance,
    };

    const NOW: i64 = 1_791_212_102;

    fn store(rule: &Rule) -> DynamoStore {
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [rule]);
        DynamoStore { client, table_name: "table".to_owned(), session_retention: Duration::from_secs(90 * 86_400) }
    }

    fn session() -> Session {
        let bot_id = SenderId::try_from("x/../#").unwrap();
        Session::new(SessionId::bot(Provider::MeetStream, bot_id), ReceivedAt(NOW * 1000))
    }

    fn answer(code: &'static str) -> Rule {
        mock!(Client::put_item).then_http_response(move || {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#);
            aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(
                400.try_into().unwrap(),
                aws_smithy_types::body::SdkBody::from(body),
            )
        })
    }

    #[tokio::test]
    async fn the_first_save_expects_nothing_or_something_expired() {
        let rule = mock!(Client::put_item)
            .match_requests(|request| {
                let item = request.item().unwrap();
                request.table_name() == Some("table")
                    && request.condition_expression() == Some("attribute_not_exists(#pk) OR #expires_at <= :now")
                    && request.expression_attribute_values().unwrap()[":now"] == number(NOW)
                    && item[PK] == text("meetstream#x~2F~2E~2E~2F~23")
                    && item[SK] == text("session")
                    && item[VERSION] == number(1)
                    && item[STATE] == text("unknown")
                    && item[FIRST_SEEN_DAY] == text("2026-10-05")
                    && item[FIRST_SEEN_AT] == number(NOW * 1000)
                    && item[EXPIRES_AT] == number(NOW + 90 * 86_400)
                    && !item.contains_key(OUTCOME)
            })
            .then_output(|| PutItemOutput::builder().build());
        assert_eq!(store(&rule).save(&session(), Version::Absent, NOW).await, Ok(Version::At(1)));
    }

    #[tokio::test]
    async fn a_later_save_expects_the_version_that_was_read() {
        let rule = mock!(Client::put_item)
            .match_requests(|request| {
                request.condition_expression() == Some("#version = :version")
                    && request.expression_attribute_names().unwrap()["#version"] == VERSION
                    && request.expression_attribute_values().unwrap()[":version"] == number(7)
                    && request.item().unwrap()[VERSION] == number(8)
            })
            .then_output(|| PutItemOutput::builder().build());
        assert_eq!(store(&rule).save(&session(), Version::At(7), NOW).await, Ok(Version::At(8)));
    }

    #[tokio::test]
    async fn failed_writes_are_told_apart() {
        for (code, expected) in [
            ("ConditionalCheckFailedException", StoreError::Conflict),
            ("ValidationException", StoreError::Invalid),
            ("ResourceNotFoundException", StoreError::Unavailable),
            ("AccessDeniedException", StoreError::Unavailable),
        ] {
            assert_eq!(store(&answer(code)).save(&session(), Version::Absent, NOW).await, Err(expected), "{code}");
        }
    }

    #[tokio::test]
    async fn reads_are_consistent_and_expired_items_are_absent() {
        for (expires_at, expected) in [(NOW + 1, Version::At(3)), (NOW, Version::Absent)] {
            let item = session_item(&session(), 3, expires_at).unwrap();
            let rule = mock!(Client::get_item)
                .match_requests(|request| request.consistent_read() == Some(true))
                .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build());
            let loaded = store(&rule).load(session().id(), NOW).await.unwrap();
            assert_eq!(loaded.version, expected);
            assert_eq!(loaded.session.is_some(), expected != Version::Absent);
        }
    }

    #[tokio::test]
    async fn a_document_that_cannot_be_read_is_never_taken_for_none() {
        let written = session_item(&session(), 3, NOW + 1).unwrap();
        let newer = written[DOCUMENT].as_s().unwrap().replace("\"form\":1", "\"form\":2");
        let unknown = written[DOCUMENT].as_s().unwrap().replace("\"form\":1", "\"form\":1,\"new\":1");
        for (name, value) in [
            (DOCUMENT, text("{\"from\":\"the future\"}")),
            (DOCUMENT, text(newer)),
            (DOCUMENT, text(unknown)),
            (DOCUMENT, number(1)),
            (IDS, AttributeValue::B(Blob::new([0; 32]))),
            (VERSION, text("3")),
        ] {
            let mut item = written.clone();
            item.insert(name.to_owned(), value.clone());
            let rule = mock!(Client::get_item)
                .then_output(move || GetItemOutput::builder().set_item(Some(item.clone())).build());
            let loaded = store(&rule).load(session().id(), NOW).await;
            assert_eq!(loaded, Err(StoreError::Unreadable), "{name}: {value:?}");
        }
    }

    /// Sessions of another version of the code, or damaged ones, may stay for months.
    #[tokio::test]
    async fn a_page_of_unreadable_sessions_does_not_hide_the_sessions_behind_it() {
        let body = br#"{"bot_id":"b","event":"transcription.processed"}"#;
        let head = Head {
            accept_id: AcceptId::new("1"),
            endpoint: Endpoint::MeetStream,
            delivery_id: None,
            received_at: ReceivedAt((NOW - 3600) * 1000),
        };
        let event = provider::parse(&QueueMessage::restored(head, body.to_vec())).unwrap();
        let session = advance(&Session::new(event.session.clone(), event.received_at), &event).session.unwrap();
        let waiting = session_item(&session, 1, NOW + 1).unwrap();
        let mut damaged = waiting.clone();
        damaged.insert(DOCUMENT.to_owned(), text("{\"from\":\"the future\"}"));
        let key = |pk: &str| Item::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(SESSION_SORT_KEY))]);
        let place = due_shard(&session);
        let in_place = move |shard: Option<&AttributeValue>| shard == Some(&text(place.as_str()));
        let (first, second, other) = (in_place.clone(), in_place.clone(), in_place);
        let shard = |request: &aws_sdk_dynamodb::operation::query::QueryInput| {
            request.expression_attribute_values().and_then(|values| values.get(":shard").cloned())
        };
        let empty = mock!(Client::query)
            .match_requests(move |request| !other(shard(request).as_ref()))
            .then_output(|| QueryOutput::builder().build());
        let page = mock!(Client::query)
            .match_requests(move |request| first(shard(request).as_ref()) && request.exclusive_start_key().is_none())
            .then_output(move || {
                let damaged = (0..DUE_PER_SHARD).map(|n| key(&format!("damaged-{n}"))).collect();
                QueryOutput::builder().set_items(Some(damaged)).set_last_evaluated_key(Some(key("damaged-99"))).build()
            });
        let next = mock!(Client::query)
            .match_requests(move |request| second(shard(request).as_ref()) && request.exclusive_start_key().is_some())
            .then_output(move || QueryOutput::builder().set_items(Some(vec![key("meetstream#b")])).build());
        let is_ours = |request: &GetItemInput| request.key().is_some_and(|key| key[PK] == text("meetstream#b"));
        let ours = mock!(Client::get_item)
            .match_requests(is_ours)
            .then_output(move || GetItemOutput::builder().set_item(Some(waiting.clone())).build());
        let theirs = mock!(Client::get_item)
            .match_requests(move |request| !is_ours(request))
            .then_output(move || GetItemOutput::builder().set_item(Some(damaged.clone())).build());
        let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&empty, &page, &next, &ours, &theirs]);
        let store = DynamoStore { client, table_name: "table".to_owned(), session_retention: Duration::from_secs(1) };
        let due = store.due(Due::Work, NOW).await.unwrap();
        assert_eq!((due.sessions, due.unreadable), (vec![session], 100));
    }

    /// What an item counts, by the rules in `DynamoDB`'s developer guide ("`DynamoDB` item sizes and formats").
    fn bytes(item: &Item) -> usize {
        let value = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            other => panic!("{other:?}"),
        };
        item.iter().map(|(name, of)| name.len() + value(of)).sum()
    }

    /// The recorded webhooks of a whole meeting, each taken half a second later.
    fn life() -> Vec<Event> {
        let names = [
            "bot.joining",
            "bot.in_waiting_room",
            "bot.inmeeting",
            "bot.recording_permission_allowed.zoom",
            "bot.recording",
            "bot.leaving",
            "bot.stopped.clean",
            "manifest.completed",
            "audio.processed",
            "transcription.processed",
            "video.processed",
            "bot.done",
        ];
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/provider/meetstream/current-2026-09");
        let event = |(n, name): (usize, &&str)| {
            let body = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
            let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let at = OccurredAt::parse(said["timestamp"].as_str().unwrap()).unwrap();
            let head = Head {
                accept_id: AcceptId::new(format!("8f5d1c6e-36f3-44e5-9ee8-{n:012x}")),
                endpoint: Endpoint::MeetStream,
                delivery_id: None,
                received_at: ReceivedAt(at.moment().as_millisecond() + 500),
            };
            provider::parse(&QueueMessage::restored(head, body)).unwrap()
        };
        names.iter().enumerate().map(event).collect()
    }

    #[test]
    fn a_meeting_costs_at_most_1_4_write_units_a_delivery() {
        let life = life();
        let mut session = Session::new(life[0].session.clone(), life[0].received_at);
        let (mut sizes, mut before) = (Vec::new(), 0);
        for (n, event) in (1..).zip(&life) {
            session = advance(&session, event).session.unwrap();
            let after = bytes(&session_item(&session, n, NOW + 90 * 86_400).unwrap());
            sizes.push(after.max(before));
            before = after;
        }
        let units: usize = sizes.iter().map(|bytes| bytes.div_ceil(1024)).sum();
        assert!(units * 10 <= sizes.len() * 14, "{units} units for {sizes:?}");
        assert!(sizes[7] <= 1000, "so that some longer names do not matter: {sizes:?}");
    }
}
