//! `rollcall artifacts`: what is stored of a bot's meeting, what is on its way, and what there will never be.

mod download;
mod inventory;

pub use inventory::{Line, inventory};

use crate::{
    bot::{self, BotArgs},
    bucket::Bucket,
    escape,
    failure::Failure,
    invoke,
    screen::{self, Sheet, Style, Tone},
    stack::{Stack, StackArgs},
    table::{self, Known, Wanted, recent},
    words::{seconds, size},
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
use std::{num::NonZeroUsize, path::PathBuf};

/// List the stored transcript and recordings of a bot, or download them
///
/// Without a bot: those of the bots of the last days, as far as their sessions know.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
States:
  stored       it is in the bucket
  earlier      an older version, of a meeting that was transcribed again
  carried      it came inside of a webhook, and waits to be stored
  pending      it will be fetched: when the next try is due
  unavailable  it was given up, and why
  not_kept     the provider has it, and this stack copies no recordings
  missing      it was stored, and somebody removed it from the bucket

Examples:
  rollcall artifacts
  rollcall artifacts meetstream
  rollcall artifacts 7c1e4a92
  rollcall artifacts meetstream 7c1e4a92 --json | jq -r '.[].key'
  rollcall artifacts meetstream 7c1e4a92 --kind video --download ./recordings
  rollcall artifacts meetstream 7c1e4a92 --refetch

--download writes each file under FOLDER with its key as the name, and only after its checksum was compared. \
--refetch asks the provider again for what is unavailable, for example after an API key was entered; the tries begin anew.

Exits with 3 when nothing is known of the bot, or there is nothing to download or to ask for again.")]
pub struct Artifacts {
    /// The provider, meetstream or meetingbaas. Without it, the id of a bot that only one of them has
    #[arg(value_name = "PROVIDER or ID")]
    first: Option<String>,
    /// The provider's id of the bot, exactly as the provider sends it
    #[arg(value_name = "ID")]
    second: Option<String>,
    /// Only this kind; can be given more than once
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Vec<String>,
    /// Ask the provider again for what was given up
    #[arg(long, requires = "first", conflicts_with_all = ["download", "json"])]
    refetch: bool,
    /// Download what is stored to a folder on this machine
    #[arg(long, value_name = "FOLDER", requires = "first", conflicts_with = "json")]
    download: Option<PathBuf>,
    /// Without a bot: how many days back
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..=3660))]
    days: u32,
    /// Without a bot: how many bots at most
    #[arg(long, default_value = "50")]
    limit: NonZeroUsize,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.map(Artifact::as_str))
}

impl Artifacts {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let provider = self.first.as_deref().and_then(Provider::from_name);
        let named = self.first.clone().map(|first| BotArgs { first, second: self.second.clone() });
        let named = named.filter(|named| provider.is_none() || named.second.is_some());
        if named.is_none() && (self.refetch || self.download.is_some()) {
            return Err(Failure::usage("--download and --refetch are about one bot").help("add its id"));
        }
        let candidates = named.map(|named| named.candidates(Subject::Bot)).transpose()?;
        let stack = stack_args.open().await?;
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let Some(candidates) = candidates else {
            return self.list_recent(&stack, &client, provider, style).await;
        };
        let bucket = Bucket::of(&stack);
        let now = Timestamp::now().as_second();
        let found = bot::only(&candidates, async |bot| {
            let known = table::known(&client, &stack, bot, now).await?;
            let listed = bucket.list(&artifacts::prefix(bot)).await?;
            Ok((known.is_some() || !listed.is_empty()).then_some((known, listed)))
        });
        let Some((bot, (known, listed))) = found.await? else {
            return Err(bot::nothing_known(&stack, stack_args, &candidates).await);
        };
        let session = known.as_ref().and_then(Known::session);
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

    async fn list_recent(
        &self,
        stack: &Stack,
        client: &aws_sdk_dynamodb::Client,
        provider: Option<Provider>,
        style: Style,
    ) -> Result<(), Failure> {
        let wanted = Wanted { provider, days: self.days, limit: self.limit.get(), ..Wanted::default() };
        let (sessions, unreadable) =
            recent(client, stack, wanted, ReceivedAt(Timestamp::now().as_millisecond())).await?;
        for failure in unreadable {
            screen::remark(&format!("warning: left out: {failure}"));
        }
        let bots = sessions.iter().filter(|session| session.id().subject == Subject::Bot);
        let lines = bots.flat_map(|session| inventory(session.id(), Some(session), None)).collect();
        let none = format!("no provider announced an artifact in the last {} days on {}", self.days, stack.aws.name);
        self.print(&self.wanted(lines), style, &none)
    }

    fn wanted(&self, lines: Vec<Line>) -> Vec<Line> {
        let is_wanted = |line: &Line| self.kind.is_empty() || self.kind.iter().any(|kind| kind == line.kind);
        lines.into_iter().filter(is_wanted).collect()
    }

    fn print(&self, lines: &[Line], style: Style, none: &str) -> Result<(), Failure> {
        if self.json {
            return screen::print_json(&lines);
        }
        if lines.is_empty() {
            screen::remark(none);
            return Ok(());
        }
        screen::print(&render(lines, style))
    }
}

/// What was given up of a bot's artifacts.
fn given_up(session: &Session) -> Vec<Artifact> {
    let is_given_up =
        |(artifact, copy): (&Artifact, &StoredCopy)| matches!(copy, StoredCopy::Unavailable(_)).then_some(*artifact);
    session.copies().iter().filter_map(is_given_up).collect()
}

fn why_none(bot: &SessionId, known: Option<&Known>) -> String {
    if known.and_then(Known::session).is_some_and(Session::is_erased) {
        return format!("nothing is stored of {}: its data was deleted", bot::name(bot));
    }
    format!("the provider announced no artifact of {} so far", bot::name(bot))
}

fn render(lines: &[Line], style: Style) -> String {
    let columns = ["bot", "artifact", "state", "version", "size", "content type", "stored (UTC)", "SHA-256", "key"];
    let mut sheet = Sheet::new(columns, &[2, 2, 2, 2, 1], &[7, 5, 6, 3, 4]);
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
            (line.size_bytes.map(size).unwrap_or_default(), Tone::Plain),
            text(&line.content_type),
            (line.stored_at.map(seconds).unwrap_or_default(), Tone::Plain),
            // Enough to compare by eye; `--json` has all of it.
            (line.sha256.as_deref().map(|sum| sum.chars().take(12).collect()).unwrap_or_default(), Tone::Faint),
            text(&line.key),
        ]);
    }
    sheet.render(style)
}
