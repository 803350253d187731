//! What both ways of sending have in common: where deliveries go, with which proof, and how their answers are shown.

use crate::{
    bot::{as_arguments, subject_name},
    escape,
    failure::Failure,
    screen::{self, Style, Tone},
    stack::StackArgs,
};
use clap::{Args, builder::NonEmptyStringValueParser};
use serde::Serialize;
use serde_json::{Map, Value};
use shared::{Endpoint, SessionId, ids::Subject};
use simulator::{
    courier::{Courier, SendError},
    delivery::{Delivery, Method, Secret, Target},
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
    /// Print one JSON object: where the deliveries were sent, and how each was answered
    #[arg(long)]
    pub json: bool,
}

impl Route {
    /// The route that the dialect's deliveries arrive on.
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
    pub fn has_no_place_for(&self, flags: &[(&str, bool)]) -> Result<(), Failure> {
        match flags.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => {
                Err(Failure::usage(format!("{flag} has no meaning for deliveries of {}", self.dialect.as_str())))
            }
            None => Ok(()),
        }
    }

    /// The place to send to, with its proof. The stack is opened only where something of it is needed.
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

    /// Says how to see what became of it, unless it went to some other URL.
    pub fn suggest_timeline(&self, stack_args: &StackArgs, bot: Option<&SessionId>) {
        match bot {
            _ if self.url.is_some() => {}
            Some(bot) => {
                let arguments = as_arguments(bot, stack_args);
                if escape::is_harmless(&arguments) {
                    screen::remark(&format!("see it with: `rollcall timeline{arguments}`"));
                }
            }
            None => screen::remark(&format!(
                "the body names no bot, so no timeline shows the delivery; if it cannot be read at all: `rollcall quarantine list{}`",
                stack_args.as_flags()
            )),
        }
    }

    /// Whether the deliveries go to the stack and not to some other URL.
    pub fn is_to_the_stack(&self) -> bool {
        self.url.is_none()
    }
}

/// A JSON object, or what is wrong with it.
pub fn attributes(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

/// A random id of the form that the senders use.
pub fn new_id() -> String {
    // Version 4, variant 1: what a UUID without any meaning has in these places.
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// What is sent where, and how it is answered: the shape of `rollcall send … --json`.
#[derive(Serialize)]
pub struct Sending {
    provider: &'static str,
    subject: &'static str,
    /// `null` where the body names none.
    bot_id: Option<String>,
    to: String,
    deliveries: Vec<Sent>,
    #[serde(skip)]
    expected: u16,
    /// For people; `None` prints JSON in the end.
    #[serde(skip)]
    style: Option<Style>,
}

/// One delivery and its answer.
#[derive(Serialize)]
struct Sent {
    name: String,
    timestamp: Option<String>,
    /// `null` where nothing came back.
    status: Option<u16>,
    /// The answer's body, or why there is none.
    answer: String,
    took_ms: Option<u128>,
}

impl Sending {
    /// Says what is about to be sent where. Each answer is expected to have the status `expected`.
    pub fn begin(
        bot: Option<&SessionId>,
        target: &Target,
        route: &Route,
        expected: u16,
        style: Style,
    ) -> Result<Self, Failure> {
        let sending = Self {
            provider: route.endpoint()?.provider().as_str(),
            subject: subject_name(bot.map_or(Subject::Bot, |bot| bot.subject)),
            bot_id: bot.map(|bot| bot.id.as_sent().to_owned()),
            to: target.shown(),
            deliveries: Vec::new(),
            expected,
            style: (!route.json).then_some(style),
        };
        if !route.json {
            let bot_id =
                sending.bot_id.as_deref().map_or_else(|| "none that Rollcall can read".to_owned(), escape::text);
            let (subject, to) = (sending.subject, escape::text(&sending.to));
            screen::print(&format!("{subject} {bot_id}\n{:width$} {to}", "to", width = subject.len()))?;
        }
        Ok(sending)
    }

    /// Sends one delivery. If nothing answers the very first one, nothing will answer the others.
    pub async fn send(
        &mut self,
        courier: &Courier,
        delivery: &Delivery,
        name: &str,
        timestamp: Option<&str>,
    ) -> Result<(), Failure> {
        let answer = courier.send(delivery).await;
        let sent = match answer {
            Ok(answer) => Sent {
                name: name.to_owned(),
                timestamp: timestamp.map(str::to_owned),
                status: Some(answer.status),
                answer: answer.body,
                took_ms: Some(answer.took.as_millis()),
            },
            Err(error @ SendError::NoAnswer { .. }) if !self.deliveries.is_empty() => Sent {
                name: name.to_owned(),
                timestamp: timestamp.map(str::to_owned),
                status: None,
                answer: error.to_string(),
                took_ms: None,
            },
            Err(error) => return Err(error.into()),
        };
        if let Some(style) = self.style {
            screen::print(&sent.render(self.expected, style))?;
        }
        self.deliveries.push(sent);
        Ok(())
    }

    /// Prints the JSON, if that is asked for. Fails if a delivery was not answered as expected.
    pub fn end(&self) -> Result<(), Failure> {
        if self.style.is_none() {
            screen::print_json(self)?;
        }
        let otherwise = self.deliveries.iter().filter(|sent| sent.status != Some(self.expected)).count();
        if otherwise == 0 { Ok(()) } else { Err(unexpected(otherwise, self.deliveries.len(), self.expected)) }
    }
}

impl Sent {
    fn render(&self, expected: u16, style: Style) -> String {
        let tone = if self.status == Some(expected) { Tone::Good } else { Tone::Bad };
        let status = style.paint(&self.status.map_or_else(|| "---".to_owned(), |status| status.to_string()), tone);
        let took = self.took_ms.map(|ms| style.paint(&format!("  {ms} ms"), Tone::Faint)).unwrap_or_default();
        let when = self.timestamp.as_ref().map(|timestamp| format!("{timestamp}  ")).unwrap_or_default();
        let answer: String = escape::text(&self.answer).chars().take(MAX_SHOWN_CHARS).collect();
        format!("{status}  {:25} {when}{answer}{took}", escape::text(&self.name))
    }
}

/// The status that refuses a forged delivery. The sender of callbacks gives up for good on any 4xx.
pub fn refusal(endpoint: Endpoint) -> u16 {
    if endpoint == Endpoint::MeetingBaasCallback { 503 } else { 401 }
}

/// That some deliveries were not answered as they should be.
fn unexpected(otherwise: usize, sent: usize, expected: u16) -> Failure {
    let failure = Failure::new(format!("{otherwise} of {sent} deliveries were not answered {expected}"));
    failure.help(match expected {
        401 | 503 => "200: the route accepts forged deliveries; 404: the route has no credential, so it does not exist",
        _ => {
            "401, for callbacks of Meeting BaaS 503: the function has another secret than this command, and `make rotate` \
             hands it the new one; 404: the route has no credential; other 5xx: the function's log says why"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (name, answer) = ("bot.joining".to_owned(), r#"{"received":true}"#.to_owned());
        let sent = Sent { name, timestamp: None, status: Some(200), answer, took_ms: Some(12) };
        assert_eq!(sent.render(200, Style::PLAIN), r#"200  bot.joining               {"received":true}  12 ms"#);
        let unanswered = Sent { status: None, answer: "no answer".to_owned(), took_ms: None, ..sent };
        assert_eq!(unanswered.render(200, Style::PLAIN), "---  bot.joining               no answer");
    }
}
