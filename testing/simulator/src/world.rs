//! Everything that the simulated providers know.

mod faults;

pub(crate) use faults::Faults;

use crate::{
    calendar::CalendarPlan,
    knobs::Knobs,
    limits::Limiter,
    plan::{Api, BotPlan},
    presigned::Presigner,
    request::Request,
    script::{Ending, SCHEDULED, Step, Transcription},
    webhook::Webhook,
};
use jiff::Timestamp;
use shared::{Provider, event::Artifact};
use std::{collections::BTreeMap, time::Duration};

/// Both providers, their bots and calendars, and what was asked of them.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) knobs: Knobs,
    pub(crate) api_url: String,
    pub(crate) files_url: String,
    pub(crate) presigner: Presigner,
    pub(crate) bots: BTreeMap<(Provider, String), BotState>,
    pub(crate) calendars: BTreeMap<String, CalendarState>,
    pub(crate) requests: Vec<Request>,
    /// What goes wrong with lists.
    pub(crate) faults: Faults,
    pub(crate) meetstream_limit: Option<Limiter>,
    pub(crate) meetingbaas_limit: Option<Limiter>,
    /// What calls of the API have made the providers send.
    pub(crate) outbox: Vec<Webhook>,
}

/// One bot, as far as it has come.
#[derive(Clone, Debug)]
pub(crate) struct BotState {
    pub(crate) plan: BotPlan,
    pub(crate) steps: Vec<Step>,
    /// How many of the steps have happened.
    pub(crate) happened: usize,
    /// Whether a call has erased its data.
    pub(crate) is_erased: bool,
    /// How many transcriptions were made after the first.
    pub(crate) reruns: usize,
    pub(crate) faults: Faults,
}

/// One calendar.
#[derive(Clone, Debug)]
pub(crate) struct CalendarState {
    pub(crate) plan: CalendarPlan,
    pub(crate) faults: Faults,
}

/// Whether an artifact can be had by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    NotYet,
    Ready,
    Never,
}

impl World {
    pub(crate) fn new(knobs: Knobs, api_url: String, files_url: String) -> Self {
        let presigner = Presigner::new(&files_url, knobs.seed, knobs.url_life);
        let limiter =
            |limit: Option<u32>, seconds| limit.map(|limit| Limiter::new(limit, Duration::from_secs(seconds)));
        let limits = knobs.rate_limits;
        Self {
            faults: Faults::new(&knobs.list_faults),
            meetstream_limit: limiter(limits.meetstream_a_minute, 60),
            meetingbaas_limit: limiter(limits.meetingbaas_writes_a_second, 1),
            knobs,
            api_url,
            files_url,
            presigner,
            bots: BTreeMap::new(),
            calendars: BTreeMap::new(),
            requests: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// A presigned URL of one of a bot's files.
    pub(crate) fn url(&self, plan: &BotPlan, file: &str, is_stale: bool) -> String {
        self.presigner.url(&[plan.provider().as_str(), &plan.bot_id, file], Timestamp::now(), is_stale)
    }
}

impl BotState {
    /// A bot whose meeting is over.
    pub(crate) fn new(plan: BotPlan) -> Self {
        let steps = plan.steps();
        let (happened, faults) = (steps.len(), Faults::new(&plan.faults));
        Self { plan, steps, happened, is_erased: false, reruns: 0, faults }
    }

    /// The steps that have happened.
    pub(crate) fn past(&self) -> &[Step] {
        self.steps.get(..self.happened).unwrap_or(&self.steps)
    }

    /// When a step of one of these names has happened.
    pub(crate) fn when(&self, names: &[&str]) -> Option<Timestamp> {
        let step = self.past().iter().find(|step| names.contains(&step.name))?;
        Some(self.plan.at(*step))
    }

    /// Whether it was called off before it began.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.plan.ending == Ending::Cancelled && self.happened == self.steps.len()
    }

    /// Whether it is to join later, as far as its provider knows of it.
    pub(crate) fn waits_for_its_time(&self) -> bool {
        let (is_scheduled, has_begun) =
            (self.plan.is_scheduled(), self.past().iter().any(|step| step.name != SCHEDULED));
        // MeetStream tells of a schedule; of Meeting BaaS nothing is told before its time has come.
        is_scheduled && !has_begun && (self.plan.api() != Api::MeetStream || self.happened > 0)
    }

    pub(crate) fn is_erased(&self) -> bool {
        self.is_erased || self.when(&["data_deletion", crate::script::ERASED]).is_some()
    }

    /// When recording began.
    pub(crate) fn began_at(&self) -> Timestamp {
        began_at(&self.plan)
    }

    pub(crate) fn readiness(&self, artifact: Artifact) -> Readiness {
        if !self.plan.has(artifact) {
            return Readiness::Never;
        }
        let tells = match (self.plan.api(), artifact) {
            (Api::MeetStream, Artifact::Audio) => &["audio.processed"][..],
            (Api::MeetStream, Artifact::Video) => &["video.processed"],
            (Api::MeetStream, Artifact::Transcript) => &["transcription.processed"],
            (Api::MeetStream, Artifact::Manifest) => &["manifest.completed"],
            (Api::MeetingBaasV1, Artifact::Transcript) if !self.plan.inline_transcript => &["transcription_complete"],
            (Api::MeetingBaasV1, _) => &["complete", "meeting.completed"],
            (Api::MeetingBaasV2, _) => &["bot.completed"],
        };
        if self.when(tells).is_some() { Readiness::Ready } else { Readiness::NotYet }
    }

    /// The id of a transcription of the bot; `None` if none was asked for.
    pub(crate) fn transcript_id(&self, run: usize) -> Option<String> {
        (self.plan.transcription != Transcription::Skipped || run > 0)
            .then(|| format!("t-{:016x}-{run}", self.plan.seed))
    }
}

/// When a bot's recording begins.
pub(crate) fn began_at(plan: &BotPlan) -> Timestamp {
    let steps = plan.steps();
    let names = ["bot.recording", "in_call_recording", "meeting.started"];
    let step = steps.iter().find(|step| names.contains(&step.name));
    step.map_or(plan.ends_at, |step| plan.at(*step))
}
