//! One account at one API.

use super::{ApiError, Cause, Patience, Refusal, breaker::Breaker, transport::Transport};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::byte_stream::ByteStream;
use shared::{ReceivedAt, api::ApiKey, retry_after, url::Downloads};
use std::time::SystemTime;

/// The largest answer, and the largest transcript, that is taken into memory, in bytes: word by word, some twenty hours of
/// talk. While it is read it takes ten times as much.
pub const MAX_ANSWER_BYTES: usize = 24 << 20;

/// One account at one API: its base URL and its key.
#[derive(Debug)]
pub(super) struct Account {
    base_url: String,
    header: &'static str,
    credential: ApiKey,
    transport: Transport,
    patience: Patience,
    max_answer_bytes: usize,
    breaker: Breaker,
}

/// An answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its body.
    Ready(Vec<u8>),
    /// 202: what was asked for is not ready yet, and may never be.
    NotYet,
}

impl Account {
    /// `credential` goes into `header`, and the header to `base_url` and nowhere else.
    pub(super) fn new(base_url: &str, (header, credential): (&'static str, ApiKey), patience: Patience) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            header,
            credential,
            // The operator chose the host, which may be in a private network.
            transport: Transport::new(Downloads::Anywhere, patience),
            patience,
            max_answer_bytes: MAX_ANSWER_BYTES,
            breaker: Breaker::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn limited(self, max_answer_bytes: usize) -> Self {
        Self { max_answer_bytes, ..self }
    }

    /// Sends a GET request. `path` begins with a slash.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, ApiError> {
        self.ask(path, self.patience.for_questions()).await
    }

    /// Sends a GET request whose answer may be long: it has as much time as a download.
    pub(super) async fn get_long(&self, path: &str) -> Result<Answer, ApiError> {
        self.ask(path, self.patience).await
    }

    async fn ask(&self, path: &str, patience: Patience) -> Result<Answer, ApiError> {
        let url = format!("{}{path}", self.base_url);
        self.breaker.guard(patience.with(|| self.attempt(&url))).await
    }

    /// Sends a GET request for which 202 is an error.
    pub(super) async fn get_ready(&self, path: &str) -> Result<Vec<u8>, ApiError> {
        match self.get(path).await? {
            Answer::Ready(body) => Ok(body),
            Answer::NotYet => Err(ApiError::later(Cause::Unreadable)),
        }
    }

    async fn attempt(&self, url: &str) -> Result<Answer, ApiError> {
        let headers = [(self.header, self.credential.expose()), ("accept", "application/json")];
        let response = self.transport.get(url, &headers).await?;
        match response.status().as_u16() {
            202 => Ok(Answer::NotYet),
            200..=299 => self.read(response).await.map(Answer::Ready),
            300..=399 => Err(ApiError::later(Cause::Redirected)),
            401 | 403 => Err(ApiError::later(Cause::KeyRefused)),
            404 => Err(Refusal::NotFound.into()),
            410 => Err(Refusal::Gone.into()),
            429 => Err(ApiError::Later { cause: Cause::Busy, wait: asked_wait(&response) }),
            408 | 425 | 500..=599 => Err(ApiError::Later { cause: Cause::Failing, wait: asked_wait(&response) }),
            _ => Err(Refusal::Refused.into()),
        }
    }

    async fn read(&self, response: HttpResponse) -> Result<Vec<u8>, ApiError> {
        let mut body = ByteStream::new(response.into_body());
        let mut read = Vec::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| ApiError::later(Cause::Truncated))?;
            if read.len() + bytes.len() > self.max_answer_bytes {
                return Err(ApiError::later(Cause::TooLarge));
            }
            read.extend_from_slice(&bytes);
        }
        Ok(read)
    }
}

/// The wait that an answer asks for.
pub(super) fn asked_wait(response: &HttpResponse) -> Option<std::time::Duration> {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = ReceivedAt(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX));
    retry_after::wait(response.headers().get("retry-after")?, now)
}

#[cfg(test)]
mod tests;
