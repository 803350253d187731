//! A simulated world for a judge that is not ours: serves both APIs, writes where they are and every v2 webhook as one line of
//! JSON, and ends when its standard input does.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use shared::Endpoint;
use simulator::{
    Bot, BotPlan, CalendarEntry, CalendarPlan, Ending, Knobs, Simulator, Transcription,
    body::meetingbaas::{Composition, compose},
    dialect::Dialect,
    webhook::Webhook,
};
use std::io::Read as _;

/// Both providers tell bots and entries by UUID.
fn uuid(kind: u16, number: u16) -> String {
    format!("10000000-0000-4000-8000-{kind:06}{number:06}")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let knobs = Knobs { page_size: 5, ..Knobs::default() };
    let keys = (knobs.meetstream_key.clone(), knobs.meetingbaas_key.clone());
    let simulator = Simulator::start(knobs).await?;
    let mut webhooks = bots(&simulator);
    webhooks.extend(calendars(&simulator));
    webhooks.extend(others());
    let world = json!({
        "meetstream_url": simulator.meetstream_url,
        "meetstream_key": keys.0,
        "meetingbaas_url": simulator.meetingbaas_url,
        "meetingbaas_key": keys.1,
        "meetstream_bots": (0..6).map(|number| uuid(1, number)).collect::<Vec<_>>(),
        "webhooks": webhooks,
    });
    println!("{world}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

/// Every ending, bots at every step, scheduled ones and an erased one, of each API.
fn bots(simulator: &Simulator) -> Vec<Value> {
    let now = Timestamp::now();
    let mut told = Vec::new();
    for (kind, channels) in [
        (1, vec![Endpoint::MeetStream]),
        (2, vec![Endpoint::MeetingBaasV2, Endpoint::MeetingBaasCallback]),
        (3, vec![Endpoint::MeetingBaasV1]),
    ] {
        let plan = |number: u16| BotPlan {
            channels: channels.clone(),
            ends_at: now - SignedDuration::from_mins(i64::from(number)),
            ..BotPlan::new(channels.first().copied().unwrap_or(Endpoint::MeetStream), uuid(kind, number))
        };
        let endings = (0..).zip(Ending::ALL).map(|(number, ending)| BotPlan { ending, ..plan(number) });
        let failed = BotPlan { transcription: Transcription::Failed, ..plan(6) };
        let erased = BotPlan { deletion: true, ..plan(7) };
        let url = Some("https://example.com/webhooks/token".to_owned());
        let scheduled = BotPlan { created_ahead: Some(600), callback_url: url, ..plan(8) };
        for plan in endings.chain([failed, erased, scheduled]) {
            told.extend(simulator.add_bot(plan).webhooks());
        }
        // One at each step of its meeting.
        for number in 0..7 {
            let bot: Bot = simulator.add_bot(plan(20 + number));
            bot.rewind();
            (0..number).for_each(|_| drop(bot.step()));
        }
        let waiting = simulator.add_bot(BotPlan { created_ahead: Some(600), ..plan(30) });
        waiting.rewind();
        if kind == 1 {
            drop(waiting.step());
        }
    }
    let is_v2 = |webhook: &Webhook| matches!(webhook.endpoint, Endpoint::MeetingBaasV2 | Endpoint::MeetingBaasCallback);
    told.iter().filter(|webhook| is_v2(webhook)).map(of_webhook).collect()
}

fn of_webhook(webhook: &Webhook) -> Value {
    let body: Value = serde_json::from_slice(&webhook.body).unwrap_or_default();
    json!({ "endpoint": webhook.endpoint.as_str(), "body": body })
}

fn calendars(simulator: &Simulator) -> Vec<Value> {
    let now = Timestamp::now();
    let entry = |number: u16| {
        let start = now.saturating_add(SignedDuration::from_hours(i64::from(number))).unwrap_or(now);
        CalendarEntry::new(uuid(5, number), start, now)
    };
    let of = |channel, number| CalendarPlan {
        entries: (1..8).map(entry).collect(),
        ..CalendarPlan::new(channel, uuid(4, number))
    };
    drop(simulator.add_calendar(of(Endpoint::MeetingBaasV1, 1)));
    let calendar = simulator.add_calendar(of(Endpoint::MeetingBaasV2, 2));
    let cancelled = CalendarEntry { is_cancelled: true, ..entry(1) };
    [entry(9), entry(9), cancelled]
        .into_iter()
        .filter_map(|entry| calendar.put(entry))
        .map(|told| of_webhook(&told))
        .collect()
}

/// What no bot and no calendar of this world tells.
fn others() -> Vec<Value> {
    let names = [
        "calendar.connection_created",
        "calendar.connection_updated",
        "calendar.connection_deleted",
        "calendar.events_synced",
        "calendar.event_created",
        "calendar.event_updated",
        "calendar.event_cancelled",
    ];
    let body = |name: &str| {
        let composed = compose(&Composition {
            dialect: Dialect::MeetingBaasV2,
            name,
            id: &uuid(4, 2),
            now: Timestamp::now(),
            timestamp: None,
            no_timestamp: false,
            message: None,
            error_code: None,
            attributes: Some(&Map::new()),
            results: None,
        });
        let body: Value = serde_json::from_slice(&composed.ok()?.body).ok()?;
        Some(json!({ "endpoint": Endpoint::MeetingBaasV2.as_str(), "body": body }))
    };
    names.into_iter().filter_map(body).collect()
}
