//! How long to wait between two tries.

use std::time::Duration;

/// Waits that double with each try, up to a bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The wait after the first try.
    pub base: Duration,
    pub max: Duration,
}

impl Backoff {
    /// The wait after so many tries.
    #[must_use]
    pub fn after(self, tries: u32) -> Duration {
        self.base.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use crate::composer::RETRY;

    #[test]
    fn waits_double_up_to_a_bound() {
        let wait = |tries| RETRY.after(tries).as_secs();
        let waits: Vec<_> = (1..=12).map(wait).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!((wait(0), wait(u32::MAX)), (2, 900));
        let total: u64 = (1..20).map(wait).sum();
        assert!((2 * 3600..4 * 3600).contains(&total), "20 receives take about three hours, not {total} s");
    }
}
