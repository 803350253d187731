//! What the deliveries of a meeting say.

use crate::{
    body::{
        Composition, Era, compose, echoes_attributes, family,
        meetingbaas::{self, Results},
    },
    delivery::{Delivery, Target},
    dialect::Dialect,
    plan::BotPlan,
    script::{ERASED, Step, error_code},
    time::micros,
};
use jiff::Timestamp;
use shared::Endpoint;

/// One delivery, before it is proved and sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Webhook {
    /// The route it is for.
    pub endpoint: Endpoint,
    /// What happened, in the sender's words: an event, or the code of a status change.
    pub name: &'static str,
    /// What a session calls it: the event, as far as the body tells, and of a status change the code with it.
    pub name_in_session: String,
    /// When it happened.
    pub at: Timestamp,
    /// The time in it, if it has one.
    pub timestamp: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
}

impl Webhook {
    /// What tells of a step on a channel of the bot; `None` if nothing does. `results` is what a completion tells of.
    #[must_use]
    pub fn of(plan: &BotPlan, channel: Endpoint, step: Step, results: Option<&Results>) -> Option<Self> {
        let at = plan.at(step);
        let (timestamp, body) = match Dialect::of(channel) {
            Dialect::MeetStream => of_meetstream(plan, step, at),
            Dialect::MeetingBaasCallback if !matches!(step.name, "bot.completed" | "bot.failed" | ERASED) => {
                return None;
            }
            dialect => of_meetingbaas(plan, dialect, step, at, results)?,
        };
        let name_in_session = name_in_session(plan, Dialect::of(channel), step);
        Some(Self { endpoint: channel, name: step.name, name_in_session, at, timestamp, body })
    }

    /// The request that brings it to `target`, sent at `now`.
    #[must_use]
    pub fn delivery(&self, target: &Target, now: Timestamp) -> Delivery {
        Delivery::new(target, self.body.clone(), now)
    }
}

/// What a session calls a step that was told in this dialect.
fn name_in_session(plan: &BotPlan, dialect: Dialect, step: Step) -> String {
    let name = if step.name == ERASED { "bot.completed" } else { step.name };
    match dialect {
        Dialect::MeetStream if plan.era == Era::Event => family(name).to_owned(),
        Dialect::MeetStream => name.to_owned(),
        _ if meetingbaas::events(dialect).contains(&name) => name.to_owned(),
        _ => format!("bot.status_change/{name}"),
    }
}

fn of_meetstream(plan: &BotPlan, step: Step, at: Timestamp) -> (Option<String>, Vec<u8>) {
    let timestamp = micros(at);
    let body = compose(&Composition {
        name: step.name,
        bot_id: &plan.bot_id,
        era: plan.era,
        status: None,
        message: None,
        timestamp: Some(&timestamp),
        attributes: echoes_attributes(step.name).then_some(&plan.attributes),
    });
    (Some(timestamp), body)
}

fn of_meetingbaas(
    plan: &BotPlan,
    dialect: Dialect,
    step: Step,
    now: Timestamp,
    results: Option<&Results>,
) -> Option<(Option<String>, Vec<u8>)> {
    let composed = meetingbaas::compose(&meetingbaas::Composition {
        dialect,
        name: if step.name == ERASED { "bot.completed" } else { step.name },
        id: &plan.bot_id,
        now,
        timestamp: None,
        no_timestamp: false,
        message: None,
        error_code: error_code(dialect, plan.ending),
        attributes: Some(&plan.attributes),
        results,
    });
    // Every name of a script is one of the dialect's own.
    let composed = composed.ok()?;
    Some((composed.timestamp, composed.body))
}
