//! `rollcall send meeting`: every delivery of one plausible meeting.

use crate::{
    body::{self, Composition, Era, meetingbaas},
    delivery::{Courier, Delivery, Target},
    dialect::Dialect,
    failure::Failure,
    screen::{self, Look, Tone},
    send::{Route, announcement, attributes, line, new_id, unexpected},
    stack::Place,
};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use shared::provider;

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

Exits with 0 when every delivery was answered 200, else with 1.")]
pub struct Meeting {
    /// The bot [default: a new random one]
    #[arg(long, value_name = "ID")]
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
    #[command(flatten)]
    route: Route,
}

/// How a meeting can end for a bot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Ending {
    /// the meeting ends
    #[default]
    Completed,
    /// a participant removes the bot
    Kicked,
    /// nobody lets the bot in
    NotAdmitted,
    /// the host refuses the bot
    Denied,
    /// the bot breaks down
    Failed,
}

/// One delivery to be: its name, and how many seconds before the last one it happens.
type Step = (&'static str, i64);

/// One delivery: its name, its time where it has one, and its body.
type Played = (&'static str, Option<String>, Vec<u8>);

impl Meeting {
    /// Carries the command out.
    ///
    /// # Errors
    /// When a delivery was not answered 200.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let endpoint = self.route.endpoint()?;
        let bot_id = self.bot_id.clone().unwrap_or_else(new_id);
        let played = self.played(&bot_id, Timestamp::now())?;
        let target = self.route.target(place).await?;
        let courier = Courier::new(&target)?;
        let bot = played.first().and_then(|(_, _, body)| provider::peek(endpoint, body).session);
        screen::print(&announcement(bot.as_ref(), &target))?;
        let (mut sent, mut otherwise) = (0, 0);
        for (name, timestamp, delivery) in self.deliveries(&target, played, Timestamp::now()) {
            sent += 1;
            match courier.send(&delivery).await {
                Ok(answer) => {
                    screen::print(&line(name, timestamp.as_deref(), &answer, 200, look))?;
                    otherwise += u32::from(answer.status != 200);
                }
                // The others may still arrive, and a meeting with a gap is a meeting too.
                Err(failure) => {
                    let when = timestamp.map(|timestamp| format!("{timestamp}  ")).unwrap_or_default();
                    let status = look.paint("---", Tone::Bad);
                    screen::print(&format!("{status}  {name:25} {when}{}", failure.what()))?;
                    otherwise += 1;
                }
            }
        }
        if otherwise > 0 {
            return Err(unexpected(otherwise, sent, 200));
        }
        self.route.suggest_timeline(place, bot.as_ref());
        Ok(())
    }

    /// Everything that happens, in order.
    fn played(&self, bot_id: &str, now: Timestamp) -> Result<Vec<Played>, Failure> {
        let before = |seconds| now.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(now);
        let dialect = self.route.dialect;
        if dialect == Dialect::MeetStream {
            let steps = steps(self.outcome, self.deletion).into_iter();
            return Ok(steps.map(|(name, seconds)| self.of_meetstream(name, bot_id, before(seconds))).collect());
        }
        self.route.has_no_place_for(&[("--era", self.era.is_some()), ("--deletion", self.deletion)])?;
        let play = |(name, seconds)| {
            let composed = meetingbaas::compose(&meetingbaas::Composition {
                dialect,
                name,
                id: bot_id,
                now: before(seconds),
                timestamp: None,
                no_timestamp: false,
                message: None,
                error_code: error_code(dialect, self.outcome),
                attributes: Some(&self.attributes),
            })?;
            Ok((name, composed.timestamp, composed.body))
        };
        meetingbaas_steps(dialect, self.outcome).into_iter().map(play).collect()
    }

    fn of_meetstream(&self, name: &'static str, bot_id: &str, moment: Timestamp) -> Played {
        let timestamp = body::timestamp(moment);
        let body = body::compose(&Composition {
            name,
            bot_id,
            era: self.era.unwrap_or_default(),
            status: None,
            message: None,
            timestamp: Some(&timestamp),
            attributes: body::echoes_attributes(name).then_some(&self.attributes),
        });
        (name, Some(timestamp), body)
    }

    /// What is sent, in the order in which it is sent. A duplicate is the same delivery once more, its proof included.
    fn deliveries(
        &self,
        target: &Target,
        played: Vec<Played>,
        now: Timestamp,
    ) -> Vec<(&'static str, Option<String>, Delivery)> {
        let mut deliveries = Vec::new();
        for (name, timestamp, body) in played {
            let delivery = (name, timestamp, Delivery::new(target, body, now));
            if self.duplicates {
                deliveries.push(delivery.clone());
            }
            deliveries.push(delivery);
        }
        if self.shuffle {
            fastrand::shuffle(&mut deliveries);
        }
        deliveries
    }
}

/// The deliveries of a meeting of about three quarters of an hour, as recorded ones went.
fn steps(ending: Ending, deletion: bool) -> Vec<Step> {
    const ADMITTED: [Step; 4] =
        [("bot.joining", 3360), ("bot.in_waiting_room", 3350), ("bot.inmeeting", 3320), ("bot.recording", 3315)];
    const REFUSED: [Step; 3] = [("bot.joining", 640), ("bot.in_waiting_room", 630), ("bot.leaving", 30)];
    const RECORDED: [Step; 6] = [
        ("manifest.completed", 462),
        ("audio.processed", 420),
        ("transcription.processed", 262),
        ("bot.transcriptionready", 261),
        ("video.processed", 62),
        ("bot.done", 60),
    ];
    let mut steps = match ending {
        Ending::Completed => [&ADMITTED[..], &[("bot.leaving", 474), ("bot.stopped", 470)], &RECORDED].concat(),
        Ending::Kicked => [&ADMITTED[..], &[("bot.kicked", 470)], &RECORDED].concat(),
        Ending::NotAdmitted => [&REFUSED[..], &[("bot.notallowed", 28), ("bot.done", 20)]].concat(),
        Ending::Denied => [&REFUSED[..], &[("bot.denied", 28), ("bot.done", 20)]].concat(),
        Ending::Failed => {
            let rest = [("bot.failed", 470), ("audio.processed", 420), ("transcription.failed", 262), ("bot.done", 60)];
            [&ADMITTED[..], &rest].concat()
        }
    };
    if deletion {
        steps.push(("data_deletion", 0));
    }
    steps
}

/// The deliveries of a meeting of about half an hour.
fn meetingbaas_steps(dialect: Dialect, ending: Ending) -> Vec<Step> {
    use meetingbaas::{SECONDS_AFTER_MEETING as LEFT, SECONDS_IN_MEETING};
    const JOINED: i64 = LEFT + SECONDS_IN_MEETING;
    const ADMITTED: [Step; 5] = [
        ("queued", JOINED + 60),
        ("joining_call", JOINED + 30),
        ("in_waiting_room", JOINED + 20),
        ("in_call_not_recording", JOINED),
        ("in_call_recording", JOINED - 5),
    ];
    const REFUSED: [Step; 3] = [("queued", 660), ("joining_call", 630), ("in_waiting_room", 620)];
    let (came, went): (&[Step], &[Step]) = match ending {
        Ending::Completed => (&ADMITTED, &[("call_ended", LEFT)]),
        Ending::Kicked => (&ADMITTED, &[("bot_removed", LEFT + 1), ("call_ended", LEFT)]),
        Ending::NotAdmitted => (&REFUSED, &[("waiting_room_timeout", 20)]),
        Ending::Denied => (&REFUSED, &[("bot_rejected", 20)]),
        Ending::Failed => (&ADMITTED, &[("meeting_error", LEFT)]),
    };
    let started: &[Step] = if came.len() == ADMITTED.len() { &[("meeting.started", JOINED)] } else { &[] };
    let last = |well, badly| [(if ending == Ending::Completed { well } else { badly }, 0)];
    match dialect {
        Dialect::MeetStream => steps(ending, false),
        // It knows no queue.
        Dialect::MeetingBaasV1 => [came.get(1..).unwrap_or_default(), went, &last("complete", "failed")].concat(),
        Dialect::MeetingBaasV2 => [came, went, &last("bot.completed", "bot.failed")].concat(),
        Dialect::MeetingBaasCallback => last("bot.completed", "bot.failed").to_vec(),
        Dialect::MeetingBaasLegacy => [started, &last("meeting.completed", "meeting.failed")].concat(),
    }
}

/// Why it ends like that. v1 has its own words.
fn error_code(dialect: Dialect, ending: Ending) -> Option<&'static str> {
    let [v2, v1] = match ending {
        Ending::Completed => return None,
        Ending::Kicked => ["BOT_REMOVED", "BotRemoved"],
        Ending::NotAdmitted => ["TIMEOUT_WAITING_TO_START", "TimeoutWaitingToStart"],
        Ending::Denied => ["BOT_NOT_ACCEPTED", "BotNotAccepted"],
        Ending::Failed => ["INTERNAL_ERROR", "InternalError"],
    };
    Some(if matches!(dialect, Dialect::MeetingBaasV1 | Dialect::MeetingBaasLegacy) { v1 } else { v2 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::{NOW, target, verify};
    use clap::Parser;
    use shared::{
        AcceptId, QueueMessage, ReceivedAt, Session,
        event::{Outcome, Trust},
        session::{Disposition, State, advance},
    };

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        meeting: Meeting,
    }

    fn meeting(flags: &str) -> Meeting {
        Command::try_parse_from(format!("meeting {flags}").split_whitespace()).unwrap().meeting
    }

    fn played(flags: &str) -> Vec<Played> {
        meeting(flags).played("b-1", "2026-11-22T12:00:00.123456Z".parse().unwrap()).unwrap()
    }

    /// The session that the pipeline would make of it, and how many deliveries took no effect.
    fn session(flags: &str) -> (Session, usize) {
        let meeting = meeting(flags);
        let target = target(meeting.route.endpoint().unwrap());
        let mut session: Option<Session> = None;
        let mut without_effect = 0;
        let deliveries = meeting.deliveries(&target, played(flags), NOW.parse().unwrap());
        for (at, (name, _, delivery)) in deliveries.into_iter().enumerate() {
            let (endpoint, verified) = verify(&delivery).unwrap();
            let message = QueueMessage::new(verified, endpoint, AcceptId::new(at.to_string()), ReceivedAt(0));
            let event = provider::parse(&message).unwrap();
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
        let trust = if flags.contains("--callback") { Trust::Claimed } else { Trust::Verified };
        assert_eq!(session.ending().map(|ending| ending.trust), Some(trust), "{flags}");
        assert_eq!(session.artifacts().len(), artifacts, "{flags}");
        assert_eq!(session.custom_attributes(), Some(r#"{"sent_by":"rollcall"}"#), "{flags}");
        // Errors on the way are remarks, however often they are made.
        let counted = played(flags).iter().filter(|(name, ..)| *name != "meeting_error").count();
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
    fn every_dialect_has_its_sequence() {
        let names = |flags: &str| played(flags).into_iter().map(|(name, ..)| name).collect::<Vec<_>>().join(" ");
        assert_eq!(
            names("--as meetingbaas-v2"),
            "queued joining_call in_waiting_room in_call_not_recording in_call_recording call_ended bot.completed"
        );
        assert_eq!(
            names("--as meetingbaas-v1 --outcome not_admitted"),
            "joining_call in_waiting_room waiting_room_timeout failed"
        );
        assert_eq!(names("--as meetingbaas-callback --outcome failed"), "bot.failed");
        assert_eq!(names("--as meetingbaas-legacy"), "meeting.started meeting.completed");
        for nonsense in ["--era both", "--deletion"] {
            let meeting = meeting(&format!("--as meetingbaas-v2 {nonsense}"));
            assert!(meeting.played("b", Timestamp::UNIX_EPOCH).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn time_moves_forward_and_not_into_the_future() {
        for dialect in ["meetstream --deletion", "meetingbaas-v1", "meetingbaas-v2"] {
            for outcome in ["completed", "kicked", "not_admitted", "denied", "failed"] {
                let played = played(&format!("--as {dialect} --outcome {outcome}"));
                let times: Vec<String> = played.into_iter().filter_map(|(_, time, _)| time).collect();
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
        let last = |flags| played(flags).pop().map(|(name, _, body)| (name, String::from_utf8(body).unwrap())).unwrap();
        assert_eq!(last("--deletion --no-deletion").0, "bot.done");
        let (name, body) = last("--no-deletion --deletion");
        assert_eq!(name, "data_deletion");
        assert!(!body.contains("custom_attributes"), "{body}");
    }
}
