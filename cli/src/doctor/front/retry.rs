//! Whether what fails comes back after our wait, and not after the queue's visibility timeout.
//!
//! A session that nobody can read is put in the place of an invented bot's, with some seconds to live: until they are over
//! every try of the bot's delivery fails, and the first try after them succeeds. So nothing is left that must be removed, even
//! if this command is killed: an item that has expired counts as absent, and the delivery replaces it.

use super::{
    Front,
    door::{refused, silent},
};
use crate::doctor::{
    facts::RETRY_SUFFIX,
    finding::{Check, Finding},
};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use shared::{
    SessionId,
    session::Disposition,
    table::{DOCUMENT, EXPIRES_AT, PK, SESSION_SORT_KEY, SK, VERSION, partition_key},
};
use simulator::delivery::Delivery;
use std::time::Duration;

/// How long every try fails: some receives at our pace, and none at the queue's.
const FAILS_FOR_SECONDS: i64 = 8;

/// The longest wait of ours that this waits for.
const LONGEST_BASE_SECONDS: i64 = 20;

/// How long it is waited for the delivery, at most.
const PATIENCE_SECONDS: i64 = 120;

/// The bot whose delivery fails.
pub(super) fn bot(front: &Front<'_>) -> SessionId {
    front.named(front.main.provider(), &format!("{}{RETRY_SUFFIX}", front.run))
}

pub(super) async fn check(front: &Front<'_>) -> Finding {
    let check = Check::RetryWait;
    let stack = &front.facts.stack;
    let (base, visibility) = (stack.number("RetryBaseSeconds"), stack.number("EventsVisibilitySeconds"));
    if base > LONGEST_BASE_SECONDS {
        return Finding::skipped(check, format!("RetryBaseSeconds is {base}, and this check waits 20 s at most"));
    }
    let bot = bot(front);
    if let Err(failure) = plant(front, &bot).await {
        return super::could_not(check, &failure);
    }
    let target = match front.target(front.main) {
        Ok(target) => target,
        Err(failure) => return super::could_not(check, &failure),
    };
    let delivery = Delivery::new(&target, front.joining(front.main, &bot), Timestamp::now());
    match front.send(&delivery, None).await {
        Ok(200) => {}
        Ok(status) => return refused(check, front.main.as_str(), status),
        Err(why) => return silent(check, &why),
    }
    let patience = Duration::from_secs(visibility.min(PATIENCE_SECONDS).unsigned_abs());
    let applied =
        |known: &crate::table::Known| known.entries.iter().any(|entry| entry.disposition == Disposition::Applied);
    judge(front.wait(&bot, patience, applied).await, patience, visibility)
}

fn judge(took: Option<Duration>, patience: Duration, visibility: i64) -> Finding {
    let check = Check::RetryWait;
    match took {
        Some(took) if took.as_secs() < FAILS_FOR_SECONDS.unsigned_abs() / 2 => Finding::warn(
            check,
            format!("the delivery that was to fail for {FAILS_FOR_SECONDS} s was applied after {} s", took.as_secs()),
            "does process use another table than the stack's? See process.alias",
        ),
        Some(took) => Finding::pass(
            check,
            format!(
                "a delivery that failed for {FAILS_FOR_SECONDS} s was applied after {} s: it came back at our own pace, not after \
                 the visibility timeout of {visibility} s",
                took.as_secs()
            ),
        ),
        None => Finding::fail(
            check,
            format!("a delivery that failed for {FAILS_FOR_SECONDS} s is not applied after {} s", patience.as_secs()),
            "process may not change a message's visibility: its log says \"records come back at the queue's own pace\"",
        ),
    }
}

/// Puts a session that nobody can read where the bot's would be. It is the only thing that this command writes to the table.
async fn plant(front: &Front<'_>, bot: &SessionId) -> Result<(), crate::failure::Failure> {
    let expires_at = Timestamp::now().as_second() + FAILS_FOR_SECONDS;
    let put = front
        .table
        .put_item()
        .table_name(&front.stack.table)
        .item(PK, AttributeValue::S(partition_key(bot)))
        .item(SK, AttributeValue::S(SESSION_SORT_KEY.to_owned()))
        .item(VERSION, AttributeValue::N("1".to_owned()))
        .item(DOCUMENT, AttributeValue::S("put here by rollcall doctor, to be unreadable".to_owned()))
        .item(EXPIRES_AT, AttributeValue::N(expires_at.to_string()))
        .condition_expression("attribute_not_exists(#pk)")
        .expression_attribute_names("#pk", PK);
    put.send()
        .await
        .map(drop)
        .map_err(|error| front.stack.aws.failure("putting an unreadable session into the table", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn only_what_came_back_at_our_pace_passes() {
        let found =
            |seconds: Option<u64>| judge(seconds.map(Duration::from_secs), Duration::from_secs(120), 720).verdict;
        assert_eq!(found(Some(14)), Verdict::Pass);
        assert_eq!(found(Some(1)), Verdict::Warn, "it never failed");
        assert_eq!(found(None), Verdict::Fail);
    }
}
