//! How it goes while it goes: on a terminal as lines that change, elsewhere as lines that follow each other.

use super::{artifacts::is_pending, audit::in_words};
use crate::screen;
use indicatif::{ProgressBar, ProgressStyle};
use shared::{
    Session,
    artifacts::KINDS,
    session::{State, StoredCopy},
};
use simulator::{Fate, Sent};
use std::{
    collections::BTreeMap,
    fmt,
    io::{self, IsTerminal as _},
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

/// Where it is shown: on a terminal in lines that change, elsewhere in lines that follow each other.
pub(super) struct Live {
    bar: Option<ProgressBar>,
    last: Option<Instant>,
    begun: Instant,
}

impl Live {
    /// On a terminal, if standard error is one: standard output may go to a file.
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("meetings    {wide_bar} {pos}/{len} over, {elapsed}\n{msg}");
        let bar = io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        Self { bar, last: None, begun: Instant::now() }
    }

    /// Shows how far everything has come.
    pub(super) fn show(&mut self, progress: &Progress) {
        let (over, bots) = (progress.over, progress.bots);
        let [deliveries, sessions] = [progress.deliveries(), progress.sessions()];
        let parts = [("deliveries", deliveries), ("sessions", sessions), ("artifacts", progress.artifacts.to_string())];
        self.tell(over, bots, &format!("{over}/{bots} over"), &parts, false);
    }

    /// Shows how many bots are accounted for, after all meetings, and how far their artifacts have come.
    pub(super) fn settling(&mut self, settled: usize, bots: usize, copies: Copies) {
        let parts = [("sessions", format!("{settled}/{bots} accounted for")), ("artifacts", copies.to_string())];
        self.tell(bots, bots, "all over", &parts, settled >= bots);
    }

    fn tell(&mut self, over: usize, bots: usize, first: &str, parts: &[(&str, String)], is_last: bool) {
        if let Some(bar) = &self.bar {
            bar.set_length(bots as u64);
            bar.set_position(over as u64);
            let lines = parts.iter().map(|(label, text)| format!("{label:12}{text}"));
            bar.set_message(lines.collect::<Vec<_>>().join("\n"));
        } else if is_last || self.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            self.last = Some(Instant::now());
            let texts: String = parts.iter().map(|(_, text)| format!("  {text}")).collect();
            screen::remark(&format!("{:>4} s  {first}{texts}", self.begun.elapsed().as_secs()));
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
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
