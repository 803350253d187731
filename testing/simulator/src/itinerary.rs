//! What becomes of deliveries on their way: chance, decided beforehand.

use crate::knobs::WebhookKnobs;
use fastrand::Rng;
use std::time::Duration;

/// How many later ones can overtake a delivery.
const OVERTAKERS: usize = 3;

/// What keeps the order of deliveries that are due at one time.
const MOMENT: Duration = Duration::from_micros(1);

/// One time that a delivery is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trip {
    /// Which of the deliveries.
    pub(crate) delivery: usize,
    /// When, since the beginning.
    pub(crate) at: Duration,
    /// Whether it has been sent before.
    pub(crate) is_copy: bool,
}

/// When each of the deliveries is sent that would be due at `times`, which rise. One that has no trip is lost.
pub(crate) fn plan(times: &[Duration], knobs: &WebhookKnobs, rng: &mut Rng) -> Vec<Trip> {
    let mut trips = Vec::new();
    for (delivery, due) in times.iter().enumerate() {
        // Every delivery takes the same number of chances, so that one knob does not change what another one does.
        let [drop, duplicate, reorder, delay] = std::array::from_fn(|_| rng.f64());
        let (overtakers, share, gap) = (rng.usize(1..=OVERTAKERS), rng.f64(), rng.f64());
        if drop < knobs.drop {
            continue;
        }
        let mut at = *due;
        if reorder < knobs.reorder {
            let last = times.get(delivery + overtakers).or(times.last()).copied().unwrap_or_default();
            at = at.max(last + MOMENT);
        }
        if delay < knobs.delay {
            at += knobs.longest_delay.mul_f64(share);
        }
        trips.push(Trip { delivery, at, is_copy: false });
        if duplicate < knobs.duplicate {
            trips.push(Trip { delivery, at: at + knobs.longest_delay.mul_f64(gap / 4.0), is_copy: true });
        }
    }
    trips.sort_by_key(|trip| (trip.at, trip.is_copy));
    trips
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Vec<Duration> {
        (0..1000).map(Duration::from_secs).collect()
    }

    fn trips(knobs: WebhookKnobs) -> Vec<Trip> {
        plan(&times(), &knobs, &mut Rng::with_seed(5))
    }

    /// That `share` of a thousand has this property, give or take 5 %.
    #[track_caller]
    fn check(name: &str, share: f64, count: usize) {
        let expected = share * 1000.0;
        assert!((count as f64 - expected).abs() < 50.0, "{name}: {count} and not about {expected}");
    }

    #[test]
    fn without_chance_everything_is_sent_once_at_its_time() {
        let expected = times().into_iter().enumerate();
        let expected: Vec<_> = expected.map(|(delivery, at)| Trip { delivery, at, is_copy: false }).collect();
        assert_eq!(trips(WebhookKnobs::default()), expected);
    }

    #[test]
    fn chances_come_about_as_often_as_they_should() {
        let usual = WebhookKnobs::default();
        check("drop", 0.9, trips(WebhookKnobs { drop: 0.1, ..usual }).len());
        let twice = trips(WebhookKnobs { duplicate: 0.2, ..usual });
        check("duplicate", 1.2, twice.len());
        assert!(twice.iter().filter(|trip| trip.is_copy).all(|copy| {
            let original = twice.iter().find(|trip| trip.delivery == copy.delivery).unwrap();
            !original.is_copy && original.at <= copy.at
        }));
        let reordered = trips(WebhookKnobs { reorder: 0.3, ..usual });
        assert_eq!(reordered.len(), 1000);
        let late = reordered.iter().filter(|trip| trip.at > times()[trip.delivery]).count();
        check("reorder", 0.3, late);
        let overtaken = reordered.windows(2).filter(|pair| pair[0].delivery > pair[1].delivery).count();
        assert!(overtaken > 100, "{overtaken}");
        let delayed = trips(WebhookKnobs { delay: 0.5, ..usual });
        check("delay", 0.5, delayed.iter().filter(|trip| trip.at > times()[trip.delivery]).count());
    }

    #[test]
    fn the_same_seed_has_the_same_chances_whatever_else_is_set() {
        let lost = |knobs| {
            let trips = trips(knobs);
            (0..1000).filter(|delivery| !trips.iter().any(|trip| trip.delivery == *delivery)).collect::<Vec<_>>()
        };
        let some = WebhookKnobs { drop: 0.1, ..WebhookKnobs::default() };
        assert_eq!(lost(some), lost(WebhookKnobs { duplicate: 0.5, reorder: 0.5, delay: 0.5, ..some }));
    }
}
