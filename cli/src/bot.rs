//! Which bot or calendar a command is about.

use crate::{
    escape,
    failure::Failure,
    stack::{Stack, StackArgs},
    table,
};
use aws_sdk_dynamodb::Client;
use clap::{Args, builder::PossibleValuesParser};
use jiff::Timestamp;
use shared::{Provider, SenderId, SessionId, ids::Subject};

/// A bot, by its provider and the provider's id of it or by the id alone.
#[derive(Args, Clone, Debug)]
pub struct BotArgs {
    /// The provider, meetstream or meetingbaas. Without it, the id of a bot that only one of them has
    #[arg(value_name = "PROVIDER or ID")]
    pub first: String,
    /// The provider's id of the bot, exactly as the provider sends it
    #[arg(value_name = "ID")]
    pub second: Option<String>,
}

pub fn providers() -> PossibleValuesParser {
    PossibleValuesParser::new(Provider::ALL.map(Provider::as_str))
}

impl BotArgs {
    /// The bot or calendar that was named; without a provider, one for each.
    pub fn candidates(&self, subject: Subject) -> Result<Vec<SessionId>, Failure> {
        if let Some(id) = &self.second {
            return session_id(&self.first, subject, id).map(|id| vec![id]);
        }
        if Provider::from_name(&self.first).is_some() {
            return Err(Failure::usage(format!("no {} of {} is named", subject_name(subject), self.first))
                .help("add its id; `rollcall sessions` lists the ids of the last days"));
        }
        let id = sender_id(subject, &self.first)?;
        Ok(Provider::ALL.map(|provider| SessionId { provider, subject, id: id.clone() }).to_vec())
    }
}

/// The bot or calendar of this provider and id.
pub fn session_id(of: &str, subject: Subject, id: &str) -> Result<SessionId, Failure> {
    Ok(SessionId { provider: provider(of)?, subject, id: sender_id(subject, id)? })
}

fn provider(name: &str) -> Result<Provider, Failure> {
    Provider::from_name(name).ok_or_else(|| {
        let names = Provider::ALL.map(Provider::as_str).join(" or ");
        Failure::usage(format!("there is no provider \"{}\"", escape::text(name)))
            .help(format!("write {names}, and the id after it"))
    })
}

fn sender_id(subject: Subject, id: &str) -> Result<SenderId, Failure> {
    SenderId::try_from(id).map_err(|error| {
        Failure::usage(format!("no {} has the id \"{}\": {error}", subject_name(subject), escape::text(id)))
    })
}

pub fn subject_name(subject: Subject) -> &'static str {
    match subject {
        Subject::Bot => "bot",
        Subject::Calendar => "calendar",
    }
}

/// A bot or calendar for people, as in `meetstream bot "7c1e4a92"`.
pub fn name(id: &SessionId) -> String {
    format!("{} {} \"{}\"", id.provider, subject_name(id.subject), escape::text(id.id.as_sent()))
}

/// The arguments that name it to another command.
pub fn as_arguments(id: &SessionId, stack_args: &StackArgs) -> String {
    let calendar = if id.subject == Subject::Calendar { " --calendar" } else { "" };
    let shown = escape::shell(id.id.as_sent());
    let dashes = if shown.starts_with('-') { "-- " } else { "" };
    format!("{}{calendar} {} {dashes}{shown}", stack_args.as_flags(), id.provider)
}

/// The candidate that `look` finds something of, with what it finds; `None` if there is none.
pub async fn only<T>(
    candidates: &[SessionId],
    mut look: impl AsyncFnMut(&SessionId) -> Result<Option<T>, Failure>,
) -> Result<Option<(SessionId, T)>, Failure> {
    let mut found = None;
    for id in candidates {
        if let Some(known) = look(id).await?
            && let Some((other, _)) = found.replace((id.clone(), known))
        {
            let what = format!("{} and {} both exist", name(&other), name(id));
            return Err(Failure::usage(what).help("write the provider before the id"));
        }
    }
    Ok(found)
}

/// That nothing is known of what was named. Says where it is known instead: at another provider, or as a calendar and not a bot.
pub async fn nothing_known(stack: &Stack, stack_args: &StackArgs, candidates: &[SessionId]) -> Failure {
    let [first, ..] = candidates else { return Failure::usage("no bot is named") };
    let shown = if candidates.len() == 1 {
        name(first)
    } else {
        format!("a {} \"{}\"", subject_name(first.subject), escape::text(first.id.as_sent()))
    };
    let failure = Failure::not_found(format!("nothing is known of {shown} on {}", stack.aws.name));
    let client = Client::new(&stack.aws.config);
    for provider in Provider::ALL {
        for subject in [Subject::Bot, Subject::Calendar] {
            let other = SessionId { provider, subject, id: first.id.clone() };
            let known = table::known(&client, stack, &other, Timestamp::now().as_second()).await;
            if !candidates.contains(&other) && matches!(known, Ok(Some(_))) {
                let arguments = as_arguments(&other, stack_args);
                return failure.help(format!("it is known as {}: `rollcall timeline{arguments}`", name(&other)));
            }
        }
    }
    failure.help(format!(
        "`rollcall sessions{}` lists the bots and calendars of the last days with their ids; a delivery takes a moment to get there",
        stack_args.as_flags()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> Result<Vec<String>, String> {
        let args = BotArgs { first: words[0].to_owned(), second: words.get(1).map(|id| (*id).to_owned()) };
        let ids = args.candidates(Subject::Bot).map_err(|failure| failure.to_string())?;
        Ok(ids.iter().map(SessionId::encoded).collect())
    }

    #[test]
    fn a_bot_is_named_with_its_provider_or_without() {
        assert_eq!(named(&["meetstream", "b"]), Ok(vec!["meetstream#b".to_owned()]));
        assert_eq!(named(&["b"]), Ok(vec!["meetstream#b".to_owned(), "meetingbaas#b".to_owned()]));
        for (words, expected) in [
            (&["zoom", "b"][..], "there is no provider \"zoom\"\n  help: write meetstream or meetingbaas"),
            (&["meetstream", ""], "no bot has the id \"\": the id is empty"),
            (&[""], "no bot has the id \"\""),
            (&["meetstream"], "no bot of meetstream is named"),
        ] {
            let told = named(words).unwrap_err();
            assert!(told.contains(expected), "{words:?}: {told}");
        }
    }

    #[tokio::test]
    async fn only_one_candidate_is_meant() {
        let ids = BotArgs { first: "b".to_owned(), second: None }.candidates(Subject::Bot).unwrap();
        let known = async |has: fn(Provider) -> bool| only(&ids, async |id| Ok(has(id.provider).then_some(()))).await;
        assert_eq!(known(|_| false).await, Ok(None));
        let found = known(|provider| provider == Provider::MeetingBaas).await.unwrap().unwrap();
        assert_eq!(found.0.encoded(), "meetingbaas#b");
        let both = known(|_| true).await.unwrap_err().to_string();
        assert!(both.starts_with("meetstream bot \"b\" and meetingbaas bot \"b\" both exist"), "{both}");
    }
}
