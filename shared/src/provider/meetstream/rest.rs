//! The answers of `MeetStream`'s REST API, and what they say about where an artifact is.

use super::{
    super::bounds::{Attributes, bounded},
    ended_by_status,
};
use crate::{
    api::{Absence, BotDetail, Content, Located, Unreadable},
    event::{Artifact, ArtifactStatus, Certainty, Ended, EventKind, Fact, Outcome},
    lenient::{Object, Text, object, tolerantly},
    sender_id::SenderId,
    time::OccurredAt,
    url::DownloadUrl,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One run of a transcription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The provider's id of it.
    pub id: SenderId,
    /// What became of it; `None` while it is under way, or for a status we do not know.
    pub status: Option<ArtifactStatus>,
    /// When it began.
    pub created_at: Option<OccurredAt>,
    /// Whether it is one that listens while the meeting lasts. Such a run leaves nothing to fetch, and does not say so.
    pub is_live: bool,
}

/// The runs of a bot's transcription, oldest first: `GET /bots/{id}/transcriptions`.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object. A run without a usable id is left out.
pub fn runs(body: &[u8]) -> Result<Vec<Run>, Unreadable> {
    tolerantly(body, read_runs).ok_or(Unreadable)
}

fn read_runs(body: &[u8]) -> Option<Vec<Run>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Wire {
        transcriptions: Value,
    }
    let Wire { transcriptions } = object(body)?;
    let text = |run: &Value, name: &str| run.get(name).and_then(Value::as_str).map(str::to_owned);
    let read = |run: &Value| {
        let id = SenderId::try_from(text(run, "transcript_id")?).ok()?;
        let created_at = text(run, "created_at").and_then(|text| OccurredAt::parse(&text).ok());
        let status = text(run, "status").and_then(|status| artifact_status(&status));
        let provider = text(run, "provider").unwrap_or_default().to_ascii_lowercase();
        let is_live = provider.ends_with("_streaming") || provider == "meeting_captions";
        Some(Run { id, status, created_at, is_live })
    };
    let mut runs: Vec<Run> = transcriptions.as_array().into_iter().flatten().filter_map(read).collect();
    // Stable: undated ones stay in the provider's order, before those with a date.
    runs.sort_by(|a, b| a.created_at.cmp(&b.created_at));
    Some(runs)
}

/// What the API knows of a bot: `GET /bots/{id}/detail`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Detail {
    /// What it says of the bot.
    pub bot: BotDetail,
    /// The newest run of the transcription.
    pub transcript_id: Option<SenderId>,
    /// Where the captions of the meeting are, for bots that have no other transcript.
    pub captions: Option<DownloadUrl>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Outer<'a> {
    #[serde(borrow)]
    bot_details: Object<Wire<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow, rename = "Status")]
    status: Text<'a>,
    #[serde(borrow, rename = "ManifestStatus")]
    manifest_status: Text<'a>,
    #[serde(borrow, rename = "AudioStatus")]
    audio_status: Text<'a>,
    #[serde(borrow, rename = "VideoStatus")]
    video_status: Text<'a>,
    #[serde(borrow, rename = "TranscriptStatus")]
    transcript_status: Text<'a>,
    #[serde(borrow)]
    transcript_id: Text<'a>,
    caption_file: Value,
    #[serde(rename = "StatusTimeline")]
    timeline: Object<Map<String, Value>>,
    custom_attributes: Attributes,
    #[serde(borrow, rename = "RequestPayload")]
    request: Object<Request<'a>>,
}

/// What the bot was created with.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Request<'a> {
    #[serde(borrow)]
    join_at: Text<'a>,
}

/// Reads what the API knows of a bot.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object with `bot_details`.
pub fn detail(body: &[u8]) -> Result<Detail, Unreadable> {
    tolerantly(body, read_detail).ok_or(Unreadable)
}

fn read_detail(body: &[u8]) -> Option<Detail> {
    let wire = object::<Outer<'_>>(body)?.bot_details.0?;
    let facts = facts(&wire);
    Some(Detail {
        transcript_id: wire.transcript_id.get().and_then(|id| SenderId::try_from(id.trim()).ok()),
        captions: captions(&wire.caption_file),
        bot: BotDetail {
            status: wire.status.get().map(bounded),
            facts,
            join_at: wire.request.0.as_ref().and_then(|request| OccurredAt::parse(request.join_at.get()?).ok()),
            custom_attributes: wire.custom_attributes.kept(),
        },
    })
}

/// The stages of the timeline, in the order in which they are reached. `Stopped` says only that the bot ended; how it ended is taken
/// from the status.
const STAGES: [&str; 12] = [
    "Scheduled",
    "Joining",
    "WaitingRoom",
    "InMeeting",
    "Recording",
    "Leaving",
    "Stopped",
    "BotNotAllowed",
    "BotRejected",
    "Error",
    "Done",
    "MediaExpired",
];

fn facts(wire: &Wire<'_>) -> Vec<Fact> {
    let status = wire.status.get().map(|status| status.trim().to_ascii_lowercase());
    let mut facts: Vec<Fact> = STAGES.into_iter().filter_map(|stage| reached(wire, stage, status.as_deref())).collect();
    // Some versions of the API have no timeline, only the status.
    let told = |facts: &[Fact], kind: &EventKind| facts.iter().any(|fact| fact.kind == *kind);
    let by_status = match status.as_deref() {
        Some("done") => Some(EventKind::Done),
        Some("mediaexpired") => Some(EventKind::Deleted),
        _ => None,
    };
    let by_status = by_status.filter(|kind| !told(&facts, kind)).map(|kind| fact(kind, None, None));
    facts.extend(by_status);
    let artifacts = [
        (Artifact::Manifest, &wire.manifest_status, None),
        (Artifact::Audio, &wire.audio_status, Some("AudioProcessing")),
        (Artifact::Video, &wire.video_status, Some("VideoProcessing")),
        (Artifact::Transcript, &wire.transcript_status, Some("TranscriptionReady")),
    ];
    for (artifact, said, stage) in artifacts {
        let stage = stage.and_then(|stage| wire.timeline.0.as_ref()?.get(stage));
        let said = said.get().and_then(artifact_status);
        let reached = stage.filter(|stage| is_reached(stage)).map(|_| ArtifactStatus::Announced);
        // `TranscriptionReady` means that the transcript is there; `AudioProcessing` and `VideoProcessing` do not mean that of theirs.
        let ready = if artifact == Artifact::Transcript { reached } else { None };
        if let Some(found) = said.or(ready) {
            let at = stage.filter(|_| found == ArtifactStatus::Announced).and_then(moment);
            facts.push(fact(EventKind::Artifact(artifact, found), at, None));
        }
    }
    facts
}

fn reached(wire: &Wire<'_>, stage: &str, status: Option<&str>) -> Option<Fact> {
    let timeline = wire.timeline.0.as_ref()?;
    let entry = timeline.get(stage).filter(|entry| is_reached(entry))?;
    let ended = |outcome| EventKind::Ended(Ended { outcome, certainty: Certainty::Final });
    let kind = match stage {
        "Scheduled" => EventKind::Scheduled,
        "Joining" => EventKind::Joining,
        "WaitingRoom" => EventKind::Waiting,
        "InMeeting" => EventKind::InCall,
        "Recording" => EventKind::Recording,
        "Leaving" => EventKind::Leaving,
        "BotNotAllowed" => ended(Outcome::NotAdmitted),
        "BotRejected" => ended(Outcome::Denied),
        "Error" => ended(Outcome::Failed),
        "Done" => EventKind::Done,
        "MediaExpired" => EventKind::Deleted,
        // A status that is past the end says nothing about how it ended.
        "Stopped" => EventKind::Ended(ended_by_status(status.filter(|s| !matches!(*s, "done" | "mediaexpired")))),
        _ => return None,
    };
    let reason = match &kind {
        EventKind::Ended(_) => entry.get("message").and_then(Value::as_str).filter(|text| !text.trim().is_empty()),
        _ => None,
    };
    Some(fact(kind, moment(entry), reason.map(|text| bounded(text.trim()))))
}

fn fact(kind: EventKind, occurred_at: Option<OccurredAt>, reason: Option<String>) -> Fact {
    Fact { kind, occurred_at, reason }
}

fn is_reached(stage: &Value) -> bool {
    match stage.get("status") {
        Some(Value::Bool(reached)) => *reached,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn moment(stage: &Value) -> Option<OccurredAt> {
    OccurredAt::parse(stage.get("timestamp")?.as_str()?).ok()
}

fn artifact_status(text: &str) -> Option<ArtifactStatus> {
    match text.trim().to_ascii_lowercase().as_str() {
        "success" | "completed" | "processed" => Some(ArtifactStatus::Announced),
        "failed" | "error" => Some(ArtifactStatus::Failed),
        "skipped" => Some(ArtifactStatus::Skipped),
        _ => None,
    }
}

/// The first URL in `caption_file`. `MeetStream` does not document what that field holds.
fn captions(value: &Value) -> Option<DownloadUrl> {
    match value {
        Value::String(text) => DownloadUrl::parse(text).ok(),
        Value::Object(fields) => fields.values().find_map(captions),
        _ => None,
    }
}

/// The URL of a recording: `GET /bots/{id}/get_audio` and `/get_video`. `None` when the answer has none.
///
/// # Errors
/// [`Unreadable`] for anything but a JSON object.
pub fn media_url(artifact: Artifact, body: &[u8]) -> Result<Option<DownloadUrl>, Unreadable> {
    tolerantly(body, |body| read_media_url(artifact, body)).ok_or(Unreadable)
}

fn read_media_url(artifact: Artifact, body: &[u8]) -> Option<Option<DownloadUrl>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Wire<'a> {
        #[serde(borrow)]
        audio_url: Text<'a>,
        #[serde(borrow)]
        video_url: Text<'a>,
    }
    let wire: Wire<'_> = object(body)?;
    let url = if artifact == Artifact::Video { wire.video_url } else { wire.audio_url };
    Some(url.get().and_then(|text| DownloadUrl::parse(text).ok()))
}

/// What to do about a bot's transcript.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// Fetch this run.
    Fetch(SenderId),
    /// There is nothing to fetch.
    Answer(Located),
}

/// The newest run that succeeded. A run that is still under way does not hide it.
#[must_use]
pub fn succeeded(runs: &[Run]) -> Option<&SenderId> {
    runs.iter().rev().find(|run| run.status == Some(ArtifactStatus::Announced)).map(|run| &run.id)
}

/// The transcript where no run has [`succeeded`]: the run that only the bot's detail knows, else the captions, else why there is
/// none, or none yet.
#[must_use]
pub fn otherwise(runs: &[Run], detail: &Detail) -> Step {
    let unavailable = |absence| Step::Answer(Located::Unavailable(absence));
    let failed = runs.iter().any(|run| run.status == Some(ArtifactStatus::Failed));
    let said = detail.bot.artifact(Artifact::Transcript);
    if detail.bot.is_erased() {
        return unavailable(Absence::Erased);
    }
    match said {
        // If a failed run is listed, the bot's status may mean that run, while another one may yet succeed.
        Some(ArtifactStatus::Failed) if !failed => return unavailable(Absence::Failed),
        Some(ArtifactStatus::Skipped) if !failed => return unavailable(Absence::Skipped),
        _ => {}
    }
    if runs.iter().any(|run| run.status.is_none() && !run.is_live) {
        return Step::Answer(Located::Pending);
    }
    if let Some(id) = detail.transcript_id.as_ref().filter(|id| !runs.iter().any(|run| run.id == **id)) {
        return Step::Fetch(id.clone());
    }
    if let Some(url) = &detail.captions {
        let content = Content::At(url.clone());
        return Step::Answer(Located::Found { content, run: None });
    }
    if failed {
        return unavailable(Absence::Failed);
    }
    let only_live = !runs.is_empty() && runs.iter().all(|run| run.is_live);
    // With live transcription alone, the fate of the audio is the last thing to be known of a bot.
    if only_live && detail.bot.artifact(Artifact::Audio).is_some() {
        return unavailable(Absence::NeverMade);
    }
    Step::Answer(detail.bot.missing(Artifact::Transcript))
}

#[cfg(test)]
mod tests;
