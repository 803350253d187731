//! `rollcall sessions`: the bots and calendars that were heard of in the last days.

use crate::{
    bot::{providers, subject_name},
    escape,
    failure::Failure,
    screen::{self, Sheet, Style, Tone},
    stack::StackArgs,
    table::{Wanted, recent},
    timeline::{
        rendering::{connection_name, connection_tone, outcome_tone},
        state_of_name, states,
    },
    words::{milliseconds, rfc3339, seconds},
};
use clap::{Args, value_parser};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    OccurredAt, Provider, ReceivedAt, Session,
    ids::Subject,
    session::{State, TimelineLine},
};
use std::num::NonZeroUsize;

/// List the bots and calendars of the last days, newest first
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall sessions
  rollcall sessions meetingbaas
  rollcall sessions --state in_call --days 1
  rollcall sessions --attribute meeting=standup --days 7
  rollcall sessions --json --days 7 --limit 1000 | jq -r '.[] | select(.outcome == \"failed\") | .bot_id'

Days are counted in UTC, today included, by when Rollcall first heard of the bot.")]
pub struct Sessions {
    /// Only those of this provider
    #[arg(value_parser = providers())]
    provider: Option<String>,
    /// Only bots in this state
    #[arg(long, value_parser = states())]
    state: Option<String>,
    /// Only bots that were created with this custom attribute
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Option<(String, String)>,
    /// How many days back
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=3660))]
    days: u32,
    /// How many at most
    #[arg(long, default_value = "50")]
    limit: NonZeroUsize,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

fn attribute(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    parts.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".to_owned())
}

/// One bot or calendar in the list: the shape of `rollcall sessions --json`.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Line {
    #[serde(serialize_with = "milliseconds")]
    pub first_seen_at: Option<Timestamp>,
    pub provider: &'static str,
    pub subject: &'static str,
    pub bot_id: String,
    pub state: &'static str,
    pub confirmed: bool,
    pub outcome: Option<&'static str>,
    pub last_event: Option<LastEvent>,
    pub missing: usize,
    /// The last that was heard of a calendar's connection: for the table.
    #[serde(skip)]
    pub connection: Option<&'static str>,
}

/// The delivery that was received last.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct LastEvent {
    pub kind: String,
    pub name: String,
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: Option<Timestamp>,
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Option<Timestamp>,
}

impl Sessions {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let wanted = Wanted {
            provider: self.provider.as_deref().and_then(Provider::from_name),
            state: self.state.as_deref().and_then(state_of_name),
            attribute: self.attribute.as_ref().map(|(name, value)| (name.as_str(), value.as_str())),
            days: self.days,
            limit: self.limit.get(),
        };
        let now = ReceivedAt(Timestamp::now().as_millisecond());
        let (sessions, unreadable) = recent(&client, &stack, wanted, now).await?;
        let lines: Vec<Line> = sessions.iter().map(Line::of).collect();
        for failure in unreadable {
            screen::remark(&format!("warning: left out: {failure}"));
        }
        if self.json {
            return screen::print_json(&lines);
        }
        if lines.is_empty() {
            let of = self.provider.as_deref().map(|provider| format!(" of {provider}")).unwrap_or_default();
            let state = wanted.state.map(State::as_str).map(|state| format!(" in state {state}")).unwrap_or_default();
            let attribute = wanted.attribute.map(|(name, value)| escape::text(&format!(" with {name}={value}")));
            screen::remark(&format!(
                "no bots{of}{state}{} in the last {} days (UTC) on {}",
                attribute.unwrap_or_default(),
                self.days,
                stack.aws.name
            ));
            return Ok(());
        }
        screen::print(&render(&lines, style))?;
        if lines.len() == wanted.limit {
            screen::remark(&format!("there may be more: these are the newest {}; --limit N shows more", wanted.limit));
        }
        Ok(())
    }
}

impl Line {
    fn of(session: &Session) -> Self {
        Self {
            first_seen_at: session.first_received_at().timestamp(),
            provider: session.id().provider.as_str(),
            subject: subject_name(session.id().subject),
            bot_id: session.id().id.as_sent().to_owned(),
            state: session.state().as_str(),
            confirmed: session.is_confirmed(),
            outcome: session.outcome().map(shared::event::Outcome::as_str),
            last_event: session.timeline().last().map(LastEvent::of),
            missing: session.missing().len(),
            connection: session
                .calendar()
                .and_then(|calendar| calendar.connection.as_ref())
                .map(|fact| fact.what.as_str()),
        }
    }
}

impl LastEvent {
    fn of(entry: &TimelineLine) -> Self {
        Self {
            kind: entry.kind.clone(),
            name: entry.name.clone(),
            occurred_at: entry.occurred_at.as_ref().map(OccurredAt::moment),
            received_at: entry.received_at.timestamp(),
        }
    }
}

fn render(lines: &[Line], style: Style) -> String {
    let columns =
        ["first seen (UTC)", "provider", "bot or calendar", "state", "outcome", "last event", "received (UTC)"];
    let mut sheet = Sheet::new(columns, &[1, 2, 2, 2], &[5, 6, 0, 4]);
    for line in lines {
        let last = line.last_event.as_ref();
        let (state, tone) = match line.connection {
            _ if line.subject == subject_name(Subject::Bot) => (line.state.to_owned(), Tone::Plain),
            Some(what) => (format!("calendar, connection {}", connection_name(what)), connection_tone(what)),
            None => ("calendar".to_owned(), Tone::Plain),
        };
        let state = match line.missing {
            0 if !line.confirmed => (format!("{state} (unverified)"), Tone::Odd),
            0 => (state, tone),
            missing => (format!("{state} ({missing} missing)"), Tone::Bad),
        };
        sheet.push([
            (line.first_seen_at.map(seconds).unwrap_or_default(), Tone::Plain),
            (line.provider.to_owned(), Tone::Plain),
            (escape::text(&line.bot_id), Tone::Strong),
            state,
            (line.outcome.unwrap_or_default().to_owned(), outcome_tone(line.outcome.unwrap_or_default())),
            (last.map(|event| escape::text(&event.name)).unwrap_or_default(), Tone::Plain),
            (last.and_then(|event| event.received_at).map(seconds).unwrap_or_default(), Tone::Plain),
        ]);
    }
    sheet.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn line(session: &Value) -> Line {
        Line::of(&serde_json::from_value(session.clone()).unwrap())
    }

    #[test]
    fn calendars_are_told_from_bots() {
        let mut session = json!({
            "id": { "provider": "meetingbaas", "subject": "calendar", "id": "c-1" },
            "first_received_at": 1_791_212_102_000_i64,
            "timeline": [],
        });
        let unconnected = line(&session);
        session["calendar"] = json!({
            "connection": { "trust": "verified", "what": "connection_deleted", "heard": { "received_at": 0 } },
            "affected": {},
        });
        let deleted = line(&session);
        session["id"] = json!({ "provider": "meetingbaas", "id": "b-1" });
        let bot = line(&session);
        let expected = "\
2026-10-05 14:55:02\tmeetingbaas\tc-1\tcalendar\t\t\t
2026-10-05 14:55:02\tmeetingbaas\tc-1\tcalendar, connection deleted\t\t\t
2026-10-05 14:55:02\tmeetingbaas\tb-1\tunknown\t\t\t";
        let lines = [unconnected, deleted, bot];
        assert_eq!(render(&lines, Style::PLAIN), expected);
        let json = serde_json::to_value(&lines).unwrap();
        assert_eq!((&json[1]["subject"], &json[2]["subject"]), (&json!("calendar"), &json!("bot")));
        assert!(json[1].get("connection").is_none());
    }

    #[test]
    fn an_attribute_is_a_name_and_a_value() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(["a=b", "a=", "a=b=c"].map(attribute), [pair("a", "b"), pair("a", ""), pair("a", "b=c")]);
        assert!(["", "a", "=b"].iter().all(|text| attribute(text).is_err()));
    }
}
