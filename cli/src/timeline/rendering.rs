//! The report for people.

use super::report::{ArtifactReport, CalendarReport, EventReport, MissingReport, Report};
use crate::{
    escape,
    screen::{Sheet, Style, Tone},
    words::seconds,
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::Offset};
use shared::session::Disposition;
use std::{cmp::Reverse, fmt::Write as _};

/// Width of the names in the first block.
const LABEL_WIDTH: usize = 11;

/// The most entries of a calendar that are shown by name.
const MAX_ENTRIES: usize = 3;

/// The whole report: the session, then its deliveries.
pub fn render(report: &Report, style: Style) -> String {
    let subject = if report.calendar.is_some() { " calendar" } else { "" };
    let id = style.paint(&escape::text(&report.bot_id), Tone::Strong);
    let mut text = format!("{}{subject} {id}\n", report.provider);
    for (label, value) in facts(report, style) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}{value}", style.paint(&format!("{label:LABEL_WIDTH$}"), Tone::Faint));
    }
    if report.events.is_empty() {
        return text.trim_end().to_owned();
    }
    let dates = Dates::of(&report.events);
    let columns = ["occurred", "received", "kind", "sender's name", "source", "trust", "disposition"];
    let mut sheet = Sheet::new(columns, &[2, 2, 2, 1], &[5, 4, 0, 2]);
    for event in &report.events {
        sheet.push(row(event, dates));
    }
    let day = match dates {
        Dates::AllOn(day) => format!("all on {}, in UTC", day.strftime("%Y-%m-%d")),
        Dates::Various => "times are in UTC".to_owned(),
    };
    format!("{text}\n{}\n{}", sheet.render(style), style.paint(&day, Tone::Faint))
}

/// Whether times need their dates. Meetings seldom do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dates {
    AllOn(Date),
    Various,
}

impl Dates {
    fn of(events: &[EventReport]) -> Self {
        let times = events.iter().flat_map(|event| [event.occurred_at, event.received_at]).flatten();
        let mut days = times.map(|time| Offset::UTC.to_datetime(time).date());
        match days.next() {
            Some(first) if days.all(|day| day == first) => Self::AllOn(first),
            _ => Self::Various,
        }
    }

    fn time(self, time: Option<Timestamp>, precise: bool) -> String {
        let form = match (self, precise) {
            (Self::AllOn(_), false) => "%H:%M:%S",
            (Self::AllOn(_), true) => "%H:%M:%S%.3f",
            (Self::Various, false) => "%Y-%m-%d %H:%M:%S",
            (Self::Various, true) => "%m-%d %H:%M:%S%.3f",
        };
        time.map_or_else(|| "–".to_owned(), |time| time.strftime(form).to_string())
    }
}

fn facts(report: &Report, style: Style) -> Vec<(&'static str, String)> {
    let proof = match report.confirmed {
        Some(true) => format!(", {}", style.paint("confirmed", Tone::Good)),
        Some(false) => format!(", {}", style.paint("unverified, from unsigned callbacks", Tone::Odd)),
        None => String::new(),
    };
    let mut facts = match &report.calendar {
        Some(calendar) => calendar_facts(calendar, style),
        None => vec![("state", format!("{}{proof}", style.paint(report.state, Tone::Strong)))],
    };
    if let Some(outcome) = report.outcome {
        facts.push(("outcome", style.paint(outcome, outcome_tone(outcome))));
    }
    if let Some(reason) = &report.reason {
        facts.push(("reason", escape::text(reason)));
    }
    if let Some(joined_at) = report.joined_at {
        facts.push(("joined", seconds(joined_at)));
    }
    if let Some(ended_at) = report.ended_at {
        let stayed = report.joined_at.map(|joined_at| ended_at.duration_since(joined_at));
        facts.push(("ended", format!("{}{}", seconds(ended_at), stayed.and_then(after).unwrap_or_default())));
    }
    if let Some(attributes) = &report.custom_attributes {
        facts.push(("attributes", escape::text(&attributes.to_string())));
    }
    let mut label = "artifacts";
    for (name, artifact) in &report.artifacts {
        facts.push((std::mem::take(&mut label), artifact_line(name, artifact, style)));
    }
    let mut label = "missing";
    for missing in &report.missing {
        facts.push((std::mem::take(&mut label), missing_line(missing, style)));
    }
    facts
}

fn calendar_facts(calendar: &CalendarReport, style: Style) -> Vec<(&'static str, String)> {
    let connection = match &calendar.connection {
        Some(connection) => {
            let at = connection.occurred_at.map(|time| format!(", {}", seconds(time))).unwrap_or_default();
            format!("{}{at}", style.paint(connection_name(connection.what), connection_tone(connection.what)))
        }
        None => "nothing heard of it".to_owned(),
    };
    let mut entries: Vec<_> = calendar.affected.iter().collect();
    entries.sort_by_key(|(id, last)| (Reverse(**last), *id));
    let shown: Vec<String> = entries.iter().take(MAX_ENTRIES).map(|(id, _)| escape::text(id)).collect();
    let more = if entries.len() > MAX_ENTRIES { ", …" } else { "" };
    let listed = if shown.is_empty() { String::new() } else { format!(": {}{more}", shown.join(", ")) };
    let mut facts = vec![("connection", connection)];
    facts.extend(calendar.last_updated.map(|time| ("updated", seconds(time))));
    facts.push(("entries", format!("{}{listed}", entries.len())));
    facts
}

/// What happened to a calendar's connection, in a word.
pub fn connection_name(what: &'static str) -> &'static str {
    what.strip_prefix("calendar.connection_").unwrap_or(what)
}

/// What that means to people.
pub fn connection_tone(what: &str) -> Tone {
    match what {
        "calendar.connection_error" => Tone::Bad,
        "calendar.connection_deleted" => Tone::Odd,
        _ => Tone::Plain,
    }
}

/// What an outcome means to people.
pub fn outcome_tone(outcome: &str) -> Tone {
    match outcome {
        "completed" => Tone::Good,
        "unknown" | "cancelled" | "" => Tone::Odd,
        _ => Tone::Bad,
    }
}

fn artifact_line(name: &str, artifact: &ArtifactReport, style: Style) -> String {
    let tone = match (artifact.status, artifact.copy) {
        ("failed", _) | (_, Some("unavailable")) => Tone::Bad,
        ("announced", None | Some("stored")) => Tone::Good,
        _ => Tone::Odd,
    };
    let copy = artifact.copy.map(|copy| format!(", {copy}")).unwrap_or_default();
    let mut line = format!("{name:LABEL_WIDTH$}{}", style.paint(&format!("{}{copy}", artifact.status), tone));
    if artifact.trust == "unverified" {
        line = format!("{line} ({})", style.paint("unverified", Tone::Odd));
    }
    match &artifact.reason {
        Some(reason) => format!("{line}  {}", style.paint(&escape::text(reason), Tone::Faint)),
        None => line,
    }
}

fn missing_line(missing: &MissingReport, style: Style) -> String {
    let received = missing.received_at.map(seconds).unwrap_or_default();
    let reason = escape::text(&missing.reason);
    format!("{}, received {received}: {reason}", style.paint(&escape::text(&missing.parked_as), Tone::Bad))
}

fn row(event: &EventReport, dates: Dates) -> [(String, Tone); 7] {
    let (tone, trust_tone) = match event.disposition {
        Disposition::Applied if event.trust == "unverified" => (Tone::Good, Tone::Odd),
        Disposition::Applied => (Tone::Good, Tone::Plain),
        Disposition::Duplicate | Disposition::Ignored => (Tone::Faint, Tone::Faint),
        Disposition::Quarantined | Disposition::Parked => (Tone::Bad, Tone::Plain),
    };
    let quiet = if tone == Tone::Faint { Tone::Faint } else { Tone::Plain };
    [
        (dates.time(event.occurred_at, false), quiet),
        (dates.time(event.received_at, true), quiet),
        (escape::text(&event.kind), quiet),
        (name_and_reason(event), quiet),
        (event.source.to_owned(), quiet),
        (event.trust.to_owned(), trust_tone),
        (event.disposition.as_str().to_owned(), tone),
    ]
}

/// The sender's name, and below it why, where the first block does not say so already.
fn name_and_reason(event: &EventReport) -> String {
    let name = escape::text(&event.name);
    let is_told_above = event.kind == "session.ended" || event.disposition == Disposition::Duplicate;
    match event.reason.as_deref().map(|reason| reason.strip_prefix(&event.name).unwrap_or(reason)) {
        Some(reason) if !is_told_above && !reason.is_empty() => {
            let reason = escape::text(reason.trim_start_matches([':', ' ']));
            if name.is_empty() { reason } else { format!("{name}\n{reason}") }
        }
        _ => name,
    }
}

fn after(stayed: SignedDuration) -> Option<String> {
    let seconds = stayed.as_secs();
    match seconds {
        ..=0 => None,
        1..60 => Some(format!(", after {seconds} s")),
        60..3600 => Some(format!(", after {} min {} s", seconds / 60, seconds % 60)),
        _ => Some(format!(", after {} h {} min", seconds / 3600, seconds % 3600 / 60)),
    }
}

#[cfg(test)]
mod tests;
