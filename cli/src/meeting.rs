//! `rollcall send meeting`: every delivery of one plausible meeting.

use crate::{
    apis::ServedBot,
    failure::Failure,
    route::{Route, Sending, attributes, new_id},
    screen::{self, Style},
    stack::StackArgs,
};
use clap::{Args, builder::NonEmptyStringValueParser};
use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::{Endpoint, provider};
use simulator::{
    BotPlan, Ending,
    body::Era,
    courier::Courier,
    delivery::{Delivery, Target},
    dialect::Dialect,
    webhook::Webhook,
};

/// Play a whole meeting: every delivery of one bot, from joining to done
///
/// The meeting is over by now: its timestamps end at this moment. As meetingbaas-callback it is one delivery.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall send meeting
  rollcall send meeting --outcome kicked --deletion
  rollcall send meeting --shuffle --duplicates      (the session must be the same as without)
  rollcall send meeting --callback --era event
  rollcall send meeting --as meetingbaas-v2 --outcome denied
  rollcall send meeting --serve-api                 (and then: rollcall transcript)

Exits with 0 when every delivery was answered 200 and, with --serve-api, nothing is left to be fetched; else with 1.")]
pub struct Meeting {
    /// The bot [default: a new random one]
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    bot_id: Option<String>,
    /// How it ends
    #[arg(long, value_enum, default_value_t)]
    outcome: Ending,
    /// End with the deletion of everything that was recorded, which Meeting BaaS does not tell of
    #[arg(long, overrides_with = "no_deletion")]
    deletion: bool,
    /// Do not (the default)
    #[arg(long, overrides_with = "deletion")]
    no_deletion: bool,
    /// Which of MeetStream's generations of bodies [default: both]
    #[arg(long, value_enum)]
    era: Option<Era>,
    /// The `custom_attributes`, of Meeting BaaS the `extra`: a JSON object
    #[arg(long, value_name = "JSON", value_parser = attributes, default_value = r#"{"sent_by":"rollcall"}"#)]
    attributes: Map<String, Value>,
    /// Send the deliveries in a random order
    #[arg(long)]
    shuffle: bool,
    /// Send every delivery twice
    #[arg(long)]
    duplicates: bool,
    /// Serve the provider's API where the local stack looks for it, and wait until what it has was fetched
    #[arg(long, conflicts_with = "url")]
    serve_api: bool,
    #[command(flatten)]
    route: Route,
}

impl Meeting {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let endpoint = self.route.endpoint()?;
        let bot_id = self.bot_id.clone().unwrap_or_else(new_id);
        let plan = self.plan(endpoint, &bot_id, Timestamp::now())?;
        let served = if self.serve_api { Some(ServedBot::start(stack_args, plan.clone()).await?) } else { None };
        let played = served.as_ref().map_or_else(|| told(&plan), |served| served.bot.webhooks());
        let target = self.route.target(stack_args).await?;
        let courier = Courier::new(&target)?;
        let bot = played.first().and_then(|webhook| provider::peek(endpoint, &webhook.body).session);
        let mut sending = Sending::begin(bot.as_ref(), &target, &self.route, 200, style)?;
        for (webhook, delivery) in self.deliveries(&target, played, Timestamp::now()) {
            sending.send(&courier, &delivery, webhook.name, webhook.timestamp.as_deref()).await?;
        }
        sending.end()?;
        match served {
            Some(served) => {
                screen::remark("serving the provider's API until the stack has fetched what it announced");
                served.wait().await?;
            }
            None if self.route.is_to_the_stack() => self.warn_of_no_api(stack_args).await,
            None => {}
        }
        self.route.suggest_timeline(stack_args, bot.as_ref());
        Ok(())
    }

    /// A local stack asks a made-up API for transcripts and recordings, which nobody serves now.
    async fn warn_of_no_api(&self, stack_args: &StackArgs) {
        let is_local = stack_args.stack.is_none();
        if is_local && stack_args.open().await.is_ok_and(|stack| stack.api_port.is_some()) {
            screen::remark(
                "note: no transcript or recording is fetched, because nothing serves the provider's API: add --serve-api",
            );
        }
    }

    fn plan(&self, channel: Endpoint, bot_id: &str, now: Timestamp) -> Result<BotPlan, Failure> {
        if self.route.dialect != Dialect::MeetStream {
            self.route.has_no_place_for(&[("--era", self.era.is_some()), ("--deletion", self.deletion)])?;
        }
        Ok(BotPlan {
            ending: self.outcome,
            deletion: self.deletion,
            era: self.era.unwrap_or_default(),
            attributes: self.attributes.clone(),
            ends_at: now,
            ..BotPlan::new(channel, bot_id)
        })
    }

    /// What is sent, in the order in which it is sent. A duplicate is the same delivery once more, its proof included.
    fn deliveries(&self, target: &Target, played: Vec<Webhook>, now: Timestamp) -> Vec<(Webhook, Delivery)> {
        let mut deliveries = Vec::new();
        for webhook in played {
            let delivery = webhook.delivery(target, now);
            if self.duplicates {
                deliveries.push((webhook.clone(), delivery.clone()));
            }
            deliveries.push((webhook, delivery));
        }
        if self.shuffle {
            fastrand::shuffle(&mut deliveries);
        }
        deliveries
    }
}

/// Every webhook of a meeting, in order.
fn told(plan: &BotPlan) -> Vec<Webhook> {
    let channels = || plan.channels.iter();
    let steps = plan.steps().into_iter();
    steps.flat_map(|step| channels().filter_map(move |channel| Webhook::of(plan, *channel, step, None))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use shared::{
        ReceivedAt, Session,
        event::Outcome,
        session::{Disposition, State, advance},
        trust::Trust,
    };
    use simulator::receiver::{NOW, accept, target};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        meeting: Meeting,
    }

    fn meeting(flags: &str) -> Meeting {
        Command::try_parse_from(format!("meeting {flags}").split_whitespace()).unwrap().meeting
    }

    fn played(flags: &str) -> Vec<Webhook> {
        let meeting = meeting(flags);
        let channel = meeting.route.endpoint().unwrap();
        told(&meeting.plan(channel, "b-1", "2026-11-22T12:00:00.123456Z".parse().unwrap()).unwrap())
    }

    /// The session that the pipeline would make of it, and how many deliveries took no effect.
    fn session(flags: &str) -> (Session, usize) {
        let meeting = meeting(flags);
        let target = target(meeting.route.endpoint().unwrap());
        let mut session: Option<Session> = None;
        let mut without_effect = 0;
        let deliveries = meeting.deliveries(&target, played(flags), NOW.parse().unwrap());
        for (at, (Webhook { name, .. }, delivery)) in deliveries.into_iter().enumerate() {
            let event = provider::parse(&accept(&delivery, &at.to_string()).unwrap()).unwrap();
            let before = session.unwrap_or_else(|| Session::new(event.session.clone(), ReceivedAt(0)));
            let moved = advance(&before, &event);
            assert!(moved.disposition != Disposition::Ignored || name == "meeting_error", "{name}");
            without_effect += usize::from(moved.disposition == Disposition::Duplicate);
            session = Some(moved.session.unwrap_or(before));
        }
        (session.unwrap(), without_effect)
    }

    #[track_caller]
    fn check(flags: &str, outcome: Outcome, artifacts: usize) {
        let (session, duplicates) = session(flags);
        assert_eq!(session.outcome(), Some(outcome), "{flags}");
        assert_eq!(session.state(), State::Done, "{flags}");
        let trust = if flags.contains("--callback") { Trust::Unverified } else { Trust::Verified };
        assert_eq!(session.ending().map(|ending| ending.trust), Some(trust), "{flags}");
        assert_eq!(session.artifacts().len(), artifacts, "{flags}");
        assert_eq!(session.custom_attributes(), Some(r#"{"sent_by":"rollcall"}"#), "{flags}");
        // Errors on the way are remarks, however often they are made.
        let counted = played(flags).iter().filter(|webhook| webhook.name != "meeting_error").count();
        assert_eq!(duplicates, if flags.contains("--duplicates") { counted } else { 0 }, "{flags}");
    }

    #[test]
    fn a_meeting_ends_as_it_was_told_to() {
        check("", Outcome::Completed, 4);
        check("--callback --outcome completed --deletion", Outcome::Completed, 4);
        check("--callback --outcome kicked", Outcome::Kicked, 4);
        check("--outcome kicked --era bot-event --shuffle --duplicates", Outcome::Kicked, 4);
        check("--outcome kicked --era event", Outcome::Completed, 4);
        check("--outcome not_admitted", Outcome::NotAdmitted, 0);
        check("--callback --outcome denied --era event --shuffle", Outcome::Denied, 0);
        check("--outcome failed --duplicates", Outcome::Failed, 2);
    }

    #[test]
    fn a_meeting_of_meeting_baas_ends_as_it_was_told_to() {
        for dialect in ["v1", "v2", "callback", "legacy"] {
            for more in ["", "--duplicates"] {
                let flags = |outcome: &str| format!("--as meetingbaas-{dialect} --outcome {outcome} {more}");
                check(&flags("completed"), Outcome::Completed, 3);
                check(&flags("kicked"), Outcome::Kicked, 0);
                check(&flags("not_admitted"), Outcome::NotAdmitted, 0);
                check(&flags("denied"), Outcome::Denied, 0);
                check(&flags("failed"), Outcome::Failed, 0);
            }
            let (in_order, _) = session(&format!("--as meetingbaas-{dialect}"));
            let (shuffled, _) = session(&format!("--as meetingbaas-{dialect} --shuffle --duplicates"));
            let says = |session: &Session| {
                (session.state(), session.ending().cloned(), session.joined_at().cloned(), session.artifacts().clone())
            };
            assert_eq!(says(&in_order), says(&shuffled), "{dialect}");
        }
    }

    #[test]
    fn flags_of_one_provider_mean_nothing_to_the_other() {
        for nonsense in ["--era both", "--deletion"] {
            let meeting = meeting(&format!("--as meetingbaas-v2 {nonsense}"));
            let plan = meeting.plan(Endpoint::MeetingBaasV2, "b", Timestamp::UNIX_EPOCH);
            assert!(plan.is_err(), "{nonsense}");
        }
    }

    #[test]
    fn time_moves_forward_and_not_into_the_future() {
        for dialect in ["meetstream --deletion", "meetingbaas-v1", "meetingbaas-v2"] {
            for outcome in ["completed", "kicked", "not_admitted", "denied", "failed"] {
                let played = played(&format!("--as {dialect} --outcome {outcome}"));
                let times: Vec<String> = played.into_iter().filter_map(|webhook| webhook.timestamp).collect();
                assert!(times.is_sorted_by(|a, b| a < b), "{outcome}: {times:?}");
                match (dialect, times.last().map(String::as_str)) {
                    ("meetingbaas-v2", Some("2026-11-22T12:00:00.123Z")) => {}
                    // Its last delivery has none.
                    ("meetingbaas-v1", Some(last)) => assert!(last < "2026-11-22T12:00:00.123Z", "{last}"),
                    (_, last) => assert_eq!(last, Some("2026-11-22T12:00:00.123456+00:00"), "{outcome}"),
                }
            }
        }
    }

    #[test]
    fn deletion_is_by_request_and_without_attributes() {
        let last = |flags| played(flags).pop().map(|last| (last.name, String::from_utf8(last.body).unwrap())).unwrap();
        assert_eq!(last("--deletion --no-deletion").0, "bot.done");
        let (name, body) = last("--no-deletion --deletion");
        assert_eq!(name, "data_deletion");
        assert!(!body.contains("custom_attributes"), "{body}");
    }
}
