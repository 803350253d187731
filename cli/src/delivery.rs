//! One webhook request, to the byte: signed as `MeetStream` signs, and sent, or written as a curl command.

use crate::{body, escape, failure::Failure};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Url, redirect::Policy};
use sha2::Sha256;
use std::{
    fmt,
    time::{Duration, Instant},
};

const SIGNATURE_HEADER: &str = "X-MeetStream-Signature";
const TIMESTAMP_HEADER: &str = "X-MeetStream-Timestamp";

/// How long an answer may take. The function answers within 5 seconds, whatever happens behind it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most of an answer that is shown, in characters. The function's own answers are short.
const MAX_SHOWN_CHARS: usize = 200;

/// The longest body that goes into a curl command as it is; arguments of commands are bounded.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// A text that must not end up on a screen by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Where deliveries go, and the proof that they carry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// The workspace webhook: signed.
    Signed {
        /// The route.
        url: String,
        /// What signs the bodies.
        secret: Secret,
    },
    /// A per-bot callback: unsigned, with a token as the last segment of its URL.
    Callback {
        /// The route, token included.
        url: Secret,
    },
}

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    url: Secret,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, harmless and shortened.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

impl Target {
    /// The same place with a proof of the right form that is worth nothing.
    #[must_use]
    pub fn forged(self) -> Self {
        match self {
            Self::Signed { url, secret } => Self::Signed { url, secret: Secret(format!("not {}", secret.0)) },
            Self::Callback { url: Secret(url) } => {
                let (route, token) = url.rsplit_once('/').unwrap_or((&url, ""));
                Self::Callback { url: Secret(format!("{route}/{}", "x".repeat(token.len().max(22)))) }
            }
        }
    }

    /// The place as it may be shown.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Signed { url, .. } => escape::text(url),
            Self::Callback { url } => {
                let route = url.0.rsplit_once('/').map_or("", |(route, _)| route);
                format!("{}/<token>", escape::text(route))
            }
        }
    }
}

impl Delivery {
    /// A request to `target` with exactly these bytes, sent at `now`.
    #[must_use]
    pub fn new(target: &Target, body: Vec<u8>, now: jiff::Timestamp) -> Self {
        let mut headers = vec![("Content-Type", "application/json".to_owned())];
        let url = match target {
            Target::Signed { url, secret } => {
                headers.push((SIGNATURE_HEADER, signature(secret, &body)));
                headers.push((TIMESTAMP_HEADER, body::timestamp(now)));
                Secret(url.clone())
            }
            Target::Callback { url } => url.clone(),
        };
        Self { url, headers, body }
    }

    /// The request as a command for a shell, with its secrets.
    #[must_use]
    pub fn curl(&self) -> String {
        let headers =
            self.headers.iter().map(|(name, value)| format!(" -H {}", escape::shell(&format!("{name}: {value}"))));
        let curl = format!("curl -i {}{}", escape::shell(&self.url.0), headers.collect::<String>());
        match std::str::from_utf8(&self.body) {
            // A leading @ would be read as the name of a file.
            Ok(text) if escape::is_harmless(text) && !text.starts_with('@') && text.len() <= MAX_INLINE_BYTES => {
                format!("{curl} --data-binary {}", escape::shell(text))
            }
            _ => format!("printf %s {} | base64 -d | {curl} --data-binary @-", BASE64.encode(&self.body)),
        }
    }
}

/// The value of the signature header: HMAC-SHA256 over the bytes as they are.
fn signature(secret: &Secret, body: &[u8]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(secret.0.as_bytes()).expect("a key").chain_update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// Sends deliveries, over one connection where it can.
#[derive(Debug)]
pub struct Courier {
    client: Client,
    place: String,
}

impl Courier {
    /// A courier for one target. A proxy is for places beyond this machine.
    ///
    /// # Errors
    /// When the URL is none, or TLS cannot be had.
    pub fn new(target: &Target) -> Result<Self, Failure> {
        let (Target::Signed { url, .. } | Target::Callback { url: Secret(url) }) = target;
        let usable = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(parsed) = usable else {
            let what = format!("\"{}\" is no http or https URL", target.shown());
            return Err(Failure::usage(what).help("give the whole URL, as in https://HOST/webhooks/meetstream"));
        };
        let is_here = parsed.host_str().is_some_and(|host| {
            host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
        });
        let client = Client::builder()
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(PATIENCE);
        let client = if is_here { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| Failure::new(format!("no HTTP client: {error}")))?;
        Ok(Self { client, place: target.shown() })
    }

    /// Sends one delivery and waits for its answer.
    ///
    /// # Errors
    /// When there is none. The message has no token in it.
    pub async fn send(&self, delivery: &Delivery) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let mut request = self.client.post(&delivery.url.0).body(delivery.body.clone());
        for (name, value) in &delivery.headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| self.no_answer(error))?;
        let body = escape::text(&text).chars().take(MAX_SHOWN_CHARS).collect();
        Ok(Answer { status, body, took: begun.elapsed() })
    }

    fn no_answer(&self, error: reqwest::Error) -> Failure {
        let error = error.without_url();
        let mut what = format!("no answer from {}: {error}", self.place);
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        Failure::new(what).help("is the stack running? `make up` starts the local one, `rollcall urls` shows its URLs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use shared::auth::{AuthError, AuthMode, Credentials, PathTokens, SignatureSecrets};

    const TOKEN: &str = "a-token-of-22-characters";

    fn signed() -> Target {
        Target::Signed { url: "https://host/webhooks/meetstream".to_owned(), secret: Secret("s3cret".to_owned()) }
    }

    fn callback() -> Target {
        Target::Callback { url: Secret(format!("https://host/webhooks/meetstream/{TOKEN}")) }
    }

    fn delivery(target: &Target, body: &[u8]) -> Delivery {
        Delivery::new(target, body.to_vec(), "2026-10-05T14:55:02.9Z".parse().unwrap())
    }

    /// What the function says to it.
    fn verify(delivery: &Delivery) -> Result<(), AuthError> {
        let headers: HeaderMap =
            delivery.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let (endpoint, path_token) =
            shared::Endpoint::from_path(delivery.url.0.strip_prefix("https://host").unwrap()).unwrap();
        let mode = match endpoint {
            shared::Endpoint::MeetStream => AuthMode::MeetStreamSignature {
                secrets: SignatureSecrets::new(vec!["s3cret".to_owned()]).unwrap(),
                window: None,
            },
            shared::Endpoint::MeetStreamCallback => {
                AuthMode::PathToken(PathTokens::new(vec![TOKEN.to_owned()]).unwrap().unwrap())
            }
            other => panic!("no target is on the route of {}", other.as_str()),
        };
        let offered = Credentials { headers: &headers, path_token };
        mode.verify(offered, delivery.body.clone(), 0).map(drop)
    }

    #[test]
    fn what_is_signed_here_is_accepted_there() {
        for body in [&b"{}"[..], b"", b"\xff\0", "{\"message\":\"caf\u{e9}\"}\n".as_bytes()] {
            assert_eq!(verify(&delivery(&signed(), body)), Ok(()));
            assert_eq!(verify(&delivery(&callback(), body)), Ok(()));
            assert_eq!(verify(&delivery(&signed().forged(), body)), Err(AuthError::Mismatch));
            assert_eq!(verify(&delivery(&callback().forged(), body)), Err(AuthError::Mismatch));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(callback().shown(), "https://host/webhooks/meetstream/<token>");
        let debug = format!("{:?} {:?} {:?}", signed(), callback(), delivery(&callback(), b""));
        assert!(!debug.contains(TOKEN) && !debug.contains("s3cret"), "{debug}");
    }

    #[track_caller]
    fn check(name: &str, body: &[u8], end: &str) {
        let curl = delivery(&callback(), body).curl();
        assert!(curl.ends_with(end), "{name}: {curl}");
    }

    #[test]
    fn curl_gets_the_very_bytes() {
        check("JSON", br#"{"a":"b c"}"#, r#" --data-binary '{"a":"b c"}'"#);
        check("an apostrophe", b"{\"a\":\"it's\"}", r#" --data-binary '{"a":"it'\''s"}'"#);
        check("not a file", b"@x", " --data-binary @-");
        check("line breaks", b"{\n}", " --data-binary @-");
        let piped = delivery(&callback(), b"\xff\0").curl();
        assert!(piped.starts_with("printf %s /wA= | base64 -d | curl -i https://host/"), "{piped}");
        assert_eq!(
            delivery(&signed(), b"{}").curl(),
            "curl -i https://host/webhooks/meetstream -H 'Content-Type: application/json' \
             -H 'X-MeetStream-Signature: sha256=adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b' \
             -H 'X-MeetStream-Timestamp: 2026-10-05T14:55:02.900000+00:00' --data-binary '{}'"
        );
    }
}
