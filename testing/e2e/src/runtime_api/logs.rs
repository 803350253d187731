//! What a function prints.

use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

/// Where a line was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line a function printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where.
    pub stream: Stream,
    /// The line without its end.
    pub text: String,
}

impl LogLine {
    /// The line as a JSON object, if it is one.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok().filter(Value::is_object)
    }
}

/// The lines of all processes of one function, as they come.
#[derive(Clone, Default)]
pub(super) struct Logs(Arc<Lines>);

#[derive(Default)]
struct Lines {
    lines: Mutex<Vec<LogLine>>,
    changed: watch::Sender<()>,
}

impl Logs {
    /// Reads one output of a process to its end.
    pub(super) async fn read(self, stream: Stream, output: Option<impl AsyncRead + Unpin>) {
        let Some(output) = output else { return };
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
            self.lock().push(LogLine { stream, text });
            self.0.changed.send_replace(());
            line.clear();
        }
    }

    pub(super) fn lines(&self) -> Vec<LogLine> {
        self.lock().clone()
    }

    pub(super) fn text(&self) -> String {
        self.lock().iter().map(|line| format!("  {}\n", line.text)).collect()
    }

    pub(super) async fn find(&self, wanted: impl Fn(&LogLine) -> bool) -> LogLine {
        let mut changed = self.0.changed.subscribe();
        loop {
            if let Some(line) = self.lines().into_iter().find(&wanted) {
                return line;
            }
            // The sender lives as long as `self`, so this is a wait and never a busy loop.
            let _ = changed.changed().await;
        }
    }

    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogLine>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
