//! How the simulated world behaves.

use crate::{fault::PlannedFault, limits::RateLimits};
use std::time::Duration;

/// Everything that can be set. The same seed and the same knobs make the same world.
#[derive(Clone, PartialEq, Debug)]
pub struct Knobs {
    /// What all chance comes from.
    pub seed: u64,
    /// What happens to webhooks on their way.
    pub webhooks: WebhookKnobs,
    /// The key that `MeetStream`'s API asks for.
    pub meetstream_key: String,
    /// The key that the API of Meeting BaaS asks for.
    pub meetingbaas_key: String,
    /// How long a presigned URL is good for.
    pub url_life: Duration,
    /// What `MeetStream` says of a bot whose data it has erased: there are reports of each.
    pub erased: Erased,
    /// The most entries that a page of a list has, whatever the client asks for.
    pub page_size: usize,
    /// Whether `next` in lists of v1 of Meeting BaaS is the URL of the next page, and not its cursor: the documentation says
    /// both.
    pub next_is_a_url: bool,
    /// The order of `MeetStream`'s list of bots, which is not published.
    pub list_order: ListOrder,
    /// Whether `MeetStream`'s list of bots takes filters: its `OpenAPI` file says so, a README of its vendor that there are none.
    pub list_filters: bool,
    /// What goes wrong with lists of bots and of calendars. Faults of one bot's calls are part of its plan.
    pub list_faults: Vec<PlannedFault>,
    /// How many calls the APIs take.
    pub rate_limits: RateLimits,
}

/// The order of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ListOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
    /// None that means anything, and the same for each page.
    Shuffled,
}

/// Chances, from 0 to 1, of what can happen to a webhook on its way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct WebhookKnobs {
    /// It is lost.
    pub drop: f64,
    /// It is delivered twice.
    pub duplicate: f64,
    /// Up to three later ones overtake it.
    pub reorder: f64,
    /// It is late, by up to `longest_delay`.
    pub delay: f64,
    /// See `delay`.
    pub longest_delay: Duration,
    /// Whether deliveries that were not answered with 2xx are tried again, as their senders do. `MeetStream` never does.
    pub retries: bool,
}

/// What can be said of a bot whose data is erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Erased {
    /// 404, as for one that never was. That proves no deletion.
    NotFound,
    /// 410.
    #[default]
    Gone,
    /// Everything but its media, with the status `MediaExpired`.
    MediaExpired,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            seed: 1,
            webhooks: WebhookKnobs::default(),
            meetstream_key: "simulated-meetstream-key".to_owned(),
            meetingbaas_key: "simulated-meetingbaas-key".to_owned(),
            url_life: Duration::from_secs(600),
            erased: Erased::default(),
            page_size: 100,
            next_is_a_url: false,
            list_order: ListOrder::default(),
            list_filters: true,
            list_faults: Vec::new(),
            rate_limits: RateLimits::default(),
        }
    }
}

impl Default for WebhookKnobs {
    /// Every webhook is delivered once, at its time and in its turn.
    fn default() -> Self {
        Self {
            drop: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            delay: 0.0,
            longest_delay: Duration::from_secs(5),
            retries: true,
        }
    }
}
