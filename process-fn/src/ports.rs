//! What is outside: traits of what the function needs of it, adapters for AWS and the providers, and doubles for tests. Nothing here
//! knows what a delivery or a job is.

pub(crate) mod bucket;
pub(crate) mod providers;
pub(crate) mod publisher;
pub(crate) mod queues;
pub(crate) mod sessions;
