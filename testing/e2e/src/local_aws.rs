//! The local AWS and what is deployed there.

use crate::workspace;
use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::session::Document;
use shared::table::{DOCUMENT, IDS, LINE_SORT_KEY_PREFIX, PK, SESSION_SORT_KEY, SK};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What `make up` says about the stack it deployed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct Outputs {
    /// The local AWS.
    pub endpoint_url: String,
    /// The region it plays.
    pub region: String,
    /// The full URL of the signed MeetStream route.
    pub webhook_url: String,
    /// The full URL of MeetStream's per-bot callbacks, with its token.
    pub callback_url: String,
    /// The function URL.
    pub function_url: String,
    /// What deliveries to `webhook_url` are signed with.
    pub meetstream_secret: String,
    /// The full URL of Meeting BaaS's v1 webhooks.
    pub meetingbaas_v1_url: String,
    /// The full URL of Meeting BaaS's v2 webhooks.
    pub meetingbaas_v2_url: String,
    /// The full URL of Meeting BaaS's v2 callbacks.
    pub meetingbaas_callback_url: String,
    /// The full URL of what Meeting BaaS's web page describes.
    pub meetingbaas_legacy_url: String,
    /// What deliveries to `meetingbaas_v1_url` carry.
    pub meetingbaas_api_key: String,
    /// What deliveries to `meetingbaas_v2_url` are signed with, as a dashboard shows it.
    pub meetingbaas_svix_secret: String,
    /// What deliveries to `meetingbaas_callback_url` carry.
    pub meetingbaas_callback_secret: String,
    /// What deliveries to `meetingbaas_legacy_url` are signed with.
    pub meetingbaas_legacy_secret: String,
    /// The table of sessions.
    pub table: String,
    /// The events queue.
    pub queue_url: String,
    /// Its dead-letter queue.
    pub dlq_url: String,
    /// The commands queue.
    pub commands_url: String,
    /// The bucket of everything that is kept as bytes.
    pub bucket: String,
    /// What an implementation of AWS is known not to do as documented.
    pub lacks: Vec<String>,
}

impl Outputs {
    /// Whether the implementation is known not to do this as documented.
    pub fn lacks(&self, what: &str) -> bool {
        self.lacks.iter().any(|lacking| lacking == what)
    }
}

/// The local AWS: what is deployed there, and clients to look into it past any function.
#[derive(Clone)]
pub struct LocalAws {
    /// The deployed stack.
    pub outputs: Outputs,
    /// A client that reaches the queues directly, never through a fault proxy.
    pub sqs: aws_sdk_sqs::Client,
    /// The same for tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The same for buckets.
    pub s3: aws_sdk_s3::Client,
}

impl LocalAws {
    /// The stack named by `ROLLCALL_OUTPUTS`, or else the one `make up` left in this workspace.
    pub fn from_env() -> Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the one setting of the harness, read here only")]
        let named = std::env::var("ROLLCALL_OUTPUTS").ok().filter(|path| !path.is_empty());
        Self::from_file(&named.map_or_else(|| workspace().join(".local/outputs.json"), PathBuf::from))
    }

    /// A local AWS in which nothing is deployed: good for a [`Scratch`](crate::scratch::Scratch).
    pub fn bare(endpoint_url: &str) -> Self {
        let (endpoint_url, region) = (endpoint_url.to_owned(), "us-east-1".to_owned());
        Self::new(Outputs { endpoint_url, region, ..Outputs::default() })
    }

    /// The stack described by an outputs file. `Err` says how to get one.
    pub fn from_file(path: &Path) -> Result<Self> {
        let outputs = fs::read_to_string(path)
            .with_context(|| format!("no local stack at {}: run `make test` or `make up`", path.display()))?;
        let outputs = serde_json::from_str(&outputs)
            .with_context(|| format!("{} is not what `make up` writes", path.display()))?;
        Ok(Self::new(outputs))
    }

    /// Clients for the endpoint of `outputs`. They try every call once: nothing about a local service is transient,
    /// and whoever counts calls behind a fault proxy wants to count their own.
    pub fn new(outputs: Outputs) -> Self {
        let credentials = Credentials::new("test", "test", None, None, "e2e");
        let region = outputs.region.clone();
        let http = aws_smithy_http_client::Builder::new().build_http();
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
            .region(aws_sdk_sqs::config::Region::new(region.clone()))
            .endpoint_url(&outputs.endpoint_url)
            .credentials_provider(credentials.clone())
            .http_client(http.clone())
            .build();
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .region(aws_sdk_dynamodb::config::Region::new(region.clone()))
            .endpoint_url(&outputs.endpoint_url)
            .credentials_provider(credentials.clone())
            .http_client(http.clone())
            .build();
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .region(aws_sdk_s3::config::Region::new(region))
            .endpoint_url(&outputs.endpoint_url)
            .credentials_provider(credentials)
            .http_client(http)
            .force_path_style(true)
            .build();
        Self {
            outputs,
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb),
            s3: aws_sdk_s3::Client::from_conf(s3),
        }
    }

    /// The variables by which a function finds this stack, for the functions' own clients.
    pub fn environment(&self) -> impl Fn(&str) -> Option<String> {
        let Outputs { region, endpoint_url, .. } = self.outputs.clone();
        move |name| {
            Some(match name {
                "AWS_REGION" => region.clone(),
                "AWS_ENDPOINT_URL" => endpoint_url.clone(),
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => "test".to_owned(),
                _ => return None,
            })
        }
    }

    /// The same stack with clients that go through another endpoint, such as a fault proxy's.
    #[must_use]
    pub fn through(&self, endpoint_url: &str) -> Self {
        Self::new(Outputs { endpoint_url: endpoint_url.to_owned(), ..self.outputs.clone() })
    }

    /// Every item of a table, as plain JSON (`{"pk": "…", "version": 3}`), what its document says as JSON too.
    pub async fn items(&self, table: &str) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut pages = self.dynamodb.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item?;
            let said = said(&item).with_context(|| format!("an item that cannot be read: {item:?}"))?;
            let mut plain = plain(&AttributeValue::M(item));
            if let (Some(fields), Some(said)) = (plain.as_object_mut(), said) {
                fields.insert("document".to_owned(), said);
            }
            items.push(plain);
        }
        Ok(items)
    }

    /// The keys below `prefix`, in order.
    pub async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut pages = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            keys.extend(page?.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
        }
        Ok(keys)
    }

    /// The bytes of one object.
    pub async fn object(&self, bucket: &str, key: &str) -> Result<Vec<u8>> {
        self.find_object(bucket, key).await?.with_context(|| format!("there is no object {key}"))
    }

    /// The bytes of one object, or `None` if it was removed since it was listed.
    pub async fn find_object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>> {
        match self.s3.get_object().bucket(bucket).key(key).send().await {
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            object => Ok(Some(object?.body.collect().await?.to_vec())),
        }
    }

    /// How much is in a queue.
    pub async fn depth(&self, queue_url: &str) -> Result<Depth> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = request.set_attribute_names(Some(names.to_vec())).send().await?;
        let number = |name| answer.attributes().and_then(|all| all.get(&name)).and_then(|text| text.parse().ok());
        let [visible, in_flight, delayed] = names.map(|name| number(name).unwrap_or(0));
        Ok(Depth { visible, in_flight, delayed })
    }

    /// Takes every visible message out of a queue: for queues no function reads, such as dead-letter queues.
    pub async fn take_messages(&self, queue_url: &str) -> Result<Vec<Message>> {
        let mut taken = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(queue_url).max_number_of_messages(10);
            let everything = aws_sdk_sqs::types::MessageSystemAttributeName::All;
            let messages =
                receive.message_system_attribute_names(everything).send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(taken);
            }
            for message in &messages {
                let receipt = message.receipt_handle().unwrap_or_default();
                self.sqs.delete_message().queue_url(queue_url).receipt_handle(receipt).send().await?;
            }
            taken.extend(messages);
        }
    }
}

/// How many messages a queue holds, by SQS's own approximate count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Received, and neither deleted nor visible again.
    pub in_flight: u64,
    /// Not ready yet.
    pub delayed: u64,
}

impl Depth {
    /// Whether nothing is left at all.
    pub fn is_empty(self) -> bool {
        self == Self { visible: 0, in_flight: 0, delayed: 0 }
    }
}

/// What an item's document says, if it has one.
fn said(item: &HashMap<String, AttributeValue>) -> Result<Option<Value>> {
    let text = |name| item.get(name).and_then(|value: &AttributeValue| value.as_s().ok()).map(String::as_str);
    let ids = item.get(IDS).and_then(|ids| ids.as_b().ok()).map(|ids| ids.as_ref().to_vec());
    let Some(document) = text(DOCUMENT) else { return Ok(None) };
    let document = Document { text: document.to_owned(), ids: ids.unwrap_or_default() };
    Ok(Some(match text(SK) {
        Some(SESSION_SORT_KEY) => serde_json::to_value(document.session(text(PK).unwrap_or_default())?)?,
        Some(key) if key.starts_with(LINE_SORT_KEY_PREFIX) => serde_json::to_value(document.line()?)?,
        _ => serde_json::from_str(&document.text)?,
    }))
}

/// `DynamoDB`'s typed JSON without the types. Binary values become `{"bytes": length}`.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or_else(|_| json!(number)),
        AttributeValue::Bool(truth) => json!(truth),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>())
        }
        AttributeValue::Ss(texts) => json!(texts),
        AttributeValue::Ns(numbers) => {
            numbers.iter().map(|number| serde_json::from_str(number).unwrap_or_else(|_| json!(number))).collect()
        }
        AttributeValue::B(bytes) => json!({"bytes": bytes.as_ref().len()}),
        AttributeValue::Bs(sets) => sets.iter().map(|bytes| json!({"bytes": bytes.as_ref().len()})).collect(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_stack_says_how_to_get_one() {
        let error = LocalAws::from_file(Path::new("/nowhere/outputs.json")).err().expect("there is no such file");
        assert!(error.to_string().contains("make up"), "{error:#}");
    }

    #[test]
    fn items_lose_their_types() {
        let item = AttributeValue::M(
            [
                ("pk".to_owned(), AttributeValue::S("meetstream#b".into())),
                ("version".to_owned(), AttributeValue::N("3".into())),
                ("raw".to_owned(), AttributeValue::B(vec![1, 2].into())),
                (
                    "timeline".to_owned(),
                    AttributeValue::L(vec![AttributeValue::Bool(true), AttributeValue::Null(true)]),
                ),
            ]
            .into(),
        );
        let expected = json!({"pk": "meetstream#b", "version": 3, "raw": {"bytes": 2}, "timeline": [true, null]});
        assert_eq!(plain(&item), expected);
    }
}
