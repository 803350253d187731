//! `rollcall parked`, `rollcall quarantine`, `rollcall spool`: deliveries that wait in the bucket, and how they come back.

mod find;
pub(crate) mod show;

use crate::{
    bucket::{Bucket, Stored},
    failure::Failure,
    queue::Queue,
    replay::{
        Fate, Replay,
        content::Content,
        follow,
        line::{self, Line},
        open,
        progress::{Progress, Words},
        selection::{Filter, How, Listing, Which},
    },
    screen::{self, Style},
    stack::{Stack, StackArgs},
};
use clap::{Args, Subcommand};
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::bucket::{Folder, metadata};
use std::time::Duration;

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Action {
    List(List),
    Show(Show),
    /// Put deliveries back into the events queue
    ///
    /// Each one is removed from here only when the queue has confirmed it. Interrupting this, or doing it twice, does no harm:
    /// a delivery that took effect is recognised.
    #[command(after_help = PUT_BACK_HELP)]
    Replay(PutBack),
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum SpoolAction {
    List(List),
    /// Put deliveries into the events queue
    ///
    /// Each one is removed from here only when the queue has confirmed it. Interrupting this, doing it twice or beside the
    /// sweep does no harm: a delivery that took effect is recognised.
    #[command(after_help = PUT_BACK_HELP)]
    Drain(PutBack),
}

const PUT_BACK_HELP: &str = "\
Exits with 0 when all that was selected is in the queue (with --wait: took effect), even if that is nothing; with 1 when \
something was not put back, or failed again; with 3 when there is nothing under a --key.";

/// List them, the longest here first
#[derive(Args, Clone, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    listing: Listing,
}

/// Print one with its body
///
/// The body may contain what people said. What would act on a terminal in it is shown as an escape.
#[derive(Args, Clone, Debug)]
pub(crate) struct Show {
    /// Its key, or its last part, the id
    key: String,
    /// Write nothing but the body's bytes, exactly as they were sent
    #[arg(long)]
    raw: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PutBack {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

impl SpoolAction {
    pub(crate) async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        match self {
            Self::List(list) => list.run(Folder::Spool, &stack, style).await,
            Self::Drain(drain) => drain.run(Folder::Spool, &stack, style).await,
        }
    }
}

impl Action {
    pub(crate) async fn run(self, folder: Folder, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        match self {
            Self::List(list) => list.run(folder, &stack, style).await,
            Self::Show(show) => show.run(folder, &stack).await,
            Self::Replay(replay) => replay.run(folder, &stack, style).await,
        }
    }
}

impl List {
    async fn run(self, folder: Folder, stack: &Stack, style: Style) -> Result<(), Failure> {
        let bucket = Bucket::of(stack);
        let found = find::filtered(&bucket, folder, &self.filter).await?;
        let limit = self.listing.limit.get();
        let reading = stream::iter(found.iter().take(limit)).map(|stored| describe(&bucket, stored));
        let lines: Vec<Option<Line>> = reading.buffered(find::CONCURRENT).try_collect().await?;
        let lines: Vec<Line> = lines.into_iter().flatten().collect();
        if lines.is_empty() && !self.listing.json {
            let nothing = if self.filter.is_empty() { "nothing is" } else { "nothing that matches is" };
            screen::remark(&format!("{nothing} in {} on {}", folder.prefix(), stack.aws.name));
            return Ok(());
        }
        line::print(&lines, self.listing.json, style)?;
        if found.len() > limit {
            screen::remark(&format!("these are {limit} of {}; --limit N shows more", found.len()));
        }
        Ok(())
    }
}

/// What there is to say of an object; `None` if it is gone by now.
async fn describe(bucket: &Bucket<'_>, stored: &Stored) -> Result<Option<Line>, Failure> {
    let Some(object) = bucket.fetch(&stored.key).await? else { return Ok(None) };
    let find = |name: &str| object.metadata.get(name).cloned();
    let line = Line {
        key: stored.key.clone(),
        stored_at: stored.stored_at,
        reason: find(metadata::REASON),
        ..Line::default()
    };
    let content = Content::of_object(find, object.bytes);
    let line = line.with_content(&content);
    Ok(Some(match content {
        Ok(content) => line.with_opened(&open(bucket, content).await?),
        Err(_) => line,
    }))
}

impl PutBack {
    async fn run(self, folder: Folder, stack: &Stack, style: Style) -> Result<(), Failure> {
        let bucket = Bucket::of(stack);
        let found = find::selected(&bucket, folder, &self.which).await?;
        let words = Words { into: "the events queue", dry_run: self.how.dry_run };
        let replay = Replay::new(bucket.clone(), Queue::events(stack), words.dry_run);
        let mut progress = Progress::new(found.len(), words);
        let mut followed = Vec::new();
        let replay = &replay;
        let putting_back =
            stream::iter(&found).map(|stored| async move { (stored, replay.object(folder, &stored.key).await) });
        let mut fates = putting_back.buffer_unordered(find::CONCURRENT);
        while let Some((stored, fate)) = fates.next().await {
            progress.note(&fate.name(&stored.key), &fate)?;
            if let Fate::PutBack(Some(one)) = fate {
                followed.push(one);
            }
        }
        let tally = progress.close();
        screen::print(&tally.summary(words, style))?;
        finish(self.how, stack, &bucket, followed, tally.result(), style).await
    }
}

/// Follows what was put back, if that is asked for, and says how the command ends.
pub(crate) async fn finish(
    how: How,
    stack: &Stack,
    bucket: &Bucket<'_>,
    followed: Vec<follow::Followed>,
    result: Result<(), Failure>,
    style: Style,
) -> Result<(), Failure> {
    if !how.wait || followed.is_empty() {
        return result;
    }
    let ended = follow::follow(stack, bucket, followed, Duration::from_secs(how.timeout)).await?;
    screen::print(&follow::report(&ended, style))?;
    result.and_then(|()| follow::result(&ended))
}
