//! The lines of a session's deliveries, each a short text for people and 32 bytes of ids that nobody reads.
//!
//! `2026-10-05T14:47:12.771503 +412 ended@meetstream bot.stopped` is: when the sender says it happened, how many milliseconds
//! later we took it, what happened, through which endpoint, and the sender's name for it. What the line before said is left out:
//! the day, and the endpoint. So are `+00:00`, and `session.` before what happened; a `?` stands behind a time without an offset.

use super::{super::TimelineLine, form::Unreadable};
use crate::{
    ids::{AcceptId, DeliveryKey},
    session::Disposition,
    source::Source,
    time::{OccurredAt, ReceivedAt},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IntoDeserializer};

/// The text of one line: alone, with the reason, or with an accept id that is no UUID.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Plain(String),
    WithReason(String, String),
    WithAcceptId(String, Option<String>, String),
}

impl Default for Line {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

pub(super) struct Lines {
    pub(super) lines: Vec<Line>,
    pub(super) ids: Vec<u8>,
}

/// What the line before said.
#[derive(Default)]
struct Before {
    /// As `2026-10-05T`.
    day: String,
    source: Option<Source>,
}

impl Lines {
    pub(super) fn of(entries: &[TimelineLine]) -> Self {
        let mut before = Before::default();
        let (mut lines, mut ids) = (Vec::with_capacity(entries.len()), Vec::with_capacity(32 * entries.len()));
        for entry in entries {
            let uuid = uuid_bytes(entry.accept_id.as_str());
            ids.extend(entry.key.as_bytes());
            ids.extend(uuid.unwrap_or_default());
            let text = before.line(entry);
            lines.push(match (uuid, &entry.reason) {
                (Some(_), None) => Line::Plain(text),
                (Some(_), Some(reason)) => Line::WithReason(text, reason.clone()),
                (None, reason) => Line::WithAcceptId(text, reason.clone(), entry.accept_id.to_string()),
            });
        }
        Self { lines, ids }
    }

    pub(super) fn entries(self) -> Result<Vec<TimelineLine>, Unreadable> {
        let (ids, rest) = self.ids.as_chunks::<16>();
        let (ids, odd) = ids.as_chunks::<2>();
        if !rest.is_empty() || !odd.is_empty() || ids.len() != self.lines.len() {
            return Err(Unreadable::Damaged(format!("{} bytes of ids for {} lines", self.ids.len(), self.lines.len())));
        }
        let mut before = Before::default();
        let entry = |(line, [key, accepted]): (Line, &[[u8; 16]; 2])| {
            let (text, reason, accept_id) = match line {
                Line::Plain(text) => (text, None, None),
                Line::WithReason(text, reason) => (text, Some(reason), None),
                Line::WithAcceptId(text, reason, accept_id) => (text, reason, Some(accept_id)),
            };
            let accept_id = AcceptId::new(accept_id.unwrap_or_else(|| uuid_text(accepted)));
            let unreadable = || Unreadable::Damaged(format!("a line that cannot be read: {text:?}"));
            before.entry(&text, DeliveryKey::from_bytes(*key), accept_id, reason).ok_or_else(unreadable)
        };
        self.lines.into_iter().zip(ids).map(entry).collect()
    }
}

impl Before {
    fn line(&mut self, entry: &TimelineLine) -> String {
        let (occurred, received) = match &entry.occurred_at {
            Some(at) => {
                let late = entry.received_at.0.wrapping_sub(at.moment().as_millisecond());
                (self.shortened(at), format!("{late:+}"))
            }
            None => {
                let received = entry.received_at.timestamp().and_then(|at| OccurredAt::parse(&at.to_string()).ok());
                ("-".to_owned(), received.map_or_else(|| format!("@{}", entry.received_at.0), |at| self.shortened(&at)))
            }
        };
        let kind = match entry.kind.strip_prefix("session.") {
            Some(kind) if !kind.contains('.') => kind.to_owned(),
            _ if entry.kind.contains('.') => entry.kind.clone(),
            _ => format!(".{}", entry.kind),
        };
        let mut line = format!("{occurred} {received} {kind}");
        if self.source != Some(entry.source) {
            self.source = Some(entry.source);
            line.extend(["@", entry.source.as_str()]);
        }
        if entry.disposition != Disposition::default() {
            line.extend(["!", entry.disposition.as_str()]);
        }
        if !entry.name.is_empty() {
            line.extend([" ", &entry.name]);
        }
        line
    }

    fn entry(
        &mut self,
        line: &str,
        key: DeliveryKey,
        accept_id: AcceptId,
        reason: Option<String>,
    ) -> Option<TimelineLine> {
        let mut fields = line.splitn(4, ' ');
        let (occurred, received, what) = (fields.next()?, fields.next()?, fields.next()?);
        let occurred_at =
            if occurred == "-" { None } else { Some(OccurredAt::parse(&self.lengthened(occurred)).ok()?) };
        let received_at = match (&occurred_at, received.strip_prefix('@')) {
            (Some(at), _) => at.moment().as_millisecond().wrapping_add(received.parse().ok()?),
            (None, Some(milliseconds)) => milliseconds.parse().ok()?,
            (None, None) => self.lengthened(received).parse::<Timestamp>().ok()?.as_millisecond(),
        };
        let (what, disposition) = what.split_once('!').map_or((what, None), |(what, name)| (what, Some(name)));
        let (kind, source) = what.split_once('@').map_or((what, None), |(kind, name)| (kind, Some(name)));
        if let Some(name) = source {
            self.source = Some(Source::try_from(name.to_owned()).ok()?);
        }
        let kind = match kind.strip_prefix('.') {
            Some(kind) => kind.to_owned(),
            None if kind.contains('.') => kind.to_owned(),
            None => format!("session.{kind}"),
        };
        let disposition = disposition.map(|name| Disposition::deserialize(name.into_deserializer()));
        Some(TimelineLine {
            key,
            accept_id,
            kind,
            name: fields.next().unwrap_or_default().to_owned(),
            occurred_at,
            received_at: ReceivedAt(received_at),
            source: self.source?,
            disposition: disposition.transpose().map_err(|_: serde::de::value::Error| ()).ok()?.unwrap_or_default(),
            reason,
        })
    }

    /// A time without what the line before said, and without a space; in full, behind a `=`, if that would not bring it back.
    fn shortened(&mut self, at: &OccurredAt) -> String {
        let full = at.as_sent();
        let mut short = full.strip_suffix("+00:00").unwrap_or(full).to_owned();
        if at.assumed_utc() {
            short.push('?');
        }
        if let Some(time) = short.strip_prefix(&self.day).filter(|_| !self.day.is_empty()) {
            short = time.to_owned();
        }
        let mut after = Self { day: self.day.clone(), source: None };
        if short.contains(' ') || after.lengthened(&short) != full {
            return format!("={}", full.replace(' ', "_"));
        }
        self.day = after.day;
        short
    }

    /// The time that [`Before::shortened`] gave this text for.
    fn lengthened(&mut self, short: &str) -> String {
        if let Some(full) = short.strip_prefix('=') {
            return full.replace('_', " ");
        }
        let mut full = match short.split_once('T') {
            Some((day, _)) => {
                self.day = format!("{day}T");
                short.to_owned()
            }
            None => format!("{}{short}", self.day),
        };
        let time = full.get(self.day.len()..).unwrap_or_default();
        if full.ends_with('?') {
            full.pop();
        } else if !time.contains(['Z', '+', '-']) {
            full.push_str("+00:00");
        }
        full
    }
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text.replace('-', ""), &mut bytes).ok()?;
    (uuid_text(&bytes) == text).then_some(bytes)
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = hex::encode(bytes);
    for at in [20, 16, 12, 8] {
        text.insert(at, '-');
    }
    text
}
