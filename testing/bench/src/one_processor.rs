//! Puts this process and whatever it starts on one processor.
//!
//! A function and the harness take turns, so a second processor serves only to be woken from the first one and back, which on a
//! virtual machine takes a few times as long as to hand over what there is. On Lambda a function has no second one either, below
//! 1,769 MB of memory.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// As long as it lives, all threads of this process and all processes that they start share one processor.
pub struct OneProcessor {
    before: String,
}

impl OneProcessor {
    /// Moves to the last of the processors that this process may use.
    ///
    /// # Errors
    /// If the kernel does not tell which those are, or there is no `taskset`, which is part of util-linux.
    pub fn hold() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let before = list.context("the kernel does not tell the processors")?.trim().to_owned();
        let last = before.rsplit([',', '-']).next().unwrap_or_default();
        move_to(last)?;
        Ok(Self { before })
    }
}

impl Drop for OneProcessor {
    fn drop(&mut self) {
        let _ = move_to(&self.before);
    }
}

fn move_to(processors: &str) -> Result<()> {
    let this_process = std::process::id().to_string();
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", processors, &this_process]).stdout(Stdio::null());
    // taskset fails if one of the threads that it has listed ends before it is moved.
    for _ in 0..10 {
        if taskset.status().context("cannot run taskset: install util-linux")?.success() {
            return Ok(());
        }
    }
    bail!("taskset cannot move this process to processor {processors}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_shares_the_processor_until_it_is_given_back() {
        let processors = || {
            let counted = Command::new("nproc").env_remove("OMP_NUM_THREADS").output().unwrap();
            String::from_utf8(counted.stdout).unwrap().trim().parse::<usize>().unwrap()
        };
        let before = processors();
        let held = OneProcessor::hold().unwrap();
        assert_eq!(processors(), 1);
        drop(held);
        assert_eq!(processors(), before);
    }
}
