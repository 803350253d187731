//! The protocol of Rollcall as a model that is checked exhaustively: every order of steps, with a fault at any of them, in
//! small worlds ([`worlds`]).
//!
//! Schedules of faults (`soak`) run the real code in a few of its possible orders. This is the other half: no code of the
//! functions, but every order there is. A world has one or two bots, one to three deliveries and up to two faults; the properties
//! ([`property`]) are checked in each state that it can come to. Each mistake that somebody might make in the protocol is a
//! [`mutation::Mutation`], and a test sees that it is found (`tests/mutants.rs`).
//!
//! # What each step stands for
//!
//! | step | stands for | rests on |
//! |---|---|---|
//! | `Deliver` | a sender's request and `Stores::persist` of `ingest-fn`: body to `claims/`, message to the queue, record to `spool/`, and the answer | the code; `SendMessage` and `PutObject` may be done though their caller hears of a failure |
//! | `Receive` | the event source mapping takes the first messages of one or two groups. A group of which an invocation has messages gives no more, and what comes back goes to the front | Amazon SQS Developer Guide, "FIFO delivery logic in Amazon SQS" and "Interleaving multiple ordered message groups"; AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" |
//! | `Work` | one call of `Processor::process_group`: read, save, park, note. A save is refused if somebody else has saved since the session was read | the code; Amazon DynamoDB Developer Guide, "Condition expressions" |
//! | `Answer` | `process_batch` reports what is not done, and the mapping deletes the rest | AWS Lambda Developer Guide, "Handling errors for an SQS event source in Lambda" |
//! | `Die` | a crash, a timeout, a lost answer: the whole batch comes again, one receive older. That covers the mapping's "at least once" | AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"; Amazon SQS Developer Guide, "Amazon SQS visibility timeout" |
//! | (in `Answer`, `Die`) | a message goes to the dead-letter queue after its last receive | Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS" |
//! | `TakeCommand`, `CommandTwice`, `WorkerDies` | the `commands` queue, which has no order and may deliver twice; a command whose worker dies comes again | Amazon SQS Developer Guide, "Amazon SQS at-least-once delivery" |
//! | `CarryOn` | one call of `JobRunner::run`: ask the provider, store, read the session again, save; or remove artifacts, remove bytes, forget entries, publish and save | the code; Amazon S3 User Guide, "Amazon S3 data consistency model": a listing shows every write before it |
//! | `SweepSends`, `SweepRemoves`, `SweepDies` | `Sweep::run` with the spool. A message whose dedup id the queue has seen may be folded into that one, or not | Amazon SQS Developer Guide, "Exactly-once processing in Amazon SQS": within 5 minutes |
//! | `Remind`, `SweepErases` | `Sweep::run` with what is due. It is invoked by the schedule, not by the queue, and erases itself | the code |
//! | (in `Remind`), `NextMinute` | what rests on unverified deliveries alone is sent by the sweep only, for so many bots a minute and provider: `newly_wanted` and `Sweep::remind_all` | the code |
//! | (in `CarryOn`), `RestEnds` | the breaker: after failures a provider is not asked for a while, and jobs wait without that counting as a try. It is of one process in the code, of all here | the code |
//! | `Refetch` | `rollcall artifacts --refetch`: `JobRunner::refetch` | the code |
//! | `Delete` | `rollcall delete`: `JobRunner::delete` | the code |
//! | `PutBack`, `GoOn`, `GiveUp` | `rollcall parked replay`, `quarantine replay` and `dlq replay`: `Replay` in `cli` | the code |
//! | `Fix` | somebody deploys code that can process what failed | |
//!
//! # What it found
//!
//! Four mistakes were in the functions when the model was made. Each is one of the mutations now, and has a test of the code:
//!
//! - `ErasureSettlesWhatCameLater`: bytes that were kept while an erasure ran were settled by it, if their delivery was older than
//!   the deletion (`shared/src/session/tests.rs`: `no_erasure_settles_what_was_kept_while_it_ran`).
//! - `EarlierTriesForgotten`: bytes that a call kept whose answer was lost (`process-fn/src/deliveries/batch/tests.rs`:
//!   `what_is_kept_of_an_erased_bot_is_erased_again`).
//! - `KeptBytesUnnoticed`: bytes that were parked while the table failed (`process-fn/src/jobs/tests.rs`:
//!   `a_session_is_told_later_of_bytes_that_were_set_aside`).
//! - `OlderCopyReplacesNewer`: of two fetches beside each other the slower one won (`process-fn/src/jobs/tests.rs`:
//!   `a_slow_fetch_does_not_replace_what_a_later_one_has_brought`).
//!
//! # What is left out
//!
//! - **Time.** A wait can end at any moment, so every order of waits is covered. Three things depend on time all the same, and are
//!   rules of the model: no visibility ends while its invocation runs (the template: six times the timeout); the second round of
//!   erasing comes after whatever was under way at the first (20 minutes: longer than an invocation can be); nothing expires.
//! - **Reading and publishing are one step**, and so are a load and the save after it where `process-fn` tries again until they
//!   meet (`note_missing`, `note`, `conclude`, `reschedule`). What others do in between makes the save conflict, and it begins anew.
//! - **Of `claims/`** what a refused request leaves is not there: nobody was told that it was taken, and it expires.
//! - Routes without a bot, calendars, recordings, transcripts that come with a delivery, timelines that are full, and what a
//!   message that the queue will never take becomes.
//! - The checker knows states by a hash of 64 bits. Of 20 million states it misses one with a chance of about 1 in 100,000.

pub mod check;
mod deliveries;
pub mod ingest;
mod jobs;
pub mod mutation;
mod operator;
pub mod property;
pub mod scenario;
pub mod session;
pub mod set;
pub mod state;
pub mod step;
mod sweep;
pub mod worlds;
