//! What can go wrong, at which call, and which call gets what.

use fastrand::Rng;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Every call that leaves a function, and the two that its surroundings make for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Call {
    Enqueue,
    PutClaim,
    PutSpool,
    Load,
    Save,
    Record,
    Keep,
    Fetch,
    List,
    Remove,
    PutBack,
    Publish,
    Postpone,
    SendCommand,
    Due,
    ReadEntry,
    Mirror,
    Unmirror,
    Forget,
    StoreArtifact,
    PutArtifact,
    Locate,
    Detail,
    Entries,
    Download,
    /// The event source mapping's own deletion of what the function finished.
    Acknowledge,
    /// The same on the commands queue.
    AcknowledgeCommand,
}

impl Call {
    /// Every call there is.
    pub const ALL: [Self; 27] = [
        Self::Enqueue,
        Self::PutClaim,
        Self::PutSpool,
        Self::Load,
        Self::Save,
        Self::Record,
        Self::Keep,
        Self::Fetch,
        Self::List,
        Self::Remove,
        Self::PutBack,
        Self::Publish,
        Self::Postpone,
        Self::SendCommand,
        Self::Due,
        Self::ReadEntry,
        Self::Mirror,
        Self::Unmirror,
        Self::Forget,
        Self::StoreArtifact,
        Self::PutArtifact,
        Self::Locate,
        Self::Detail,
        Self::Entries,
        Self::Download,
        Self::Acknowledge,
        Self::AcknowledgeCommand,
    ];
}

/// On which side of a call's effect something happens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Moment {
    Before,
    After,
}

/// What happens to one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fault {
    /// It has no effect, and its caller is told that it could not be done now.
    Refused,
    /// It has no effect, and its caller is told that it never will have.
    RefusedForGood,
    /// It takes effect, and its caller is told that it could not be done.
    AnswerLost,
    /// It takes effect twice, as when a client tries again after a lost answer; its caller gets the second answer.
    Repeated,
    /// It takes effect after this time, and its caller waits.
    Slow(Duration),
    /// It takes effect after this time, and its caller is never told, whatever becomes of it in between.
    Late(Duration),
    /// It has no effect, and its caller is never told.
    Hangs,
    /// The code panics around it.
    Panics(Moment),
    /// The process is killed, with all that is under way in it.
    Killed(Moment),
}

impl Fault {
    /// A short name without its details, for counting.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::RefusedForGood => "refused for good",
            Self::AnswerLost => "answer lost",
            Self::Repeated => "repeated",
            Self::Slow(_) => "slow",
            Self::Late(_) => "late",
            Self::Hangs => "hangs",
            Self::Panics(Moment::Before) => "panics before",
            Self::Panics(Moment::After) => "panics after",
            Self::Killed(Moment::Before) => "killed before",
            Self::Killed(Moment::After) => "killed after",
        }
    }

    fn any(rng: &mut Rng) -> Self {
        let moment = if rng.bool() { Moment::Before } else { Moment::After };
        match rng.u8(0..16) {
            0..=2 => Self::Refused,
            3 => Self::RefusedForGood,
            4..=6 => Self::AnswerLost,
            7 => Self::Repeated,
            8 => Self::Slow(Duration::from_millis(rng.u64(10..8_000))),
            9 => Self::Late(Duration::from_millis(rng.u64(10..200_000))),
            10 => Self::Hangs,
            11 => Self::Panics(moment),
            _ => Self::Killed(moment),
        }
    }
}

/// One bot whose session cannot be touched without this happening.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poison {
    /// The session, encoded.
    pub session: String,
    /// Which calls about it.
    pub call: Call,
    /// What happens.
    pub fault: Fault,
}

/// Which call gets what: the n-th of its name, counted from the beginning of the wave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Weather {
    /// The faults by call and number.
    pub faults: BTreeMap<(Call, u32), Fault>,
    /// A bot that is always in trouble.
    pub poison: Option<Poison>,
}

/// How many calls of each name a plan looks ahead.
const HORIZON: u32 = 60;

impl Weather {
    /// Draws a plan. `sessions` are those that may be poisoned.
    #[must_use]
    pub fn draw(rng: &mut Rng, sessions: &[String]) -> Self {
        let mut weather = Self::default();
        match rng.u8(0..11) {
            0 => {}
            10 => weather.faults.extend((0..HORIZON).map(|n| ((Call::Publish, n), Fault::Refused))),
            1..=3 => weather.scatter(rng, 0.08),
            4..=5 => weather.scatter(rng, 0.35),
            6..=7 => weather.break_down(rng),
            8 => {
                weather.scatter(rng, 0.1);
                weather.break_down(rng);
            }
            _ => weather.strike(rng),
        }
        if rng.u8(0..5) == 0
            && let Some(session) = rng.choice(sessions).cloned()
        {
            let call = *rng.choice(&[Call::Load, Call::Save, Call::Record]).unwrap_or(&Call::Save);
            weather.poison = Some(Poison { session, call, fault: Fault::any(rng) });
        }
        weather
    }

    /// Any call may fail, each with this probability.
    fn scatter(&mut self, rng: &mut Rng, probability: f64) {
        for call in Call::ALL {
            for n in 0..HORIZON {
                if rng.f64() < probability {
                    self.faults.insert((call, n), Fault::any(rng));
                }
            }
        }
    }

    /// A few kinds of calls fail for a while, always in the same way.
    fn break_down(&mut self, rng: &mut Rng) {
        for _ in 0..rng.u8(1..4) {
            let (call, fault) = (*rng.choice(&Call::ALL).unwrap_or(&Call::Save), Fault::any(rng));
            let from = rng.u32(0..10);
            for n in from..from + rng.u32(3..HORIZON) {
                self.faults.insert((call, n), fault);
            }
        }
    }

    /// The process is killed at one kind of call, again and again.
    fn strike(&mut self, rng: &mut Rng) {
        let call = *rng.choice(&Call::ALL).unwrap_or(&Call::Save);
        for n in (0..HORIZON).filter(|_| rng.bool()).collect::<Vec<_>>() {
            let moment = if rng.bool() { Moment::Before } else { Moment::After };
            self.faults.insert((call, n), Fault::Killed(moment));
        }
    }

    /// What happens to the n-th call of this name, which is about this session if it is about one.
    #[must_use]
    pub fn of(&self, call: Call, n: u32, session: Option<&str>) -> Option<Fault> {
        let poisoned = self.poison.as_ref().filter(|poison| poison.call == call && session == Some(&poison.session));
        poisoned.map(|poison| poison.fault).or_else(|| self.faults.get(&(call, n)).copied())
    }
}

impl fmt::Display for Weather {
    /// One line for each call that has faults, runs of the same fault as one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in Call::ALL {
            let mut runs: Vec<(u32, u32, Fault)> = Vec::new();
            for (&(_, n), &fault) in self.faults.range((call, 0)..=(call, u32::MAX)) {
                match runs.last_mut() {
                    Some((_, last, same)) if *same == fault && *last + 1 == n => *last = n,
                    _ => runs.push((n, n, fault)),
                }
            }
            if runs.is_empty() {
                continue;
            }
            write!(f, "    {call:?}:")?;
            for (from, to, fault) in runs {
                if from == to {
                    write!(f, " #{from} {fault:?};")?;
                } else {
                    write!(f, " #{from}-{to} {fault:?};")?;
                }
            }
            writeln!(f)?;
        }
        if let Some(Poison { session, call, fault }) = &self.poison {
            writeln!(f, "    every {call:?} of {session}: {fault:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_prints_itself_in_runs() {
        let mut weather = Weather::default();
        for n in [1, 2, 3, 7] {
            weather.faults.insert((Call::Save, n), Fault::Refused);
        }
        let poison = Poison { session: "meetstream#b".to_owned(), call: Call::Load, fault: Fault::Hangs };
        weather.poison = Some(poison);
        let printed = weather.to_string();
        assert_eq!(printed, "    Save: #1-3 Refused; #7 Refused;\n    every Load of meetstream#b: Hangs\n");
        assert_eq!(weather.of(Call::Save, 2, None), Some(Fault::Refused));
        assert_eq!(weather.of(Call::Save, 4, Some("meetstream#b")), None);
        assert_eq!(weather.of(Call::Load, 90, Some("meetstream#b")), Some(Fault::Hangs));
    }
}
