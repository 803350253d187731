//! Dev only: the real functions, driven from outside.
//!
//! | to | use |
//! |---|---|
//! | start a function binary and hand it events as Lambda does | [`runtime_api`] |
//! | put faults between a function and AWS, and count its calls | [`fault_proxy`] |
//! | reach the local AWS, get a private set of queues, table and bucket | [`local_aws`], [`scratch`] |
//! | have both functions wired together, for a scenario | [`pipeline`] |
//! | run the operator's command on a scratch | [`operator`] |
//! | send the recorded bodies of the providers, about bots of one's own | [`recordings`] |
//! | play the event source mapping over a scratch queue | [`pump`] |
//! | compose, sign and send deliveries as MeetStream does | [`sender`] |
//! | read `template.yaml` | [`template`] |
//! | find the function binaries | [`binary`] |
//! | stand in for the table: whether a condition holds | [`condition`] |
//! | make one number of many | [`statistics`] |
//!
//! What needs clients of AWS is behind the feature `aws`, which is on by default: `bench` does without and is built in
//! seconds.
//!
//! # Invariants
//!
//! - The functions are real processes, reached only through what AWS would give them: the Runtime API, environment
//!   variables, and an AWS endpoint. Nothing here links their code.
//! - No child process outlives the harness: every one is killed when its handle is dropped.
//! - Nothing leaves the machine: every listener is on the loopback address, and what is sent goes without TLS.
//! - No state is shared between two tests unless they share a handle.

pub mod binary;
pub mod condition;
pub mod fault_proxy;
#[cfg(feature = "aws")]
pub mod local_aws;
#[cfg(feature = "aws")]
pub mod operator;
#[cfg(feature = "aws")]
pub mod pipeline;
mod plain_http;
#[cfg(feature = "aws")]
pub mod pump;
pub mod recordings;
pub mod runtime_api;
#[cfg(feature = "aws")]
pub mod scratch;
pub mod sender;
pub mod statistics;
pub mod template;

/// The folder of the workspace.
#[must_use]
pub fn workspace() -> &'static std::path::Path {
    let this_crate = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate.ancestors().nth(2).unwrap_or(this_crate)
}
