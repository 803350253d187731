//! `--wait`: what became of deliveries after they were put back.

use super::content::Returning;
use crate::{
    bucket::Bucket,
    escape,
    failure::Failure,
    screen::{Style, Tone},
    stack::Stack,
    table::{self, Known},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::{
    AcceptId, Session, SessionId,
    bucket::{Folder, key},
    session::Disposition,
};
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

/// How long to wait between two reads.
const WAIT_BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// How many groups are read at a time.
const CONCURRENT: usize = 8;

/// Where a delivery that fails again would be.
const AGAIN: [Folder; 2] = [Folder::Parked, Folder::Quarantine];

/// A delivery that was put back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Followed {
    accept_id: AcceptId,
    session: Option<SessionId>,
    group: String,
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ending {
    /// Its bot's timeline has it, and does not call it missing.
    Processed(Disposition),
    /// It failed again, and is in this folder again.
    FailedAgain(Folder),
    /// Nothing showed of it in time.
    Open,
    /// Its body names no bot that this version can see, so there is no timeline to look at.
    Nameless,
}

/// Follows deliveries until each has met its end, or time is up.
pub async fn follow(
    stack: &Stack,
    bucket: &Bucket<'_>,
    open: Vec<Followed>,
    limit: Duration,
) -> Result<Vec<(Followed, Ending)>, Failure> {
    let table = aws_sdk_dynamodb::Client::new(&stack.aws.config);
    let deadline = Instant::now() + limit;
    let mut by_group: BTreeMap<String, Vec<Followed>> = BTreeMap::new();
    for followed in open {
        by_group.entry(followed.group.clone()).or_default().push(followed);
    }
    let mut ended = Vec::new();
    loop {
        let looks = stream::iter(by_group).map(|(group, followed)| look(stack, &table, bucket, group, followed));
        let looks: Vec<_> = looks.buffer_unordered(CONCURRENT).try_collect().await?;
        by_group = BTreeMap::new();
        for (group, followed, endings) in looks {
            let mut open = Vec::new();
            for (followed, ending) in followed.into_iter().zip(endings) {
                match ending {
                    Some(ending) => ended.push((followed, ending)),
                    None => open.push(followed),
                }
            }
            if !open.is_empty() {
                by_group.insert(group, open);
            }
        }
        if by_group.is_empty() || Instant::now() >= deadline {
            let left = by_group.into_values().flatten();
            ended.extend(left.map(|followed| {
                let ending = if followed.session.is_some() { Ending::Open } else { Ending::Nameless };
                (followed, ending)
            }));
            return Ok(ended);
        }
        tokio::time::sleep(WAIT_BETWEEN_LOOKS).await;
    }
}

/// One look at everything of one group, which is one bot's.
async fn look(
    stack: &Stack,
    table: &aws_sdk_dynamodb::Client,
    bucket: &Bucket<'_>,
    group: String,
    followed: Vec<Followed>,
) -> Result<(String, Vec<Followed>, Vec<Option<Ending>>), Failure> {
    let mut stored = HashSet::new();
    for folder in AGAIN {
        stored.extend(bucket.list(&folder.prefix_of(&group)).await?.into_iter().map(|object| object.key));
    }
    let known = match followed.iter().find_map(|followed| followed.session.as_ref()) {
        Some(id) => table::known(table, stack, id, jiff::Timestamp::now().as_second()).await?,
        None => None,
    };
    let endings = followed.iter().map(|followed| followed.ending(known.as_ref(), &stored)).collect();
    Ok((group, followed, endings))
}

impl Followed {
    /// What there is to follow of a delivery.
    pub fn of(returning: &Returning) -> Self {
        let Returning { accept_id, session, group, .. } = returning.clone();
        Self { accept_id, session, group }
    }

    /// Whose it is, harmless for terminals.
    pub fn name(&self) -> String {
        let id = escape::text(self.accept_id.as_str());
        match &self.session {
            Some(session) => format!("{} {} ({id})", session.provider, escape::text(session.id.as_sent())),
            None => id,
        }
    }

    /// What became of it, by what is known of its bot and the keys of what is stored in `AGAIN`; `None` if that does not show yet.
    fn ending(&self, known: Option<&Known>, stored: &HashSet<String>) -> Option<Ending> {
        let is_stored = |folder: &Folder| stored.contains(&key(*folder, &self.group, self.accept_id.as_str()));
        // Its key was vacated before it was sent, so whatever is there now came after.
        if let Some(folder) = AGAIN.into_iter().find(is_stored) {
            return Some(Ending::FailedAgain(folder));
        }
        let known = known?;
        let missing = known.session().map(Session::missing).unwrap_or_default();
        if missing.iter().any(|missing| missing.accept_id == self.accept_id) {
            return None;
        }
        // A note that it was quarantined may be of the first time.
        let lines = known.entries.iter().filter(|entry| entry.accept_id == self.accept_id);
        lines.map(|entry| entry.disposition).find(|end| *end != Disposition::Quarantined).map(Ending::Processed)
    }
}

impl Ending {
    fn is_good(&self) -> bool {
        matches!(self, Self::Processed(_))
    }

    fn in_words(&self) -> String {
        match self {
            Self::Processed(disposition) => disposition.as_str().to_owned(),
            Self::FailedAgain(folder) => format!("failed again, in {}", folder.prefix()),
            Self::Open => "not processed yet".to_owned(),
            Self::Nameless => "of no bot that this rollcall can see".to_owned(),
        }
    }
}

/// What became of all of them in a line, and before it one line for each that did not end well.
pub fn report(ended: &[(Followed, Ending)], style: Style) -> String {
    let mut counts: BTreeMap<&Ending, usize> = BTreeMap::new();
    for (_, ending) in ended {
        *counts.entry(ending).or_default() += 1;
    }
    let counts = counts.into_iter().map(|(ending, count)| {
        let tone = if ending.is_good() { Tone::Good } else { Tone::Bad };
        style.paint(&format!("{count} {}", ending.in_words()), tone)
    });
    let summary = counts.collect::<Vec<_>>().join(", ");
    let bad = ended.iter().filter(|(_, ending)| !ending.is_good());
    let lines = bad.map(|(followed, ending)| format!("{}: {}", followed.name(), ending.in_words()));
    lines.chain([format!("of these: {summary}")]).collect::<Vec<_>>().join("\n")
}

/// How the command ends.
pub fn result(ended: &[(Followed, Ending)]) -> Result<(), Failure> {
    let count = ended.iter().filter(|(_, ending)| !ending.is_good()).count();
    if count == 0 {
        return Ok(());
    }
    let has = |of: fn(&Ending) -> bool| ended.iter().any(|(_, ending)| of(ending));
    let mut help = Vec::new();
    for folder in AGAIN {
        if ended.iter().any(|(_, ending)| *ending == Ending::FailedAgain(folder)) {
            help.push(format!("`rollcall {} list` says why those failed again", folder.as_str()));
        }
    }
    if has(|ending| *ending == Ending::Open) {
        help.push("those not processed yet wait in the queue; `rollcall timeline` shows them when they are".to_owned());
    }
    if has(|ending| *ending == Ending::Nameless) {
        help.push("of those without a bot, `rollcall quarantine list` shows whether they failed again".to_owned());
    }
    Err(Failure::new(format!("{count} of {} that were put back took no effect so far", ended.len()))
        .help(help.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{entry, session};
    use serde_json::{Value, json};
    use shared::{Provider, SenderId};

    fn followed() -> Followed {
        let id = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
        Followed { accept_id: AcceptId::new("a"), group: "g".to_owned(), session: Some(id) }
    }

    fn known(timeline: &[Value], missing: &[&str], beside: &[Value]) -> Known {
        let mut document = session("b", timeline);
        let missing: Vec<_> = missing
            .iter()
            .map(|id| json!({"accept_id": id, "received_at": 0, "parked_as": format!("parked/g/{id}"), "reason": "r"}))
            .collect();
        document["missing"] = missing.into();
        let entries = timeline.iter().chain(beside).map(|entry| serde_json::from_value(entry.clone()).unwrap());
        Known {
            session: Some((serde_json::from_value(document).unwrap(), 1)),
            entries: entries.collect(),
            ..Known::default()
        }
    }

    #[track_caller]
    fn check(name: &str, known: Option<&Known>, stored: &[&str], expected: Option<Ending>) {
        let stored = stored.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(followed().ending(known, &stored), expected, "{name}");
    }

    #[test]
    fn the_end_of_a_delivery_is_told_from_its_beginning() {
        let line = |accept_id| entry("key", accept_id, 1, "bot.joining");
        let beside = |disposition: &str| {
            let mut entry = line("a");
            entry["d"] = disposition.into();
            entry
        };
        let applied = Some(Ending::Processed(Disposition::Applied));
        check("nothing known", None, &[], None);
        check("applied", Some(&known(&[line("a")], &[], &[])), &[], applied.clone());
        check("another one is missing", Some(&known(&[line("a")], &["other"], &[])), &[], applied);
        check("only others", Some(&known(&[line("other")], &[], &[])), &[], None);
        check("it is still called missing", Some(&known(&[], &["a"], &[beside("ignored")])), &[], None);
        let duplicate = Some(Ending::Processed(Disposition::Duplicate));
        check("a duplicate", Some(&known(&[line("other")], &[], &[beside("duplicate")])), &[], duplicate);
        check("quarantined the first time", Some(&known(&[], &[], &[beside("quarantined")])), &[], None);
        let in_hand = ["parked/g/a~run", "parked/g/other", "quarantine/x/a"];
        check("what others have in hand", None, &in_hand, None);
        check(
            "parked again",
            Some(&known(&[], &["a"], &[])),
            &["parked/g/a"],
            Some(Ending::FailedAgain(Folder::Parked)),
        );
        let quarantined = Some(Ending::FailedAgain(Folder::Quarantine));
        check("quarantined again", None, &["quarantine/g/a"], quarantined);
    }

    #[test]
    fn only_what_took_effect_is_success() {
        let good = (followed(), Ending::Processed(Disposition::Applied));
        let bad = (followed(), Ending::FailedAgain(Folder::Quarantine));
        assert_eq!(report(&[good.clone(), good.clone()], Style::PLAIN), "of these: 2 applied");
        assert!(result(std::slice::from_ref(&good)).is_ok());
        let text = report(&[good.clone(), bad.clone()], Style::PLAIN);
        let expected =
            "meetstream b (a): failed again, in quarantine/\nof these: 1 applied, 1 failed again, in quarantine/";
        assert_eq!(text, expected);
        let failed = result(&[good, bad]).unwrap_err().to_string();
        assert!(failed.contains("`rollcall quarantine list`") && !failed.contains("wait in the queue"), "{failed}");
        let open = result(&[(followed(), Ending::Open)]).unwrap_err().to_string();
        assert!(open.contains("wait in the queue") && !open.contains(" list`"), "{open}");
    }
}
