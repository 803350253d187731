//! The share of a processor that Lambda gives to a memory size, by a control group of the kernel's.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The memory at which Lambda gives one whole processor, in MB.
const WHOLE_PROCESSOR_MB: u64 = 1769;

/// The time slice over which the share is counted, in microseconds.
const PERIOD_US: u64 = 20_000;

/// A group with a bounded share of one processor. It is removed when dropped, so its processes must have ended by then.
pub struct CpuShare(PathBuf);

impl CpuShare {
    /// A group with as much processor as Lambda gives a function of `memory_mb`.
    ///
    /// # Errors
    /// Where the kernel's control groups cannot be written: then nothing can be said about small functions here.
    pub fn of(memory_mb: u64) -> Result<Self> {
        let quota = PERIOD_US * memory_mb / WHOLE_PROCESSOR_MB;
        let name = format!("rollcall-bench-{}-{memory_mb}", std::process::id());
        let old = Path::new("/sys/fs/cgroup/cpu");
        if old.is_dir() {
            let group = Self::make(old.join(name))?;
            group.write("cpu.cfs_period_us", PERIOD_US)?;
            group.write("cpu.cfs_quota_us", quota)?;
            return Ok(group);
        }
        let group = Self::make(Path::new("/sys/fs/cgroup").join(name))?;
        group.write("cpu.max", format!("{quota} {PERIOD_US}"))?;
        Ok(group)
    }

    /// Moves a process into the group, with all its threads.
    ///
    /// # Errors
    /// If it has ended, or the group may not be written.
    pub fn admit(&self, process_id: u32) -> Result<()> {
        self.write("cgroup.procs", process_id)
    }

    fn make(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    fn write(&self, file: &str, value: impl ToString) -> Result<()> {
        let path = self.0.join(file);
        fs::write(&path, value.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
