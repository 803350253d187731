//! The layout of the table, for those who write it and those who only read it.
//!
//! | item | `pk` | `sk` | attributes |
//! |---|---|---|---|
//! | session | `<provider>#<encoded bot id>` | `session` | [`DOCUMENT`] and [`IDS`]: the [`Session`](crate::Session) as a [`Document`](crate::session::Document); [`VERSION`]; [`STATE`] and [`OUTCOME`] for reading; [`FIRST_SEEN_DAY`] and [`FIRST_SEEN_AT`] for one index, [`DUE_SHARD`] and [`DUE_AT`] for the other; [`EXPIRES_AT`] |
//! | a delivery beside it | the same | `line#<delivery key>`, or with `#<accept id>`, or with `#quarantined` behind that | [`DOCUMENT`] and [`IDS`]: the [`TimelineLine`] as a [`Document`](crate::session::Document); [`DISPOSITION`] for reading; [`EXPIRES_AT`] |
//! | an entry of a calendar | the same | `entry#<encoded id>` | [`DOCUMENT`]: the [`CalendarEntry`](crate::api::CalendarEntry) as JSON; [`EXPIRES_AT`] |
//!
//! An item whose [`EXPIRES_AT`] has passed counts as absent: `DynamoDB` deletes it days later.

use crate::{
    ids::SessionId,
    sender_id::SenderId,
    session::{Disposition, Due, Session, TimelineLine},
    time::ReceivedAt,
};

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The attribute with the item's content, as JSON text.
pub const DOCUMENT: &str = "document";
/// The ids of the deliveries in the document, as bytes.
pub const IDS: &str = "ids";
/// The attribute that counts a session's writes, from 1.
pub const VERSION: &str = "version";
/// The session's state, for people who look at the table.
pub const STATE: &str = "state";
/// The session's outcome, for people who look at the table.
pub const OUTCOME: &str = "outcome";
/// What became of a delivery, for people who look at the table.
pub const DISPOSITION: &str = "disposition";
/// When the item expires, in seconds since the Unix epoch.
pub const EXPIRES_AT: &str = "expires_at";
/// The day of a session's first delivery in UTC, as `2026-11-22`: partition key of [`BY_FIRST_SEEN`].
pub const FIRST_SEEN_DAY: &str = "day";
/// The time of a session's first delivery, in milliseconds since the Unix epoch: sort key of [`BY_FIRST_SEEN`].
pub const FIRST_SEEN_AT: &str = "first_at";
/// Which part of [`BY_DUE`] a session is in: its partition key.
pub const DUE_SHARD: &str = "due_shard";
/// When something is due for a session, in seconds since the Unix epoch: sort key of [`BY_DUE`]. Absent when nothing is.
pub const DUE_AT: &str = "due_at";
/// The index of sessions for which something is due. It holds keys only, and only of those.
pub const BY_DUE: &str = "by_due";
/// How many parts [`Due::Work`] has, so that no one partition takes all the writes of a busy hour.
const WORK_SHARDS: u8 = 4;
/// The index that lists sessions by the day they were first heard of. It holds keys only.
pub const BY_FIRST_SEEN: &str = "by_first_seen";

/// The sort key of a session.
pub const SESSION_SORT_KEY: &str = "session";
/// What the sort keys of deliveries begin with.
pub const LINE_SORT_KEY_PREFIX: &str = "line#";

/// What the sort keys of a calendar's entries begin with.
pub const ENTRY_SORT_KEY_PREFIX: &str = "entry#";

/// The sort key of a calendar's entry.
#[must_use]
pub fn entry_sort_key(id: &SenderId) -> String {
    format!("{ENTRY_SORT_KEY_PREFIX}{}", id.encoded())
}

/// The partition key of a bot's items.
#[must_use]
pub fn partition_key(id: &SessionId) -> String {
    id.encoded()
}

/// The sort key of a delivery that is kept beside its session. An applied or ignored delivery has the delivery key alone. Several
/// duplicates may share that key, so they add the accept id. A delivery that was set aside also adds its disposition, because the
/// same accept id gets another line once the delivery is put back.
#[must_use]
pub fn line_sort_key(entry: &TimelineLine) -> String {
    match entry.disposition {
        Disposition::Applied | Disposition::Ignored => format!("{LINE_SORT_KEY_PREFIX}{}", entry.key),
        Disposition::Duplicate => format!("{LINE_SORT_KEY_PREFIX}{}#{}", entry.key, entry.accept_id),
        Disposition::Quarantined | Disposition::Parked => {
            format!("{LINE_SORT_KEY_PREFIX}{}#{}#{}", entry.key, entry.accept_id, entry.disposition.as_str())
        }
    }
}

impl Due {
    /// Its parts of [`BY_DUE`].
    #[must_use]
    pub fn shards(self) -> Vec<String> {
        match self {
            Self::Erasure => vec!["erase".to_owned()],
            Self::Work => (0..WORK_SHARDS).map(|shard| shard.to_string()).collect(),
            Self::Unverified(provider) => vec![format!("unverified-{}", provider.as_str())],
        }
    }
}

/// The part of [`BY_DUE`] that a session is in.
#[must_use]
pub fn due_shard(session: &Session) -> String {
    let shards = session.due().shards();
    let sum = partition_key(session.id()).bytes().fold(0_usize, |sum, byte| sum + usize::from(byte));
    shards.get(sum % shards.len().max(1)).cloned().unwrap_or_default()
}

/// The day that [`FIRST_SEEN_DAY`] holds for a time of receipt.
#[must_use]
pub fn day(received_at: ReceivedAt) -> String {
    received_at.timestamp().map_or_else(String::new, |moment| moment.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_in_utc() {
        assert_eq!(day(ReceivedAt(0)), "1970-01-01");
        assert_eq!(day(ReceivedAt(1_791_212_102_000)), "2026-10-05");
    }
}
