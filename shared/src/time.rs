//! The two times of a delivery, which are never interchangeable.

use jiff::{Timestamp, civil, tz};
use serde::{Deserialize, Serialize};

/// When we took a delivery, in milliseconds since the Unix epoch, by our clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceivedAt(pub i64);

impl ReceivedAt {
    /// The same moment in whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same moment as a timestamp; `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0).ok()
    }
}

/// When the sender says it happened: the moment, and the sender's own text.
///
/// There is none when the sender gave none; it is never invented, and never derived from the time of receipt.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OccurredAt {
    moment: Timestamp,
    assumed_utc: bool,
    text: String,
}

/// The longest text that is read, in bytes. The longest form that a sender uses has 35.
const MAX_TEXT_BYTES: usize = 64;

/// The text is not a date with a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the time cannot be read")]
pub struct UnreadableTime;

impl OccurredAt {
    /// Reads a timestamp in any form our senders are known to use: RFC 3339 with `Z` or a numeric offset, 0 to 9 digits
    /// of fraction, or without any offset (then it counts as UTC, and [`OccurredAt::assumed_utc`] says so).
    ///
    /// # Errors
    /// [`UnreadableTime`] for anything else, such as a date without a time, which would make up a midnight, or a text with a
    /// zone or other annotation in brackets, which can have any length.
    pub fn parse(text: &str) -> Result<Self, UnreadableTime> {
        let text = text.trim();
        if text.len() > MAX_TEXT_BYTES || text.contains('[') || !text.contains(':') {
            return Err(UnreadableTime);
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self { moment, assumed_utc: false, text: text.to_owned() });
        }
        let moment = text
            .parse::<civil::DateTime>()
            .ok()
            .and_then(|local| tz::Offset::UTC.to_timestamp(local).ok())
            .ok_or(UnreadableTime)?;
        Ok(Self { moment, assumed_utc: true, text: text.to_owned() })
    }

    /// The moment.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.moment
    }

    /// Whether the sender's text had no offset, so that UTC was assumed.
    #[must_use]
    pub fn assumed_utc(&self) -> bool {
        self.assumed_utc
    }

    /// The sender's own text, without surrounding whitespace.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.text
    }
}

impl PartialOrd for OccurredAt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By moment; texts of the same moment by their characters, so that the order is total.
impl Ord for OccurredAt {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.moment.cmp(&other.moment).then_with(|| self.text.cmp(&other.text))
    }
}

impl TryFrom<String> for OccurredAt {
    type Error = UnreadableTime;

    fn try_from(text: String) -> Result<Self, UnreadableTime> {
        Self::parse(&text)
    }
}

impl From<OccurredAt> for String {
    fn from(time: OccurredAt) -> Self {
        time.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, text: &str, expected: Result<(&str, bool), UnreadableTime>) {
        let read = OccurredAt::parse(text).map(|time| (time.moment().to_string(), time.assumed_utc()));
        assert_eq!(read, expected.map(|(moment, assumed)| (moment.to_owned(), assumed)), "{name}");
    }

    #[test]
    fn every_form_our_senders_use_is_read() {
        check(
            "microseconds and offset",
            "2026-02-27T07:11:51.863543+00:00",
            Ok(("2026-02-27T07:11:51.863543Z", false)),
        );
        check("no fraction, offset", "2026-02-27T07:11:51+00:00", Ok(("2026-02-27T07:11:51Z", false)));
        check("another offset", "2026-02-27T09:11:51+02:00", Ok(("2026-02-27T07:11:51Z", false)));
        check("milliseconds", "2026-06-18T17:02:11.514Z", Ok(("2026-06-18T17:02:11.514Z", false)));
        check("seconds", "2025-06-15T15:00:32Z", Ok(("2025-06-15T15:00:32Z", false)));
        check("nanoseconds", "2025-06-15T15:00:32.123456789Z", Ok(("2025-06-15T15:00:32.123456789Z", false)));
        check("no offset", "2026-01-24T17:00:30.354452", Ok(("2026-01-24T17:00:30.354452Z", true)));
        check("surrounding space", " 2025-06-15T15:00:32Z\n", Ok(("2025-06-15T15:00:32Z", false)));
        check("a date alone", "2026-10-05", Err(UnreadableTime));
        check("a date alone, in basic form", "20261005", Err(UnreadableTime));
        check("a zone instead of an offset", "2026-10-05T10:00:00[Europe/Paris]", Err(UnreadableTime));
        check(
            "an annotation of any length",
            &format!("2026-10-05T10:00:00Z[x={}]", "a".repeat(999)),
            Err(UnreadableTime),
        );
        check("padded to any length", &format!("{}2026-10-05T10:00:00Z", "0".repeat(999)), Err(UnreadableTime));
        check("a bare number", "1767225600", Err(UnreadableTime));
        check("the literal of a missing one", "undefined", Err(UnreadableTime));
        check("nothing", "", Err(UnreadableTime));
    }

    #[test]
    fn order_is_by_moment_and_not_by_text() {
        let parse = |text| OccurredAt::parse(text).unwrap();
        assert!(parse("2026-01-01T00:00:00+00:00") < parse("2026-01-01T00:00:00.5Z"));
        assert!(parse("2026-01-01T02:00:00+02:00") < parse("2026-01-01T00:00:01Z"));
    }

    #[test]
    fn what_is_stored_is_the_senders_text() {
        let stored = serde_json::to_string(&OccurredAt::parse("2026-01-24T17:00:30.354452").unwrap()).unwrap();
        assert_eq!(stored, r#""2026-01-24T17:00:30.354452""#);
        assert!(serde_json::from_str::<OccurredAt>(&stored).unwrap().assumed_utc());
    }
}
