use super::{Kept, Vault, VaultError};
use crate::log;
use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};

/// The bucket.
#[derive(Clone, Debug)]
pub struct S3Vault {
    client: Client,
    bucket_name: String,
}

impl S3Vault {
    /// Connects to a bucket.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, bucket_name: String) -> Self {
        // A local AWS has no host name for each bucket.
        let path_style = connection.endpoint_url().is_some();
        let client = Client::from_conf(Builder::from(connection).force_path_style(path_style).build());
        Self { client, bucket_name }
    }
}

impl Vault for S3Vault {
    async fn keep(&self, kept: &Kept) -> Result<(), VaultError> {
        let mut put = self
            .client
            .put_object()
            .bucket(&self.bucket_name)
            .key(&kept.key)
            .content_type("application/octet-stream")
            .metadata("reason", kept.reason);
        for (name, value) in &kept.metadata {
            put = put.metadata(*name, value);
        }
        match put.body(ByteStream::from(kept.bytes.clone())).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                log::aws_failure("PutObject", &error);
                Err(VaultError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    fn kept() -> Kept {
        Kept {
            key: "parked/group/1".to_owned(),
            bytes: b"\xff\x00".to_vec(),
            reason: "because",
            metadata: vec![("endpoint", "meetstream".to_owned())],
        }
    }

    #[tokio::test]
    async fn bytes_are_stored_with_what_is_known_of_them() {
        let rule = mock!(Client::put_object)
            .match_requests(|request| {
                let metadata = request.metadata().unwrap();
                request.bucket() == Some("bucket")
                    && request.key() == Some("parked/group/1")
                    && metadata["reason"] == "because"
                    && metadata["endpoint"] == "meetstream"
            })
            .then_output(|| PutObjectOutput::builder().build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(S3Vault { client, bucket_name: "bucket".to_owned() }.keep(&kept()).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn no_confirmation_is_a_failure() {
        let rule = mock!(Client::put_object).then_http_response(|| {
            let body = aws_smithy_types::body::SdkBody::from("<Error><Code>AccessDenied</Code></Error>");
            aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(403.try_into().unwrap(), body)
        });
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(S3Vault { client, bucket_name: "bucket".to_owned() }.keep(&kept()).await, Err(VaultError));
    }
}
