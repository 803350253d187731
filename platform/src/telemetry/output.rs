//! Lines on standard output.

use serde::Serialize;
use std::io::{self, Write};

/// A value as JSON, with a line end.
pub(super) fn json_line(line: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a line in one piece, so that no other line gets into it. A failure cannot be reported anywhere.
pub(super) fn write(line: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(line).and_then(|()| out.flush());
}
