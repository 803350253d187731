//! The operator's command, run as a process on a scratch.

use crate::binary;
use crate::scratch::Scratch;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};

/// Somebody who types `rollcall`, at a scratch instead of a deployed stack.
pub struct Operator {
    outputs: NamedTempFile,
}

/// What a command answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its exit code; `None` if it was killed.
    pub code: Option<i32>,
    /// What it was asked for.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Operator {
    /// Commands about `scratch`.
    ///
    /// # Errors
    /// If no file can be written.
    pub fn of(scratch: &Scratch) -> Result<Self> {
        Self::through(scratch, &scratch.aws.outputs.endpoint_url)
    }

    /// The same, through another endpoint, such as a fault proxy's.
    ///
    /// # Errors
    /// If no file can be written.
    pub fn through(scratch: &Scratch, endpoint_url: &str) -> Result<Self> {
        let nowhere = "http://127.0.0.1:9/";
        let stack = json!({
            "stack_name": scratch.table,
            "endpoint_url": endpoint_url,
            "region": scratch.aws.outputs.region,
            "function_url": nowhere,
            "webhook_url": nowhere,
            "queue_url": scratch.queue.url,
            "dlq_url": scratch.dlq.url,
            "commands_url": scratch.commands.url,
            "commands_dlq_url": scratch.commands_dlq.url,
            "table": scratch.table,
            "bucket": scratch.bucket,
            "process_function": "process",
        });
        let mut outputs = NamedTempFile::new()?;
        write!(outputs, "{stack}")?;
        Ok(Self { outputs })
    }

    /// Starts a command; it is killed when it is dropped.
    ///
    /// # Errors
    /// If the binary is missing or older than its sources.
    pub fn start(&self, arguments: &[&str]) -> Result<Child> {
        Command::new(binary::built("rollcall")?)
            .args(arguments)
            .arg("--outputs")
            .arg(self.outputs.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("rollcall does not start")
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// If the binary is missing or older than its sources.
    pub async fn run(&self, arguments: &[&str]) -> Result<Answer> {
        let output = self.start(arguments)?.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Answer { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// What a list command says, as JSON.
    ///
    /// # Errors
    /// If it fails.
    pub async fn list(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let answer = self.run(&[arguments, &["--json"]].concat()).await?;
        anyhow::ensure!(answer.code == Some(0), "{arguments:?}: {answer:?}");
        Ok(serde_json::from_str(&answer.stdout)?)
    }
}
