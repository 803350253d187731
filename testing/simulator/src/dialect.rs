//! Whose words and whose way of proof.

use shared::Endpoint;

/// A sender, with its way of proof and its names for what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Dialect {
    /// MeetStream's webhooks, signed; with --callback its unsigned callbacks
    #[default]
    #[cfg_attr(feature = "clap", value(name = "meetstream"))]
    MeetStream,
    /// the v1 webhooks of Meeting BaaS, with the account's API key
    #[cfg_attr(feature = "clap", value(name = "meetingbaas-v1"))]
    MeetingBaasV1,
    /// the v2 webhooks of Meeting BaaS, signed by Svix
    #[cfg_attr(feature = "clap", value(name = "meetingbaas-v2"))]
    MeetingBaasV2,
    /// the v2 callbacks of Meeting BaaS, with a static secret
    #[cfg_attr(feature = "clap", value(name = "meetingbaas-callback"))]
    MeetingBaasCallback,
    /// what the web page of Meeting BaaS describes, signed
    #[cfg_attr(feature = "clap", value(name = "meetingbaas-legacy"))]
    MeetingBaasLegacy,
}

impl Dialect {
    /// The route that this sender's deliveries arrive on.
    #[must_use]
    pub fn endpoint(self) -> Endpoint {
        match self {
            Self::MeetStream => Endpoint::MeetStream,
            Self::MeetingBaasV1 => Endpoint::MeetingBaasV1,
            Self::MeetingBaasV2 => Endpoint::MeetingBaasV2,
            Self::MeetingBaasCallback => Endpoint::MeetingBaasCallback,
            Self::MeetingBaasLegacy => Endpoint::MeetingBaasLegacy,
        }
    }

    /// What is spoken on a route.
    #[must_use]
    pub fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::MeetStream | Endpoint::MeetStreamCallback => Self::MeetStream,
            Endpoint::MeetingBaasV1 => Self::MeetingBaasV1,
            Endpoint::MeetingBaasV2 => Self::MeetingBaasV2,
            Endpoint::MeetingBaasCallback => Self::MeetingBaasCallback,
            Endpoint::MeetingBaasLegacy => Self::MeetingBaasLegacy,
        }
    }

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.endpoint().as_str()
    }
}

#[cfg(all(test, feature = "clap"))]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn dialects_are_called_like_their_routes() {
        for dialect in Dialect::value_variants() {
            assert_eq!(dialect.to_possible_value().unwrap().get_name(), dialect.as_str());
        }
    }
}
