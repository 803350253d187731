//! Small sets of small numbers: cheap to copy, to compare and to hash, which a checker does all the time.

use std::fmt;

/// A set of numbers below 16.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Set(u16);

impl Set {
    /// The set with these members alone.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = u8>) -> Self {
        members.into_iter().fold(Self::default(), |set, member| set.with(member))
    }

    /// Whether it has a member.
    #[must_use]
    pub fn has(self, member: u8) -> bool {
        self.0 & (1 << member) != 0
    }

    /// The set with one more member.
    #[must_use]
    pub fn with(self, member: u8) -> Self {
        Self(self.0 | (1 << member))
    }

    /// Adds a member.
    pub fn insert(&mut self, member: u8) {
        *self = self.with(member);
    }

    /// Takes a member away.
    pub fn remove(&mut self, member: u8) {
        self.0 &= !(1 << member);
    }

    /// The members of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members that the other set has not.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members, the smallest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..16).filter(move |member| self.has(*member))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}
