//! What happens to the system in one run of the checker: who sends what, what is true at the provider, and how much may fail.

use crate::{mutation::Mutation, set::Set};

/// The number of a delivery, which stands for its accept id.
pub type Id = u8;

/// One of two bots.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Bot {
    One,
    Two,
}

impl Bot {
    /// Every bot there is.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];
}

/// Something that each bot has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PerBot<T> {
    one: T,
    two: T,
}

impl<T> PerBot<T> {
    /// What this bot has.
    pub fn of(&self, bot: Bot) -> &T {
        match bot {
            Bot::One => &self.one,
            Bot::Two => &self.two,
        }
    }

    /// What this bot has, to be changed.
    pub fn of_mut(&mut self, bot: Bot) -> &mut T {
        match bot {
            Bot::One => &mut self.one,
            Bot::Two => &mut self.two,
        }
    }
}

/// How far a delivery can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Trust {
    /// It came through a URL that anybody may have learnt.
    Unverified,
    /// It is signed.
    Verified,
}

/// What a delivery says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Says {
    /// The meeting ended; of two ends the greater one is the more particular.
    Ended(u8),
    /// The transcript is there, in the run that was made at this moment.
    Ready(u8),
    /// The provider deleted the bot's data.
    Deleted,
    /// Something that is recorded and not acted on.
    Chat,
    /// Nothing that can be read.
    Gibberish,
}

/// What a delivery does to code that has a bug, until the bug is fixed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Temper {
    /// Nothing.
    Fine,
    /// It fails each time.
    Fails,
    /// It takes the whole process with it.
    Kills,
}

/// A delivery that somebody sends once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Delivery {
    /// Whose it is.
    pub bot: Bot,
    /// How far it can be trusted.
    pub trust: Trust,
    /// What it says.
    pub says: Says,
    /// What it does to code with a bug.
    pub temper: Temper,
    /// Whether its body is too large for the queue.
    pub is_large: bool,
    /// The delivery that it repeats, under an accept id of its own.
    pub repeats: Option<Id>,
}

impl Delivery {
    /// A signed delivery.
    #[must_use]
    pub const fn verified(bot: Bot, says: Says) -> Self {
        Self { bot, trust: Trust::Verified, says, temper: Temper::Fine, is_large: false, repeats: None }
    }

    /// An unsigned delivery.
    #[must_use]
    pub const fn unverified(bot: Bot, says: Says) -> Self {
        Self { trust: Trust::Unverified, ..Self::verified(bot, says) }
    }

    /// The same one, failing each time.
    #[must_use]
    pub const fn failing(self) -> Self {
        Self { temper: Temper::Fails, ..self }
    }

    /// The same one, taking the process with it.
    #[must_use]
    pub const fn killing(self) -> Self {
        Self { temper: Temper::Kills, ..self }
    }

    /// The same one, too large for the queue.
    #[must_use]
    pub const fn large(self) -> Self {
        Self { is_large: true, ..self }
    }

    /// The same one, as another try of its sender's.
    #[must_use]
    pub const fn repeating(self, first: Id) -> Self {
        Self { repeats: Some(first), ..self }
    }
}

/// One world to be checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What is sent, each once, in any order.
    pub deliveries: Vec<Delivery>,
    /// Bots whose data the provider has deleted, whatever anybody says.
    pub gone: Set,
    /// How many calls may fail, answers get lost or processes die, in all.
    pub faults: u8,
    /// How often a person puts something back.
    pub replays: u8,
    /// Whether a person may delete the first bot's data.
    pub may_delete: bool,
    /// Whether a person may want again what was given up of the first bot.
    pub may_refetch: bool,
    /// How many invocations for deliveries run beside each other.
    pub invocations: usize,
    /// How many commands are carried out beside each other.
    pub workers: usize,
    /// On this receive a record that fails again is parked.
    pub park_after: u8,
    /// After so many receives the queue gives a message up.
    pub dead_after: u8,
    /// What is done wrong on purpose.
    pub mutation: Option<Mutation>,
    /// Whether to look for a witness of each ending, so that no property holds for want of anything to hold for.
    pub has_witnesses: bool,
}

impl Scenario {
    /// The scenario with one thing done wrong.
    #[must_use]
    pub fn with(self, mutation: Mutation) -> Self {
        Self { mutation: Some(mutation), has_witnesses: false, ..self }
    }

    /// Whether this is done wrong.
    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    #[expect(clippy::indexing_slicing, reason = "ids are positions in this very list")]
    pub(crate) fn delivery(&self, id: Id) -> &Delivery {
        &self.deliveries[usize::from(id)]
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..u8::try_from(self.deliveries.len()).unwrap_or(u8::MAX)
    }

    /// The deliveries of a bot.
    pub(crate) fn of_bot(&self, bot: Bot) -> Set {
        Set::of(self.ids().filter(|id| self.delivery(*id).bot == bot))
    }

    /// The group that a delivery belongs to by the rules: its bot's, and of those the one of its trust.
    pub(crate) fn proper_group(&self, id: Id) -> u8 {
        let Delivery { bot, trust, .. } = self.delivery(id);
        2 * *bot as u8 + *trust as u8
    }

    /// The group that it has in the queue.
    pub(crate) fn group(&self, id: Id) -> u8 {
        let group = self.proper_group(id);
        if self.is(Mutation::OneGroupForBothTrusts) { group & !1 } else { group }
    }

    pub(crate) fn is_gone(&self, bot: Bot) -> bool {
        self.gone.has(bot as u8)
    }

    /// After so many tries to no avail a job is given up that depends on the provider: more than can fail.
    pub(crate) fn patience(&self) -> u8 {
        self.faults + 1
    }
}
