//! The v1 API of Meeting BaaS.

use super::{
    Answer, Asked, bot,
    listing::{self, Item},
    route::Route,
};
use crate::{
    calendar::{CalendarEntry, CalendarPlan},
    encoding::encoded,
    fault::{Fault, Operation},
    knobs::ListOrder,
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
    fault: Option<&Fault>,
) -> Answer {
    let are_urls_stale = fault == Some(&Fault::ExpiredUrls);
    match route.operation {
        Operation::ListBotsV1 => return bots(world, asked, fault),
        Operation::CalendarsV1 => return calendars(world),
        _ => {}
    }
    let Some(subject) = subject else { return error(404, "Not Found") };
    match route.operation {
        Operation::CalendarV1 => return calendar(world, subject),
        Operation::CalendarEventsV1 => return entries(world, subject, asked, fault),
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
    let ended = ended_at(state);
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
                "created_at": millis(plan.created_at()),
                "bot_joined_at": joined.map(millis),
                "bot_exited_at": exited.map(millis),
                "ended_at": ended.map(millis),
                "errors": ended.and_then(|_| crate::script::error_code(crate::dialect::Dialect::MeetingBaasV1, plan.ending)),
                "is_stopped": ended.is_some(),
                "reserved": false,
                "diarization_v2": false,
                "mp4_s3_path": "",
                "transcription_custom_parameters": {},
                "webhook_url": plan.callback_url.as_deref().unwrap_or_default(),
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
fn entries(world: &World, calendar_id: &str, asked: &Asked, fault: Option<&Fault>) -> Answer {
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
    let item =
        |entry: &CalendarEntry| Item { at: entry.start, id: entry.event_id.clone(), json: entry.of_v1(calendar_id) };
    let (items, size) = (entries.map(item).collect(), world.knobs.page_size.min(100));
    let Some(page) = listing::page(items, ListOrder::Oldest, size, asked.value("cursor"), fault) else {
        return error(400, "Invalid cursor");
    };
    let next = page.next.map(|cursor| match world.knobs.next_is_a_url {
        false => cursor,
        true => {
            let others = asked.query.iter().filter(|(name, _)| name != "cursor");
            let others = others.map(|(name, value)| format!("{name}={}&", encoded(value)));
            format!("{}/calendar_events/?{}cursor={}", world.api_url, others.collect::<String>(), encoded(&cursor))
        }
    });
    Answer::json(200, &json!({ "data": page.items, "next": next }))
}

/// `GET /bots/bots_with_metadata`.
fn bots(world: &World, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let limit = asked.value("limit").map_or(Some(10), |text| text.parse::<usize>().ok());
    let Some(limit) = limit.filter(|limit| (1..=50).contains(limit)) else {
        return error(400, "limit must be between 1 and 50");
    };
    // Times come without any zone in the documentation's examples, and with one elsewhere.
    let moment = |name: &str| match asked.value(name) {
        None => Ok(None),
        Some(text) => {
            let at = text.parse().or_else(|_| format!("{text}Z").parse::<Timestamp>());
            at.map(Some).map_err(|_| error(400, &format!("Invalid {name}")))
        }
    };
    let times =
        moment("created_after").and_then(|after| Ok((after, moment("created_before")?, moment("ended_after")?)));
    let (after, before, ended_after) = match times {
        Ok(times) => times,
        Err(refused) => return refused,
    };
    let bots = world.bots.values().filter(|bot| bot.plan.api() == Api::MeetingBaasV1 && bot.happened > 0);
    let bots = bots.filter(|bot| {
        let created = bot.plan.created_at();
        after.is_none_or(|after| created >= after)
            && before.is_none_or(|before| created <= before)
            && ended_after.is_none_or(|after| ended_at(bot).is_some_and(|ended| ended >= after))
    });
    let item =
        |state: &BotState| Item { at: state.plan.created_at(), id: state.plan.bot_id.clone(), json: listed(state) };
    let (items, size) = (bots.map(item).collect(), limit.min(world.knobs.page_size));
    match listing::page(items, ListOrder::Newest, size, asked.value("cursor"), fault) {
        None => error(400, "Invalid cursor"),
        Some(page) => {
            let now = millis(Timestamp::now());
            Answer::json(200, &json!({ "bots": page.items, "last_updated": now, "next_cursor": page.next }))
        }
    }
}

/// As the list has it: without any status, error or time of joining.
fn listed(state: &BotState) -> Value {
    let plan = &state.plan;
    let joined = state.when(&["in_call_not_recording"]);
    let exited = state.when(&["call_ended", "meeting_error"]);
    let speakers = if is_transcribed(state) && !state.is_erased() { &plan.participants[..] } else { &[] };
    json!({
        "uuid": plan.bot_id,
        "id": 1,
        "bot_name": "Notetaker",
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "created_at": millis(plan.created_at()),
        "ended_at": ended_at(state).map(millis),
        "duration": joined.zip(exited).map(|(joined, exited)| exited.duration_since(joined).as_secs()),
        "speakers": speakers,
        "session_id": null,
        "extra": plan.attributes,
        "access_count": 0,
        "last_accessed_at": null,
    })
}

fn ended_at(state: &BotState) -> Option<Timestamp> {
    state.when(&["complete", "failed", "meeting.completed", "meeting.failed"])
}

/// `GET /calendars/`: all of them, without pages.
fn calendars(world: &World) -> Answer {
    let calendars = world.calendars.values().map(|calendar| &calendar.plan);
    let calendars = calendars.filter(|plan| Api::of(plan.channel) == Api::MeetingBaasV1);
    Answer::json(200, &calendars.map(CalendarPlan::of_v1).collect())
}

/// `GET /calendars/{uuid}`.
fn calendar(world: &World, calendar_id: &str) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    calendar.map_or_else(|| error(404, "Not Found"), |calendar| Answer::json(200, &calendar.plan.of_v1()))
}

fn entry(world: &World, calendar_id: &str, event_id: Option<&str>) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    let entry = calendar
        .and_then(|calendar| calendar.plan.entries.iter().find(|entry| Some(entry.event_id.as_str()) == event_id));
    entry.map_or_else(|| error(404, "Not Found"), |entry| Answer::json(200, &entry.of_v1(calendar_id)))
}
