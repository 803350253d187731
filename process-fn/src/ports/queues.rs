//! The queues: of deliveries, from both of its ends, and of commands, from the end where commands go in.

pub(crate) mod commands;
pub(crate) mod events;
pub(crate) mod record;
