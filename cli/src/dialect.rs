//! Whose deliveries to imitate.

use clap::ValueEnum;
use shared::Endpoint;

/// A sender, with its way of proof and its names for what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Dialect {
    /// MeetStream's webhooks, signed; with --callback its unsigned callbacks
    #[default]
    #[value(name = "meetstream")]
    MeetStream,
    /// the v1 webhooks of Meeting BaaS, with the account's API key
    #[value(name = "meetingbaas-v1")]
    MeetingBaasV1,
    /// the v2 webhooks of Meeting BaaS, signed by Svix
    #[value(name = "meetingbaas-v2")]
    MeetingBaasV2,
    /// the v2 callbacks of Meeting BaaS, with a static secret
    #[value(name = "meetingbaas-callback")]
    MeetingBaasCallback,
    /// what the web page of Meeting BaaS describes, signed
    #[value(name = "meetingbaas-legacy")]
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

    /// The name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.endpoint().as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_are_called_like_their_routes() {
        for dialect in Dialect::value_variants() {
            assert_eq!(dialect.to_possible_value().unwrap().get_name(), dialect.as_str());
        }
    }
}
