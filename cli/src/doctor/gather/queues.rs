//! The queues.

use super::functions::Lambda;
use crate::doctor::asking::{by_name, lookup};
use crate::{
    doctor::facts::{Lookup, Source},
    stack::Stack,
};
use aws_sdk_sqs::{Client, types::QueueAttributeName};
use std::collections::BTreeMap;

/// A queue, its dead-letter queue, and what reads it.
pub(super) async fn source(stack: &Stack, lambda: &Lambda<'_>, url: &str, dead_url: &str) -> Source {
    let client = Client::new(&stack.aws.config);
    let (queue, dead) = tokio::join!(attributes(stack, &client, url), attributes(stack, &client, dead_url));
    let arn = queue.found().and_then(|queue| queue.get("QueueArn")).cloned();
    let mappings = match arn {
        Some(arn) => lambda.mappings(&arn).await,
        None => Lookup::Absent,
    };
    Source { mappings, queue, dead }
}

async fn attributes(stack: &Stack, client: &Client, url: &str) -> Lookup<BTreeMap<String, String>> {
    let answer = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
    lookup(&stack.aws, &format!("reading the settings of the queue {url}"), "tell a queue's settings", answer).map(
        |found| {
            by_name(
                found.attributes.unwrap_or_default().into_iter().map(|(name, value)| (name.as_str().to_owned(), value)),
            )
        },
    )
}
