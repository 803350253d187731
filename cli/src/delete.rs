//! `rollcall delete`: nothing of a bot is left, as after the provider's own deletion.
//!
//! Nothing is erased here. `process-fn` is invoked, which has one way of erasing, and this shows what it does.

mod remains;

use crate::{
    bot::{self, BotArgs, as_arguments, name},
    bucket::Bucket,
    failure::Failure,
    invoke,
    screen::{self, Style},
    stack::{Stack, StackArgs},
    words::{milliseconds, seconds},
};
use clap::Args;
use jiff::Timestamp;
use remains::{Remains, Standing};
use serde::Serialize;
use shared::{Command, SessionId, ids::Subject};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How often table and bucket are read while waiting.
const BETWEEN_READS: Duration = Duration::from_secs(1);

/// Delete everything of a bot or a calendar but the record that there was one
///
/// Transcripts, recordings, bodies of deliveries, reasons, custom attributes and the mirrored entries of a calendar are erased
/// from table and bucket, as after the provider's own deletion. No later delivery brings any of it back. The session stays as
/// a tombstone: states, times and delivery keys.
///
/// The process function erases at once; what it does not get done in ten seconds, the next sweep does. After 20 minutes it
/// erases once more, for what was on its way meanwhile, and then publishes data.deleted.
///
/// The provider is not asked for anything: delete there what the provider has.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall delete meetstream 7c1e4a92 --dry-run
  rollcall delete meetstream 7c1e4a92 --wait
  rollcall delete 0b7d3c51 --yes --json
  rollcall delete meetingbaas --calendar 5e0c11d2

Typed again, it says how far the deletion is. Exits with 0 when the data is deleted, is asked to be, or was before; with 1 when \
it is not (with --wait: not in time); with 3 when nothing is known of the bot.")]
pub struct Delete {
    #[command(flatten)]
    bot: BotArgs,
    /// The id is that of a calendar
    #[arg(long)]
    calendar: bool,
    /// Say what would be erased, and change nothing
    #[arg(long, conflicts_with_all = ["yes", "wait"])]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Wait until everything is erased
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
    timeout: u64,
    /// Print one JSON object: what there was, and how far the deletion is
    #[arg(long)]
    json: bool,
}

/// The shape of `rollcall delete --json`.
#[derive(Serialize)]
struct Report<'a> {
    provider: &'static str,
    subject: &'static str,
    bot_id: &'a str,
    /// `kept`, `left_over`, `asked` or `erased`.
    standing: &'static str,
    /// When everything is erased once more, for what was on its way.
    #[serde(serialize_with = "milliseconds")]
    again_at: Option<Timestamp>,
    /// What there was before, by where.
    found: BTreeMap<&'a str, String>,
}

impl Delete {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let subject = if self.calendar { Subject::Calendar } else { Subject::Bot };
        let candidates = self.bot.candidates(subject)?;
        let stack = stack_args.open().await?;
        let bucket = Bucket::of(&stack);
        let found = bot::only(&candidates, async |bot| {
            let found = Remains::read(&stack, &bucket, bot).await?;
            Ok(found.standing().map(|standing| (found, standing)))
        });
        let Some((bot, (found, standing))) = found.await? else {
            return Err(bot::nothing_known(&stack, stack_args, &candidates).await);
        };
        let is_to_be_asked = matches!(standing, Standing::Kept | Standing::LeftOver);
        match is_to_be_asked {
            true if self.json => screen::remark(&found.render(&bot, Style::PLAIN)),
            true => screen::print(&found.render(&bot, style))?,
            false => {}
        }
        if self.dry_run || matches!(standing, Standing::Erased { .. }) {
            if is_to_be_asked {
                screen::remark("nothing was changed: this is what `rollcall delete` without --dry-run erases");
            }
            return self.tell(&bot, &found, standing, !is_to_be_asked);
        }
        if is_to_be_asked {
            let question = format!("Erase all of this of {}? It cannot be undone.", name(&bot));
            let otherwise = "--yes deletes without asking, --dry-run shows what would be erased";
            if !self.yes && !screen::confirmed(&question, otherwise)? {
                return Err(Failure::new("nothing was deleted"));
            }
            invoke::carry_out(&stack, &Command::Delete { session: bot.clone() }).await?;
        }
        if self.wait {
            return self.follow(&stack, &bucket, &bot, &found).await;
        }
        self.tell(&bot, &found, Standing::Asked, true)?;
        screen::remark(&format!(
            "what is not erased yet, the sweep erases within a minute; `rollcall delete{}` says how far it is",
            as_arguments(&bot, stack_args)
        ));
        Ok(())
    }

    /// Prints how far the deletion is.
    fn tell(&self, bot: &SessionId, found: &Remains, standing: Standing, in_words: bool) -> Result<(), Failure> {
        if self.json {
            let again_at = if let Standing::Erased { again_at } = standing { again_at } else { None };
            return screen::print_json(&Report {
                provider: bot.provider.as_str(),
                subject: bot::subject_name(bot.subject),
                bot_id: bot.id.as_sent(),
                standing: standing.as_str(),
                again_at,
                found: found.lines().into_iter().collect(),
            });
        }
        if in_words { screen::print(&standing.sentence(bot)) } else { Ok(()) }
    }

    /// Waits until nothing is left that is to be erased, and says what went.
    async fn follow(
        &self,
        stack: &Stack,
        bucket: &Bucket<'_>,
        bot: &SessionId,
        before: &Remains,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            let found = Remains::read(stack, bucket, bot).await?;
            if let Some(standing @ Standing::Erased { .. }) = found.standing() {
                if !self.json {
                    screen::print(&format!("erased: {}", before.in_a_line()))?;
                }
                self.tell(bot, before, standing, true)?;
                let provider = bot.provider;
                screen::remark(&format!("what {provider} itself has of the bot is still there: delete it there too"));
                return Ok(());
            }
            if Instant::now() >= deadline {
                let what = format!("after {} s there is still left: {}", self.timeout, found.in_a_line());
                return Err(Failure::new(what).help(
                    "it is asked for and goes on by itself: the sweep, once a minute, erases what is left. \
                     --timeout SECONDS waits longer",
                ));
            }
            tokio::time::sleep(BETWEEN_READS).await;
        }
    }
}

/// Deletes a bot without asking anybody, and waits for it: whether it was erased within `limit`; `None` if nothing is known of
/// it.
pub async fn erase(stack: &Stack, bot: &SessionId, limit: Duration) -> Result<Option<bool>, Failure> {
    let bucket = Bucket::of(stack);
    let deadline = Instant::now() + limit;
    let Some(standing) = Remains::read(stack, &bucket, bot).await?.standing() else { return Ok(None) };
    if matches!(standing, Standing::Kept | Standing::LeftOver) {
        invoke::carry_out(stack, &Command::Delete { session: bot.clone() }).await?;
    }
    loop {
        let standing = Remains::read(stack, &bucket, bot).await?.standing();
        if matches!(standing, Some(Standing::Erased { .. })) {
            return Ok(Some(true));
        }
        if Instant::now() >= deadline {
            return Ok(Some(false));
        }
        tokio::time::sleep(BETWEEN_READS).await;
    }
}

impl Standing {
    fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::LeftOver => "left_over",
            Self::Asked => "asked",
            Self::Erased { .. } => "erased",
        }
    }

    /// How far the deletion is, for people.
    fn sentence(self, bot: &SessionId) -> String {
        let bot = name(bot);
        let time = |time: Option<Timestamp>| time.map(seconds).unwrap_or_default();
        match self {
            Self::Kept => format!("the data of {bot} is kept"),
            Self::LeftOver => format!("the data of {bot} was deleted before, and something of it is here"),
            Self::Asked => format!("the data of {bot} is deleted, and is being erased"),
            Self::Erased { again_at: Some(again_at) } => format!(
                "the data of {bot} is deleted; at {} UTC what was on its way meanwhile goes too, and data.deleted is published",
                time(Some(again_at))
            ),
            Self::Erased { again_at: None } => {
                format!("the data of {bot} is deleted already: nothing is left to erase")
            }
        }
    }
}
