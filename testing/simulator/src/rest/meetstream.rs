//! `MeetStream`'s API.

mod lists;

use super::{Answer, Asked, bot, route::Route, transcript_bytes};
use crate::{
    fault::{Fault, Operation},
    knobs::Erased,
    plan::{Api, BotPlan},
    script::{Ending, Step, Transcription},
    time::{micros, whole},
    webhook::Webhook,
    world::{BotState, Readiness, World},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use shared::event::Artifact;

/// The stages that `detail` always has, and the step that reaches each.
const STAGES: [(&str, &[&str]); 14] = [
    ("Joining", &["bot.joining"]),
    ("WaitingRoom", &["bot.in_waiting_room"]),
    ("InMeeting", &["bot.inmeeting"]),
    ("Recording", &["bot.recording"]),
    ("Leaving", &["bot.leaving"]),
    // It has no stage of its own for a bot that was removed.
    ("Stopped", &["bot.stopped", "bot.kicked"]),
    ("BotNotAllowed", &["bot.notallowed"]),
    ("BotRejected", &["bot.denied"]),
    ("Error", &["bot.failed"]),
    ("AudioProcessing", &["audio.processed"]),
    ("TranscriptionReady", &["transcription.processed"]),
    ("VideoProcessing", &["video.processed"]),
    ("Done", &["bot.done"]),
    ("MediaExpired", &["data_deletion"]),
];

pub(super) fn answer(
    world: &mut World,
    route: &Route,
    subject: Option<&str>,
    asked: &Asked,
    fault: Option<&Fault>,
) -> Answer {
    let (operation, are_urls_stale) = (route.operation, fault == Some(&Fault::ExpiredUrls));
    match operation {
        Operation::ListBots => return lists::bots(world, asked, fault),
        Operation::ScheduledBots => return lists::scheduled(world, asked),
        _ => {}
    }
    let erased = world.knobs.erased;
    let found =
        subject.and_then(|id| bot(world, Api::MeetStream, id)).filter(|bot| bot.plan.ending != Ending::Cancelled);
    let Some(found) = found else { return error(404, "Bot not found") };
    let state = found.clone();
    if state.is_erased() && !(erased == Erased::MediaExpired && is_about_the_bot(operation)) {
        return if erased == Erased::NotFound {
            error(404, "Bot not found")
        } else {
            error(410, "Bot data was deleted")
        };
    }
    match operation {
        Operation::Status => Answer::json(
            200,
            &json!({
                "bot_id": state.plan.bot_id,
                "status": status(&state),
                "custom_attributes": state.plan.attributes,
            }),
        ),
        Operation::Detail => Answer::json(200, &detail(&state)),
        Operation::Transcriptions => Answer::json(200, &transcriptions(world, &state, are_urls_stale)),
        Operation::GetTranscript => transcript(&state, asked),
        Operation::GetAudio => media(world, &state, Artifact::Audio, are_urls_stale),
        Operation::GetVideo => media(world, &state, Artifact::Video, are_urls_stale),
        Operation::GetParticipants => Answer::json(200, &participants(&state)),
        Operation::RemoveBot => Answer::json(200, &json!({ "message": "Bot is leaving the meeting" })),
        Operation::Delete => delete(world, &state),
        Operation::Transcribe => transcribe(world, &state),
        _ => error(404, "Not Found"),
    }
}

fn error(status: u16, message: &str) -> Answer {
    Answer::error(Api::MeetStream, status, message)
}

fn is_about_the_bot(operation: Operation) -> bool {
    matches!(operation, Operation::Status | Operation::Detail)
}

/// Where the bot is. Nothing after its end changes that but being done.
fn status(state: &BotState) -> &'static str {
    if state.is_erased() {
        return "MediaExpired";
    }
    let of = |step: &Step| {
        Some(match step.name {
            "bot.scheduled" => "Scheduled",
            "bot.joining" => "Joining",
            "bot.in_waiting_room" => "InWaitingRoom",
            "bot.inmeeting" => "InMeeting",
            "bot.recording" => "Recording",
            "bot.leaving" => "Leaving",
            "bot.stopped" | "bot.kicked" => "Stopped",
            "bot.notallowed" => "NotAllowed",
            "bot.denied" => "Denied",
            "bot.failed" => "Error",
            "bot.done" => "Done",
            _ => return None,
        })
    };
    state.past().iter().rev().find_map(of).unwrap_or("Scheduled")
}

fn detail(state: &BotState) -> Value {
    let plan = &state.plan;
    let (started, ended) = (state.when(&["bot.inmeeting"]), state.when(&["bot.stopped", "bot.kicked", "bot.failed"]));
    let created = plan.created_at();
    let changed = state.past().last().map_or(created, |step| plan.at(*step));
    let newest = (0..=state.reruns).rev().find_map(|run| state.transcript_id(run));
    let mut details = json!({
            "BotID": plan.bot_id,
            "BotUsername": "Notetaker",
            "Platform": "GMeet",
            "MeetingLink": "https://meet.google.com/abc-defg-hij",
            "Status": status(state),
            "CreatedAt": micros(created),
            "StartTime": started.map(whole),
            "EndTime": ended.map(whole),
            "Duration": started.zip(ended).map(|(started, ended)| ended.duration_since(started).as_secs()),
            "LastUpdatedAt": changed.as_second(),
            "ManifestStatus": state.when(&["manifest.completed"]).map(|_| "Success"),
            "AudioStatus": outcome(state, "audio.processed", "audio.skipped", "audio.failed"),
            "TranscriptStatus": outcome(state, "transcription.processed", "transcription.skipped", "transcription.failed"),
            "NativeSTT": false,
            "OfferingType": "bot",
            "UserID": "usr_1",
            "transcript_id": newest,
            "caption_file": { "available": false },
            "custom_attributes": plan.attributes,
            "RequestPayload": request_payload(plan),
            "StatusTimeline": timeline(state),
            "participant_events": participants(state),
    });
    // The OpenAPI file knows no null there: what is not known yet is absent.
    for field in ["StartTime", "EndTime", "Duration", "ManifestStatus"] {
        if let Some(details) = details.as_object_mut().filter(|details| details.get(field) == Some(&Value::Null)) {
            details.remove(field);
        }
    }
    json!({ "bot_details": details })
}

/// What the bot was created with.
fn request_payload(plan: &BotPlan) -> Value {
    let provider = if plan.transcription == Transcription::Streaming { "deepgram_streaming" } else { "deepgram" };
    let mut payload = json!({
        "meeting_link": "https://meet.google.com/abc-defg-hij",
        "bot_name": "Notetaker",
        "video_required": plan.video_bytes.is_some(),
        "custom_attributes": plan.attributes,
    });
    let more = [
        ("callback_url", plan.callback_url.as_deref().map(Value::from)),
        ("join_at", plan.is_scheduled().then(|| whole(plan.join_at()).into())),
        (
            "recording_config",
            (plan.transcription != Transcription::Skipped).then(
                || json!({ "transcript": { "provider": { provider: { "model": "nova-3", "language": "en" } } } }),
            ),
        ),
    ];
    if let Some(payload) = payload.as_object_mut() {
        payload.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    payload
}

/// What became of an artifact, in a word.
fn outcome(state: &BotState, processed: &str, skipped: &str, failed: &str) -> Option<&'static str> {
    match () {
        () if state.when(&[processed]).is_some() => Some("Success"),
        () if state.when(&[skipped]).is_some() => Some("Skipped"),
        () if state.when(&[failed]).is_some() => Some("Failed"),
        () => state.when(&["bot.recording"]).map(|_| "Processing"),
    }
}

fn timeline(state: &BotState) -> Map<String, Value> {
    let erased_by_call = state.is_erased.then(Timestamp::now);
    let stage = |(name, steps): &(&str, &[&str])| {
        let at = state.when(steps).or(erased_by_call.filter(|_| *name == "MediaExpired"));
        ((*name).to_owned(), json!({ "status": at.is_some(), "timestamp": at.map(whole), "message": "" }))
    };
    let mut stages: Map<String, Value> = STAGES.iter().map(stage).collect();
    if let Some(at) = state.when(&["bot.scheduled"]) {
        stages.insert("Scheduled".to_owned(), json!({ "status": true, "timestamp": whole(at), "message": "" }));
    }
    stages
}

fn transcriptions(world: &World, state: &BotState, are_urls_stale: bool) -> Value {
    let runs = (0..=state.reruns).filter_map(|run| {
        let (transcript_id, is_ready) = (state.transcript_id(run)?, is_transcribed(state, run));
        let url = |kind: &str| world.url(&state.plan, &format!("{kind}_transcript_{run}.json"), are_urls_stale);
        let urls = json!({ "raw_transcript": url("raw"), "processed_transcript": url("processed") });
        Some(json!({
            "transcript_id": transcript_id,
            "provider": if state.plan.transcription == Transcription::Streaming { "deepgram_streaming" } else { "deepgram" },
            "status": match state.plan.transcription {
                _ if is_ready => "Success",
                Transcription::Failed => "Failed",
                _ => "Processing",
            },
            "created_at": whole(state.began_at()),
            "config": { "model": "nova-3", "language": "en" },
            "download_urls": is_ready.then_some(urls),
        }))
    });
    json!({ "bot_id": state.plan.bot_id, "transcriptions": runs.collect::<Vec<_>>() })
}

fn is_transcribed(state: &BotState, run: usize) -> bool {
    run > 0 || state.readiness(Artifact::Transcript) == Readiness::Ready
}

fn transcript(state: &BotState, asked: &Asked) -> Answer {
    let is_asked_for = |run: &usize| {
        let id = state.transcript_id(*run);
        id.is_some_and(|id| asked.path.split('/').any(|segment| segment == id))
    };
    match (0..=state.reruns).find(is_asked_for) {
        None => error(404, "Transcript not found"),
        // For ever, if the meeting was transcribed while it lasted, or that failed.
        Some(run) if !is_transcribed(state, run) => Answer::json(202, &json!({ "message": "Transcript is not ready" })),
        Some(run) if asked.value("raw") == Some("true") => {
            let id = state.transcript_id(run).unwrap_or_default();
            Answer::json(200, &state.plan.transcript_of_run(run).raw_of_meetstream(&id))
        }
        Some(run) => Answer::bytes(200, "application/json", transcript_bytes(&state.plan, run)),
    }
}

fn media(world: &World, state: &BotState, artifact: Artifact, are_urls_stale: bool) -> Answer {
    match (state.readiness(artifact), artifact) {
        (Readiness::Never, _) => error(404, "There is none"),
        (Readiness::NotYet, _) => Answer::json(202, &json!({ "message": "Not ready yet" })),
        (Readiness::Ready, Artifact::Video) => Answer::json(
            200,
            &json!({
                "video_url": world.url(&state.plan, "video.mp4", are_urls_stale),
                "video_info": { "duration": 2810, "resolution": "1280x720", "fps": 30 },
            }),
        ),
        (Readiness::Ready, _) => {
            Answer::json(200, &json!({ "audio_url": world.url(&state.plan, "audio.wav", are_urls_stale) }))
        }
    }
}

fn participants(state: &BotState) -> Value {
    if state.when(&["bot.inmeeting"]).is_none() {
        return json!([]);
    }
    let people = state.plan.participants.iter().zip(1_u32..).map(|(name, number)| {
        json!({
            "deviceId": format!("spaces/QmX3aPlE/devices/{number}"),
            "displayName": name,
            "fullName": name,
            "status": 1,
            "humanized_status": "joined",
        })
    });
    people.collect()
}

fn delete(world: &mut World, state: &BotState) -> Answer {
    let deletion = Step { name: "data_deletion", before_end: 0 };
    if let Some(bot) = bot(world, Api::MeetStream, &state.plan.bot_id) {
        bot.is_erased = true;
    }
    let plan = BotPlan { ends_at: Timestamp::now(), ..state.plan.clone() };
    world.outbox.extend(plan.channels.iter().filter_map(|channel| Webhook::of(&plan, *channel, deletion, None)));
    Answer::json(
        200,
        &json!({
            "message": "Successfully deleted 7 objects",
            "bot_id": state.plan.bot_id,
            "deleted_objects": 7,
        }),
    )
}

/// Another transcription. Its webhook has no attributes, and goes to where the caller said; here, to where all go.
fn transcribe(world: &mut World, state: &BotState) -> Answer {
    let run = state.reruns + 1;
    if let Some(bot) = bot(world, Api::MeetStream, &state.plan.bot_id) {
        bot.reruns = run;
    }
    let plan = BotPlan { ends_at: Timestamp::now(), attributes: Map::new(), ..state.plan.clone() };
    let step = Step { name: "transcription.processed", before_end: 0 };
    world.outbox.extend(plan.channels.iter().filter_map(|channel| Webhook::of(&plan, *channel, step, None)));
    Answer::json(
        200,
        &json!({
            "bot_id": state.plan.bot_id,
            "transcript_id": state.transcript_id(run),
            "provider": "deepgram",
            "message": "Transcription started",
        }),
    )
}
