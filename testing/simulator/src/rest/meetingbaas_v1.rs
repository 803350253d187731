//! The v1 API of Meeting BaaS.

use super::{Answer, Asked, bot, route::Route};
use crate::{
    fault::Operation,
    plan::{Api, BotPlan},
    script::Step,
    time::millis,
    webhook::Webhook,
    world::{BotState, Readiness, World},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::event::Artifact;

pub(super) fn answer(
    world: &mut World,
    route: &Route,
    subject: Option<&str>,
    asked: &Asked,
    are_urls_stale: bool,
) -> Answer {
    let Some(subject) = subject else { return error(404, "Not Found") };
    match route.operation {
        Operation::CalendarEventsV1 => return entries(world, subject, asked),
        Operation::CalendarEventV1 => return entry(world, subject, route.id.as_deref()),
        _ => {}
    }
    let Some(state) = bot(world, Api::MeetingBaasV1, subject).cloned() else { return error(404, "Not Found") };
    match route.operation {
        Operation::MeetingData => Answer::json(200, &meeting_data(world, &state, asked, are_urls_stale)),
        Operation::Retranscribe => retranscribe(world, &state),
        Operation::DeleteDataV1 => {
            if let Some(bot) = bot(world, Api::MeetingBaasV1, subject) {
                bot.is_erased = true;
            }
            Answer::json(200, &json!({ "ok": true, "status": "deleted" }))
        }
        _ => error(404, "Not Found"),
    }
}

fn error(status: u16, message: &str) -> Answer {
    Answer::error(Api::MeetingBaasV1, status, message)
}

/// Where a file is missing, its URL is an empty text.
fn meeting_data(world: &World, state: &BotState, asked: &Asked, are_urls_stale: bool) -> Value {
    let plan = &state.plan;
    let url = |artifact: Artifact, file: &str| {
        let is_there = state.readiness(artifact) == Readiness::Ready && !state.is_erased();
        if is_there { world.url(plan, file, are_urls_stale) } else { String::new() }
    };
    let is_wanted = asked.value("include_transcripts") != Some("false");
    let transcripts = if is_wanted && is_transcribed(state) && !state.is_erased() {
        plan.transcript_of_run(state.reruns).stored_of_v1()
    } else {
        json!([])
    };
    let (joined, exited) = (state.when(&["in_call_not_recording"]), state.when(&["call_ended", "meeting_error"]));
    let ended = state.when(&["complete", "failed", "meeting.completed", "meeting.failed"]);
    json!({
        "mp4": url(Artifact::Video, "video.mp4"),
        "audio": url(Artifact::Audio, "audio.wav"),
        "duration": joined.zip(exited).map_or(0, |(joined, exited)| exited.duration_since(joined).as_secs()),
        "meeting_participants_file": "",
        "speaker_diarization_file": "",
        "speaker_diarization_file_network": "",
        "bot_data": {
            "bot": {
                "id": 1,
                "account_id": 1,
                "bot_param_id": 1,
                "uuid": plan.bot_id,
                "bot_name": "Notetaker",
                "meeting_url": "https://meet.google.com/abc-defg-hij",
                "created_at": state.steps.first().map(|step| millis(plan.at(*step))),
                "bot_joined_at": joined.map(millis),
                "bot_exited_at": exited.map(millis),
                "ended_at": ended.map(millis),
                "errors": ended.and_then(|_| crate::script::error_code(crate::dialect::Dialect::MeetingBaasV1, plan.ending)),
                "is_stopped": ended.is_some(),
                "reserved": false,
                "diarization_v2": false,
                "mp4_s3_path": "",
                "transcription_custom_parameters": {},
                "webhook_url": "",
                "extra": plan.attributes,
            },
            "event_uuid": null,
            "transcripts": transcripts,
        },
    })
}

fn is_transcribed(state: &BotState) -> bool {
    state.reruns > 0 || state.readiness(Artifact::Transcript) == Readiness::Ready
}

/// Nothing in the webhook that follows tells one transcription from another.
fn retranscribe(world: &mut World, state: &BotState) -> Answer {
    if let Some(bot) = bot(world, Api::MeetingBaasV1, &state.plan.bot_id) {
        bot.reruns += 1;
    }
    let plan = BotPlan { ends_at: Timestamp::now(), ..state.plan.clone() };
    let step = Step { name: "transcription_complete", before_end: 0 };
    world.outbox.extend(plan.channels.iter().filter_map(|channel| Webhook::of(&plan, *channel, step, None)));
    Answer::json(200, &json!({}))
}

/// A page of a calendar's entries: upcoming ones, unless others are asked for.
fn entries(world: &World, calendar_id: &str, asked: &Asked) -> Answer {
    let Some(calendar) = world.calendars.get(calendar_id) else { return error(404, "Not Found") };
    let time = |name: &str| asked.value(name).and_then(|text| text.parse::<Timestamp>().ok());
    let (since, from, to, now) =
        (time("updated_at_gte"), time("start_date_gte"), time("start_date_lte"), Timestamp::now());
    let entries = calendar.plan.entries.iter().filter(|entry| {
        let in_status = match asked.value("status") {
            Some("all") => true,
            Some("past") => entry.start < now,
            _ => entry.start >= now,
        };
        in_status
            && since.is_none_or(|since| entry.updated_at >= since)
            && from.is_none_or(|from| entry.start >= from)
            && to.is_none_or(|to| entry.start <= to)
    });
    let entries: Vec<Value> = entries.map(|entry| entry.of_v1(calendar_id)).collect();
    let from = asked.value("cursor").and_then(|cursor| cursor.parse().ok()).unwrap_or(0_usize);
    let to = from.saturating_add(world.knobs.page_size.min(100)).min(entries.len());
    let next = (to < entries.len()).then(|| match world.knobs.next_is_a_url {
        false => to.to_string(),
        true => {
            let others = asked.query.iter().filter(|(name, _)| name != "cursor");
            let others = others.map(|(name, value)| format!("{name}={}&", crate::encoding::encoded(value)));
            format!("{}/calendar_events/?{}cursor={to}", world.api_url, others.collect::<String>())
        }
    });
    Answer::json(200, &json!({ "data": entries.get(from..to).unwrap_or_default(), "next": next }))
}

fn entry(world: &World, calendar_id: &str, event_id: Option<&str>) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    let entry = calendar
        .and_then(|calendar| calendar.plan.entries.iter().find(|entry| Some(entry.event_id.as_str()) == event_id));
    entry.map_or_else(|| error(404, "Not Found"), |entry| Answer::json(200, &entry.of_v1(calendar_id)))
}
