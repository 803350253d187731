//! What was found out about a deployment. No secret is among it: where a check is about one, only whether it agrees.

use crate::failure::Failure;
use serde_json::Value;
use shared::{Endpoint, Provider};
use std::collections::{BTreeMap, BTreeSet};

/// What the ids of invented bots begin with.
pub const BOT_PREFIX: &str = "doctor-";

/// Something that was looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen<T> {
    /// It is there.
    Here(T),
    /// It is not there for certain.
    Absent,
    /// The local AWS cannot say: what it lacks, as the end of "the local AWS does not …".
    NotLocally(&'static str),
    /// Nobody knows: the call failed.
    Unknown(Failure),
}

impl<T> Seen<T> {
    /// What is there.
    pub fn here(&self) -> Option<&T> {
        match self {
            Self::Here(found) => Some(found),
            _ => None,
        }
    }

    /// The same of something made from it.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Here(found) => Seen::Here(of(found)),
            Self::Absent => Seen::Absent,
            Self::NotLocally(what) => Seen::NotLocally(what),
            Self::Unknown(failure) => Seen::Unknown(failure),
        }
    }
}

/// Everything that can be found out without sending anything.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    pub stack: StackFacts,
    pub account: Seen<Account>,
    pub ingest: Function,
    pub process: Function,
    /// What Lambda does with a sweep that failed; `Absent` is what it does by itself.
    pub invoked: Seen<Invoked>,
    /// Invocations of process that Lambda has stopped as endless loops, in two weeks.
    pub loops: Seen<f64>,
    pub url: Seen<Url>,
    /// The statements of the policy on ingest's alias.
    pub permissions: Seen<Vec<Value>>,
    pub secret: Seen<SecretFacts>,
    pub events: Source,
    pub commands: Source,
    pub table: TableFacts,
    pub bucket: BucketFacts,
    pub bus: Seen<()>,
    pub alarms: Seen<Vec<Alarm>>,
    /// Who hears of alarms; `Absent` where there is no topic.
    pub subscriptions: Seen<Vec<Subscription>>,
    pub schedule: Seen<Schedule>,
    /// The seconds since the last line of a sweep in the log; `None` where there is none in a quarter of an hour.
    pub last_sweep: Seen<Option<i64>>,
    pub backlog: Backlog,
    /// What the providers' APIs answered to the stack's keys.
    pub apis: BTreeMap<Provider, Asked>,
    /// The routes that have a credential, and of each the seconds since the last delivery.
    pub heard: Seen<BTreeMap<Endpoint, Option<i64>>>,
}

/// The stack, as `CloudFormation` knows it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StackFacts {
    pub name: String,
    pub is_local: bool,
    pub status: String,
    /// Seconds since it was last created or updated.
    pub age_seconds: i64,
    pub parameters: BTreeMap<String, String>,
    /// What it is made of, by logical id: type and physical id.
    pub resources: BTreeMap<String, (String, String)>,
}

impl StackFacts {
    /// A parameter's value; empty where it has none.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter's value as a number; 0 where it is none.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        self.parameter(name).parse().unwrap_or(0)
    }

    /// The physical id of a resource; the logical one where the stack does not have it.
    #[must_use]
    pub fn physical<'a>(&'a self, logical: &'a str) -> &'a str {
        self.resources.get(logical).map_or(logical, |(_, physical)| physical)
    }

    /// The logical and physical ids of all resources of a type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of_kind = self.resources.iter().filter(move |(_, (its, _))| its == kind);
        of_kind.map(|(logical, (_, physical))| (logical.as_str(), physical.as_str()))
    }
}

/// What the account allows, in invocations at one time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    pub limit: i64,
    pub unreserved: i64,
}

/// One of the two functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    pub name: String,
    /// What was deployed last.
    pub latest: Seen<Settings>,
    /// What is invoked.
    pub live: Seen<Live>,
    /// The concurrency that is set apart for it.
    pub reserved: Seen<Option<i64>>,
    /// The days its log lines are kept; `None` is for ever.
    pub log_days: Seen<Option<i64>>,
}

/// What Lambda does with an event that it was given without anybody waiting for the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invoked {
    pub retries: i64,
    pub event_age_seconds: i64,
}

/// The alias `live`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Live {
    /// The version that it points at.
    pub version: String,
    /// Other versions that get a part of the invocations.
    pub beside: Vec<String>,
    /// The settings of the version.
    pub settings: Settings,
}

/// The settings of a function or of one of its versions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    pub state: String,
    pub last_update: String,
    pub reason: String,
    pub runtime: String,
    pub architecture: String,
    pub memory_mb: i64,
    pub timeout_seconds: i64,
    pub code_sha256: String,
    pub log_format: String,
    pub application_level: String,
    pub system_level: String,
    pub log_group: String,
    /// Each variable with a hash of its value.
    pub variables: BTreeMap<String, String>,
}

/// The function URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    pub url: String,
    pub auth: String,
}

/// The secret, as far as it must agree with what is deployed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretFacts {
    /// The id of the current version.
    pub current: String,
    /// The variables of the functions' live versions that hold something else than the secret now says; `None` if the value
    /// could not be read.
    pub outdated: Option<BTreeSet<String>>,
}

/// A queue that a mapping reads, with its dead-letter queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    pub mappings: Seen<Vec<Mapping>>,
    pub queue: Seen<BTreeMap<String, String>>,
    pub dead: Seen<BTreeMap<String, String>>,
}

/// An event source mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    pub id: String,
    pub function: String,
    pub state: String,
    pub batch_size: i64,
    pub reports_failures: bool,
    pub maximum_concurrency: Option<i64>,
}

/// The table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableFacts {
    pub description: Seen<TableDescription>,
    /// The attribute by which items expire; `None` where they do not.
    pub ttl: Seen<Option<String>>,
    /// How many days back it can be restored; `None` where it cannot.
    pub backup_days: Seen<Option<i64>>,
}

/// What `DescribeTable` says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TableDescription {
    pub status: String,
    pub is_protected: bool,
    /// The kind of key it is encrypted with; `None` is `DynamoDB`'s own.
    pub key: Option<String>,
    pub indexes: BTreeSet<String>,
}

/// The bucket.
#[derive(Clone, PartialEq, Debug)]
pub struct BucketFacts {
    /// Which of the four blocks of public access are off.
    pub open: Seen<Vec<&'static str>>,
    pub statements: Seen<Vec<Value>>,
    /// The algorithm.
    pub encryption: Seen<String>,
    pub rules: Seen<Vec<Rule>>,
    pub is_versioned: Seen<bool>,
}

/// A rule of the bucket's lifecycle that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    pub prefix: String,
    /// Whether it is about a part of what is under the prefix only.
    pub is_narrower: bool,
    pub expires_days: Option<i64>,
    pub aborts_uploads: bool,
}

/// An alarm.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Alarm {
    pub name: String,
    pub state: String,
    pub reason: String,
    pub actions: Vec<String>,
    pub actions_enabled: bool,
}

/// Somebody who is told of alarms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    pub protocol: String,
    pub endpoint: String,
    pub is_confirmed: bool,
}

/// The schedule of the sweep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub state: String,
    pub expression: String,
    pub target: String,
}

/// What waits for somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    pub dead_deliveries: Seen<usize>,
    pub dead_commands: Seen<usize>,
    pub spool: Seen<Heap>,
    pub parked: Seen<Heap>,
    pub quarantine: Seen<Heap>,
}

/// Objects in one folder of the bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heap {
    pub count: usize,
    pub bytes: u64,
    pub oldest_seconds: i64,
}

/// What a provider's API answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Where it is.
    pub url: String,
    /// What it answered.
    pub answer: ApiAnswer,
}

/// The answer of a provider's API to the stack's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiAnswer {
    /// The stack has no key.
    NoKey,
    /// The key could not be read.
    Unread(Failure),
    /// An answer.
    Status {
        /// Its HTTP status.
        status: u16,
        /// Whether its body is JSON, as all that these APIs say.
        is_json: bool,
    },
    /// Nothing came back, and why.
    Nothing(String),
}
