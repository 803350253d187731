//! Message groups: what is processed in order, one after the other.
//!
//! A group in the bucket holds everything that is kept of one bot, or of one calendar, or of one route where a body names neither;
//! [`provider::peek`](crate::provider::peek) finds it. The queue has two message groups for each of them, one for what is verified
//! and one for unverified deliveries. Whoever learns a path token can send garbage about any bot; the bot's signed deliveries must
//! not wait behind it. Which of the two is processed first makes no difference, because a session is a merge that commutes.

use crate::trust::Trust;

/// What the name of a message group of unverified deliveries ends with. SQS takes 128 characters; this makes 75.
const UNVERIFIED: &str = "-unverified";

/// The queue's message group (`MessageGroupId`) for deliveries of this trust that belong to this group in the bucket.
#[must_use]
pub fn in_queue(group: &str, trust: Trust) -> String {
    match trust {
        Trust::Verified => group.to_owned(),
        Trust::Unverified => [group, UNVERIFIED].concat(),
    }
}

/// The group in the bucket for deliveries of this message group.
#[must_use]
pub fn in_bucket(message_group: &str) -> &str {
    message_group.strip_suffix(UNVERIFIED).unwrap_or(message_group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{endpoint::Endpoint, provider::peek};

    #[test]
    fn what_is_unverified_has_a_message_group_apart_and_the_same_place_in_the_bucket() {
        let group = peek(Endpoint::MeetStream, br#"{"bot_id":"b"}"#).group;
        let (verified, unverified) = (in_queue(&group, Trust::Verified), in_queue(&group, Trust::Unverified));
        assert_ne!(verified, unverified);
        assert_eq!((in_bucket(&verified), in_bucket(&unverified)), (group.as_str(), group.as_str()));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_punctuation();
        assert!(unverified.len() <= 128 && unverified.chars().all(is_allowed), "SQS takes it");
    }
}
