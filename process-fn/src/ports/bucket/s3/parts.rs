//! A download, cut into parts of one size.

use crate::ports::providers::{ApiError, Download};
use bytes::Bytes;
use shared::hash::ContentHash;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A download, cut into parts of one size, with a digest and a count of what came.
pub(super) struct Parts {
    download: Download,
    part_bytes: usize,
    places: Arc<Semaphore>,
    rest: Bytes,
    has_ended: bool,
    digest: ContentHash,
    size_bytes: u64,
}

/// One part.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bytes: Bytes,
    /// Nothing comes after it.
    pub(super) is_last: bool,
    /// Its place in memory, to be given back when it is no longer there.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Parts {
    /// `part_bytes` is the size of every part but the last. Each part takes one of `places` before it is read.
    pub(super) fn of(download: Download, part_bytes: usize, places: Arc<Semaphore>) -> Self {
        let digest = ContentHash::default();
        Self { download, part_bytes, places, rest: Bytes::new(), has_ended: false, digest, size_bytes: 0 }
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.download.content_type()
    }

    /// The next part: full, unless it is the last. The only one of an empty download is empty.
    pub(super) async fn next(&mut self) -> Result<Part, ApiError> {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let left = self.download.length().map_or(u64::MAX, |length| length.saturating_sub(self.size_bytes));
        // All at once: a vector that grows may end up with twice as much as it holds.
        let mut part = Vec::with_capacity(usize::try_from(left).unwrap_or(usize::MAX).min(self.part_bytes));
        while part.len() < self.part_bytes && self.fill().await? {
            let piece = self.rest.split_to(self.rest.len().min(self.part_bytes - part.len()));
            part.extend_from_slice(&piece);
        }
        self.digest.update(&part);
        self.size_bytes += part.len() as u64;
        // A download knows that it was whole only after its last byte.
        Ok(Part { is_last: !self.fill().await?, bytes: part.into(), place })
    }

    /// Whether there is anything left, once some of it is at hand.
    async fn fill(&mut self) -> Result<bool, ApiError> {
        while self.rest.is_empty() && !self.has_ended {
            match self.download.next().await? {
                Some(piece) => self.rest = piece,
                None => self.has_ended = true,
            }
        }
        Ok(!self.rest.is_empty())
    }

    /// How many bytes there were, and their digest.
    pub(super) fn sum(self) -> (u64, String) {
        (self.size_bytes, self.digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::providers::Cause;
    use aws_smithy_types::byte_stream::ByteStream;
    use shared::hash::sha256_hex;

    const PART_BYTES: usize = 1000;

    async fn cut(bytes: &[u8], length: usize) -> Result<Vec<(usize, bool)>, ApiError> {
        let body = ByteStream::from(bytes.to_vec());
        let places = Arc::new(Semaphore::new(1));
        let mut parts = Parts::of(Download::new(None, Some(length as u64), body), PART_BYTES, places);
        let mut sizes = vec![];
        loop {
            let part = parts.next().await?;
            sizes.push((part.bytes.len(), part.is_last));
            if part.is_last {
                assert_eq!(parts.sum(), (bytes.len() as u64, sha256_hex(bytes)));
                return Ok(sizes);
            }
        }
    }

    #[tokio::test]
    async fn every_part_is_full_but_the_last() {
        let check = async |length: usize, expected: &[(usize, bool)]| {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            assert_eq!(cut(&bytes, length).await, Ok(expected.to_vec()), "{length}");
            assert_eq!(cut(&bytes, length + 1).await, Err(ApiError::later(Cause::Truncated)), "{length}, cut short");
        };
        check(0, &[(0, true)]).await;
        check(5, &[(5, true)]).await;
        check(PART_BYTES, &[(PART_BYTES, true)]).await;
        check(PART_BYTES + 1, &[(PART_BYTES, false), (1, true)]).await;
        check(2 * PART_BYTES, &[(PART_BYTES, false), (PART_BYTES, true)]).await;
    }
}
