//! What jobs leave: artifacts, mirrored calendars, calls of the provider, and nothing that waits.
//!
//! What must be there follows from the names of the deliveries and from what the provider holds.

use super::{Around, Evidence, Memory, Question, Sent, sha256};
use crate::{
    account::{Holding, Mood, Truth},
    bodies,
};
use shared::{
    Session, SessionId, artifacts,
    bucket::Folder,
    event::{Artifact, ArtifactStatus, EventKind},
    session::StoredCopy,
};
use std::collections::{BTreeMap, BTreeSet};

/// The most tries that one reason for a job is worth within a day: the waits between them double up to 15 minutes.
const MOST_TRIES: u64 = 110;

/// Everything about jobs that is not as it must be, once everything has been put back and has settled.
pub(super) fn wrong(evidence: &Evidence<'_>, around: &Around<'_>) -> Vec<String> {
    let mut wrong = waiting(evidence, around);
    for (id, holding) in &around.account.holdings {
        let found = evidence.stored.sessions.iter().find(|session| session.id() == id);
        let context = Of { id, holding, found, evidence, around };
        wrong.extend(context.objects());
        wrong.extend(context.copies());
        wrong.extend(context.mirrored());
        wrong.extend(context.calls());
    }
    wrong
}

/// Nothing waits for anything any more.
fn waiting(evidence: &Evidence<'_>, around: &Around<'_>) -> Vec<String> {
    let waits = |session: &&Session| session.due_at().is_some();
    let sessions = evidence.stored.sessions.iter().filter(waits);
    let sessions =
        sessions.map(|session| format!("{}: a job still waits: {:?}", session.id().encoded(), session.jobs()));
    let commands = around.commands.iter().map(|text| format!("the command {text} is still in its queue"));
    sessions.chain(commands).collect()
}

/// One bot or calendar.
struct Of<'a> {
    id: &'a SessionId,
    holding: &'a Holding,
    found: Option<&'a Session>,
    evidence: &'a Evidence<'a>,
    around: &'a Around<'a>,
}

impl Of<'_> {
    fn says(&self, what: &str) -> String {
        format!("{}: {what}", self.id.encoded())
    }

    /// Its deliveries that had to be believed: authentic, as they were sent, and not forgotten.
    fn accepted(&self) -> impl Iterator<Item = &Sent> {
        let of_it = |one: &&Sent| one.peek.as_ref().is_some_and(|peek| peek.session.as_ref() == Some(self.id));
        let all = self.evidence.sent.iter().filter(of_it);
        all.filter(|one| one.message.is_some() && one.tampering.is_none() && one.memory > Memory::None)
    }

    fn is_erased(&self) -> bool {
        self.found.is_some_and(super::is_deleted)
    }

    /// Every object below the bot's prefix is something that the provider served, or a delivery brought.
    fn objects(&self) -> Vec<String> {
        let prefix = artifacts::prefix(self.id);
        let of_it = self.evidence.stored.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
        let folders = Folder::ALL.map(Folder::prefix);
        let of_it = of_it.filter(|(key, _)| !folders.iter().any(|folder| key.starts_with(folder)));
        let wrong = of_it.filter_map(|(key, object)| {
            let what = if key.starts_with(&artifacts::carried_folder(self.id)) {
                Err("was left behind by its job")
            } else if self.is_erased() {
                Err("is there although the bot was erased")
            } else {
                self.judge(key, &object.bytes)
            };
            Some(self.says(&format!("{key} {}", what.err()?)))
        });
        wrong.collect()
    }

    fn judge(&self, key: &str, bytes: &[u8]) -> Result<(), &'static str> {
        let is_of = |artifact: &Artifact| key.starts_with(&artifacts::folder(self.id, *artifact));
        let Some(artifact) = artifacts::KINDS.into_iter().find(|artifact| is_of(artifact)) else {
            return Err("is of no kind of artifact");
        };
        if artifact == Artifact::Transcript && key.ends_with(artifacts::NORMALISED) {
            let reads = String::from_utf8_lossy(bytes).contains(&self.holding.word);
            return if reads { Ok(()) } else { Err("does not say what was said") };
        }
        let served = match self.holding.artifacts.get(&artifact).map(|supply| &supply.truth) {
            Some(Truth::Served { bytes, .. }) => Some(bytes.as_slice()),
            _ => None,
        };
        let brought = |one: &Sent| one.message.as_ref().is_some_and(|message| message.body() == bytes);
        // Also by one whose session has expired since: what was stored of it stays.
        let is_brought = || artifact == Artifact::Transcript && self.evidence.sent.iter().any(brought);
        if served == Some(bytes) || is_brought() { Ok(()) } else { Err("holds nothing that was ever served") }
    }

    /// What was announced is kept, or is not to be had for a reason that the provider gave; and that is what was published.
    fn copies(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.is_erased() {
            return wrong;
        }
        let copies = self.found.map(Session::copies).cloned().unwrap_or_default();
        let announced: BTreeSet<_> = self
            .accepted()
            .filter(|one| one.is_acknowledged())
            .filter_map(|one| bodies::announces(&one.name))
            .filter(|artifact| *artifact == Artifact::Transcript || self.around.keeps_recordings)
            .collect();
        let missing = announced.iter().filter(|artifact| !copies.contains_key(artifact));
        wrong.extend(
            missing.map(|artifact| self.says(&format!("{artifact:?} was announced, and nothing became of it"))),
        );
        for (artifact, copy) in &copies {
            let judged = match copy {
                StoredCopy::Stored(_) => self.stored(copy),
                StoredCopy::Unavailable(reason) => self.may_be_unavailable(*artifact, reason),
            };
            wrong.extend(judged.err().map(|what| self.says(&format!("{artifact:?} {what}: {copy:?}"))));
            if !self.is_published(*artifact, copy) {
                wrong.push(self.says(&format!("nobody was told of {artifact:?}: {copy:?}")));
            }
        }
        wrong
    }

    fn stored(&self, copy: &StoredCopy) -> Result<(), String> {
        let StoredCopy::Stored(stored) = copy else { return Ok(()) };
        let Some(object) = self.evidence.stored.objects.get(&stored.key) else {
            return Err("is said to be stored and is not".to_owned());
        };
        if stored.is_unpublished {
            return Err("is still to be published".to_owned());
        }
        let is_it = object.bytes.len() as u64 == stored.size_bytes && sha256(&object.bytes) == stored.sha256;
        if is_it { Ok(()) } else { Err("is stored with other bytes".to_owned()) }
    }

    fn may_be_unavailable(&self, artifact: Artifact, reason: &str) -> Result<(), String> {
        if !self.around.account.has_key {
            return if reason == "no_key" { Ok(()) } else { Err("is given up, and nobody was asked".to_owned()) };
        }
        let Some(supply) = self.holding.artifacts.get(&artifact) else { return Ok(()) };
        let Truth::Never(mood) = supply.truth else {
            return Err("is given up, and the provider has it".to_owned());
        };
        let moods = supply.moods.iter().copied().chain([mood]);
        let given: BTreeSet<_> = moods.flat_map(Mood::gives_up_as).copied().chain(["failing", "not_in_time"]).collect();
        if !given.contains(reason) {
            return Err(format!("is given up for a reason that the provider never gave; it gave {given:?}"));
        }
        let looks = |gone: &[Mood]| {
            let of_it = self.around.asked.iter().filter(|asked| asked.session == *self.id);
            let of_it = of_it.filter(|asked| asked.question == Question::Locate(artifact));
            of_it.filter(|asked| asked.mood.is_some_and(|mood| gone.contains(&mood))).count()
        };
        if matches!(reason, "not_found" | "gone") && looks(&[Mood::NotFound, Mood::Gone]) < 2 {
            return Err("is given up as gone after one look".to_owned());
        }
        Ok(())
    }

    fn is_published(&self, artifact: Artifact, copy: &StoredCopy) -> bool {
        let of_it = self.around.published.iter().filter(|published| published.is_about(self.id));
        let mut of_it = of_it.filter(|published| *published.field("artifact") == artifact.as_str());
        match copy {
            StoredCopy::Stored(stored) => of_it.any(|published| {
                *published.field("key") == stored.key.as_str() && *published.field("sha256") == stored.sha256.as_str()
            }),
            StoredCopy::Unavailable(_) => of_it.any(|published| published.name == "artifact.unavailable"),
        }
    }

    /// The entries of a calendar that deliveries named are as the provider has them.
    fn mirrored(&self) -> Vec<String> {
        if self.is_erased() || !self.around.account.has_key {
            return vec![];
        }
        let told = self.accepted().filter(|one| one.is_acknowledged()).filter_map(|one| one.event.as_ref());
        let named: BTreeSet<_> = told
            .filter_map(
                |event| if let EventKind::Calendar(change) = &event.kind { Some(&change.affected) } else { None },
            )
            .flatten()
            .collect();
        let wrong = named.into_iter().filter_map(|name| {
            let held = self.holding.entries.values().find(|entry| entry.id.as_sent() == name);
            let mirrored = self.around.mirrored.get(&(self.id.clone(), name.clone()));
            (held != mirrored)
                .then(|| self.says(&format!("the entry {name} is mirrored as {mirrored:?} and is {held:?}")))
        });
        wrong.collect()
    }

    /// The reasons that were ever given to fetch an artifact. Two deliveries that tell of the same moment give one reason.
    fn reasons(&self, artifact: Artifact) -> u64 {
        let mut reasons = BTreeSet::new();
        let sent = self.evidence.sent.iter().filter_map(|one| Some((one.received_at, one.event.as_ref()?)));
        let told = self.evidence.told.iter().map(|event| (Some(event.received_at), event));
        for (received_at, event) in sent.chain(told).filter(|(_, event)| event.session == *self.id) {
            for (kind, occurred_at) in event.facts() {
                if kind == EventKind::Artifact(artifact, ArtifactStatus::Announced) {
                    let moment = occurred_at.map(|at| at.moment().as_millisecond());
                    // A moment after the receipt says nothing.
                    let moment = moment.filter(|moment| received_at.is_none_or(|received_at| *moment <= received_at.0));
                    reasons.insert(moment.map_or_else(|| event.accept_id.to_string(), |moment| moment.to_string()));
                }
            }
        }
        reasons.len() as u64 + self.around.refetches
    }

    /// The provider is asked no more often than there are reasons to.
    fn calls(&self) -> Vec<String> {
        let Around { faults, lives, .. } = *self.around;
        let mut asked: BTreeMap<Question, (u64, u64)> = BTreeMap::new();
        for one in self.around.asked.iter().filter(|asked| asked.session == *self.id) {
            let (all, served) = asked.entry(one.question).or_default();
            *all += 1;
            *served += u64::from(one.mood.is_none());
        }
        let wrong = asked.into_iter().filter_map(|(question, (all, served))| {
            let (most, most_served) = match question {
                Question::Locate(artifact) => {
                    let reasons = self.reasons(artifact);
                    let is_inline = artifact == Artifact::Transcript && self.is_inline(artifact);
                    let most_served = if is_inline { reasons * lives + faults } else { u64::MAX };
                    (reasons * lives * MOST_TRIES + faults, most_served)
                }
                Question::Download(artifact) => {
                    (self.reasons(artifact) * lives * MOST_TRIES + faults, self.reasons(artifact) * lives + faults)
                }
                Question::Detail => (4 * lives * MOST_TRIES + faults, u64::MAX),
                Question::Entries => (u64::MAX, u64::MAX),
            };
            (all > most || served > most_served).then(|| {
                self.says(&format!(
                    "{question:?} was asked {all} times and answered {served} times, where {most} and {most_served} would do"
                ))
            })
        });
        wrong.collect()
    }

    fn is_inline(&self, artifact: Artifact) -> bool {
        let truth = self.holding.artifacts.get(&artifact).map(|supply| &supply.truth);
        matches!(truth, Some(Truth::Served { is_inline: true, .. }))
    }
}
