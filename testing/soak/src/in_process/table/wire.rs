//! `DynamoDB` as far as our one adapter asks for it: its operations, and the conditions that it writes.

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion,
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use aws_types::{SdkConfig, region::Region};
use e2e::condition::{self, Item};
use serde_json::{Value, json};
use shared::{
    Session,
    session::{Document, TimelineLine},
    table::{DOCUMENT, DUE_AT, EXPIRES_AT, IDS, PK, SESSION_SORT_KEY, SK},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The items of one table, in the form in which they travel.
#[derive(Clone, Debug, Default)]
pub(in crate::in_process) struct Items(Arc<Mutex<BTreeMap<(String, String), Item>>>);

impl Items {
    /// What connects a client to this table and nothing else.
    pub(super) fn connection(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "soak");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(SharedHttpClient::new(self.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::disabled())
            .build()
    }

    pub(super) fn sessions(&self, now: i64) -> Vec<Session> {
        let items = self.lock();
        let sessions = items.iter().filter(|((_, sk), item)| sk == SESSION_SORT_KEY && !has_expired(item, now));
        sessions.filter_map(|((pk, _), item)| document(item)?.session(pk).ok()).collect()
    }

    pub(super) fn entries(&self, now: i64) -> Vec<(String, TimelineLine)> {
        let items = self.lock();
        let entries = items.iter().filter(|((_, sk), item)| sk != SESSION_SORT_KEY && !has_expired(item, now));
        entries.filter_map(|((pk, _), item)| Some((pk.clone(), document(item)?.line().ok()?))).collect()
    }

    pub(super) fn is_due(&self, now: i64) -> bool {
        self.lock()
            .values()
            .any(|item| number(item, DUE_AT).is_some_and(|due_at| due_at <= now) && !has_expired(item, now))
    }

    pub(super) fn delete_expired(&self, now: i64) {
        self.lock().retain(|_, item| !has_expired(item, now));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The items of one partition whose sort keys begin like this.
    fn below(&self, request: &Value) -> Option<Vec<Item>> {
        let value = |name: &str| request["ExpressionAttributeValues"].get(name)?.get("S")?.as_str();
        let (pk, prefix) = (value(":pk")?, value(":kind")?);
        let items = self.lock();
        let of_it = items.iter().filter(|((of, sk), _)| of == pk && sk.starts_with(prefix));
        Some(of_it.map(|((pk, sk), _)| json_key(pk, sk)).collect())
    }

    /// What is due, from the sparse index.
    fn due(&self, request: &Value) -> Option<Vec<Item>> {
        let condition = request["KeyConditionExpression"].as_str()?;
        let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
        let items = self.lock();
        let mut found = Vec::new();
        for ((pk, sk), item) in items.iter().filter(|(_, item)| item.contains_key(DUE_AT)) {
            if condition::holds(condition, names, values, Some(item)).ok()? {
                found.push((number(item, DUE_AT), json_key(pk, sk)));
            }
        }
        found.sort_by_key(|(due_at, _)| *due_at);
        let limit = usize::try_from(request["Limit"].as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        Some(found.into_iter().take(limit).map(|(_, key)| key).collect())
    }

    fn answer(&self, operation: &str, request: &Value) -> (u16, Value) {
        match operation.rsplit('.').next() {
            Some("GetItem") => {
                let Some(key) = key(&request["Key"]) else { return invalid("no key") };
                let found = self.lock().get(&key).cloned();
                (200, found.map_or(json!({}), |item| json!({ "Item": item })))
            }
            Some("PutItem") => {
                let (Some(key), Some(item)) = (key(&request["Item"]), request["Item"].as_object()) else {
                    return invalid("no item");
                };
                let mut items = self.lock();
                let found = items.get(&key);
                match holds(request, found) {
                    None => invalid("a condition that this table does not know"),
                    Some(false) => {
                        let item = found.filter(|_| request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD");
                        (400, json!({"__type": "ConditionalCheckFailedException", "message": "no", "Item": item}))
                    }
                    Some(true) => {
                        items.insert(key, item.clone());
                        (200, json!({}))
                    }
                }
            }
            Some("DeleteItem") => {
                let Some(key) = key(&request["Key"]) else { return invalid("no key") };
                self.lock().remove(&key);
                (200, json!({}))
            }
            Some("Query") => {
                let found = if request["IndexName"].is_null() { self.below(request) } else { self.due(request) };
                found.map_or_else(
                    || invalid("a query that this table does not know"),
                    |items| (200, json!({ "Count": items.len(), "Items": items })),
                )
            }
            _ => invalid("an operation that this table does not know"),
        }
    }
}

fn invalid(message: &str) -> (u16, Value) {
    (400, json!({"__type": "ValidationException", "message": message}))
}

fn json_key(pk: &str, sk: &str) -> Item {
    [(PK.to_owned(), json!({ "S": pk })), (SK.to_owned(), json!({ "S": sk }))].into_iter().collect()
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?["N"].as_str()?.parse().ok()
}

fn key(item: &Value) -> Option<(String, String)> {
    let part = |name: &str| item.get(name)?.get("S")?.as_str().map(str::to_owned);
    Some((part(PK)?, part(SK)?))
}

/// Whether the request's condition holds for what is there; `None` if it is not one that the table knows.
fn holds(request: &Value, found: Option<&Item>) -> Option<bool> {
    let Some(condition) = request["ConditionExpression"].as_str() else { return Some(true) };
    let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
    condition::holds(condition, names, values, found).ok()
}

fn has_expired(item: &Item, now: i64) -> bool {
    number(item, EXPIRES_AT).is_some_and(|expires_at| expires_at <= now)
}

fn document(item: &Item) -> Option<Document> {
    let ids = item.get(IDS).and_then(|ids| aws_smithy_types::base64::decode(ids["B"].as_str()?).ok());
    Some(Document { text: item.get(DOCUMENT)?["S"].as_str()?.to_owned(), ids: ids.unwrap_or_default() })
}

impl HttpConnector for Items {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or(Value::Null);
        let (status, answer) = self.answer(&operation, &body);
        HttpConnectorFuture::ready(match status.try_into() {
            Ok(status) => Ok(HttpResponse::new(status, SdkBody::from(answer.to_string()))),
            Err(error) => Err(ConnectorError::other(Box::new(error), None)),
        })
    }
}

impl HttpClient for Items {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
