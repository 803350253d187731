//! The v2 API of Meeting BaaS.

use super::{Answer, Asked, bot, route::Route};
use crate::{
    body::meetingbaas::people,
    dialect::Dialect,
    fault::Operation,
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
        429 => ("Too Many Requests", "FST_ERR_RATE_LIMIT"),
        _ => ("Error", "FST_ERR_SIMULATED"),
    };
    let body = json!({
        "success": false, "error": error, "code": code, "statusCode": status, "message": message, "details": null,
    });
    Answer::json(status, &body)
}

pub(super) fn answer(
    world: &mut World,
    route: &Route,
    subject: Option<&str>,
    asked: &Asked,
    are_urls_stale: bool,
) -> Answer {
    if route.operation == Operation::ListBotsV2 {
        return list(world, asked);
    }
    let Some(subject) = subject else { return error(404, "Bot not found") };
    match route.operation {
        Operation::CalendarEventsV2 => return entries(world, subject, asked),
        Operation::CalendarEventV2 => return entry(world, subject, route.part.as_deref()),
        _ => {}
    }
    let Some(state) = bot(world, Api::MeetingBaasV2, subject).cloned() else { return error(404, "Bot not found") };
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
        "created_at": state.steps.first().map(|step| millis(plan.at(*step))),
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

fn list(world: &World, asked: &Asked) -> Answer {
    let bots = world.bots.values().filter(|bot| bot.plan.api() == Api::MeetingBaasV2);
    let bots: Vec<Value> = bots.map(|bot| json!({ "bot_id": bot.plan.bot_id, "status": status(bot) })).collect();
    page(world, &bots, asked)
}

fn entries(world: &World, calendar_id: &str, asked: &Asked) -> Answer {
    let Some(calendar) = world.calendars.get(calendar_id) else { return error(404, "Calendar not found") };
    let time = |name: &str| asked.value(name).and_then(|text| text.parse::<Timestamp>().ok());
    let (from, to) = (time("start_date"), time("end_date"));
    let entries = calendar.plan.entries.iter().filter(|entry| {
        let in_status = asked.value("status").is_none_or(|wanted| wanted.split(',').any(|one| one == entry.status()));
        in_status && from.is_none_or(|from| entry.start >= from) && to.is_none_or(|to| entry.end <= to)
    });
    let entries: Vec<Value> = entries.map(|entry| entry.of_v2(calendar_id)).collect();
    page(world, &entries, asked)
}

fn page(world: &World, all: &[Value], asked: &Asked) -> Answer {
    let number = |name: &str| asked.value(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("limit").unwrap_or(50);
    if !(1..=250).contains(&limit) {
        return error(400, "limit must be between 1 and 250");
    }
    let size = limit.min(world.knobs.page_size).max(1);
    let from = number("cursor").unwrap_or(0);
    let to = from.saturating_add(size).min(all.len());
    Answer::json(
        200,
        &json!({
            "success": true,
            "data": all.get(from..to).unwrap_or_default(),
            "cursor": (to < all.len()).then(|| to.to_string()),
            "prev_cursor": (from > 0).then(|| from.saturating_sub(size).to_string()),
        }),
    )
}

fn entry(world: &World, calendar_id: &str, event_id: Option<&str>) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    let entry = calendar
        .and_then(|calendar| calendar.plan.entries.iter().find(|entry| Some(entry.event_id.as_str()) == event_id));
    entry.map_or_else(|| error(404, "Event not found"), |entry| success(&entry.details_of_v2(calendar_id)))
}
