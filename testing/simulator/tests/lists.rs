//! The simulated lists over HTTP: who is in them, their filters and pages, and how many calls are taken.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use shared::Endpoint;
use simulator::{
    BotPlan, CalendarEntry, CalendarPlan, Ending, Erased, Fault, Knobs, ListOrder, Operation, PlannedFault, RateLimits,
    Simulator, Times,
};
use std::{collections::BTreeSet, sync::LazyLock};

/// Making one takes long. No connection is kept, because each test has a runtime of its own.
fn client() -> &'static Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
    });
    &CLIENT
}

async fn start(knobs: Knobs) -> Simulator {
    Simulator::start(knobs).await.unwrap()
}

/// Asks the provider whose path it is, with its key.
async fn ask(simulator: &Simulator, method: Method, path: &str) -> Response {
    let request = client().request(method, format!("{}{path}", simulator.meetingbaas_url));
    let request = match path.starts_with("/api/") {
        true => request.header("authorization", "Token simulated-meetstream-key"),
        false => request.header("x-meeting-baas-api-key", "simulated-meetingbaas-key"),
    };
    request.send().await.unwrap()
}

async fn status(simulator: &Simulator, path: &str) -> u16 {
    ask(simulator, Method::GET, path).await.status().as_u16()
}

async fn get(simulator: &Simulator, path: &str) -> Value {
    let response = ask(simulator, Method::GET, path).await;
    assert_eq!(response.status(), 200, "{path}");
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// How a list names its entries and the cursor of its next page.
struct List {
    path: &'static str,
    entries: &'static str,
    cursor: &'static str,
    ids: &'static [&'static str],
}

const MEETSTREAM: List = List { path: "/api/v1/bots?", entries: "bots", cursor: "nextCursor", ids: &["bot_id", "id"] };
const V1: List =
    List { path: "/bots/bots_with_metadata?limit=50&", entries: "bots", cursor: "next_cursor", ids: &["uuid"] };
const V2: List = List { path: "/v2/bots?limit=250&", entries: "data", cursor: "cursor", ids: &["bot_id"] };
const SCHEDULED: List =
    List { path: "/v2/bots/scheduled?limit=100&", entries: "data", cursor: "cursor", ids: &["bot_id"] };

impl List {
    fn ids(&self, page: &Value) -> Vec<String> {
        let id = |entry: &Value| self.ids.iter().find_map(|name| Some(entry.get(name)?.as_str()?.to_owned())).unwrap();
        page[self.entries].as_array().unwrap().iter().map(id).collect()
    }

    /// The ids on every page, in order, by following cursors at most 20 times.
    async fn all(&self, simulator: &Simulator, query: &str) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        for _ in 0..20 {
            let page = get(simulator, &format!("{}{query}{cursor}", self.path)).await;
            found.extend(self.ids(&page));
            match page[self.cursor].as_str() {
                None => break,
                Some(next) => cursor = format!("&cursor={}", next.replace('+', "%2B").replace('=', "%3D")),
            }
        }
        found
    }
}

/// A bot whose last step happened so many minutes ago.
fn plan(channel: Endpoint, id: &str, minutes: i64) -> BotPlan {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let ends_at = now - SignedDuration::from_mins(minutes);
    BotPlan { ends_at, ..BotPlan::new(channel, id) }
}

fn channel(list: &List) -> Endpoint {
    match list.cursor {
        "nextCursor" => Endpoint::MeetStream,
        "next_cursor" => Endpoint::MeetingBaasV1,
        _ => Endpoint::MeetingBaasV2,
    }
}

fn fault(operation: Operation, fault: Fault, times: Times) -> Vec<PlannedFault> {
    vec![PlannedFault { operation, fault, times }]
}

#[tokio::test]
async fn every_bot_is_listed_once_newest_first_on_pages_of_any_size() {
    for list in [MEETSTREAM, V1, V2] {
        for page_size in [1, 3, 100] {
            let simulator = start(Knobs { page_size, ..Knobs::default() }).await;
            for number in 0..7 {
                simulator.add_bot(plan(channel(&list), &format!("b-{number}"), number * 10));
            }
            simulator.add_bot(plan(channel(&list), "not-yet", 0)).rewind();
            let expected: Vec<_> = (0..7).map(|number| format!("b-{number}")).collect();
            assert_eq!(list.all(&simulator, "").await, expected, "{} by {page_size}", list.path);
            assert_eq!(status(&simulator, &format!("{}cursor=2", list.path)).await, 400, "no cursor of its own");
        }
    }
}

#[tokio::test]
async fn records_of_meetstream_have_several_names_for_the_same() {
    let simulator = start(Knobs::default()).await;
    for seed in 0..4 {
        simulator.add_bot(BotPlan { seed, ..plan(Endpoint::MeetStream, &format!("b-{seed}"), 0) });
    }
    let page = get(&simulator, MEETSTREAM.path).await;
    let records = page["bots"].as_array().unwrap();
    let names: BTreeSet<&str> =
        records.iter().flat_map(|bot| bot.as_object().unwrap().keys().map(String::as_str)).collect();
    for name in ["bot_id", "id", "status", "bot_status", "state", "created_at", "created", "createdAt"] {
        assert!(names.contains(name), "{name}");
    }
    assert!(records.iter().all(|bot| bot.get("AudioStatus").is_none()), "details are elsewhere");
}

#[tokio::test]
async fn meetstream_filters_by_whole_days_and_by_what_a_bot_was_created_with() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let plans = || {
        let plan = |id: &str, ends_at: &str| BotPlan { ends_at: at(ends_at), ..BotPlan::new(Endpoint::MeetStream, id) };
        // A meeting begins 56 minutes before its end.
        let attributes = json!({ "tenant": "acme", "count": 3 }).as_object().unwrap().clone();
        [
            plan("late-on-the-4th", "2026-10-05T00:30:00Z"),
            plan("on-the-5th", "2026-10-05T12:00:00Z"),
            BotPlan { attributes, ending: Ending::NotAdmitted, ..plan("on-the-6th", "2026-10-06T12:00:00Z") },
        ]
    };
    let simulator = start(Knobs::default()).await;
    plans().into_iter().for_each(|plan| drop(simulator.add_bot(plan)));
    let all = ["on-the-6th", "on-the-5th", "late-on-the-4th"];
    for (query, expected) in [
        ("from=2026-10-05", &all[..2]),
        ("to=2026-10-05", &all[1..]),
        ("from=2026-10-05&to=2026-10-05", &all[1..2]),
        ("from=2026-10-07", &[]),
        ("status=Done", &all[..]),
        ("status=Recording", &[]),
        ("platform=GMeet", &all[..]),
        ("platform=Zoom", &[]),
        ("custom_attr[tenant]=acme", &all[..1]),
        ("custom_attr[tenant]=acme&custom_attr[count]=3", &all[..1]),
        ("custom_attr[count]=4", &[]),
    ] {
        assert_eq!(MEETSTREAM.all(&simulator, query).await, expected, "{query}");
    }
    for query in ["from=2026-10-05T00:00:00Z", "to=yesterday", "platform=gmeet"] {
        assert_eq!(status(&simulator, &format!("/api/v1/bots?{query}")).await, 400, "{query}");
    }
    let without = start(Knobs { list_filters: false, list_order: ListOrder::Oldest, ..Knobs::default() }).await;
    plans().into_iter().for_each(|plan| drop(without.add_bot(plan)));
    assert_eq!(MEETSTREAM.all(&without, "from=2026-10-07").await, ["late-on-the-4th", "on-the-5th", "on-the-6th"]);
}

#[tokio::test]
async fn v1_and_v2_filter_by_creation_and_end() {
    for list in [V1, V2] {
        let simulator = start(Knobs::default()).await;
        // Created about half an hour before they end.
        for (id, minutes) in [("now", 0), ("an-hour-ago", 60), ("a-day-ago", 24 * 60)] {
            simulator.add_bot(plan(channel(&list), id, minutes));
        }
        let running = simulator.add_bot(plan(channel(&list), "running", 2 * 60));
        running.rewind();
        (0..3).for_each(|_| drop(running.step()));
        let ago = |minutes: i64| Timestamp::now() - SignedDuration::from_mins(minutes);
        for (query, expected) in [
            (format!("created_after={}", ago(120)), &["now", "an-hour-ago"][..]),
            (format!("created_before={}", ago(120)), &["running", "a-day-ago"]),
            (format!("ended_after={}", ago(90)), &["now", "an-hour-ago"]),
            (format!("ended_after={}&created_before={}", ago(26 * 60), ago(120)), &["a-day-ago"]),
        ] {
            assert_eq!(list.all(&simulator, &query).await, expected, "{query}");
        }
        assert_eq!(status(&simulator, &format!("{}ended_after=yesterday", list.path)).await, 400);
        assert_eq!(status(&simulator, &format!("{}limit=0", list.path.split('?').next().unwrap())).await, 404);
    }
    let simulator = start(Knobs::default()).await;
    simulator.add_bot(plan(Endpoint::MeetingBaasV2, "old", 24 * 60 * 91));
    assert_eq!(V2.all(&simulator, "").await, [""; 0], "nothing older than 90 days");
    for (query, expected) in [("limit=251", 400), ("limit=0", 400), ("limit=250", 200)] {
        assert_eq!(status(&simulator, &format!("/v2/bots?{query}")).await, expected, "{query}");
    }
    for (query, expected) in [("limit=51", 400), ("limit=50", 200)] {
        assert_eq!(status(&simulator, &format!("/bots/bots_with_metadata?{query}")).await, expected, "{query}");
    }
    let days = |days: i64| (Timestamp::now() - SignedDuration::from_hours(24 * days)).to_string();
    for after in [days(91), days(-1), "2026-10-05T00:00:00+00:00".to_owned()] {
        assert_eq!(status(&simulator, &format!("/v2/bots?created_after={}", after.replace('+', "%2B"))).await, 400);
    }
}

#[tokio::test]
async fn a_scheduled_bot_is_elsewhere_until_its_time_comes() {
    let simulator = start(Knobs::default()).await;
    let created_ahead = Some(3600);
    let url = "https://example.com/webhooks/meetstream/token";
    let plan =
        |channel, id: &str| BotPlan { created_ahead, callback_url: Some(url.to_owned()), ..plan(channel, id, 0) };
    let bot = simulator.add_bot(plan(Endpoint::MeetStream, "b-1"));
    bot.rewind();
    assert_eq!(bot.step().unwrap()[0].name, "bot.scheduled");
    let waiting = get(&simulator, "/api/v1/calendar/scheduled_bots").await["scheduled_bots"].clone();
    assert_eq!((&waiting[0]["bot_id"], &waiting[0]["status"]), (&json!("b-1"), &json!("Scheduled")));
    let details = get(&simulator, "/api/v1/bots/b-1/detail").await["bot_details"].clone();
    assert_eq!(details["RequestPayload"]["join_at"], waiting[0]["scheduled_join_time"]);
    assert_eq!(details["RequestPayload"]["callback_url"], url);
    assert_eq!(details.get("StartTime"), None, "what is not known yet is absent");
    let join_at: Timestamp = waiting[0]["scheduled_join_time"].as_str().unwrap().parse().unwrap();
    let created: Timestamp = details["CreatedAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(join_at.duration_since(created).as_mins(), 60);
    assert_eq!(bot.step().unwrap()[0].name, "bot.joining");
    assert_eq!(get(&simulator, "/api/v1/calendar/scheduled_bots").await["scheduled_bots"], json!([]));
    assert_eq!(status(&simulator, "/api/v1/calendar/scheduled_bots?limit=101").await, 400);

    let bot = simulator.add_bot(plan(Endpoint::MeetingBaasV2, "b-2"));
    bot.rewind();
    assert_eq!((SCHEDULED.all(&simulator, "").await, V2.all(&simulator, "").await), (vec!["b-2".to_owned()], vec![]));
    assert_eq!(status(&simulator, "/v2/bots/b-2").await, 404);
    let scheduled = get(&simulator, "/v2/bots/scheduled/b-2").await["data"].clone();
    assert_eq!((&scheduled["status"], &scheduled["callback_config"]["url"]), (&json!("scheduled"), &json!(url)));
    assert_eq!(bot.step().unwrap()[0].name, "queued");
    assert_eq!(V2.all(&simulator, "").await, ["b-2"], "the same id");
    assert_eq!(get(&simulator, "/v2/bots/b-2").await["data"]["status"], "queued");
    assert_eq!(get(&simulator, "/v2/bots/scheduled/b-2").await["data"]["status"], "completed");
    simulator.add_bot(BotPlan { created_ahead: None, ..plan(Endpoint::MeetingBaasV2, "b-3") });
    assert_eq!(status(&simulator, "/v2/bots/scheduled/b-3").await, 404);
    assert_eq!(SCHEDULED.all(&simulator, "status=scheduled,cancelled").await, [""; 0]);
}

#[tokio::test]
async fn a_cancelled_bot_is_no_bot_any_more() {
    let simulator = start(Knobs::default()).await;
    let cancelled = |channel, id: &str| BotPlan { ending: Ending::Cancelled, ..plan(channel, id, 0) };
    simulator.add_bot(cancelled(Endpoint::MeetStream, "b-1"));
    simulator.add_bot(cancelled(Endpoint::MeetingBaasV2, "b-2"));
    assert_eq!(MEETSTREAM.all(&simulator, "").await, [""; 0]);
    assert_eq!(get(&simulator, "/api/v1/calendar/scheduled_bots").await["scheduled_bots"], json!([]));
    assert_eq!(status(&simulator, "/api/v1/bots/b-1/detail").await, 404);
    assert_eq!(V2.all(&simulator, "").await, [""; 0]);
    assert_eq!(status(&simulator, "/v2/bots/b-2").await, 404);
    assert_eq!(SCHEDULED.all(&simulator, "status=cancelled").await, ["b-2"]);
    assert!(get(&simulator, "/v2/bots/scheduled/b-2").await["data"]["cancelled_at"].is_string());
}

#[tokio::test]
async fn an_erased_bot_is_listed_as_its_provider_does() {
    for (erased, listed) in [(Erased::NotFound, 0), (Erased::Gone, 0), (Erased::MediaExpired, 1)] {
        let simulator = start(Knobs { erased, ..Knobs::default() }).await;
        simulator.add_bot(BotPlan { deletion: true, ..plan(Endpoint::MeetStream, "b-1", 0) });
        assert_eq!(MEETSTREAM.all(&simulator, "").await.len(), listed, "{erased:?}");
    }
    let simulator = start(Knobs::default()).await;
    simulator.add_bot(BotPlan { deletion: true, ..plan(Endpoint::MeetingBaasV2, "b-2", 0) });
    let page = get(&simulator, V2.path).await;
    assert_eq!(page["data"][0].get("artifacts_deleted"), None, "the list does not say so");
}

#[tokio::test]
async fn lists_go_wrong_as_planned() {
    for (list, operation) in
        [(MEETSTREAM, Operation::ListBots), (V1, Operation::ListBotsV1), (V2, Operation::ListBotsV2)]
    {
        let with = async |what: Fault, times| {
            let list_faults = fault(operation, what, times);
            let simulator = start(Knobs { page_size: 2, list_faults, ..Knobs::default() }).await;
            for number in 0..5 {
                simulator.add_bot(plan(channel(&list), &format!("b-{number}"), number * 10));
            }
            simulator
        };
        let early = with(Fault::EndsEarly, Times::First(1)).await;
        assert_eq!(list.all(&early, "").await, ["b-0", "b-1"]);
        assert_eq!(list.all(&early, "").await.len(), 5, "once");
        assert_eq!(early.faults()["list ends early"], 1);
        let looping = with(Fault::LoopingCursor, Times::Always).await;
        let seen = list.all(&looping, "").await;
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (40, 4), "until its reader stops");
        let overlapping = with(Fault::OverlappingPage, Times::Always).await;
        assert_eq!(list.all(&overlapping, "").await, ["b-0", "b-1", "b-1", "b-2", "b-3", "b-3", "b-4"]);
        let broken = with(Fault::Status(500), Times::First(2)).await;
        for expected in [500, 500, 200] {
            assert_eq!(status(&broken, list.path).await, expected);
        }
    }
}

#[tokio::test]
async fn a_list_in_no_order_is_whole_and_the_same_for_every_page() {
    let simulator = start(Knobs { page_size: 4, list_order: ListOrder::Shuffled, ..Knobs::default() }).await;
    for number in 0..20 {
        simulator.add_bot(plan(Endpoint::MeetStream, &format!("b-{number:02}"), number));
    }
    let seen = MEETSTREAM.all(&simulator, "").await;
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (20, 20));
    assert!(!seen.is_sorted() && !seen.iter().rev().is_sorted());
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_told_when_to_come_back() {
    let rate_limits = RateLimits { meetstream_a_minute: Some(3), meetingbaas_writes_a_second: Some(1) };
    let simulator = start(Knobs { rate_limits, ..Knobs::default() }).await;
    simulator.add_bot(plan(Endpoint::MeetStream, "b-1", 0));
    simulator.add_bot(plan(Endpoint::MeetingBaasV2, "b-2", 0));
    for path in ["/api/v1/bots", "/api/v1/bots/b-1/detail", "/api/v1/bots/b-1/status"] {
        assert_eq!(status(&simulator, path).await, 200);
    }
    let refused = ask(&simulator, Method::GET, "/api/v1/bots/b-1/detail").await;
    let seconds: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!((refused.status().as_u16(), (1..=60).contains(&seconds)), (429, true));
    assert_eq!(status(&simulator, "/api/v1/bots/b-1/detail").await, 429);
    for _ in 0..20 {
        assert_eq!(status(&simulator, "/v2/bots/b-2").await, 200, "reading is not limited");
    }
    let many = (0..20).map(|_| ask(&simulator, Method::POST, "/v2/bots/b-2/resend-webhook"));
    let answers = futures_util::future::join_all(many).await;
    let refused = answers.into_iter().find(|answer| answer.status() == 429).unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!((&body["code"], &body["retryAfter"]), (&json!("FST_ERR_TOO_MANY_REQUESTS"), &json!(1)));
    assert_eq!(status(&simulator, "/api/v1/bots").await, 429, "of another provider's calls none counts");
}

#[tokio::test]
async fn calendars_are_listed_by_the_version_that_they_are_connected_to() {
    let simulator = start(Knobs { page_size: 2, ..Knobs::default() }).await;
    let now = Timestamp::now();
    for (id, channel) in [("c-1", Endpoint::MeetingBaasV1), ("c-2", Endpoint::MeetingBaasV2)] {
        let entry = |number: i64| {
            let start = now + SignedDuration::from_hours(number);
            CalendarEntry { is_cancelled: number == 2, ..CalendarEntry::new(format!("{id}-{number}"), start, now) }
        };
        let entries = (1..=3).map(entry).collect();
        drop(simulator.add_calendar(CalendarPlan { entries, ..CalendarPlan::new(channel, id) }));
    }
    let v1 = get(&simulator, "/calendars/").await;
    assert_eq!((v1.as_array().unwrap().len(), &v1[0]["uuid"]), (1, &json!("c-1")));
    assert_eq!(get(&simulator, "/calendars/c-1").await, v1[0]);
    let v2 = get(&simulator, "/v2/calendars").await;
    assert_eq!((v2["data"].as_array().unwrap().len(), &v2["data"][0]["calendar_id"]), (1, &json!("c-2")));
    assert_eq!(get(&simulator, "/v2/calendars/c-2").await["data"]["sync_status"], "success");
    for path in ["/calendars/c-2", "/v2/calendars/c-1", "/v2/calendars/c-1/events", "/calendar_events/c-2-1"] {
        assert_eq!(status(&simulator, path).await, 404, "{path}");
    }
    let shown = async |query: &str| {
        let path = format!("/v2/calendars/c-2/events?limit=250{query}");
        get(&simulator, &path).await["data"].as_array().unwrap().len()
    };
    assert_eq!((shown("").await, shown("&show_cancelled=false").await), (2, 2), "pages of two");
    assert_eq!(shown("&status=cancelled").await, 1);
}
