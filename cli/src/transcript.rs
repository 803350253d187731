//! `rollcall transcript`: what was said in a meeting.

use crate::{
    artifacts::inventory,
    bot::{self, BotArgs},
    bucket::{self, Bucket},
    escape,
    failure::Failure,
    screen,
    stack::{Stack, StackArgs},
    table,
    words::seconds,
};
use clap::Args;
use jiff::Timestamp;
use shared::{
    Session, SessionId,
    artifacts::{self, NORMALISED, RAW},
    event::Artifact,
    ids::Subject,
    transcript::{Transcript, srt, text, vtt},
};
use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often the bucket is read while waiting.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Print what was said in a meeting
///
/// One line for each thing that somebody said, in order of time. A meeting that was transcribed again has several transcripts;
/// this is the one that was stored last.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall transcript 7c1e4a92
  rollcall transcript meetstream 7c1e4a92 --wait
  rollcall transcript meetstream 7c1e4a92 --vtt > meeting.vtt
  rollcall transcript meetingbaas 0b7d3c51 --json | jq -r '.segments[].speaker' | sort | uniq -c

Exits with 3 when none is stored, with 1 when --wait ends without one.")]
pub struct PrintTranscript {
    #[command(flatten)]
    bot: BotArgs,
    #[command(flatten)]
    form: Form,
    /// Wait until one is stored
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
    timeout: u64,
}

/// How to print it. Without any of these: as text.
#[derive(Args, Clone, Copy, Debug, Default)]
#[expect(clippy::doc_markdown, reason = "the comments are shown to people who type")]
#[group(multiple = false)]
struct Form {
    /// Print it as JSON: speakers, times and single words, in the same shape for every provider
    #[arg(long)]
    json: bool,
    /// Print SubRip captions
    #[arg(long)]
    srt: bool,
    /// Print WebVTT captions
    #[arg(long)]
    vtt: bool,
    /// Print what the provider wrote, byte by byte
    #[arg(long)]
    raw: bool,
}

/// Where the transcript of one run is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Stored<'a> {
    raw: Option<&'a str>,
    normalised: Option<&'a str>,
    stored_at: Option<Timestamp>,
}

impl PrintTranscript {
    pub async fn run(self, stack_args: &StackArgs) -> Result<(), Failure> {
        let candidates = self.bot.candidates(Subject::Bot)?;
        let stack = stack_args.open().await?;
        let bucket = Bucket::of(&stack);
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        let (bot, listed) = loop {
            let found = bot::only(&candidates, async |bot| {
                let folder = artifacts::folder(bot, Artifact::Transcript);
                let listed = bucket.list(&folder).await?;
                Ok(newest(&listed, &folder).is_some().then_some(listed))
            });
            match found.await? {
                Some(found) => break found,
                None if self.wait && Instant::now() < deadline => tokio::time::sleep(BETWEEN_LOOKS).await,
                None => return Err(self.why_none(&stack, stack_args, &candidates).await),
            }
        };
        let stored = newest(&listed, &artifacts::folder(&bot, Artifact::Transcript)).unwrap_or_default();
        let key = match (self.form.raw, stored.raw, stored.normalised) {
            (true, Some(raw), _) => raw,
            (true, None, _) => return Err(Failure::not_found("what the provider wrote is not stored")),
            (false, raw, normalised) => normalised.or(raw).unwrap_or_default(),
        };
        let Some(bucket::Object { bytes: body, .. }) = bucket.fetch(key).await? else {
            return Err(Failure::not_found(format!("{key} was removed in the meantime")));
        };
        let is_terminal = io::stdout().is_terminal();
        if self.form.raw {
            return print_bytes(&body, is_terminal);
        }
        let transcript = read(&bot, key, &body)?;
        screen::print(&self.form.render(&transcript, is_terminal)?)
    }
}

impl PrintTranscript {
    /// That no transcript is stored of any of these, and why, as far as their sessions know.
    async fn why_none(&self, stack: &Stack, stack_args: &StackArgs, candidates: &[SessionId]) -> Failure {
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let now = Timestamp::now().as_second();
        let found = bot::only(candidates, async |bot| table::known(&client, stack, bot, now).await).await;
        let (bot, known) = match found {
            Ok(Some(found)) => found,
            Ok(None) => return bot::nothing_known(stack, stack_args, candidates).await,
            Err(failure) => return failure,
        };
        let session = known.session();
        let (why, help) = why(&bot, session, stack.api_port.is_some(), &bot::as_arguments(&bot, stack_args));
        let what = format!("no transcript of {} is stored on {}: {why}", bot::name(&bot), stack.aws.name);
        if self.wait { Failure::new(what) } else { Failure::not_found(what) }.help(help)
    }
}

/// Why no transcript is stored, and what to do. A local stack asks made-up APIs, which are there only while a command serves them.
fn why(bot: &SessionId, session: Option<&Session>, is_local: bool, arguments: &str) -> (String, String) {
    let lines = inventory(bot, session, None);
    let line = lines.iter().find(|line| line.kind == Artifact::Transcript.as_str());
    let timeline = format!("`rollcall timeline{arguments}` shows what is known");
    match line.map(|line| (line.state, line)) {
        _ if session.is_some_and(Session::is_erased) => ("its data was deleted".to_owned(), timeline),
        Some(("pending", line)) => {
            let due_at = line.due_at.map(seconds).unwrap_or_default();
            let help = if is_local {
                "a local stack can fetch only while a command serves the provider's API: `rollcall send meeting --serve-api` \
                 plays a meeting and serves it"
            } else {
                "--wait waits for it"
            };
            (
                format!("the provider announced one, and the next try to fetch it is due at {due_at} UTC"),
                help.to_owned(),
            )
        }
        Some(("unavailable", line)) => (
            format!("it is unavailable: {}", escape::text(line.reason.as_deref().unwrap_or_default())),
            format!("`rollcall artifacts{arguments} --refetch` asks the provider again"),
        ),
        _ => ("the provider announced none so far".to_owned(), timeline),
    }
}

impl Form {
    fn render(self, transcript: &Transcript, is_terminal: bool) -> Result<String, Failure> {
        let rendered = match self {
            Self { json: true, .. } => {
                return escape::json(transcript).map_err(|error| Failure::new(error.to_string()));
            }
            Self { srt: true, .. } => srt(transcript),
            Self { vtt: true, .. } => vtt(transcript),
            _ => text(transcript),
        };
        let rendered = rendered.trim_end_matches('\n');
        // A file gets every character; right-to-left marks belong to what people said.
        Ok(if is_terminal {
            rendered.split('\n').map(escape::text).collect::<Vec<_>>().join("\n")
        } else {
            rendered.to_owned()
        })
    }
}

/// The run that was stored last, and its objects.
fn newest<'a>(listed: &'a [bucket::Stored], folder: &str) -> Option<Stored<'a>> {
    let mut runs: BTreeMap<&str, Stored<'a>> = BTreeMap::new();
    for object in listed {
        let Some((run, name)) = object.key.strip_prefix(folder).and_then(|rest| rest.split_once('/')) else { continue };
        let stored = runs.entry(run).or_default();
        match name {
            RAW => stored.raw = Some(&object.key),
            NORMALISED => stored.normalised = Some(&object.key),
            _ => continue,
        }
        stored.stored_at = stored.stored_at.max(object.stored_at);
    }
    runs.into_values().filter(|run| run.raw.or(run.normalised).is_some()).max_by_key(|run| run.stored_at)
}

/// A transcript that could not be normalised when it was stored may be readable by now.
fn read(bot: &SessionId, key: &str, body: &[u8]) -> Result<Transcript, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(format!("{key} cannot be read: {error}")).help("--raw prints what the provider wrote")
    };
    if key.ends_with(NORMALISED) {
        return serde_json::from_slice(body).map_err(|error| unreadable(&error));
    }
    Transcript::read(bot, body).map_err(|error| unreadable(&error))
}

fn print_bytes(body: &[u8], is_terminal: bool) -> Result<(), Failure> {
    if is_terminal {
        let text = String::from_utf8_lossy(body);
        return screen::print(&text.lines().map(escape::text).collect::<Vec<_>>().join("\n"));
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(body)?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{Provider, SenderId};

    fn listed(objects: &[(&str, i64)]) -> Vec<bucket::Stored> {
        let stored = |(key, seconds): &(&str, i64)| bucket::Stored {
            key: (*key).to_owned(),
            stored_at: Timestamp::from_second(*seconds).ok(),
            size_bytes: 1,
        };
        objects.iter().map(stored).collect()
    }

    #[test]
    fn the_transcript_that_was_stored_last_is_the_one() {
        let check = |name: &str, objects: &[(&str, i64)], raw: Option<&str>, normalised: Option<&str>| {
            let listed = listed(objects);
            let found = newest(&listed, "p/b/transcript/").map(|run| (run.raw, run.normalised));
            assert_eq!(found.unwrap_or_default(), (raw, normalised), "{name}");
        };
        let (a_raw, a_norm) = ("p/b/transcript/a/raw.json", "p/b/transcript/a/normalised.json");
        let (b_raw, b_norm) = ("p/b/transcript/b/raw.json", "p/b/transcript/b/normalised.json");
        check("nothing", &[], None, None);
        check("one run", &[(a_norm, 2), (a_raw, 1)], Some(a_raw), Some(a_norm));
        check("the later run", &[(a_norm, 5), (a_raw, 4), (b_norm, 3), (b_raw, 2)], Some(a_raw), Some(a_norm));
        check("a later run that is not normalised", &[(a_norm, 2), (a_raw, 1), (b_raw, 3)], Some(b_raw), None);
        check("something else", &[("p/b/transcript/readme", 9), ("p/b/transcript/c/tmp", 9)], None, None);
    }

    fn transcript() -> Transcript {
        let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let body = br#"[{"speaker":"P","transcript":"\u202eolleh \u001b[31m","start_time":1,"end_time":2}]"#;
        read(&bot, "p/b/transcript/a/raw.json", body).unwrap()
    }

    #[test]
    fn terminals_get_nothing_to_act_on_and_files_every_character() {
        let render = |form: Form, is_terminal| form.render(&transcript(), is_terminal).unwrap();
        assert_eq!(render(Form::default(), true), "[0:00:01] P: \\u{202e}olleh [31m");
        assert_eq!(render(Form::default(), false), "[0:00:01] P: \u{202e}olleh [31m");
        let srt = Form { srt: true, ..Form::default() };
        assert_eq!(render(srt, true), "1\n00:00:01,000 --> 00:00:02,000\nP: \\u{202e}olleh [31m");
        let vtt = Form { vtt: true, ..Form::default() };
        assert!(render(vtt, false).starts_with("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v P>"));
        let json = render(Form { json: true, ..Form::default() }, false);
        assert!(json.contains("\\u202eolleh \\u001b[31m"), "{json}");
    }

    #[test]
    fn a_stored_transcript_is_read_in_either_form() {
        let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let stored = serde_json::to_vec(&transcript()).unwrap();
        assert_eq!(read(&bot, "p/b/transcript/a/normalised.json", &stored).unwrap(), transcript());
        let failure = read(&bot, "p/b/transcript/a/raw.json", b"WEBVTT").unwrap_err().to_string();
        assert!(failure.contains("raw.json cannot be read") && failure.contains("--raw"), "{failure}");
    }

    #[test]
    fn where_no_transcript_is_stored_the_reason_and_the_way_out_are_named() {
        let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        let why = |fields: serde_json::Value, is_local| {
            let mut document = serde_json::json!({ "id": bot, "first_received_at": 0, "timeline": [] });
            document.as_object_mut().unwrap().extend(fields.as_object().cloned().unwrap());
            let session: Session = serde_json::from_value(document).unwrap();
            let (why, help) = why(&bot, Some(&session), is_local, " meetstream b");
            format!("{why}; {help}")
        };
        let pending =
            serde_json::json!({ "jobs": { "fetch_transcript": { "wanted": { "moment": 0, "received_at": 0 } } } });
        let given_up = serde_json::json!({ "copies": { "transcript": { "unavailable": "no_key" } } });
        let deleted = serde_json::json!({ "deleted": { "trust": "verified" } });
        for (fields, is_local, expected) in [
            (serde_json::json!({}), false, "announced none so far; `rollcall timeline meetstream b`"),
            (pending.clone(), false, "due at 1970-01-01 00:05:00 UTC; --wait"),
            (pending, true, "`rollcall send meeting --serve-api`"),
            (given_up, false, "unavailable: no_key; `rollcall artifacts meetstream b --refetch`"),
            (deleted, false, "its data was deleted"),
        ] {
            let told = why(fields, is_local);
            assert!(told.contains(expected), "{told}");
        }
    }
}
