//! The providers' APIs behind one port.

use super::{
    ApiError, ApiSettings, Cause, Download, Entries, Patience, ProviderApi, Refusal, download::Downloader,
    meetingbaas::MeetingBaasApi, meetstream::MeetStreamApi,
};
use shared::{
    Provider, SessionId,
    api::{BotDetail, CalendarEntries, Located},
    event::Artifact,
    url::DownloadUrl,
};

/// The accounts at all providers, as far as there are keys to them.
#[derive(Debug)]
pub struct Providers {
    meetstream: Option<MeetStreamApi>,
    meetingbaas: Option<MeetingBaasApi>,
    downloader: Downloader,
}

impl Providers {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(settings: &ApiSettings, patience: Patience) -> Self {
        let ApiSettings { meetstream, meetingbaas, downloads } = settings;
        Self {
            meetstream: meetstream.as_ref().map(|it| MeetStreamApi::new(&it.base_url, &it.key, patience)),
            meetingbaas: meetingbaas.as_ref().map(|it| MeetingBaasApi::new(&it.base_url, &it.key, patience)),
            downloader: Downloader::new(*downloads, patience),
        }
    }

    fn meetstream(&self) -> Result<&MeetStreamApi, ApiError> {
        self.meetstream.as_ref().ok_or(ApiError::later(Cause::NoKey))
    }

    fn meetingbaas(&self) -> Result<&MeetingBaasApi, ApiError> {
        self.meetingbaas.as_ref().ok_or(ApiError::later(Cause::NoKey))
    }
}

impl ProviderApi for Providers {
    fn is_configured(&self, provider: Provider) -> bool {
        match provider {
            Provider::MeetStream => self.meetstream.is_some(),
            Provider::MeetingBaas => self.meetingbaas.is_some(),
        }
    }

    async fn artifact(&self, bot: &SessionId, artifact: Artifact) -> Result<Located, ApiError> {
        let located = match bot.provider {
            Provider::MeetStream => self.meetstream()?.artifact(&bot.id, artifact).await,
            Provider::MeetingBaas => self.meetingbaas()?.artifact(&bot.id, artifact).await,
        };
        tell(bot, "where an artifact is", located)
    }

    async fn detail(&self, bot: &SessionId) -> Result<BotDetail, ApiError> {
        let detail = match bot.provider {
            Provider::MeetStream => self.meetstream()?.detail(&bot.id).await,
            Provider::MeetingBaas => self.meetingbaas()?.detail(&bot.id).await,
        };
        tell(bot, "what became of a bot", detail)
    }

    async fn calendar_entries(&self, calendar: &SessionId, which: &Entries) -> Result<CalendarEntries, ApiError> {
        let entries = match calendar.provider {
            Provider::MeetStream => Err(Refusal::NotOffered.into()),
            Provider::MeetingBaas => self.meetingbaas()?.calendar_entries(&calendar.id, which).await,
        };
        tell(calendar, "what is in a calendar", entries)
    }

    async fn download(&self, artifact: Artifact, url: &DownloadUrl) -> Result<Download, ApiError> {
        let opened = self.downloader.open(artifact, url).await;
        if let Err(error) = &opened {
            tracing::warn!(code = error.code(), "a download did not begin: {error}");
        }
        opened
    }
}

/// Logs why a request had no usable answer. Two of the reasons only an operator can repair, so these are errors.
fn tell<T>(about: &SessionId, question: &'static str, answer: Result<T, ApiError>) -> Result<T, ApiError> {
    let Err(error) = &answer else { return answer };
    let (session, provider, code) = (about.encoded(), about.provider.as_str(), error.code());
    match error {
        ApiError::Later { cause: Cause::KeyRefused, .. } => {
            tracing::error!(session, provider, question, code, "the API key was refused: enter a valid one");
        }
        ApiError::Later { cause: Cause::Redirected, .. } => {
            tracing::error!(session, provider, question, code, "the API redirects, and no key follows: check its URL");
        }
        // One line for each failing request is enough, and here none was sent.
        ApiError::Later { cause: Cause::Resting, .. } => {}
        _ => tracing::warn!(session, provider, question, code, "a question to a provider had no answer: {error}"),
    }
    answer
}
