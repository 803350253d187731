//! `--ring`: makes one alarm ring, to see who hears of it.

use super::{
    facts::{Alarm, Facts, Lookup},
    finding::{Check, Finding},
};
use crate::stack::Stack;
use aws_sdk_cloudwatch::{
    Client,
    types::{HistoryItemType, StateValue},
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long CloudWatch has to tell the topic.
const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

const REASON: &str = "rollcall doctor --ring: this is a test, and nothing is wrong";

/// Sets an alarm to ringing and back, and says who should have heard of it.
pub(super) async fn ring(stack: &Stack, facts: &Facts) -> Finding {
    let check = Check::AlarmsRing;
    let alarms = match &facts.alarms {
        Lookup::Found(alarms) => alarms,
        other => return other.judge(check, ("there is no alarm", "see alarms.exist"), |_| Finding::pass(check, "")),
    };
    let Some(alarm) =
        alarms.iter().find(|alarm| !alarm.actions.is_empty() && alarm.actions_enabled && alarm.state != "ALARM")
    else {
        return Finding::warn(
            check,
            "no alarm that is quiet has an action, so none can be heard",
            "see alarms.actions",
        );
    };
    let client = Client::new(&stack.aws.config);
    let began = Timestamp::now();
    if let Err(failure) = set(stack, &client, alarm, StateValue::Alarm).await {
        return super::front::could_not(check, &failure);
    }
    let told = told(&client, alarm, began, stack.aws.is_local()).await;
    // CloudWatch does so by itself, when it looks at the metric again; whoever was told hears of that as well.
    let back = set(stack, &client, alarm, StateValue::from(alarm.state.as_str())).await;
    let finding = judge(alarm, facts, told);
    match back {
        Ok(()) => finding,
        Err(failure) => Finding::warn(
            check,
            format!("{}; it could not be set back: {}", finding.what, failure.what()),
            "CloudWatch sets it back when it looks at its metric again",
        ),
    }
}

async fn set(stack: &Stack, client: &Client, alarm: &Alarm, state: StateValue) -> Result<(), crate::failure::Failure> {
    let set = client.set_alarm_state().alarm_name(&alarm.name).state_value(state).state_reason(REASON).send().await;
    set.map(drop).map_err(|error| stack.aws.failure("setting the state of an alarm", &error))
}

/// Whether the alarm's history says that it has told somebody; `None` where nobody writes that down.
async fn told(client: &Client, alarm: &Alarm, since: Timestamp, is_local: bool) -> Option<bool> {
    if is_local {
        return None;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let history = client
            .describe_alarm_history()
            .alarm_name(&alarm.name)
            .history_item_type(HistoryItemType::Action)
            .start_date(aws_sdk_cloudwatch::primitives::DateTime::from_secs(since.as_second() - 5))
            .send()
            .await;
        let items = history.ok().and_then(|history| history.alarm_history_items).unwrap_or_default();
        if items.iter().any(|item| item.history_summary().is_some_and(|text| text.starts_with("Successfully executed")))
        {
            return Some(true);
        }
        if Instant::now() >= deadline {
            return Some(false);
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn judge(alarm: &Alarm, facts: &Facts, told: Option<bool>) -> Finding {
    let check = Check::AlarmsRing;
    let confirmed = facts.subscriptions.found().into_iter().flatten().filter(|one| one.is_confirmed);
    let names: Vec<_> = confirmed.map(|one| format!("{} ({})", one.endpoint, one.protocol)).collect();
    let rang = format!("the alarm {} rang", alarm.name);
    match (told, names.is_empty()) {
        (Some(false), _) => Finding::fail(
            check,
            format!("{rang}, and its history shows no action that succeeded"),
            "the policy of the topic may not let CloudWatch publish: `aws sns get-topic-attributes`",
        ),
        (_, true) => Finding::warn(
            check,
            format!("{rang}, and nobody is subscribed and confirmed to hear it"),
            "see alarms.subscription",
        ),
        (Some(true), false) => Finding::pass(check, format!("{rang}: {} should have a message now", names.join(", "))),
        (None, false) => Finding::pass(
            check,
            format!(
                "{rang}: {} should have a message now (the local AWS does not write down whether)",
                names.join(", ")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{finding::Verdict, judge::tests::healthy};

    #[test]
    fn who_should_have_heard_is_told() {
        let alarm = Alarm { name: "s-ParkedAlarm-1".into(), ..Alarm::default() };
        let mut facts = healthy();
        let heard = judge(&alarm, &facts, Some(true));
        assert_eq!(
            (heard.verdict, heard.what.as_str()),
            (Verdict::Pass, "the alarm s-ParkedAlarm-1 rang: you@example.org (email) should have a message now")
        );
        assert_eq!(judge(&alarm, &facts, Some(false)).verdict, Verdict::Fail);
        facts.subscriptions = Lookup::Found(vec![]);
        assert_eq!(judge(&alarm, &facts, Some(true)).verdict, Verdict::Warn);
    }
}
