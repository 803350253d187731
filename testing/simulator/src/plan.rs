//! What a simulated bot goes through.

use crate::{
    body::Era,
    dialect::Dialect,
    fault::{Fault, Operation, PlannedFault, Times},
    recording::{Format, Recording},
    script::{Ending, Outline, SCHEDULED, Step, Transcription, steps},
    transcript::Transcript,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use shared::{Endpoint, Provider, event::Artifact};

/// Everything about one bot, decided beforehand.
///
/// ```
/// use shared::Endpoint;
/// use simulator::{BotPlan, Ending, Fault, Operation, Times};
///
/// let plan = BotPlan { ending: Ending::Kicked, video_bytes: Some(5_000_000), ..BotPlan::new(Endpoint::MeetStream, "b-1") }
///     .with_fault(Operation::GetTranscript, Fault::Pending, Times::First(3));
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct BotPlan {
    /// The provider's id of it.
    pub bot_id: String,
    /// Where its deliveries go. The first says whose bot it is; all must be of the same API.
    pub channels: Vec<Endpoint>,
    /// How the meeting ends.
    pub ending: Ending,
    /// What becomes of the transcript.
    pub transcription: Transcription,
    /// The size of its audio; `None`: there is none.
    pub audio_bytes: Option<u64>,
    /// The size of its video; `None`: there is none.
    pub video_bytes: Option<u64>,
    /// How much is said.
    pub utterances: usize,
    /// Who is there.
    pub participants: Vec<String>,
    /// Whether everything is erased in the end.
    pub deletion: bool,
    /// When the last step happens, before any deletion.
    pub ends_at: Timestamp,
    /// How much faster than in reality time goes, at least 1.
    pub speed: f64,
    /// Which of `MeetStream`'s generations of bodies.
    pub era: Era,
    /// How many seconds before it joins the bot was created, in the meeting's own time; `None`: it was created to join at once. One
    /// that is cancelled was always created for later.
    pub created_ahead: Option<i64>,
    /// The address of callbacks that it was created with.
    pub callback_url: Option<String>,
    /// The `custom_attributes`, of Meeting BaaS the `extra`.
    pub attributes: Map<String, Value>,
    /// Whether v1 of Meeting BaaS sends the transcript inside `complete`, and not later.
    pub inline_transcript: bool,
    /// Whether the presigned URLs in its webhooks have expired when they arrive.
    pub stale_webhook_urls: bool,
    /// What its API does wrong.
    pub faults: Vec<PlannedFault>,
    /// What its content is made from.
    pub seed: u64,
}

/// An API with its own paths and shapes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Api {
    MeetStream,
    MeetingBaasV1,
    MeetingBaasV2,
}

impl Api {
    /// The API of the bots whose deliveries arrive on a route.
    #[must_use]
    pub fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::MeetStream | Endpoint::MeetStreamCallback => Self::MeetStream,
            Endpoint::MeetingBaasV1 | Endpoint::MeetingBaasLegacy => Self::MeetingBaasV1,
            Endpoint::MeetingBaasV2 | Endpoint::MeetingBaasCallback => Self::MeetingBaasV2,
        }
    }
}

impl BotPlan {
    /// A bot whose meeting goes well, with a small recording and a short transcript, and whose API does nothing wrong. The
    /// same id has the same content.
    #[must_use]
    pub fn new(channel: Endpoint, bot_id: impl Into<String>) -> Self {
        let bot_id = bot_id.into();
        let seed = bot_id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |seed, byte| (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self {
            channels: vec![channel],
            ending: Ending::default(),
            transcription: Transcription::default(),
            audio_bytes: Some(200_000),
            video_bytes: Some(500_000),
            utterances: 12,
            participants: vec!["Priya Raman".to_owned(), "Tom Ilves".to_owned()],
            deletion: false,
            ends_at: Timestamp::from_second(1_791_212_102).unwrap_or_default(),
            speed: 1.0,
            era: Era::default(),
            created_ahead: None,
            callback_url: None,
            attributes: json!({ "sent_by": "rollcall" }).as_object().cloned().unwrap_or_default(),
            inline_transcript: true,
            stale_webhook_urls: false,
            faults: Vec::new(),
            seed,
            bot_id,
        }
    }

    /// The same with one more fault, after those it has.
    #[must_use]
    pub fn with_fault(mut self, operation: Operation, fault: Fault, times: Times) -> Self {
        self.faults.push(PlannedFault { operation, fault, times });
        self
    }

    /// Whose bot it is.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.first_channel().provider()
    }

    /// Which API knows it.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::of(self.first_channel())
    }

    fn first_channel(&self) -> Endpoint {
        self.channels.first().copied().unwrap_or(Endpoint::MeetStream)
    }

    /// Everything that happens, in order and in its provider's words.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let dialect = match Dialect::of(self.first_channel()) {
            // A callback tells only of the end of what happens.
            Dialect::MeetingBaasCallback => Dialect::MeetingBaasV2,
            dialect => dialect,
        };
        let mut steps = steps(dialect, self.outline());
        let is_late = dialect == Dialect::MeetingBaasV1 && self.has(Artifact::Transcript) && !self.inline_transcript;
        if is_late {
            steps.push(Step { name: "transcription_complete", before_end: 0 });
        }
        if let Some((ahead, first)) = self.created_ahead.zip(steps.first().copied())
            && dialect == Dialect::MeetStream
            && self.ending != Ending::Cancelled
        {
            steps.insert(0, Step { name: SCHEDULED, before_end: first.before_end + ahead });
        }
        steps
    }

    /// Whether it was created to join at a later time.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.created_ahead.is_some() || self.ending == Ending::Cancelled
    }

    /// When it joins, or would have.
    #[must_use]
    pub fn join_at(&self) -> Timestamp {
        let steps = self.steps();
        match steps.iter().find(|step| step.name != SCHEDULED) {
            Some(step) => self.at(*step),
            None => self.at(Step { name: SCHEDULED, before_end: -self.created_ahead.unwrap_or(3600) }),
        }
    }

    /// When it was created.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        let first = self.steps().first().copied().unwrap_or(Step { name: SCHEDULED, before_end: 0 });
        let is_told = first.name == SCHEDULED;
        let ahead = self.created_ahead.filter(|_| !is_told).unwrap_or(0);
        self.at(Step { before_end: first.before_end + ahead, ..first })
    }

    fn outline(&self) -> Outline {
        let Self { ending, transcription, deletion, .. } = *self;
        Outline {
            ending,
            transcription,
            audio: self.audio_bytes.is_some(),
            video: self.video_bytes.is_some(),
            deletion,
        }
    }

    /// When a step happens.
    #[must_use]
    pub fn at(&self, step: Step) -> Timestamp {
        #[expect(clippy::cast_precision_loss, reason = "a meeting has fewer than 2^52 seconds")]
        let before =
            SignedDuration::try_from_secs_f64(step.before_end as f64 / self.speed.max(1.0)).unwrap_or_default();
        self.ends_at.saturating_sub(before).unwrap_or(self.ends_at)
    }

    /// Whether the meeting leaves this behind, as far as the provider goes. Nothing is made where the bot was not admitted; of
    /// Meeting BaaS, only where the end was a good one; and a bot that breaks down leaves its audio at most.
    #[must_use]
    pub fn has(&self, artifact: Artifact) -> bool {
        let (is_well, is_meetstream) = (self.ending == Ending::Completed, self.api() == Api::MeetStream);
        let left = match self.ending {
            Ending::Completed => true,
            Ending::Kicked => is_meetstream,
            Ending::Failed => is_meetstream && artifact == Artifact::Audio,
            Ending::NotAdmitted | Ending::Denied | Ending::Cancelled => false,
        };
        left && match artifact {
            Artifact::Manifest => is_meetstream,
            Artifact::Audio => self.audio_bytes.is_some(),
            Artifact::Video => self.video_bytes.is_some(),
            Artifact::Transcript => self.transcription == Transcription::PostCall && (is_well || is_meetstream),
        }
    }

    /// The bytes of its audio or video; `None` where there are none.
    #[must_use]
    pub fn recording(&self, artifact: Artifact) -> Option<Recording> {
        let is_meetstream = self.api() == Api::MeetStream;
        let (format, size_bytes, salt) = match artifact {
            Artifact::Audio if self.api() == Api::MeetingBaasV2 => (Format::Flac, self.audio_bytes?, 1),
            Artifact::Audio => (Format::Wav, self.audio_bytes?, 1),
            Artifact::Video => (Format::Mp4, self.video_bytes?, 2),
            Artifact::Manifest | Artifact::Transcript => return None,
        };
        let salt = if is_meetstream { salt } else { salt + 16 };
        self.has(artifact).then_some(Recording { seed: self.seed ^ salt, format, size_bytes })
    }

    /// The bytes of its transcript, as [`Content`](crate::Content) says.
    #[must_use]
    pub fn transcript_bytes(&self) -> Vec<u8> {
        crate::rest::transcript_bytes(self, 0)
    }

    /// What was said, by the first transcription of it.
    #[must_use]
    pub fn transcript(&self) -> Transcript {
        self.transcript_of_run(0)
    }

    /// What was said, by the transcription that was made `run` transcriptions later: another engine hears other words.
    #[must_use]
    pub fn transcript_of_run(&self, run: usize) -> Transcript {
        Transcript::from_seed(self.seed.wrapping_add(run as u64), &self.participants, self.utterances)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_keeps_the_end_and_shortens_the_way_to_it() {
        let slow = BotPlan::new(Endpoint::MeetStream, "b");
        let fast = BotPlan { speed: 10.0, ..slow.clone() };
        let first = slow.steps()[0];
        assert_eq!(slow.at(first), slow.ends_at - SignedDuration::from_secs(3360));
        assert_eq!(fast.at(first), slow.ends_at - SignedDuration::from_secs(336));
    }

    #[test]
    fn content_depends_on_the_bot_alone() {
        let plan = |id: &str| BotPlan::new(Endpoint::MeetStream, id);
        assert_eq!(plan("a").transcript(), plan("a").transcript());
        assert_ne!(plan("a").transcript(), plan("b").transcript());
        assert_ne!(plan("a").transcript_of_run(1), plan("a").transcript());
        let (audio, video) = (plan("a").recording(Artifact::Audio), plan("a").recording(Artifact::Video));
        assert_ne!(audio.unwrap().seed, video.unwrap().seed);
    }
}
