//! Which events are published.

use crate::env::{self, ConfigError, Lookup};
use std::collections::BTreeSet;

/// The names of all events, in the order of `docs/CONSUMING.md`.
const NAMES: [&str; 18] = [
    "meeting.scheduled",
    "meeting.joining",
    "meeting.waiting",
    "meeting.joined",
    "meeting.leaving",
    "recording.allowed",
    "recording.denied",
    "recording.started",
    "recording.paused",
    "recording.resumed",
    "meeting.ended",
    "meeting.done",
    "transcript.ready",
    "recording.ready",
    "artifact.unavailable",
    "data.deleted",
    "calendar.changed",
    "calendar.event_changed",
];

/// The events that are published, by their names: all of them, or some. What is not published is merged into sessions as ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedKinds(BTreeSet<&'static str>);

impl Default for PublishedKinds {
    /// All of them.
    fn default() -> Self {
        Self(NAMES.into())
    }
}

impl PublishedKinds {
    /// Reads `PUBLISHED_KINDS`, a list of names separated by commas; `all`, or no list, stands for all of them.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that no event has: whoever wrote it would wait for that event for ever.
    pub fn from_env(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let variable = "PUBLISHED_KINDS";
        let list = env::optional(lookup, variable)?.filter(|list| list != "all");
        let Some(list) = list else { return Ok(Self::default()) };
        let named = list.split(',').map(|name| {
            let known = NAMES.into_iter().find(|known| *known == name.trim());
            known.ok_or_else(|| ConfigError::Invalid {
                name: variable,
                reason: format!("no event has the name {:?}: the names are {}", name.trim(), NAMES.join(", ")),
            })
        });
        named.collect::<Result<_, _>>().map(Self)
    }

    /// Whether events of this name are published.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Result<PublishedKinds, ConfigError> {
        PublishedKinds::from_env(&|name: &str| (name == "PUBLISHED_KINDS").then(|| list.to_owned()))
    }

    #[test]
    fn all_events_are_published_unless_some_are_named() {
        for all in ["", "all"] {
            assert!(NAMES.into_iter().all(|name| read(all).unwrap().contains(name)), "{all:?}");
        }
        let some = read("meeting.ended, transcript.ready").unwrap();
        let published: Vec<_> = NAMES.into_iter().filter(|name| some.contains(name)).collect();
        assert_eq!(published, ["meeting.ended", "transcript.ready"]);
    }

    #[test]
    fn a_name_that_no_event_has_is_refused() {
        for wrong in ["meeting.over", "meeting.ended,", "Meeting.ended", "meeting", "all,meeting.ended"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// The schemas are held against what the code publishes elsewhere.
    #[test]
    fn the_names_are_those_of_the_schemas_and_of_the_template() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let files = std::fs::read_dir(root.join("docs/schemas")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let described: BTreeSet<_> = names.map(|name| name.trim_end_matches(".json").to_owned()).collect();
        assert_eq!(described, NAMES.map(str::to_owned).into());
        let template = std::fs::read_to_string(root.join("template.yaml")).unwrap();
        for name in NAMES {
            assert!(template.contains(&format!("!Split [{name},")), "{name} is not in the version's description");
        }
    }
}
