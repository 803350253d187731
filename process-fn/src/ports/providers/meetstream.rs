//! `MeetStream`'s REST API.

use super::{
    ApiError, Cause, Patience, Refusal,
    account::{Account, Answer},
};
use shared::{
    SenderId,
    api::{Absence, ApiKey, BotDetail, Content, Located, Unreadable},
    event::{Artifact, ArtifactStatus},
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
        // A list that is not to be had does not stand in the way: the bot's detail knows the newest run, and whether there is
        // such a bot.
        let runs = match self.0.get(&path(bot, "transcriptions")?).await {
            Ok(Answer::Ready(body)) => rest::runs(&body).unwrap_or_default(),
            Ok(Answer::NotYet) | Err(_) => vec![],
        };
        if let Some(run) = rest::succeeded(&runs) {
            return self.run(run.clone()).await;
        }
        match rest::otherwise(&runs, &self.whole_detail(bot).await?) {
            Step::Fetch(run) => self.run(run).await,
            Step::Answer(located) => Ok(located),
        }
    }

    async fn run(&self, run: SenderId) -> Result<Located, ApiError> {
        let segment = run.path_segment().ok_or(Refusal::UnusableId)?;
        let path = format!("/transcript/{segment}/get_transcript?raw=false");
        let body = match self.0.get_long(&path).await {
            Ok(Answer::Ready(body)) => body,
            Ok(Answer::NotYet) => return Ok(Located::Pending),
            Err(ApiError::Never(Refusal::NotFound)) => return Err(ApiError::later(Cause::Missing)),
            Err(error) => return Err(error),
        };
        if serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(unreadable(Unreadable));
        }
        Ok(Located::Found { content: Content::Inline(body), run: Some(run) })
    }

    async fn media(&self, bot: &SenderId, artifact: Artifact, call: &'static str) -> Result<Located, ApiError> {
        let (mut is_coming, mut is_unknown) = (false, false);
        match self.0.get(&path(bot, call)?).await {
            Ok(Answer::Ready(body)) => {
                if let Some(url) = rest::media_url(artifact, &body).map_err(unreadable)? {
                    return Ok(Located::Found { content: Content::At(url), run: None });
                }
            }
            Ok(Answer::NotYet) => is_coming = true,
            Err(ApiError::Never(Refusal::NotFound)) => is_unknown = true,
            Err(error) => return Err(error),
        }
        let detail = self.whole_detail(bot).await?.bot;
        match detail.missing(artifact) {
            // The detail does not speak of every recording, and 202 does.
            Located::Unavailable(Absence::NeverMade) if is_coming => Ok(Located::Pending),
            Located::Pending if is_unknown && detail.artifact(artifact) == Some(ArtifactStatus::Announced) => {
                Err(ApiError::later(Cause::Missing))
            }
            located => Ok(located),
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
