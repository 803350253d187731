//! Where an event comes from.

use crate::{
    endpoint::{Endpoint, Provider},
    trust::Trust,
};
use serde::{Deserialize, Serialize};

/// Where an event comes from: its sender told us, its provider answered when we asked, or the operator wants it so.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Source {
    /// A delivery came through this endpoint.
    Delivered(Endpoint),
    /// This provider's REST API said so.
    Asked(Provider),
    /// An operator asked for it with a command.
    Operator,
}

impl Source {
    /// The name in the table, in logs and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered(endpoint) => endpoint.as_str(),
            Self::Asked(Provider::MeetStream) => "meetstream-api",
            Self::Asked(Provider::MeetingBaas) => "meetingbaas-api",
            Self::Operator => "operator",
        }
    }

    /// How far it can be trusted. What an API answers comes over TLS from the host that we chose to ask. An operator is whoever the
    /// account's owner allows to invoke `process-fn`.
    #[must_use]
    pub fn trust(self) -> Trust {
        match self {
            Self::Delivered(endpoint) => endpoint.trust(),
            Self::Asked(_) | Self::Operator => Trust::Verified,
        }
    }
}

impl From<Source> for &'static str {
    fn from(source: Source) -> Self {
        source.as_str()
    }
}

/// A name that no source has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no source is called {0}")]
pub struct UnknownSource(String);

impl TryFrom<String> for Source {
    type Error = UnknownSource;

    fn try_from(name: String) -> Result<Self, UnknownSource> {
        let delivered = Endpoint::ALL.into_iter().map(Self::Delivered);
        let asked = Provider::ALL.into_iter().map(Self::Asked);
        delivered.chain(asked).chain([Self::Operator]).find(|source| source.as_str() == name).ok_or(UnknownSource(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_were_written() {
        let sent = Endpoint::ALL.into_iter().map(Source::Delivered);
        let all = sent.chain(Provider::ALL.into_iter().map(Source::Asked)).chain([Source::Operator]);
        let names: std::collections::BTreeSet<_> = all.clone().map(Source::as_str).collect();
        assert_eq!(names.len(), Endpoint::ALL.len() + Provider::ALL.len() + 1);
        for source in all {
            let written = serde_json::to_value(source).unwrap();
            assert_eq!(written, source.as_str());
            assert_eq!(serde_json::from_value::<Source>(written).unwrap(), source);
        }
        assert!(serde_json::from_str::<Source>(r#""zoom""#).is_err());
    }

    #[test]
    fn a_delivery_is_as_trustworthy_as_its_endpoint() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Source::Delivered(endpoint).trust(), endpoint.trust());
        }
    }
}
