//! Keeping a copy of an artifact.

use super::{JobError, JobResult, JobRunner};
use crate::{
    ports::bucket::Vault,
    ports::bucket::uploads::{self, Archive},
    ports::providers::{ApiError, Cause, MAX_ANSWER_BYTES, ProviderApi},
    ports::publisher::Publisher,
    ports::sessions::SessionStore,
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

impl<S: SessionStore, V: Vault, A: Archive, R: ProviderApi, P: Publisher> JobRunner<S, V, A, R, P> {
    /// Asks the provider where the artifact is now, whatever a delivery said of it once, and copies it into the bucket.
    pub(super) async fn fetch(
        &self,
        session: &Session,
        artifact: Artifact,
        now: i64,
        deadline: Instant,
    ) -> Result<JobResult, JobError> {
        let id = session.id();
        if artifact != Artifact::Transcript && !self.keeps_recordings {
            return Ok(JobResult::Done);
        }
        if let Some(StoredCopy::Stored(stored)) = session.copies().get(&artifact) {
            if stored.is_untold {
                // A repetition that came meanwhile has left its transcript for this job, too.
                let carried = self.carried_transcript(session, artifact, now).await?;
                let told = carried.unwrap_or(Stored { is_untold: false, ..stored.clone() });
                return Ok(JobResult::Copied(artifact, StoredCopy::Stored(told)));
            }
            // A recording is made once, however often it is announced.
            if artifact != Artifact::Transcript {
                return Ok(JobResult::Done);
            }
            let age = u64::try_from(now.saturating_sub(stored.stored_at)).unwrap_or(0);
            if let Some(rest) = self.retry_max.checked_sub(Duration::from_secs(age)).filter(|rest| !rest.is_zero()) {
                return Err(JobError::Recent(rest));
            }
        }
        let _place = match artifact {
            Artifact::Transcript => self.transcripts.0.acquire().await.ok(),
            _ => None,
        };
        if let Some(stored) = self.carried_transcript(session, artifact, now).await? {
            return Ok(JobResult::Copied(artifact, StoredCopy::Stored(stored)));
        }
        let (content, run) = match self.api.artifact(id, artifact).await.map_err(JobError::Provider)? {
            Located::Found { content, run } => (content, run.as_ref().map(Run::named)),
            Located::Pending => return Err(JobError::Pending),
            // A delivery said that it is there: an API that knows of none is behind.
            Located::Unavailable(Absence::NeverMade) if is_announced(session, artifact) => {
                return Err(JobError::Provider(ApiError::later(Cause::Missing)));
            }
            Located::Unavailable(absence) => {
                return Ok(JobResult::Copied(artifact, StoredCopy::Unavailable(absence.as_str().to_owned())));
            }
        };
        let stored = match (artifact, content) {
            (Artifact::Transcript, content) => {
                let raw = self.whole(artifact, content).await?;
                self.keep_transcript(id, &raw, run, now).await?
            }
            (_, Content::At(url)) => {
                let download = self.api.download(artifact, &url).await.map_err(JobError::Provider)?;
                let key = artifacts::recording(id, artifact, download.content_type());
                stored(self.archive.store(&key, download, deadline).await?, now)
            }
            (_, Content::Inline(bytes)) => {
                let key = artifacts::recording(id, artifact, None);
                stored(self.archive.put(&key, JSON, bytes).await?, now)
            }
        };
        Ok(JobResult::Copied(artifact, StoredCopy::Stored(stored)))
    }

    /// A transcript that came with a delivery, from where that was kept; the provider need not be asked for it. One that is older
    /// than the reason to fetch one is stale, unless it is the only one.
    async fn carried_transcript(
        &self,
        session: &Session,
        artifact: Artifact,
        now: i64,
    ) -> Result<Option<Stored>, JobError> {
        if artifact != Artifact::Transcript {
            return Ok(None);
        }
        let id = session.id();
        let carried: Vec<_> =
            self.vault.list(&artifacts::carried_folder(id)).await?.into_iter().map(|object| object.key).collect();
        let Some(newest) = carried.iter().max() else { return Ok(None) };
        let wanted_at = session.pending(Job::FetchTranscript).map(|progress| progress.wanted().received_at());
        let is_stale = session.copies().contains_key(&artifact) && artifacts::carried_at(newest) < wanted_at;
        let body = if is_stale { None } else { self.vault.fetch(newest).await? };
        let stored = match body {
            Some(body) => Some(self.keep_transcript(id, &body, None, now).await?),
            None => None,
        };
        for key in &carried {
            self.vault.remove(key).await?;
        }
        Ok(stored)
    }

    async fn whole(&self, artifact: Artifact, content: Content) -> Result<Vec<u8>, JobError> {
        match content {
            Content::Inline(bytes) => Ok(bytes),
            Content::At(url) => {
                let download = self.api.download(artifact, &url).await.map_err(JobError::Provider)?;
                download.into_bytes(MAX_ANSWER_BYTES).await.map_err(JobError::Provider)
            }
        }
    }

    /// Keeps a transcript as the provider wrote it, and beside it the same in our one shape, where it can be read.
    async fn keep_transcript(
        &self,
        id: &SessionId,
        raw: &[u8],
        run: Option<Run>,
        now: i64,
    ) -> Result<Stored, JobError> {
        let run = run.unwrap_or_else(|| Run::of_content(raw));
        match Transcript::read(id, raw).map(|read| read.to_json()) {
            Ok(normalised) => {
                let key = artifacts::normalised_transcript(id, &run);
                self.archive.put(&key, JSON, normalised).await?;
            }
            Err(_) => tracing::error!(bot = id.encoded(), "a transcript is in no form that this version reads"),
        }
        let key = artifacts::raw_transcript(id, &run);
        Ok(stored(self.archive.put(&key, JSON, raw.to_vec()).await?, now))
    }
}

fn is_announced(session: &Session, artifact: Artifact) -> bool {
    session.artifacts().get(&artifact).is_some_and(|fact| fact.status == ArtifactStatus::Announced)
}

pub(super) fn stored(archived: uploads::Stored, now: i64) -> Stored {
    let uploads::Stored { key, content_type, size_bytes, sha256 } = archived;
    Stored { key, sha256, size_bytes, content_type, stored_at: now, is_untold: false }
}
