//! What was found out about a deployment. No secret is among it: where a check is about one, only whether it agrees.

use crate::failure::Failure;
use serde::Serialize;
use serde_json::Value;
use shared::{Endpoint, Provider};
use std::collections::{BTreeMap, BTreeSet};

/// What the ids of invented bots begin with.
pub const BOT_PREFIX: &str = "doctor-";

/// What the id of the bot ends with whose delivery fails for a while.
pub const RETRY_SUFFIX: &str = "-retry";

/// The answer to a question about AWS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup<T> {
    /// It is there.
    Found(T),
    /// It is not there for certain.
    Absent,
    /// The local AWS cannot say: what it lacks, as the end of "the local AWS does not …".
    NotLocally(&'static str),
    /// The call failed.
    Unknown(Failure),
}

impl<T> Lookup<T> {
    /// What is there.
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            _ => None,
        }
    }

    /// The same of something made from it.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Lookup<U> {
        self.and_then(|found| Some(of(found)))
    }

    /// The same of something that it has; absent if it has none.
    pub fn and_then<U>(self, of: impl FnOnce(T) -> Option<U>) -> Lookup<U> {
        match self {
            Self::Found(found) => of(found).map_or(Lookup::Absent, Lookup::Found),
            Self::Absent => Lookup::Absent,
            Self::NotLocally(what) => Lookup::NotLocally(what),
            Self::Unknown(failure) => Lookup::Unknown(failure),
        }
    }
}

impl<T> From<Result<T, Failure>> for Lookup<T> {
    fn from(answer: Result<T, Failure>) -> Self {
        answer.map_or_else(Self::Unknown, Self::Found)
    }
}

/// Everything that can be found out without sending anything.
#[derive(Clone, PartialEq, Debug)]
pub struct Facts {
    pub stack: StackFacts,
    pub account: Lookup<Account>,
    pub ingest: Function,
    pub process: Function,
    /// What Lambda does with a sweep that failed; `Absent` is what it does by itself.
    pub invoked: Lookup<Invoked>,
    /// Invocations of process that Lambda has stopped as endless loops, in two weeks.
    pub loops: Lookup<f64>,
    pub url: Lookup<Url>,
    /// The statements of the policy on ingest's alias.
    pub permissions: Lookup<Vec<Value>>,
    pub secret: Lookup<SecretFacts>,
    pub events: Source,
    pub commands: Source,
    pub table: TableFacts,
    pub bucket: BucketFacts,
    pub bus: Lookup<()>,
    pub alarms: Lookup<Vec<Alarm>>,
    /// Who hears of alarms; `Absent` where there is no topic.
    pub subscriptions: Lookup<Vec<Subscription>>,
    pub schedule: Lookup<Schedule>,
    /// The seconds since the last line of a sweep in the log; `None` where there is none in a quarter of an hour.
    pub last_sweep: Lookup<Option<i64>>,
    pub backlog: Backlog,
    /// What the providers' APIs answered to the stack's keys.
    pub apis: BTreeMap<Provider, Asked>,
    /// The routes that have a credential.
    pub routes: Lookup<BTreeMap<Endpoint, Route>>,
    /// Of each route the requests of the last day with a wrong credential: how many seconds ago each was.
    pub rejected: Lookup<BTreeMap<Endpoint, Vec<i64>>>,
}

/// When a route received deliveries, as far as the newest sessions know.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Route {
    /// How many seconds ago each delivery was received, the latest first.
    pub received: Vec<i64>,
    /// How many seconds ago each run of `rollcall doctor` began that sent deliveries.
    pub doctors: Vec<i64>,
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
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter's value as a number; 0 where it is none.
    pub fn number(&self, name: &str) -> i64 {
        self.parameter(name).parse().unwrap_or(0)
    }

    /// The physical id of a resource; the logical one where the stack does not have it.
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
    pub latest: Lookup<Settings>,
    /// What is invoked.
    pub live: Lookup<Live>,
    /// The concurrency that is set apart for it.
    pub reserved: Lookup<Option<i64>>,
    /// The days its log lines are kept; `None` is for ever.
    pub log_days: Lookup<Option<i64>>,
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
    pub mappings: Lookup<Vec<Mapping>>,
    pub queue: Lookup<BTreeMap<String, String>>,
    pub dead: Lookup<BTreeMap<String, String>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    pub id: String,
    pub function: String,
    pub state: String,
    pub batch_size: i64,
    pub reports_failures: bool,
    pub maximum_concurrency: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableFacts {
    pub description: Lookup<TableDescription>,
    /// The attribute by which items expire; `None` where they do not.
    pub ttl: Lookup<Option<String>>,
    /// How many days back it can be restored; `None` where it cannot.
    pub backup_days: Lookup<Option<i64>>,
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

#[derive(Clone, PartialEq, Debug)]
pub struct BucketFacts {
    /// Which of the four blocks of public access are off.
    pub open: Lookup<Vec<&'static str>>,
    pub statements: Lookup<Vec<Value>>,
    /// The algorithm.
    pub encryption: Lookup<String>,
    pub rules: Lookup<Vec<Rule>>,
    pub is_versioned: Lookup<bool>,
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

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Alarm {
    pub name: String,
    pub state: String,
    pub reason: String,
    pub actions: Vec<String>,
    pub actions_enabled: bool,
}

/// A subscription to the topic of the alarms.
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

/// What waits for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backlog {
    pub dead_deliveries: Lookup<usize>,
    pub dead_commands: Lookup<usize>,
    pub spool: Lookup<Heap>,
    pub parked: Lookup<Heap>,
    pub quarantine: Lookup<Heap>,
}

/// Objects in one folder of the bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Heap {
    pub count: usize,
    pub bytes: u64,
    pub oldest_seconds: i64,
}

/// What a provider's API answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub url: String,
    pub answer: ApiAnswer,
}

/// The answer of a provider's API to the stack's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiAnswer {
    NoKey,
    Unread(Failure),
    Status {
        status: u16,
        /// Whether its body is JSON, as all that these APIs say.
        is_json: bool,
    },
    /// Nothing came back, and why.
    Nothing(String),
}
