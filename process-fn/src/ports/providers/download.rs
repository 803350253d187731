//! Artifacts that are streamed from other hosts, without any key.

use super::{ApiError, Cause, Patience, Refusal, account::asked_wait, addresses::System, transport::Transport};
use aws_smithy_runtime_api::client::{dns::ResolveDns, orchestrator::HttpResponse};
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use shared::{
    event::Artifact,
    url::{DownloadUrl, Downloads},
};
use std::time::Duration;
use tokio::time::timeout;

/// How many redirects are followed.
const MAX_REDIRECTS: u32 = 3;

/// Opens downloads. It has no credential.
#[derive(Debug)]
pub(super) struct Downloader<R = System> {
    transport: Transport<R>,
    downloads: Downloads,
    patience: Patience,
}

impl Downloader {
    pub(super) fn new(downloads: Downloads, patience: Patience) -> Self {
        Self::resolving(System, downloads, patience)
    }
}

impl<R: ResolveDns + Clone + 'static> Downloader<R> {
    pub(super) fn resolving(resolver: R, downloads: Downloads, patience: Patience) -> Self {
        Self { transport: Transport::resolving(resolver, downloads, patience), downloads, patience }
    }

    /// Follows a URL and its redirects to a body. Every hop passes the same checks as the first.
    pub(super) async fn open(&self, artifact: Artifact, url: &DownloadUrl) -> Result<Download, ApiError> {
        let download = self.patience.with(|| self.attempt(url)).await?;
        if is_something_else(artifact, download.content_type()) {
            return Err(ApiError::later(Cause::Unreadable));
        }
        Ok(download)
    }

    async fn attempt(&self, url: &DownloadUrl) -> Result<Download, ApiError> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            url.permitted(self.downloads).map_err(|_| Refusal::UnsafeUrl)?;
            let response = self.transport.get(&url.expose(), &[]).await?;
            match response.status().as_u16() {
                200 => return Ok(self.begin(response)),
                301 | 302 | 303 | 307 | 308 => {
                    let location = response.headers().get("location").unwrap_or_default();
                    url = url.redirected(location).map_err(|_| Refusal::UnsafeUrl)?;
                }
                // S3 answers 403 for a URL that has expired and 404 for an object that is gone. Other hosts do the same.
                400..=404 | 410 => return Err(ApiError::later(Cause::UrlRefused)),
                429 => return Err(ApiError::Later { cause: Cause::Busy, wait: asked_wait(&response) }),
                _ => return Err(ApiError::Later { cause: Cause::Failing, wait: asked_wait(&response) }),
            }
        }
        Err(Refusal::UnsafeUrl.into())
    }

    fn begin(&self, response: HttpResponse) -> Download {
        let header = |name| response.headers().get(name).map(str::trim).filter(|text| !text.is_empty());
        let content_type = header("content-type").map(str::to_owned);
        let length = header("content-length").and_then(|text| text.parse().ok());
        Download::new(content_type, length, ByteStream::new(response.into_body())).stalling(self.patience.stall)
    }
}

/// Whether this content type certainly is not that of the artifact. Storage hosts send `binary/octet-stream` for anything, so the right
/// one cannot be required.
fn is_something_else(artifact: Artifact, content_type: Option<&str>) -> bool {
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_page = kind == "text/html" || kind == "application/xhtml+xml";
    let is_text = kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml");
    is_page || (is_text && matches!(artifact, Artifact::Audio | Artifact::Video))
}

/// A body on its way. It succeeds only if as many bytes came as were announced.
#[derive(Debug)]
pub struct Download {
    content_type: Option<String>,
    length: Option<u64>,
    received: u64,
    body: ByteStream,
    stall: Duration,
}

impl Download {
    /// A body of so many bytes, if that is known.
    #[must_use]
    pub fn new(content_type: Option<String>, length: Option<u64>, body: ByteStream) -> Self {
        Self { content_type, length, received: 0, body, stall: Patience::DEFAULT.stall }
    }

    fn stalling(self, stall: Duration) -> Self {
        Self { stall, ..self }
    }

    /// The content type that the host sent.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The number of bytes that the host announced.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    /// [`Cause::Truncated`] when it breaks off, or ends before or after the announced length; [`Cause::TimedOut`] when nothing
    /// more comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let truncated = || ApiError::later(Cause::Truncated);
        let next = timeout(self.stall, self.body.next()).await.map_err(|_| ApiError::later(Cause::TimedOut))?;
        match next {
            Some(bytes) => {
                let bytes = bytes.map_err(|_| truncated())?;
                self.received += bytes.len() as u64;
                if self.length.is_some_and(|length| self.received > length) {
                    Err(truncated())
                } else {
                    Ok(Some(bytes))
                }
            }
            None if self.length.is_some_and(|length| self.received < length) => Err(truncated()),
            None => Ok(None),
        }
    }

    /// Reads the whole body into memory if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As of [`Download::next`], and [`Cause::TooLarge`].
    pub async fn into_bytes(mut self, limit: usize) -> Result<Vec<u8>, ApiError> {
        let mut read = Vec::new();
        while let Some(bytes) = self.next().await? {
            if read.len() + bytes.len() > limit {
                return Err(ApiError::later(Cause::TooLarge));
            }
            read.extend_from_slice(&bytes);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
