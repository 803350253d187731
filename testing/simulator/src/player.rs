//! Plays meetings: lets their steps happen, and sends what is told of them.

use crate::{
    courier::{Courier, SendError},
    delivery::{Delivery, Target},
    itinerary::{self, Trip},
    knobs::WebhookKnobs,
    simulation::Bot,
    webhook::Webhook,
};
use fastrand::Rng;
use jiff::Timestamp;
use shared::Endpoint;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The least that is waited before a further try, however fast time goes.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// Where deliveries go, by route.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    routes: BTreeMap<Endpoint, (Target, Courier)>,
}

/// Plays meetings, each as its plan has it.
#[derive(Clone, Debug)]
pub struct Player {
    /// Who gets the deliveries.
    pub receiver: Receiver,
    /// What happens to them on their way.
    pub knobs: WebhookKnobs,
    /// What chance comes from, together with the bot's own seed.
    pub seed: u64,
    /// Whether the time between steps is waited for. If not, everything is sent as fast as it is taken, in the same order.
    pub in_real_time: bool,
}

/// One delivery that was sent, or should have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The bot.
    pub bot_id: String,
    /// The route.
    pub endpoint: Endpoint,
    /// What it tells of, as a session calls it.
    pub name: String,
    /// Whether it had been sent before, to be a duplicate.
    pub is_copy: bool,
    /// Whether it is a further try, after one that was not answered with 2xx.
    pub is_retry: bool,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a delivery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It was lost on purpose, and never sent.
    Dropped,
    /// It was answered.
    Answered {
        /// With this status.
        status: u16,
        /// After this time.
        took: Duration,
    },
    /// It was not answered, and may have arrived all the same.
    Unanswered {
        /// Why.
        why: String,
    },
    /// The receiver has no such route.
    NoRoute,
}

impl Fate {
    /// Whether the receiver has confirmed it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }
}

impl Receiver {
    /// A receiver with these routes.
    ///
    /// # Errors
    /// When nothing can be sent to one of them.
    pub fn new(routes: impl IntoIterator<Item = (Endpoint, Target)>) -> Result<Self, SendError> {
        let route = |(endpoint, target): (Endpoint, Target)| {
            let courier = Courier::new(&target)?;
            Ok((endpoint, (target, courier)))
        };
        Ok(Self { routes: routes.into_iter().map(route).collect::<Result<_, _>>()? })
    }

    /// The routes it has.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> + '_ {
        self.routes.keys().copied()
    }

    /// The request that brings a webhook to its route; `None` if there is no such route.
    #[must_use]
    pub fn delivery(&self, webhook: &Webhook) -> Option<Delivery> {
        let (target, _) = self.routes.get(&webhook.endpoint)?;
        Some(webhook.delivery(target, Timestamp::now()))
    }

    /// Sends a delivery to a route.
    pub async fn send(&self, endpoint: Endpoint, delivery: &Delivery) -> Fate {
        let Some((_, courier)) = self.routes.get(&endpoint) else { return Fate::NoRoute };
        match courier.send(delivery).await {
            Ok(answer) => Fate::Answered { status: answer.status, took: answer.took },
            Err(error) => Fate::Unanswered { why: error.to_string() },
        }
    }
}

/// What can be due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Due {
    /// The next step of the meeting.
    Step,
    /// A delivery, for the first time or again.
    Send { delivery: usize, is_copy: bool, tries: usize },
}

impl Player {
    /// Plays one meeting from its beginning to its end, and tells of every delivery at once and in the end.
    pub async fn play(&self, bot: &Bot, mut tell: impl FnMut(&Sent) + Send) -> Vec<Sent> {
        bot.rewind();
        let mut played = Played::new(self, bot);
        let mut sent: Vec<Sent> = Vec::new();
        for lost in played.lost() {
            tell(&lost);
            sent.push(lost);
        }
        let begun = Instant::now();
        while let Some(((at, _), due)) = played.agenda.pop_first() {
            let is_retry = matches!(due, Due::Send { tries: 1.., .. });
            if self.in_real_time {
                tokio::time::sleep(at.saturating_sub(begun.elapsed())).await;
            } else if is_retry {
                tokio::time::sleep(SHORTEST_WAIT).await;
            }
            match due {
                Due::Step => played.webhooks.extend(bot.step().unwrap_or_default().into_iter().map(Some)),
                Due::Send { delivery, is_copy, tries } => {
                    let Some(one) = played.send(delivery, is_copy, tries).await else { continue };
                    if let Some(wait) = self.wait_after(&one, tries, bot.plan().speed) {
                        let again = at.max(begun.elapsed()) + wait;
                        played.put(again, Due::Send { delivery, is_copy, tries: tries + 1 });
                    }
                    tell(&one);
                    sent.push(one);
                }
            }
        }
        sent
    }

    /// How long its sender waits before it tries again, at the meeting's speed; `None` if it does not.
    fn wait_after(&self, sent: &Sent, tries: usize, speed: f64) -> Option<Duration> {
        /// Seconds.
        const SVIX: &[u64] = &[5, 10, 300, 900, 1800, 7200];
        const CALLBACK: &[u64] = &[1, 5, 15];
        /// The vendor says that there are some, and no more.
        const V1: &[u64] = &[5, 30];
        let is_theirs = match sent.fate {
            Fate::Answered { status, .. } => status >= 500,
            Fate::Unanswered { .. } => true,
            Fate::Dropped | Fate::NoRoute => return None,
        };
        let waits = match sent.endpoint {
            _ if sent.fate.is_accepted() || !self.knobs.retries => return None,
            Endpoint::MeetStream | Endpoint::MeetStreamCallback => return None,
            Endpoint::MeetingBaasCallback if !is_theirs => return None,
            Endpoint::MeetingBaasCallback => CALLBACK,
            Endpoint::MeetingBaasV1 | Endpoint::MeetingBaasLegacy => V1,
            Endpoint::MeetingBaasV2 => SVIX,
        };
        Some(Duration::from_secs(*waits.get(tries)?).div_f64(speed.max(1.0)).max(SHORTEST_WAIT))
    }
}

/// A meeting that is being played.
struct Played<'a> {
    player: &'a Player,
    bot: &'a Bot,
    /// What is due when, and in which order at the same time.
    agenda: BTreeMap<(Duration, usize), Due>,
    /// What the steps so far have told, channel by channel.
    webhooks: Vec<Option<Webhook>>,
    /// The requests made of them. A duplicate and a further try are the same request once more.
    requests: BTreeMap<usize, Delivery>,
    lost: Vec<Webhook>,
}

impl<'a> Played<'a> {
    fn new(player: &'a Player, bot: &'a Bot) -> Self {
        let plan = bot.plan();
        let steps = plan.steps();
        let first = steps.first().map_or(plan.ends_at, |step| plan.at(*step));
        let since = |step| Duration::try_from(plan.at(step).duration_since(first)).unwrap_or_default();
        let mut played =
            Self { player, bot, agenda: BTreeMap::new(), webhooks: vec![], requests: BTreeMap::new(), lost: vec![] };
        let mut foretold = Vec::new();
        for step in &steps {
            played.put(since(*step), Due::Step);
            // What is told depends on nothing but the step, so how much there will be is known.
            let told = plan.channels.iter().filter_map(|channel| Webhook::of(plan, *channel, *step, None));
            foretold.extend(told.map(|webhook| (since(*step), webhook)));
        }
        let mut rng = Rng::with_seed(player.seed ^ plan.seed);
        let times: Vec<Duration> = foretold.iter().map(|(at, _)| *at).collect();
        let trips = itinerary::plan(&times, &player.knobs, &mut rng);
        for Trip { delivery, at, is_copy } in &trips {
            played.put(*at, Due::Send { delivery: *delivery, is_copy: *is_copy, tries: 0 });
        }
        let is_lost = |at: usize| !trips.iter().any(|trip| trip.delivery == at);
        let lost = foretold.into_iter().enumerate().filter(|(at, _)| is_lost(*at));
        played.lost = lost.map(|(_, (_, webhook))| webhook).collect();
        played
    }

    fn put(&mut self, at: Duration, due: Due) {
        // Steps were put in first, so what they tell can be sent at the same time.
        let order = self.agenda.range((at, 0)..=(at, usize::MAX)).next_back().map_or(0, |((_, order), _)| order + 1);
        self.agenda.insert((at, order), due);
    }

    fn lost(&mut self) -> Vec<Sent> {
        let lost = std::mem::take(&mut self.lost);
        lost.iter().map(|webhook| self.sent(webhook, false, 0, Fate::Dropped)).collect()
    }

    async fn send(&mut self, delivery: usize, is_copy: bool, tries: usize) -> Option<Sent> {
        let webhook = self.webhooks.get(delivery)?.clone()?;
        let receiver = &self.player.receiver;
        let fate = match self.requests.get(&delivery).cloned().or_else(|| receiver.delivery(&webhook)) {
            None => Fate::NoRoute,
            Some(request) => {
                self.requests.insert(delivery, request.clone());
                receiver.send(webhook.endpoint, &request).await
            }
        };
        Some(self.sent(&webhook, is_copy, tries, fate))
    }

    fn sent(&self, webhook: &Webhook, is_copy: bool, tries: usize, fate: Fate) -> Sent {
        Sent {
            bot_id: self.bot.plan().bot_id.clone(),
            endpoint: webhook.endpoint,
            name: webhook.name_in_session.clone(),
            is_copy,
            is_retry: tries > 0,
            fate,
        }
    }
}
