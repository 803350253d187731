//! Takes deliveries to where they go.

use crate::delivery::{Delivery, Target};
use reqwest::{Client, Url, redirect::Policy};
use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

/// How long an answer may take. The function answers within 5 seconds, whatever happens behind it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends deliveries, over connections that it keeps where it can.
#[derive(Clone, Debug)]
pub struct Courier {
    client: Client,
    place: String,
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, as it came.
    pub body: String,
    /// How long it took.
    pub took: Duration,
}

/// Why nothing came back. No message has a token in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The place is none that anything could be sent to.
    NoUrl {
        /// What was given.
        place: String,
    },
    /// There is no HTTP client to be had.
    NoClient {
        /// Why.
        why: String,
    },
    /// The delivery may or may not have arrived.
    NoAnswer {
        /// Where from.
        place: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl { place } => write!(f, "\"{place}\" is no http or https URL"),
            Self::NoClient { why } => write!(f, "no HTTP client: {why}"),
            Self::NoAnswer { place, why } => write!(f, "no answer from {place}: {why}"),
        }
    }
}

impl Error for SendError {}

impl Courier {
    /// A courier for one target. A proxy is for places beyond this machine.
    ///
    /// # Errors
    /// When the URL is none, or TLS cannot be had.
    pub fn new(target: &Target) -> Result<Self, SendError> {
        let usable = Url::parse(&target.url().0).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = usable.ok_or_else(|| SendError::NoUrl { place: target.shown() })?;
        let is_here = parsed.host_str().is_some_and(|host| {
            host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]"
        });
        // Only the first provider of a process counts, and it may have been installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .timeout(PATIENCE);
        let client = if is_here { client.no_proxy() } else { client };
        let client = client.build().map_err(|error| SendError::NoClient { why: error.to_string() })?;
        Ok(Self { client, place: target.shown() })
    }

    /// Sends one delivery and waits for its answer.
    ///
    /// # Errors
    /// When there is none.
    pub async fn send(&self, delivery: &Delivery) -> Result<Answer, SendError> {
        let begun = Instant::now();
        let mut request =
            self.client.request(delivery.method().http(), &delivery.url().0).body(delivery.body().to_vec());
        for (name, value) in delivery.headers() {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|error| self.no_answer(error))?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(|error| self.no_answer(error))?;
        Ok(Answer { status, body, took: begun.elapsed() })
    }

    fn no_answer(&self, error: reqwest::Error) -> SendError {
        let error = error.without_url();
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        SendError::NoAnswer { place: self.place.clone(), why }
    }
}
