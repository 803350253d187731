//! What a made-up provider holds of the bots and calendars of a schedule, and what it answers before it tells the truth.

use fastrand::Rng;
use serde_json::json;
use shared::{
    Event, OccurredAt, Provider, ReceivedAt, SenderId, SessionId,
    api::{CalendarEntry, EntryStatus},
    event::{Artifact, ArtifactStatus, Certainty, Ended, EventKind, Fact, Outcome},
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The account that a schedule's bots belong to.
#[derive(Clone, Default, Debug)]
pub struct Account {
    /// Whether the functions have an API key for it.
    pub has_key: bool,
    /// What it holds, by session.
    pub holdings: BTreeMap<SessionId, Holding>,
}

/// What a provider holds of one bot or calendar.
#[derive(Clone, Debug)]
pub struct Holding {
    /// A word that stands in everything that was said, seen or entered, and nowhere else.
    pub word: String,
    /// Its artifacts.
    pub artifacts: BTreeMap<Artifact, Supply>,
    /// What the provider says has happened to the bot; nothing while it is not through with it.
    pub facts: Vec<Fact>,
    /// What is answered, look by look, before the bot's detail is told.
    pub detail_moods: Vec<Mood>,
    /// Whether the provider answers 410 to every question about the bot, in the end.
    pub is_gone: bool,
    /// The entries of a calendar that exist.
    pub entries: BTreeMap<SenderId, CalendarEntry>,
}

/// Whether and when an artifact is to be had.
#[derive(Clone, Debug)]
pub struct Supply {
    /// What is answered, look by look, before the truth.
    pub moods: Vec<Mood>,
    /// The truth.
    pub truth: Truth,
}

/// The truth about an artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Truth {
    /// It can be fetched.
    Served {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The content type that its host tells.
        content_type: String,
        /// Whether the API gives it in its answer, and not by a URL.
        is_inline: bool,
        /// What happens to the first downloads.
        downloads: Vec<Mood>,
    },
    /// Every look ends like this.
    Never(Mood),
}

/// One answer that is not the truth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Mood {
    Pending,
    NotFound,
    Gone,
    Busy(Duration),
    Failing,
    Hangs,
    Unreadable,
    NeverMade,
    /// Of a download: fewer bytes than were announced.
    Truncated,
    /// Of a download: the URL is not taken.
    UrlRefused,
}

impl Mood {
    fn of_a_question(rng: &mut Rng) -> Self {
        match rng.u8(0..9) {
            0..=1 => Self::Pending,
            2..=3 => Self::NotFound,
            4 => Self::Gone,
            5 => Self::Busy(Duration::from_secs(rng.u64(1..200))),
            6 => Self::Failing,
            7 => Self::Hangs,
            _ => Self::Unreadable,
        }
    }

    fn of_a_download(rng: &mut Rng) -> Self {
        *rng.choice(&[Self::Truncated, Self::Truncated, Self::UrlRefused, Self::Failing, Self::Hangs])
            .unwrap_or(&Self::Truncated)
    }

    fn some(rng: &mut Rng, one: impl Fn(&mut Rng) -> Self) -> Vec<Self> {
        let many = *rng.choice(&[0, 0, 0, 1, 1, 2, 4]).unwrap_or(&0);
        (0..many).map(|_| one(rng)).collect()
    }

    /// The reason that an artifact may be given up with when every look ends like this.
    #[must_use]
    pub fn gives_up_as(self) -> &'static [&'static str] {
        match self {
            Self::Pending => &["not_in_time", "out_of_time"],
            Self::NotFound => &["not_found"],
            Self::Gone => &["gone"],
            Self::Busy(_) => &["busy"],
            Self::Failing => &["failing"],
            Self::Hangs => &["timed_out", "out_of_time"],
            Self::Unreadable => &["unreadable"],
            Self::NeverMade => &["never_made", "missing"],
            Self::Truncated => &["truncated"],
            Self::UrlRefused => &["url_refused"],
        }
    }
}

/// The ids of entries that the recorded bodies of calendars name.
pub const ENTRIES: [&str; 1] = ["d2f5c0de-1c64-4f3b-9f2d-6a7d0f3b1c22"];

impl Account {
    /// Draws what is held of these subjects: each with its word, and whether it is a calendar.
    #[must_use]
    pub fn draw(rng: &mut Rng, subjects: &[(SessionId, String, bool)]) -> Self {
        let has_key = rng.u8(0..10) > 0;
        let holdings =
            subjects.iter().map(|(id, word, is_calendar)| (id.clone(), Holding::draw(rng, word, *is_calendar)));
        let holdings = holdings.collect();
        Self { has_key, holdings }
    }

    /// What may become known of the bots without a delivery: what the provider says when it is asked, and an operator's deletion.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let unknown = ReceivedAt(0);
        let of = |(id, holding): (&SessionId, &Holding)| {
            let erased = Fact { kind: EventKind::Deleted, occurred_at: None, reason: None };
            let facts = holding.facts.iter().cloned().chain(holding.is_gone.then_some(erased));
            let asked = facts.map(|fact| Event::asked(id, fact, unknown));
            asked.chain([Event::deletion_asked(id, unknown)]).collect::<Vec<_>>()
        };
        self.holdings.iter().flat_map(of).collect()
    }

    /// The session that a planted word belongs to, with the word.
    pub fn words(&self) -> impl Iterator<Item = (&SessionId, &str)> {
        self.holdings.iter().map(|(id, holding)| (id, holding.word.as_str()))
    }
}

impl Holding {
    fn draw(rng: &mut Rng, word: &str, is_calendar: bool) -> Self {
        let kinds = [Artifact::Transcript, Artifact::Audio, Artifact::Video];
        let artifacts = kinds.map(|artifact| (artifact, Supply::draw(rng, artifact, word)));
        let (facts, is_gone) = facts(rng);
        let mut entries = BTreeMap::new();
        if is_calendar {
            for name in ENTRIES {
                let exists = rng.u8(0..3) > 0;
                if let Some(entry_id) = SenderId::try_from(name).ok().filter(|_| exists) {
                    entries.insert(entry_id.clone(), entry(rng, entry_id, word));
                }
            }
        }
        // This provider has no erased bots that still have artifacts.
        let artifacts = if is_gone {
            kinds.map(|kind| (kind, Supply { moods: vec![], truth: Truth::Never(Mood::Gone) }))
        } else {
            artifacts
        };
        let detail_moods = Mood::some(rng, Mood::of_a_question);
        // Of a deletion that was only claimed, 410 is a proof; this provider says it of no bot that it has.
        let detail_moods = detail_moods.into_iter().filter(|mood| is_gone || *mood != Mood::Gone).collect();
        Self { word: word.to_owned(), artifacts: artifacts.into(), facts, detail_moods, is_gone, entries }
    }
}

impl Supply {
    fn draw(rng: &mut Rng, artifact: Artifact, word: &str) -> Self {
        let moods = Mood::some(rng, Mood::of_a_question);
        if rng.u8(0..4) == 0 {
            let never = [
                Mood::Pending,
                Mood::NotFound,
                Mood::Gone,
                Mood::Failing,
                Mood::Unreadable,
                Mood::Busy(Duration::from_secs(30)),
            ];
            return Self { moods, truth: Truth::Never(*rng.choice(&never).unwrap_or(&Mood::Pending)) };
        }
        let (bytes, content_type) = match artifact {
            Artifact::Transcript => (transcript(word), "application/json"),
            Artifact::Audio => (recording(rng, word), "audio/wav"),
            _ => (recording(rng, word), "video/mp4"),
        };
        let is_inline = artifact == Artifact::Transcript && rng.bool();
        let downloads = if is_inline { vec![] } else { Mood::some(rng, Mood::of_a_download) };
        Self { moods, truth: Truth::Served { bytes, content_type: content_type.to_owned(), is_inline, downloads } }
    }
}

fn transcript(word: &str) -> Vec<u8> {
    let said = json!([{"speaker": format!("{word} Raman"), "transcript": format!("We should ship {word}."),
        "start_time": 301.2, "end_time": 302.4, "words": []}]);
    said.to_string().into_bytes()
}

fn recording(rng: &mut Rng, word: &str) -> Vec<u8> {
    let mut bytes = word.as_bytes().to_vec();
    bytes.extend((0..rng.usize(1..400)).map(|_| rng.u8(..)));
    bytes
}

fn entry(rng: &mut Rng, id: SenderId, word: &str) -> CalendarEntry {
    CalendarEntry {
        id,
        title: Some(format!("Weekly {word}")),
        starts_at: OccurredAt::parse("2026-08-24T10:00:00.000Z").ok(),
        ends_at: None,
        status: *rng.choice(&[EntryStatus::Confirmed, EntryStatus::Cancelled]).unwrap_or(&EntryStatus::Confirmed),
        meeting_url: None,
        series_id: None,
        bot_scheduled: Some(rng.bool()),
        updated_at: None,
    }
}

/// What the provider says of a bot: that it is not over, that it ended in some way, or that its data was deleted.
fn facts(rng: &mut Rng) -> (Vec<Fact>, bool) {
    let at = |minute: u8| OccurredAt::parse(&format!("2026-10-05T14:{minute:02}:30Z")).ok();
    let of = |kind, occurred_at| Fact { kind, occurred_at, reason: None };
    let ended = |outcome| EventKind::Ended(Ended { outcome, certainty: Certainty::Final });
    let outcomes = [Outcome::Completed, Outcome::Kicked, Outcome::Denied, Outcome::Failed];
    let mut facts = match rng.u8(0..6) {
        0 => vec![],
        1 => vec![of(EventKind::InCall, at(2))],
        _ => {
            let outcome = *rng.choice(&outcomes).unwrap_or(&Outcome::Completed);
            vec![of(EventKind::InCall, at(2)), of(ended(outcome), at(47)), of(EventKind::Done, at(55))]
        }
    };
    if facts.len() == 3 && rng.u8(0..4) == 0 {
        facts.push(of(EventKind::Artifact(Artifact::Audio, ArtifactStatus::Announced), at(48)));
    }
    if facts.len() == 3 && rng.u8(0..4) == 0 {
        facts.push(of(EventKind::Deleted, at(58)));
    }
    (facts, rng.u8(0..12) == 0)
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  what the provider holds{}:", if self.has_key { "" } else { ", and we have no key" })?;
        for (id, holding) in &self.holdings {
            let facts: Vec<_> = holding.facts.iter().map(|fact| fact.kind.as_str()).collect();
            let (moods, gone) = (&holding.detail_moods, holding.is_gone);
            writeln!(f, "    {}, {:?}: says {moods:?}, then {facts:?}, gone: {gone}", id.encoded(), holding.word)?;
            for (artifact, Supply { moods, truth }) in &holding.artifacts {
                match truth {
                    Truth::Never(mood) => writeln!(f, "      {artifact:?}: {moods:?}, then {mood:?} for ever")?,
                    Truth::Served { bytes, is_inline, downloads, .. } => {
                        let size = bytes.len();
                        writeln!(
                            f,
                            "      {artifact:?}: {moods:?}, then {size} bytes, inline: {is_inline}, after {downloads:?}"
                        )?;
                    }
                }
            }
            for entry in holding.entries.keys() {
                writeln!(f, "      entry {}", entry.as_sent())?;
            }
        }
        Ok(())
    }
}

/// The provider of a session, for a holding that is looked up by what a schedule knows of it.
#[must_use]
pub fn session_of(provider: Provider, is_calendar: bool, id: &str) -> Option<SessionId> {
    let id = SenderId::try_from(id).ok()?;
    Some(if is_calendar { SessionId::calendar(provider, id) } else { SessionId::bot(provider, id) })
}
