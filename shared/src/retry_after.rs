//! When a server wants to be asked again.

use crate::time::ReceivedAt;
use jiff::fmt::rfc2822::DateTimeParser;
use std::time::Duration;

/// The longest wait that is granted. A server that asks for more is asked before its time, rather than forgotten.
pub const MAX_WAIT: Duration = Duration::from_secs(3600);

/// The wait that a `Retry-After` header asks for at `now`: whole seconds or an HTTP date (RFC 9110, section 10.2.3), at most
/// [`MAX_WAIT`]. A date that has passed asks for none; `None` for what is neither.
#[must_use]
pub fn wait(header: &str, now: ReceivedAt) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More seconds than fit are more than enough.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)).min(MAX_WAIT));
    }
    let at = DateTimeParser::new().parse_timestamp(header).ok()?.as_millisecond();
    let wait = u64::try_from(at.saturating_sub(now.0)).unwrap_or(0);
    Some(Duration::from_millis(wait).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-10-05T14:00:00Z.
    const NOW: ReceivedAt = ReceivedAt(1_791_208_800_000);

    #[track_caller]
    fn check(header: &str, expected: Option<u64>) {
        assert_eq!(wait(header, NOW), expected.map(Duration::from_secs), "{header}");
    }

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        check("0", Some(0));
        check("17", Some(17));
        check(" 120 ", Some(120));
        check("86400", Some(3600));
        check("99999999999999999999999999", Some(3600));
        check("Mon, 05 Oct 2026 14:00:30 GMT", Some(30));
        check("Mon, 05 Oct 2026 13:59:00 GMT", Some(0));
        check("Tue, 06 Oct 2026 14:00:00 GMT", Some(3600));
        for neither in ["", "-1", "1.5", "soon", "2026-10-05T14:00:30Z", "Mon, 99 Oct 2026 14:00:30 GMT"] {
            check(neither, None);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}", now in any::<i64>()) {
            let _ = wait(&text, ReceivedAt(now));
            let _ = wait("Mon, 05 Oct 2026 14:00:30 GMT", ReceivedAt(now));
        }
    }
}
