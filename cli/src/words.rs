//! Numbers and times as text, for people and in JSON.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A number of things. `noun` is the singular; in "line of a delivery" its first word gets the plural.
pub(crate) fn many(count: usize, noun: &str) -> String {
    let (noun, rest) = noun.split_at(noun.find(' ').unwrap_or(noun.len()));
    // "delivery" and not "day".
    match noun.strip_suffix("ry") {
        _ if count == 1 => format!("{count} {noun}{rest}"),
        Some(stem) => format!("{count} {stem}ries{rest}"),
        None => format!("{count} {noun}s{rest}"),
    }
}

/// A time span in the largest unit that fits, as in "3 hours".
pub(crate) fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    many(usize::try_from(count).unwrap_or(0), unit)
}

/// A number of bytes in the largest unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// A time to the second.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// In JSON: a sender's time, as exact as the sender gave it.
pub(crate) fn rfc3339<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(serializer)
}

/// In JSON: our own time, to the millisecond.
pub(crate) fn milliseconds<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(seconds), expected);
        }
        assert_eq!(many(2, "line of a delivery"), "2 lines of a delivery");
        assert_eq!([1, 2].map(|count| many(count, "delivery")), ["1 delivery", "2 deliveries"]);
        for (bytes, expected) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (20_049_999, "20.0 MB"), (1_550_000_000, "1.5 GB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
