//! Dev only: how fast, how small and how dear the functions are, beside others that do the same.
//!
//! The real release binaries are started as Lambda starts them ([`e2e::runtime_api`]), are fed recorded events
//! ([`events`]), and make their AWS calls to a [`sink`] over HTTPS.
//!
//! # Invariants
//! - Nothing here links the functions' code.
//! - Nothing leaves the machine: every listener is on the loopback address.
//! - What cannot be answered truly is an error, and what was measured over it does not count.

pub mod awake;
pub mod bars;
pub mod bill;
pub mod bill_page;
pub mod certificate;
pub mod chart;
pub mod cost;
pub mod cpu_share;
pub mod events;
pub mod exact;
pub mod instructions;
pub mod judge;
pub mod levers;
pub mod measure;
pub mod one_processor;
pub mod pipeline;
pub mod prices;
pub mod program;
pub mod queue;
pub mod report;
pub mod results;
pub mod rounds;
pub mod scale;
pub mod sink;
pub mod table;
pub mod usage;
