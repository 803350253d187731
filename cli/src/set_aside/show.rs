//! `show`: one delivery with its body.

use super::{Show, describe, find};
use crate::{
    bucket::Bucket,
    escape,
    failure::Failure,
    replay::{content::Content, line::Line, open},
    screen,
    stack::Stack,
    words::seconds,
};
use shared::bucket::Folder;
use std::io::{self, IsTerminal as _, Write as _};

/// Width of the names before the body.
const LABEL_WIDTH: usize = 12;

impl Show {
    pub(super) async fn run(self, folder: Folder, stack: &Stack) -> Result<(), Failure> {
        let bucket = Bucket::of(stack);
        for stored in find::by_key(&bucket, folder, &self.key).await?.iter().take(if self.raw { 1 } else { usize::MAX })
        {
            let (Some(line), Some(object)) = (describe(&bucket, stored).await?, bucket.fetch(&stored.key).await?)
            else {
                return Err(Failure::not_found(format!("{} is gone meanwhile", escape::text(&stored.key))));
            };
            let find = |name: &str| object.metadata.get(name).cloned();
            let body = match Content::of_object(find, object.bytes.clone()) {
                Ok(content) => {
                    open(&bucket, content).await?.map_or(object.bytes, |opened| opened.message().body().to_vec())
                }
                Err(_) => object.bytes,
            };
            print(&line, &body, self.raw)?;
        }
        Ok(())
    }
}

/// Prints a delivery: what is known of it and its body, or nothing but the body.
pub(crate) fn print(line: &Line, body: &[u8], is_raw: bool) -> Result<(), Failure> {
    if !is_raw {
        return screen::print(&render(line, body));
    }
    let mut stdout = io::stdout().lock();
    if stdout.is_terminal() {
        return Err(Failure::usage("--raw would send a stranger's bytes to a terminal, which acts on them")
            .help("redirect it to a file, or leave out --raw"));
    }
    stdout.write_all(body)?;
    Ok(stdout.flush()?)
}

fn render(line: &Line, body: &[u8]) -> String {
    let facts = [
        ("key", Some(line.key.clone())),
        ("stored", line.stored_at.map(seconds)),
        ("reason", line.reason.clone()),
        ("refusal", line.refusal.clone()),
        ("provider", line.provider.map(str::to_owned)),
        (line.subject.unwrap_or("bot"), line.bot_id.clone()),
        ("event", line.event.clone()),
        ("received", line.received_at.map(seconds)),
        ("endpoint", line.endpoint.map(str::to_owned)),
        ("accept id", line.accept_id.clone()),
        ("body", Some(format!("{} bytes", body.len()))),
    ];
    let facts = facts.into_iter().filter_map(|(label, value)| Some((label, value?)));
    let facts: Vec<_> = facts.map(|(label, value)| format!("{label:LABEL_WIDTH$}{}", escape::text(&value))).collect();
    format!("{}\n\n{}", facts.join("\n"), harmless(body))
}

/// The bytes as text, line by line as they are but for what a terminal would act on.
fn harmless(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.lines().map(escape::text).collect::<Vec<_>>().join("\n"),
        Err(_) => body.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shown_whole_and_harmless() {
        assert_eq!(harmless(b"{\n  \"a\": 1\r\n}"), "{\n  \"a\": 1\n}");
        assert_eq!(harmless("\u{1b}[31m".as_bytes()), r"\u{1b}[31m");
        assert_eq!(harmless(b"\xff\x1b"), r"\xff\x1b");
    }

    #[test]
    fn what_is_known_stands_before_the_body() {
        let line = Line {
            key: "quarantine/g/a".to_owned(),
            reason: Some("no_bot".to_owned()),
            bot_id: Some("b\u{1b}".to_owned()),
            ..Line::default()
        };
        let expected = "\
key         quarantine/g/a
reason      no_bot
bot         b\\u{1b}
body        2 bytes

{}";
        assert_eq!(render(&line, b"{}"), expected);
    }
}
