//! How far an event can be trusted.

use serde::{Deserialize, Serialize};

/// Whether the sender proved that it wrote an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The delivery is unsigned: it came to a URL that only the sender should know, and nothing covers its bytes.
    Unverified,
    /// A signature or secret was checked.
    Verified,
}

impl Trust {
    /// The name in logs and on the screen.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "unverified",
            Self::Verified => "verified",
        }
    }
}
