//! `rollcall send event`: one delivery, as `MeetStream` would send it.

use crate::{
    body::{self, Composition, Era},
    delivery::{Courier, Delivery},
    escape,
    failure::Failure,
    screen::{self, Look},
    send::{Route, announcement, attributes, line, new_bot_id, unexpected},
    stack::Place,
};
use clap::{Args, value_parser};
use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::{Endpoint, provider};
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
  participant_events.join  participant_events.leave  live_transcript";

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

Exits with 0 when every delivery was answered 200 (with --forge: refused with
401), else with 1."
)]
pub struct Event {
    /// The event, as in `bot_event`
    #[arg(required_unless_present = "body")]
    name: Option<String>,
    /// The bot [default: a new random one]
    #[arg(long, value_name = "ID")]
    bot_id: Option<String>,
    /// Which of MeetStream's generations of bodies
    #[arg(long, value_enum, default_value_t)]
    era: Era,
    /// Another `bot_status` than the usual one
    #[arg(long)]
    status: Option<String>,
    /// Another message than the usual one
    #[arg(long)]
    message: Option<String>,
    /// The timestamp, in any form [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "no_timestamp")]
    timestamp: Option<String>,
    /// Leave the timestamp out
    #[arg(long)]
    no_timestamp: bool,
    /// The `custom_attributes`, a JSON object
    #[arg(long, value_name = "JSON", value_parser = attributes)]
    attributes: Option<Map<String, Value>>,
    /// Send these bytes instead of composing any; - reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["name", "bot_id", "era", "status", "message", "timestamp", "no_timestamp", "attributes"]
    )]
    body: Option<PathBuf>,
    /// Send the same bytes so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    repeat: u32,
    /// Sign with a wrong secret, or use a wrong token: it must be refused
    #[arg(long)]
    forge: bool,
    /// Print the request as a curl command instead of sending it
    #[arg(long)]
    curl: bool,
    #[command(flatten)]
    route: Route,
}

impl Event {
    /// Carries the command out.
    ///
    /// # Errors
    /// When a delivery was not answered as it should be.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let body = match &self.body {
            Some(file) => read(file)?,
            None => self.composed(),
        };
        let target = self.route.target(place).await?;
        let target = if self.forge { target.forged() } else { target };
        let courier = Courier::new(&target)?;
        let bot = provider::peek(Endpoint::MeetStream, &body).session;
        let delivery = Delivery::new(&target, body, Timestamp::now());
        if self.curl {
            screen::print(&delivery.curl())?;
        } else {
            screen::print(&announcement(bot.as_ref(), &target))?;
            let what = self.name.as_deref().unwrap_or("the given bytes");
            let expected = if self.forge { 401 } else { 200 };
            let mut otherwise = 0;
            for _ in 0..self.repeat {
                let answer = courier.send(&delivery).await?;
                screen::print(&line(what, None, &answer, expected, look))?;
                otherwise += u32::from(answer.status != expected);
            }
            if otherwise > 0 {
                return Err(unexpected(otherwise, self.repeat, expected));
            }
        }
        if !self.forge {
            self.route.suggest_timeline(place, bot.as_ref());
        }
        Ok(())
    }

    fn composed(&self) -> Vec<u8> {
        let name = self.name.as_deref().unwrap_or_default();
        if !body::DOCUMENTED.contains(&name) {
            let name = escape::text(name);
            screen::remark(&format!("note: MeetStream documents no event \"{name}\"; it is sent as it is"));
        }
        let now = body::timestamp(Timestamp::now());
        let bot_id = self.bot_id.clone().unwrap_or_else(new_bot_id);
        let timestamp = self.timestamp.as_deref().unwrap_or(&now);
        body::compose(&Composition {
            name,
            bot_id: &bot_id,
            era: self.era,
            status: self.status.as_deref(),
            message: self.message.as_deref(),
            timestamp: (!self.no_timestamp).then_some(timestamp),
            attributes: self.attributes.as_ref(),
        })
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
