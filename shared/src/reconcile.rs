//! How far the search through a provider's list of bots is: which bots have been looked at, whatever happens in between.
//!
//! A list is read in *passes*, a page at a time, and a pass can take several invocations: what one has done is stored as a
//! [`Cursor`], and the next goes on from there. [`Cursor::after_page`] moves on only when everything on a page was looked at, and what
//! counts as done moves only when a pass has come to the list's end. So a crash, a truncated page, an error or a limit of calls costs
//! time and never a bot. A list that ends too early without saying so looks like a short one; so every moment is covered by two
//! passes that came to an end, and one of them may be cut short.

use serde::{Deserialize, Serialize};

/// How much of what was done is looked at again, in seconds: lists change while they are read, and may show a bot late.
pub const OVERLAP_SECONDS: i64 = 24 * 3600;

/// The most pages of one pass. A list that is longer than 1,000 pages of a day, or whose cursors lead in a circle, is begun anew.
const MAX_PAGES: u32 = 1000;

/// How far the search through a list is. All times are in seconds since the Unix epoch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    since: i64,
    /// Where the last pass that came to an end began.
    done_until: i64,
    /// Where the one before that began.
    sure_until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pass: Option<Pass>,
}

/// A pass that is under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pass {
    began_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    turned: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What to ask the list for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted<'a> {
    /// Bots from this moment on, in seconds since the Unix epoch: by their end, their creation or their day, as the list can.
    pub from: i64,
    /// The provider's own cursor of the page; `None` for the first one.
    pub page: Option<&'a str>,
}

impl Cursor {
    /// A search for everything since a moment. What is older is history, and not adopted.
    #[must_use]
    pub fn new(since: i64) -> Self {
        Self { since, done_until: since, sure_until: since, pass: None }
    }

    /// The search with a pass under way: the one that was, or a new one that begins `now`.
    #[must_use]
    pub fn begun(&self, now: i64) -> Self {
        let pass = self.pass.clone().unwrap_or(Pass { began_at: now, page: None, turned: 0 });
        Self { pass: Some(pass), ..self.clone() }
    }

    /// The page that is to be read next.
    #[must_use]
    pub fn wanted(&self) -> Wanted<'_> {
        let from = self.sure_until.saturating_sub(OVERLAP_SECONDS).max(self.since);
        Wanted { from, page: self.pass.as_ref().and_then(|pass| pass.page.as_deref()) }
    }

    /// The search after everything on the wanted page was looked at, `next` being the cursor that the page gave. Without one the pass
    /// is complete, and everything up to its beginning is done. A cursor that leads to the same page again ends the pass without that,
    /// and the next one begins anew.
    #[must_use]
    pub fn after_page(&self, next: Option<&str>) -> Self {
        let Some(pass) = &self.pass else { return self.clone() };
        match next {
            None => Self {
                since: self.since,
                done_until: self.done_until.max(pass.began_at),
                sure_until: self.done_until,
                pass: None,
            },
            Some(next) if pass.page.as_deref() == Some(next) || pass.turned >= MAX_PAGES => self.abandoned(),
            Some(next) => {
                let pass = Pass { page: Some(next.to_owned()), turned: pass.turned + 1, ..pass.clone() };
                Self { pass: Some(pass), ..self.clone() }
            }
        }
    }

    /// The search without the pass that is under way: its cursor is good for nothing any more, as when the list refuses it.
    #[must_use]
    pub fn abandoned(&self) -> Self {
        Self { pass: None, ..self.clone() }
    }

    /// The search begun anew from an earlier moment, because a person wants older bots looked for.
    #[must_use]
    pub fn from(&self, since: i64) -> Self {
        let since = since.min(self.since);
        Self { since, done_until: since, sure_until: since, pass: None }
    }

    /// Up to when every listed bot has been looked at.
    #[must_use]
    pub fn done_until(&self) -> i64 {
        self.done_until
    }

    /// Whether a pass is under way.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.pass.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const BEGAN: i64 = 1_791_000_000;

    #[test]
    fn what_is_done_moves_only_when_the_last_page_was_looked_at() {
        let new = Cursor::new(BEGAN);
        let first = new.begun(BEGAN + 900);
        assert_eq!(first.wanted(), Wanted { from: BEGAN, page: None });
        let second = first.after_page(Some("2"));
        assert_eq!(second.wanted().page, Some("2"));
        assert_eq!((second.done_until(), second.begun(BEGAN + 9000)), (BEGAN, second.clone()), "it goes on");
        let done = second.after_page(None);
        assert_eq!(
            (done.done_until(), done.is_under_way()),
            (BEGAN + 900, false),
            "until the pass began, not until it ended"
        );
        let much_later = done.begun(BEGAN + 10 * OVERLAP_SECONDS).after_page(None);
        assert_eq!(much_later.wanted().from, BEGAN, "the one pass since may have been cut short");
        let much_later = much_later.begun(BEGAN + 11 * OVERLAP_SECONDS).after_page(None);
        assert_eq!(much_later.wanted().from, BEGAN + 9 * OVERLAP_SECONDS);
        assert_eq!(much_later.from(BEGAN - 5).wanted(), Wanted { from: BEGAN - 5, page: None });
        assert_eq!(much_later.from(BEGAN + 5).wanted().from, BEGAN, "never later than before");
    }

    #[test]
    fn cursors_that_lead_nowhere_end_the_pass_and_nothing_else() {
        let second = Cursor::new(BEGAN).begun(BEGAN).after_page(Some("2"));
        assert_eq!(second.after_page(Some("2")), Cursor::new(BEGAN));
        assert_eq!(second.abandoned(), Cursor::new(BEGAN));
        let mut circle = Cursor::new(BEGAN).begun(BEGAN + 60);
        let mut turned = 0;
        while circle.is_under_way() {
            circle = circle.after_page(Some(if turned % 2 == 0 { "a" } else { "b" }));
            turned += 1;
        }
        assert_eq!((turned, circle), (MAX_PAGES + 1, Cursor::new(BEGAN)));
        assert_eq!(Cursor::new(BEGAN).after_page(None), Cursor::new(BEGAN), "no pass, no page");
    }

    #[test]
    fn the_stored_form_is_what_it_was() {
        let second = Cursor::new(BEGAN).begun(BEGAN + 60).after_page(Some("MjAyNg=="));
        let text = r#"{"since":1791000000,"done_until":1791000000,"sure_until":1791000000,"pass":{"began_at":1791000060,"page":"MjAyNg==","turned":1}}"#;
        assert_eq!(serde_json::to_string(&second).unwrap(), text);
        assert_eq!(serde_json::from_str::<Cursor>(text).unwrap(), second);
        assert_eq!(serde_json::to_string(&Cursor::new(7)).unwrap(), r#"{"since":7,"done_until":7,"sure_until":7}"#);
    }

    /// What can come of one page.
    #[derive(Clone, Copy, Debug)]
    enum Luck {
        /// Everything on it is looked at.
        Well,
        /// The function dies after it looked at the bots, before that is stored.
        Killed,
        /// The API does not answer, or too many bots are to be asked about: some are looked at, and the page is not done.
        Broken,
        /// The page claims to be the last one.
        EndsEarly,
        /// The page's cursor leads to the page itself.
        Loops,
        /// The list does not know the cursor any more.
        Refused,
    }

    fn luck() -> impl Strategy<Value = Luck> {
        use Luck::{Broken, EndsEarly, Killed, Loops, Refused, Well};
        prop_oneof![8 => Just(Well), 1 => Just(Killed), 1 => Just(Broken), 1 => Just(EndsEarly), 1 => Just(Loops), 1 => Just(Refused)]
    }

    /// Bots by the moment of their end, in no order that means anything, on pages of any size.
    #[derive(Clone, Debug)]
    struct List {
        ended: Vec<i64>,
        size: usize,
    }

    impl List {
        /// The page at a cursor of those that have ended by now and after `from`, and the next cursor.
        fn page(&self, wanted: Wanted<'_>, now: i64) -> (Vec<usize>, Option<String>) {
            let is_listed = |bot: &usize| (wanted.from..=now).contains(&self.ended[*bot]);
            let after = wanted.page.map_or(0, |cursor| cursor.parse::<usize>().unwrap());
            let mut rest = (after..self.ended.len()).filter(is_listed);
            let page: Vec<usize> = rest.by_ref().take(self.size).collect();
            let next = page.last().map(|last| (last + 1).to_string()).filter(|_| rest.next().is_some());
            (page, next)
        }
    }

    proptest! {
        #[test]
        fn every_bot_is_visited_whatever_happens_to_pages_and_passes(
            ended in proptest::collection::vec(0..40 * OVERLAP_SECONDS, 0..60),
            size in 1..9_usize,
            calls in 1..8_usize,
            lucks in proptest::collection::vec(luck(), 0..400),
        ) {
            let list = List { ended: ended.iter().map(|at| BEGAN + at).collect(), size };
            let (mut visited, mut stored) = (BTreeSet::new(), Cursor::new(BEGAN));
            let mut lucks = lucks.into_iter();
            // After a list ended too early, the next pass comes to its end.
            let mut honest_until = 0;
            // A pass is asked for every quarter of a day, and for a day after the last bot has ended nothing goes wrong any more.
            for quarter in 0..4 * 44_i64 {
                let now = BEGAN + quarter * OVERLAP_SECONDS / 4;
                let goes_well = quarter >= 4 * 40 || quarter < honest_until;
                let mut cursor = stored.begun(now);
                for _ in 0..if goes_well { 100 } else { calls } {
                    let (page, next) = list.page(cursor.wanted(), now);
                    cursor = match if goes_well { Luck::Well } else { lucks.next().unwrap_or(Luck::Well) } {
                        Luck::Well => {
                            visited.extend(page);
                            cursor.after_page(next.as_deref())
                        }
                        Luck::EndsEarly => {
                            visited.extend(page);
                            honest_until = quarter + 2;
                            cursor.after_page(None)
                        }
                        Luck::Loops => {
                            visited.extend(page);
                            let itself = cursor.wanted().page.map(str::to_owned);
                            cursor.after_page(itself.or(next).as_deref())
                        }
                        Luck::Killed => {
                            visited.extend(page);
                            break;
                        }
                        Luck::Broken => {
                            visited.extend(page.into_iter().take(1));
                            break;
                        }
                        Luck::Refused => cursor.abandoned(),
                    };
                    stored = cursor.clone();
                    if !cursor.is_under_way() {
                        break;
                    }
                }
            }
            prop_assert_eq!(visited.len(), list.ended.len(), "{:?}", stored);
        }
    }
}
