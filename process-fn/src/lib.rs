//! One disposition per queued delivery: the function behind the queues.
//!
//! `record → QueueMessage → Event → load → advance (pure) → publish → save → Disposition`
//!
//! Slow work comes from a queue of its own, `message → Command → job`. What must not wait for it, the sweep and deletions, is invoked
//! directly: `payload → Command → sweep → events queue`.
//!
//! # Invariants
//! - A record is acknowledged only when it has one of its five dispositions; an error means exactly "try again".
//! - Deduplication and state change are one conditional write of one document. No lease, no transaction, no second table.
//! - Nothing is remembered between invocations, and nothing of one message group reaches another.
//! - No call to a provider lies between a load and its save.

mod aws;
mod backoff;
#[cfg(test)]
mod composer;
mod config;
mod deliveries;
mod handler;
mod invocation;
mod jobs;
mod log;
mod ports;

pub use aws::Aws;
pub use backoff::Backoff;
pub use config::Config;
pub use deliveries::Policy;
pub use handler::{Answer, Function, NoAnswer, Payload, Settings, handle, handle_at};
pub use jobs::JobSettings;
pub use ports::{
    Services,
    bucket::{Bucket, BucketError, Listed, Object, S3Bucket, UploadError, Uploaded},
    providers::{
        AccountSettings, ApiError, ApiSettings, Cause, Download, Entries, MAX_ANSWER_BYTES, Patience, ProviderApi,
        Providers, Refusal,
    },
    publisher::{EventBridge, PublishError, Publisher},
    queues::{
        commands::{CommandQueue, NotSent, SqsCommands},
        events::{EventsQueue, Message, QueueError, SqsEvents},
        record::Record,
    },
    sessions::{DUE_PER_SHARD, DueSessions, DynamoStore, Loaded, Recorded, SessionStore, StoreError, Version},
};
#[cfg(any(test, feature = "testing"))]
pub use ports::{
    bucket::contract::bucket_contract,
    sessions::{contract, memory::MemoryStore},
};

use platform::aws::CallBudget;
use std::time::Duration;

/// How long one AWS call may take. The queue delivers again whatever fails, so a short call beats a patient one.
pub const AWS_CALL_BUDGET: CallBudget =
    CallBudget { total: Duration::from_secs(5), attempt: Duration::from_secs(2), attempts: 3 };
