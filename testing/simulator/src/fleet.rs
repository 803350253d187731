//! Many bots at once, each with a fate of its own.

use crate::{
    body::Era,
    fault::{Fault, Operation, RetryAfter, Times},
    plan::{Api, BotPlan},
    script::{Ending, Transcription},
};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shared::{Endpoint, event::Artifact};
use std::time::Duration;

/// What a fleet is like.
#[derive(Clone, PartialEq, Debug)]
pub struct Fleet {
    /// How many bots.
    pub bots: usize,
    /// The routes of their deliveries. Bots of a provider that has two of them may use both.
    pub channels: Vec<Endpoint>,
    /// When the first meetings begin.
    pub begins_at: Timestamp,
    /// How long it takes until the last is over.
    pub duration: Duration,
    /// The chance, for each artifact that is to be had, that its provider's API does something wrong.
    pub api_faults: f64,
    /// The most bytes of a recording.
    pub largest: u64,
    /// What all chance comes from.
    pub seed: u64,
    /// What the bots' ids come from, and nothing else: in another run other bots have the same fates.
    pub run: u64,
}

impl Fleet {
    /// The bots. The same fleet has the same bots.
    #[must_use]
    pub fn plans(&self) -> Vec<BotPlan> {
        let (mut rng, mut ids) = (Rng::with_seed(self.seed), Rng::with_seed(self.run));
        let mut deal = Deal::default();
        (0..self.bots).map(|number| self.plan(number, new_id(&mut ids), &mut rng, &mut deal)).collect()
    }

    fn plan(&self, number: usize, bot_id: String, rng: &mut Rng, deal: &mut Deal) -> BotPlan {
        // In turn, so that a small fleet has some of each.
        let channel = self.channels.get(number % self.channels.len().max(1)).copied().unwrap_or(Endpoint::MeetStream);
        let size = |rng: &mut Rng| rng.u64(1..=self.largest.max(1));
        let (ending, transcription) = (ending(channel, rng), transcription(rng));
        let mut plan = BotPlan {
            ending,
            transcription,
            audio_bytes: chance(rng, 0.95).then(|| size(rng)),
            video_bytes: chance(rng, 0.8).then(|| size(rng)),
            utterances: rng.usize(1..=40),
            deletion: chance(rng, 0.15),
            era: *weighted(rng, &[(7, Era::Both), (2, Era::BotEvent), (1, Era::Event)]),
            attributes: json!({ "sent_by": "rollcall", "job": format!("job-{number}") })
                .as_object()
                .cloned()
                .unwrap_or_default(),
            inline_transcript: chance(rng, 0.7),
            stale_webhook_urls: chance(rng, 0.1),
            seed: rng.u64(..),
            ..BotPlan::new(channel, bot_id)
        };
        plan.channels.extend(self.second_channel(channel).filter(|_| chance(rng, 0.3)));
        self.schedule(&mut plan, rng);
        for artifact in [Artifact::Audio, Artifact::Video, Artifact::Transcript] {
            // Where nothing is to be had, nothing goes wrong.
            let is_to_be_had = plan.has(artifact) && !plan.is_erased_in_the_end();
            if chance(rng, self.api_faults) && is_to_be_had {
                plan = deal.spoil(plan, artifact, rng);
            }
        }
        plan
    }

    fn second_channel(&self, first: Endpoint) -> Option<Endpoint> {
        let second = match first {
            Endpoint::MeetStream => Endpoint::MeetStreamCallback,
            Endpoint::MeetingBaasV2 => Endpoint::MeetingBaasCallback,
            _ => return None,
        };
        self.channels.contains(&second).then_some(second)
    }

    /// Puts the meeting somewhere into the fleet's time, and makes it fit.
    fn schedule(&self, plan: &mut BotPlan, rng: &mut Rng) {
        let late = self.duration.mul_f64(rng.f64() * 0.3);
        let left = (self.duration - late).mul_f64(0.5 + rng.f64() * 0.5);
        let nominal = plan.steps().first().map_or(0, |step| step.before_end);
        #[expect(clippy::cast_precision_loss, reason = "a meeting has fewer than 2^52 seconds")]
        let speed = nominal as f64 / left.as_secs_f64().max(0.001);
        plan.speed = speed.max(1.0);
        let length = SignedDuration::try_from(left).unwrap_or_default();
        let late = SignedDuration::try_from(late).unwrap_or_default();
        plan.ends_at = self.begins_at.saturating_add(late + length).unwrap_or(self.begins_at);
    }
}

fn ending(channel: Endpoint, rng: &mut Rng) -> Ending {
    // Elsewhere nothing is ever heard of it.
    let tells_of_schedules =
        matches!(channel, Endpoint::MeetStream | Endpoint::MeetStreamCallback | Endpoint::MeetingBaasV2);
    let cancelled = if tells_of_schedules { 5 } else { 0 };
    *weighted(
        rng,
        &[
            (60, Ending::Completed),
            (10, Ending::Kicked),
            (8, Ending::NotAdmitted),
            (8, Ending::Denied),
            (9, Ending::Failed),
            (cancelled, Ending::Cancelled),
        ],
    )
}

fn transcription(rng: &mut Rng) -> Transcription {
    use Transcription::{Failed, PostCall, Skipped, Streaming};
    *weighted(rng, &[(75, PostCall), (10, Streaming), (8, Failed), (7, Skipped)])
}

/// How many kinds of faults there are.
const FAULTS: usize = 14;

/// Deals faults, each kind as often as any other, so that a small fleet meets all of them.
#[derive(Default)]
struct Deal([u32; FAULTS]);

impl Deal {
    /// Something goes wrong somewhere on the way to an artifact.
    fn spoil(&mut self, plan: BotPlan, artifact: Artifact, rng: &mut Rng) -> BotPlan {
        let (few, pause) = (Times::First(rng.u32(1..=3)), Duration::from_millis(rng.u64(1..=50)));
        let fitting = (0..FAULTS).filter_map(|kind| Some((kind, fault(kind, &plan, artifact, few, pause)?)));
        let rarest = fitting.min_by_key(|(kind, _)| self.0.get(*kind).copied().unwrap_or_default());
        let Some((kind, (operation, fault, times))) = rarest else { return plan };
        if let Some(dealt) = self.0.get_mut(kind) {
            *dealt += 1;
        }
        plan.with_fault(operation, fault, times)
    }
}

/// The fault of a kind; `None` if it cannot happen on the way to this artifact.
fn fault(
    kind: usize,
    plan: &BotPlan,
    artifact: Artifact,
    few: Times,
    pause: Duration,
) -> Option<(Operation, Fault, Times)> {
    let call = match (plan.api(), artifact) {
        (Api::MeetStream, Artifact::Audio) => Operation::GetAudio,
        (Api::MeetStream, Artifact::Video) => Operation::GetVideo,
        (Api::MeetStream, _) => Operation::GetTranscript,
        (Api::MeetingBaasV1, _) => Operation::MeetingData,
        (Api::MeetingBaasV2, _) => Operation::BotV2,
    };
    let is_a_file = !(artifact == Artifact::Transcript && plan.api() != Api::MeetingBaasV2);
    let file = if is_a_file { Operation::Download(artifact) } else { call };
    let has_pending = plan.api() == Api::MeetStream;
    let once = Times::First(1);
    Some(match kind {
        0 if has_pending => (call, Fault::Pending, few),
        1 if has_pending => (call, Fault::Pending, Times::Always),
        2 => (call, Fault::Status(404), Times::Always),
        3 => (call, Fault::Status(410), Times::Always),
        4 => (call, Fault::TooManyRequests(RetryAfter::Seconds(1)), few),
        5 => (call, Fault::TooManyRequests(RetryAfter::Date(1)), once),
        6 => (call, Fault::Reset, few),
        7 => (file, Fault::Slow(pause), once),
        8 => (file, Fault::Truncated, once),
        9 if is_a_file => (call, Fault::ExpiredUrls, once),
        10 => (call, Fault::Redirect, once),
        11 => (call, Fault::Status(403), Times::Always),
        12 => (file, Fault::Truncated, Times::Always),
        13 => (call, Fault::Status(500), few),
        _ => return None,
    })
}

fn chance(rng: &mut Rng, of: f64) -> bool {
    rng.f64() < of
}

fn weighted<'a, T>(rng: &mut Rng, choices: &'a [(u32, T)]) -> &'a T {
    let mut left = rng.u32(0..choices.iter().map(|(weight, _)| *weight).sum::<u32>().max(1));
    let chosen = choices.iter().find(|(weight, _)| {
        let is_it = left < *weight;
        left = left.saturating_sub(*weight);
        is_it
    });
    #[expect(clippy::expect_used, reason = "every list of choices has one with a weight")]
    &chosen.expect("a choice").1
}

/// An id of the form that the senders use.
fn new_id(rng: &mut Rng) -> String {
    // Version 4, variant 1: what a UUID without any meaning has in these places.
    let bits = rng.u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let digits = format!("{bits:032x}");
    let part = |range| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn fleet() -> Fleet {
        Fleet {
            bots: 500,
            channels: vec![
                Endpoint::MeetStream,
                Endpoint::MeetStreamCallback,
                Endpoint::MeetingBaasV1,
                Endpoint::MeetingBaasV2,
                Endpoint::MeetingBaasCallback,
            ],
            begins_at: "2026-11-24T10:00:00Z".parse().unwrap(),
            duration: Duration::from_secs(30),
            api_faults: 0.5,
            largest: 100_000,
            seed: 9,
            run: 1,
        }
    }

    #[test]
    fn a_fleet_has_some_of_everything() {
        let plans = fleet().plans();
        let has = |name: &str, of: &dyn Fn(&BotPlan) -> bool| {
            assert!(plans.iter().any(of), "{name}");
        };
        for ending in Ending::ALL {
            has("an ending", &|plan| plan.ending == ending);
        }
        for channel in fleet().channels {
            has("a channel", &|plan| plan.channels == [channel]);
        }
        has("both channels", &|plan| plan.channels.len() == 2);
        has("streaming", &|plan| plan.transcription == Transcription::Streaming);
        has("a deletion", &|plan| plan.deletion);
        has("202 for ever", &|plan| {
            plan.faults.iter().any(|planned| planned.fault == Fault::Pending && planned.times == Times::Always)
        });
        let kinds: BTreeSet<String> =
            plans.iter().flat_map(|plan| &plan.faults).map(crate::PlannedFault::kind).collect();
        assert_eq!(kinds.len(), FAULTS, "{kinds:?}");
        let ids: BTreeSet<&str> = plans.iter().map(|plan| plan.bot_id.as_str()).collect();
        assert_eq!(ids.len(), 500);
    }

    #[test]
    fn a_fleet_repeats_itself_by_its_seed() {
        assert_eq!(fleet().plans(), fleet().plans());
        assert_ne!(fleet().plans(), Fleet { seed: 10, ..fleet() }.plans());
        for (one, other) in fleet().plans().into_iter().zip(Fleet { run: 2, ..fleet() }.plans()) {
            assert_ne!(one.bot_id, other.bot_id);
            assert_eq!(one, BotPlan { bot_id: one.bot_id.clone(), ..other });
        }
    }

    #[test]
    fn meetings_fit_into_the_time_there_is() {
        let (begin, end) = (fleet().begins_at, fleet().begins_at + SignedDuration::from_secs(30));
        for plan in fleet().plans() {
            for step in plan.steps() {
                let at = plan.at(step);
                assert!((begin..=end).contains(&at), "{at} of {plan:?}");
            }
        }
    }
}
