//! What the function needs from outside: traits, adapters for AWS and the providers, and doubles for tests. Nothing here knows what a
//! delivery or a job is.

pub(crate) mod bucket;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod providers;
pub(crate) mod publisher;
pub(crate) mod queues;
pub(crate) mod sessions;

use bucket::Bucket;
use providers::ProviderApi;
use publisher::Publisher;
use queues::{commands::CommandQueue, events::EventsQueue};
use sessions::SessionStore;

/// All ports, as one value.
pub trait Services {
    type Sessions: SessionStore;
    type Bucket: Bucket;
    type Events: EventsQueue;
    type Commands: CommandQueue;
    type Publisher: Publisher;
    type Providers: ProviderApi;

    fn sessions(&self) -> &Self::Sessions;
    fn bucket(&self) -> &Self::Bucket;
    /// The queue of deliveries.
    fn events(&self) -> &Self::Events;
    fn commands(&self) -> &Self::Commands;
    fn publisher(&self) -> &Self::Publisher;
    fn providers(&self) -> &Self::Providers;
}
