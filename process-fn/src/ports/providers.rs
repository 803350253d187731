//! Asking the providers: what became of a bot, where an artifact is, what is in a calendar; and fetching what they point to.
//!
//! | module | what |
//! |---|---|
//! | [`ProviderApi`] | the port: what the rest of the function may ask |
//! | `rest`, `meetstream`, `meetingbaas` | the providers' REST APIs behind it |
//! | `account`, `breaker` | one account at one API: its host, its key, patience, and a rest when it fails |
//! | `download` | what is streamed from elsewhere, without any key |
//! | `transport`, `addresses` | HTTP by what the AWS SDK brings along; which addresses it may connect to |
//!
//! # Invariants
//! - A key goes to its provider's own host and nowhere else: an API's redirect is not followed, and a download knows no key.
//! - A download connects to public addresses over TLS only, on every hop, unless a setting for local runs says otherwise.
//! - Only GET, and no sender's id changes which call that is.
//! - No URL, key or answer in a log line: a presigned URL is a credential.

mod account;
mod addresses;
pub(crate) mod breaker;
mod download;
mod error;
mod meetingbaas;
mod meetstream;
#[cfg(test)]
pub(crate) mod memory;
mod patience;
mod rest;
#[cfg(test)]
mod testing;
mod transport;

pub use account::MAX_ANSWER_BYTES;
pub use download::Download;
pub use error::{ApiError, Cause, Refusal};
pub use patience::Patience;
pub use rest::Providers;
pub use shared::settings::{AccountSettings, ApiSettings};

use shared::{
    OccurredAt, Provider, SenderId, SessionId,
    api::{BotDetail, CalendarEntries, Located},
    event::Artifact,
    url::DownloadUrl,
};
use std::{collections::BTreeSet, future::Future};

/// What can be asked of the providers. Every call tries again a few times by itself; an error is what was left.
pub trait ProviderApi {
    /// Whether there is an account to ask with. Without one, every question about the provider's bots ends in
    /// [`Cause::NoKey`].
    fn is_configured(&self, provider: Provider) -> bool;

    /// Where a bot's artifact is now. URLs in it live for minutes or hours, so it is asked for right before it is fetched.
    fn artifact(&self, bot: &SessionId, artifact: Artifact) -> impl Future<Output = Result<Located, ApiError>> + Send;

    /// What the provider says of a bot. One that it has erased may be [`Refusal::NotFound`] or [`Refusal::Gone`].
    fn detail(&self, bot: &SessionId) -> impl Future<Output = Result<BotDetail, ApiError>> + Send;

    /// The entries of a calendar, from all pages.
    fn calendar_entries(
        &self,
        calendar: &SessionId,
        which: &Entries,
    ) -> impl Future<Output = Result<CalendarEntries, ApiError>> + Send;

    /// Begins to download an artifact. What follows is streamed by [`Download::next`]. What is plainly something else, such as a
    /// page that asks for patience, is [`Cause::Unreadable`].
    fn download(
        &self,
        artifact: Artifact,
        url: &DownloadUrl,
    ) -> impl Future<Output = Result<Download, ApiError>> + Send;
}

/// Which entries of a calendar.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entries {
    /// These.
    Named(BTreeSet<SenderId>),
    /// Those that have changed since; all of them without a time.
    ChangedSince(Option<OccurredAt>),
}
