//! Times, and the forms in which the providers write them.

use jiff::{SignedDuration, Timestamp};

/// Microseconds and a numeric offset: `MeetStream`'s webhooks.
#[must_use]
pub fn micros(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Milliseconds and Z: Meeting BaaS.
#[must_use]
pub fn millis(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Whole seconds and Z: `MeetStream`'s status timeline.
#[must_use]
pub fn whole(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As HTTP writes dates.
#[must_use]
pub fn http_date(moment: Timestamp) -> String {
    moment.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// That many milliseconds later.
#[must_use]
pub fn plus_millis(moment: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    moment.saturating_add(SignedDuration::from_millis(ms)).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_senders_write_them() {
        let moment = "2026-10-05T13:59:01.4Z".parse().unwrap();
        assert_eq!(micros(moment), "2026-10-05T13:59:01.400000+00:00");
        assert_eq!(millis(moment), "2026-10-05T13:59:01.400Z");
        assert_eq!(whole(moment), "2026-10-05T13:59:01Z");
        assert_eq!(http_date(moment), "Mon, 05 Oct 2026 13:59:01 GMT");
        assert_eq!(millis(plus_millis(moment, 600)), "2026-10-05T13:59:02.000Z");
    }
}
