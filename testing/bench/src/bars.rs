//! The bars that must hold, and what a number means that does not.

use std::fmt;

/// Which side of the bar is the right one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The number must not be above.
    AtMost,
    /// The number must not be below.
    AtLeast,
}

/// One bar and the number that was measured against it.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its name in `docs/PERFORMANCE.md`.
    pub id: &'static str,
    /// What is measured.
    pub what: String,
    /// What was measured.
    pub number: f64,
    /// Which side is right.
    pub side: Side,
    /// The bar.
    pub bar: f64,
    /// What is probably the matter if it does not hold.
    pub cause: &'static str,
}

impl Bar {
    /// A number that must not be above `bar`.
    pub fn at_most(id: &'static str, what: impl Into<String>, number: f64, bar: f64, cause: &'static str) -> Self {
        Self { id, what: what.into(), number, side: Side::AtMost, bar, cause }
    }

    /// A number that must not be below `bar`.
    pub fn at_least(id: &'static str, what: impl Into<String>, number: f64, bar: f64, cause: &'static str) -> Self {
        Self { id, what: what.into(), number, side: Side::AtLeast, bar, cause }
    }

    /// Whether it holds. What is no number holds nothing.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.side {
            Side::AtMost => self.number <= self.bar,
            Side::AtLeast => self.number >= self.bar,
        }
    }

    /// The sign between number and bar.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        match self.side {
            Side::AtMost => "≤",
            Side::AtLeast => "≥",
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what, .. } = self;
        let (number, sign, bar) = (figure(self.number), self.sign(), figure(self.bar));
        if self.holds() {
            write!(f, "{id:4} holds  {what}: {number} {sign} {bar}")
        } else {
            write!(f, "{id:4} FAILS  {what}: {number}, must be {sign} {bar}. Likely cause: {}", self.cause)
        }
    }
}

/// A number with as many digits as mean something.
#[must_use]
pub fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 1e6 => format!("{:.2} M", number / 1e6),
        size if size >= 1e4 => format!("{:.0} k", number / 1e3),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_fails_names_the_number_the_bar_and_the_cause() {
        let bar = Bar::at_most("P2", "first / warm", 120.4, 3.0, "the TLS provider");
        assert_eq!(bar.to_string(), "P2   FAILS  first / warm: 120, must be ≤ 3.00. Likely cause: the TLS provider");
        let bar = Bar::at_least("P5", "times", 8.0, 8.0, "");
        assert_eq!(bar.to_string(), "P5   holds  times: 8.00 ≥ 8.00");
        assert!(!Bar::at_most("P1", "", f64::NAN, 1.0, "").holds(), "not measured is not held");
    }
}
