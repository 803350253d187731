//! The layout of artifacts in the bucket, for those who write them, read them and erase them.
//!
//! | key | what |
//! |---|---|
//! | `<provider>/<bot>/transcript/<run>/raw.json` | a transcript as the provider wrote it |
//! | `<provider>/<bot>/transcript/<run>/normalised.json` | the same as a [`Transcript`](crate::transcript::Transcript) |
//! | `<provider>/<bot>/carried/<time of receipt>-<accept id>.json` | a body with a transcript inside, until that has its place |
//! | `<provider>/<bot>/audio/recording.<suffix>` | the recorded sound |
//! | `<provider>/<bot>/video/recording.<suffix>` | the recorded picture |
//!
//! Everything of a bot is under its [`prefix`], and nothing of another bot is.

use crate::{
    event::Artifact,
    hash::sha256_hex,
    ids::{AcceptId, SessionId, Subject},
    sender_id::SenderId,
    time::ReceivedAt,
};

/// The artifacts of which copies are kept.
pub const KINDS: [Artifact; 3] = [Artifact::Transcript, Artifact::Audio, Artifact::Video];

/// The tag of an object with the SHA-256 of its bytes, in hexadecimal.
pub const SHA256_TAG: &str = "sha256";

/// The tag of an object with how many bytes it has.
pub const SIZE_TAG: &str = "size_bytes";

/// What the key of a transcript as the provider wrote it ends with.
pub const RAW: &str = "raw.json";

/// What the key of a normalised transcript ends with.
pub const NORMALISED: &str = "normalised.json";

/// What the keys of all artifacts of a session begin with. It ends with a slash, and no other session's begins with it.
#[must_use]
pub fn prefix(session: &SessionId) -> String {
    let (provider, id) = (session.provider, session.id.encoded());
    match session.subject {
        Subject::Bot => format!("{provider}/{id}/"),
        // Encoding leaves no dot, so no bot has this.
        Subject::Calendar => format!("{provider}/calendar.{id}/"),
    }
}

/// What the keys of all artifacts of one kind begin with.
#[must_use]
pub fn folder(session: &SessionId, artifact: Artifact) -> String {
    format!("{}{}/", prefix(session), artifact.as_str())
}

/// What the keys of transcripts begin with that came with a delivery and wait for their place.
#[must_use]
pub fn carried_folder(session: &SessionId) -> String {
    format!("{}carried/", prefix(session))
}

/// The key of a delivery's body that carries a transcript.
#[must_use]
pub fn carried(session: &SessionId, accept_id: &AcceptId, received_at: ReceivedAt) -> String {
    // With leading zeros, so that keys sort as times do.
    format!("{}{:015}-{accept_id}.json", carried_folder(session), received_at.0.max(0))
}

/// When the delivery was received that carried the transcript under this key; `None` for another key.
#[must_use]
pub fn carried_at(key: &str) -> Option<ReceivedAt> {
    key.rsplit('/').next()?.split('-').next()?.parse().ok().map(ReceivedAt)
}

/// One run of a transcription, as its folder is called. Fetching the same run again writes the same keys; another run keeps
/// the transcript of this one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Run(String);

impl Run {
    /// A run to which the provider gave an id.
    #[must_use]
    pub fn named(id: &SenderId) -> Self {
        Self(id.encoded())
    }

    /// A run that is known by nothing but what it wrote.
    #[must_use]
    pub fn of_content(raw: &[u8]) -> Self {
        let mut digest = sha256_hex(raw);
        digest.truncate(32);
        // No encoded id begins so.
        Self(format!("~sha256-{digest}"))
    }

    /// The name of the folder.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a transcript as the provider wrote it.
#[must_use]
pub fn raw_transcript(session: &SessionId, run: &Run) -> String {
    format!("{}{}/{RAW}", folder(session, Artifact::Transcript), run.0)
}

/// The key of a normalised transcript.
#[must_use]
pub fn normalised_transcript(session: &SessionId, run: &Run) -> String {
    format!("{}{}/{NORMALISED}", folder(session, Artifact::Transcript), run.0)
}

/// The key of a recording, or of another file that comes whole. The content type that its host told gives it a suffix.
#[must_use]
pub fn recording(session: &SessionId, artifact: Artifact, content_type: Option<&str>) -> String {
    format!("{}recording{}", folder(session, artifact), content_type.map_or("", suffix))
}

fn suffix(content_type: &str) -> &'static str {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "video/mp4" => ".mp4",
        "video/webm" => ".webm",
        "audio/mp4" | "audio/x-m4a" | "audio/m4a" => ".m4a",
        "audio/mpeg" | "audio/mp3" => ".mp3",
        "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => ".wav",
        "audio/flac" | "audio/x-flac" => ".flac",
        "audio/ogg" => ".ogg",
        "audio/webm" => ".webm",
        "application/json" => ".json",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Provider;
    use proptest::prelude::*;

    fn bot(id: &str) -> SessionId {
        SessionId::bot(Provider::MeetStream, SenderId::try_from(id).unwrap())
    }

    #[test]
    fn everything_has_its_key() {
        let run = Run::named(&SenderId::try_from("t-1").unwrap());
        assert_eq!(prefix(&bot("b-1")), "meetstream/b-1/");
        assert_eq!(raw_transcript(&bot("b-1"), &run), "meetstream/b-1/transcript/t-1/raw.json");
        assert_eq!(normalised_transcript(&bot("b-1"), &run), "meetstream/b-1/transcript/t-1/normalised.json");
        let of = |artifact, kind| recording(&bot("b-1"), artifact, kind);
        assert_eq!(of(Artifact::Audio, Some("audio/wav")), "meetstream/b-1/audio/recording.wav");
        assert_eq!(of(Artifact::Video, Some("Video/MP4; codecs=avc1")), "meetstream/b-1/video/recording.mp4");
        assert_eq!(of(Artifact::Video, Some("../../x")), "meetstream/b-1/video/recording");
        assert_eq!(of(Artifact::Video, None), "meetstream/b-1/video/recording");
        let calendar = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c").unwrap());
        assert_eq!(prefix(&calendar), "meetingbaas/calendar.c/");
    }

    #[test]
    fn runs_are_told_apart_by_name_or_content() {
        assert_eq!(Run::of_content(b"a"), Run::of_content(b"a"));
        assert_ne!(Run::of_content(b"a"), Run::of_content(b"b"));
        let imitation = SenderId::try_from(Run::of_content(b"a").as_str()).unwrap();
        assert_ne!(Run::named(&imitation), Run::of_content(b"a"));
    }

    proptest! {
        #[test]
        fn no_id_reaches_a_neighbour(
            left in "(?s).{1,40}|[a./~2F]{1,6}", right in "(?s).{1,40}|[a./~2F]{1,6}", run in "(?s).{1,40}|[a./]{1,4}"
        ) {
            let run = Run::named(&SenderId::try_from(run.as_str()).unwrap());
            let (a, b) = (bot(&left), bot(&right));
            let calendar = SessionId::calendar(Provider::MeetStream, b.id.clone());
            let keys = [raw_transcript(&b, &run), normalised_transcript(&b, &run), recording(&b, Artifact::Audio, None)];
            for key in &keys {
                prop_assert_eq!(key.starts_with(&prefix(&a)), left == right, "{}", key);
                prop_assert!(!key.starts_with(&prefix(&calendar)));
                prop_assert!(key.len() <= 1024 && key.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", key);
            }
            prop_assert_eq!(keys[0].split('/').count(), 5);
        }
    }
}
