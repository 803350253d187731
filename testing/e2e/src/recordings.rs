//! The recorded bodies in `events/provider`.

use anyhow::Result;
use std::path::{Path, PathBuf};

/// Where a provider's recordings are.
#[must_use]
pub fn folder(provider: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/provider").join(provider)
}

/// The names of a provider's recordings, as `<dialect>/<event>`, in order.
///
/// # Errors
/// If the folder cannot be read.
pub fn names(provider: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for dialect in std::fs::read_dir(folder(provider))? {
        let dialect = dialect?;
        for file in std::fs::read_dir(dialect.path())? {
            let (dialect, file) = (dialect.file_name(), file?.file_name());
            names.push(format!("{}/{}", dialect.to_string_lossy(), file.to_string_lossy().trim_end_matches(".json")));
        }
    }
    names.sort();
    Ok(names)
}

/// An id that no other test and no earlier run has.
#[must_use]
pub fn fresh(name: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{:x}", now.as_nanos())
}
