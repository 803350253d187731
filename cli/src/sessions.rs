//! `rollcall sessions`: the bots and calendars that were heard of in the last days.

use crate::{
    escape,
    failure::Failure,
    screen::{self, Sheet, Style, Tone},
    stack::StackArgs,
    table::{Found, recent},
    timeline::{
        providers,
        rendering::{connection_name, connection_tone, outcome_tone, seconds},
        report::{milliseconds, rfc3339, subject_name},
        state_of_name, states,
    },
};
use clap::{Args, value_parser};
use jiff::Timestamp;
use serde::Serialize;
use shared::{
    OccurredAt, Provider, ReceivedAt, Session,
    ids::Subject,
    session::{State, TimelineLine},
};

/// List the bots and calendars of the last days, newest first
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall sessions
  rollcall sessions --state in_call --days 1
  rollcall sessions --provider meetingbaas
  rollcall sessions --json --days 7 --limit 1000 | jq -r '.[] | select(.outcome == \"failed\") | .bot_id'

Days are counted in UTC, today included, by when it was first heard of.")]
pub struct Sessions {
    /// Only those of this provider
    #[arg(long, value_parser = providers())]
    provider: Option<String>,
    /// Only bots in this state
    #[arg(long, value_parser = states())]
    state: Option<String>,
    /// How many days back
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=3660))]
    days: u32,
    /// How many at most
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
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
    /// Carries the command out.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let wanted = Found {
            provider: self.provider.as_deref().and_then(Provider::from_name),
            state: self.state.as_deref().and_then(state_of_name),
            days: self.days,
            limit: usize::try_from(self.limit).unwrap_or(usize::MAX),
        };
        let now = ReceivedAt(Timestamp::now().as_millisecond());
        let (sessions, unreadable) = recent(&client, &stack, wanted, now).await?;
        let lines: Vec<Line> = sessions.iter().map(Line::of).collect();
        for failure in unreadable {
            screen::remark(&format!("warning: left out: {failure}"));
        }
        if self.json {
            return screen::print(&escape::json(&lines).map_err(|error| Failure::new(error.to_string()))?);
        }
        if lines.is_empty() {
            let state = wanted.state.map(State::as_str).map(|state| format!(" in state {state}")).unwrap_or_default();
            let (of, provider) = self.provider.as_deref().map_or(("", ""), |provider| (" of ", provider));
            screen::remark(&format!(
                "no bots{of}{provider}{state} in the last {} days (UTC) on {}",
                self.days, stack.aws.name
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
    let mut sheet = Sheet::new(columns, &[1, 2, 2, 2]);
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
┌─────────────────────┬─────────────┬─────────────────┬──────────────────────────────┬─────────┬────────────┬────────────────┐
│ first seen (UTC)    ┆ provider    ┆ bot or calendar ┆ state                        ┆ outcome ┆ last event ┆ received (UTC) │
╞═════════════════════╪═════════════╪═════════════════╪══════════════════════════════╪═════════╪════════════╪════════════════╡
│ 2026-10-05 14:55:02 ┆ meetingbaas ┆ c-1             ┆ calendar                     ┆         ┆            ┆                │
│ 2026-10-05 14:55:02 ┆ meetingbaas ┆ c-1             ┆ calendar, connection deleted ┆         ┆            ┆                │
│ 2026-10-05 14:55:02 ┆ meetingbaas ┆ b-1             ┆ unknown                      ┆         ┆            ┆                │
└─────────────────────┴─────────────┴─────────────────┴──────────────────────────────┴─────────┴────────────┴────────────────┘";
        let lines = [unconnected, deleted, bot];
        assert_eq!(render(&lines, Style::PLAIN), expected);
        let json = serde_json::to_value(&lines).unwrap();
        assert_eq!((&json[1]["subject"], &json[2]["subject"]), (&json!("calendar"), &json!("bot")));
        assert!(json[1].get("connection").is_none());
    }
}
