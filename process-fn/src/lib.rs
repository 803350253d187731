//! One outcome per queued delivery: the function behind the queues.
//!
//! `record → QueueMessage → Event → store.load → advance (pure) → publish → store.save → Disposition`
//!
//! Slow work comes from a queue of its own, `message → Command → errand`; what must not wait for it, the sweep and deletions, is
//! invoked directly: `payload → Command → sweep → requeue`.
//!
//! # Invariants
//! - A record is acknowledged only when it has met one of its five ends; an error means exactly "try again".
//! - Dedup and state change are one conditional write of one document. No lease, no transaction, no second table.
//! - Nothing is kept between invocations, and nothing of one message group reaches another.
//! - No call to a provider between load and save.

mod api;
mod archive;
mod batch;
mod command;
mod commands;
mod config;
mod errand;
mod function;
mod log;
mod process;
mod publish;
mod record;
mod redelivery;
mod requeue;
mod store;
mod sweep;
#[cfg(test)]
mod throughput;
mod vault;

#[cfg(any(test, feature = "testing"))]
pub use api::memory::{File, MemoryApi};
pub use api::{
    AccountSettings, ApiError, ApiSettings, Cause, Download, Entries, MAX_ANSWER_BYTES, Patience, ProviderApi,
    Providers, Refusal,
};
#[cfg(any(test, feature = "testing"))]
pub use archive::memory::MemoryArchive;
pub use archive::{Archive, ArchiveError, S3Archive, Stored};
pub use command::{Commander, NotDone};
pub use commands::{Commands, NotSent, SqsCommands};
pub use config::Config;
pub use errand::{Errands, TranscriptPlaces};
pub use function::{Answer, Function, NoAnswer, Payload, handle, handle_at};
pub use process::{Policy, Processor};
pub use publish::{EventBridge, PublishError, Publisher};
pub use record::Record;
pub use redelivery::{Redelivery, SqsRedelivery};
pub use requeue::{Requeue, RequeueError, Returned, SqsRequeue};
pub use store::{DUE_PER_SHARD, DueSessions, DynamoStore, Loaded, Recorded, SessionStore, StoreError, Version};
#[cfg(any(test, feature = "testing"))]
pub use store::{contract, memory::MemoryStore};
pub use sweep::{NotSwept, Sweep, Swept};
pub use vault::{Kept, Listed, S3Vault, Vault, VaultError};
#[cfg(any(test, feature = "testing"))]
pub use vault::{contract::vault_contract, memory::MemoryVault};

use platform::aws::CallBudget;
use std::time::Duration;

/// How long one AWS call may take. The queue delivers again what fails, so a short call beats a patient one.
pub const AWS_CALL_BUDGET: CallBudget =
    CallBudget { total: Duration::from_secs(5), attempt: Duration::from_secs(2), attempts: 3 };
