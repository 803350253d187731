//! Putting back what was set aside: one way for parked, quarantined and spooled deliveries and for dead letters.
//!
//! A delivery becomes a queue message again ([`content`]), is sent, and is removed from where it was only when the queue has
//! confirmed it. Ending at any point, or doing it twice, does no harm: the session knows a delivery by its accept id, so the
//! worst is that one comes twice and is recognised.
//!
//! # Why an object is taken in hand
//! The function stores a delivery that fails again under the key that it had before. So the object with that key may, the
//! moment after the send, be another one with the same bytes, and removing it would lose the delivery for good. Therefore the
//! object first becomes one under a key that belongs to this run, in the same folder and group; only then is the message sent,
//! and only that object is removed. A spooled delivery never gets its key a second time.

pub mod content;
pub mod follow;
pub mod line;
pub mod progress;
pub mod selection;

use crate::{
    bucket::Bucket,
    escape,
    failure::Failure,
    queue::{Letter, Queue, SendError},
};
use content::{Content, Opened, Refusal, Returning};
use follow::Followed;
use selection::aside;
use shared::{
    Command,
    bucket::{Folder, group_of},
    group,
};
use std::sync::atomic::{AtomicBool, Ordering};

/// One run of a command that puts something back.
#[derive(Debug)]
pub struct Replay<'a> {
    bucket: Bucket<'a>,
    queue: Queue<'a>,
    dry_run: bool,
    /// Names this run in keys.
    run: String,
    /// Set once something failed that is nobody's fault but that of AWS or the way there: the rest would fare no better.
    has_failed: AtomicBool,
}

/// What became of one delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The queue has it, or would get it. With what there is to follow.
    PutBack(Option<Followed>),
    /// It was not sent, and sending it again would be no use.
    Refused(Refusal),
    /// Another command or the sweep has taken it.
    Gone,
    /// It may or may not have arrived; it is still where it was.
    Failed(Failure),
    /// It was not tried, after a failure.
    Left,
}

impl Fate {
    /// Names the delivery, harmless for terminals: by its bot and accept id, or where these are not known by what it is stored as.
    pub fn name(&self, stored_as: &str) -> String {
        match self {
            Self::PutBack(Some(followed)) => followed.name(),
            _ => escape::text(stored_as),
        }
    }
}

impl<'a> Replay<'a> {
    /// A run that puts deliveries into `queue`, or only says what would happen.
    pub fn new(bucket: Bucket<'a>, queue: Queue<'a>, dry_run: bool) -> Self {
        let run = format!("{:08x}", fastrand::u32(..));
        Self { bucket, queue, dry_run, run, has_failed: AtomicBool::new(false) }
    }

    /// Whether something failed, so that there is no use in going on.
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// Puts an object of the bucket back.
    pub async fn object(&self, folder: Folder, key: &str) -> Fate {
        self.guarded(self.put_object_back(folder, key)).await
    }

    /// Puts a delivery's dead letter back. Removing it is the caller's, who received it.
    pub async fn letter(&self, letter: &Letter) -> Fate {
        self.guarded(self.put_letter_back(letter)).await
    }

    /// Puts a command's dead letter back.
    pub async fn command(&self, letter: &Letter) -> Fate {
        self.guarded(self.put_command_back(letter)).await
    }

    async fn guarded(&self, doing: impl Future<Output = Result<Fate, Failure>>) -> Fate {
        if self.has_failed() {
            return Fate::Left;
        }
        doing.await.unwrap_or_else(|failure| {
            self.has_failed.store(true, Ordering::Relaxed);
            Fate::Failed(failure)
        })
    }

    async fn put_object_back(&self, folder: Folder, key: &str) -> Result<Fate, Failure> {
        let Some(object) = self.bucket.fetch(key).await? else { return Ok(Fate::Gone) };
        let find = |name: &str| object.metadata.get(name).cloned();
        let opened = match Content::of_object(find, object.bytes) {
            Ok(content) => open(&self.bucket, content).await?,
            Err(refusal) => Err(refusal),
        };
        let returning = match opened {
            Ok(opened) => opened.returning(group_of(key).unwrap_or_default()),
            Err(refusal) => return Ok(Fate::Refused(refusal)),
        };
        if self.dry_run {
            return Ok(Fate::PutBack(Some(Followed::of(&returning))));
        }
        let in_hand = match aside(key, &self.run) {
            Some(in_hand) if folder != Folder::Spool => {
                if !self.bucket.copy(key, &in_hand).await? {
                    return Ok(Fate::Gone);
                }
                self.bucket.remove(key).await?;
                in_hand
            }
            _ => key.to_owned(),
        };
        let fate = self.send(&returning).await?;
        if matches!(fate, Fate::PutBack(_)) {
            self.bucket.remove(&in_hand).await?;
        }
        Ok(fate)
    }

    async fn put_letter_back(&self, letter: &Letter) -> Result<Fate, Failure> {
        let opened = match Content::of_record(letter.body.clone()) {
            Ok(content) => open(&self.bucket, content).await?,
            Err(refusal) => Err(refusal),
        };
        match opened {
            Ok(opened) => {
                let stored_in = letter.group.as_deref().map(group::in_bucket).unwrap_or_default();
                self.send(&opened.returning(stored_in)).await
            }
            Err(refusal) => Ok(Fate::Refused(refusal)),
        }
    }

    async fn put_command_back(&self, letter: &Letter) -> Result<Fate, Failure> {
        if Command::decode(&letter.body).is_err() {
            return Ok(Fate::Refused(Refusal::Command));
        }
        if self.dry_run {
            return Ok(Fate::PutBack(None));
        }
        match self.queue.send(&letter.body, None).await {
            Ok(()) => Ok(Fate::PutBack(None)),
            Err(SendError::Refused(why)) => Ok(Fate::Refused(Refusal::Queue(why))),
            Err(SendError::Unconfirmed(failure)) => Err(failure),
        }
    }

    async fn send(&self, returning: &Returning) -> Result<Fate, Failure> {
        if !self.dry_run {
            if let Some(body) = &returning.claimed {
                self.bucket.put(&body.key, body.bytes.clone(), &body.metadata).await?;
            }
            match self.queue.send(&returning.text, Some(&returning.message_group)).await {
                Ok(()) => {}
                Err(SendError::Refused(why)) => return Ok(Fate::Refused(Refusal::Queue(why))),
                Err(SendError::Unconfirmed(failure)) => return Err(failure),
            }
        }
        Ok(Fate::PutBack(Some(Followed::of(returning))))
    }
}

/// The delivery with its body, or why it cannot go back.
pub async fn open(bucket: &Bucket<'_>, content: Content) -> Result<Result<Opened, Refusal>, Failure> {
    let found = match content.claimed_key() {
        Some(key) => bucket.fetch(&key).await?.map(|object| object.bytes),
        None => None,
    };
    Ok(content.open(found))
}

#[cfg(test)]
pub(crate) mod tests;
