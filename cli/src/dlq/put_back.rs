//! `replay`.

use super::{Of, PutBack, is_asked_for, is_of, missing, scan::Scan};
use crate::{
    bucket::Bucket,
    failure::Failure,
    queue::{Letter, Queue},
    replay::{
        Fate, Replay,
        follow::Followed,
        progress::{Progress, Tally, Words},
    },
    screen::{self, Style},
    set_aside::finish,
    stack::Stack,
};
use futures_util::{StreamExt, stream};
use shared::SessionId;

/// How many messages are put back at a time: all that one receive gives.
const CONCURRENT: usize = 10;

/// Which dead letters are asked for.
struct Wanted {
    all: bool,
    session: Option<SessionId>,
    /// Those that were not found yet.
    ids: Vec<String>,
}

/// What a pass has come to.
struct Passed {
    tally: Tally,
    followed: Vec<Followed>,
}

impl PutBack {
    pub(super) async fn run(self, of: Of, stack: &Stack, style: Style) -> Result<(), Failure> {
        let (dead, alive, bucket) = (of.dead(stack), of.alive(stack), Bucket::of(stack));
        let mut wanted = Wanted { all: self.all, session: of.session(&self.whose)?, ids: self.ids };
        let words = Words { into: alive.name(), dry_run: self.how.dry_run };
        let replay = Replay::new(bucket.clone(), alive, words.dry_run);
        let mut scan = Scan::begin(dead.clone()).await?;
        let passed = pass(&mut scan, &dead, &replay, of, &mut wanted, words).await;
        let unseen = scan.close().await;
        let Passed { tally, followed } = passed?;
        screen::print(&tally.summary(words, style))?;
        if let Some(remark) = unseen?.remark() {
            screen::remark(&remark);
        }
        finish(self.how, stack, &bucket, followed, tally.result(), style).await?;
        wanted.ids.first().map_or(Ok(()), |id| Err(missing(id, dead.name())))
    }
}

/// Puts back what is wanted and can be seen.
async fn pass(
    scan: &mut Scan<'_>,
    dead: &Queue<'_>,
    replay: &Replay<'_>,
    of: Of,
    wanted: &mut Wanted,
    words: Words,
) -> Result<Passed, Failure> {
    let mut progress = Progress::new(scan.expected(), words);
    let mut followed = Vec::new();
    while !replay.has_failed() && !wanted.is_complete() {
        let letters = scan.next().await?;
        if letters.is_empty() {
            break;
        }
        let (chosen, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| wanted.has(letter));
        others.into_iter().for_each(|letter| scan.hold(letter));
        let putting_back = stream::iter(chosen).map(|letter| put_back(replay, dead, of, letter, words.dry_run));
        let fates: Vec<_> = putting_back.buffered(CONCURRENT).collect().await;
        let mut noted = Ok(());
        for (letter, fate) in fates {
            noted = noted.and_then(|()| progress.note(&fate.name(&letter.id), &fate));
            match fate {
                Fate::PutBack(one) if !words.dry_run => followed.extend(one),
                _ => scan.hold(letter),
            }
        }
        noted?;
    }
    Ok(Passed { tally: progress.close(), followed })
}

impl Wanted {
    fn has(&mut self, letter: &Letter) -> bool {
        if self.all || self.session.is_some() {
            return is_of(letter, self.session.as_ref());
        }
        let before = self.ids.len();
        self.ids.retain(|id| !is_asked_for(letter, id));
        self.ids.len() < before
    }

    /// Whether there is nothing left to look for.
    fn is_complete(&self) -> bool {
        !self.all && self.session.is_none() && self.ids.is_empty()
    }
}

/// Puts a dead letter back, and removes it once the queue has it.
async fn put_back(replay: &Replay<'_>, dead: &Queue<'_>, of: Of, letter: Letter, dry_run: bool) -> (Letter, Fate) {
    let fate = match of {
        Of::Deliveries => replay.letter(&letter).await,
        Of::Commands => replay.command(&letter).await,
    };
    let fate = match fate {
        Fate::PutBack(followed) if !dry_run => match dead.delete(&letter).await {
            Ok(()) => Fate::PutBack(followed),
            Err(failure) => Fate::Failed(failure),
        },
        fate => fate,
    };
    (letter, fate)
}
