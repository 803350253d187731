//! What runs were made of.

use crate::audit::{Asked, Published, Sent, Stored};
use e2e::statistics::quantile;
use std::{collections::BTreeMap, fmt, time::Duration};

/// What one schedule, or many, came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What is wrong.
    pub violations: Vec<String>,
    /// How often each fault struck, by call and kind.
    pub struck: BTreeMap<(String, &'static str), u64>,
    /// What senders were answered.
    pub answers: BTreeMap<String, u64>,
    /// How deliveries ended, before anything was put back.
    pub endings: BTreeMap<&'static str, u64>,
    /// What was published and asked, by name. In process only.
    pub jobs: BTreeMap<String, u64>,
    /// How long each sender waited for its answer. With the real functions only: in process time is virtual.
    pub waits: Vec<Duration>,
    /// How many deliveries the bucket took because the queue did not. With the real functions only.
    pub spooled: u64,
}

impl Run {
    /// Counts what senders were answered.
    pub fn count_answers(&mut self, sent: &[Sent]) {
        for one in sent {
            let answer = one.answer.map_or_else(|| "none".to_owned(), |status| status.to_string());
            *self.answers.entry(answer).or_default() += 1;
        }
    }

    /// Counts how deliveries ended.
    pub fn count_endings(&mut self, stored: &Stored) {
        let mut count = |ending, number: usize| *self.endings.entry(ending).or_default() += number as u64;
        count("applied", stored.sessions.iter().map(|session| session.timeline().len()).sum());
        for (_, entry) in &stored.entries {
            count(entry.disposition.as_str(), usize::from(entry.disposition.as_str() != "quarantined"));
        }
        for (ending, folder) in [("parked", "parked/"), ("quarantined", "quarantine/"), ("claimed", "claims/")] {
            count(ending, stored.objects.keys().filter(|key| key.starts_with(folder)).count());
        }
        count("missing", stored.sessions.iter().map(|session| session.missing().len()).sum());
        count("dead letters", stored.dead.len());
    }

    /// Counts what was published, and what the provider was asked.
    pub fn count_jobs(&mut self, published: &[Published], asked: &[Asked]) {
        let told = published.iter().map(|told| told.name.clone());
        let asked = asked.iter().map(|asked| match asked.mood {
            Some(mood) => format!("{:?} {mood:?}", asked.question).split_whitespace().collect::<Vec<_>>().join(" "),
            None => format!("{:?}", asked.question),
        });
        told.chain(asked).for_each(|what| *self.jobs.entry(what).or_default() += 1);
    }

    /// Adds another run to this one.
    pub fn add(&mut self, other: Self) {
        self.violations.extend(other.violations);
        for (what, number) in other.struck {
            *self.struck.entry(what).or_default() += number;
        }
        for (what, number) in other.answers {
            *self.answers.entry(what).or_default() += number;
        }
        for (what, number) in other.endings {
            *self.endings.entry(what).or_default() += number;
        }
        for (what, number) in other.jobs {
            *self.jobs.entry(what).or_default() += number;
        }
        self.waits.extend(other.waits);
        self.spooled += other.spooled;
    }

    /// How long this share of the senders, from 0 to 1, waited at most for their answers; `None` if nobody has got one.
    #[must_use]
    pub fn waited(&self, share: f64) -> Option<Duration> {
        let seconds: Vec<_> = self.waits.iter().map(Duration::as_secs_f64).collect();
        (!seconds.is_empty()).then(|| Duration::from_secs_f64(quantile(&seconds, share)))
    }

    /// How many deliveries were sent.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.answers.values().sum()
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &mut dyn Iterator<Item = (String, u64)>| {
            counts.map(|(what, number)| format!("{what} {number}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "  deliveries   {}", self.deliveries())?;
        writeln!(f, "  answers      {}", list(&mut self.answers.iter().map(|(what, n)| (what.clone(), *n))))?;
        writeln!(f, "  endings      {}", list(&mut self.endings.iter().map(|(what, n)| ((*what).to_owned(), *n))))?;
        if !self.jobs.is_empty() {
            writeln!(f, "  told, asked  {}", list(&mut self.jobs.iter().map(|(what, n)| (what.clone(), *n))))?;
        }
        let mut by_fault: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_call: BTreeMap<&str, u64> = BTreeMap::new();
        for ((call, fault), number) in &self.struck {
            *by_fault.entry(fault).or_default() += number;
            *by_call.entry(call).or_default() += number;
        }
        writeln!(f, "  faults       {}", list(&mut by_fault.iter().map(|(what, n)| ((*what).to_owned(), *n))))?;
        writeln!(f, "  at the calls {}", list(&mut by_call.iter().map(|(what, n)| ((*what).to_owned(), *n))))?;
        write!(f, "  violations   {}", self.violations.len())
    }
}
