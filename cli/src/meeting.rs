//! `rollcall send meeting`: every delivery of one plausible meeting.

use crate::{
    body::{self, Composition, Era},
    delivery::{Courier, Delivery},
    failure::Failure,
    screen::{self, Look, Tone},
    send::{Route, announcement, attributes, line, new_bot_id, unexpected},
    stack::Place,
};
use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use shared::{Endpoint, provider};

/// Play a whole meeting: every delivery of one bot, from joining to done
///
/// The meeting is over by now: its timestamps end at this moment.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall send meeting
  rollcall send meeting --outcome kicked --deletion
  rollcall send meeting --shuffle --duplicates      (the session must be the same as without)
  rollcall send meeting --callback --era event

Exits with 0 when every delivery was answered 200, else with 1.")]
pub struct Meeting {
    /// The bot [default: a new random one]
    #[arg(long, value_name = "ID")]
    bot_id: Option<String>,
    /// How it ends
    #[arg(long, value_enum, default_value_t)]
    outcome: Ending,
    /// End with the deletion of everything that was recorded
    #[arg(long, overrides_with = "no_deletion")]
    deletion: bool,
    /// Do not (the default)
    #[arg(long, overrides_with = "deletion")]
    no_deletion: bool,
    /// Which of MeetStream's generations of bodies
    #[arg(long, value_enum, default_value_t)]
    era: Era,
    /// The `custom_attributes`, a JSON object
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

impl Meeting {
    /// Carries the command out.
    ///
    /// # Errors
    /// When a delivery was not answered 200.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let target = self.route.target(place).await?;
        let courier = Courier::new(&target)?;
        let bot_id = self.bot_id.clone().unwrap_or_else(new_bot_id);
        let bodies = self.bodies(&bot_id, Timestamp::now());
        let bot = bodies.first().and_then(|(_, _, body)| provider::peek(Endpoint::MeetStream, body).session);
        screen::print(&announcement(bot.as_ref(), &target))?;
        let (mut sent, mut otherwise) = (0, 0);
        for (name, timestamp, body) in bodies {
            let delivery = Delivery::new(&target, body, Timestamp::now());
            sent += 1;
            match courier.send(&delivery).await {
                Ok(answer) => {
                    screen::print(&line(name, Some(&timestamp), &answer, 200, look))?;
                    otherwise += u32::from(answer.status != 200);
                }
                // The others may still arrive, and a meeting with a gap is a meeting too.
                Err(failure) => {
                    screen::print(&format!(
                        "{}  {name:26}{timestamp}  {}",
                        look.paint("---", Tone::Bad),
                        failure.what()
                    ))?;
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

    /// Name, timestamp and body of every delivery, in the order in which they are sent.
    fn bodies(&self, bot_id: &str, now: Timestamp) -> Vec<(&'static str, String, Vec<u8>)> {
        let mut bodies = Vec::new();
        for (name, seconds_before_end) in steps(self.outcome, self.deletion) {
            let moment = now.saturating_sub(SignedDuration::from_secs(seconds_before_end)).unwrap_or(now);
            let timestamp = body::timestamp(moment);
            let body = body::compose(&Composition {
                name,
                bot_id,
                era: self.era,
                status: None,
                message: None,
                timestamp: Some(&timestamp),
                attributes: body::echoes_attributes(name).then_some(&self.attributes),
            });
            for _ in 0..=usize::from(self.duplicates) {
                bodies.push((name, timestamp.clone(), body.clone()));
            }
        }
        if self.shuffle {
            fastrand::shuffle(&mut bodies);
        }
        bodies
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use shared::{
        AcceptId, QueueMessage, ReceivedAt, Session,
        auth::{AuthMode, Credentials, PathTokens},
        event::{Outcome, Trust},
        session::{Disposition, State, advance},
    };

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        meeting: Meeting,
    }

    fn bodies(flags: &str) -> Vec<(&'static str, String, Vec<u8>)> {
        let command = Command::try_parse_from(format!("meeting {flags}").split_whitespace()).unwrap();
        command.meeting.bodies("b-1", "2026-11-22T12:00:00.123456Z".parse().unwrap())
    }

    /// The session that the pipeline would make of them.
    fn session(bodies: Vec<(&'static str, String, Vec<u8>)>) -> (Session, usize) {
        let token = "a-token-of-22-characters".to_owned();
        let mode = AuthMode::PathToken(PathTokens::new(vec![token.clone()]).unwrap().unwrap());
        let mut session: Option<Session> = None;
        let mut duplicates = 0;
        for (at, (name, _, body)) in bodies.into_iter().enumerate() {
            let offered = Credentials { headers: &http::HeaderMap::new(), path_token: Some(&token) };
            let verified = mode.verify(offered, body, 0).unwrap();
            let accept_id = AcceptId::new(at.to_string());
            let message = QueueMessage::new(verified, Endpoint::MeetStreamCallback, accept_id, ReceivedAt(0));
            let event = provider::parse(&message).unwrap();
            let before = session.unwrap_or_else(|| Session::new(event.session.clone(), ReceivedAt(0)));
            let moved = advance(&before, &event);
            assert_ne!(moved.disposition, Disposition::Ignored, "{name}");
            duplicates += usize::from(moved.disposition == Disposition::Duplicate);
            session = Some(moved.session.unwrap_or(before));
        }
        (session.unwrap(), duplicates)
    }

    #[track_caller]
    fn check(flags: &str, outcome: Outcome, artifacts: usize) {
        let (session, duplicates) = session(bodies(flags));
        assert_eq!(session.outcome(), Some(outcome), "{flags}");
        assert_eq!(session.state(), State::Done, "{flags}");
        assert_eq!(session.ending().map(|ending| ending.trust), Some(Trust::Claimed), "{flags}");
        assert_eq!(session.artifacts().len(), artifacts, "{flags}");
        assert_eq!(session.custom_attributes(), Some(r#"{"sent_by":"rollcall"}"#), "{flags}");
        assert_eq!(duplicates, if flags.contains("--duplicates") { bodies(flags).len() / 2 } else { 0 }, "{flags}");
    }

    #[test]
    fn a_meeting_ends_as_it_was_told_to() {
        check("", Outcome::Completed, 4);
        check("--outcome completed --deletion", Outcome::Completed, 4);
        check("--outcome kicked", Outcome::Kicked, 4);
        check("--outcome kicked --era bot-event --shuffle --duplicates", Outcome::Kicked, 4);
        check("--outcome kicked --era event", Outcome::Completed, 4);
        check("--outcome not_admitted", Outcome::NotAdmitted, 0);
        check("--outcome denied --era event --shuffle", Outcome::Denied, 0);
        check("--outcome failed --duplicates", Outcome::Failed, 2);
    }

    #[test]
    fn time_moves_forward_and_not_into_the_future() {
        for outcome in ["completed", "kicked", "not_admitted", "denied", "failed"] {
            let times: Vec<String> =
                bodies(&format!("--deletion --outcome {outcome}")).into_iter().map(|(_, time, _)| time).collect();
            assert!(times.is_sorted_by(|a, b| a < b), "{outcome}: {times:?}");
            assert_eq!(times.last().map(String::as_str), Some("2026-11-22T12:00:00.123456+00:00"), "{outcome}");
        }
    }

    #[test]
    fn deletion_is_by_request_and_without_attributes() {
        let last = |flags| bodies(flags).pop().map(|(name, _, body)| (name, String::from_utf8(body).unwrap())).unwrap();
        assert_eq!(last("--deletion --no-deletion").0, "bot.done");
        let (name, body) = last("--no-deletion --deletion");
        assert_eq!(name, "data_deletion");
        assert!(!body.contains("custom_attributes"), "{body}");
    }
}
