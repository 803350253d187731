//! What there is of a bot that a deletion erases.

use crate::{
    bot::subject_name,
    bucket::{self, Bucket},
    escape,
    failure::Failure,
    screen::{Style, Tone},
    stack::Stack,
    table::{self, Known},
    words::{many, size},
};
use jiff::Timestamp;
use shared::{
    Session, SessionId, artifacts,
    bucket::Folder,
    session::{Job, TimelineLine},
};
use std::{collections::BTreeMap, fmt::Write as _};

/// Width of the names of what there is.
const LABEL_WIDTH: usize = 12;

/// Everything of a bot that a deletion erases, by where it is.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Remains {
    known: Option<Known>,
    /// How many objects and bytes are in each folder that has any.
    objects: BTreeMap<String, (usize, u64)>,
}

/// How far a deletion is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Nobody deleted anything.
    Kept,
    /// It was deleted, and something is here that nothing is going to erase.
    LeftOver,
    /// It is deleted and not all erased yet.
    Asked,
    /// It is erased; once more at this time, for what was on its way.
    Erased { again_at: Option<Timestamp> },
}

impl Remains {
    /// Looks for it everywhere.
    pub(super) async fn read(stack: &Stack, bucket: &Bucket<'_>, bot: &SessionId) -> Result<Self, Failure> {
        let client = aws_sdk_dynamodb::Client::new(&stack.aws.config);
        let known = table::known(&client, stack, bot, Timestamp::now().as_second()).await?;
        let mut listed = bucket.list(&artifacts::prefix(bot)).await?;
        for folder in Folder::ALL {
            listed.extend(bucket.list(&folder.prefix_of(&bot.group())).await?);
        }
        Ok(Self::of(known, bot, &listed))
    }

    fn of(known: Option<Known>, bot: &SessionId, listed: &[bucket::Stored]) -> Self {
        let prefix = artifacts::prefix(bot);
        let mut objects: BTreeMap<String, (usize, u64)> = BTreeMap::new();
        for object in listed {
            let path = object.key.strip_prefix(&prefix).unwrap_or(&object.key);
            let folder = path.split('/').next().unwrap_or_default();
            let (count, bytes) = objects.entry(folder.to_owned()).or_default();
            *count += 1;
            *bytes += object.size_bytes;
        }
        Self { known, objects }
    }

    /// How far a deletion is; `None` if nothing is known of the bot.
    pub(super) fn standing(&self) -> Option<Standing> {
        let session = self.session();
        let Some(session) = session.filter(|session| session.is_erased()) else {
            return (self.known.is_some() || !self.objects.is_empty()).then_some(Standing::Kept);
        };
        let again_at = session.pending(Job::EraseAgain).map(shared::session::Progress::due_at);
        Some(match session.pending(Job::Erase) {
            Some(_) => Standing::Asked,
            None if self.objects.is_empty() && self.mirrored() == 0 => {
                Standing::Erased { again_at: again_at.and_then(|due_at| Timestamp::from_second(due_at).ok()) }
            }
            // The second round takes it along.
            None if again_at.is_some() => Standing::Asked,
            None => Standing::LeftOver,
        })
    }

    /// A line for each place that has something.
    pub(super) fn render(&self, bot: &SessionId, style: Style) -> String {
        let id = style.paint(&escape::text(bot.id.as_sent()), Tone::Strong);
        let mut text = format!("{} {} {id}", bot.provider, subject_name(bot.subject));
        for (place, what) in self.lines() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {}{what}", style.paint(&format!("{place:LABEL_WIDTH$}"), Tone::Faint));
        }
        text
    }

    /// The same in one line.
    pub(super) fn in_a_line(&self) -> String {
        let lines: Vec<_> = self.lines().into_iter().map(|(place, what)| format!("{place}: {what}")).collect();
        if lines.is_empty() { "nothing but the tombstone".to_owned() } else { lines.join("; ") }
    }

    pub(super) fn lines(&self) -> Vec<(&str, String)> {
        let object = |(folder, (count, bytes)): (_, &(usize, u64))| {
            (folder, format!("{}, {}", many(*count, "object"), size(*bytes)))
        };
        let mut lines: Vec<_> = self.objects.iter().map(|(folder, counts)| object((folder.as_str(), counts))).collect();
        let words = self.session().map(words).unwrap_or_default();
        if !words.is_empty() {
            lines.push(("session", words.join(", ")));
        }
        if self.mirrored() > 0 {
            lines.push(("calendar", format!("{} mirrored, with titles", self.mirrored())));
        }
        match self.beside() {
            0 => {}
            count => lines.push(("beside it", many(count, "line of a delivery"))),
        }
        lines
    }

    /// How many entries of a calendar are mirrored.
    fn mirrored(&self) -> usize {
        self.known.as_ref().map_or(0, |known| known.mirrored)
    }

    fn session(&self) -> Option<&Session> {
        self.known.as_ref()?.session()
    }

    /// How many items are kept beside the session.
    fn beside(&self) -> usize {
        let inside = self.session().map_or(&[][..], Session::timeline);
        let is_inside = |entry: &TimelineLine| {
            inside.iter().any(|line| (&line.key, &line.accept_id) == (&entry.key, &entry.accept_id))
        };
        self.known.iter().flat_map(|known| &known.entries).filter(|entry| !is_inside(entry)).count()
    }
}

/// What the session itself loses.
fn words(session: &Session) -> Vec<String> {
    let ending = session.ending().and_then(|ending| ending.reason.as_ref());
    let facts = session.artifacts().values().filter_map(|fact| fact.reason.as_ref());
    let lines = session.timeline().iter().filter_map(|entry| entry.reason.as_ref());
    let reasons = ending.into_iter().chain(facts).chain(lines).count();
    let counted = [
        (reasons, "reason"),
        (session.copies().len(), "record of an artifact"),
        (session.missing().len(), "mark of a parked delivery"),
    ];
    let attributes = session.custom_attributes().map(|_| "custom attributes".to_owned());
    let counted = counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| many(count, what));
    attributes.into_iter().chain(counted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::entry;
    use serde_json::{Value, json};
    use shared::{Provider, SenderId};

    fn bot() -> SessionId {
        SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap())
    }

    fn remains(session: Option<&Value>, keys: &[&str]) -> Remains {
        let known = session.map(|more| {
            let mut document = json!({"id": bot(), "first_received_at": 0, "timeline": []});
            document.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            let session: Session = serde_json::from_value(document).unwrap();
            let beside: TimelineLine = serde_json::from_value(entry("k", "beside", 1, "bot.error")).unwrap();
            let entries = session.timeline().iter().cloned().chain([beside]).collect();
            Known { session: Some((session, 3)), entries, ..Known::default() }
        });
        let stored = |key: &&str| bucket::Stored { key: (*key).to_owned(), stored_at: None, size_bytes: 600 };
        Remains::of(known, &bot(), &keys.iter().map(stored).collect::<Vec<_>>())
    }

    #[test]
    fn how_far_a_deletion_is_shows_in_table_and_bucket() {
        let mark = json!({"moment": 0, "received_at": 0});
        let (done, open) = (json!({"wanted": mark, "settled": mark}), json!({"wanted": mark}));
        let later = json!({"wanted": mark, "retry_at": 1200});
        let deleted = |erase: &Value, again: &Value| json!({"deleted": {"trust": "verified"}, "jobs": {"erase": erase, "erase_again": again}});
        let again_at = Timestamp::from_second(1200).ok();
        let one = ["meetstream/b/audio/recording.wav"];
        for (name, session, keys, expected) in [
            ("nothing known", None, &[][..], None),
            ("bytes alone", None, &one, Some(Standing::Kept)),
            ("kept", Some(json!({})), &[], Some(Standing::Kept)),
            ("unverified only", Some(json!({"deleted": {"trust": "unverified"}})), &[], Some(Standing::Kept)),
            ("asked for", Some(deleted(&open, &done)), &one, Some(Standing::Asked)),
            ("asked for, nothing there", Some(deleted(&open, &done)), &[], Some(Standing::Asked)),
            ("erased once", Some(deleted(&done, &later)), &[], Some(Standing::Erased { again_at })),
            ("something came late", Some(deleted(&done, &later)), &one, Some(Standing::Asked)),
            ("erased", Some(deleted(&done, &done)), &[], Some(Standing::Erased { again_at: None })),
            ("put there since", Some(deleted(&done, &done)), &one, Some(Standing::LeftOver)),
        ] {
            assert_eq!(remains(session.as_ref(), keys).standing(), expected, "{name}");
        }
    }

    #[test]
    fn what_goes_is_counted_where_it_is() {
        let mut line = entry("k1", "a1", 1, "bot.stopped");
        line["w"] = json!("Priya removed it");
        let session = json!({
            "custom_attributes": ["verified", "{}"],
            "ending": {"trust": "verified", "certainty": "final", "outcome": "kicked", "reason": "Priya removed it"},
            "copies": {"audio": {"unavailable": "gone"}},
            "timeline": [line],
        });
        let group = bot().group();
        let (parked, claim) = (format!("parked/{group}/1"), format!("claims/{group}/2"));
        let keys = ["meetstream/b/transcript/r/raw.json", "meetstream/b/transcript/r/normalised.json", &parked, &claim];
        assert_eq!(
            remains(Some(&session), &keys).render(&bot(), Style::PLAIN),
            "\
meetstream bot b
  claims      1 object, 600 B
  parked      1 object, 600 B
  transcript  2 objects, 1.2 kB
  session     custom attributes, 2 reasons, 1 record of an artifact
  beside it   1 line of a delivery"
        );
        assert_eq!(
            remains(Some(&json!({})), &[&parked]).in_a_line(),
            "parked: 1 object, 600 B; beside it: 1 line of a delivery"
        );
        assert_eq!(remains(None, &[]).in_a_line(), "nothing but the tombstone");
    }
}
