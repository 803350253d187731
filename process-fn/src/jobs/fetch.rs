//! Copying an artifact into the bucket.

use super::{JobError, JobResult, Jobs};
use crate::ports::{
    Services,
    bucket::{Bucket, Uploaded},
    providers::{ApiError, Cause, MAX_ANSWER_BYTES, ProviderApi},
};
use shared::{
    Session, SessionId,
    api::{Absence, Content, Located},
    artifacts::{self, Run},
    event::{Artifact, ArtifactStatus},
    session::{Job, Stored, StoredCopy},
    transcript::Transcript,
};
use std::time::Duration;
use tokio::time::Instant;

/// The content type of what we write ourselves.
const JSON: &str = "application/json";

impl<S: Services> Jobs<S> {
    /// Copies a transcript into the bucket: one that came inside of a delivery, or the one that the provider has now.
    pub(super) async fn fetch_transcript(&self, session: &Session, now: i64) -> Result<JobResult, JobError> {
        let _place = self.transcripts.acquire().await.ok();
        if let Some(stored) = stored_copy(session, Artifact::Transcript) {
            if stored.is_unpublished {
                // A repetition that came meanwhile has left its transcript for this job, too.
                let carried = self.store_carried(session, now).await?;
                return Ok(copied(Artifact::Transcript, carried.unwrap_or_else(|| published(stored))));
            }
            // A transcript may be made anew, but one announcement after the other must not ask the provider each time.
            let age = u64::try_from(now.saturating_sub(stored.stored_at)).unwrap_or(0);
            let rest = self.settings.retry.max.saturating_sub(Duration::from_secs(age));
            if !rest.is_zero() {
                return Err(JobError::Recent(rest));
            }
        }
        if let Some(stored) = self.store_carried(session, now).await? {
            return Ok(copied(Artifact::Transcript, stored));
        }
        let (content, run) = match self.locate(session, Artifact::Transcript).await? {
            Ok(found) => found,
            Err(unavailable) => return Ok(unavailable),
        };
        let raw = match content {
            Content::Inline(bytes) => bytes,
            Content::At(url) => {
                let download = self.services.providers().download(Artifact::Transcript, &url).await?;
                download.into_bytes(MAX_ANSWER_BYTES).await?
            }
        };
        Ok(copied(Artifact::Transcript, self.store_transcript(session.id(), &raw, run, now).await?))
    }

    /// Copies a recording into the bucket. A recording is made once, however often it is announced, so one that we have is not
    /// fetched again.
    pub(super) async fn fetch_recording(
        &self,
        session: &Session,
        artifact: Artifact,
        now: i64,
        deadline: Instant,
    ) -> Result<JobResult, JobError> {
        let id = session.id();
        match stored_copy(session, artifact) {
            _ if !self.settings.keeps_recordings => return Ok(JobResult::Done),
            Some(stored) if stored.is_unpublished => return Ok(copied(artifact, published(stored))),
            Some(_) => return Ok(JobResult::Done),
            None => {}
        }
        let content = match self.locate(session, artifact).await? {
            Ok((content, _)) => content,
            Err(unavailable) => return Ok(unavailable),
        };
        let uploaded = match content {
            Content::At(url) => {
                let download = self.services.providers().download(artifact, &url).await?;
                let key = artifacts::recording(id, artifact, download.content_type());
                self.services.bucket().upload(&key, download, deadline).await?
            }
            Content::Inline(bytes) => {
                let key = artifacts::recording(id, artifact, None);
                self.services.bucket().put_artifact(&key, JSON, bytes).await?
            }
        };
        Ok(copied(artifact, stored(uploaded, now)))
    }

    /// Asks the provider where an artifact is now, whatever a delivery once said about that. The inner error is the result of the
    /// job if there will never be such an artifact.
    async fn locate(
        &self,
        session: &Session,
        artifact: Artifact,
    ) -> Result<Result<(Content, Option<Run>), JobResult>, JobError> {
        match self.services.providers().artifact(session.id(), artifact).await? {
            Located::Found { content, run } => Ok(Ok((content, run.as_ref().map(Run::named)))),
            Located::Pending => Err(JobError::Pending),
            // A delivery announced the artifact, so an API that knows of none is behind.
            Located::Unavailable(Absence::NeverMade) if is_announced(session, artifact) => {
                Err(ApiError::later(Cause::Missing).into())
            }
            Located::Unavailable(absence) => {
                Ok(Err(JobResult::Copied(artifact, StoredCopy::Unavailable(absence.as_str().to_owned()))))
            }
        }
    }

    /// Stores the transcript that came inside of a delivery, if there is one, and removes the bodies that carried one. A body that is
    /// older than the reason for this job is stale, unless we have no other copy.
    async fn store_carried(&self, session: &Session, now: i64) -> Result<Option<Stored>, JobError> {
        let (id, bucket) = (session.id(), self.services.bucket());
        let carried: Vec<_> =
            bucket.list(&artifacts::carried_folder(id)).await?.into_iter().map(|object| object.key).collect();
        let Some(newest) = carried.iter().max() else { return Ok(None) };
        let wanted_at = session.pending(Job::FetchTranscript).map(|progress| progress.wanted().received_at());
        let has_copy = session.copies().contains_key(&Artifact::Transcript);
        let is_stale = has_copy && artifacts::carried_at(newest) < wanted_at;
        let body = if is_stale { None } else { bucket.get(newest).await? };
        let stored = match body {
            Some(body) => Some(self.store_transcript(id, &body, None, now).await?),
            None => None,
        };
        for key in &carried {
            bucket.remove(key).await?;
        }
        Ok(stored)
    }

    /// Stores a transcript as the provider wrote it and, if we can read it, beside it the same in our one shape.
    async fn store_transcript(
        &self,
        id: &SessionId,
        raw: &[u8],
        run: Option<Run>,
        now: i64,
    ) -> Result<Stored, JobError> {
        let (run, bucket) = (run.unwrap_or_else(|| Run::of_content(raw)), self.services.bucket());
        match Transcript::read(id, raw).map(|read| read.to_json()) {
            Ok(normalised) => {
                bucket.put_artifact(&artifacts::normalised_transcript(id, &run), JSON, normalised).await?;
            }
            Err(_) => tracing::error!(bot = id.encoded(), "a transcript has no form that this version can read"),
        }
        let uploaded = bucket.put_artifact(&artifacts::raw_transcript(id, &run), JSON, raw.to_vec()).await?;
        Ok(stored(uploaded, now))
    }
}

fn stored_copy(session: &Session, artifact: Artifact) -> Option<&Stored> {
    if let Some(StoredCopy::Stored(stored)) = session.copies().get(&artifact) { Some(stored) } else { None }
}

fn is_announced(session: &Session, artifact: Artifact) -> bool {
    session.artifacts().get(&artifact).is_some_and(|fact| fact.status == ArtifactStatus::Announced)
}

fn copied(artifact: Artifact, stored: Stored) -> JobResult {
    JobResult::Copied(artifact, StoredCopy::Stored(stored))
}

/// A copy that was stored earlier and could not be published then.
fn published(stored: &Stored) -> Stored {
    Stored { is_unpublished: false, ..stored.clone() }
}

pub(super) fn stored(uploaded: Uploaded, now: i64) -> Stored {
    let Uploaded { key, content_type, size_bytes, sha256 } = uploaded;
    Stored { key, sha256, size_bytes, content_type, stored_at: now, is_unpublished: false }
}
