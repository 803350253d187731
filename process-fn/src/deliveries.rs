//! Deliveries: a batch of them, the message groups in it, and what becomes of each record.

mod batch;
mod group;
mod parse;
mod set_aside;

use crate::{
    backoff::Backoff,
    ports::{bucket::BucketError, publisher::PublishError, queues::commands::NotSent, sessions::StoreError},
};
use std::time::Duration;

/// When a delivery that fails is tried again, and when it is parked.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// On this receive a record that fails again is parked. The queue's own limit is higher, and left for crashes.
    pub park_after_receives: u32,
    /// From this age on a record that fails again is parked, however often it was received. The queue's retention is longer: each
    /// record behind one that failed for hours may fail for hours in its turn, and the queue deletes what is too old.
    pub park_after_age: Duration,
    pub retry: Backoff,
}

impl Policy {
    /// From this age in the queue on, a record that fails is parked at once. The queue forgets a message after 7 days. A record that is
    /// parked after 20 receives takes about 3 hours, and of the ten that were received with it each further one 15 minutes; so a bot
    /// whose every delivery fails gets rid of some 10 in 5 hours, which is about 330 in 7 days, and the queue would forget the rest. From
    /// the third day on a whole batch is parked in one invocation.
    pub const PARK_AFTER_AGE: Duration = Duration::from_secs(3 * 86_400);
}

/// What processes batches of deliveries.
#[derive(Debug)]
pub(crate) struct Deliveries<S> {
    pub services: S,
    pub policy: Policy,
}

/// Why a step must be tried again. Nothing else is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum ProcessError {
    #[error("the record is not one of our messages")]
    Foreign,
    #[error("the record is a message of a version that this code does not know")]
    UnknownVersion,
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    CommandQueue(#[from] NotSent),
    #[error("another invocation saved the session on every attempt")]
    Contended,
    #[error("the invocation's time is up")]
    OutOfTime,
    #[error("the code panicked")]
    Panicked,
}

impl From<StoreError> for ProcessError {
    fn from(error: StoreError) -> Self {
        if error == StoreError::Conflict { Self::Contended } else { Self::Store(error) }
    }
}

impl ProcessError {
    fn code(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::UnknownVersion => "unknown_version",
            Self::Store(StoreError::Invalid) => "store_invalid",
            Self::Store(StoreError::Unreadable) => "session_unreadable",
            Self::Store(StoreError::Conflict | StoreError::Unavailable) => "store_unavailable",
            Self::Bucket(_) => "bucket_unavailable",
            Self::Publish(_) => "publish_failed",
            Self::CommandQueue(_) => "commands_unavailable",
            Self::Contended => "contended",
            Self::OutOfTime => "out_of_time",
            Self::Panicked => "panicked",
        }
    }
}
