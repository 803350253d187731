//! The providers, and the routes that their deliveries arrive on.

use crate::trust::Trust;
use http::Method;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A company that runs meeting bots and sends webhooks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Provider {
    MeetStream,
    MeetingBaas,
}

impl Provider {
    /// Every provider there is.
    pub const ALL: [Self; 2] = [Self::MeetStream, Self::MeetingBaas];

    /// The name in keys, in logs and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeetStream => "meetstream",
            Self::MeetingBaas => "meetingbaas",
        }
    }

    /// The provider with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A route that deliveries arrive on. It names the sender and the way of proof; nothing is guessed from a body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Endpoint {
    /// `MeetStream`'s workspace webhooks, signed.
    #[serde(rename = "meetstream")]
    MeetStream,
    /// `MeetStream`'s per-bot `callback_url`, unsigned, with a token in the path.
    #[serde(rename = "meetstream-callback")]
    MeetStreamCallback,
    /// The v1 webhooks of Meeting BaaS, which carry the account's API key.
    #[serde(rename = "meetingbaas-v1")]
    MeetingBaasV1,
    /// The v2 webhooks of Meeting BaaS, signed by Svix.
    #[serde(rename = "meetingbaas-v2")]
    MeetingBaasV2,
    /// The v2 per-bot callbacks of Meeting BaaS, which carry a static secret.
    #[serde(rename = "meetingbaas-callback")]
    MeetingBaasCallback,
    /// What the web page of Meeting BaaS describes, and its documentation does not: signed bodies under other names.
    #[serde(rename = "meetingbaas-legacy")]
    MeetingBaasLegacy,
}

impl Endpoint {
    /// Every endpoint there is.
    pub const ALL: [Self; 6] = [
        Self::MeetStream,
        Self::MeetStreamCallback,
        Self::MeetingBaasV1,
        Self::MeetingBaasV2,
        Self::MeetingBaasCallback,
        Self::MeetingBaasLegacy,
    ];

    /// The endpoint that a request path names, and the token in it where the route has one. `None` for every other path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<(Self, Option<&str>)> {
        let route = path.strip_prefix("/webhooks/")?;
        let route = route.strip_suffix('/').unwrap_or(route);
        let endpoint = match route {
            "meetstream" => Self::MeetStream,
            "meetingbaas/v1" => Self::MeetingBaasV1,
            "meetingbaas/v2" => Self::MeetingBaasV2,
            "meetingbaas/callback" => Self::MeetingBaasCallback,
            "meetingbaas" | "meetingbaas/legacy" => Self::MeetingBaasLegacy,
            _ => {
                let token = path.strip_prefix("/webhooks/meetstream/")?;
                let is_token = !token.is_empty() && !token.contains('/');
                return is_token.then_some((Self::MeetStreamCallback, Some(token)));
            }
        };
        Some((endpoint, None))
    }

    /// The name in queue messages, logs and metrics. It never holds a token.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeetStream => "meetstream",
            Self::MeetStreamCallback => "meetstream-callback",
            Self::MeetingBaasV1 => "meetingbaas-v1",
            Self::MeetingBaasV2 => "meetingbaas-v2",
            Self::MeetingBaasCallback => "meetingbaas-callback",
            Self::MeetingBaasLegacy => "meetingbaas-legacy",
        }
    }

    /// The endpoint with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == name)
    }

    /// Whose bots it is about.
    #[must_use]
    pub fn provider(self) -> Provider {
        match self {
            Self::MeetStream | Self::MeetStreamCallback => Provider::MeetStream,
            Self::MeetingBaasV1 | Self::MeetingBaasV2 | Self::MeetingBaasCallback | Self::MeetingBaasLegacy => {
                Provider::MeetingBaas
            }
        }
    }

    /// How far its deliveries can be trusted.
    #[must_use]
    pub fn trust(self) -> Trust {
        match self {
            Self::MeetStream
            | Self::MeetingBaasV1
            | Self::MeetingBaasV2
            | Self::MeetingBaasCallback
            | Self::MeetingBaasLegacy => Trust::Verified,
            Self::MeetStreamCallback => Trust::Unverified,
        }
    }

    /// Whether its sender delivers by this method. Callbacks of Meeting BaaS are POST or PUT, as the bot's creator chose.
    #[must_use]
    pub fn accepts(self, method: &Method) -> bool {
        match self {
            Self::MeetingBaasCallback => method == Method::POST || method == Method::PUT,
            Self::MeetStream
            | Self::MeetStreamCallback
            | Self::MeetingBaasV1
            | Self::MeetingBaasV2
            | Self::MeetingBaasLegacy => method == Method::POST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<(Endpoint, Option<&str>)>) {
        assert_eq!(Endpoint::from_path(path), expected, "{path}");
    }

    #[test]
    fn paths_name_endpoints() {
        check("/webhooks/meetstream", Some((Endpoint::MeetStream, None)));
        check("/webhooks/meetstream/", Some((Endpoint::MeetStream, None)));
        check("/webhooks/meetstream/t0ken", Some((Endpoint::MeetStreamCallback, Some("t0ken"))));
        for (endpoint, routes) in [
            (Endpoint::MeetingBaasV1, &["/webhooks/meetingbaas/v1"][..]),
            (Endpoint::MeetingBaasV2, &["/webhooks/meetingbaas/v2"]),
            (Endpoint::MeetingBaasCallback, &["/webhooks/meetingbaas/callback"]),
            (Endpoint::MeetingBaasLegacy, &["/webhooks/meetingbaas/legacy", "/webhooks/meetingbaas"]),
        ] {
            for route in routes {
                check(route, Some((endpoint, None)));
                check(&format!("{route}/"), Some((endpoint, None)));
            }
        }
        for unknown in [
            "/",
            "",
            "/webhooks",
            "/webhooks/",
            "/webhooks/meetstreams",
            "/webhooks/meetstream//",
            "/webhooks/meetstream/t0ken/more",
            "/webhooks/meetstream/t0ken/",
            "/webhooks/meetingbaas//",
            "/webhooks/meetingbaas/v3",
            "/webhooks/meetingbaas/v1/more",
            "/webhooks/meetingbaas/V1",
            "/webhooks/other/t0ken",
            "/webhooks/other/",
            "/Webhooks/meetstream",
            "/prod/webhooks/meetstream",
        ] {
            check(unknown, None);
        }
    }

    #[test]
    fn names_are_the_same_everywhere() {
        for endpoint in Endpoint::ALL {
            assert_eq!(serde_json::to_value(endpoint).unwrap(), endpoint.as_str());
            assert_eq!(Endpoint::from_name(endpoint.as_str()), Some(endpoint));
        }
        for provider in Provider::ALL {
            assert_eq!(serde_json::to_value(provider).unwrap(), provider.as_str());
            assert_eq!(Provider::from_name(provider.as_str()), Some(provider));
        }
        assert_eq!(Provider::from_name("zoom"), None);
        assert_eq!(Endpoint::from_name("zoom"), None);
    }

    #[test]
    fn deliveries_are_posted_and_callbacks_may_be_put() {
        for endpoint in Endpoint::ALL {
            assert!(endpoint.accepts(&Method::POST));
            assert_eq!(endpoint.accepts(&Method::PUT), endpoint == Endpoint::MeetingBaasCallback);
            assert!(![Method::GET, Method::HEAD, Method::DELETE, Method::PATCH].iter().any(|m| endpoint.accepts(m)));
        }
    }
}
