//! Reads the bucket. Nothing here writes to it.

use crate::{failure::Failure, stack::Stack};
use aws_sdk_s3::{Client, config::Builder};

/// An object, as a list tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written, in milliseconds since the Unix epoch.
    pub written_at: i64,
}

/// A connection to the bucket of a stack.
#[must_use]
pub fn client(stack: &Stack) -> Client {
    // A local AWS has no host name for each bucket.
    let path_style = stack.aws.config.endpoint_url().is_some();
    Client::from_conf(Builder::from(&stack.aws.config).force_path_style(path_style).build())
}

/// The objects whose keys begin so.
///
/// # Errors
/// When the bucket cannot be listed.
pub async fn list(client: &Client, stack: &Stack, prefix: &str) -> Result<Vec<Listed>, Failure> {
    let mut pages = client.list_objects_v2().bucket(&stack.bucket).prefix(prefix).into_paginator().send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        let doing = format!("listing the bucket {}", stack.bucket);
        let page = page.map_err(|error| stack.aws.failure(&doing, &error))?;
        listed.extend(page.contents().iter().filter_map(|object| {
            let written_at = object.last_modified().and_then(|time| time.to_millis().ok()).unwrap_or_default();
            Some(Listed { key: object.key()?.to_owned(), written_at })
        }));
    }
    Ok(listed)
}

/// What an object holds.
///
/// # Errors
/// When it cannot be read.
pub async fn read(client: &Client, stack: &Stack, key: &str) -> Result<Vec<u8>, Failure> {
    let doing = format!("reading {key} in the bucket {}", stack.bucket);
    let object = client.get_object().bucket(&stack.bucket).key(key).send().await;
    let object = object.map_err(|error| stack.aws.failure(&doing, &error))?;
    let body = object.body.collect().await.map_err(|error| Failure::new(format!("{doing} broke off: {error}")))?;
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::tests::stack;
    use aws_sdk_s3::{
        operation::{get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output},
        primitives::{ByteStream, DateTime},
        types::Object,
    };
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    #[tokio::test]
    async fn all_pages_of_a_list_are_read() {
        let page = |key: &str, more: bool| {
            let object = Object::builder().key(key).last_modified(DateTime::from_millis(1500)).build();
            let token = more.then(|| "more".to_owned());
            ListObjectsV2Output::builder()
                .contents(object)
                .set_next_continuation_token(token)
                .is_truncated(more)
                .build()
        };
        let first = mock!(Client::list_objects_v2)
            .match_requests(|request| request.prefix() == Some("p/") && request.continuation_token().is_none())
            .then_output(move || page("p/1", true));
        let second = mock!(Client::list_objects_v2)
            .match_requests(|request| request.continuation_token() == Some("more"))
            .then_output(move || page("p/2", false));
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&first, &second]);
        let listed = list(&client, &stack(), "p/").await.unwrap();
        assert_eq!(listed, ["p/1", "p/2"].map(|key| Listed { key: key.to_owned(), written_at: 1500 }));
    }

    #[tokio::test]
    async fn an_object_is_read_whole() {
        let rule = mock!(Client::get_object)
            .match_requests(|request| request.bucket() == Some("bucket") && request.key() == Some("p/1"))
            .then_output(|| GetObjectOutput::builder().body(ByteStream::from_static(b"bytes")).build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(read(&client, &stack(), "p/1").await, Ok(b"bytes".to_vec()));
    }
}
