use super::*;
use crate::{
    SenderId, SessionId,
    api::BotDetail,
    endpoint::Endpoint,
    event::{Artifact, ArtifactStatus, Certainty, Ended, Event, EventKind, Fact, Outcome},
    session::advance,
    time::OccurredAt,
};
use proptest::prelude::*;

/// When the first delivery came, in seconds since the Unix epoch.
const FIRST: i64 = 1_791_000_000;

fn bot(provider: Provider) -> SessionId {
    SessionId::bot(provider, SenderId::try_from("b").unwrap())
}

/// A session that heard these kinds so many seconds after the first.
fn session(provider: Provider, heard: &[(i64, EventKind)]) -> Session {
    let endpoint = if provider == Provider::MeetStream { Endpoint::MeetStream } else { Endpoint::MeetingBaasV2 };
    let empty = Session::new(bot(provider), ReceivedAt(i64::MAX));
    heard.iter().fold(empty, |session, (at, kind)| {
        let occurred = jiff::Timestamp::from_second(FIRST + at).unwrap().to_string();
        let fact = Fact { kind: kind.clone(), occurred_at: OccurredAt::parse(&occurred).ok(), reason: None };
        let asked = Event::asked(&bot(provider), fact, ReceivedAt((FIRST + at) * 1000));
        let event = Event { source: crate::Source::Delivered(endpoint), ..asked };
        advance(&session, &event).session.unwrap_or(session)
    })
}

fn ended() -> EventKind {
    EventKind::Ended(Ended { outcome: Outcome::Completed, certainty: Certainty::Final })
}

/// The ages, in minutes, of the marks at which it is overdue, for one that is looked at a quarter of an hour after each mark.
fn overdue_at(session: &Session) -> Vec<i64> {
    let deadlines = Deadlines::of(session.id().provider);
    let looks = deadlines.marks.iter().map(|mark| mark + 15 * MINUTE);
    looks.filter(|age| session.is_overdue(FIRST + age, &deadlines)).map(|age| (age - 15 * MINUTE) / MINUTE).collect()
}

const H: i64 = 60;
const ALL: [i64; 5] = [H, 6 * H, 26 * H, 8 * 24 * H, 32 * 24 * H];

#[track_caller]
fn check(name: &str, heard: &[(i64, EventKind)], expected: &[i64]) {
    assert_eq!(overdue_at(&session(Provider::MeetStream, heard)), expected, "{name}");
}

#[test]
fn silence_is_overdue_after_what_is_usual_in_a_state() {
    use EventKind as K;
    let min = |minutes: i64| minutes * MINUTE;
    check("joined and never heard of again", &[(0, K::Joining)], &ALL);
    check("in a lobby half an hour", &[(0, K::Joining), (min(31), K::Waiting)], &ALL[1..]);
    check("in a call", &[(0, K::Joining), (min(1), K::InCall)], &ALL[1..]);
    check("in a long call", &[(0, K::Joining), (min(60), K::Recording)], &ALL[2..]);
    check("leaving", &[(0, K::Joining), (min(30), K::Leaving)], &ALL);
    check("ended early", &[(0, K::Joining), (min(10), ended())], &[H, 6 * H]);
    check("ended, as most", &[(0, K::Joining), (min(50), ended())], &[6 * H, 26 * H]);
    check("ended after five hours", &[(0, K::Joining), (min(310), ended())], &[6 * H, 26 * H]);
    check("ended after a day", &[(0, K::Joining), (min(25 * 60), ended())], &[26 * H]);
    check("finished", &[(0, K::Joining), (min(50), ended()), (min(55), K::Done)], &ALL[3..]);
    check("deleted", &[(0, K::Joining), (min(55), K::Done), (min(60), K::Deleted)], &[]);
    check("scheduled, nobody knows for when", &[(0, K::Scheduled)], &ALL[1..]);
    let transcript = K::Artifact(Artifact::Transcript, ArtifactStatus::Announced);
    check("something is to be done for it", &[(0, K::Joining), (min(55), K::Done), (min(55), transcript)], &[]);
}

#[test]
fn a_scheduled_bot_is_asked_about_once_until_its_time_has_come() {
    let deadlines = Deadlines::of(Provider::MeetStream);
    let scheduled = session(Provider::MeetStream, &[(0, EventKind::Scheduled)]);
    assert_eq!(overdue_at(&scheduled).first(), Some(&(6 * H)));
    let join_at = jiff::Timestamp::from_second(FIRST + 90 * DAY).unwrap().to_string();
    let detail = BotDetail { join_at: OccurredAt::parse(&join_at).ok(), ..BotDetail::default() };
    let known = scheduled.with_join_at(detail.join_at.as_ref());
    assert_eq!(overdue_at(&known), [0; 0]);
    let late = FIRST + 90 * DAY + deadlines.late;
    assert!(!known.is_overdue(late - 1, &deadlines) && known.is_overdue(late, &deadlines));
    assert_eq!(known.with_join_at(None), known);
    let stored = crate::session::Document::of_session(&known).unwrap();
    assert_eq!(stored.session(&known.id().encoded()).unwrap(), known);
}

#[test]
fn meeting_baas_is_given_the_time_of_its_retries() {
    let joining = session(Provider::MeetingBaas, &[(0, EventKind::Joining)]);
    assert_eq!(overdue_at(&joining), ALL[1..]);
}

#[test]
fn deadlines_can_be_seconds() {
    let sooner = Deadlines::of(Provider::MeetStream).sooner(90);
    assert_eq!((sooner.grace, sooner.marks[0], sooner.marks[2]), (20, 40, 1040));
    assert_eq!(Deadlines::of(Provider::MeetStream).sooner(0), Deadlines::of(Provider::MeetStream));
    assert!(Deadlines::of(Provider::MeetStream).sooner(i64::MAX).marks.iter().all(|mark| *mark == 1));
}

/// A bot that goes its usual way: when it was created for, how long it waited, was in a call and until it was finished, in
/// seconds; and whether it ever is.
fn clean_lives() -> impl Strategy<Value = (Option<i64>, Session)> {
    let scheduled = prop_oneof![Just(None), (0..90 * DAY).prop_map(Some)];
    let life = (scheduled, 0..30 * MINUTE, 0..5 * HOUR, 0..20 * MINUTE, any::<bool>());
    life.prop_map(|(ahead, lobby, call, work, is_live)| {
        let start = ahead.unwrap_or(0);
        let mut heard = vec![(start, EventKind::Joining), (start + 10, EventKind::Waiting)];
        heard.extend([(start + lobby + 20, EventKind::InCall), (start + lobby + 30, EventKind::Recording)]);
        heard.extend([(start + lobby + call + 40, EventKind::Leaving), (start + lobby + call + 50, ended())]);
        heard.extend((!is_live).then_some((start + lobby + call + work + 60, EventKind::Done)));
        heard.splice(0..0, ahead.map(|_| (0, EventKind::Scheduled)));
        (ahead, session(Provider::MeetStream, &heard))
    })
}

proptest! {
    #[test]
    fn a_clean_bot_is_asked_about_twice_at_most((ahead, whole) in clean_lives(), phase in 0..15_i64) {
        let deadlines = Deadlines::of(Provider::MeetStream);
        let mut asked = 0;
        let mut known = None;
        for mark in deadlines.marks {
            let now = FIRST + mark + phase * MINUTE;
            // As it was known at that moment.
            let heard: Vec<_> = whole.timeline.iter().filter(|line| line.received_at.unix_seconds() <= now).collect();
            let kinds = heard.iter().map(|line| {
                let kind = match line.kind.as_str() {
                    "session.scheduled" => EventKind::Scheduled,
                    "session.joining" => EventKind::Joining,
                    "session.waiting" => EventKind::Waiting,
                    "session.in_call" => EventKind::InCall,
                    "session.recording" => EventKind::Recording,
                    "session.leaving" => EventKind::Leaving,
                    "session.done" => EventKind::Done,
                    _ => ended(),
                };
                (line.received_at.unix_seconds() - FIRST, kind)
            });
            let then = session(Provider::MeetStream, &kinds.collect::<Vec<_>>()).with_join_at(known.as_ref());
            // The search for a deletion, weeks later, is another matter.
            if then.is_overdue(now, &deadlines) && then.state() != State::Done {
                asked += 1;
                let at = ahead.map(|ahead| jiff::Timestamp::from_second(FIRST + ahead).unwrap().to_string());
                known = at.and_then(|at| OccurredAt::parse(&at).ok());
            }
        }
        prop_assert!(asked <= 2, "{asked} times");
    }

    #[test]
    fn nothing_panics_whatever_the_clock_says(now in any::<i64>(), first in any::<i64>(), times in any::<i64>()) {
        let session = Session::new(bot(Provider::MeetStream), ReceivedAt(first));
        let _ = session.is_overdue(now, &Deadlines::of(Provider::MeetStream).sooner(times));
    }
}
