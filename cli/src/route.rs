//! What both ways of sending have in common: where deliveries go, with which proof, and how their answers are shown.

use crate::{
    escape,
    failure::Failure,
    screen::{self, Style, Tone},
    stack::StackArgs,
    timeline::report::subject_name,
};
use clap::{Args, builder::NonEmptyStringValueParser};
use serde_json::{Map, Value};
use shared::{Endpoint, SessionId, ids::Subject};
use simulator::{
    courier::Answer,
    delivery::{Method, Secret, Target},
    dialect::Dialect,
};

/// The most of an answer that is shown, in characters. The function's own answers are short.
const MAX_SHOWN_CHARS: usize = 200;

/// Whose deliveries they are, and where they go when not to the stack's own route for them.
#[derive(Args, Clone, Debug)]
pub struct Route {
    /// Whose deliveries to imitate
    #[arg(long = "as", value_name = "DIALECT", value_enum, default_value_t)]
    pub dialect: Dialect,
    /// Send to MeetStream's unsigned callback URL instead of its signed route
    #[arg(long)]
    callback: bool,
    /// Deliver by this method, as the creator of a bot can choose for callbacks of Meeting BaaS
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Send to this URL (needs --secret, or --callback for one that ends in its token)
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Sign with this secret, or send it along where the dialect does that (better through the environment, which other users cannot see)
    #[arg(long, value_name = "SECRET", env = "ROLLCALL_SECRET", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    secret: Option<String>,
}

impl Route {
    /// The route that the dialect's deliveries arrive on.
    ///
    /// # Errors
    /// When the sender does not deliver in that way.
    pub fn endpoint(&self) -> Result<Endpoint, Failure> {
        let endpoint = match (self.dialect, self.callback) {
            (Dialect::MeetStream, true) => Endpoint::MeetStreamCallback,
            (dialect, false) => dialect.endpoint(),
            (dialect, true) => {
                let what = format!("--callback is MeetStream's, and {} is not", dialect.as_str());
                return Err(Failure::usage(what).help("callbacks of Meeting BaaS are --as meetingbaas-callback"));
            }
        };
        if !endpoint.accepts(&self.method.http()) {
            let what = format!("{} does not deliver by {}", endpoint.as_str(), self.method.http());
            return Err(Failure::usage(what).help("only --as meetingbaas-callback does"));
        }
        Ok(endpoint)
    }

    /// Refuses flags that mean nothing in this dialect.
    ///
    /// # Errors
    /// When one of them is given.
    pub fn has_no_place_for(&self, flags: &[(&str, bool)]) -> Result<(), Failure> {
        match flags.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} has no meaning for deliveries of {}", self.dialect.as_str())))
            }
            None => Ok(()),
        }
    }

    /// The place to send to, with its proof. The stack is opened only where something of it is needed.
    ///
    /// # Errors
    /// When the stack or its secret cannot be read, or too little is given.
    pub async fn target(&self, stack_args: &StackArgs) -> Result<Target, Failure> {
        let endpoint = self.endpoint()?;
        let target = match (&self.url, &self.secret) {
            (Some(url), _) if self.callback => Target::new(endpoint, Secret(url.clone()), Secret(String::new()))?,
            (Some(url), Some(secret)) => Target::new(endpoint, Secret(url.clone()), Secret(secret.clone()))?,
            (Some(_), None) => {
                let or = match self.dialect {
                    Dialect::MeetStream => ", or add --callback if the URL ends in a callback token",
                    _ => "",
                };
                return Err(Failure::usage("--url without anything to sign with")
                    .help(format!("set ROLLCALL_SECRET to the endpoint's secret{or}")));
            }
            (None, Some(secret)) if !self.callback => {
                Target::new(endpoint, Secret(stack_args.open().await?.url(endpoint)?), Secret(secret.clone()))?
            }
            (None, _) => stack_args.open().await?.target(endpoint).await?,
        };
        Ok(target.by(self.method))
    }

    /// Says how to see what became of it. What became of a delivery to some other URL is not to be seen from here.
    pub fn suggest_timeline(&self, stack_args: &StackArgs, bot: Option<&SessionId>) {
        if let (None, Some(bot)) = (&self.url, bot) {
            let bot_id = escape::shell(bot.id.as_sent());
            if escape::is_harmless(&bot_id) {
                let dashes = if bot_id.starts_with('-') { "-- " } else { "" };
                let flags = stack_args.as_flags();
                let calendar = if bot.subject == Subject::Calendar { " --calendar" } else { "" };
                screen::remark(&format!(
                    "see it with: rollcall timeline{flags}{calendar} {} {dashes}{bot_id}",
                    bot.provider
                ));
            }
        }
    }
}

/// A JSON object, or what is wrong with it.
///
/// # Errors
/// A sentence for clap, which adds the name of the flag and the value.
pub fn attributes(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

/// A random id of the form that the senders use.
#[must_use]
pub fn new_id() -> String {
    // Version 4, variant 1: what a UUID without any meaning has in these places.
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// What is about to be sent where.
#[must_use]
pub fn announcement(bot: Option<&SessionId>, target: &Target) -> String {
    let subject = subject_name(bot.map_or(Subject::Bot, |bot| bot.subject));
    let bot = bot.map_or_else(|| "none".to_owned(), |bot| escape::text(bot.id.as_sent()));
    format!("{subject} {bot}\n{:width$} {}", "to", escape::text(&target.shown()), width = subject.len())
}

/// One delivery and its answer.
#[must_use]
pub fn line(what: &str, timestamp: Option<&str>, answer: &Answer, expected: u16, style: Style) -> String {
    let tone = if answer.status == expected { Tone::Good } else { Tone::Bad };
    let status = style.paint(&answer.status.to_string(), tone);
    let took = style.paint(&format!("{} ms", answer.took.as_millis()), Tone::Faint);
    let when = timestamp.map(|timestamp| format!("{timestamp}  ")).unwrap_or_default();
    let body: String = escape::text(&answer.body).chars().take(MAX_SHOWN_CHARS).collect();
    format!("{status}  {:25} {when}{body}  {took}", escape::text(what))
}

/// The status that refuses a forged delivery. The sender of callbacks gives up for good on any 4xx.
#[must_use]
pub fn refusal(endpoint: Endpoint) -> u16 {
    if endpoint == Endpoint::MeetingBaasCallback { 503 } else { 401 }
}

/// That some deliveries were not answered as they should be.
#[must_use]
pub fn unexpected(otherwise: u32, sent: u32, expected: u16) -> Failure {
    let failure = Failure::new(format!("{otherwise} of {sent} deliveries were not answered {expected}"));
    failure.help(match expected {
        401 | 503 => "something lets forged deliveries in, or the route does not exist (404)",
        _ => {
            "401, for callbacks of Meeting BaaS 503: the function has another secret than this command (`make deploy` \
             hands it a new one); 404: the route has none; other 5xx: the function's logs say why"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn new_ids_look_like_theirs() {
        let id = new_id();
        let parts: Vec<&str> = id.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
        assert_ne!(id, new_id());
    }

    #[test]
    fn attributes_are_an_object() {
        assert!(attributes(r#"{"tenant":"acme","n":1}"#).is_ok());
        for other in ["[]", "\"x\"", "tenant=acme", ""] {
            assert!(attributes(other).unwrap_err().starts_with("not a JSON object"), "{other}");
        }
    }

    #[test]
    fn a_line_tells_delivery_and_answer() {
        let answer = Answer { status: 200, body: r#"{"received":true}"#.to_owned(), took: Duration::from_millis(12) };
        assert_eq!(
            line("bot.joining", None, &answer, 200, Style::PLAIN),
            r#"200  bot.joining               {"received":true}  12 ms"#
        );
    }
}
