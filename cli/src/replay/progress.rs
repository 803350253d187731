//! How a replay goes, while it goes and in the end.

use super::Fate;
use crate::{
    failure::Failure,
    screen::{self, Style, Tone},
};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal as _};

/// What to call what is done, of one and of many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    /// As in `12 put back into the events queue`.
    pub into: &'static str,
    /// Whether nothing is to be changed.
    pub dry_run: bool,
}

/// A display on a terminal, lines elsewhere: on standard error, so that standard output holds nothing but the summary.
#[derive(Debug)]
pub struct Progress {
    words: Words,
    total: usize,
    tally: Tally,
    bar: ProgressBar,
}

/// How many met which fate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub put_back: usize,
    pub refused: usize,
    /// Another command or the sweep took them meanwhile.
    pub gone: usize,
    /// They were not tried, or not with certainty.
    pub left: usize,
    pub failure: Option<Failure>,
}

impl Progress {
    /// Begins. `total` is approximate for a queue.
    pub fn new(total: usize, words: Words) -> Self {
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = if words.dry_run { ProgressBar::hidden() } else { ProgressBar::new_spinner().with_style(style) };
        Self { words, total, tally: Tally::default(), bar }
    }

    /// Counts one. `what` names it, harmless for terminals.
    pub fn note(&mut self, what: &str, fate: &Fate) -> Result<(), Failure> {
        self.tally.count(fate);
        match line(what, fate, self.words) {
            Some(line) if self.words.dry_run => return screen::print(&line),
            // A terminal has the counts; what went well is no news there.
            Some(line) if !io::stderr().is_terminal() || !matches!(fate, Fate::PutBack(_)) => {
                self.bar.suspend(|| screen::remark(&line));
            }
            _ => {}
        }
        let done = self.tally.put_back + self.tally.refused + self.tally.gone;
        self.bar.set_message(format!("{done} of {}", self.total.max(done)));
        Ok(())
    }

    pub fn close(self) -> Tally {
        self.bar.finish_and_clear();
        self.tally
    }
}

/// One delivery's line; `None` for one that was not tried.
fn line(what: &str, fate: &Fate, words: Words) -> Option<String> {
    match fate {
        Fate::PutBack(_) if words.dry_run => Some(format!("would be put back: {what}")),
        Fate::PutBack(_) => Some(format!("put back: {what}")),
        Fate::Refused(refusal) => {
            Some(format!("cannot be put back: {what}: {}", crate::escape::text(&refusal.to_string())))
        }
        Fate::Gone => Some(format!("gone meanwhile: {what}")),
        Fate::Failed(failure) => Some(format!("not put back: {what}: {}", failure.what())),
        Fate::Left => None,
    }
}

impl Tally {
    fn count(&mut self, fate: &Fate) {
        match fate {
            Fate::PutBack(_) => self.put_back += 1,
            Fate::Refused(_) => self.refused += 1,
            Fate::Gone => self.gone += 1,
            Fate::Left => self.left += 1,
            Fate::Failed(failure) => {
                self.left += 1;
                self.failure.get_or_insert_with(|| failure.clone());
            }
        }
    }

    /// All of it in a line.
    pub fn summary(&self, words: Words, style: Style) -> String {
        let counted = |count: usize, text: String, tone| (count > 0).then(|| style.paint(&text, tone));
        let verb = if words.dry_run { "would be put back into" } else { "put back into" };
        let put_back = format!("{} {verb} {}", self.put_back, words.into);
        let put_back = style.paint(&put_back, if self.put_back > 0 { Tone::Good } else { Tone::Plain });
        let cannot = format!("{} cannot be", self.refused);
        [
            Some(put_back),
            counted(self.refused, cannot, Tone::Bad),
            counted(self.left, format!("{} left where they were", self.left), Tone::Bad),
            counted(self.gone, format!("{} gone meanwhile", self.gone), Tone::Odd),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
    }

    /// How the command ends.
    pub fn result(self) -> Result<(), Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.refused == 0 => Ok(()),
            None => Err(Failure::new(format!("{} cannot be put back; the lines above say why", self.refused))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::content::Refusal;

    const WORDS: Words = Words { into: "the events queue", dry_run: false };

    #[track_caller]
    fn check(fates: &[Fate], words: Words, summary: &str, is_ok: bool) {
        let mut tally = Tally::default();
        for fate in fates {
            tally.count(fate);
        }
        assert_eq!(tally.summary(words, Style::PLAIN), summary);
        assert_eq!(tally.result().is_ok(), is_ok, "{summary}");
    }

    #[test]
    fn a_summary_counts_every_fate_and_only_whole_success_is_one() {
        let put_back = || Fate::PutBack(None);
        let refused = || Fate::Refused(Refusal::Foreign);
        check(&[], WORDS, "0 put back into the events queue", true);
        check(&[put_back(), put_back()], WORDS, "2 put back into the events queue", true);
        check(&[put_back(), Fate::Gone], WORDS, "1 put back into the events queue, 1 gone meanwhile", true);
        check(&[refused()], WORDS, "0 put back into the events queue, 1 cannot be", false);
        check(
            &[put_back(), refused(), Fate::Failed(Failure::new("x")), Fate::Left],
            WORDS,
            "1 put back into the events queue, 1 cannot be, 2 left where they were",
            false,
        );
        let dry = Words { dry_run: true, ..WORDS };
        check(&[put_back()], dry, "1 would be put back into the events queue", true);
    }

    #[test]
    fn the_first_failure_is_what_the_command_fails_with() {
        let mut tally = Tally::default();
        for name in ["first", "second"] {
            tally.count(&Fate::Failed(Failure::new(name)));
        }
        assert_eq!(tally.result().unwrap_err().what(), "first");
    }

    #[test]
    fn lines_are_harmless_and_say_why() {
        let refused = Fate::Refused(Refusal::Queue("\u{1b}[31m".to_owned()));
        let line = line("parked/g/a", &refused, WORDS).unwrap();
        assert!(line.starts_with("cannot be put back: parked/g/a: ") && crate::escape::is_harmless(&line), "{line}");
    }
}
