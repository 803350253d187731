//! Which call a request is.

use super::{Asked, bot};
use crate::{
    encoding::decoded,
    fault::Operation,
    plan::Api,
    world::{BotState, CalendarState, World},
};
use axum::http::Method;

/// A call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Route {
    pub(super) api: Api,
    pub(super) operation: Operation,
    /// The id in the path, whatever it is of.
    pub(super) id: Option<String>,
    /// A second one.
    pub(super) part: Option<String>,
}

impl Route {
    fn new(api: Api, operation: Operation, id: Option<&str>) -> Self {
        Self { api, operation, id: id.map(str::to_owned), part: None }
    }

    pub(super) fn is_of_a_calendar(&self) -> bool {
        use Operation::{CalendarEventV1, CalendarEventV2, CalendarEventsV1, CalendarEventsV2, CalendarV1, CalendarV2};
        matches!(
            self.operation,
            CalendarEventV1 | CalendarEventV2 | CalendarEventsV1 | CalendarEventsV2 | CalendarV1 | CalendarV2
        )
    }
}

/// The call, by method and path.
///
/// Encodings are undone before the path is taken apart, as some servers do: a client that puts an id into a path with nothing
/// but percent encoding gets to see where that can lead.
pub(super) fn find(method: &Method, path: &str) -> Option<Route> {
    use Api::{MeetStream, MeetingBaasV1, MeetingBaasV2};
    let path = decoded(path);
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (api, operation, id) = match (method.as_str(), segments.as_slice()) {
        ("GET", ["api", "v1", "bots"]) => (MeetStream, Operation::ListBots, None),
        ("GET", ["api", "v1", "calendar", "scheduled_bots"]) => (MeetStream, Operation::ScheduledBots, None),
        ("GET", ["api", "v1", "bots", id, call]) => (MeetStream, of_a_bot(call)?, Some(*id)),
        ("DELETE", ["api", "v1", "bots", id, "delete"]) => (MeetStream, Operation::Delete, Some(*id)),
        ("POST", ["api", "v1", "bots", id, "transcribe"]) => (MeetStream, Operation::Transcribe, Some(*id)),
        ("GET", ["api", "v1", "transcript", id, "get_transcript"]) => (MeetStream, Operation::GetTranscript, Some(*id)),
        ("GET", ["bots", "bots_with_metadata"]) => (MeetingBaasV1, Operation::ListBotsV1, None),
        ("GET", ["bots", "meeting_data"]) => (MeetingBaasV1, Operation::MeetingData, None),
        ("POST", ["bots", "retranscribe"]) => (MeetingBaasV1, Operation::Retranscribe, None),
        ("POST", ["bots", id, "delete_data"]) => (MeetingBaasV1, Operation::DeleteDataV1, Some(*id)),
        ("GET", ["calendars"]) => (MeetingBaasV1, Operation::CalendarsV1, None),
        ("GET", ["calendars", id]) => (MeetingBaasV1, Operation::CalendarV1, Some(*id)),
        ("GET", ["calendar_events"]) => (MeetingBaasV1, Operation::CalendarEventsV1, None),
        ("GET", ["calendar_events", id]) => (MeetingBaasV1, Operation::CalendarEventV1, Some(*id)),
        ("GET", ["v2", "bots"]) => (MeetingBaasV2, Operation::ListBotsV2, None),
        ("GET", ["v2", "bots", "scheduled"]) => (MeetingBaasV2, Operation::ScheduledBotsV2, None),
        ("GET", ["v2", "bots", "scheduled", id]) => (MeetingBaasV2, Operation::ScheduledBotV2, Some(*id)),
        ("GET", ["v2", "bots", id]) => (MeetingBaasV2, Operation::BotV2, Some(*id)),
        ("GET", ["v2", "bots", id, "status"]) => (MeetingBaasV2, Operation::BotStatusV2, Some(*id)),
        ("POST", ["v2", "bots", id, "resend-webhook"]) => (MeetingBaasV2, Operation::ResendWebhook, Some(*id)),
        ("POST", ["v2", "bots", id, "retry-callback"]) => (MeetingBaasV2, Operation::RetryCallback, Some(*id)),
        ("DELETE", ["v2", "bots", id, "delete-data"]) => (MeetingBaasV2, Operation::DeleteDataV2, Some(*id)),
        ("GET", ["v2", "calendars"]) => (MeetingBaasV2, Operation::CalendarsV2, None),
        ("GET", ["v2", "calendars", id]) => (MeetingBaasV2, Operation::CalendarV2, Some(*id)),
        ("GET", ["v2", "calendars", id, "events"]) => (MeetingBaasV2, Operation::CalendarEventsV2, Some(*id)),
        ("GET", ["v2", "calendars", id, "events", part]) => {
            let route = Route::new(MeetingBaasV2, Operation::CalendarEventV2, Some(id));
            return Some(Route { part: Some((*part).to_owned()), ..route });
        }
        _ => return None,
    };
    Some(Route::new(api, operation, id))
}

fn of_a_bot(call: &str) -> Option<Operation> {
    Some(match call {
        "status" => Operation::Status,
        "detail" => Operation::Detail,
        "transcriptions" => Operation::Transcriptions,
        "get_audio" => Operation::GetAudio,
        "get_video" => Operation::GetVideo,
        "get_participants" => Operation::GetParticipants,
        "remove_bot" => Operation::RemoveBot,
        _ => return None,
    })
}

/// The bot or calendar that a call is about, if it is a known one.
pub(super) fn subject(world: &mut World, route: &Route, asked: &Asked) -> Option<String> {
    let is_of = |calendar: &CalendarState| Api::of(calendar.plan.channel) == route.api;
    let id = match route.operation {
        Operation::GetTranscript => {
            let id = route.id.as_deref()?;
            let of = |bot: &BotState| (0..=bot.reruns).any(|run| bot.transcript_id(run).as_deref() == Some(id));
            return world.bots.values().find(|bot| of(bot)).map(|bot| bot.plan.bot_id.clone());
        }
        Operation::CalendarEventV1 => {
            let id = route.id.as_deref()?;
            let of = |calendar: &&CalendarState| calendar.plan.entries.iter().any(|entry| entry.event_id == id);
            return world
                .calendars
                .values()
                .filter(|calendar| is_of(calendar))
                .find(of)
                .map(|calendar| calendar.plan.calendar_id.clone());
        }
        Operation::MeetingData => asked.value("bot_id")?.to_owned(),
        Operation::Retranscribe => asked.field("bot_uuid")?,
        Operation::CalendarEventsV1 => asked.value("calendar_id")?.to_owned(),
        _ => route.id.clone()?,
    };
    let is_known = match route.is_of_a_calendar() {
        true => world.calendars.get(&id).is_some_and(is_of),
        false => bot(world, route.api, &id).is_some(),
    };
    is_known.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: Method, path: &str, expected: Option<(Operation, Option<&str>)>) {
        let found = find(&method, path);
        let found = found.as_ref().map(|route| (route.operation, route.id.as_deref()));
        assert_eq!(found, expected, "{method} {path}");
    }

    #[test]
    fn paths_name_calls() {
        check(Method::GET, "/api/v1/bots/b-1/detail", Some((Operation::Detail, Some("b-1"))));
        check(Method::GET, "/api/v1/transcript/t-1/get_transcript", Some((Operation::GetTranscript, Some("t-1"))));
        check(Method::DELETE, "/api/v1/bots/b-1/delete", Some((Operation::Delete, Some("b-1"))));
        check(Method::GET, "/api/v1/bots/b-1/delete", None);
        check(Method::GET, "/bots/meeting_data", Some((Operation::MeetingData, None)));
        check(Method::GET, "/calendar_events/", Some((Operation::CalendarEventsV1, None)));
        check(Method::GET, "/calendar_events/e-1", Some((Operation::CalendarEventV1, Some("e-1"))));
        check(Method::GET, "/v2/bots/scheduled", Some((Operation::ScheduledBotsV2, None)));
        check(Method::GET, "/v2/bots/scheduled/b-1", Some((Operation::ScheduledBotV2, Some("b-1"))));
        check(Method::GET, "/v2/bots/b-1", Some((Operation::BotV2, Some("b-1"))));
        check(Method::POST, "/v2/bots/b-1/resend-webhook", Some((Operation::ResendWebhook, Some("b-1"))));
        check(Method::GET, "/v2/calendars/c-1/events", Some((Operation::CalendarEventsV2, Some("c-1"))));
        check(Method::GET, "/api/v1/bots/b%20x/status", Some((Operation::Status, Some("b x"))));
        check(Method::GET, "/", None);
    }

    #[test]
    fn an_id_that_is_only_percent_encoded_can_lead_astray() {
        check(Method::GET, "/api/v1/bots/x%2Fremove_bot", Some((Operation::RemoveBot, Some("x"))));
    }
}
