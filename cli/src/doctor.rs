//! `rollcall doctor`: whether a deployment is what it should be, from its settings to what arrives through its front door.
//!
//! [`gather`] asks AWS, [`judge`] says what the answers come to, and does nothing else. What can only be found out by sending
//! something is in [`front`]. `docs/DOCTOR.md` lists the checks, and which statement about AWS each of them settles.
//!
//! # Invariants
//! - What it sends is about bots whose ids begin with [`facts::BOT_PREFIX`], and it erases them in the way in which everything is
//!   erased. It removes only what it has put there itself.
//! - A check that could not be carried out never passes.
//! - No secret is among the facts.

mod asking;
pub mod facts;
pub mod finding;
mod front;
pub mod gather;
pub mod judge;
pub mod logs;
mod ring;

use crate::{
    escape,
    failure::Failure,
    screen::{self, Style},
    stack::StackArgs,
};
use clap::Args;
use finding::{Check, Finding, Report, Verdict};
use jiff::Timestamp;

/// Check that a deployment is as it should be
///
/// Each check is one line: pass, warn, fail, or skipped with the reason. The line under a check that does not pass says what to
/// do about it. docs/DOCTOR.md lists the checks.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall doctor --stack rollcall
  rollcall doctor --quick --only alarms --only events
  rollcall doctor --json | jq -r '.findings[] | select(.verdict == \"fail\").what'

Exits with 0 when nothing failed, with 1 when something did, with 2 when nothing could be checked.")]
pub struct Doctor {
    /// Send nothing: look at settings, logs and what is left lying about
    #[arg(long)]
    quick: bool,
    /// Make one alarm ring, and say who should have heard it
    #[arg(long)]
    ring: bool,
    /// Show only these checks, by the beginning of their names; may be given several times
    #[arg(long, value_name = "NAME", value_parser = name)]
    only: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The beginning of a check's name.
fn name(text: &str) -> Result<String, String> {
    if Check::ALL.iter().any(|check| check.as_str().starts_with(text)) {
        return Ok(text.to_owned());
    }
    Err("no check has a name that begins so; docs/DOCTOR.md lists them".to_owned())
}

impl Doctor {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await.map_err(Failure::before_trying)?;
        let mut shown = Shown { doctor: &self, style, findings: Vec::new() };
        screen::remark(&format!("looking at the stack {} on {}", escape::text(&stack.name), stack.aws.name));
        let facts = gather::gather(&stack).await.map_err(Failure::before_trying)?;
        shown.show(judge::judge(&facts))?;
        if self.ring {
            shown.show(vec![ring::ring(&stack, &facts).await])?;
        }
        if self.sends() {
            match front::Front::of(&stack, &facts).await {
                Ok(front) => front.check(|check| self.wants(check), |findings| shown.show(findings)).await?,
                Err(failure) => shown.show(vec![front::could_not(Check::FrontApplied, &failure)])?,
            }
        }

        let report = Report::new(&stack.name, &stack.aws.name, Timestamp::now(), shown.findings);
        if self.json {
            screen::print_json(&report)?;
        } else {
            screen::print(&report.summary())?;
        }
        match report.verdict {
            Verdict::Fail => Err(Failure::new(match report.count(Verdict::Fail) {
                1 => "a check failed".to_owned(),
                count => format!("{count} checks failed"),
            })),
            _ => Ok(()),
        }
    }

    /// Whether one of the wanted checks sends anything.
    fn sends(&self) -> bool {
        let needs_sending = |check: &&Check| **check >= Check::FrontApplied;
        !self.quick && Check::ALL.iter().filter(needs_sending).any(|check| self.wants(*check))
    }

    /// Whether this check is wanted.
    fn wants(&self, check: Check) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| check.as_str().starts_with(name))
    }
}

/// What was found so far, shown as it comes.
struct Shown<'a> {
    doctor: &'a Doctor,
    style: Style,
    findings: Vec<Finding>,
}

impl Shown<'_> {
    fn show(&mut self, findings: Vec<Finding>) -> Result<(), Failure> {
        for finding in findings.into_iter().filter(|finding| self.doctor.wants(finding.check)) {
            if !self.doctor.json {
                screen::print(&finding.render(self.style))?;
            }
            self.findings.push(finding);
        }
        Ok(())
    }
}
