//! Artifacts on their way into S3: what fits one part in one call, and everything else in parts.

use super::{
    answer::{failed, given_by_s3},
    parts::{Part, Parts},
};
use crate::ports::{
    bucket::{BucketError, UploadError, Uploaded},
    providers::Download,
};
use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Tag, Tagging},
};
use bytes::Bytes;
use platform::aws::log_failure;
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

/// The time limits of calls that store artifacts.
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(CALL_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(Duration::from_secs(3))
        .build()
}

/// What stores artifacts in a bucket.
///
/// Size and SHA-256 are tags of the object, `size_bytes` and `sha256`: metadata of an upload in parts is fixed when it begins,
/// and they are known when it ends.
#[derive(Clone, Debug)]
pub(super) struct Uploads {
    client: Client,
    bucket_name: String,
    part_bytes: usize,
    parts_in_memory: Arc<Semaphore>,
}

impl Uploads {
    pub(super) fn new(client: Client, bucket_name: String) -> Self {
        let parts_in_memory = Arc::new(Semaphore::new(PARTS_IN_MEMORY));
        Self { client, bucket_name, part_bytes: PART_BYTES, parts_in_memory }
    }

    /// Stores in one call what fits one part.
    pub(super) async fn put_whole(
        &self,
        key: &str,
        content_type: Option<&str>,
        bytes: Bytes,
    ) -> Result<Uploaded, BucketError> {
        let stored = Uploaded {
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
            .map_err(failed("PutObject"))?;
        given_by_s3(put.e_tag())?;
        Ok(stored)
    }

    async fn begin(&self, key: &str, content_type: Option<&str>) -> Result<Upload<'_>, BucketError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket_name)
            .key(key)
            .set_content_type(content_type.map(str::to_owned))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(failed("CreateMultipartUpload"))?;
        let id = begun.upload_id.ok_or(BucketError)?;
        Ok(Upload { uploads: self, key: key.to_owned(), id })
    }

    /// As [`Bucket::upload`](crate::Bucket::upload).
    pub(super) async fn stream(
        &self,
        key: &str,
        download: Download,
        deadline: Instant,
    ) -> Result<Uploaded, UploadError> {
        let mut parts = Parts::of(download, self.part_bytes, Arc::clone(&self.parts_in_memory));
        let out_of_time = |_| UploadError::OutOfTime;
        let first = timeout_at(deadline, parts.next()).await.map_err(out_of_time)??;
        let content_type = parts.content_type().map(str::to_owned);
        if first.is_last {
            let put = self.put_whole(key, content_type.as_deref(), first.bytes);
            return Ok(timeout_at(deadline, put).await.map_err(out_of_time)??);
        }
        let upload = timeout_at(deadline, self.begin(key, content_type.as_deref())).await.map_err(out_of_time)??;
        match timeout_at(deadline, upload.run(first, parts)).await.unwrap_or(Err(UploadError::OutOfTime)) {
            Ok((size_bytes, sha256)) => Ok(Uploaded { key: key.to_owned(), content_type, size_bytes, sha256 }),
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }
}

/// An upload in parts. Until it is completed there is no object.
struct Upload<'a> {
    uploads: &'a Uploads,
    key: String,
    id: String,
}

impl Upload<'_> {
    /// Uploads all parts and completes the object. A download that breaks off ends this before it is completed.
    async fn run(&self, first: Part, mut parts: Parts) -> Result<(u64, String), UploadError> {
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
        Err(UploadError::TooLarge)
    }

    fn part(
        &self,
        number: i32,
        bytes: Bytes,
        place: Option<OwnedSemaphorePermit>,
    ) -> impl Future<Output = Result<CompletedPart, BucketError>> + 'static {
        let upload = self
            .uploads
            .client
            .upload_part()
            .bucket(&self.uploads.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(bytes));
        async move {
            let uploaded = upload.send().await;
            drop(place);
            let uploaded = uploaded.map_err(failed("UploadPart"))?;
            given_by_s3(uploaded.e_tag())?;
            // S3 completes an upload with checksums only if each part's is repeated.
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(uploaded.e_tag)
                .set_checksum_crc32(uploaded.checksum_crc32)
                .build())
        }
    }

    async fn complete(&self, mut parts: Vec<CompletedPart>, size_bytes: u64) -> Result<(), BucketError> {
        parts.sort_by_key(CompletedPart::part_number);
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let completed = self
            .uploads
            .client
            .complete_multipart_upload()
            .bucket(&self.uploads.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .multipart_upload(parts)
            // S3 refuses to complete an object of another size.
            .set_mpu_object_size(i64::try_from(size_bytes).ok())
            .send()
            .await;
        let completed = completed.map_err(failed("CompleteMultipartUpload"))?;
        given_by_s3(completed.e_tag())
    }

    async fn tag(&self, size_bytes: u64, sha256: &str) -> Result<(), BucketError> {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        let tags = [tag(SHA256_TAG, sha256.to_owned()), tag(SIZE_TAG, size_bytes.to_string())];
        let tags = tags.into_iter().collect::<Result<_, _>>().map_err(|_| BucketError)?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(|_| BucketError)?;
        let tagged =
            self.uploads.client.put_object_tagging().bucket(&self.uploads.bucket_name).key(&self.key).tagging(tagging);
        tagged.send().await.map(drop).map_err(failed("PutObjectTagging"))
    }

    /// Frees what was uploaded. If that fails too, the bucket's lifecycle does it.
    async fn abort(&self) {
        let aborted = self
            .uploads
            .client
            .abort_multipart_upload()
            .bucket(&self.uploads.bucket_name)
            .key(&self.key)
            .upload_id(&self.id)
            .send()
            .await;
        if let Err(error) = aborted {
            log_failure("AbortMultipartUpload", &error);
        }
    }
}

/// The next part that is through; `None` if none is on its way.
async fn next(uploads: &mut JoinSet<Result<CompletedPart, BucketError>>) -> Result<Option<CompletedPart>, BucketError> {
    match uploads.join_next().await {
        None => Ok(None),
        Some(Ok(done)) => done.map(Some),
        Some(Err(_)) => Err(BucketError),
    }
}

#[cfg(test)]
mod tests;
