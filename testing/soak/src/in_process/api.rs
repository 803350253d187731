//! The provider's side of its API: what each question is answered, in turn.

use crate::{
    account::{Account, Mood, Supply, Truth},
    audit::{Asked, Question},
};
use process_fn::{ApiError, Cause, Entries, Refusal};
use shared::{
    SessionId,
    api::{Absence, BotDetail, CalendarEntries, Content, Located},
    event::Artifact,
    url::DownloadUrl,
};
use std::{collections::BTreeMap, time::Duration};

/// Answers questions, and remembers them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    account: Account,
    looks: BTreeMap<(SessionId, Question), usize>,
    urls: BTreeMap<String, (SessionId, Artifact)>,
    asked: Vec<Asked>,
}

/// An answer, and how long it takes.
#[derive(Debug)]
pub(super) struct Answered<T> {
    answer: Result<T, ApiError>,
    after: Duration,
}

impl<T> Answered<T> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// What the provider refuses, or how it fails.
    pub(super) async fn wait(self) -> Result<T, ApiError> {
        tokio::time::sleep(self.after).await;
        self.answer
    }
}

impl<T> From<Result<T, ApiError>> for Answered<T> {
    fn from(answer: Result<T, ApiError>) -> Self {
        // As long as our client waits for an answer that never comes.
        let hangs = matches!(answer, Err(ApiError::Later { cause: Cause::TimedOut, .. }));
        Self { answer, after: if hangs { Duration::from_secs(8) } else { Duration::from_millis(40) } }
    }
}

impl Desk {
    /// The desk of this account.
    #[must_use]
    pub(super) fn new(account: Account) -> Self {
        Self { account, ..Self::default() }
    }

    /// Whether whoever asks has a key.
    #[must_use]
    pub(super) fn has_key(&self) -> bool {
        self.account.has_key
    }

    /// Every question so far.
    #[must_use]
    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Which look at this it is, from 0.
    fn look(&mut self, id: &SessionId, question: Question) -> usize {
        let looks = self.looks.entry((id.clone(), question)).or_default();
        *looks += 1;
        *looks - 1
    }

    fn note(&mut self, id: &SessionId, question: Question, mood: Option<Mood>) {
        self.asked.push(Asked { session: id.clone(), question, mood });
    }

    /// Where an artifact is.
    pub(super) fn locate(&mut self, id: &SessionId, artifact: Artifact) -> Answered<Located> {
        if !self.has_key() {
            return Err(ApiError::later(Cause::NoKey)).into();
        }
        let question = Question::Locate(artifact);
        let look = self.look(id, question);
        let holding = self.account.holdings.get(id);
        let supply = holding.and_then(|holding| holding.artifacts.get(&artifact)).cloned();
        let supply = supply.unwrap_or(Supply { moods: vec![], truth: Truth::Never(Mood::NotFound) });
        let mood = supply.moods.get(look).copied();
        let mood = mood.or(if let Truth::Never(mood) = supply.truth { Some(mood) } else { None });
        self.note(id, question, mood);
        match (mood, supply.truth) {
            (Some(Mood::Pending), _) => Ok(Located::Pending).into(),
            (Some(Mood::NeverMade), _) => Ok(Located::Unavailable(Absence::NeverMade)).into(),
            (Some(mood), _) => Err(error(mood)).into(),
            (None, Truth::Served { bytes, is_inline: true, .. }) => {
                Ok(Located::Found { content: Content::Inline(bytes), run: None }).into()
            }
            (None, _) => {
                let url = format!("https://files.example/{}", self.urls.len());
                self.urls.insert(url.clone(), (id.clone(), artifact));
                let url = DownloadUrl::parse(&url).map_err(|_| ApiError::from(Refusal::UnsafeUrl));
                url.map(|url| Located::Found { content: Content::At(url), run: None }).into()
            }
        }
    }

    /// What there is at a URL: the content type, the announced length, and the bytes.
    pub(super) fn download(&mut self, url: &str) -> Answered<(String, u64, Vec<u8>)> {
        let Some((id, artifact)) = self.urls.get(url).cloned() else {
            return Err(ApiError::later(Cause::UrlRefused)).into();
        };
        let question = Question::Download(artifact);
        let look = self.look(&id, question);
        let holding = self.account.holdings.get(&id);
        let Some(Truth::Served { bytes, content_type, downloads, .. }) =
            holding.and_then(|holding| holding.artifacts.get(&artifact)).map(|supply| supply.truth.clone())
        else {
            return Err(ApiError::later(Cause::UrlRefused)).into();
        };
        let mood = downloads.get(look).copied();
        self.note(&id, question, mood);
        match mood {
            Some(Mood::Truncated) => {
                let length = bytes.len();
                let half = bytes.into_iter().take(length / 2).collect();
                Ok((content_type, length as u64, half)).into()
            }
            Some(mood) => Err(error(mood)).into(),
            None => Ok((content_type, bytes.len() as u64, bytes)).into(),
        }
    }

    /// What the provider says of a bot.
    pub(super) fn detail(&mut self, id: &SessionId) -> Answered<BotDetail> {
        if !self.has_key() {
            return Err(ApiError::later(Cause::NoKey)).into();
        }
        let look = self.look(id, Question::Detail);
        let Some(holding) = self.account.holdings.get(id) else {
            self.note(id, Question::Detail, Some(Mood::NotFound));
            return Err(error(Mood::NotFound)).into();
        };
        let gone = holding.is_gone.then_some(Mood::Gone);
        let (mood, facts) = (holding.detail_moods.get(look).copied().or(gone), holding.facts.clone());
        self.note(id, Question::Detail, mood);
        match mood {
            Some(Mood::Pending) => Ok(BotDetail::default()).into(),
            Some(mood) => Err(error(mood)).into(),
            None => Ok(BotDetail { facts, ..BotDetail::default() }).into(),
        }
    }

    /// Entries of a calendar.
    pub(super) fn entries(&mut self, id: &SessionId, which: &Entries) -> Answered<CalendarEntries> {
        if !self.has_key() {
            return Err(ApiError::later(Cause::NoKey)).into();
        }
        let look = self.look(id, Question::Entries);
        let Some(holding) = self.account.holdings.get(id) else { return Err(error(Mood::NotFound)).into() };
        let mood = holding.detail_moods.get(look).copied().filter(|mood| *mood != Mood::Pending);
        let held = holding.entries.clone();
        self.note(id, Question::Entries, mood);
        if let Some(mood) = mood {
            return Err(error(mood)).into();
        }
        let mut found = CalendarEntries { entries: held, gone: vec![] };
        if let Entries::Named(ids) = which {
            found.gone = ids.iter().filter(|id| !found.entries.contains_key(id)).cloned().collect();
            found.entries.retain(|id, _| ids.contains(id));
        }
        Ok(found).into()
    }
}

fn error(mood: Mood) -> ApiError {
    match mood {
        Mood::NotFound => Refusal::NotFound.into(),
        Mood::Gone => Refusal::Gone.into(),
        Mood::Busy(wait) => ApiError::Later { cause: Cause::Busy, wait: Some(wait) },
        Mood::Hangs => ApiError::later(Cause::TimedOut),
        Mood::Unreadable => ApiError::later(Cause::Unreadable),
        Mood::UrlRefused => ApiError::later(Cause::UrlRefused),
        Mood::Truncated => ApiError::later(Cause::Truncated),
        Mood::Failing | Mood::Pending | Mood::NeverMade => ApiError::later(Cause::Failing),
    }
}
