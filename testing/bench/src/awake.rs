//! Keeps the processors from falling asleep between two messages.
//!
//! A virtual processor that has nothing to do is given back, and takes some 50 microseconds to return: more than a bare
//! function takes for an event. Whoever waits most would seem slowest.

use std::process::Stdio;
use tokio::process::{Child, Command};

/// A loop on every processor that gives way to everything else. They end when dropped.
pub struct Awake {
    _loops: Vec<Child>,
}

impl Awake {
    /// Starts the loops; where that cannot be done, does without.
    #[must_use]
    pub fn keep() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let start = |_| {
            Command::new("chrt")
                .args(["--idle", "0", "sh", "-c", "while :; do :; done"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .ok()
        };
        Self { _loops: (0..processors).filter_map(start).collect() }
    }
}
