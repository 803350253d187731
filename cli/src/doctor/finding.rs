//! What a check came to, and how that is shown.

use crate::{
    escape,
    screen::{Style, Tone},
};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use std::fmt;

/// How a check ended, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Pass,
    /// It was not checked, and the text says why. This says nothing about the deployment.
    Skipped,
    /// The operator should look at it; deliveries are received and processed all the same.
    Warn,
    /// Deliveries are in danger, or the deployment is not what its template says.
    Fail,
}

macro_rules! checks {
    ($($name:ident = $id:literal),* $(,)?) => {
        /// One check, by the name that it has in the output and in docs/DOCTOR.md.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Check { $($name),* }

        impl Check {
            /// Every check there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name: the area, a dot, and what is looked at.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id),* }
            }
        }
    };
}

checks! {
    StackStatus = "stack.status",
    AccountConcurrency = "account.concurrency",
    IngestState = "ingest.state",
    IngestSettings = "ingest.settings",
    IngestAlias = "ingest.alias",
    IngestLogging = "ingest.logging",
    ProcessState = "process.state",
    ProcessSettings = "process.settings",
    ProcessAlias = "process.alias",
    ProcessLogging = "process.logging",
    ProcessInvoked = "process.invoked",
    ProcessLoops = "process.loops",
    UrlConfig = "url.config",
    UrlPermissions = "url.permissions",
    SecretVersion = "secret.version",
    SecretDeployed = "secret.deployed",
    EventsMapping = "events.mapping",
    EventsQueue = "events.queue",
    EventsVisibility = "events.visibility",
    CommandsMapping = "commands.mapping",
    CommandsQueue = "commands.queue",
    CommandsVisibility = "commands.visibility",
    TableKeys = "table.keys",
    TableTtl = "table.ttl",
    TableBackups = "table.backups",
    TableProtection = "table.protection",
    TableEncryption = "table.encryption",
    BucketPrivate = "bucket.private",
    BucketTls = "bucket.tls",
    BucketEncryption = "bucket.encryption",
    BucketRetention = "bucket.retention",
    BucketVersions = "bucket.versions",
    BusExists = "bus.exists",
    AlarmsExist = "alarms.exist",
    AlarmsActions = "alarms.actions",
    AlarmsSubscription = "alarms.subscription",
    AlarmsQuiet = "alarms.quiet",
    AlarmsRing = "alarms.ring",
    ScheduleEnabled = "schedule.enabled",
    ScheduleSweeps = "schedule.sweeps",
    BacklogWaiting = "backlog.waiting",
    BacklogDeliveries = "backlog.dead_deliveries",
    BacklogCommands = "backlog.dead_commands",
    BacklogSpool = "backlog.spool",
    BacklogParked = "backlog.parked",
    BacklogQuarantine = "backlog.quarantine",
    ApiMeetStream = "api.meetstream",
    ApiMeetingBaas = "api.meetingbaas",
    RoutesHeard = "routes.heard",
    FrontApplied = "front.applied",
    FrontDuplicate = "front.duplicate",
    FrontRoutes = "front.routes",
    FrontClosed = "front.closed_routes",
    FrontSignature = "front.wrong_signature",
    FrontMethod = "front.method",
    FrontPath = "front.unknown_path",
    BodyNoType = "body.no_content_type",
    BodyForm = "body.form",
    BodyNotUtf8 = "body.not_utf8",
    BodyNotUtf8AsJson = "body.not_utf8_as_json",
    Body200Kb = "body.200_kb",
    Body600Kb = "body.600_kb",
    BodyBinary = "body.4_4_mb",
    LogsLines = "logs.lines",
    MetricsArrive = "metrics.arrive",
    RetryWait = "retry.wait",
    Cleanup = "cleanup.deleted",
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one check came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    pub check: Check,
    pub verdict: Verdict,
    /// What is so, in one sentence.
    pub what: String,
    /// What to do about it; `None` where there is nothing to do.
    pub way_out: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn pass(check: Check, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Pass, what: what.into(), way_out: None }
    }

    /// It was not checked, because of this.
    pub fn skipped(check: Check, why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skipped, ..Self::pass(check, why) }
    }

    /// The operator should look at it.
    pub fn warn(check: Check, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, what: what.into(), way_out: Some(way_out.into()) }
    }

    /// It is wrong.
    pub fn fail(check: Check, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, what, way_out) }
    }

    /// Wrong if there is any problem, else as it should be.
    pub fn unless(check: Check, problems: &[String], well: impl Into<String>, way_out: impl Into<String>) -> Self {
        if problems.is_empty() { Self::pass(check, well) } else { Self::fail(check, problems.join("; "), way_out) }
    }

    /// For people: one line, and under it what to do.
    pub fn render(&self, style: Style) -> String {
        let (word, tone) = match self.verdict {
            Verdict::Pass => ("pass", Tone::Good),
            Verdict::Skipped => ("skipped", Tone::Faint),
            Verdict::Warn => ("warn", Tone::Odd),
            Verdict::Fail => ("fail", Tone::Bad),
        };
        let mut text = format!(
            "{} {:24} {}",
            style.paint(&format!("{word:7}"), tone),
            self.check.as_str(),
            escape::text(&self.what)
        );
        if let Some(way_out) = &self.way_out {
            text.push_str(&format!("\n{:33}{} {}", "", style.paint("help:", Tone::Faint), escape::text(way_out)));
        }
        text
    }
}

/// The shape of `rollcall doctor --json`, as docs/DOCTOR.md documents it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    pub stack: String,
    /// Where it is, in words.
    pub place: String,
    /// When the command ended, in UTC.
    #[serde(serialize_with = "rfc3339")]
    pub checked_at: Timestamp,
    /// The worst verdict, where something skipped counts as passed.
    pub verdict: Verdict,
    pub findings: Vec<Finding>,
}

impl Report {
    /// All findings together.
    pub fn new(stack: &str, place: &str, checked_at: Timestamp, findings: Vec<Finding>) -> Self {
        let worst = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Pass);
        let verdict = if worst == Verdict::Skipped { Verdict::Pass } else { worst };
        Self { stack: stack.to_owned(), place: place.to_owned(), checked_at, verdict, findings }
    }

    /// How many checks ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// All of it in one line.
    pub fn summary(&self) -> String {
        let count = |verdict| self.count(verdict);
        format!(
            "{} checks: {} passed, {} to look at, {} failed, {} skipped",
            self.findings.len(),
            count(Verdict::Pass),
            count(Verdict::Warn),
            count(Verdict::Fail),
            count(Verdict::Skipped)
        )
    }
}

fn rfc3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_worst_verdict_counts_and_nothing_skipped_is_bad() {
        let report = |findings: &[Finding]| Report::new("s", "p", Timestamp::UNIX_EPOCH, findings.to_vec());
        let (pass, skipped) = (Finding::pass(Check::TableTtl, "x"), Finding::skipped(Check::TableTtl, "x"));
        let (warn, fail) = (Finding::warn(Check::TableTtl, "x", "y"), Finding::fail(Check::TableTtl, "x", "y"));
        assert_eq!(report(&[]).verdict, Verdict::Pass);
        assert_eq!(report(&[skipped.clone(), pass.clone()]).verdict, Verdict::Pass);
        assert_eq!(report(&[warn.clone(), skipped.clone()]).verdict, Verdict::Warn);
        let all = report(&[fail, warn, pass, skipped]);
        assert_eq!(all.verdict, Verdict::Fail);
        assert_eq!(all.summary(), "4 checks: 1 passed, 1 to look at, 1 failed, 1 skipped");
    }

    #[test]
    fn a_finding_is_one_line_with_the_way_out_under_it() {
        let fail = Finding::fail(Check::TableTtl, "it is\u{1b}off", "switch it on");
        assert_eq!(
            fail.render(Style::PLAIN),
            "fail    table.ttl                it is\\u{1b}off\n                                 help: switch it on"
        );
        assert_eq!(
            serde_json::to_value(&fail).unwrap(),
            serde_json::json!({"check": "table.ttl", "verdict": "fail", "what": "it is\u{1b}off", "way_out": "switch it on"})
        );
    }

    /// The page lists every check, each in a line of a table that begins with its name, and no other.
    #[test]
    fn the_page_lists_every_check_and_no_other() {
        let page = include_str!("../../../docs/DOCTOR.md");
        let named = |line: &'static str| line.strip_prefix("| `")?.split_once("` |").map(|(name, _)| name);
        let listed: Vec<&str> = page.lines().filter_map(named).filter(|name| name.contains('.')).collect();
        let known: BTreeSet<&str> = Check::ALL.iter().map(|check| check.as_str()).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(listed.len(), known.len(), "each one once");
    }

    #[test]
    fn every_statement_that_rests_on_documentation_has_its_check() {
        let page = include_str!("../../../docs/DOCTOR.md");
        let (_, section) = page.split_once("## What only documentation says\n").unwrap();
        let (section, _) = section.split_once("\n## ").unwrap();
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        assert!(rows.len() > 20, "{rows:#?}");
        let known: BTreeSet<&str> = Check::ALL.iter().map(|check| check.as_str()).collect();
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [_, source, checks] = cells[..] else { panic!("{row} has three cells") };
            assert!(source == "none" || source.starts_with('"'), "{row} names a page");
            let checks: Vec<&str> = checks.split('`').skip(1).step_by(2).collect();
            assert!(!checks.is_empty() && checks.iter().all(|check| known.contains(check)), "{row}");
        }
    }
}
