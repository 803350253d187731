use super::{
    Archive, ArchiveError, Stored,
    parts::{Part, Parts},
};
use crate::ports::providers::Download;
use aws_sdk_s3::{
    Client,
    config::{Builder, timeout::TimeoutConfig},
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Tag, Tagging},
};
use bytes::Bytes;
use platform::aws::{is_from_s3, log_failure};
use shared::{
    artifacts::{SHA256_TAG, SIZE_TAG},
    hash::sha256_hex,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, timeout_at},
};

/// The size of every part but the last, in bytes. S3 takes none that is smaller than 5 MiB, and 10,000 parts: 78 GiB.
const PART_BYTES: usize = 8 << 20;

/// How many parts of one download are on their way at a time. With the one that is being filled, and what arrives meanwhile, these
/// are all of a download that is in memory: 32 MiB and a little.
const PARTS_IN_FLIGHT: usize = 3;

/// How many parts of all downloads of this process are in memory at a time, filled or on their way: 96 MiB of the function's 512.
/// There are more than downloads in a batch of commands, so that each can fill one.
const PARTS_IN_MEMORY: usize = 12;

/// The most parts that an object can have.
const MAX_PARTS: i32 = 10_000;

/// How long one call may take: a part has 8 MiB, and a small function little bandwidth.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket.
///
/// Size and SHA-256 are tags of the object, `size_bytes` and `sha256`: metadata of an upload in parts is fixed when it begins,
/// and they are known when it ends.
#[derive(Clone, Debug)]
pub struct S3Archive {
    client: Client,
    bucket_name: String,
    part_bytes: usize,
    parts_in_memory: Arc<Semaphore>,
}

impl S3Archive {
    /// Connects to a bucket.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, bucket_name: String) -> Self {
        // A local AWS has no host name for each bucket.
        let path_style = connection.endpoint_url().is_some();
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(CALL_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .connect_timeout(Duration::from_secs(3))
            .build();
        let config = Builder::from(connection).force_path_style(path_style).timeout_config(timeouts);
        let parts_in_memory = Arc::new(Semaphore::new(PARTS_IN_MEMORY));
        Self { client: Client::from_conf(config.build()), bucket_name, part_bytes: PART_BYTES, parts_in_memory }
    }

    /// What fits one part goes in one call.
    async fn put_whole(&self, key: &str, content_type: Option<&str>, bytes: Bytes) -> Result<Stored, ArchiveError> {
        let stored = Stored {
            key: key.to_owned(),
            content_type: content_type.map(str::to_owned),
            size_bytes: bytes.len() as u64,
            sha256: sha256_hex(&bytes),
        };
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket_name)
            .key(key)
            .set_content_type(stored.content_type.clone())
            .tagging(format!("{SHA256_TAG}={}&{SIZE_TAG}={}", stored.sha256, stored.size_bytes))
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| {
                log_failure("PutObject", &error);
                ArchiveError::Unavailable
            })?;
        given_by_s3(put.e_tag())?;
        Ok(stored)
    }

    async fn begin(&self, key: &str, content_type: Option<&str>) -> Result<Upload<'_>, ArchiveError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket_name)
            .key(key)
            .set_content_type(content_type.map(str::to_owned))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(|error| {
                log_failure("CreateMultipartUpload", &error);
                ArchiveError::Unavailable
            })?;
        let id = begun.upload_id.ok_or(ArchiveError::Unavailable)?;
        Ok(Upload { archive: self, key: key.to_owned(), id })
    }
}

impl Archive for S3Archive {
    async fn store(&self, key: &str, download: Download, deadline: Instant) -> Result<Stored, ArchiveError> {
        let mut parts = Parts::of(download, self.part_bytes, Arc::clone(&self.parts_in_memory));
        let out_of_time = |_| ArchiveError::OutOfTime;
        let first = timeout_at(deadline, parts.next()).await.map_err(out_of_time)??;
        let content_type = parts.content_type().map(str::to_owned);
        if first.is_last {
            let put = self.put_whole(key, content_type.as_deref(), first.bytes);
            return timeout_at(deadline, put).await.map_err(out_of_time)?;
        }
        let upload = timeout_at(deadline, self.begin(key, content_type.as_deref())).await.map_err(out_of_time)??;
        match timeout_at(deadline, upload.run(first, parts)).await.unwrap_or(Err(ArchiveError::OutOfTime)) {
            Ok((size_bytes, sha256)) => Ok(Stored { key: key.to_owned(), content_type, size_bytes, sha256 }),
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn put(&self, key: &str, content_type: &str, bytes: Vec<u8>) -> Result<Stored, ArchiveError> {
        self.put_whole(key, Some(content_type), bytes.into()).await
    }
}

/// An upload in parts. Until it is completed there is no object.
struct Upload<'a> {
    archive: &'a S3Archive,
    key: String,
    id: String,
}

impl Upload<'_> {
    /// Uploads all parts and completes the object. A download that breaks off ends this before it is completed.
    async fn run(&self, first: Part, mut parts: Parts) -> Result<(u64, String), ArchiveError> {
        // Tasks, because a part must go on being sent while the next is being received. Dropping the set ends them.
        let mut uploads = JoinSet::new();
        let mut completed = Vec::new();
        let mut part = first;
        for number in 1..=MAX_PARTS {
            if uploads.len() == PARTS_IN_FLIGHT {
                completed.extend(next(&mut uploads).await?);
            }
            uploads.spawn(self.part(number, part.bytes, part.place));
            if part.is_last {
                while let Some(done) = next(&mut uploads).await? {
                    completed.push(done);
                }
                let (size_bytes, sha256) = parts.sum();
                self.complete(completed, size_bytes).await?;
                self.tag(size_bytes, &sha256).await?;
                return Ok((size_bytes, sha256));
            }
            part = parts.next().await?;
        }
        Err(ArchiveError::TooLarge)
    }

    fn part(
        &self,
        number: i32,
        bytes: Bytes,
        place: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = Result<CompletedPart, ArchiveError>> + 'static {
        let upload = self
            .archive
            .client
            .upload_part()
            .bucket(&self.archive.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(bytes));
        async move {
            let uploaded = upload.send().await;
            drop(place);
            let uploaded = uploaded.map_err(|error| {
                log_failure("UploadPart", &error);
                ArchiveError::Unavailable
            })?;
            given_by_s3(uploaded.e_tag())?;
            // S3 completes an upload with checksums only if each part's is repeated.
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(uploaded.e_tag)
                .set_checksum_crc32(uploaded.checksum_crc32)
                .build())
        }
    }

    async fn complete(&self, mut parts: Vec<CompletedPart>, size_bytes: u64) -> Result<(), ArchiveError> {
        parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let completed = self
            .archive
            .client
            .complete_multipart_upload()
            .bucket(&self.archive.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(parts)
            // S3 refuses to complete an object of another size.
            .set_mpu_object_size(i64::try_from(size_bytes).ok())
            .send()
            .await;
        let completed = completed.map_err(|error| {
            log_failure("CompleteMultipartUpload", &error);
            ArchiveError::Unavailable
        })?;
        given_by_s3(completed.e_tag())
    }

    async fn tag(&self, size_bytes: u64, sha256: &str) -> Result<(), ArchiveError> {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        let tags = [tag(SHA256_TAG, sha256.to_owned()), tag(SIZE_TAG, size_bytes.to_string())];
        let tags = tags.into_iter().collect::<Result<_, _>>().map_err(|_| ArchiveError::Unavailable)?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|_| ArchiveError::Unavailable)?;
        let tagged =
            self.archive.client.put_object_tagging().bucket(&self.archive.bucket_name).key(&self.key).tagging(tagging);
        tagged.send().await.map(drop).map_err(|error| {
            log_failure("PutObjectTagging", &error);
            ArchiveError::Unavailable
        })
    }

    /// Frees what was uploaded. If that fails too, the bucket's lifecycle does it.
    async fn abort(&self) {
        let aborted = self
            .archive
            .client
            .abort_multipart_upload()
            .bucket(&self.archive.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .send()
            .await;
        if let Err(error) = aborted {
            log_failure("AbortMultipartUpload", &error);
        }
    }
}

fn given_by_s3(e_tag: Option<&str>) -> Result<(), ArchiveError> {
    if is_from_s3(e_tag) { Ok(()) } else { Err(ArchiveError::Unavailable) }
}

/// The next part that is through; `None` if none is on its way.
async fn next(
    uploads: &mut JoinSet<Result<CompletedPart, ArchiveError>>,
) -> Result<Option<CompletedPart>, ArchiveError> {
    match uploads.join_next().await {
        None => Ok(None),
        Some(Ok(done)) => done.map(Some),
        Some(Err(_)) => Err(ArchiveError::Unavailable),
    }
}

#[cfg(test)]
mod tests;
