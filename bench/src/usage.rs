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

/// The most memory that a process has held at any time, in KiB.
///
/// # Errors
/// If it has ended.
pub fn peak_memory_kib(process_id: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process_id}/status")).context("the process has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
