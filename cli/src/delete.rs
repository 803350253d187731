//! `rollcall delete`: nothing of a bot is left, as after the provider's own deletion.
//!
//! Nothing is erased here. `process-fn` is invoked, which has one way of erasing, and this shows what it does.

mod remains;

use crate::{
    artifacts::nothing_known,
    bucket::Bucket,
    escape,
    failure::Failure,
    invoke,
    screen::{self, Style},
    stack::{Stack, StackArgs},
    timeline::{providers, rendering::seconds, session_id},
};
use clap::Args;
use jiff::Timestamp;
use remains::{Remains, Standing};
use shared::{Command, SessionId, ids::Subject};
use std::time::{Duration, Instant};

/// How often it is looked while waiting.
const WAIT_BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Delete everything of a bot, or of a calendar, but the record that there was one
///
/// Transcripts, recordings, bodies of deliveries, reasons and custom attributes
/// go, in table and bucket, as they do after the provider's own deletion, and so do
/// the mirrored entries of a calendar with their titles; and no delivery that comes
/// later brings any of it back. What stays is the session
/// without words: states, times and delivery keys, as a tombstone.
///
/// The function behind the queues does it, at once; what it does not get done in
/// ten seconds, the next sweep does. After 20 minutes it does it once more, for
/// what was on its way meanwhile, and then publishes data.deleted.
///
/// The provider is not asked for anything: what it has, it keeps until you delete
/// it there.
#[derive(Args, Clone, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  rollcall delete meetstream 7c1e4a92 --dry-run
  rollcall delete meetstream 7c1e4a92 --wait
  rollcall delete meetingbaas 0b7d3c51 --yes
  rollcall delete meetingbaas --calendar 5e0c11d2

Typed again, it says how far the deletion is. Exits with 0 when the bot's data is
deleted, is asked to be, or was before; with 1 when it is not (with --wait: not in
time); with 3 when nothing is known of the bot."
)]
pub struct Delete {
    /// Whose bot it is
    #[arg(value_parser = providers())]
    provider: String,
    /// The provider's id of the bot, exactly as it sent it
    #[arg(value_name = "BOT ID", required_unless_present = "calendar")]
    id: Option<String>,
    /// A calendar instead of a bot, by the provider's id of it
    #[arg(long, value_name = "CALENDAR ID", conflicts_with = "id")]
    calendar: Option<String>,
    /// Say what would go, and change nothing
    #[arg(long, conflicts_with_all = ["yes", "wait"])]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Wait until it is erased
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wait")]
    timeout: u64,
}

impl Delete {
    /// Carries the command out.
    ///
    /// # Errors
    /// When nothing is known of the bot, nobody confirms, or the functions do not do it in time.
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let (subject, id) = match (&self.id, &self.calendar) {
            (_, Some(calendar)) => (Subject::Calendar, calendar),
            (id, None) => (Subject::Bot, id.as_ref().ok_or_else(|| Failure::usage("no bot is named"))?),
        };
        let bot = session_id(&self.provider, subject, id)?;
        let stack = stack_args.open().await?;
        let bucket = Bucket::of(&stack);
        let found = Remains::read(&stack, &bucket, &bot).await?;
        let Some(standing) = found.standing() else { return Err(nothing_known(&bot, &stack, stack_args)) };
        match standing {
            Standing::Erased { .. } => return screen::print(&standing.sentence(&bot)),
            Standing::Asked if self.dry_run => return screen::print(&standing.sentence(&bot)),
            Standing::Asked => screen::print(&standing.sentence(&bot))?,
            Standing::Kept | Standing::LeftOver => {
                screen::print(&found.render(&bot, style))?;
                if self.dry_run {
                    screen::remark("nothing was changed: this is what `rollcall delete` without --dry-run erases");
                    return Ok(());
                }
                let question = format!("Erase all of this of {}? It cannot be undone.", name(&bot));
                let otherwise = "--yes deletes without asking, --dry-run shows what would go";
                if !self.yes && !screen::confirmed(&question, otherwise)? {
                    return Err(Failure::new("nothing was deleted"));
                }
                invoke::carry_out(&stack, &Command::Delete { session: bot.clone() }).await?;
            }
        }
        if self.wait {
            return self.follow(&stack, &bucket, &bot, &found).await;
        }
        let id = escape::shell(bot.id.as_sent());
        let id = if subject == Subject::Calendar { format!("--calendar {id}") } else { id };
        screen::print("deleted: what is not erased yet, the sweep erases within a minute")?;
        screen::remark(&format!("`rollcall delete {} {id}{}` says how far it is", bot.provider, stack_args.as_flags()));
        Ok(())
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
                screen::print(&format!("erased: {}", before.in_a_line()))?;
                screen::print(&standing.sentence(bot))?;
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
            tokio::time::sleep(WAIT_BETWEEN_LOOKS).await;
        }
    }
}

/// Deletes a bot without asking anybody, and waits for it: whether it was erased within `limit`; `None` if nothing is known of
/// it.
///
/// # Errors
/// When table or bucket cannot be read, or the functions cannot be asked.
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
        tokio::time::sleep(WAIT_BETWEEN_LOOKS).await;
    }
}

/// What to call whatever is deleted.
fn name(session: &SessionId) -> String {
    let subject = if session.subject == Subject::Calendar { "calendar" } else { "bot" };
    format!("{} {subject} \"{}\"", session.provider, escape::text(session.id.as_sent()))
}

impl Standing {
    /// How far the deletion is, for people.
    fn sentence(self, bot: &SessionId) -> String {
        let bot = name(bot);
        let time = |time: Option<Timestamp>| time.map(seconds).unwrap_or_default();
        match self {
            Self::Kept => format!("the data of {bot} is kept"),
            Self::LeftOver => format!("the data of {bot} was deleted before, and something of it is here"),
            Self::Asked => format!("the data of {bot} is being deleted: it is on its way to be erased"),
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
