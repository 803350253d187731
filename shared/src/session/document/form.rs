//! The number of a document's form, and why a document is not read.

/// The form that this code writes, and the only one that it reads.
pub(super) const FORM: u32 = 1;

/// Why a document is not read. Whoever cannot read one must not write it either.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Another version of this code wrote it.
    #[error("the document has form {0}, and this version reads only form {FORM}")]
    Form(u32),
    /// It is not what any version writes.
    #[error("the document is damaged: {0}")]
    Damaged(String),
}

impl Unreadable {
    /// The name in logs, which hold nothing of what a document says.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "another_form",
            Self::Damaged(_) => "damaged",
        }
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
