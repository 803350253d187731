//! `MeetStream`'s REST API.

use super::{
    ApiError, Cause, Patience, Refusal,
    account::{Account, Answer},
};
use shared::{
    SenderId,
    api::{Absence, ApiKey, BotDetail, Content, Located, Unreadable},
    event::Artifact,
    provider::meetstream::rest::{self, Step},
};

/// An account at `MeetStream`.
#[derive(Debug)]
pub(super) struct MeetStreamApi(Account);

impl MeetStreamApi {
    pub(super) fn new(base_url: &str, key: &ApiKey, patience: Patience) -> Self {
        // Not a bearer token: that is answered 401.
        let credential = ApiKey::new(format!("Token {}", key.expose()));
        Self(Account::new(base_url, ("authorization", credential), patience))
    }

    pub(super) async fn detail(&self, bot: &SenderId) -> Result<BotDetail, ApiError> {
        Ok(self.whole_detail(bot).await?.bot)
    }

    pub(super) async fn artifact(&self, bot: &SenderId, artifact: Artifact) -> Result<Located, ApiError> {
        match artifact {
            Artifact::Transcript => self.transcript(bot).await,
            Artifact::Audio => self.media(bot, artifact, "get_audio").await,
            Artifact::Video => self.media(bot, artifact, "get_video").await,
            Artifact::Manifest => Ok(Located::Unavailable(Absence::NotOffered)),
        }
    }

    async fn transcript(&self, bot: &SenderId) -> Result<Located, ApiError> {
        let runs = match self.0.get(&path(bot, "transcriptions")?).await {
            Ok(Answer::Ready(body)) => rest::runs(&body).map_err(unreadable)?,
            // Whether there is such a bot is for its detail to say.
            Ok(Answer::NotYet) | Err(ApiError::Never(Refusal::NotFound)) => vec![],
            Err(error) => return Err(error),
        };
        let step = match rest::by_runs(&runs) {
            Step::AskDetail => rest::by_detail(&runs, &self.whole_detail(bot).await?),
            step => step,
        };
        match step {
            Step::Fetch(run) => self.run(run).await,
            Step::Answer(located) => Ok(located),
            Step::AskDetail => Ok(Located::Pending),
        }
    }

    async fn run(&self, run: SenderId) -> Result<Located, ApiError> {
        let segment = run.path_segment().ok_or(Refusal::UnusableId)?;
        let path = format!("/transcript/{segment}/get_transcript?raw=false");
        let Answer::Ready(body) = self.0.get(&path).await? else { return Ok(Located::Pending) };
        if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(unreadable(Unreadable));
        }
        Ok(Located::Found { content: Content::Inline(body), run: Some(run) })
    }

    async fn media(&self, bot: &SenderId, artifact: Artifact, call: &'static str) -> Result<Located, ApiError> {
        let url = match self.0.get(&path(bot, call)?).await {
            Ok(Answer::Ready(body)) => rest::media_url(artifact, &body).map_err(unreadable)?,
            Ok(Answer::NotYet) | Err(ApiError::Never(Refusal::NotFound)) => None,
            Err(error) => return Err(error),
        };
        match url {
            Some(url) => Ok(Located::Found { content: Content::At(url), run: None }),
            None => Ok(self.whole_detail(bot).await?.bot.missing(artifact)),
        }
    }

    async fn whole_detail(&self, bot: &SenderId) -> Result<rest::Detail, ApiError> {
        let body = self.0.get_ready(&path(bot, "detail")?).await?;
        rest::detail(&body).map_err(unreadable)
    }
}

fn path(bot: &SenderId, call: &str) -> Result<String, ApiError> {
    let segment = bot.path_segment().ok_or(Refusal::UnusableId)?;
    Ok(format!("/bots/{segment}/{call}"))
}

fn unreadable(_: Unreadable) -> ApiError {
    ApiError::later(Cause::Unreadable)
}

#[cfg(test)]
mod tests;
