//! What happens in a meeting, step by step, in each dialect's words.

use crate::dialect::Dialect;

/// How a meeting can end for a bot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum), value(rename_all = "snake_case"))]
pub enum Ending {
    /// the meeting ends
    #[default]
    Completed,
    /// a participant removes the bot
    Kicked,
    /// nobody lets the bot in
    NotAdmitted,
    /// the host refuses the bot
    Denied,
    /// the bot breaks down
    Failed,
    /// it is called off before it begins, and nobody tells of that
    Cancelled,
}

impl Ending {
    /// Every ending there is.
    pub const ALL: [Self; 6] =
        [Self::Completed, Self::Kicked, Self::NotAdmitted, Self::Denied, Self::Failed, Self::Cancelled];

    /// Whether the bot got as far as recording something.
    #[must_use]
    pub fn was_admitted(self) -> bool {
        matches!(self, Self::Completed | Self::Kicked | Self::Failed)
    }
}

/// How the transcript is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Transcription {
    /// After the meeting, and a webhook tells of it.
    #[default]
    PostCall,
    /// While the meeting lasts. Nothing can be fetched: no webhook tells of a transcript, and the API says 202 for ever.
    Streaming,
    /// It was tried and failed.
    Failed,
    /// Nobody asked for one.
    Skipped,
}

/// What goes into a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outline {
    /// How it ends.
    pub ending: Ending,
    /// What becomes of the transcript of a bot that does not break down; one that does has none.
    pub transcription: Transcription,
    /// Whether there is audio.
    pub audio: bool,
    /// Whether there is video.
    pub video: bool,
    /// Whether everything is erased in the end.
    pub deletion: bool,
}

impl Default for Outline {
    fn default() -> Self {
        let (ending, transcription) = (Ending::default(), Transcription::default());
        Self { ending, transcription, audio: true, video: true, deletion: false }
    }
}

/// One thing that happens, and that a delivery tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The sender's name for it.
    pub name: &'static str,
    /// How many seconds before the last step it happens.
    pub before_end: i64,
}

/// That a bot of `MeetStream` was created for a later time.
pub const SCHEDULED: &str = "bot.scheduled";

/// The end as Meeting BaaS tells of it once more after it has erased what there was.
pub const ERASED: &str = "bot.completed/erased";

/// How long a bot of Meeting BaaS stays in its meeting, in seconds.
pub const SECONDS_IN_MEETING: i64 = 1620;

/// How long after it everything is ready, in seconds.
pub const SECONDS_AFTER_MEETING: i64 = 214;

type Steps = &'static [(&'static str, i64)];

/// Everything that happens, in order, as recorded meetings went.
#[must_use]
pub fn steps(dialect: Dialect, outline: Outline) -> Vec<Step> {
    let steps = match dialect {
        Dialect::MeetStream => of_meetstream(outline),
        Dialect::MeetingBaasV1 | Dialect::MeetingBaasV2 | Dialect::MeetingBaasCallback | Dialect::MeetingBaasLegacy => {
            of_meetingbaas(dialect, outline)
        }
    };
    steps.into_iter().map(|(name, before_end)| Step { name, before_end }).collect()
}

/// A meeting of about three quarters of an hour.
fn of_meetstream(outline: Outline) -> Vec<(&'static str, i64)> {
    const ADMITTED: Steps =
        &[("bot.joining", 3360), ("bot.in_waiting_room", 3350), ("bot.inmeeting", 3320), ("bot.recording", 3315)];
    const REFUSED: Steps = &[("bot.joining", 640), ("bot.in_waiting_room", 630), ("bot.leaving", 30)];
    let mut steps = match outline.ending {
        Ending::Completed => [ADMITTED, &[("bot.leaving", 474), ("bot.stopped", 470)]].concat(),
        Ending::Kicked => [ADMITTED, &[("bot.kicked", 470)]].concat(),
        Ending::NotAdmitted => [REFUSED, &[("bot.notallowed", 28), ("bot.done", 20)]].concat(),
        Ending::Denied => [REFUSED, &[("bot.denied", 28), ("bot.done", 20)]].concat(),
        Ending::Failed => [ADMITTED, &[("bot.failed", 470)]].concat(),
        Ending::Cancelled => return vec![(SCHEDULED, 0)],
    };
    if outline.ending.was_admitted() {
        steps.extend(afterwards_of_meetstream(outline));
    }
    if outline.deletion {
        steps.push(("data_deletion", 0));
    }
    steps
}

/// What a bot that was in the meeting leaves behind.
fn afterwards_of_meetstream(outline: Outline) -> Vec<(&'static str, i64)> {
    let broke_down = outline.ending == Ending::Failed;
    let audio = if outline.audio { "audio.processed" } else { "audio.skipped" };
    let transcript: Steps = match outline.transcription {
        _ if broke_down => &[("transcription.failed", 262)],
        Transcription::PostCall => &[("transcription.processed", 262), ("bot.transcriptionready", 261)],
        Transcription::Streaming => &[],
        Transcription::Failed => &[("transcription.failed", 262)],
        Transcription::Skipped => &[("transcription.skipped", 262)],
    };
    let mut steps = Vec::new();
    if !broke_down {
        steps.push(("manifest.completed", 462));
    }
    steps.push((audio, 420));
    steps.extend(transcript);
    if outline.video && !broke_down {
        steps.push(("video.processed", 62));
    }
    // Bots that transcribe while they listen stop here, by most accounts.
    if broke_down || outline.transcription != Transcription::Streaming {
        steps.push(("bot.done", 60));
    }
    steps
}

/// A meeting of about half an hour.
fn of_meetingbaas(dialect: Dialect, outline: Outline) -> Vec<(&'static str, i64)> {
    const LEFT: i64 = SECONDS_AFTER_MEETING;
    const JOINED: i64 = LEFT + SECONDS_IN_MEETING;
    const ADMITTED: Steps = &[
        ("queued", JOINED + 60),
        ("joining_call", JOINED + 30),
        ("in_waiting_room", JOINED + 20),
        ("in_call_not_recording", JOINED),
        ("in_call_recording", JOINED - 5),
    ];
    const REFUSED: Steps = &[("queued", 660), ("joining_call", 630), ("in_waiting_room", 620)];
    let ending = outline.ending;
    let (came, went): (Steps, Steps) = match ending {
        Ending::Completed => (ADMITTED, &[("call_ended", LEFT)]),
        Ending::Kicked => (ADMITTED, &[("bot_removed", LEFT + 1), ("call_ended", LEFT)]),
        Ending::NotAdmitted => (REFUSED, &[("waiting_room_timeout", 20)]),
        Ending::Denied => (REFUSED, &[("bot_rejected", 20)]),
        Ending::Failed => (ADMITTED, &[("meeting_error", LEFT)]),
        Ending::Cancelled if dialect == Dialect::MeetingBaasV2 => return vec![("queued", 0)],
        Ending::Cancelled => return Vec::new(),
    };
    let is_well = ending == Ending::Completed;
    let erased: Steps = if is_well && outline.deletion { &[(ERASED, 0)] } else { &[] };
    let last =
        |well, badly| -> Vec<_> { vec![(if is_well { well } else { badly }, if erased.is_empty() { 0 } else { 3 })] };
    let failed_transcript: Steps =
        if is_well && outline.transcription == Transcription::Failed { &[("transcription_failed", 10)] } else { &[] };
    let started: Steps = if ending.was_admitted() { &[("meeting.started", JOINED)] } else { &[] };
    match dialect {
        Dialect::MeetStream => of_meetstream(outline),
        // It knows no queue.
        Dialect::MeetingBaasV1 => [came.get(1..).unwrap_or_default(), went, &last("complete", "failed")].concat(),
        Dialect::MeetingBaasV2 => {
            [came, went, failed_transcript, &last("bot.completed", "bot.failed"), erased].concat()
        }
        Dialect::MeetingBaasCallback => [&last("bot.completed", "bot.failed"), erased].concat(),
        Dialect::MeetingBaasLegacy => [started, &last("meeting.completed", "meeting.failed")].concat(),
    }
}

/// The error code of an end that Meeting BaaS calls a failure. v1 has its own words.
#[must_use]
pub fn error_code(dialect: Dialect, ending: Ending) -> Option<&'static str> {
    let [v2, v1] = match ending {
        Ending::Completed | Ending::Cancelled => return None,
        Ending::Kicked => ["BOT_REMOVED", "BotRemoved"],
        Ending::NotAdmitted => ["TIMEOUT_WAITING_TO_START", "TimeoutWaitingToStart"],
        Ending::Denied => ["BOT_NOT_ACCEPTED", "BotNotAccepted"],
        Ending::Failed => ["INTERNAL_ERROR", "InternalError"],
    };
    Some(if matches!(dialect, Dialect::MeetingBaasV1 | Dialect::MeetingBaasLegacy) { v1 } else { v2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dialect: Dialect, outline: Outline) -> String {
        steps(dialect, outline).iter().map(|step| step.name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_dialect_has_its_sequence() {
        let usual = Outline::default();
        let ending = |ending| Outline { ending, ..usual };
        assert_eq!(
            names(Dialect::MeetStream, usual),
            "bot.joining bot.in_waiting_room bot.inmeeting bot.recording bot.leaving bot.stopped manifest.completed \
             audio.processed transcription.processed bot.transcriptionready video.processed bot.done"
        );
        assert_eq!(
            names(Dialect::MeetStream, Outline { transcription: Transcription::Streaming, video: false, ..usual }),
            "bot.joining bot.in_waiting_room bot.inmeeting bot.recording bot.leaving bot.stopped manifest.completed \
             audio.processed"
        );
        assert_eq!(
            names(Dialect::MeetingBaasV2, Outline { deletion: true, ..usual }),
            "queued joining_call in_waiting_room in_call_not_recording in_call_recording call_ended bot.completed \
             bot.completed/erased"
        );
        assert_eq!(
            names(Dialect::MeetingBaasV1, ending(Ending::NotAdmitted)),
            "joining_call in_waiting_room waiting_room_timeout failed"
        );
        assert_eq!(names(Dialect::MeetingBaasCallback, ending(Ending::Failed)), "bot.failed");
        assert_eq!(names(Dialect::MeetingBaasLegacy, usual), "meeting.started meeting.completed");
        assert_eq!(names(Dialect::MeetStream, ending(Ending::Cancelled)), "bot.scheduled");
        assert_eq!(names(Dialect::MeetingBaasV1, ending(Ending::Cancelled)), "");
    }

    #[test]
    fn time_moves_forward_to_the_end() {
        for dialect in [Dialect::MeetStream, Dialect::MeetingBaasV1, Dialect::MeetingBaasV2] {
            for (ending, transcription) in Ending::ALL.into_iter().flat_map(|ending| {
                [Transcription::PostCall, Transcription::Streaming, Transcription::Failed, Transcription::Skipped]
                    .map(|transcription| (ending, transcription))
            }) {
                let outline = Outline { ending, transcription, deletion: true, ..Outline::default() };
                let steps = steps(dialect, outline);
                assert!(steps.is_sorted_by(|a, b| a.before_end > b.before_end), "{dialect:?} {outline:?}: {steps:?}");
                assert!(steps.iter().all(|step| step.before_end >= 0));
            }
        }
    }
}
