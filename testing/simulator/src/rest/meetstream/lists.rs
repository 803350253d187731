//! `MeetStream`'s lists of bots.

use super::{
    super::listing::{self, Item, is_named},
    error, status,
};
use crate::{
    fault::Fault,
    knobs::ListOrder,
    plan::{Api, BotPlan},
    rest::{Answer, Asked},
    time::{micros, whole},
    world::{BotState, World},
};
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Map, Value, json};

/// How a record calls the bot's id, its status and the time of its creation: its vendor's own reader tries several names for
/// each (`list-and-manage-bots` in its labs).
fn names(plan: &BotPlan) -> [&'static str; 3] {
    match plan.seed % 4 {
        0 => ["bot_id", "status", "created_at"],
        1 => ["bot_id", "bot_status", "created"],
        2 => ["id", "state", "createdAt"],
        _ => ["id", "status", "created_at"],
    }
}

/// `GET /bots`.
pub(super) fn bots(world: &World, asked: &Asked, fault: Option<&Fault>) -> Answer {
    let wanted = match Filter::of(asked) {
        Ok(filter) => filter,
        Err(refused) => return refused,
    };
    let has_begun = |bot: &&BotState| bot.happened > 0 && !bot.is_cancelled();
    let bots = listed(world).filter(has_begun).filter(|bot| !world.knobs.list_filters || wanted.lets_pass(bot));
    let items = bots.map(|bot| Item { at: bot.plan.created_at(), id: bot.plan.bot_id.clone(), json: record(bot) });
    let (order, size) = (world.knobs.list_order, world.knobs.page_size);
    let Some(page) = listing::page(items.collect(), order, size, asked.value("cursor"), fault) else {
        return error(400, "Invalid cursor");
    };
    Answer::json(200, &json!({ "bots": page.items, "hasNextPage": page.next.is_some(), "nextCursor": page.next }))
}

/// Those that the API has not forgotten.
fn listed(world: &World) -> impl Iterator<Item = &BotState> {
    use crate::knobs::Erased::MediaExpired;
    let knows_erased = world.knobs.erased == MediaExpired;
    let bots = world.bots.values().filter(|bot| bot.plan.api() == Api::MeetStream);
    bots.filter(move |bot| knows_erased || !bot.is_erased())
}

fn record(state: &BotState) -> Value {
    let plan = &state.plan;
    let [id, status_name, created] = names(plan);
    let fields = [
        (id, Some(plan.bot_id.as_str().into())),
        (status_name, Some(status(state).into())),
        (created, Some(micros(plan.created_at()).into())),
        ("bot_name", Some("Notetaker".into())),
        ("platform", Some("GMeet".into())),
        ("meeting_link", Some("https://meet.google.com/abc-defg-hij".into())),
        ("join_at", plan.is_scheduled().then(|| whole(plan.join_at()).into())),
        ("custom_attributes", Some(Value::Object(plan.attributes.clone()))),
    ];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect())
}

/// What is asked for.
struct Filter<'a> {
    status: Option<&'a str>,
    from: Option<Date>,
    to: Option<Date>,
    platform: Option<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Filter<'a> {
    fn of(asked: &'a Asked) -> Result<Self, Answer> {
        let day = |name: &str| match asked.value(name) {
            None => Ok(None),
            Some(text) if text.len() == 10 => text.parse().map(Some).map_err(|_| error(400, "Invalid date")),
            Some(_) => Err(error(400, "Invalid date")),
        };
        let platform = asked.value("platform");
        if platform.is_some_and(|platform| !["GMeet", "Zoom", "Teams"].contains(&platform)) {
            return Err(error(400, "Invalid platform"));
        }
        let attribute = |(name, value): &'a (String, String)| {
            Some((name.strip_prefix("custom_attr[")?.strip_suffix(']')?, value.as_str()))
        };
        let attributes = asked.query.iter().filter_map(attribute).collect();
        Ok(Self { status: asked.value("status"), from: day("from")?, to: day("to")?, platform, attributes })
    }

    /// Whole days: of UTC, as far as anybody knows.
    fn lets_pass(&self, state: &BotState) -> bool {
        let created = state.plan.created_at().to_zoned(TimeZone::UTC).date();
        let is_attribute = |(name, wanted): &(&str, &str)| {
            let value = state.plan.attributes.get(*name);
            value.is_some_and(|value| is_named(value, wanted))
        };
        self.status.is_none_or(|wanted| wanted == status(state))
            && self.from.is_none_or(|from| created >= from)
            && self.to.is_none_or(|to| created <= to)
            && self.platform.is_none_or(|platform| platform == "GMeet")
            && self.attributes.iter().all(is_attribute)
    }
}

/// `GET /calendar/scheduled_bots`: one page, without any way to a second one.
pub(super) fn scheduled(world: &World, asked: &Asked) -> Answer {
    let limit = asked.value("limit").map_or(Some(100), |text| text.parse().ok());
    let Some(limit @ 1..=100) = limit else { return error(400, "limit must be between 1 and 100") };
    let waiting = listed(world).filter(|bot| bot.waits_for_its_time() && !bot.is_cancelled());
    let item = |state: &BotState| {
        let plan = &state.plan;
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let attributes: Map<_, _> =
            plan.attributes.iter().map(|(name, value)| (name.clone(), text(value).into())).collect();
        let json = json!({
            "bot_id": plan.bot_id,
            "platform": "GMeet",
            "status": status(state),
            "scheduled_join_time": whole(plan.join_at()),
            "bot_username": "Notetaker",
            "meeting_link": "https://meet.google.com/abc-defg-hij",
            "custom_attributes": attributes,
        });
        Item { at: plan.join_at(), id: plan.bot_id.clone(), json }
    };
    let page = listing::page(waiting.map(item).collect(), ListOrder::Oldest, limit, None, None).unwrap_or_default();
    Answer::json(200, &json!({ "scheduled_bots": page.items }))
}
