//! The queues: of deliveries, from both of its ends, and of commands, from the end where commands go in.

pub(crate) mod commands;
pub(crate) mod record;
pub(crate) mod redelivery;
pub(crate) mod requeue;
