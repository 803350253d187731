//! What really happened to a bot, and what can be known of it: for tests and audits to compare with.

use crate::{
    body::Era,
    fault::{Fault, Operation, Times},
    plan::{Api, BotPlan},
    script::{ERASED, Ending, Transcription},
};
use sha2::{Digest as _, Sha256};
use shared::{
    Endpoint,
    event::{Artifact, ArtifactStatus, Outcome},
    session::State,
};
use std::collections::BTreeMap;

/// Where a session ends when all deliveries have arrived and everything that can be fetched was fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Truth {
    /// How far it comes by its deliveries; `None` if there are none.
    pub state: Option<State>,
    /// How it ends by its deliveries; `None` if none of them tells.
    pub outcome: Option<Outcome>,
    /// What its deliveries say of artifacts.
    pub announced: BTreeMap<Artifact, ArtifactStatus>,
    /// What should have become of audio, video and transcript.
    pub artifacts: BTreeMap<Artifact, Expected>,
}

/// What should have become of an artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// It was stored, with these bytes.
    Stored(Content),
    /// It could not be had.
    Unavailable(Reason),
}

/// The bytes of an artifact, as its provider serves them.
///
/// Of a transcript they are what the provider's own call or file for it holds; of v1 of Meeting BaaS, which has no such thing,
/// the compact JSON of the list in `complete`, or of the one in `meeting_data` if it is not sent in `complete`. To compare what
/// was made of a transcript, take [`BotPlan::transcript`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    pub size_bytes: u64,
    /// In lower-case hex.
    pub sha256: String,
    pub content_type: &'static str,
}

/// Why an artifact cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// Nobody made one.
    NeverMade,
    /// Making it failed.
    Failed,
    /// Its provider says for ever that it is not ready.
    NeverReady,
    /// Its provider does not know it.
    NotFound,
    /// Its provider had it.
    Gone,
    /// Its provider does not hand it out.
    Refused,
    /// Its provider never comes to answering.
    Overloaded,
    /// What is served is never whole, or never what it should be.
    Broken,
    /// No URL is ever in time.
    Expired,
    /// It was erased.
    Deleted,
}

impl Content {
    /// What holds these bytes.
    #[must_use]
    pub fn of(bytes: &[u8], content_type: &'static str) -> Self {
        Self { size_bytes: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)), content_type }
    }
}

impl Truth {
    /// The truth about a bot.
    ///
    /// Its artifacts are fetched by way of the calls that their provider documents for that: `get_audio`, `get_video` and
    /// `get_transcript` and what they point to; `GET /v2/bots/{id}` and what it points to; `meeting_data`. A fault that lasts
    /// for ever on that way makes the artifact unavailable, but for slowness and for a redirected download.
    #[must_use]
    pub fn of(plan: &BotPlan) -> Self {
        let artifacts = [Artifact::Audio, Artifact::Video, Artifact::Transcript];
        Self {
            state: plan.state_in_the_end(),
            outcome: plan.outcome_in_the_end(),
            announced: announced(plan),
            artifacts: artifacts.into_iter().map(|artifact| (artifact, expected(plan, artifact))).collect(),
        }
    }
}

impl BotPlan {
    /// How far its session comes by its deliveries alone; `None` if there are none.
    #[must_use]
    pub fn state_in_the_end(&self) -> Option<State> {
        let is_verified = self.channels.iter().any(|channel| *channel != Endpoint::MeetStreamCallback);
        let only_calls_back = self.channels.iter().all(|channel| *channel == Endpoint::MeetingBaasCallback);
        match (self.ending, self.api()) {
            (Ending::Cancelled, _) => (!self.steps().is_empty() && !only_calls_back).then_some(State::Scheduled),
            // A deletion that nobody proved hides nothing.
            (_, Api::MeetStream) if self.deletion && is_verified => Some(State::Deleted),
            (Ending::Completed, Api::MeetingBaasV2) if self.deletion => Some(State::Deleted),
            (Ending::Completed | Ending::Kicked, Api::MeetStream) if self.transcription == Transcription::Streaming => {
                Some(State::Ended)
            }
            _ => Some(State::Done),
        }
    }

    /// The same once the provider was asked about what nobody proved: by then it has erased what it said it would.
    #[must_use]
    pub fn state_when_confirmed(&self) -> Option<State> {
        if self.is_erased_in_the_end() { Some(State::Deleted) } else { self.state_in_the_end() }
    }

    /// How its session ends once the provider was asked about what nobody proved. `MeetStream`'s API has no word for a bot that
    /// was removed, and what it does say replaces what callbacks claim.
    #[must_use]
    pub fn outcome_when_confirmed(&self) -> Option<Outcome> {
        let only_claims = self.channels.iter().all(|channel| *channel == Endpoint::MeetStreamCallback);
        match self.outcome_in_the_end() {
            Some(Outcome::Kicked) if only_claims => Some(Outcome::Completed),
            outcome => outcome,
        }
    }

    /// Whether its provider erases everything in the end. Not every deletion that was asked for happens: v1 of Meeting BaaS
    /// tells of none, and v2 only of that of a good end.
    #[must_use]
    pub fn is_erased_in_the_end(&self) -> bool {
        self.steps().iter().any(|step| matches!(step.name, "data_deletion" | ERASED))
    }

    /// How its session ends by its deliveries alone; `None` if none of them tells.
    #[must_use]
    pub fn outcome_in_the_end(&self) -> Option<Outcome> {
        Some(match self.ending {
            Ending::Cancelled => return None,
            Ending::Completed => Outcome::Completed,
            // That generation has no word for it.
            Ending::Kicked if self.api() == Api::MeetStream && self.era == Era::Event => Outcome::Completed,
            Ending::Kicked => Outcome::Kicked,
            Ending::NotAdmitted => Outcome::NotAdmitted,
            Ending::Denied => Outcome::Denied,
            Ending::Failed => Outcome::Failed,
        })
    }
}

fn announced(plan: &BotPlan) -> BTreeMap<Artifact, ArtifactStatus> {
    use Artifact::{Audio, Manifest, Transcript, Video};
    use ArtifactStatus::{Announced, Failed, Skipped};
    let ready = [Manifest, Audio, Video, Transcript].into_iter().filter(|artifact| plan.has(*artifact));
    let mut announced: BTreeMap<_, _> = ready.map(|artifact| (artifact, Announced)).collect();
    let broke_down = plan.ending == Ending::Failed;
    match plan.api() {
        Api::MeetStream if plan.ending.was_admitted() => {
            if broke_down {
                announced.remove(&Manifest);
            }
            if plan.audio_bytes.is_none() {
                announced.insert(Audio, Skipped);
            }
            match plan.transcription {
                _ if broke_down => announced.insert(Transcript, Failed),
                Transcription::Failed => announced.insert(Transcript, Failed),
                Transcription::Skipped => announced.insert(Transcript, Skipped),
                Transcription::PostCall | Transcription::Streaming => None,
            };
        }
        Api::MeetingBaasV2 if plan.ending == Ending::Completed && plan.transcription == Transcription::Failed => {
            let is_told = plan.channels.contains(&Endpoint::MeetingBaasV2);
            announced.extend(is_told.then_some((Transcript, Failed)));
        }
        Api::MeetStream | Api::MeetingBaasV1 | Api::MeetingBaasV2 => {}
    }
    announced
}

fn expected(plan: &BotPlan, artifact: Artifact) -> Expected {
    if !plan.has(artifact) {
        let failed = artifact == Artifact::Transcript
            && plan.ending.was_admitted()
            && (plan.transcription == Transcription::Failed
                || (plan.ending == Ending::Failed && plan.api() == Api::MeetStream));
        return Expected::Unavailable(if failed { Reason::Failed } else { Reason::NeverMade });
    }
    if plan.is_erased_in_the_end() {
        return Expected::Unavailable(Reason::Deleted);
    }
    // Of several calls that fail for ever, only the first is ever made; of several faults of a call, only the first happens.
    let way = way_to(plan, artifact).into_iter();
    let lasting = way.flat_map(|operation| {
        plan.faults.iter().filter(move |planned| planned.times == Times::Always && planned.operation == operation)
    });
    match lasting.into_iter().find_map(|planned| spoils(&planned.fault, planned.operation)) {
        Some(reason) => Expected::Unavailable(reason),
        None => content(plan, artifact).map_or(Expected::Unavailable(Reason::NeverMade), Expected::Stored),
    }
}

/// The calls on the way to an artifact.
fn way_to(plan: &BotPlan, artifact: Artifact) -> Vec<Operation> {
    let download = Operation::Download(artifact);
    match (plan.api(), artifact) {
        (Api::MeetStream, Artifact::Audio) => vec![Operation::GetAudio, download],
        (Api::MeetStream, Artifact::Video) => vec![Operation::GetVideo, download],
        (Api::MeetStream, Artifact::Transcript | Artifact::Manifest) => vec![Operation::GetTranscript],
        // It came with the webhook.
        (Api::MeetingBaasV1, Artifact::Transcript) if plan.inline_transcript => vec![],
        (Api::MeetingBaasV1, Artifact::Transcript) => vec![Operation::MeetingData],
        (Api::MeetingBaasV1, _) => vec![Operation::MeetingData, download],
        (Api::MeetingBaasV2, _) => vec![Operation::BotV2, download],
    }
}

/// Why a fault that lasts leaves nothing to be had.
fn spoils(fault: &Fault, operation: Operation) -> Option<Reason> {
    let is_download = matches!(operation, Operation::Download(_));
    match fault {
        Fault::Pending => Some(Reason::NeverReady),
        Fault::Status(404) => Some(Reason::NotFound),
        Fault::Status(410) => Some(Reason::Gone),
        Fault::Status(400..=403) => Some(Reason::Refused),
        Fault::Status(_) | Fault::TooManyRequests(_) | Fault::Reset => Some(Reason::Overloaded),
        Fault::Truncated | Fault::Bloated(_) | Fault::Garbage => Some(Reason::Broken),
        Fault::ExpiredUrls => Some(Reason::Expired),
        Fault::Redirect => (!is_download).then_some(Reason::Refused),
        Fault::Slow(_) | Fault::EndsEarly | Fault::LoopingCursor | Fault::OverlappingPage => None,
    }
}

fn content(plan: &BotPlan, artifact: Artifact) -> Option<Content> {
    if artifact == Artifact::Transcript {
        return Some(Content::of(&plan.transcript_bytes(), "application/json"));
    }
    let recording = plan.recording(artifact)?;
    let (size_bytes, content_type) = (recording.size_bytes, recording.format.content_type());
    Some(Content { size_bytes, sha256: recording.sha256(), content_type })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, plan: &BotPlan, artifact: Artifact, expected: Result<(), Reason>) {
        let found = match &Truth::of(plan).artifacts[&artifact] {
            Expected::Stored(_) => Ok(()),
            Expected::Unavailable(reason) => Err(*reason),
        };
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn what_nobody_proved_ends_as_the_provider_says() {
        let of = |channel, ending, deletion| BotPlan { ending, deletion, ..BotPlan::new(channel, "b") };
        let unverified = of(Endpoint::MeetStreamCallback, Ending::Kicked, true);
        assert_eq!(
            (unverified.state_in_the_end(), unverified.outcome_in_the_end()),
            (Some(State::Done), Some(Outcome::Kicked))
        );
        let confirmed = (unverified.state_when_confirmed(), unverified.outcome_when_confirmed());
        assert_eq!(confirmed, (Some(State::Deleted), Some(Outcome::Completed)));
        let signed = of(Endpoint::MeetStream, Ending::Kicked, false);
        assert_eq!(signed.outcome_when_confirmed(), Some(Outcome::Kicked));
        assert_eq!(of(Endpoint::MeetingBaasV1, Ending::Completed, true).state_when_confirmed(), Some(State::Done));
    }

    #[test]
    fn faults_that_last_make_artifacts_unavailable() {
        use Artifact::{Audio, Transcript, Video};
        let plan = || BotPlan::new(Endpoint::MeetStream, "b");
        let always = |operation, fault| plan().with_fault(operation, fault, Times::Always);
        check("no fault", &plan(), Video, Ok(()));
        check("202 for ever", &always(Operation::GetTranscript, Fault::Pending), Transcript, Err(Reason::NeverReady));
        check("another's fault", &always(Operation::GetTranscript, Fault::Pending), Audio, Ok(()));
        check("gone", &always(Operation::GetAudio, Fault::Status(410)), Audio, Err(Reason::Gone));
        check("never whole", &always(Operation::Download(Video), Fault::Truncated), Video, Err(Reason::Broken));
        check("slow", &always(Operation::Download(Video), Fault::Slow(std::time::Duration::ZERO)), Video, Ok(()));
        let passing = plan().with_fault(Operation::GetAudio, Fault::Status(500), Times::First(9));
        check("in the end", &passing, Audio, Ok(()));
        check("erased", &BotPlan { deletion: true, ..plan() }, Audio, Err(Reason::Deleted));
        let of_v1 = BotPlan { deletion: true, ..BotPlan::new(Endpoint::MeetingBaasV1, "b") };
        check("a deletion that never happens", &of_v1, Audio, Ok(()));
        let ending = |ending| BotPlan { ending, ..plan() };
        check("never admitted", &ending(Ending::Denied), Audio, Err(Reason::NeverMade));
        check("broke down", &ending(Ending::Failed), Transcript, Err(Reason::Failed));
        check("broke down", &ending(Ending::Failed), Audio, Ok(()));
        let twice = always(Operation::Download(Audio), Fault::Truncated);
        let twice = twice.with_fault(Operation::GetAudio, Fault::Status(410), Times::Always);
        check("the first call on the way", &twice, Audio, Err(Reason::Gone));
        let streaming = BotPlan { transcription: Transcription::Streaming, ..plan() };
        check("streaming", &streaming, Transcript, Err(Reason::NeverMade));
        let inline = BotPlan::new(Endpoint::MeetingBaasV1, "b");
        let broken = inline.with_fault(Operation::MeetingData, Fault::Status(404), Times::Always);
        check("inside the webhook", &broken, Transcript, Ok(()));
        check("not inside the webhook", &broken, Video, Err(Reason::NotFound));
    }
}
