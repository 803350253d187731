//! Why a delivery is refused.

/// Why a delivery is not authentic. The sender learns none of this; the log does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuthError {
    /// A header that the endpoint's mode needs is absent.
    #[error("a required header is missing")]
    MissingHeader,
    /// A credential is present and has the wrong form.
    #[error("the credential is malformed")]
    Malformed,
    /// The delivery's timestamp is outside the window.
    #[error("the timestamp is outside the window")]
    Expired,
    /// The credential has the right form and matches none of ours.
    #[error("the credential does not match")]
    Mismatch,
}

impl AuthError {
    /// A short name for logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
            Self::Mismatch => "mismatch",
        }
    }
}
