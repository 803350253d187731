//! What is done to which call of the real functions.

use super::boundary::Boundary;
use crate::{
    bodies::{self, Body},
    delivery::Delivery,
    schedule::{Schedule, Speed},
};
use e2e::fault_proxy::{Decision, Moment, Refusal};
use fastrand::Rng;
use shared::{Endpoint, message::MAX_WHOLE_BYTES};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What is done to one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strike {
    /// The service says no, in one of its ways.
    Refused(Refusal),
    /// It takes a while, not too long.
    Slow(Moment),
    /// It takes longer than its caller waits, and takes effect all the same.
    TimedOut(Moment),
    /// The connection is cut.
    Cut(Moment),
    /// What comes back is no answer.
    Garbage(Moment),
    /// The calling process is killed while the call is under way.
    Killed(Moment),
}

impl Strike {
    /// One of each kind.
    pub const ALL: [Self; 15] = [
        Self::Refused(Refusal::Internal),
        Self::Refused(Refusal::Unavailable),
        Self::Refused(Refusal::Throttled),
        Self::Refused(Refusal::Error(403, "AccessDenied")),
        Self::Refused(Refusal::Error(400, "ValidationException")),
        Self::Slow(Moment::BeforeEffect),
        Self::Slow(Moment::AfterEffect),
        Self::TimedOut(Moment::BeforeEffect),
        Self::TimedOut(Moment::AfterEffect),
        Self::Cut(Moment::BeforeEffect),
        Self::Cut(Moment::AfterEffect),
        Self::Garbage(Moment::BeforeEffect),
        Self::Garbage(Moment::AfterEffect),
        Self::Killed(Moment::BeforeEffect),
        Self::Killed(Moment::AfterEffect),
    ];

    /// A short name, for counting.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused(Refusal::Internal) => "500",
            Self::Refused(Refusal::Unavailable) => "503",
            Self::Refused(Refusal::Throttled) => "throttled",
            Self::Refused(Refusal::Error(403, _)) => "403",
            Self::Refused(Refusal::Error(..)) => "400",
            Self::Slow(Moment::BeforeEffect) => "slow before",
            Self::Slow(Moment::AfterEffect) => "slow after",
            Self::TimedOut(Moment::BeforeEffect) => "timed out before",
            Self::TimedOut(Moment::AfterEffect) => "timed out after",
            Self::Cut(Moment::BeforeEffect) => "cut before",
            Self::Cut(Moment::AfterEffect) => "cut after",
            Self::Garbage(Moment::BeforeEffect) => "garbage before",
            Self::Garbage(Moment::AfterEffect) => "garbage after",
            Self::Killed(Moment::BeforeEffect) => "killed before",
            Self::Killed(Moment::AfterEffect) => "killed after",
        }
    }

    /// What the proxy does; `None` where more than the proxy is needed.
    #[must_use]
    pub fn decision(self) -> Option<Decision> {
        Some(match self {
            Self::Refused(refusal) => Decision::Refuse(refusal),
            Self::Slow(moment) => Decision::Delay(moment, Duration::from_millis(150)),
            // Longer than one attempt of any of our clients.
            Self::TimedOut(moment) => Decision::Delay(moment, Duration::from_millis(2300)),
            Self::Cut(moment) => Decision::Cut(moment),
            Self::Garbage(moment) => Decision::Garbage(moment),
            Self::Killed(_) => return None,
        })
    }
}

/// A schedule for the real functions.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is sent.
    pub schedule: Schedule,
    /// What is done to the n-th call of a boundary.
    pub strikes: BTreeMap<(Boundary, u32), Strike>,
    /// A text, and what is done to every call of a boundary that mentions it.
    pub poison: Option<(Boundary, String, Strike)>,
}

/// No call after this many of its kind is touched.
const HORIZON: u32 = 6;

impl Plan {
    /// Draws the plan of a seed. As many consecutive seeds as there are boundaries go through all of them and do something else to
    /// each, and so many times as many go through every pair.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5eed);
        let mut plan = Self { schedule: Schedule::draw(seed, Speed::Real), strikes: BTreeMap::new(), poison: None };
        // What a deletion erases cannot be accounted for; `testing/e2e/tests/artifacts.rs` follows one.
        for wave in &mut plan.schedule.waves {
            wave.deliveries.retain(|delivery| !delivery.name.contains("deletion"));
        }
        for boundary in Boundary::ALL {
            for n in 0..HORIZON {
                if rng.u8(0..12) == 0
                    && let Some(strike) = rng.choice(Strike::ALL)
                {
                    plan.strikes.insert((boundary, n), strike);
                }
            }
        }
        let at = |list: usize, number: u64| usize::try_from(number % list as u64).unwrap_or(0);
        let focus = Boundary::ALL.get(at(Boundary::ALL.len(), seed)).copied();
        let strike = Strike::ALL.get(at(Strike::ALL.len(), seed + seed / Boundary::ALL.len() as u64)).copied();
        if let (Some(focus), Some(strike)) = (focus, strike) {
            plan.reach(&mut rng, focus, seed);
            for n in 0..rng.u32(1..4) {
                plan.strikes.insert((focus, n), strike);
            }
        }
        plan
    }

    /// Makes it certain that a boundary is reached.
    fn reach(&mut self, rng: &mut Rng, boundary: Boundary, seed: u64) {
        let bot = format!("focus-{seed:x}");
        let refused = Strike::Refused(Refusal::Error(403, "AccessDenied"));
        let mut course = bodies::course(rng, Endpoint::MeetStream, false, &bot, "word").into_iter().skip(1);
        let Some(body) = course.next() else { return };
        match boundary {
            Boundary::SendMessage | Boundary::GetItem | Boundary::PutSession | Boundary::PutEvents => self.send(body),
            Boundary::PutClaim | Boundary::GetClaim => self.send(bodies::swollen(&body)),
            Boundary::PutSpool
            | Boundary::ListSpool
            | Boundary::GetSpooled
            | Boundary::SendBack
            | Boundary::DeleteSpooled => {
                self.send(body);
                self.strikes.extend((0..2).map(|n| ((Boundary::SendMessage, n), refused)));
            }
            Boundary::PutEntry => {
                let event = format!(r#"{{"event":"bot.unheard_of","bot_id":"{bot}"}}"#);
                self.send(Body { name: "an unknown event".to_owned(), bytes: event.into_bytes(), is_genuine: true });
            }
            Boundary::PutQuarantine => {
                self.send(Body { name: "not JSON".to_owned(), bytes: b"not json".to_vec(), is_genuine: false });
            }
            Boundary::PutParked => {
                self.send(body);
                self.poison = Some((Boundary::GetItem, bot, refused));
            }
            Boundary::ChangeVisibility => {
                self.send(body);
                self.strikes.insert((Boundary::GetItem, 0), refused);
            }
        }
    }

    /// Sends a body before everything else.
    fn send(&mut self, body: Body) {
        if let Some(wave) = self.schedule.waves.first_mut() {
            wave.deliveries.insert(0, Delivery::of(body));
        }
    }

    /// Whether something large is sent.
    #[must_use]
    pub fn is_large(&self) -> bool {
        let mut deliveries = self.schedule.waves.iter().flat_map(|wave| &wave.deliveries);
        deliveries.any(|delivery| delivery.body.len() > MAX_WHOLE_BYTES)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.schedule)?;
        writeln!(f, "  what is done to the real functions' calls:")?;
        for ((boundary, n), strike) in &self.strikes {
            writeln!(f, "    {boundary:?} #{n}: {}", strike.code())?;
        }
        if let Some((boundary, text, strike)) = &self.poison {
            writeln!(f, "    every {boundary:?} that mentions {text}: {}", strike.code())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn consecutive_seeds_go_through_every_pair_of_boundary_and_strike() {
        let pairs = (Boundary::ALL.len() * Strike::ALL.len()) as u64;
        let planned: BTreeSet<_> = (0..pairs)
            .flat_map(|seed| {
                Plan::draw(seed).strikes.into_iter().map(|((boundary, _), strike)| (boundary, strike.code()))
            })
            .collect();
        assert_eq!(planned.len() as u64, pairs);
    }

    #[test]
    fn as_many_seeds_as_there_are_boundaries_plan_every_strike() {
        let boundaries = Boundary::ALL.len() as u64;
        for from in [0, 1, 7, 300] {
            let planned: BTreeSet<_> = (from..from + boundaries)
                .flat_map(|seed| Plan::draw(seed).strikes.into_values().map(Strike::code))
                .collect();
            assert_eq!(planned.len(), Strike::ALL.len(), "from {from}");
        }
    }
}
