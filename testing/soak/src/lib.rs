#![recursion_limit = "256"]
//! Dev only: both functions under seeded faults, and the auditor of what is left.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`], [`delivery`], [`bodies`], [`account`], [`fault`] | everything random, drawn from one seed: what is sent, what the provider holds, and what goes wrong at which call |
//! | [`in_process`] | a schedule with the handlers in this process, over stores in memory, in virtual time |
//! | [`real`] | a schedule with the real binaries over the local AWS, each behind a fault proxy |
//! | [`audit`], [`order`] | what was sent and what is stored go in, what is wrong comes out |
//! | [`runs`], [`report`] | many schedules, and what they came to |
//!
//! # Invariants
//! - A seed is a schedule: nothing random is drawn from anything else.
//! - What must be there in the end is computed from the deliveries by [`audit`], never by the code under audit.
//! - A fault is a wrapper's doing: the stores behind it always obey their rules.

pub mod account;
pub mod audit;
pub mod bodies;
pub mod delivery;
pub mod fault;
pub mod in_process;
pub mod order;
pub mod real;
mod replay;
pub mod report;
pub mod runs;
pub mod schedule;
