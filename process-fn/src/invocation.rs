//! The time and the name of one invocation.

use lambda_runtime::Context;
use std::time::Duration;
use tokio::time::Instant;

/// The time and the name of one invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) request_id: &'a str,
    /// When to stop working, well before Lambda would end the invocation.
    pub(crate) deadline: Instant,
    /// When to stop returning unfinished records to the queue.
    pub(crate) last_call: Instant,
    /// When the invocation began, in seconds since the Unix epoch.
    pub(crate) now: i64,
}

impl<'a> Invocation<'a> {
    /// The invocation that begins `now`, as the time since the Unix epoch. It uses at most `at_most` of its time.
    pub(crate) fn new(context: &'a Context, now: Duration, at_most: Duration) -> Self {
        let time = Duration::from_millis(context.deadline).saturating_sub(now).min(at_most);
        Self {
            request_id: &context.request_id,
            // A fifth of the time is for returning unfinished records, and some of that for the answer itself.
            deadline: Instant::now() + time * 16 / 20,
            last_call: Instant::now() + time * 19 / 20,
            now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        }
    }
}
