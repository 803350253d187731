//! What a process has used, as the kernel tells it.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// The processor time of a process so far, over its living threads.
///
/// # Errors
/// If it has ended.
pub fn cpu(process_id: u32) -> Result<Duration> {
    let mut nanoseconds = 0_u64;
    for thread in fs::read_dir(format!("/proc/{process_id}/task")).context("the process has ended")? {
        // A thread may end between the list and the look.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanoseconds))
}
