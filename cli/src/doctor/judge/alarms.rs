//! Alarms, and who hears of them.

use crate::{
    doctor::{
        facts::{Alarm, Facts, Lookup, StackFacts, Subscription},
        finding::{Check, Finding},
    },
    words::many,
};

const ALARM: &str = "AWS::CloudWatch::Alarm";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let (stack, alarms) = (&facts.stack, &facts.alarms);
    let gone = ("no alarm of the stack exists", "delete the stack and deploy it anew");
    vec![
        alarms.judge(Check::AlarmsExist, gone, |alarms| exist(stack, alarms)),
        alarms.judge(Check::AlarmsActions, gone, |alarms| actions(stack, alarms)),
        subscription(stack, &facts.subscriptions),
        alarms.judge(Check::AlarmsQuiet, gone, |alarms| quiet(alarms)),
    ]
}

fn exist(stack: &StackFacts, alarms: &[Alarm]) -> Finding {
    let known = |physical: &str| alarms.iter().any(|alarm| alarm.name == physical);
    let problems: Vec<_> = stack
        .of_type(ALARM)
        .filter(|(_, physical)| !known(physical))
        .map(|(logical, _)| format!("the alarm {logical} is gone"))
        .collect();
    let well = format!("all {} of the stack exist", many(alarms.len(), "alarm"));
    let way_out = "`make deploy` after a change to that alarm in template.yaml, and once more without the change";
    Finding::unless(Check::AlarmsExist, &problems, well, way_out)
}

fn actions(stack: &StackFacts, alarms: &[Alarm]) -> Finding {
    let check = Check::AlarmsActions;
    if stack.parameter("AlarmEmail").is_empty() {
        return if stack.is_local {
            Finding::skipped(check, "a local stack has no AlarmEmail, so its alarms tell nobody")
        } else {
            Finding::warn(
                check,
                "AlarmEmail is empty: no alarm is sent to anybody",
                "`make deploy SET=\"AlarmEmail=you@example.org\"`",
            )
        };
    }
    let problems: Vec<_> = alarms
        .iter()
        .filter_map(|alarm| match alarm {
            Alarm { actions_enabled: false, .. } => {
                Some(format!("the actions of the alarm {} are disabled", alarm.name))
            }
            Alarm { actions, .. } if actions.is_empty() => Some(format!("the alarm {} has no action", alarm.name)),
            _ => None,
        })
        .collect();
    let way_out = "`aws cloudwatch enable-alarm-actions --alarm-names NAME`; an action that is gone comes back with a changed \
                   alarm in template.yaml and `make deploy`";
    Finding::unless(check, &problems, "each alarm tells the topic", way_out)
}

fn subscription(stack: &StackFacts, subscriptions: &Lookup<Vec<Subscription>>) -> Finding {
    let check = Check::AlarmsSubscription;
    if stack.parameter("AlarmEmail").is_empty() {
        return Finding::skipped(check, "there is no AlarmEmail, so there is no subscription to confirm");
    }
    let gone = ("the topic of the alarms is gone: no alarm is sent to anybody", "delete the stack and deploy it anew");
    subscriptions.judge(check, gone, |subscriptions| {
        let (confirmed, pending): (Vec<_>, Vec<_>) = subscriptions.iter().partition(|one| one.is_confirmed);
        let names = |of: &[&Subscription]| {
            of.iter().map(|one| format!("{} ({})", one.endpoint, one.protocol)).collect::<Vec<_>>().join(", ")
        };
        match (confirmed.is_empty(), pending.is_empty()) {
            (false, _) => Finding::pass(check, format!("alarms go to {}", names(&confirmed))),
            (true, false) => Finding::warn(
                check,
                format!(
                    "nobody has confirmed yet that they want the alarms: {} is asked, and hears of none",
                    names(&pending)
                ),
                "click the link in the mail from AWS Notifications; it may be among the spam, and is sent again with \
                 `aws sns subscribe`",
            ),
            (true, true) => Finding::warn(
                check,
                "nobody is subscribed to the alarms",
                format!(
                    "`aws sns subscribe --protocol email --notification-endpoint {} --topic-arn {}`",
                    stack.parameter("AlarmEmail"),
                    stack.physical("AlarmTopic")
                ),
            ),
        }
    })
}

fn quiet(alarms: &[Alarm]) -> Finding {
    let ringing: Vec<_> = alarms
        .iter()
        .filter(|alarm| alarm.state == "ALARM")
        .map(|alarm| format!("the alarm {} rings: {}", alarm.name, alarm.reason))
        .collect();
    if ringing.is_empty() {
        return Finding::pass(Check::AlarmsQuiet, "no alarm rings");
    }
    Finding::warn(Check::AlarmsQuiet, ringing.join("; "), "docs/RUNBOOK.md has a section for each alarm")
}
