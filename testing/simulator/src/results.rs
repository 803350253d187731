//! What a meeting left behind, as a completion of Meeting BaaS tells it.

use crate::{
    body::meetingbaas::Results,
    plan::Api,
    world::{BotState, Readiness, World},
};
use shared::event::Artifact;

/// What there is by now, with presigned URLs made at this moment.
pub(crate) fn results(world: &World, state: &BotState, are_urls_stale: bool) -> Results {
    let plan = &state.plan;
    let is_there = |artifact| state.readiness(artifact) == Readiness::Ready && !state.is_erased();
    let url = |artifact, file: &str| is_there(artifact).then(|| world.url(plan, file, are_urls_stale));
    let is_v2 = plan.api() == Api::MeetingBaasV2;
    let of_v2 = |file: &str| if is_v2 { url(Artifact::Transcript, file) } else { None };
    let (joined, exited) = (state.when(&["in_call_not_recording"]), state.when(&["call_ended", "bot_removed"]));
    let is_inline = plan.api() == Api::MeetingBaasV1 && plan.inline_transcript && is_there(Artifact::Transcript);
    let transcript = plan.transcript();
    Results {
        participants: if state.is_erased() { Vec::new() } else { plan.participants.clone() },
        speakers: if state.is_erased() {
            Vec::new()
        } else {
            transcript.speakers().into_iter().map(str::to_owned).collect()
        },
        joined_at: joined.unwrap_or(plan.ends_at),
        exited_at: exited.unwrap_or(plan.ends_at),
        data_deleted: state.is_erased(),
        video: url(Artifact::Video, "video.mp4"),
        audio: url(Artifact::Audio, if is_v2 { "audio.flac" } else { "audio.wav" }),
        diarization: of_v2("diarization.jsonl"),
        raw_transcription: of_v2("raw_transcription.json"),
        transcription: of_v2("output_transcription.json"),
        transcript: is_inline.then(|| transcript.inline_of_v1()),
    }
}
