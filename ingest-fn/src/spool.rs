//! The second store: the bucket, for what the queue refuses (`spool/`) and for bodies that do not fit it (`claims/`).

use crate::queue::QueueError;
use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};
use platform::aws::{CallBudget, is_from_s3, log_failure};
use shared::{
    bucket::{Folder, beside_a_delivery, beside_a_record, key, metadata},
    message::{Claim, Head},
};
use std::{future::Future, sync::OnceLock, time::Duration};

/// An object for the bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Object {
    /// The same for the same delivery, so storing it twice stores it once.
    pub key: String,
    pub bytes: Vec<u8>,
    pub metadata: Vec<(&'static str, String)>,
}

impl Object {
    /// The text of a queue message, and why the queue did not take it.
    #[must_use]
    pub fn spooled(head: &Head, text: String, group: &str, error: QueueError) -> Self {
        let mut metadata = beside_a_record(head);
        metadata.push((metadata::REASON, error.code().to_owned()));
        Self { key: key(Folder::Spool, group, head.accept_id.as_str()), bytes: text.into_bytes(), metadata }
    }

    /// The body that a claim is for.
    #[must_use]
    pub fn claimed(claim: &Claim, body: &[u8]) -> Self {
        Self { key: claim.key(), bytes: body.to_vec(), metadata: beside_a_delivery(claim.head()) }
    }
}

/// The second store.
pub trait Spool {
    /// Stores an object. `Ok` means that the bucket has confirmed it.
    fn put(&self, object: Object) -> impl Future<Output = Result<(), SpoolError>> + Send;
}

/// The bucket did not confirm an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the bucket is unavailable")]
pub struct SpoolError;

/// The bucket on S3.
///
/// Its client is made at first use: most sandboxes never need it, and none should start later for it.
#[derive(Debug)]
pub struct S3Spool {
    connection: aws_types::SdkConfig,
    bucket_name: String,
    client: OnceLock<Client>,
}

impl S3Spool {
    /// The bucket's share of the time that [`Stores::persist`](crate::Stores::persist) has.
    const BUDGET: CallBudget =
        CallBudget { total: Duration::from_millis(1800), attempt: Duration::from_millis(1500), attempts: 2 };

    /// Prepares to connect to a bucket.
    #[must_use]
    pub fn new(connection: aws_types::SdkConfig, bucket_name: String) -> Self {
        Self { connection, bucket_name, client: OnceLock::new() }
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let config = Builder::from(&self.connection)
                .timeout_config(Self::BUDGET.timeouts())
                .retry_config(Self::BUDGET.retries())
                // A local AWS has no host name for each bucket.
                .force_path_style(self.connection.endpoint_url().is_some());
            Client::from_conf(config.build())
        })
    }

    async fn put_object(&self, object: Object) -> Result<(), SpoolError> {
        let mut put = self
            .client()
            .put_object()
            .bucket(&self.bucket_name)
            .key(object.key)
            .content_type("application/octet-stream");
        for (name, value) in object.metadata {
            put = put.metadata(name, value);
        }
        match put.body(ByteStream::from(object.bytes)).send().await {
            Ok(stored) if is_from_s3(stored.e_tag()) => Ok(()),
            Ok(_) => Err(SpoolError),
            Err(error) => {
                log_failure("PutObject", &error);
                Err(SpoolError)
            }
        }
    }
}

impl Spool for S3Spool {
    async fn put(&self, object: Object) -> Result<(), SpoolError> {
        // On the heap: the future takes 10 KB and is rare, and every request would otherwise carry room for two of them.
        Box::pin(self.put_object(object)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use shared::{AcceptId, Endpoint, ReceivedAt};

    fn object() -> Object {
        let head = Head {
            accept_id: AcceptId::new("accepted-1"),
            endpoint: Endpoint::MeetStream,
            delivery_id: None,
            received_at: ReceivedAt(1_791_212_102_000),
        };
        Object::spooled(&head, "text".to_owned(), "group", QueueError::Unavailable)
    }

    async fn put(rule: &Rule) -> Result<(), SpoolError> {
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [rule]);
        let spool = S3Spool::new(aws_types::SdkConfig::builder().build(), "bucket".to_owned());
        spool.client.set(client).unwrap();
        spool.put(object()).await
    }

    #[tokio::test]
    async fn an_object_says_where_it_belongs() {
        let rule = mock!(Client::put_object)
            .match_requests(|request| {
                let metadata = request.metadata().unwrap();
                request.bucket() == Some("bucket")
                    && request.key() == Some("spool/group/accepted-1")
                    && metadata["form"] == "record"
                    && metadata["reason"] == "queue_unavailable"
                    && metadata["endpoint"] == "meetstream"
                    && metadata["accept-id"] == "accepted-1"
            })
            .then_output(|| PutObjectOutput::builder().e_tag("tag").build());
        assert_eq!(put(&rule).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn only_the_bucket_itself_confirms() {
        let nameless = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().build());
        assert_eq!(put(&nameless).await, Err(SpoolError));
        let refused = mock!(Client::put_object).then_http_response(|| {
            let body = aws_smithy_types::body::SdkBody::from("<Error><Code>AccessDenied</Code></Error>");
            aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(403.try_into().unwrap(), body)
        });
        assert_eq!(put(&refused).await, Err(SpoolError));
    }
}
