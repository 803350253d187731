//! How many calls an API takes, and how long it makes the others wait.

use jiff::Timestamp;
use std::{collections::VecDeque, time::Duration};

/// The most calls that the APIs take; `None`: any number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimits {
    /// Of `MeetStream`, in any minute. It publishes no limit but that of pausing.
    pub meetstream_a_minute: Option<u32>,
    /// Of Meeting BaaS, in any second: POST, PATCH and DELETE only ("Deduplication & Rate Limiting": GET is not limited, and a team
    /// that pays as it goes may write 5 times a second).
    pub meetingbaas_writes_a_second: Option<u32>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { meetstream_a_minute: None, meetingbaas_writes_a_second: Some(5) }
    }
}

/// The calls of the latest stretch of time.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    limit: u32,
    milliseconds: i64,
    calls: VecDeque<i64>,
}

/// That a call is one too many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooMany {
    pub(crate) limit: u32,
    /// After how many seconds the next call is taken.
    pub(crate) retry_after: u32,
}

impl Limiter {
    pub(crate) fn new(limit: u32, stretch: Duration) -> Self {
        let milliseconds = i64::try_from(stretch.as_millis()).unwrap_or(i64::MAX);
        Self { limit, milliseconds, calls: VecDeque::new() }
    }

    /// Takes a call, and says how many more it would take now. A call that is refused does not count.
    pub(crate) fn take(&mut self, now: Timestamp) -> Result<u32, TooMany> {
        let now = now.as_millisecond();
        while self.calls.front().is_some_and(|first| now.saturating_sub(*first) >= self.milliseconds) {
            self.calls.pop_front();
        }
        let taken = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        if taken >= self.limit {
            let first = self.calls.front().copied().unwrap_or(now);
            let wait = (first + self.milliseconds).saturating_sub(now);
            let retry_after =
                u32::try_from(wait.max(1).div_euclid(1000) + i64::from(wait % 1000 > 0)).unwrap_or(u32::MAX);
            return Err(TooMany { limit: self.limit, retry_after: retry_after.max(1) });
        }
        self.calls.push_back(now);
        Ok(self.limit - taken - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_over_the_latest_stretch() {
        let mut limiter = Limiter::new(2, Duration::from_secs(60));
        let mut at = |milliseconds| limiter.take(Timestamp::from_millisecond(milliseconds).unwrap());
        let too_many = |retry_after| Err(TooMany { limit: 2, retry_after });
        assert_eq!([at(0), at(10_000), at(10_001)], [Ok(1), Ok(0), too_many(50)]);
        assert_eq!([at(59_999), at(60_000), at(60_001)], [too_many(1), Ok(0), too_many(10)]);
        assert_eq!([at(200_000), at(200_000)], [Ok(1), Ok(0)]);
    }
}
