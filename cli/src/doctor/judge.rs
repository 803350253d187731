//! From facts to findings. Nothing here looks at anything but its arguments.

mod alarms;
mod functions;
mod providers;
mod queues;
mod stores;

use super::{
    facts::{Facts, Lookup},
    finding::{Check, Finding},
};

/// What the facts come to: one finding for each check that sends nothing.
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = functions::judge(facts);
    findings.extend(queues::judge(facts));
    findings.extend(stores::judge(facts));
    findings.extend(alarms::judge(facts));
    findings.extend(providers::judge(facts));
    findings
}

impl<T> Lookup<T> {
    /// Judges what is there. Where it is not there, `missing` says so and what to do.
    pub(super) fn judge(&self, check: Check, missing: (&str, &str), of: impl FnOnce(&T) -> Finding) -> Finding {
        match self {
            Self::Found(found) => of(found),
            Self::Absent => Finding::fail(check, missing.0, missing.1),
            Self::NotLocally(what) => Finding::skipped(check, format!("the local AWS does not {what}")),
            Self::Unknown(failure) => {
                let way_out = failure.way_out().unwrap_or("docs/DOCTOR.md lists the rights that the checks need");
                Finding::warn(check, format!("it could not be checked: {}", failure.what()), way_out)
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
