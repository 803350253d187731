//! The lists of v2 of Meeting BaaS, and what it says of scheduled bots and of calendars.

use super::{
    super::listing::{self, Item, is_named},
    ENDS, error, status, success,
};
use crate::{
    calendar::CalendarPlan,
    dialect::Dialect,
    fault::Fault,
    knobs::ListOrder,
    plan::{Api, BotPlan},
    rest::{Answer, Asked},
    script::error_code,
    time::millis,
    world::{BotState, World},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// What is older is in no list, and may not be asked for.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Whether a filter of comma-separated words lets a word pass.
fn is_among(asked: &Asked, name: &str, word: &str) -> bool {
    asked.value(name).is_none_or(|wanted| wanted.split(',').any(|one| one == word))
}

/// Whether a filter of a piece of text lets a text pass, whatever its case.
fn is_part(asked: &Asked, name: &str, text: &str) -> bool {
    asked.value(name).is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
}

/// Whether the filter `extra` lets a bot pass: `field:value`, several of them with commas between.
fn has_extra(asked: &Asked, plan: &BotPlan) -> bool {
    let is_so = |condition: &str| {
        let (field, wanted) = condition.split_once(':').unwrap_or((condition, ""));
        plan.attributes.get(field).is_some_and(|value| is_named(value, wanted))
    };
    asked.value("extra").is_none_or(|conditions| conditions.split(',').all(is_so))
}

/// A time in the query, as v2 takes it: with Z, and at most 90 days ago.
fn moment(asked: &Asked, name: &str) -> Result<Option<Timestamp>, Answer> {
    let Some(text) = asked.value(name) else { return Ok(None) };
    let at = text.ends_with('Z').then(|| text.parse::<Timestamp>().ok()).flatten();
    at.map(Some).ok_or_else(|| error(400, &format!("querystring/{name} must match format \"date-time\"")))
}

/// A time of creation in the query, which cannot lie in the future or more than 90 days ago.
fn created(asked: &Asked, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Answer> {
    let at = moment(asked, name)?;
    match at {
        Some(at) if at > now || now.duration_since(at) > LISTED_FOR => {
            Err(error(400, &format!("{name} must be within the last 90 days")))
        }
        at => Ok(at),
    }
}

/// As exact as it is written.
fn in_millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A page of at most `most` items.
fn page(
    world: &World,
    items: Vec<Item>,
    order: ListOrder,
    most: usize,
    asked: &Asked,
    fault: Option<&Fault>,
) -> Answer {
    let limit = asked.value("limit").map_or(Some(50), |text| text.parse::<usize>().ok());
    let Some(limit) = limit.filter(|limit| (1..=most).contains(limit)) else {
        return error(400, &format!("limit must be between 1 and {most}"));
    };
    let cursor = asked.value("cursor").filter(|cursor| !cursor.is_empty());
    match listing::page(items, order, limit.min(world.knobs.page_size), cursor, fault) {
        None => error(400, "Invalid cursor"),
        Some(page) => Answer::json(
            200,
            &json!({ "success": true, "data": page.items, "cursor": page.next, "prev_cursor": page.previous }),
        ),
    }
}

/// `GET /v2/bots`.
pub(super) fn bots(world: &World, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let now = Timestamp::now();
    let times = created(asked, "created_after", now)
        .and_then(|after| Ok((after, created(asked, "created_before", now)?, moment(asked, "ended_after")?)));
    let (after, before, ended_after) = match times {
        Ok(times) => times,
        Err(refused) => return refused,
    };
    let bots = world.bots.values().filter(|bot| bot.plan.api() == Api::MeetingBaasV2 && bot.happened > 0);
    let bots = bots.filter(|bot| !bot.is_cancelled()).filter(|bot| {
        let created = bot.plan.created_at();
        now.duration_since(created) <= LISTED_FOR
            && after.is_none_or(|after| in_millis(created) > in_millis(after))
            && before.is_none_or(|before| in_millis(created) < in_millis(before))
            && ended_after.is_none_or(|after| ended_at(bot).is_some_and(|ended| in_millis(ended) > in_millis(after)))
            && is_among(asked, "status", status(bot))
            && is_among(asked, "meeting_platform", "meet")
            && is_part(asked, "bot_id", &bot.plan.bot_id)
            && has_extra(asked, &bot.plan)
    });
    let items = bots.map(|bot| Item { at: bot.plan.created_at(), id: bot.plan.bot_id.clone(), json: listed(bot) });
    page(world, items.collect(), ListOrder::Newest, 250, asked, fault)
}

fn ended_at(state: &BotState) -> Option<Timestamp> {
    state.when(&ENDS)
}

/// As the list has it. It does not say whether anything was erased.
fn listed(state: &BotState) -> Value {
    let plan = &state.plan;
    let (joined, exited) = (state.when(&["in_call_not_recording"]), state.when(&["call_ended", "meeting_error"]));
    let failed = state.when(&["bot.failed"]).and_then(|_| error_code(Dialect::MeetingBaasV2, plan.ending));
    json!({
        "bot_id": plan.bot_id,
        "bot_name": "Notetaker",
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "meeting_platform": "meet",
        "extra": plan.attributes,
        "duration": joined.zip(exited).map(|(joined, exited)| exited.duration_since(joined).as_secs()),
        "created_at": millis(plan.created_at()),
        "ended_at": ended_at(state).map(millis),
        "joined_at": joined.map(millis),
        "exited_at": exited.map(millis),
        "status": status(state),
        "error_code": failed,
        "error_message": failed.map(|_| "The bot could not go on"),
    })
}

/// How a scheduled bot stands; `None` for one that was not scheduled.
fn schedule(state: &BotState) -> Option<&'static str> {
    match state.plan.is_scheduled() {
        false => None,
        true if state.is_cancelled() => Some("cancelled"),
        true if state.waits_for_its_time() => Some("scheduled"),
        // The bot has been created, and may still be joining.
        true => Some("completed"),
    }
}

/// `GET /v2/bots/scheduled`, the earliest first.
pub(super) fn scheduled(world: &World, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let times = moment(asked, "scheduled_after").and_then(|after| Ok((after, moment(asked, "scheduled_before")?)));
    let (after, before) = match times {
        Ok(times) => times,
        Err(refused) => return refused,
    };
    let bots = world.bots.values().filter(|bot| bot.plan.api() == Api::MeetingBaasV2);
    let bots = bots.filter_map(|bot| Some((bot, schedule(bot)?))).filter(|(bot, schedule)| {
        after.is_none_or(|after| bot.plan.join_at() > after)
            && before.is_none_or(|before| bot.plan.join_at() < before)
            && is_among(asked, "status", schedule)
            && is_part(asked, "bot_id", &bot.plan.bot_id)
            && has_extra(asked, &bot.plan)
    });
    let item = |(bot, schedule): (&BotState, &str)| Item {
        at: bot.plan.join_at(),
        id: bot.plan.bot_id.clone(),
        json: json!({
            "bot_id": bot.plan.bot_id,
            "bot_name": "Notetaker",
            "meeting_url": "https://meet.google.com/abc-defg-hij",
            "meeting_platform": "meet",
            "join_at": millis(bot.plan.join_at()),
            "status": schedule,
            "extra": bot.plan.attributes,
            "created_at": millis(bot.plan.created_at()),
            "updated_at": millis(bot.plan.created_at()),
        }),
    };
    page(world, bots.map(item).collect(), ListOrder::Oldest, 100, asked, fault)
}

/// `GET /v2/bots/scheduled/{id}`: what the bot was created with.
pub(super) fn scheduled_bot(state: &BotState) -> Answer {
    let (Some(schedule), plan) = (schedule(state), &state.plan) else { return error(404, "Bot not found") };
    let callback = plan.callback_url.as_ref();
    success(&json!({
        "bot_id": plan.bot_id,
        "bot_name": "Notetaker",
        "bot_image": null,
        "meeting_url": "https://meet.google.com/abc-defg-hij",
        "meeting_platform": "meet",
        "recording_mode": "speaker_view",
        "join_at": millis(plan.join_at()),
        "status": schedule,
        "created_at": millis(plan.created_at()),
        "updated_at": millis(plan.created_at()),
        "cancelled_at": (schedule == "cancelled").then(|| millis(plan.ends_at)),
        "allow_multiple_bots": true,
        "entry_message": null,
        "timeout_config": { "waiting_room_timeout": 600, "no_one_joined_timeout": 600 },
        "transcription_config": { "enabled": true, "provider": "gladia", "custom_params": null },
        "streaming_config": null,
        "callback_config":
            callback.map(|url| json!({ "enabled": true, "url": url, "secret": null, "method": "POST" })),
        "extra": plan.attributes,
        "zoom_config": null,
    }))
}

/// `GET /v2/calendars`.
pub(super) fn calendars(world: &World, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let calendars = world.calendars.values().map(|calendar| &calendar.plan);
    let calendars = calendars.filter(|plan| Api::of(plan.channel) == Api::MeetingBaasV2);
    let calendars =
        calendars.filter(|_| is_among(asked, "status", "active") && is_among(asked, "calendar_platform", "google"));
    let item = |plan: &CalendarPlan| Item { at: plan.connected_at(), id: plan.calendar_id.clone(), json: plan.of_v2() };
    page(world, calendars.map(item).collect(), ListOrder::Newest, 250, asked, fault)
}

/// `GET /v2/calendars/{id}`.
pub(super) fn calendar(world: &World, calendar_id: &str) -> Answer {
    let calendar = world.calendars.get(calendar_id);
    calendar.map_or_else(|| error(404, "Calendar not found"), |calendar| success(&calendar.plan.details_of_v2()))
}

/// `GET /v2/calendars/{id}/events`. Nothing filters by the time of a change.
pub(super) fn entries(world: &World, calendar_id: &str, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let Some(calendar) = world.calendars.get(calendar_id) else { return error(404, "Calendar not found") };
    let times = moment(asked, "start_date").and_then(|from| Ok((from, moment(asked, "end_date")?)));
    let (from, to) = match times {
        Ok(times) => times,
        Err(refused) => return refused,
    };
    let shows_cancelled = asked.value("show_cancelled") != Some("false");
    let entries = calendar.plan.entries.iter().filter(|entry| {
        is_among(asked, "status", entry.status())
            && (shows_cancelled || !entry.is_cancelled)
            && from.is_none_or(|from| entry.start >= from)
            && to.is_none_or(|to| entry.end <= to)
    });
    let items =
        entries.map(|entry| Item { at: entry.start, id: entry.event_id.clone(), json: entry.of_v2(calendar_id) });
    page(world, items.collect(), ListOrder::Oldest, 250, asked, fault)
}
