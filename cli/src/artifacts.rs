//! `rollcall artifacts`: what is stored of a bot's meeting, what is on its way, and what there will never be.

mod download;
mod inventory;

pub use inventory::{Line, inventory};

use crate::{
    bucket::Bucket,
    escape,
    failure::Failure,
    invoke,
    screen::{self, Sheet, Style, Tone},
    stack::{Stack, StackArgs},
    table::{self, Found, Known, recent},
    timeline::{providers, rendering::seconds, session_id},
};
use clap::{Args, builder::PossibleValuesParser, value_parser};
use jiff::Timestamp;
use shared::{
    Command, Provider, ReceivedAt, Session, SessionId,
    artifacts::{self, KINDS, SHA256_TAG},
    event::Artifact,
    ids::Subject,
    session::StoredCopy,
};
use std::path::PathBuf;

/// List what is stored of a bot's meeting, or bring it here
///
/// One line for each transcript, sound and picture:
///
///   stored       it is in the bucket
///   earlier      an older one, of a meeting that was transcribed again
///   carried      it came with its delivery and waits for its place
///   pending      it is on its way: when it is tried next
///   unavailable  there is none and will be none: why
///   not_kept     the provider has it, and this stack keeps no recordings
///   missing      it was stored, and somebody removed it from the bucket
///
/// Without a bot: those of the last days, as far as their sessions know.
#[derive(Args, Clone, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  rollcall artifacts
  rollcall artifacts meetstream 7c1e4a92
  rollcall artifacts meetstream 7c1e4a92 --json | jq -r '.[].key'
  rollcall artifacts meetstream 7c1e4a92 --kind video --download ./recordings
  rollcall artifacts meetstream 7c1e4a92 --refetch

Files arrive under FOLDER with the bucket's own names, and only as a whole: each
is checked against its checksum before it gets its name.

--refetch asks for what is unavailable: when an API key was entered since, or the
provider is back. All tries begin anew.

Exits with 3 when nothing is known of the bot, or there is nothing to download, or
nothing was given up."
)]
#[expect(clippy::doc_markdown, reason = "the comments are shown to people who type")]
pub struct Artifacts {
    /// Whose bot it was
    #[arg(value_parser = providers())]
    provider: Option<String>,
    /// The provider's id of the bot, exactly as it sent it
    #[arg(value_name = "BOT ID", requires = "provider")]
    id: Option<String>,
    /// Only this kind; can be given more than once
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Vec<String>,
    /// Ask the provider again for what was given up
    #[arg(long, requires = "id", conflicts_with_all = ["download", "json"])]
    refetch: bool,
    /// Bring what is stored to a folder on this machine
    #[arg(long, value_name = "FOLDER", requires = "id", conflicts_with = "json")]
    download: Option<PathBuf>,
    /// Without a bot: how many days back
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=3660), conflicts_with = "id")]
    days: u32,
    /// Without a bot: how many bots at most
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..), conflicts_with = "id")]
    limit: u32,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.map(Artifact::as_str))
}

impl Artifacts {
    /// Carries the command out.
    ///
    /// # Errors
    /// When nothing is known of the bot, something cannot be read, or a file is not what it should be.
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let bot = match (&self.provider, &self.id) {
            (Some(provider), Some(id)) => Some(session_id(provider, Subject::Bot, id)?),
            _ => None,
        };
        let stack = stack_args.open().await?;
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let Some(bot) = bot else { return self.list_recent(&stack, &client, style).await };
        let bucket = Bucket::of(&stack);
        let now = Timestamp::now().as_second();
        let known = table::known(&client, &stack, &bot, now).await?;
        let listed = bucket.list(&artifacts::prefix(&bot)).await?;
        if known.is_none() && listed.is_empty() {
            return Err(nothing_known(&bot, &stack, stack_args));
        }
        let session = known.as_ref().and_then(|known| known.session.as_ref()).map(|(session, _)| session);
        let mut lines = self.wanted(inventory(&bot, session, Some(&listed)));
        if self.refetch {
            return self.ask_again(&stack, &bot, session).await;
        }
        for line in &mut lines {
            if let (None, Some(key)) = (&line.sha256, &line.key) {
                line.sha256 = bucket.tag(key, SHA256_TAG).await?;
            }
        }
        match &self.download {
            Some(folder) => download::all(&bucket, &lines, folder).await,
            None => self.print(&lines, style, &why_none(&bot, known.as_ref())),
        }
    }

    /// Has the function ask for what was given up.
    async fn ask_again(&self, stack: &Stack, bot: &SessionId, session: Option<&Session>) -> Result<(), Failure> {
        let given_up = session.map(given_up).unwrap_or_default();
        let is_wanted =
            |artifact: &Artifact| self.kind.is_empty() || self.kind.iter().any(|kind| kind == artifact.as_str());
        let wanted: Vec<_> = given_up.into_iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            return Err(Failure::not_found("nothing was given up that could be asked for again")
                .help("`rollcall artifacts` without --refetch shows what is stored, on its way or unavailable"));
        }
        for artifact in wanted {
            let command = Command::Refetch { session: bot.clone(), artifact: Some(artifact) };
            invoke::carry_out(stack, &command).await?;
            screen::print(&format!("asked for again: {}", artifact.as_str()))?;
        }
        Ok(())
    }

    async fn list_recent(&self, stack: &Stack, client: &aws_sdk_dynamodb::Client, style: Style) -> Result<(), Failure> {
        let wanted = Found {
            provider: self.provider.as_deref().and_then(Provider::from_name),
            state: None,
            days: self.days,
            limit: usize::try_from(self.limit).unwrap_or(usize::MAX),
        };
        let (sessions, unreadable) =
            recent(client, stack, wanted, ReceivedAt(Timestamp::now().as_millisecond())).await?;
        for failure in unreadable {
            screen::remark(&format!("warning: left out: {failure}"));
        }
        let bots = sessions.iter().filter(|session| session.id().subject == Subject::Bot);
        let lines = bots.flat_map(|session| inventory(session.id(), Some(session), None)).collect();
        let none = format!("no artifact was heard of in the last {} days on {}", self.days, stack.aws.name);
        self.print(&self.wanted(lines), style, &none)
    }

    fn wanted(&self, lines: Vec<Line>) -> Vec<Line> {
        let is_wanted = |line: &Line| self.kind.is_empty() || self.kind.iter().any(|kind| kind == line.kind);
        lines.into_iter().filter(is_wanted).collect()
    }

    fn print(&self, lines: &[Line], style: Style, none: &str) -> Result<(), Failure> {
        if self.json {
            return screen::print(&escape::json(&lines).map_err(|error| Failure::new(error.to_string()))?);
        }
        if lines.is_empty() {
            screen::remark(none);
            return Ok(());
        }
        screen::print(&render(lines, style))
    }
}

/// That nothing is known of a bot, and how to find those of which something is.
pub(crate) fn nothing_known(bot: &SessionId, stack: &Stack, stack_args: &StackArgs) -> Failure {
    let shown = escape::text(bot.id.as_sent());
    let what = format!("nothing is known of {} bot \"{shown}\" on {}", bot.provider, stack.aws.name);
    Failure::not_found(what).help(format!(
        "`rollcall sessions{}` lists the bots of these days, with their ids; a delivery takes a moment",
        stack_args.as_flags()
    ))
}

/// What was given up of a bot's artifacts.
fn given_up(session: &Session) -> Vec<Artifact> {
    let is_given_up =
        |(artifact, copy): (&Artifact, &StoredCopy)| matches!(copy, StoredCopy::Unavailable(_)).then_some(*artifact);
    session.copies().iter().filter_map(is_given_up).collect()
}

fn why_none(bot: &SessionId, known: Option<&Known>) -> String {
    let session = known.and_then(|known| known.session.as_ref());
    let shown = escape::text(bot.id.as_sent());
    if session.is_some_and(|(session, _)| session.is_erased()) {
        return format!("nothing is stored of {} bot \"{shown}\": its data was deleted", bot.provider);
    }
    format!("no artifact of {} bot \"{shown}\" was heard of so far", bot.provider)
}

fn render(lines: &[Line], style: Style) -> String {
    let columns = ["bot", "artifact", "state", "version", "size", "content type", "stored (UTC)", "SHA-256", "key"];
    let mut sheet = Sheet::new(columns, &[2, 2, 2, 2, 1]);
    for line in lines {
        let text = |text: &Option<String>| (text.as_deref().map(escape::text).unwrap_or_default(), Tone::Plain);
        let tone = match line.state {
            "stored" => Tone::Good,
            "pending" | "carried" | "not_kept" => Tone::Odd,
            "unavailable" | "missing" => Tone::Bad,
            _ => Tone::Plain,
        };
        let detail = match (&line.reason, line.due_at) {
            (Some(reason), _) => format!(": {}", escape::text(reason)),
            (None, Some(due_at)) => format!(", due {}", seconds(due_at)),
            _ => String::new(),
        };
        sheet.push([
            (format!("{} {}", line.provider, escape::text(&line.bot_id)), Tone::Strong),
            (line.kind.to_owned(), Tone::Plain),
            (format!("{}{detail}", line.state), tone),
            text(&line.version),
            (line.size_bytes.map(screen::size).unwrap_or_default(), Tone::Plain),
            text(&line.content_type),
            (line.stored_at.map(seconds).unwrap_or_default(), Tone::Plain),
            // Enough to compare by eye; `--json` has all of it.
            (line.sha256.as_deref().map(|sum| sum.chars().take(12).collect()).unwrap_or_default(), Tone::Faint),
            text(&line.key),
        ]);
    }
    sheet.render(style)
}
