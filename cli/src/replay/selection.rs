//! Which deliveries a command is about.

use crate::{bot, failure::Failure};
use clap::{ArgAction, ArgGroup, Args};
use shared::{SessionId, bucket::name_of, ids::Subject};
use std::num::NonZeroUsize;

/// Whose deliveries.
#[derive(Args, Clone, Debug, Default)]
pub struct Whose {
    /// Only those of one bot, by the provider's id of it
    #[arg(long, num_args = 2, value_names = ["PROVIDER", "ID"], allow_hyphen_values = true, action = ArgAction::Set)]
    pub bot: Option<Vec<String>>,
    /// Only those of one calendar
    #[arg(long, num_args = 2, value_names = ["PROVIDER", "ID"], allow_hyphen_values = true, conflicts_with = "bot")]
    pub calendar: Option<Vec<String>>,
}

/// Which of the objects that were set aside.
#[derive(Args, Clone, Debug, Default)]
pub struct Filter {
    #[command(flatten)]
    pub whose: Whose,
    /// Only those that are there for this reason
    #[arg(long)]
    pub reason: Option<String>,
}

/// The same, where saying nothing must not mean all of them.
#[derive(Args, Clone, Debug, Default)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["all", "keys", "bot", "calendar", "reason"])))]
pub struct Which {
    #[command(flatten)]
    pub filter: Filter,
    /// This one, by its key or its last part, the id; may be given several times
    #[arg(long = "key", value_name = "KEY", conflicts_with_all = ["bot", "calendar", "reason"])]
    pub keys: Vec<String>,
    /// Everything
    #[arg(long, conflicts_with_all = ["keys", "bot", "calendar", "reason"])]
    pub all: bool,
}

/// How a list is printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct Listing {
    /// How many at most
    #[arg(long, default_value = "100")]
    pub limit: NonZeroUsize,
    /// Print a JSON list
    #[arg(long)]
    pub json: bool,
}

/// What to do beside putting back.
#[derive(Args, Clone, Copy, Debug)]
pub struct How {
    /// Only say what would be put back: nothing is changed
    #[arg(long)]
    pub dry_run: bool,
    /// Follow each delivery until its bot's timeline shows it, or it failed again
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// How long to follow them
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "wait")]
    pub timeout: u64,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        self.whose.bot.is_none() && self.whose.calendar.is_none() && self.reason.is_none()
    }
}

impl Whose {
    /// The bot or calendar, if one was named.
    pub fn session(&self) -> Result<Option<SessionId>, Failure> {
        let named = [(Subject::Bot, &self.bot), (Subject::Calendar, &self.calendar)];
        let named = named.into_iter().find_map(|(subject, words)| Some((subject, words.as_deref()?)));
        match named {
            Some((subject, [provider, id])) => bot::session_id(provider, subject, id).map(Some),
            _ => Ok(None),
        }
    }
}

/// Whether a key was asked for by `wanted`: the whole key or its last part, which is the accept id. What an interrupted
/// replay has in hand has something after that ([`aside`]).
pub fn is_asked_for(key: &str, wanted: &str) -> bool {
    let name = name_of(key).unwrap_or(key);
    let is_name_or_aside = |text: &str| text == wanted || text.split(ASIDE).next() == Some(wanted);
    is_name_or_aside(key) || is_name_or_aside(name)
}

/// What stands between the name of an object and the run of a replay that has it in hand.
const ASIDE: char = '~';

/// The key under which the replay `run` has an object in hand, until the queue confirms; `None` if some replay has it already.
pub fn aside(key: &str, run: &str) -> Option<String> {
    (!key.contains(ASIDE)).then(|| format!("{key}{ASIDE}{run}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_and_calendars_are_named_by_provider_and_id() {
        let words = |provider: &str, id: &str| Some(vec![provider.to_owned(), id.to_owned()]);
        let bot = Whose { bot: words("meetstream", "b"), ..Whose::default() }.session().unwrap().unwrap();
        assert_eq!(bot.encoded(), "meetstream#b");
        let calendar = Whose { calendar: words("meetingbaas", "c"), ..Whose::default() }.session().unwrap().unwrap();
        assert_eq!(calendar.encoded(), "meetingbaas#calendar#c");
        assert_eq!(Whose::default().session(), Ok(None));
        for (provider, id, told) in [("zoom", "b", "no provider \"zoom\""), ("meetstream", "", "no bot has the id")] {
            let failure = Whose { bot: words(provider, id), ..Whose::default() }.session().unwrap_err();
            assert!(failure.to_string().contains(told), "{failure}");
        }
    }

    #[track_caller]
    fn check(key: &str, wanted: &str, expected: bool) {
        assert_eq!(is_asked_for(key, wanted), expected, "{key} by {wanted}");
    }

    #[test]
    fn objects_are_asked_for_by_key_or_accept_id() {
        check("parked/g/a-1", "parked/g/a-1", true);
        check("parked/g/a-1", "a-1", true);
        check("parked/g/a-1~run", "a-1", true);
        check("parked/g/a-1~run", "parked/g/a-1", true);
        check("parked/g/a-1~run", "a-1~run", true);
        check("parked/g/a-1", "a-1~run", false);
        check("parked/g/a-12", "a-1", false);
        check("parked/g/a-1", "g/a-1", false);
        check("parked/g/a-1", "", false);
    }

    #[test]
    fn what_a_replay_has_in_hand_is_not_taken_in_hand_twice() {
        let taken = aside("parked/g/a", "run").unwrap();
        assert_eq!(taken, "parked/g/a~run");
        assert_eq!(shared::bucket::group_of(&taken), Some("g"));
        assert_eq!(aside(&taken, "another"), None);
    }
}
