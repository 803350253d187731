//! How it goes while it goes: on a terminal as lines that change, elsewhere as lines that follow each other.

use super::{artifacts::is_pending, audit::in_words};
use crate::screen::{self, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use shared::{
    Session,
    artifacts::KINDS,
    session::{State, StoredCopy},
};
use simulator::{Fate, Sent};
use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, Instant},
};

/// How often a line is written where lines follow each other.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// How far everything has come.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    bots: usize,
    /// How many meetings are over.
    pub(super) over: usize,
    sent: usize,
    dropped: usize,
    answers: BTreeMap<String, usize>,
    states: BTreeMap<State, usize>,
    artifacts: Copies,
}

/// How far artifacts have come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Copies {
    stored: usize,
    unavailable: usize,
    pending: usize,
}

impl Copies {
    /// Takes those of one more session into account.
    pub(super) fn count(&mut self, session: &Session) {
        for artifact in KINDS {
            match session.copies().get(&artifact) {
                _ if is_pending(session, artifact) => self.pending += 1,
                Some(StoredCopy::Stored(_)) => self.stored += 1,
                Some(StoredCopy::Unavailable(_)) => self.unavailable += 1,
                None => {}
            }
        }
    }
}

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, unavailable, pending } = self;
        write!(f, "{stored} stored, {unavailable} unavailable, {pending} pending")
    }
}

impl Progress {
    pub(super) fn new(bots: usize) -> Self {
        let (answers, states) = (BTreeMap::new(), BTreeMap::new());
        Self { bots, over: 0, sent: 0, dropped: 0, answers, states, artifacts: Copies::default() }
    }

    /// Takes one more delivery into account.
    pub(super) fn count(&mut self, sent: &Sent) {
        if sent.fate == Fate::Dropped {
            self.dropped += 1;
        } else {
            self.sent += 1;
            *self.answers.entry(in_words(&sent.fate)).or_default() += 1;
        }
    }

    /// Takes over what the table has of the bots.
    pub(super) fn see(&mut self, sessions: &[Session]) {
        self.states.clear();
        self.artifacts = Copies::default();
        for session in sessions {
            self.artifacts.count(session);
            *self.states.entry(session.state()).or_default() += 1;
        }
    }

    fn deliveries(&self) -> String {
        let answers: Vec<String> = self.answers.iter().map(|(answer, count)| format!("{count} x {answer}")).collect();
        let lost = if self.dropped > 0 { format!(", {} lost", self.dropped) } else { String::new() };
        format!("{} sent{}{lost}", self.sent, after_a_colon(&answers))
    }

    fn sessions(&self) -> String {
        let known: usize = self.states.values().sum();
        let states: Vec<String> =
            self.states.iter().map(|(state, count)| format!("{count} {}", state.as_str())).collect();
        format!("{known} known{}", after_a_colon(&states))
    }
}

fn after_a_colon(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// Where it is shown.
pub(super) enum Live {
    Terminal {
        all: MultiProgress,
        meetings: ProgressBar,
        deliveries: ProgressBar,
        sessions: ProgressBar,
        artifacts: ProgressBar,
    },
    Lines {
        last: Option<Instant>,
        begun: Instant,
    },
}

impl Live {
    /// On a terminal, if standard output is one.
    pub(super) fn new(style: Style) -> Self {
        if style.width.is_none() {
            return Self::Lines { last: None, begun: Instant::now() };
        }
        let all = MultiProgress::new();
        let line = |template: &str| {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            all.add(ProgressBar::new(0).with_style(style))
        };
        let meetings = line("meetings    {wide_bar} {pos}/{len} over, {elapsed}");
        let deliveries = line("deliveries  {wide_msg}");
        let sessions = line("sessions    {wide_msg}");
        let artifacts = line("artifacts   {wide_msg}");
        Self::Terminal { meetings, deliveries, sessions, artifacts, all }
    }

    /// Shows how far everything has come.
    pub(super) fn show(&mut self, progress: &Progress) {
        match self {
            Self::Terminal { meetings, deliveries, sessions, artifacts, .. } => {
                meetings.set_length(progress.bots as u64);
                meetings.set_position(progress.over as u64);
                deliveries.set_message(progress.deliveries());
                sessions.set_message(progress.sessions());
                artifacts.set_message(progress.artifacts.to_string());
            }
            Self::Lines { last, begun } => {
                if last.is_some_and(|last| last.elapsed() < BETWEEN_LINES) {
                    return;
                }
                *last = Some(Instant::now());
                let (over, bots) = (progress.over, progress.bots);
                let (deliveries, sessions, artifacts) =
                    (progress.deliveries(), progress.sessions(), progress.artifacts);
                let seconds = begun.elapsed().as_secs();
                screen::remark(&format!("{seconds:>4} s  {over}/{bots} over  {deliveries}  {sessions}  {artifacts}"));
            }
        }
    }

    /// Shows how many bots are accounted for, after all meetings, and how far their artifacts have come.
    pub(super) fn settling(&mut self, settled: usize, bots: usize, copies: Copies) {
        match self {
            Self::Terminal { meetings, sessions, artifacts, .. } => {
                meetings.set_position(bots as u64);
                sessions.set_message(format!("{settled}/{bots} accounted for"));
                artifacts.set_message(copies.to_string());
            }
            Self::Lines { last, begun } => {
                if settled < bots && last.is_some_and(|last| last.elapsed() < BETWEEN_LINES) {
                    return;
                }
                *last = Some(Instant::now());
                let seconds = begun.elapsed().as_secs();
                screen::remark(&format!("{seconds:>4} s  {settled}/{bots} accounted for  {copies}"));
            }
        }
    }

    /// Clears the screen for the summary.
    pub(super) fn end(&mut self) {
        if let Self::Terminal { all, meetings, deliveries, sessions, artifacts } = self {
            for line in [meetings, deliveries, sessions, artifacts] {
                line.finish_and_clear();
            }
            // What cannot be cleared stays.
            let _ = all.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::session;
    use serde_json::json;
    use shared::Endpoint;

    #[test]
    fn progress_is_counted() {
        let mut progress = Progress::new(3);
        assert_eq!((progress.deliveries().as_str(), progress.sessions().as_str()), ("0 sent", "0 known"));
        for fate in [
            Fate::Dropped,
            Fate::Answered { status: 200, took: Duration::ZERO },
            Fate::Answered { status: 200, took: Duration::ZERO },
            Fate::Unanswered { why: "x".to_owned() },
        ] {
            let (bot_id, name, endpoint) = ("b".to_owned(), "n".to_owned(), Endpoint::MeetStream);
            progress.count(&Sent { bot_id, endpoint, name, is_copy: false, is_retry: false, fate });
        }
        let session = session("b", &[]);
        let read = || serde_json::from_value::<Session>(session.clone()).unwrap();
        progress.see(&[read(), read()]);
        assert_eq!(progress.deliveries(), "3 sent: 2 x 200, 1 x no answer, 1 lost");
        assert_eq!(progress.sessions(), "2 known: 2 joining");
        assert_eq!(progress.artifacts.to_string(), "0 stored, 0 unavailable, 0 pending");
        let mut document = session;
        document["copies"] = json!({ "audio": { "unavailable": "gone" } });
        progress.see(&[serde_json::from_value(document).unwrap()]);
        assert_eq!(progress.artifacts.to_string(), "0 stored, 1 unavailable, 0 pending");
    }
}
