//! `rollcall send event`: one delivery, as its sender would send it.

use crate::{
    curl::curl,
    escape,
    failure::Failure,
    route::{Route, Sending, attributes, new_id, refusal},
    screen::{self, Style},
    stack::StackArgs,
};
use clap::{Args, builder::NonEmptyStringValueParser, value_parser};
use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::provider;
use simulator::{
    body::{
        self, Composition, Era,
        meetingbaas::{self, Detail, Unspeakable},
    },
    courier::Courier,
    delivery::Delivery,
    dialect::Dialect,
    time::micros,
};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

const HELP: &str = "\
Compose one event, sign it and send it

Each event looks as MeetStream sends it: bot.kicked goes out as
event=bot.stopped, bot_event=bot.kicked and bot_status=Stopped. Names that
MeetStream does not document are sent as they are. NAME is one of

  bot.scheduled  bot.joining  bot.in_waiting_room  bot.inmeeting
  bot.recording_permission_allowed  bot.recording_permission_denied
  bot.recording  bot.error  bot.leaving
  bot.stopped  bot.kicked  bot.notallowed  bot.denied  bot.failed
  bot.uploading  manifest.completed  manifest.skipped
  audio.processed  audio.skipped  video.processed  video.skipped
  transcription.processed  transcription.failed  transcription.skipped
  bot.transcriptionready  bot.done  data_deletion
  participant_events.join  participant_events.leave  live_transcript

For Meeting BaaS, NAME is an event or a status code: joining_call goes out as
a bot.status_change with that code, and so does bot.status_change/joining_call.

  --as meetingbaas-v1
    joining_call  in_waiting_room  in_call_not_recording  in_call_recording
    recording_paused  recording_resumed  call_ended  bot_rejected
    bot_removed  waiting_room_timeout  invalid_meeting_url  meeting_error
    complete  failed  transcription_complete  calendar.sync_events
  --as meetingbaas-v2
    those codes, and  queued  pickup_delayed  in_waiting_for_host  retrying
    recording_succeeded  recording_failed  transcribing  completed  failed
    transcription_failed  api_request_stop  bot_removed_too_early  and more
    bot.completed  bot.failed  bot.chat_message
    calendar.connection_created  calendar.connection_updated
    calendar.connection_error  calendar.connection_deleted
    calendar.events_synced  calendar.event_created  calendar.event_updated
    calendar.event_cancelled
  --as meetingbaas-callback
    bot.completed  bot.failed
  --as meetingbaas-legacy
    meeting.started  meeting.completed  meeting.failed  complete  failed
    transcription.available  transcription.updated  calendar.synced
    event.added  event.updated  event.deleted";

/// Compose one event, sign it and send it
#[derive(Args, Clone, Debug)]
#[command(
    long_about = HELP,
    after_help = "\
Examples:
  rollcall send event bot.joining
  rollcall send event bot.kicked --bot-id 7c1e4a92 --repeat 2
  rollcall send event bot.stopped --era event --status Denied --no-timestamp
  rollcall send event --body recorded.json --callback
  rollcall send event bot.done --curl | sh
  ROLLCALL_SECRET=... rollcall send event bot.done \\
    --url https://HOST/webhooks/meetstream
  rollcall send event joining_call --as meetingbaas-v2
  rollcall send event failed --as meetingbaas-v1 --error-code BotRemoved
  rollcall send event bot.completed --as meetingbaas-callback --method put
  rollcall send event calendar.sync_events --as meetingbaas-v1

Exits with 0 when every delivery was answered 200 (with --forge: refused with 401, as meetingbaas-callback with 503), \
else with 1."
)]
pub struct Event {
    /// The event, as in `bot_event`; of Meeting BaaS also a status code
    #[arg(required_unless_present = "body")]
    name: Option<String>,
    /// The bot [default: a new random one]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    bot_id: Option<String>,
    /// The calendar, of events about one [default: a new random one]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    calendar_id: Option<String>,
    /// Which of MeetStream's generations of bodies [default: both]
    #[arg(long, value_enum)]
    era: Option<Era>,
    /// Another `bot_status` of MeetStream than the usual one
    #[arg(long)]
    status: Option<String>,
    /// Another message than the usual one
    #[arg(long)]
    message: Option<String>,
    /// Another error code of Meeting BaaS than the usual one
    #[arg(long, value_name = "CODE")]
    error_code: Option<String>,
    /// The timestamp, in any form [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "no_timestamp")]
    timestamp: Option<String>,
    /// Leave the timestamp out
    #[arg(long)]
    no_timestamp: bool,
    /// The `custom_attributes`, of Meeting BaaS the `extra`: a JSON object
    #[arg(long, value_name = "JSON", value_parser = attributes)]
    attributes: Option<Map<String, Value>>,
    /// Send these bytes instead of composing any; - reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "name", "bot_id", "calendar_id", "era", "status", "message", "error_code", "timestamp", "no_timestamp",
            "attributes",
        ]
    )]
    body: Option<PathBuf>,
    /// Send the same bytes so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    repeat: u32,
    /// Sign with a wrong secret, or use a wrong token: it must be refused
    #[arg(long)]
    forge: bool,
    /// Print the request as a curl command instead of sending it
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    #[command(flatten)]
    route: Route,
}

impl Event {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let endpoint = self.route.endpoint()?;
        let body = match (&self.body, self.route.dialect) {
            (Some(file), _) => read(file)?,
            (None, Dialect::MeetStream) => self.of_meetstream()?,
            (None, dialect) => self.of_meetingbaas(dialect)?,
        };
        let target = self.route.target(stack_args).await?;
        let target = if self.forge { target.forged() } else { target };
        let courier = Courier::new(&target)?;
        let bot = provider::peek(endpoint, &body).session;
        let delivery = Delivery::new(&target, body, Timestamp::now());
        if self.curl {
            screen::print(&curl(&delivery))?;
        } else {
            let expected = if self.forge { refusal(endpoint) } else { 200 };
            let mut sending = Sending::begin(bot.as_ref(), &target, &self.route, expected, style)?;
            for _ in 0..self.repeat {
                let name = self.name.as_deref().unwrap_or("the given bytes");
                sending.send(&courier, &delivery, name, None).await?;
            }
            sending.end()?;
        }
        if !self.forge {
            self.route.suggest_timeline(stack_args, bot.as_ref());
        }
        Ok(())
    }

    fn of_meetstream(&self) -> Result<Vec<u8>, Failure> {
        let foreign = [("--calendar-id", self.calendar_id.is_some()), ("--error-code", self.error_code.is_some())];
        self.route.has_no_place_for(&foreign)?;
        let name = self.name.as_deref().unwrap_or_default();
        if !body::DOCUMENTED.contains(&name) {
            let name = escape::text(name);
            screen::remark(&format!("note: MeetStream documents no event \"{name}\"; it is sent as it is"));
        }
        let now = micros(Timestamp::now());
        let bot_id = self.bot_id.clone().unwrap_or_else(new_id);
        let timestamp = self.timestamp.as_deref().unwrap_or(&now);
        Ok(body::compose(&Composition {
            name,
            bot_id: &bot_id,
            era: self.era.unwrap_or_default(),
            status: self.status.as_deref(),
            message: self.message.as_deref(),
            timestamp: (!self.no_timestamp).then_some(timestamp),
            attributes: self.attributes.as_ref(),
        }))
    }

    fn of_meetingbaas(&self, dialect: Dialect) -> Result<Vec<u8>, Failure> {
        self.route.has_no_place_for(&[("--era", self.era.is_some()), ("--status", self.status.is_some())])?;
        let name = self.name.as_deref().unwrap_or_default();
        let (id, other) = if meetingbaas::is_of_a_calendar(name) {
            (&self.calendar_id, self.bot_id.as_ref().map(|_| "--bot-id"))
        } else {
            (&self.bot_id, self.calendar_id.as_ref().map(|_| "--calendar-id"))
        };
        let composed = meetingbaas::compose(&meetingbaas::Composition {
            dialect,
            name,
            id: &id.clone().unwrap_or_else(new_id),
            now: Timestamp::now(),
            timestamp: self.timestamp.as_deref(),
            no_timestamp: self.no_timestamp,
            message: self.message.as_deref(),
            error_code: self.error_code.as_deref(),
            attributes: self.attributes.as_ref(),
            results: None,
        })
        .map_err(|error| unspeakable(&error, dialect))?;
        let (sender, name) = (dialect.as_str(), escape::text(name));
        if let Some(flag) = other.or(composed.unused.first().copied().map(flag_of)) {
            return Err(Failure::usage(format!("{name} of {sender} has no place for {flag}"))
                .help("leave it out; --body sends whatever you like"));
        }
        if !composed.is_documented {
            screen::remark(&format!("note: {sender} documents no \"{name}\"; it is sent as it is"));
        }
        Ok(composed.body)
    }
}

fn unspeakable(error: &Unspeakable, dialect: Dialect) -> Failure {
    let sender = dialect.as_str();
    match error {
        Unspeakable::NoCode => {
            Failure::usage(error.to_string()).help(format!("as in `rollcall send event joining_call --as {sender}`"))
        }
        Unspeakable::NoEvent { name } => Failure::usage(format!("{sender} has no event \"{}\"", escape::text(name)))
            .help(format!("it has {}", meetingbaas::events(dialect).join(", "))),
    }
}

fn flag_of(detail: Detail) -> &'static str {
    match detail {
        Detail::Timestamp => "--timestamp",
        Detail::Message => "--message",
        Detail::ErrorCode => "--error-code",
        Detail::Attributes => "--attributes",
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let shown = escape::text(&file.to_string_lossy());
    read.map_err(|error| Failure::usage(format!("--body {shown} cannot be read: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_said_is_told_with_what_can() {
        let told = |error| unspeakable(&error, Dialect::MeetingBaasCallback).to_string();
        assert_eq!(
            told(Unspeakable::NoEvent { name: "joining_call".to_owned() }),
            "meetingbaas-callback has no event \"joining_call\"\n  help: it has bot.completed, bot.failed"
        );
        assert!(told(Unspeakable::NoCode).contains("needs a status code"));
    }
}
