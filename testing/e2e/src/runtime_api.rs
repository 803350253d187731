//! Starts a function's real binary and hands it events over the Lambda Runtime API, as Lambda does.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use e2e::runtime_api::{FunctionSpec, Invocation};
//! use std::time::Duration;
//! let process = FunctionSpec::built("process-fn")?.env("TABLE", "t").start()?;
//! process.ready(Duration::from_secs(10)).await?;
//! let answer = process.invoke(serde_json::json!({"Records": []}), Duration::from_secs(5)).await;
//! assert!(matches!(answer, Invocation::Response(_)));
//! # Ok(())
//! # }
//! ```

mod environment;
mod logs;
mod server;

use crate::binary;
use anyhow::{Context, Result, bail};
use environment::Environment;
use logs::Logs;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use logs::{LogLine, Stream};

/// Lambda gives a function this long to ask for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// What became of one event handed to a function.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// The function answered.
    Response(Value),
    /// The function reported an error, or answered what is not JSON.
    FunctionError(Value),
    /// The process ended before it answered; also when it was not running.
    Died(ExitStatus),
    /// The time ran out and, as Lambda does, the process was killed.
    TimedOut,
}

/// Which binary to start, in which environment.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    binary: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl FunctionSpec {
    /// A binary by path. Its environment holds what Lambda would set, and dummy credentials; nothing is inherited.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let binary = binary.into();
        let name = binary.file_name().map_or_else(|| "function".into(), |name| name.to_string_lossy().into_owned());
        let environment = [
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_SESSION_TOKEN", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", &name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[1]e2e"),
            ("_HANDLER", "bootstrap"),
            ("TZ", ":UTC"),
            ("LANG", "en_US.UTF-8"),
            ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { binary, arguments: Vec::new(), environment: environment.into() }
    }

    /// A binary of this workspace by name; see [`binary::built`] for what `Err` means.
    pub fn built(name: &str) -> Result<Self> {
        Ok(Self::new(binary::built(name)?))
    }

    /// Starts the binary with arguments, which Lambda never does: for functions that are something else by day.
    #[must_use]
    pub fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments = arguments.into_iter().map(str::to_owned).collect();
        self
    }

    /// Sets a variable; the last value given counts.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Takes a variable away, such as a credential that the function must miss.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Starts the process. `Err` means that there is no such binary or no port.
    pub fn start(self) -> Result<Function> {
        let logs = Logs::default();
        let environment = Environment::start(&self, &logs)?;
        let current = Mutex::new(Arc::new(environment));
        Ok(Function(Arc::new(Inner { spec: self, logs, current, turn: tokio::sync::Mutex::default() })))
    }
}

/// A started function: one execution environment, so one invocation at a time. Clones share it; the process is killed
/// with the last of them.
#[derive(Clone)]
pub struct Function(Arc<Inner>);

struct Inner {
    spec: FunctionSpec,
    logs: Logs,
    current: Mutex<Arc<Environment>>,
    turn: tokio::sync::Mutex<()>,
}

impl Function {
    /// Waits until the function asks for its first event. `Err` says how it failed instead, with what it printed.
    pub async fn ready(&self, timeout: Duration) -> Result<()> {
        let environment = self.current();
        tokio::select! {
            biased;
            () = environment.ready() => Ok(()),
            status = environment.exited() => bail!("the function ended in its init, {status}:\n{}", self.0.logs.text()),
            () = tokio::time::sleep(timeout) => bail!("the function asked for no event:\n{}", self.0.logs.text()),
        }
    }

    /// Hands over one event and waits for the answer, at most `timeout` from when the function has started up.
    /// Invocations of one function queue for their turn.
    pub async fn invoke(&self, event: Value, timeout: Duration) -> Invocation {
        self.invoke_as(&server::request_id(), event, timeout).await
    }

    /// The same with a request id of one's own, which no other invocation may have.
    pub async fn invoke_as(&self, request_id: &str, event: Value, timeout: Duration) -> Invocation {
        let _turn = self.0.turn.lock().await;
        self.run(&self.current(), request_id, event.to_string().into_bytes(), timeout).await
    }

    async fn run(&self, environment: &Environment, request_id: &str, event: Vec<u8>, timeout: Duration) -> Invocation {
        if tokio::time::timeout(INIT_LIMIT, environment.ready_or_exited()).await.is_err() {
            environment.kill().await;
            return Invocation::TimedOut;
        }
        let mut answer = environment.hand_over(request_id, event, timeout);
        let outcome = tokio::select! {
            biased;
            Ok(answer) = &mut answer => return answer,
            status = environment.exited() => Invocation::Died(status),
            () = tokio::time::sleep(timeout) => Invocation::TimedOut,
        };
        // An answer may have come in the very moment of the end.
        if let Ok(answer) = answer.try_recv() {
            return answer;
        }
        if outcome == Invocation::TimedOut {
            environment.kill().await;
        }
        outcome
    }

    /// As [`Function::invoke`], with the event as the bytes that the function gets, and with the time from handing them over
    /// until the answer had arrived, which is `None` without an answer. Nothing of ours is in that time but the loopback.
    pub async fn invoke_timed(&self, event: Vec<u8>, timeout: Duration) -> (Invocation, Option<Duration>) {
        let _turn = self.0.turn.lock().await;
        let environment = self.current();
        let outcome = self.run(&environment, &server::request_id(), event, timeout).await;
        (outcome, environment.last_duration())
    }

    /// How long the current process took from its start until it asked for its first event; `None` if it has not yet.
    pub fn init_duration(&self) -> Option<Duration> {
        self.current().init_duration()
    }

    /// Kills the process with SIGKILL and waits until it is gone, its output read to the end. Does nothing to a
    /// process that has ended already. Works in the middle of an invocation, which then ends as `Died`.
    pub async fn kill(&self) -> ExitStatus {
        self.current().kill().await
    }

    /// Waits for the process to end by itself.
    pub async fn exited(&self, timeout: Duration) -> Result<ExitStatus> {
        let environment = self.current();
        tokio::time::timeout(timeout, environment.exited()).await.context("the function has not ended")
    }

    /// Whether the process lives.
    pub fn is_running(&self) -> bool {
        self.current().is_running()
    }

    /// The id of the current process.
    pub fn process_id(&self) -> Option<u32> {
        self.current().process_id
    }

    /// The most memory that the current process has held at any time, in KiB, as the kernel tells it.
    ///
    /// # Errors
    /// If it has ended.
    pub fn peak_memory_kib(&self) -> Result<u64> {
        self.current().peak_memory_kib()
    }

    /// What the function posted as the error of its init, if it did.
    pub fn init_error(&self) -> Option<Value> {
        self.current().init_error()
    }

    /// Starts a fresh process, after killing the current one if it still lives.
    pub async fn restart(&self) -> Result<()> {
        self.current().kill().await;
        let environment = Arc::new(Environment::start(&self.0.spec, &self.0.logs)?);
        *self.0.current.lock().unwrap_or_else(PoisonError::into_inner) = environment;
        Ok(())
    }

    /// Everything printed so far, by all processes of this function.
    pub fn logs(&self) -> Vec<LogLine> {
        self.0.logs.lines()
    }

    /// The printed lines that are JSON objects.
    pub fn json_logs(&self) -> Vec<Value> {
        self.logs().iter().filter_map(LogLine::json).collect()
    }

    /// Waits for a line, printed already or yet to come. A line may arrive a little after the answer it belongs to.
    pub async fn log_line(&self, timeout: Duration, wanted: impl Fn(&LogLine) -> bool) -> Result<LogLine> {
        let found = tokio::time::timeout(timeout, self.0.logs.find(wanted)).await;
        found.with_context(|| format!("no such line in:\n{}", self.0.logs.text()))
    }

    /// Forgets what was printed so far.
    pub fn forget_logs(&self) {
        self.0.logs.forget();
    }

    fn current(&self) -> Arc<Environment> {
        Arc::clone(&self.0.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An answer as the one who invoked sees it.
fn response(body: &[u8]) -> Invocation {
    match serde_json::from_slice(body) {
        Ok(value) => Invocation::Response(value),
        Err(error) => Invocation::FunctionError(
            json!({"errorType": "Runtime.MarshalError", "errorMessage": format!("the answer is not JSON: {error}")}),
        ),
    }
}

fn function_error(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests;
