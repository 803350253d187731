//! How a command ends when it does not end well.

use crate::escape;
use simulator::{courier::SendError, signature::NoSvixKey};
use std::{fmt, process::ExitCode};

/// Why a command failed, in words for the person who typed it: what happened, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    kind: Kind,
    what: String,
    way_out: Option<String>,
}

/// What scripts can tell apart. Documented in `rollcall --help`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Failed,
    Usage,
    NotFound,
    /// The reader of our output is gone, so there is nothing to report.
    ClosedPipe,
}

impl Failure {
    /// It was tried and did not work.
    pub fn new(what: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, what: what.into(), way_out: None }
    }

    /// It was asked for in a way that cannot be carried out.
    pub fn usage(what: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::new(what) }
    }

    /// What was asked for does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, ..Self::new(what) }
    }

    /// Adds what to do about it.
    pub fn help(self, way_out: impl Into<String>) -> Self {
        Self { way_out: Some(way_out.into()), ..self }
    }

    /// What happened, without what to do about it.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it.
    pub fn way_out(&self) -> Option<&str> {
        self.way_out.as_deref()
    }

    /// The same as the reason why something could not even be tried.
    pub fn before_trying(self) -> Self {
        Self { kind: Kind::Usage, ..self }
    }

    /// Whether it is to be printed.
    pub fn is_worth_telling(&self) -> bool {
        self.kind != Kind::ClosedPipe
    }

    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.kind {
            Kind::ClosedPipe => 0,
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.way_out {
            Some(way_out) => write!(f, "\n  help: {way_out}"),
            None => Ok(()),
        }
    }
}

/// From writing to standard output, the only I/O whose errors are converted without a word about what was being done.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let what = format!("writing to standard output: {error}");
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self { kind: Kind::ClosedPipe, ..Self::new(what) },
            _ => Self::new(what),
        }
    }
}

impl From<NoSvixKey> for Failure {
    fn from(error: NoSvixKey) -> Self {
        Self::usage(error.to_string()).help("copy it from the endpoint's page in the dashboard as it is")
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let what = escape::text(&error.to_string());
        match error {
            SendError::NoUrl { .. } => {
                Self::usage(what).help("give the whole URL, as in https://HOST/webhooks/meetstream")
            }
            SendError::NoClient { .. } => Self::new(what),
            SendError::NoAnswer { .. } => Self::new(what)
                .help("is the stack running? `make up` starts the local one, `rollcall urls` shows its URLs"),
        }
    }
}
