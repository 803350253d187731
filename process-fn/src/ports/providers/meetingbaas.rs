//! Meeting BaaS's REST API, of both versions.
//!
//! Nothing in a session says for certain which version made a bot, so version 2 is asked first, and version 1 about what
//! version 2 does not know. Their ids are UUIDs, which do not collide.

use super::{ApiError, Cause, Entries, Patience, Refusal, account::Account};
use futures_util::{StreamExt as _, stream};
use shared::{
    OccurredAt, SenderId,
    api::{ApiKey, BotDetail, CalendarEntries, CalendarEntry, Located, Unreadable},
    event::Artifact,
    provider::meetingbaas::rest::{calendars, v1, v2},
    url::percent_encoded,
};
use std::collections::{BTreeSet, HashSet};

/// How many entries of a calendar are asked for at a time.
const ENTRIES_AT_A_TIME: usize = 4;

/// The most pages of a calendar that are read: 25,000 entries.
const MAX_PAGES: usize = 100;

/// An account at Meeting BaaS.
#[derive(Debug)]
pub(super) struct MeetingBaasApi(Account);

impl MeetingBaasApi {
    pub(super) fn new(base_url: &str, key: &ApiKey, patience: Patience) -> Self {
        let credential = ("x-meeting-baas-api-key", key.clone());
        Self(Account::new(base_url, credential, patience))
    }

    pub(super) async fn detail(&self, bot: &SenderId) -> Result<BotDetail, ApiError> {
        match self.v2_bot(bot).await {
            Err(error) if is_for_v1(&error) => {
                better(error, self.v1_meeting(bot, false).await).map(|found| found.detail)
            }
            found => found.map(|found| found.detail),
        }
    }

    pub(super) async fn artifact(&self, bot: &SenderId, artifact: Artifact) -> Result<Located, ApiError> {
        let found = match self.v2_bot(bot).await {
            Err(error) if is_for_v1(&error) => {
                let meeting = self.v1_meeting(bot, artifact == Artifact::Transcript).await;
                return better(error, meeting).map(|meeting| meeting.located(artifact));
            }
            found => found?,
        };
        match found.located(artifact) {
            Some(located) => Ok(located),
            None => {
                let body = self.0.get_ready(&format!("{}/status", v2_path(bot)?)).await?;
                Ok(found.transcript(v2::transcription_status(&body).map_err(unreadable)?))
            }
        }
    }

    pub(super) async fn calendar_entries(
        &self,
        calendar: &SenderId,
        which: &Entries,
    ) -> Result<CalendarEntries, ApiError> {
        match which {
            Entries::Named(ids) => self.named(calendar, ids).await,
            Entries::ChangedSince(since) => self.changed(calendar, since.as_ref()).await,
        }
    }

    async fn v2_bot(&self, bot: &SenderId) -> Result<v2::Bot, ApiError> {
        let body = self.0.get_ready(&v2_path(bot)?).await?;
        v2::bot(&body).map_err(unreadable)
    }

    async fn v1_meeting(&self, bot: &SenderId, with_transcript: bool) -> Result<v1::Meeting, ApiError> {
        let path = format!("/bots/meeting_data?bot_id={}&include_transcripts={with_transcript}", bot.query_value());
        let body = self.0.get_ready(&path).await?;
        v1::meeting(&body).map_err(unreadable)
    }

    async fn named(&self, calendar: &SenderId, ids: &BTreeSet<SenderId>) -> Result<CalendarEntries, ApiError> {
        let ids: Vec<SenderId> = ids.iter().cloned().collect();
        let entries = stream::iter(ids).map(|id| async move {
            let entry = self.entry(calendar, &id).await;
            (id, entry)
        });
        let mut entries = std::pin::pin!(entries.buffered(ENTRIES_AT_A_TIME));
        let mut found = CalendarEntries::default();
        while let Some((id, entry)) = entries.next().await {
            match entry {
                Ok(entry) => drop(found.entries.insert(id, entry)),
                Err(ApiError::Never(Refusal::NotFound | Refusal::Gone)) => found.gone.push(id),
                // Neither found nor gone.
                Err(ApiError::Never(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn entry(&self, calendar: &SenderId, id: &SenderId) -> Result<CalendarEntry, ApiError> {
        let segment = id.path_segment().ok_or(Refusal::UnusableId)?;
        let path = format!("{}/{segment}", v2_events(calendar)?);
        let body = match self.0.get_ready(&path).await {
            Err(error) if is_for_v1(&error) => {
                better(error, self.0.get_ready(&format!("/calendar_events/{segment}")).await)?
            }
            body => body?,
        };
        calendars::entry(&body).map_err(unreadable)
    }

    async fn changed(&self, calendar: &SenderId, since: Option<&OccurredAt>) -> Result<CalendarEntries, ApiError> {
        let path = format!("{}?limit=250&show_cancelled=true", v2_events(calendar)?);
        match self.pages(&path).await {
            Err(error) if is_for_v1(&error) => {
                let changed = since.map(|since| format!("&updated_at_gte={}", percent_encoded(since.as_sent())));
                let path = format!(
                    "/calendar_events/?calendar_id={}&status=all{}",
                    calendar.query_value(),
                    changed.unwrap_or_default()
                );
                better(error, self.pages(&path).await)
            }
            // Version 2 cannot be asked for what has changed, and does not tell of every entry when it did.
            found => found.map(|mut found| {
                found
                    .entries
                    .retain(|_, entry| entry.updated_at.as_ref().zip(since).is_none_or(|(at, since)| at >= since));
                found
            }),
        }
    }

    async fn pages(&self, path: &str) -> Result<CalendarEntries, ApiError> {
        let mut found = CalendarEntries::default();
        let mut seen = HashSet::new();
        let mut next = path.to_owned();
        for _ in 0..MAX_PAGES {
            let body = self.0.get_ready(&next).await?;
            let page = calendars::page(&body).map_err(unreadable)?;
            found.entries.extend(page.entries.into_iter().map(|entry| (entry.id.clone(), entry)));
            let Some(cursor) = page.cursor else { return Ok(found) };
            next = format!("{path}&cursor={}", percent_encoded(&cursor));
            if !seen.insert(cursor) {
                break;
            }
        }
        // Better none than some of them taken for all: what is not among them would count as gone.
        Err(ApiError::later(Cause::Unreadable))
    }
}

fn v2_path(bot: &SenderId) -> Result<String, ApiError> {
    Ok(format!("/v2/bots/{}", bot.path_segment().ok_or(Refusal::UnusableId)?))
}

fn v2_events(calendar: &SenderId) -> Result<String, ApiError> {
    Ok(format!("/v2/calendars/{}/events", calendar.path_segment().ok_or(Refusal::UnusableId)?))
}

/// Whether version 1 may know what version 2 does not: a bot of the other version, or an account that has only one of them.
fn is_for_v1(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::Never(Refusal::NotFound | Refusal::Gone | Refusal::Refused)
            | ApiError::Later { cause: Cause::KeyRefused, .. }
    )
}

/// What version 1 said, unless it knows nothing of it and version 2 does.
fn better<T>(of_v2: ApiError, of_v1: Result<T, ApiError>) -> Result<T, ApiError> {
    use Refusal::{Gone, NotFound, Refused};
    of_v1.map_err(|of_v1| match (of_v2, of_v1) {
        (ApiError::Never(NotFound), _) => of_v1,
        (ApiError::Never(Gone), _) | (_, ApiError::Never(NotFound | Refused)) => of_v2,
        _ => of_v1,
    })
}

fn unreadable(_: Unreadable) -> ApiError {
    ApiError::later(Cause::Unreadable)
}

#[cfg(test)]
mod tests;
