use super::{Kept, Listed, Vault, VaultError};
use aws_sdk_s3::{
    Client,
    config::Builder,
    error::SdkError,
    operation::get_object::GetObjectError,
    primitives::{ByteStream, DateTime},
};
use platform::aws::{causes, is_from_s3, log_failure};
use shared::bucket::metadata;

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
            .metadata(metadata::REASON, kept.reason);
        for (name, value) in &kept.metadata {
            put = put.metadata(*name, value);
        }
        match put.body(ByteStream::from(kept.bytes.clone())).send().await {
            Ok(stored) if is_from_s3(stored.e_tag()) => Ok(()),
            Ok(_) => Err(VaultError),
            Err(error) => {
                log_failure("PutObject", &error);
                Err(VaultError)
            }
        }
    }

    async fn fetch(&self, key: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let found = match self.client.get_object().bucket(&self.bucket_name).key(key).send().await {
            Ok(found) if is_from_s3(found.e_tag()) => found,
            Ok(_) => return Err(VaultError),
            // Only S3's own word for it. It says 403 instead to a role that may not list the bucket.
            Err(SdkError::ServiceError(answer)) if matches!(answer.err(), GetObjectError::NoSuchKey(_)) => {
                return Ok(None);
            }
            Err(error) => {
                log_failure("GetObject", &error);
                return Err(VaultError);
            }
        };
        match found.body.collect().await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(error) => {
                tracing::error!(operation = "GetObject", error = causes(&error), "an object broke off");
                Err(VaultError)
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, VaultError> {
        let page = self.client.list_objects_v2().bucket(&self.bucket_name).prefix(prefix).send().await;
        let page = page.map_err(|error| {
            log_failure("ListObjectsV2", &error);
            VaultError
        })?;
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let stored_at = object.last_modified.as_ref().map_or(0, DateTime::secs);
            Some(Listed { key: object.key?, stored_at })
        });
        Ok(objects.collect())
    }

    async fn remove(&self, key: &str) -> Result<(), VaultError> {
        match self.client.delete_object().bucket(&self.bucket_name).key(key).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                log_failure("DeleteObject", &error);
                Err(VaultError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_s3::{
        operation::{get_object::GetObjectOutput, list_objects_v2::ListObjectsV2Output, put_object::PutObjectOutput},
        types::Object,
    };
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
            .then_output(|| PutObjectOutput::builder().e_tag("tag").build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(vault(client).keep(&kept()).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    fn refused(status: u16, code: &str) -> aws_smithy_runtime_api::client::orchestrator::HttpResponse {
        let body = aws_smithy_types::body::SdkBody::from(format!("<Error><Code>{code}</Code></Error>"));
        aws_smithy_runtime_api::client::orchestrator::HttpResponse::new(status.try_into().unwrap(), body)
    }

    fn vault(client: Client) -> S3Vault {
        S3Vault { client, bucket_name: "bucket".to_owned() }
    }

    #[tokio::test]
    async fn only_what_s3_says_is_absent_is_absent() {
        for (status, code, expected) in [
            (404, "NoSuchKey", Ok(None)),
            (404, "NoSuchBucket", Err(VaultError)),
            (403, "AccessDenied", Err(VaultError)),
            (503, "SlowDown", Err(VaultError)),
        ] {
            let rule = mock!(Client::get_object).then_http_response(move || refused(status, code));
            let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
            assert_eq!(vault(client).fetch("claims/g/1").await, expected, "{code}");
        }
    }

    #[tokio::test]
    async fn objects_are_listed_with_their_times() {
        let rule = mock!(Client::list_objects_v2)
            .match_requests(|request| request.bucket() == Some("bucket") && request.prefix() == Some("spool/"))
            .then_output(|| {
                let object = Object::builder().key("spool/g/1").last_modified(DateTime::from_secs(1_791_212_102));
                ListObjectsV2Output::builder().contents(object.build()).build()
            });
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        let listed = Listed { key: "spool/g/1".to_owned(), stored_at: 1_791_212_102 };
        assert_eq!(vault(client).list("spool/").await, Ok(vec![listed]));
    }

    #[tokio::test]
    async fn only_the_bucket_itself_answers() {
        let put = mock!(Client::put_object).then_output(|| PutObjectOutput::builder().build());
        let body = || ByteStream::from_static(b"<html>");
        let get = mock!(Client::get_object).then_output(move || GetObjectOutput::builder().body(body()).build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&put, &get]);
        assert_eq!(vault(client.clone()).keep(&kept()).await, Err(VaultError));
        assert_eq!(vault(client).fetch("spool/g/1").await, Err(VaultError));
        let get =
            mock!(Client::get_object).then_output(move || GetObjectOutput::builder().e_tag("tag").body(body()).build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&get]);
        assert_eq!(vault(client).fetch("spool/g/1").await, Ok(Some(b"<html>".to_vec())));
    }

    #[tokio::test]
    async fn no_confirmation_is_a_failure() {
        let rule = mock!(Client::put_object).then_http_response(|| refused(403, "AccessDenied"));
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]);
        assert_eq!(vault(client).keep(&kept()).await, Err(VaultError));
    }
}
