//! Everything that is random about a run, drawn from one seed.

use crate::{
    account::{Account, session_of},
    bodies::{self, Body},
    delivery::{Delivery, Forgery, Tampering},
    fault::Weather,
};
use fastrand::Rng;
use shared::{Command, Endpoint, SessionId, message::MAX_WHOLE_BYTES};
use std::{collections::BTreeSet, fmt, time::Duration};

/// One run.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What it was drawn from.
    pub seed: u64,
    /// How the functions and their surroundings are set up.
    pub settings: Settings,
    /// What the provider holds.
    pub account: Account,
    /// What is sent and what goes wrong, in one or two waves. Between two, everything settles.
    pub waves: Vec<Wave>,
}

/// How the functions and their surroundings are set up.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The receive on which a record is parked.
    pub park_after_receives: u32,
    /// The receives after which the queue gives a record up.
    pub max_receives: u32,
    /// The first wait after a failure.
    pub retry_base: Duration,
    /// The longest.
    pub retry_max: Duration,
    /// How many batches are on their way at a time.
    pub pollers: u32,
    /// How many batches of commands are on their way at a time.
    pub command_pollers: u32,
    /// The receives after which the commands queue gives a command up.
    pub command_receives: u32,
    /// How long the provider is asked for one thing before that is given up.
    pub patience: Duration,
    /// Whether sound and picture are kept.
    pub keeps_recordings: bool,
    /// Whether sessions live in the table behind its real adapter, or in the store in memory.
    pub is_dynamo: bool,
    /// Whether the table deletes what has expired, or lets it lie about for longer than we look.
    pub is_prompt: bool,
    /// The longest time of a call that nothing is wrong with. Meanwhile other invocations go on.
    pub slowest: Duration,
}

/// What is sent, and what goes wrong meanwhile.
#[derive(Clone, Debug)]
pub struct Wave {
    /// How long after the last wave it comes.
    pub leap: Duration,
    /// What is sent.
    pub deliveries: Vec<Delivery>,
    /// Messages that somebody else puts into the queue: when, in which group, and their text.
    pub strangers: Vec<(Duration, String, String)>,
    /// What goes wrong.
    pub weather: Weather,
    /// For how long after the last delivery.
    pub tail: Duration,
    /// What an operator asks for, and when.
    pub orders: Vec<(Duration, Command)>,
    /// How long everything lies where it is before it is put back.
    pub replay_after: Duration,
}

/// Which functions a schedule is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speed {
    /// The handlers in this process: everything there is.
    InProcess,
    /// The real binaries: shorter, because time is real.
    Real,
}

const DAY: Duration = Duration::from_secs(86_400);

/// After how many days things are put back. Lines beside sessions live for 7 days, and what is settled before and after may take a
/// day and a half each: between these numbers nobody could say from outside which lines are still there.
const REPLAYS_AFTER: [u32; 6] = [1, 2, 3, 8, 12, 20];

impl Schedule {
    /// Draws the schedule of a seed.
    #[must_use]
    pub fn draw(seed: u64, speed: Speed) -> Self {
        let mut rng = Rng::with_seed(seed);
        // Drawn apart, so that the seeds of planted bugs stay what they are.
        let slowest = Duration::from_millis(*Rng::with_seed(!seed).choice(&[0, 40, 3000, 3000]).unwrap_or(&0));
        let settings = Settings { slowest, ..Settings::draw(&mut rng) };
        let subjects: Vec<_> = (0..rng.usize(1..4)).map(|n| Subject::draw(&mut rng, seed, n)).collect();
        let known: Vec<_> = subjects.iter().filter_map(Subject::known).collect();
        let account = Account::draw(&mut rng, &known);
        let mut waves = vec![Wave::draw(&mut rng, &subjects, Duration::ZERO, speed)];
        if speed == Speed::InProcess && rng.u8(0..5) == 0 {
            // Beyond what entries are remembered, or beyond what sessions are.
            let leap = if rng.bool() { 8 * DAY } else { 92 * DAY };
            let mut second = Wave::draw(&mut rng, &subjects, leap, speed);
            if rng.bool()
                && let Some(first) = waves.first()
            {
                second.deliveries = first.deliveries.clone();
            }
            waves.push(second);
        }
        Self { seed, settings, account, waves }
    }
}

impl Settings {
    /// Draws some.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let park_after_receives = rng.u32(2..7);
        // Usually far above, as in production; sometimes so near that crashes fill the dead-letter queue.
        let max_receives = if rng.u8(0..4) == 0 { park_after_receives + rng.u32(0..3) } else { 50 };
        let retry_max = *rng.choice(&[1, 20, 900]).unwrap_or(&20);
        Self {
            park_after_receives,
            max_receives,
            retry_base: Duration::from_secs(rng.u64(0..3)),
            retry_max: Duration::from_secs(retry_max),
            pollers: rng.u32(1..4),
            command_pollers: rng.u32(1..4),
            command_receives: *rng.choice(&[25, 25, 25, 3]).unwrap_or(&25),
            patience: Duration::from_secs(*rng.choice(&[6, 24]).unwrap_or(&24) * 3600),
            keeps_recordings: rng.u8(0..5) > 0,
            is_dynamo: rng.u8(0..8) == 0,
            is_prompt: rng.bool(),
            slowest: Duration::ZERO,
        }
    }
}

/// A bot or a calendar, and how we hear of it.
struct Subject {
    id: String,
    word: String,
    endpoints: Vec<Endpoint>,
    is_calendar: bool,
}

impl Subject {
    fn draw(rng: &mut Rng, seed: u64, n: usize) -> Self {
        let id = match rng.u8(0..10) {
            0 => format!("x/{seed:x}?{n}#"),
            _ => format!("bot-{seed:x}-{n}"),
        };
        let (endpoints, is_calendar) = match rng.u8(0..12) {
            0..=3 => (vec![Endpoint::MeetStream], false),
            4 => (vec![Endpoint::MeetStreamCallback], false),
            5..=6 => (vec![Endpoint::MeetStream, Endpoint::MeetStreamCallback], false),
            7 => (vec![Endpoint::MeetingBaasV1], false),
            8 => (vec![Endpoint::MeetingBaasV2], false),
            9 => (vec![Endpoint::MeetingBaasV2, Endpoint::MeetingBaasCallback], false),
            10 => (vec![Endpoint::MeetingBaasLegacy], false),
            _ => (vec![Endpoint::MeetingBaasV2], true),
        };
        Self { id, word: format!("zqx{seed:x}n{n}zqx"), endpoints, is_calendar }
    }

    /// Its session, its word, and whether it is a calendar.
    fn known(&self) -> Option<(SessionId, String, bool)> {
        let provider = self.endpoints.first()?.provider();
        Some((session_of(provider, self.is_calendar, &self.id)?, self.word.clone(), self.is_calendar))
    }
}

impl Wave {
    fn draw(rng: &mut Rng, subjects: &[Subject], leap: Duration, speed: Speed) -> Self {
        let mut deliveries = Vec::new();
        for subject in subjects {
            for &endpoint in &subject.endpoints {
                deliveries.extend(course(rng, subject, endpoint, speed));
            }
        }
        for delivery in deliveries.clone() {
            for _ in 0..[0, 0, 0, 0, 0, 1, 1, 2].get(rng.usize(0..8)).copied().unwrap_or(0) {
                deliveries.push(again(rng, &delivery));
            }
        }
        if speed == Speed::InProcess && rng.u8(0..24) == 0 {
            for _ in 0..rng.u8(1..3) {
                swell(rng, &mut deliveries);
            }
        }
        forge(rng, &mut deliveries);
        place(rng, &mut deliveries, speed);
        let strangers = if rng.u8(0..20) == 0 {
            let at = Duration::from_millis(rng.u64(0..10_000));
            vec![(at, "somebody-elses-group".to_owned(), format!("hello {}", rng.u32(..)))]
        } else {
            vec![]
        };
        let sessions: BTreeSet<_> =
            deliveries.iter().filter_map(|delivery| delivery.peek().session).map(|id| id.encoded()).collect();
        let weather = Weather::draw(rng, &sessions.into_iter().collect::<Vec<_>>());
        let orders = orders(rng, subjects);
        let replay_after =
            if rng.u8(0..6) == 0 { *rng.choice(&REPLAYS_AFTER).unwrap_or(&1) * DAY } else { Duration::ZERO };
        Self { leap, deliveries, strangers, weather, tail: Duration::from_secs(rng.u64(1..1200)), orders, replay_after }
    }
}

/// Deletions of some subjects, and now and then what was given up of one is wanted again.
fn orders(rng: &mut Rng, subjects: &[Subject]) -> Vec<(Duration, Command)> {
    let mut orders = Vec::new();
    for (session, ..) in subjects.iter().filter_map(Subject::known) {
        let at = Duration::from_millis(rng.u64(0..120_000));
        match rng.u8(0..10) {
            0 => orders.push((at, Command::Delete { session })),
            1 => orders.push((at, Command::Refetch { session, artifact: None })),
            _ => {}
        }
    }
    orders
}

fn course(rng: &mut Rng, subject: &Subject, endpoint: Endpoint, speed: Speed) -> Vec<Delivery> {
    let whole = bodies::course(rng, endpoint, subject.is_calendar, &subject.id, &subject.word);
    // Usually not all of it: what is missing must be missing without harm.
    let keep = *rng.choice(&[20, 50, 100]).unwrap_or(&50);
    let most = if speed == Speed::Real { 5 } else { 24 };
    let mut told = Vec::new();
    for body in whole {
        if rng.u8(0..100) >= keep || told.len() >= most {
            continue;
        }
        if rng.u8(0..12) == 0 {
            told.push(bodies::odd(rng, endpoint, &subject.id));
        }
        if rng.u8(0..8) == 0 {
            told.push(bodies::moved(rng, &body));
        }
        let is_hostile = rng.u8(0..12) == 0;
        told.push(if is_hostile { bodies::hostile(rng, endpoint, &body) } else { body });
    }
    told.into_iter().map(|body| delivery(rng, endpoint, body)).collect()
}

fn delivery(rng: &mut Rng, endpoint: Endpoint, body: Body) -> Delivery {
    let delivery_id = (endpoint == Endpoint::MeetingBaasV2).then(|| format!("msg_{:016x}", rng.u64(..)));
    Delivery { endpoint, delivery_id, ..Delivery::of(body) }
}

/// The same delivery once more: as its sender sends it again, or as a person does, under a new id.
fn again(rng: &mut Rng, delivery: &Delivery) -> Delivery {
    let mut again = Delivery { name: format!("{}, again", delivery.name), ..delivery.clone() };
    if again.delivery_id.is_some() && rng.u8(0..4) == 0 {
        again.delivery_id = Some(format!("msg_{:016x}", rng.u64(..)));
    }
    again
}

fn swell(rng: &mut Rng, deliveries: &mut [Delivery]) {
    let Some(delivery) = rng.choice(deliveries) else { return };
    let body = Body { name: delivery.name.clone(), bytes: delivery.body.clone(), is_genuine: delivery.is_genuine };
    let is_bloated = rng.u8(0..6) == 0;
    let Body { name, bytes, .. } =
        if is_bloated { bodies::bloated(delivery.endpoint, &body) } else { bodies::swollen(&body) };
    (delivery.name, delivery.body) = (name, bytes);
    if delivery.body.len() <= MAX_WHOLE_BYTES {
        // It was too odd to be made larger, so it is never stored as a claim.
        return;
    }
    delivery.tampering = match rng.u8(0..4) {
        0 => Some(Tampering::Altered),
        1 => Some(Tampering::Removed),
        _ => None,
    };
}

fn forge(rng: &mut Rng, deliveries: &mut Vec<Delivery>) {
    for original in deliveries.clone() {
        if rng.u8(0..8) == 0 {
            let mut forged = Delivery { name: format!("{}, forged", original.name), ..original };
            forged.forgery = rng.choice(Forgery::against(forged.endpoint)).copied();
            deliveries.push(forged);
        }
    }
}

/// Gives every delivery its time: in order or not, spread or in bursts.
fn place(rng: &mut Rng, deliveries: &mut [Delivery], speed: Speed) {
    if rng.bool() {
        rng.shuffle(deliveries);
    }
    let longest = match speed {
        Speed::InProcess => *rng.choice(&[1_u64, 400, 4_000, 60_000]).unwrap_or(&400),
        Speed::Real => *rng.choice(&[1_u64, 20, 150]).unwrap_or(&20),
    };
    let mut now = 0;
    for delivery in deliveries.iter_mut() {
        if rng.u8(0..3) > 0 {
            now += rng.u64(0..longest);
        }
        delivery.at = Duration::from_millis(now);
    }
    // A few come long after they should have.
    for delivery in deliveries.iter_mut() {
        if rng.u8(0..10) == 0 {
            delivery.at += Duration::from_millis(rng.u64(0..10 * longest));
        }
    }
    deliveries.sort_by_key(|delivery| delivery.at);
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schedule {}", self.seed)?;
        writeln!(f, "  {:?}", self.settings)?;
        for (n, wave) in self.waves.iter().enumerate() {
            writeln!(f, "  wave {n}, {} days later", wave.leap.as_secs() / 86_400)?;
            for delivery in &wave.deliveries {
                writeln!(f, "  {delivery}")?;
            }
            for (at, group, text) in &wave.strangers {
                writeln!(f, "  {:>9.3} s  in the queue: {text:?} in {group:?}", at.as_secs_f64())?;
            }
            writeln!(f, "  what goes wrong, until {} s after the last delivery:", wave.tail.as_secs())?;
            write!(f, "{}", wave.weather)?;
            for (at, order) in &wave.orders {
                writeln!(f, "    {:>9.3} s  an operator asks for {}", at.as_secs_f64(), order.encode())?;
            }
            writeln!(f, "    put back {} days later", wave.replay_after.as_secs() / 86_400)?;
        }
        write!(f, "{}", self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_schedule() {
        for seed in 0..20 {
            let [one, two] = [0; 2].map(|_| Schedule::draw(seed, Speed::InProcess).to_string());
            assert_eq!(one, two);
        }
        assert_ne!(
            Schedule::draw(1, Speed::InProcess).to_string(),
            Schedule::draw(2, Speed::InProcess).to_string().replace("schedule 2", "schedule 1")
        );
    }

    #[test]
    fn schedules_hold_everything_that_they_should() {
        let all: Vec<_> = (0..800).map(|seed| Schedule::draw(seed, Speed::InProcess)).collect();
        let deliveries = || all.iter().flat_map(|schedule| &schedule.waves).flat_map(|wave| &wave.deliveries);
        for endpoint in Endpoint::ALL {
            assert!(deliveries().any(|delivery| delivery.endpoint == endpoint));
            for forgery in Forgery::against(endpoint) {
                let is = |delivery: &Delivery| delivery.endpoint == endpoint && delivery.forgery == Some(*forgery);
                assert!(deliveries().any(is), "{endpoint:?} {forgery:?}");
            }
        }
        for tampering in [Tampering::Altered, Tampering::Removed] {
            assert!(deliveries().any(|delivery| delivery.tampering == Some(tampering)), "{tampering:?}");
        }
        assert!(all.iter().any(|schedule| schedule.waves.len() == 2 && schedule.settings.is_dynamo));
    }
}
