//! The v2 API of Meeting BaaS.

mod lists;

use super::{Answer, Asked, bot, route::Route};
use crate::{
    body::meetingbaas::people,
    dialect::Dialect,
    fault::{Fault, Operation},
    plan::{Api, BotPlan},
    results::results,
    script::{Ending, Step, Transcription, error_code},
    time::millis,
    webhook::Webhook,
    world::{BotState, Readiness, World},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::{Endpoint, event::Artifact};

/// The steps that end a bot's way.
const ENDS: [&str; 2] = ["bot.completed", "bot.failed"];

/// An error, as v2 has it.
pub(super) fn error(status: u16, message: &str) -> Answer {
    let (error, code) = match status {
        401 => ("Unauthorized", "FST_ERR_UNAUTHORIZED"),
        404 => ("Not Found", "FST_ERR_BOT_NOT_FOUND_BY_ID"),
        409 => ("Conflict", "FST_ERR_BOT_NOT_FINISHED"),
        429 => ("Rate Limited", "FST_ERR_TOO_MANY_REQUESTS"),
        _ => ("Error", "FST_ERR_SIMULATED"),
    };
    let body = json!({
        "success": false, "error": error, "code": code, "statusCode": status, "message": message, "details": null,
    });
    Answer::json(status, &body)
}

/// That a call was one too many, and after how many seconds the next one is taken.
pub(super) fn too_many(message: &str, retry_after: u32) -> Answer {
    let body = json!({
        "success": false,
        "error": "Rate Limited",
        "code": "FST_ERR_TOO_MANY_REQUESTS",
        "statusCode": 429,
        "message": message,
        "retryAfter": retry_after,
    });
    Answer::json(429, &body)
}

pub(super) fn answer(
    world: &mut World,
    route: &Route,
    subject: Option<&str>,
    asked: &Asked,
    fault: Option<&Fault>,
) -> Answer {
    let are_urls_stale = fault == Some(&Fault::ExpiredUrls);
    match route.operation {
        Operation::ListBotsV2 => return lists::bots(world, asked, fault),
        Operation::ScheduledBotsV2 => return lists::scheduled(world, asked, fault),
        Operation::CalendarsV2 => return lists::calendars(world, asked, fault),
        _ => {}
    }
    let Some(subject) = subject else { return error(404, "Bot not found") };
    match route.operation {
        Operation::CalendarV2 => return lists::calendar(world, subject),
        Operation::CalendarEventsV2 => return lists::entries(world, subject, asked, fault),
        Operation::CalendarEventV2 => return entry(world, subject, route.part.as_deref()),
        _ => {}
    }
    let Some(state) = bot(world, Api::MeetingBaasV2, subject).cloned() else { return error(404, "Bot not found") };
    if route.operation == Operation::ScheduledBotV2 {
        return lists::scheduled_bot(&state);
    }
    if state.is_cancelled() || state.waits_for_its_time() {
        // Its id is that of no bot yet, only of a scheduled one.
        return error(404, "Bot not found");
    }
    match route.operation {
        Operation::BotV2 => success(&details(world, &state, are_urls_stale)),
        Operation::BotStatusV2 => success(&json!({
            "bot_id": state.plan.bot_id,
            "status": status(&state),
            "transcription_status": transcription_status(&state),
            "updated_at": millis(changed_at(&state)),
        })),
        Operation::ResendWebhook => send_again(world, &state, Endpoint::MeetingBaasV2, "Final webhook resent"),
        Operation::RetryCallback => send_again(world, &state, Endpoint::MeetingBaasCallback, "Callback retried"),
        Operation::DeleteDataV2 => {
            if let Some(bot) = bot(world, Api::MeetingBaasV2, subject) {
                bot.is_erased = true;
            }
            success(&json!({ "message": "Bot data deleted" }))
        }
        _ => error(404, "Not Found"),
    }
}

fn success(data: &Value) -> Answer {
    Answer::json(200, &json!({ "success": true, "data": data }))
}

/// The code of the last step; the last one of all is the final event, and has one too.
fn status(state: &BotState) -> &'static str {
    match state.past().last().map(|step| step.name) {
        None => "queued",
        Some("bot.failed") => "failed",
        Some(name) if name.starts_with("bot.completed") => "completed",
        Some(code) => code,
    }
}

fn transcription_status(state: &BotState) -> &'static str {
    let is_over = state.when(&ENDS).is_some();
    match state.plan.transcription {
        _ if !state.plan.ending.was_admitted() => "not-applicable",
        Transcription::Skipped | Transcription::Streaming => "not-applicable",
        _ if state.when(&["call_ended"]).is_none() => "not-started",
        _ if !is_over => "processing",
        _ if state.plan.has(Artifact::Transcript) => "done",
        Transcription::Failed => "error",
        Transcription::PostCall => "not-applicable",
    }
}

fn changed_at(state: &BotState) -> Timestamp {
    state.past().last().map_or(state.plan.ends_at, |step| state.plan.at(*step))
}

fn details(world: &World, state: &BotState, are_urls_stale: bool) -> Value {
    let plan = &state.plan;
    let is_there = |artifact| state.readiness(artifact) == Readiness::Ready && !state.is_erased();
    let results = results(world, state, are_urls_stale);
    let (joined, exited) = (state.when(&["in_call_not_recording"]), state.when(&["call_ended", "meeting_error"]));
    let failed = state.when(&["bot.failed"]).and_then(|_| error_code(Dialect::MeetingBaasV2, plan.ending));
    let is_transcribed = is_there(Artifact::Transcript);
    let people_there = if state.is_erased() || joined.is_none() { &[][..] } else { &plan.participants };
    json!({
        "bot_id": plan.bot_id,
        "bot_name": "Notetaker",
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "meeting_platform": "meet",
        "recording_mode": "speaker_view",
        "status": status(state),
        "created_at": millis(plan.created_at()),
        "joined_at": joined.map(millis),
        "exited_at": exited.map(millis),
        "duration_seconds": joined.zip(exited).map(|(joined, exited)| exited.duration_since(joined).as_secs()),
        "participants": people(people_there),
        "speakers": people(if is_transcribed { &results.speakers } else { &[] }),
        "artifacts_deleted": state.is_erased(),
        "video": results.video,
        "audio": results.audio,
        "diarization": results.diarization,
        "raw_transcription": results.raw_transcription,
        "transcription": results.transcription,
        "chat_messages": null,
        "transcription_ids": is_transcribed.then_some(["g-10c2"]),
        "transcription_provider": is_transcribed.then_some("gladia"),
        "error_code": failed,
        "error_message": failed.map(|_| "The bot could not go on"),
        "tokens": null,
        "extra": plan.attributes,
        "zoom_config": null,
    })
}

/// The last webhook once more, with new URLs.
fn send_again(world: &mut World, state: &BotState, channel: Endpoint, message: &str) -> Answer {
    let last = state.past().iter().rev().find(|step| ENDS.contains(&step.name));
    let Some(last) = last else { return error(409, "Bot is not completed or failed") };
    let plan = BotPlan { ends_at: Timestamp::now(), ..state.plan.clone() };
    let step = Step { before_end: 0, ..*last };
    let webhook = Webhook::of(&plan, channel, step, Some(&results(world, state, false)));
    world.outbox.extend(webhook.filter(|_| plan.channels.contains(&channel) && plan.ending != Ending::Cancelled));
    success(&json!({ "message": message }))
}

fn entry(world: &World, calendar_id: &str, event_id: Option<&str>) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    let entry = calendar
        .and_then(|calendar| calendar.plan.entries.iter().find(|entry| Some(entry.event_id.as_str()) == event_id));
    entry.map_or_else(|| error(404, "Event not found"), |entry| success(&entry.details_of_v2(calendar_id)))
}
