//! One execution environment: a process, and the Runtime API that only it knows.

use super::logs::{Logs, Stream};
use super::server::Server;
use super::{FunctionSpec, Invocation};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

pub(super) struct Environment {
    pub(super) process_id: Option<u32>,
    started_at: Instant,
    server: Server,
    exit: watch::Receiver<Option<ExitStatus>>,
    kill: Arc<Notify>,
    watching: JoinHandle<()>,
}

impl Environment {
    /// Every process gets a listener of its own, so that no event can reach a poll of its dead predecessor.
    pub(super) fn start(spec: &FunctionSpec, logs: &Logs) -> Result<Self> {
        let server = Server::start()?;
        let started_at = Instant::now();
        let child = Command::new(&spec.binary)
            .args(&spec.arguments)
            .env_clear()
            .envs(&spec.environment)
            .env("AWS_LAMBDA_RUNTIME_API", server.address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", spec.binary.display()))?;
        let process_id = child.id();
        let kill = Arc::new(Notify::new());
        let (ended, exit) = watch::channel(None);
        let watching = tokio::spawn(watch_over(child, logs.clone(), Arc::clone(&kill), ended));
        Ok(Self { process_id, started_at, server, exit, kill, watching })
    }

    pub(super) fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    pub(super) fn init_error(&self) -> Option<Value> {
        self.server.init_error()
    }

    pub(super) fn hand_over(
        &self,
        request_id: &str,
        event: Vec<u8>,
        timeout: Duration,
    ) -> oneshot::Receiver<Invocation> {
        self.server.hand_over(request_id, event, timeout)
    }

    /// From the start of the process until its first request for an event.
    pub(super) fn init_duration(&self) -> Option<Duration> {
        Some(self.server.ready_at()?.duration_since(self.started_at))
    }

    /// Of the last invocation, if it was answered.
    pub(super) fn last_duration(&self) -> Option<Duration> {
        self.server.last_duration()
    }

    pub(super) fn peak_memory_kib(&self) -> Result<u64> {
        let process_id = self.process_id.context("no process")?;
        let status = fs::read_to_string(format!("/proc/{process_id}/status")).context("the process has ended")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no peak memory")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    pub(super) async fn ready(&self) {
        self.server.ready().await;
    }

    pub(super) async fn ready_or_exited(&self) {
        tokio::select! {
            () = self.ready() => {}
            _ = self.exited() => {}
        }
    }

    pub(super) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status).unwrap_or_else(unknown)
    }

    pub(super) async fn kill(&self) -> ExitStatus {
        self.kill.notify_one();
        self.exited().await
    }
}

impl Drop for Environment {
    /// Drops the child with its task, and `kill_on_drop` does the rest.
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Announces the end only after the output has been read, so that who waited for the end sees every line.
async fn watch_over(mut child: Child, logs: Logs, kill: Arc<Notify>, ended: watch::Sender<Option<ExitStatus>>) {
    let stdout = logs.clone().read(Stream::Stdout, child.stdout.take());
    let stderr = logs.read(Stream::Stderr, child.stderr.take());
    let output = async { tokio::join!(stdout, stderr) };
    let end = async {
        tokio::select! {
            status = child.wait() => status,
            () = kill.notified() => {
                let _ = child.start_kill();
                child.wait().await
            }
        }
    };
    tokio::pin!(output, end);
    let status = tokio::select! {
        status = &mut end => {
            // A grandchild could hold the pipes open for ever.
            let _ = tokio::time::timeout(Duration::from_secs(1), output).await;
            status
        }
        _ = &mut output => end.await,
    };
    ended.send_replace(Some(status.unwrap_or_else(|_| unknown())));
}

fn unknown() -> ExitStatus {
    ExitStatus::from_raw(1 << 8)
}
