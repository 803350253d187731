//! Faults as they happen.

use crate::fault::{Fault, Operation, PlannedFault, Times};

/// Planned faults, and how often each has happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    planned: Vec<(PlannedFault, u32)>,
}

impl Faults {
    pub(crate) fn new(planned: &[PlannedFault]) -> Self {
        Self { planned: planned.iter().map(|planned| (planned.clone(), 0)).collect() }
    }

    /// The faults that have happened, and how often.
    pub(crate) fn happened(&self) -> impl Iterator<Item = (&PlannedFault, u32)> {
        self.planned.iter().map(|(planned, times)| (planned, *times)).filter(|(_, times)| *times > 0)
    }

    /// The fault of the next answer there, which has happened with that.
    pub(crate) fn next(&mut self, operation: Operation) -> Option<Fault> {
        let is_due = |(planned, happened): &&mut (PlannedFault, u32)| {
            let goes_on = match planned.times {
                Times::First(times) => *happened < times,
                Times::Always => true,
            };
            planned.operation == operation && goes_on
        };
        let (planned, happened) = self.planned.iter_mut().find(is_due)?;
        *happened += 1;
        Some(planned.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_place_happen_one_after_the_other() {
        let planned = |operation, fault, times| PlannedFault { operation, fault, times };
        let mut faults = Faults::new(&[
            planned(Operation::Detail, Fault::Status(500), Times::First(2)),
            planned(Operation::GetAudio, Fault::Redirect, Times::First(1)),
            planned(Operation::Detail, Fault::Status(404), Times::Always),
        ]);
        let seen: Vec<_> = (0..4).map(|_| faults.next(Operation::Detail)).collect();
        let status = |status| Some(Fault::Status(status));
        assert_eq!(seen, [status(500), status(500), status(404), status(404)]);
        assert_eq!(faults.next(Operation::GetAudio), Some(Fault::Redirect));
        assert_eq!(faults.next(Operation::GetAudio), None);
        assert_eq!(faults.next(Operation::Status), None);
        let happened: Vec<_> = faults.happened().map(|(planned, times)| (planned.kind(), times)).collect();
        let times = |kind: &str, times| (kind.to_owned(), times);
        assert_eq!(happened, [times("500", 2), times("redirect", 1), times("404 for ever", 2)]);
    }
}
