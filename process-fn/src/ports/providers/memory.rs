//! A provider in memory.

use super::{ApiError, Cause, Download, Entries, ProviderApi, Refusal};
use aws_smithy_types::byte_stream::ByteStream;
use shared::{
    Provider, SessionId,
    api::{BotDetail, CalendarEntries, Located},
    event::Artifact,
    url::DownloadUrl,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A provider in memory. It plays back what it was told to answer, in order; the last answer to a question stays.
#[derive(Debug, Default)]
pub(crate) struct MemoryApi {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    unconfigured: bool,
    delay: Duration,
    artifacts: BTreeMap<(SessionId, Artifact), VecDeque<Result<Located, ApiError>>>,
    details: BTreeMap<SessionId, VecDeque<Result<BotDetail, ApiError>>>,
    calendars: BTreeMap<SessionId, VecDeque<Result<CalendarEntries, ApiError>>>,
    files: BTreeMap<String, VecDeque<Result<File, ApiError>>>,
    asked: Vec<String>,
    entries_asked_for: usize,
}

/// What is at a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct File {
    /// The content type that is told.
    pub(crate) content_type: Option<String>,
    /// The length that is told, which may be wrong.
    pub(crate) length: Option<u64>,
    /// What comes.
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// A file that tells the truth about itself.
    pub(crate) fn of(content_type: &str, bytes: &[u8]) -> Self {
        let length = Some(bytes.len() as u64);
        Self { content_type: Some(content_type.to_owned()), length, bytes: bytes.to_vec() }
    }
}

impl MemoryApi {
    /// From now on has no key, or has one.
    pub(crate) fn set_configured(&self, configured: bool) {
        self.state().unconfigured = !configured;
    }

    /// From now on takes this time for every answer.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    async fn wait(&self) {
        let delay = self.state().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    /// Adds an answer to where an artifact is.
    pub(crate) fn locate(&self, bot: &SessionId, artifact: Artifact, answer: Result<Located, ApiError>) {
        self.state().artifacts.entry((bot.clone(), artifact)).or_default().push_back(answer);
    }

    /// Adds an answer to what the provider says of a bot.
    pub(crate) fn describe(&self, bot: &SessionId, answer: Result<BotDetail, ApiError>) {
        self.state().details.entry(bot.clone()).or_default().push_back(answer);
    }

    /// Adds an answer to what is in a calendar, of which those get what they name who name something.
    pub(crate) fn fill(&self, calendar: &SessionId, answer: Result<CalendarEntries, ApiError>) {
        self.state().calendars.entry(calendar.clone()).or_default().push_back(answer);
    }

    /// Adds what is found at a URL.
    pub(crate) fn serve(&self, url: &DownloadUrl, answer: Result<File, ApiError>) {
        self.state().files.entry(url.expose()).or_default().push_back(answer);
    }

    /// The questions so far: `artifact <bot> <artifact>`, `detail <bot>`, `calendar <calendar>`, `download <url>`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// How many entries of calendars were asked for by name.
    pub(crate) fn asked_for_entries(&self) -> usize {
        self.state().entries_asked_for
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T: Clone>(
        &self,
        question: String,
        script: impl FnOnce(&mut State) -> Option<&mut VecDeque<Result<T, ApiError>>>,
    ) -> Result<T, ApiError> {
        let mut state = self.state();
        // A download needs no key.
        let needs_key = !question.starts_with("download ");
        state.asked.push(question);
        if needs_key && state.unconfigured {
            return Err(ApiError::later(Cause::NoKey));
        }
        let Some(script) = script(&mut state) else { return Err(Refusal::NotFound.into()) };
        let answer = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        answer.unwrap_or(Err(Refusal::NotFound.into()))
    }
}

impl ProviderApi for MemoryApi {
    fn is_configured(&self, _: Provider) -> bool {
        !self.state().unconfigured
    }

    async fn artifact(&self, bot: &SessionId, artifact: Artifact) -> Result<Located, ApiError> {
        self.wait().await;
        let question = format!("artifact {} {artifact:?}", bot.encoded());
        self.answer(question, |state| state.artifacts.get_mut(&(bot.clone(), artifact)))
    }

    async fn detail(&self, bot: &SessionId) -> Result<BotDetail, ApiError> {
        self.wait().await;
        self.answer(format!("detail {}", bot.encoded()), |state| state.details.get_mut(bot))
    }

    async fn calendar_entries(&self, calendar: &SessionId, which: &Entries) -> Result<CalendarEntries, ApiError> {
        self.wait().await;
        let found = self.answer(format!("calendar {}", calendar.encoded()), |state| state.calendars.get_mut(calendar));
        let Entries::Named(ids) = which else { return found };
        self.state().entries_asked_for += ids.len();
        found.map(|mut found| {
            found.entries.retain(|id, _| ids.contains(id));
            found
        })
    }

    async fn download(&self, _: Artifact, url: &DownloadUrl) -> Result<Download, ApiError> {
        self.wait().await;
        let url = url.expose();
        let file = self.answer(format!("download {url}"), |state| state.files.get_mut(&url))?;
        Ok(Download::new(file.content_type, file.length, ByteStream::from(file.bytes)))
    }
}
