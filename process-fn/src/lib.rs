//! One outcome per queued delivery: the function behind the queues.
//!
//! `record → QueueMessage → Event → store.load → advance (pure) → publish → store.save → Disposition`
//!
//! Slow work comes from a queue of its own, `message → Command → job`; what must not wait for it, the sweep and deletions, is
//! invoked directly: `payload → Command → sweep → requeue`.
//!
//! # Invariants
//! - A record is acknowledged only when it has met one of its five ends; an error means exactly "try again".
//! - Dedup and state change are one conditional write of one document. No lease, no transaction, no second table.
//! - Nothing is kept between invocations, and nothing of one message group reaches another.
//! - No call to a provider between load and save.

mod config;
mod deliveries;
mod handler;
mod invocation;
mod jobs;
mod log;
mod ports;

pub use config::Config;
pub use deliveries::{Policy, Processor};
pub use handler::{Answer, Function, NoAnswer, Payload, handle, handle_at};
pub use jobs::{
    JobRunner, TranscriptPlaces,
    command::{CommandHandler, NotDone},
    sweep::{NotSwept, Sweep},
};
pub use log::Swept;
pub use ports::{
    bucket::{
        Kept, Listed, S3Vault, Vault, VaultError,
        uploads::{Archive, ArchiveError, S3Archive, Stored},
    },
    providers::{
        AccountSettings, ApiError, ApiSettings, Cause, Download, Entries, MAX_ANSWER_BYTES, Patience, ProviderApi,
        Providers, Refusal,
    },
    publisher::{EventBridge, PublishError, Publisher},
    queues::{
        commands::{CommandQueue, NotSent, SqsCommands},
        record::Record,
        redelivery::{Redelivery, SqsRedelivery},
        requeue::{Requeue, RequeueError, Returned, SqsRequeue},
    },
    sessions::{DUE_PER_SHARD, DueSessions, DynamoStore, Loaded, Recorded, SessionStore, StoreError, Version},
};
#[cfg(any(test, feature = "testing"))]
pub use ports::{
    bucket::{contract::vault_contract, memory::MemoryVault, uploads::memory::MemoryArchive},
    providers::memory::{File, MemoryApi},
    sessions::{contract, memory::MemoryStore},
};

use platform::aws::CallBudget;
use std::time::Duration;

/// How long one AWS call may take. The queue delivers again what fails, so a short call beats a patient one.
pub const AWS_CALL_BUDGET: CallBudget =
    CallBudget { total: Duration::from_secs(5), attempt: Duration::from_secs(2), attempts: 3 };
