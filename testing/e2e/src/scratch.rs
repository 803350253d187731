//! A private set of queues, table and bucket for one test.

use crate::local_aws::LocalAws;
use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableStatus, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the scratch queues behave. The defaults are short, so that a test need not wait for production's values.
#[derive(Clone, Copy, Debug)]
pub struct QueueRules {
    /// How long a received message stays hidden unless somebody says otherwise.
    pub visibility: Duration,
    /// After how many receives a message moves to the dead-letter queue.
    pub max_receives: u32,
}

impl Default for QueueRules {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(3), max_receives: 20 }
    }
}

/// Queues, table and bucket of one test, shaped as the template shapes the real ones, connected to no function.
pub struct Scratch {
    /// The local AWS they are in.
    pub aws: LocalAws,
    /// The events queue: FIFO, high throughput, 1 MiB messages.
    pub queue: Queue,
    /// Its dead-letter queue: FIFO.
    pub dlq: Queue,
    /// The commands queue: standard.
    pub commands: Queue,
    /// The dead-letter queue of `commands`.
    pub commands_dlq: Queue,
    /// The table: keys `pk` and `sk`, both indexes, TTL on `expires_at`.
    pub table: String,
    /// The bucket.
    pub bucket: String,
}

/// A queue, by both names.
#[derive(Clone, Debug)]
pub struct Queue {
    /// What its clients use.
    pub url: String,
    /// What events and policies use.
    pub arn: String,
}

impl Scratch {
    /// Creates everything, with names no other test uses.
    pub async fn create(aws: &LocalAws) -> Result<Self> {
        Self::with_rules(aws, QueueRules::default()).await
    }

    /// The same with other queue rules.
    pub async fn with_rules(aws: &LocalAws, rules: QueueRules) -> Result<Self> {
        let name = unique_name();
        let dlq = create_queue(aws, &format!("{name}-dead.fifo"), None, rules).await?;
        let queue = create_queue(aws, &format!("{name}-events.fifo"), Some(&dlq), rules).await?;
        let commands_dlq = create_queue(aws, &format!("{name}-commands-dead"), None, rules).await?;
        let commands = create_queue(aws, &format!("{name}-commands"), Some(&commands_dlq), rules).await?;
        create_table(aws, &name).await.context("creating the scratch table")?;
        let expiry = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build()?;
        aws.dynamodb.update_time_to_live().table_name(&name).time_to_live_specification(expiry).send().await?;
        aws.s3.create_bucket().bucket(&name).send().await.context("creating the scratch bucket")?;
        Ok(Self { aws: aws.clone(), queue, dlq, commands, commands_dlq, table: name.clone(), bucket: name })
    }

    /// Creates a table alone, and says its name: for an implementation that has nothing else.
    pub async fn table(aws: &LocalAws) -> Result<String> {
        let name = unique_name();
        create_table(aws, &name).await.context("creating the scratch table")?;
        Ok(name)
    }

    /// Empties the table and the bucket.
    pub async fn empty(&self) -> Result<()> {
        for item in self.aws.items(&self.table).await? {
            let mut delete = self.aws.dynamodb.delete_item().table_name(&self.table);
            for name in ["pk", "sk"] {
                let key = item.get(name).and_then(serde_json::Value::as_str).context("an item without a key")?;
                delete = delete.key(name, AttributeValue::S(key.to_owned()));
            }
            delete.send().await?;
        }
        self.empty_bucket().await
    }

    async fn empty_bucket(&self) -> Result<()> {
        for key in self.aws.objects(&self.bucket, "").await? {
            self.aws.s3.delete_object().bucket(&self.bucket).key(key).send().await?;
        }
        Ok(())
    }

    /// Removes everything. A test that fails before leaves its scratch behind for whoever looks into the failure.
    pub async fn remove(self) -> Result<()> {
        for queue in [&self.queue, &self.dlq, &self.commands, &self.commands_dlq] {
            self.aws.sqs.delete_queue().queue_url(&queue.url).send().await?;
        }
        self.aws.dynamodb.delete_table().table_name(&self.table).send().await?;
        self.empty_bucket().await?;
        self.aws.s3.delete_bucket().bucket(&self.bucket).send().await?;
        Ok(())
    }
}

async fn create_queue(aws: &LocalAws, name: &str, dlq: Option<&Queue>, rules: QueueRules) -> Result<Queue> {
    let mut request = aws
        .sqs
        .create_queue()
        .queue_name(name)
        .attributes(QueueAttributeName::VisibilityTimeout, rules.visibility.as_secs().to_string())
        .attributes(QueueAttributeName::MaximumMessageSize, "1048576");
    if name.ends_with(".fifo") {
        request = request
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::DeduplicationScope, "messageGroup")
            .attributes(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId");
    }
    if let Some(dlq) = dlq {
        let redrive = json!({"deadLetterTargetArn": dlq.arn, "maxReceiveCount": rules.max_receives});
        request = request.attributes(QueueAttributeName::RedrivePolicy, redrive.to_string());
    }
    let created = request.send().await.with_context(|| format!("creating the queue {name}"))?;
    let url = created.queue_url.context("a queue without a URL")?;
    let request = aws.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
    let attributes = request.send().await?.attributes.unwrap_or_default();
    let arn = attributes.get(&QueueAttributeName::QueueArn).context("a queue without an ARN")?.clone();
    Ok(Queue { url, arn })
}

async fn create_table(aws: &LocalAws, name: &str) -> Result<()> {
    let mut request = aws
        .dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys("pk", "sk")?))
        .global_secondary_indexes(index("by_first_seen", "day", "first_at")?)
        .global_secondary_indexes(index("by_due", "due_shard", "due_at")?);
    for (attribute, kind) in [
        ("pk", ScalarAttributeType::S),
        ("sk", ScalarAttributeType::S),
        ("day", ScalarAttributeType::S),
        ("first_at", ScalarAttributeType::N),
        ("due_shard", ScalarAttributeType::S),
        ("due_at", ScalarAttributeType::N),
    ] {
        let definition = AttributeDefinition::builder().attribute_name(attribute).attribute_type(kind).build()?;
        request = request.attribute_definitions(definition);
    }
    request.send().await?;
    let active = async {
        loop {
            let described = aws.dynamodb.describe_table().table_name(name).send().await?;
            if described.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), active).await.context("the table does not become active")??;
    Ok(())
}

fn index(name: &str, hash: &str, range: &str) -> Result<GlobalSecondaryIndex> {
    let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
    let index = GlobalSecondaryIndex::builder().index_name(name).projection(keys_only);
    Ok(index.set_key_schema(Some(keys(hash, range)?)).build()?)
}

fn keys(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    Ok(vec![key(hash, KeyType::Hash)?, key(range, KeyType::Range)?])
}

/// Unique across tests, processes and checkouts, and a valid name for a queue, a table and a bucket.
fn unique_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("e2e-{now:x}-{:x}-{count}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_valid_everywhere() {
        let names = [unique_name(), unique_name()];
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!(name.len() <= 60, "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
        }
    }
}
