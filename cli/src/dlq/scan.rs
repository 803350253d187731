//! Looking through a queue, which means receiving everything in it.

use crate::{
    failure::Failure,
    queue::{BATCH, Depth, HIDDEN_SECONDS, Letter, Queue},
};
use std::collections::{BTreeSet, HashSet};

/// One pass over a queue: every message is shown at most once, and given back in the end.
///
/// Messages of a FIFO queue that are received lock their group until they are deleted or visible again, and a receive gives ten: as
/// many of one group as it can, and the rest of others ("FIFO queue delivery logic in Amazon SQS", under "Receiving messages"). So an
/// eleventh message of a group is not handed out while ten are in flight, and a receive of several groups may have left
/// messages of each of them behind: such a group is given back once and received by itself. What is behind the first ten of a
/// group shows only when those are gone.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    queue: Queue<'a>,
    seen: HashSet<String>,
    held: Vec<Letter>,
    /// Groups of which a full receive may have left something behind.
    cut: BTreeSet<String>,
    /// The group that was given back to be received by itself.
    reopened: Option<String>,
    is_over: bool,
    /// How it was before the pass. SQS counts late, so afterwards it would count what the pass itself has moved.
    before: Depth,
}

/// What a pass could not look at, by the queue's own approximate count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unseen {
    /// Behind others of their group.
    pub(super) behind: usize,
    /// Received by another command and not given back yet.
    pub(super) elsewhere: usize,
}

impl<'a> Scan<'a> {
    pub(super) async fn begin(queue: Queue<'a>) -> Result<Self, Failure> {
        let before = queue.depth().await?;
        Ok(Self {
            queue,
            seen: HashSet::new(),
            held: Vec::new(),
            cut: BTreeSet::new(),
            reopened: None,
            is_over: false,
            before,
        })
    }

    /// About how many messages there are.
    pub(super) fn expected(&self) -> usize {
        self.before.visible
    }

    /// The next messages; none at the end. Each is to be deleted or given to [`Self::hold`].
    pub(super) async fn next(&mut self) -> Result<Vec<Letter>, Failure> {
        while !self.is_over {
            let received = self.queue.receive().await?;
            let groups: BTreeSet<_> = received.iter().filter_map(|letter| letter.group.clone()).collect();
            let is_full = received.len() >= BATCH;
            let (new, again): (Vec<_>, Vec<_>) =
                received.into_iter().partition(|letter| self.seen.insert(letter.id.clone()));
            // What comes a second time, and was not asked for again, was held for too long: everything has been seen.
            self.is_over = again.iter().any(|letter| letter.group.is_none() || letter.group != self.reopened);
            self.held.extend(again);
            if is_full && groups.len() > 1 {
                self.cut.extend(groups);
            }
            if !new.is_empty() {
                return Ok(new);
            }
            self.reopen().await?;
        }
        Ok(Vec::new())
    }

    /// Gives a group back that may have more than was seen of it, or ends the pass if there is none.
    async fn reopen(&mut self) -> Result<(), Failure> {
        self.reopened = self.cut.pop_first().filter(|_| self.seen.len() < self.before.visible);
        self.is_over |= self.reopened.is_none();
        let (group, others) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|letter| self.reopened.is_some() && letter.group == self.reopened);
        self.held = others;
        let group: Vec<_> = group;
        self.queue.release(&group).await
    }

    /// The first messages that are wanted, at most `limit`. All that are received are held.
    pub(super) async fn find(
        &mut self,
        limit: usize,
        is_wanted: impl Fn(&Letter) -> bool,
    ) -> Result<Vec<Letter>, Failure> {
        let mut found = Vec::new();
        while found.len() < limit {
            let letters = self.next().await?;
            if letters.is_empty() {
                break;
            }
            found.extend(letters.iter().filter(|letter| is_wanted(letter)).take(limit - found.len()).cloned());
            letters.into_iter().for_each(|letter| self.hold(letter));
        }
        Ok(found)
    }

    /// Keeps a message until the end, so that it does not come again.
    pub(super) fn hold(&mut self, letter: Letter) {
        self.held.push(letter);
    }

    /// Gives back every message that was held, and says how many were not received.
    ///
    /// # Errors
    /// When the queue does not answer; then what was held comes back by itself.
    pub(super) async fn close(self) -> Result<Unseen, Failure> {
        self.queue.release(&self.held).await?;
        // A pass that was stopped early has nothing to report.
        let behind = if self.is_over { self.before.visible.saturating_sub(self.seen.len()) } else { 0 };
        Ok(Unseen { behind, elsewhere: self.before.hidden })
    }
}

impl Unseen {
    /// What to tell about it; `None` if there is nothing.
    pub(super) fn remark(self) -> Option<String> {
        let Self { behind, elsewhere } = self;
        let behind = (behind > 0)
            .then(|| format!("about {behind} more are behind others of their bots, and show when those are gone"));
        let elsewhere = (elsewhere > 0).then(|| {
            format!(
                "about {elsewhere} are in the hands of another command, or of one that was interrupted: they show within {HIDDEN_SECONDS} seconds"
            )
        });
        let parts: Vec<_> = [behind, elsewhere].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("note: {}", parts.join("; ")))
    }
}

#[cfg(test)]
mod tests;
