//! What a list says of one delivery that was set aside: the shape of `--json`, and a row for people.

use super::content::{Content, Opened, Refusal};
use crate::{
    bot::subject_name,
    escape,
    failure::Failure,
    screen::{self, Sheet, Style, Tone},
    words::{milliseconds, seconds},
};
use jiff::Timestamp;
use serde::Serialize;
use shared::message::Head;

/// One delivery that was set aside. No part of it is from its body, but for whose it is and what happened.
#[derive(Clone, PartialEq, Serialize, Debug, Default)]
pub struct Line {
    /// The object's key, or the message's id.
    pub key: String,
    /// Since when it is there; of a dead letter, when it was sent to its first queue.
    #[serde(serialize_with = "milliseconds")]
    pub stored_at: Option<Timestamp>,
    /// A short name of the reason; `null` for dead letters, for which SQS gives none.
    pub reason: Option<String>,
    /// Which accepted request it was.
    pub accept_id: Option<String>,
    /// The endpoint it came through.
    pub endpoint: Option<&'static str>,
    /// When it was taken.
    #[serde(serialize_with = "milliseconds")]
    pub received_at: Option<Timestamp>,
    /// Whose bot or calendar.
    pub provider: Option<&'static str>,
    /// `bot` or `calendar`.
    pub subject: Option<&'static str>,
    pub bot_id: Option<String>,
    /// What happened, in the sender's words; of a command its name.
    pub event: Option<String>,
    pub size_bytes: Option<usize>,
    /// Why it cannot be put back; `null` if it can.
    pub refusal: Option<String>,
}

impl Line {
    /// Adds what is known without the body.
    pub fn with_head(self, head: &Head) -> Self {
        Self {
            accept_id: Some(head.accept_id.to_string()),
            endpoint: Some(head.endpoint.as_str()),
            received_at: head.received_at.timestamp(),
            provider: Some(head.endpoint.provider().as_str()),
            ..self
        }
    }

    /// Adds what is known with the body, or why there is none.
    pub fn with_opened(self, opened: &Result<Opened, Refusal>) -> Self {
        match opened {
            Ok(opened) => {
                let session = opened.session();
                Self {
                    subject: session.as_ref().map(|session| subject_name(session.subject)),
                    bot_id: session.map(|session| session.id.as_sent().to_owned()),
                    event: opened.event().map(|event| event.name),
                    size_bytes: Some(opened.message().body().len()),
                    ..self
                }
            }
            Err(refusal) => self.with_refusal(refusal),
        }
    }

    /// Adds what can be read of it, or why nothing can.
    pub fn with_content(self, content: &Result<Content, Refusal>) -> Self {
        match content {
            Ok(content) => self.with_head(content.head()),
            Err(refusal) => self.with_refusal(refusal),
        }
    }

    /// Adds why it cannot be put back.
    pub fn with_refusal(self, refusal: &Refusal) -> Self {
        Self { refusal: Some(refusal.to_string()), ..self }
    }

    fn row(&self) -> [(String, Tone); 7] {
        let time = |time: Option<Timestamp>| (time.map(seconds).unwrap_or_default(), Tone::Plain);
        let text = |text: Option<&str>, tone| (escape::text(text.unwrap_or_default()), tone);
        let subject = if self.subject == Some("calendar") { "calendar " } else { "" };
        let bot_id = self.bot_id.as_deref().map(|id| format!("{subject}{id}"));
        let can_go_back = self.refusal.as_ref().map(|_| "cannot be put back");
        [
            time(self.received_at.or(self.stored_at)),
            text(self.reason.as_deref(), Tone::Odd),
            text(self.provider, Tone::Plain),
            text(bot_id.as_deref(), Tone::Strong),
            text(self.event.as_deref(), Tone::Plain),
            text(can_go_back, Tone::Bad),
            text(Some(self.key.rsplit('/').next().unwrap_or_default()), Tone::Plain),
        ]
    }
}

/// Prints a list: a table and what hinders those that cannot be put back, or JSON.
pub fn print(lines: &[Line], is_json: bool, style: Style) -> Result<(), Failure> {
    if is_json {
        return screen::print_json(&lines);
    }
    let mut sheet = Sheet::new(
        ["received (UTC)", "reason", "provider", "bot or calendar", "event", "put back", "id"],
        &[2, 2, 2, 1],
        &[4, 0, 1],
    );
    for line in lines {
        sheet.push(line.row());
    }
    screen::print(&sheet.render(style))?;
    for line in lines {
        if let Some(refusal) = &line.refusal {
            screen::remark(&format!("{}: {}", escape::text(&line.key), escape::text(refusal)));
        }
    }
    Ok(())
}
