//! Whether every artifact was stored as its provider served it, or is unavailable for the right reason.

use crate::{
    bucket::{Bucket, Digest},
    failure::Failure,
};
use serde_json::Value;
use shared::{
    Session,
    artifacts::{KINDS, NORMALISED, RAW, folder, prefix},
    event::Artifact,
    hash::sha256_hex,
    session::{Job, Stored, StoredCopy},
    transcript::{Segment, Transcript, Word},
};
use simulator::{Api, Bot, Content, Expected, Reason};
use std::collections::BTreeMap;

/// What should become of a bot's artifacts.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Plan {
    expected: BTreeMap<Artifact, Expected>,
    said: Vec<Segment>,
    /// The transcript as served, where it is a part of something else and has no bytes of its own.
    inline: Option<Vec<u8>>,
}

/// What became of an artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// Nothing is there, and nothing is to be fetched.
    Nothing,
    /// It is yet to be fetched.
    Pending,
    /// We have it, with this content.
    Stored(Object),
    /// It was given up, for this reason.
    Unavailable(String),
    /// It is in a state that it must never be in.
    Wrong(&'static str),
}

/// What the bucket has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Object {
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
    pub(super) content_type: Option<String>,
}

impl Plan {
    /// What should become of this bot's. It takes as long as hashing its recordings takes.
    pub(super) fn of(bot: &Bot) -> Self {
        let transcript = bot.plan().transcript();
        let said = transcript.utterances.iter().map(|utterance| Segment {
            speaker: Some(utterance.speaker.clone()),
            text: utterance.text(),
            start_seconds: Some(seconds(utterance.start_ms())),
            end_seconds: Some(seconds(utterance.end_ms())),
            words: utterance
                .words
                .iter()
                .map(|word| Word {
                    text: word.text.clone(),
                    start: Some(seconds(word.start_ms)),
                    end: Some(seconds(word.end_ms)),
                    confidence: None,
                })
                .collect(),
        });
        let inline = (bot.plan().api() == Api::MeetingBaasV1).then(|| bot.plan().transcript_bytes());
        Self { said: said.collect(), expected: bot.truth().artifacts, inline }
    }

    /// What is expected, with what was found instead.
    pub(super) fn differences<'a>(
        &'a self,
        found: &'a BTreeMap<Artifact, Found>,
    ) -> impl Iterator<Item = (Artifact, &'a Expected, &'a Found)> {
        self.expected.iter().filter_map(|(artifact, expected)| {
            let found = found.get(artifact).unwrap_or(&Found::Nothing);
            (!found.is(expected)).then_some((*artifact, expected, found))
        })
    }

    /// What became of this session's artifacts, by its own word and by the bucket.
    pub(super) async fn look(
        &self,
        bucket: &Bucket<'_>,
        session: &Session,
    ) -> Result<BTreeMap<Artifact, Found>, Failure> {
        let left = if session.is_erased() { bucket.list(&prefix(session.id())).await? } else { vec![] };
        let mut all = BTreeMap::new();
        for artifact in KINDS {
            let folder = folder(session.id(), artifact);
            let found = match session.copies().get(&artifact) {
                _ if left.iter().any(|object| object.key.starts_with(&folder)) => Found::Wrong("left by a deletion"),
                Some(StoredCopy::Unavailable(reason)) => Found::Unavailable(reason.clone()),
                Some(StoredCopy::Stored(stored)) if artifact == Artifact::Transcript => {
                    self.words(bucket, stored).await?
                }
                Some(StoredCopy::Stored(stored)) => recording(bucket, stored).await?,
                None if is_pending(session, artifact) => Found::Pending,
                None => Found::Nothing,
            };
            all.insert(artifact, found);
        }
        Ok(all)
    }

    /// A transcript as the provider wrote it, if our own form of it says the same.
    async fn words(&self, bucket: &Bucket<'_>, stored: &Stored) -> Result<Found, Failure> {
        let normalised = stored.key.strip_suffix(RAW).map(|folder| format!("{folder}{NORMALISED}"));
        let (Some(raw), Some(normalised)) =
            (bucket.fetch(&stored.key).await?, bucket.fetch(&normalised.unwrap_or_default()).await?)
        else {
            return Ok(Found::Wrong("not in the bucket"));
        };
        if sha256_hex(&raw.bytes) != stored.sha256 {
            return Ok(Found::Wrong("in the bucket with other bytes than the session says"));
        }
        let says_the_same = serde_json::from_slice::<Transcript>(&normalised.bytes)
            .is_ok_and(|transcript| without_confidence(transcript.segments) == self.said);
        if !says_the_same {
            return Ok(Found::Wrong("normalised to something else"));
        }
        let bytes = self.inline.clone().filter(|served| holds(&raw.bytes, served)).unwrap_or(raw.bytes);
        let (size_bytes, sha256) = (bytes.len() as u64, sha256_hex(&bytes));
        Ok(Found::Stored(Object { size_bytes, sha256, content_type: stored.content_type.clone() }))
    }
}

/// The bytes of a recording, by their checksum.
async fn recording(bucket: &Bucket<'_>, stored: &Stored) -> Result<Found, Failure> {
    let Some(Digest { size_bytes, sha256 }) = bucket.digest(&stored.key).await? else {
        return Ok(Found::Wrong("not in the bucket"));
    };
    if (size_bytes, &sha256) != (stored.size_bytes, &stored.sha256) {
        return Ok(Found::Wrong("in the bucket with other bytes than the session says"));
    }
    Ok(Found::Stored(Object { size_bytes, sha256, content_type: stored.content_type.clone() }))
}

/// Whether something is still to be done that can change what becomes of an artifact.
pub(super) fn is_pending(session: &Session, artifact: Artifact) -> bool {
    let changes_it =
        |job| Job::fetch(artifact) == Some(job) || matches!(job, Job::Confirm | Job::ConfirmDeletion | Job::Erase);
    session.all_pending().any(|(job, _)| changes_it(job))
}

/// Whether a document is the same JSON as a transcript, or a webhook with it inside: of that all is kept.
fn holds(raw: &[u8], transcript: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    let (Some(raw), Some(transcript)) = (read(raw), read(transcript)) else { return false };
    *raw.pointer("/data/transcript").unwrap_or(&raw) == transcript
}

fn without_confidence(mut segments: Vec<Segment>) -> Vec<Segment> {
    for word in segments.iter_mut().flat_map(|segment| &mut segment.words) {
        word.confidence = None;
    }
    segments
}

#[expect(clippy::cast_precision_loss, reason = "a meeting has fewer than 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

impl Found {
    /// Whether that is as it should be.
    fn is(&self, expected: &Expected) -> bool {
        match (expected, self) {
            (Expected::Stored(Content { size_bytes, sha256, content_type }), Self::Stored(found)) => {
                (size_bytes, sha256) == (&found.size_bytes, &found.sha256)
                    && found.content_type.as_deref() == Some(*content_type)
            }
            (Expected::Unavailable(reason), Self::Unavailable(name)) => names(*reason).contains(&name.as_str()),
            (Expected::Unavailable(reason), Self::Nothing) => {
                // What nobody announced is not fetched; nor is what was announced as failed, or erased.
                matches!(reason, Reason::NeverMade | Reason::Failed | Reason::Deleted)
            }
            _ => false,
        }
    }

    /// For counts: what became of it, and if it is unavailable, why.
    pub(super) fn end(&self) -> &str {
        match self {
            Self::Nothing => "none",
            Self::Pending => "pending",
            Self::Stored(_) => "stored",
            Self::Unavailable(reason) => reason,
            Self::Wrong(_) => "wrong",
        }
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Pending => "yet to be fetched".to_owned(),
            Self::Stored(Object { size_bytes, sha256, content_type }) => {
                bytes(*size_bytes, sha256, content_type.as_deref())
            }
            Self::Unavailable(reason) => format!("unavailable ({reason})"),
            Self::Wrong(what) => (*what).to_owned(),
        }
    }
}

/// What is expected, in words.
pub(super) fn describe(expected: &Expected) -> String {
    match expected {
        Expected::Stored(content) => bytes(content.size_bytes, &content.sha256, Some(content.content_type)),
        Expected::Unavailable(reason) => format!("unavailable ({})", names(*reason).join(" or ")),
    }
}

fn bytes(size_bytes: u64, sha256: &str, content_type: Option<&str>) -> String {
    let short = sha256.get(..12).unwrap_or(sha256);
    format!("stored ({size_bytes} bytes of {}, sha256 {short}…)", content_type.unwrap_or("unknown content"))
}

/// The names by which a session gives a reason.
fn names(reason: Reason) -> &'static [&'static str] {
    match reason {
        Reason::NeverMade => &["never_made", "skipped", "not_offered"],
        Reason::Failed => &["failed"],
        Reason::NeverReady => &["not_in_time"],
        Reason::NotFound => &["not_found", "missing"],
        Reason::Gone => &["gone"],
        Reason::Refused => &["key_refused", "refused", "redirected"],
        Reason::Overloaded => &["failing", "busy", "unreachable", "timed_out"],
        Reason::Broken => &["truncated", "unreadable", "too_large"],
        Reason::Expired => &["url_refused"],
        Reason::Deleted => &["erased"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8]) -> Content {
        Content::of(bytes, "audio/wav")
    }

    fn object(bytes: &[u8]) -> Found {
        let Content { size_bytes, sha256, content_type } = content(bytes);
        Found::Stored(Object { size_bytes, sha256, content_type: Some(content_type.to_owned()) })
    }

    #[test]
    fn an_artifact_is_right_if_it_is_the_same_or_missing_for_the_same_reason() {
        #[track_caller]
        fn check(expected: &Expected, found: &Found, is_right: bool) {
            assert_eq!(found.is(expected), is_right, "{expected:?} {found:?}");
        }
        let stored = Expected::Stored(content(b"sound"));
        check(&stored, &object(b"sound"), true);
        check(&stored, &object(b"Sound"), false);
        for other in [Found::Nothing, Found::Pending, Found::Unavailable("gone".to_owned()), Found::Wrong("x")] {
            check(&stored, &other, false);
        }
        let gone = Expected::Unavailable(Reason::Gone);
        check(&gone, &Found::Unavailable("gone".to_owned()), true);
        check(&gone, &Found::Unavailable("not_in_time".to_owned()), false);
        check(&gone, &Found::Nothing, false);
        check(&gone, &object(b"sound"), false);
        check(&Expected::Unavailable(Reason::NeverMade), &Found::Nothing, true);
        check(&Expected::Unavailable(Reason::Deleted), &Found::Wrong("left by a deletion"), false);
        check(&Expected::Unavailable(Reason::NeverReady), &Found::Pending, false);
    }

    #[test]
    fn a_transcript_that_is_part_of_something_is_found_there() {
        let transcript = br#"[{"speaker":"P","id":1}]"#;
        for (raw, is_there) in [
            (r#"{"event":"complete","data":{"bot_id":"b","transcript":[{"speaker":"P","id":1}]}}"#, true),
            (r#"[{"id":1,"speaker":"P"}]"#, true),
            (r#"[{"id":2,"speaker":"P"}]"#, false),
            (r#"{"data":{"transcript":[]}}"#, false),
            ("[", false),
        ] {
            assert_eq!(holds(raw.as_bytes(), transcript), is_there, "{raw}");
        }
    }

    #[test]
    fn both_sides_are_described_alike() {
        let same = "stored (5 bytes of audio/wav, sha256 ";
        assert!(describe(&Expected::Stored(content(b"sound"))).starts_with(same));
        assert!(object(b"sound").describe().starts_with(same));
        assert_eq!(describe(&Expected::Unavailable(Reason::NotFound)), "unavailable (not_found or missing)");
        assert_eq!(Found::Unavailable("gone".to_owned()).describe(), "unavailable (gone)");
    }
}
