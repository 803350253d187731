//! The ports on AWS, and the providers' APIs.

use crate::{
    config::Config,
    ports::{
        Services,
        bucket::S3Bucket,
        providers::{Patience, Providers},
        publisher::EventBridge,
        queues::{commands::SqsCommands, events::SqsEvents},
        sessions::DynamoStore,
    },
};
use std::sync::Arc;

/// All ports of the deployed function. Its clones share their connections.
#[derive(Clone, Debug)]
pub struct Aws {
    sessions: DynamoStore,
    bucket: S3Bucket,
    events: SqsEvents,
    commands: SqsCommands,
    publisher: EventBridge,
    providers: Arc<Providers>,
}

impl Aws {
    /// Connects to what the configuration names. `warm_up` afterwards opens the first connection.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, config: &Config) -> Self {
        Self {
            sessions: DynamoStore::new(connection, config.table_name.clone(), config.session_retention),
            bucket: S3Bucket::new(connection, config.bucket_name.clone()),
            events: SqsEvents::new(connection, config.events_queue_url.clone()),
            commands: SqsCommands::new(connection, config.commands_queue_url.clone()),
            publisher: EventBridge::new(connection, config.event_bus_name.clone(), config.published_kinds.clone()),
            providers: Arc::new(Providers::new(&config.api, Patience::DEFAULT)),
        }
    }

    /// Opens the connection to the table, which every delivery needs.
    pub async fn warm_up(&self) {
        self.sessions.warm_up().await;
    }
}

impl Services for Aws {
    type Sessions = DynamoStore;
    type Bucket = S3Bucket;
    type Events = SqsEvents;
    type Commands = SqsCommands;
    type Publisher = EventBridge;
    type Providers = Providers;

    fn sessions(&self) -> &DynamoStore {
        &self.sessions
    }

    fn bucket(&self) -> &S3Bucket {
        &self.bucket
    }

    fn events(&self) -> &SqsEvents {
        &self.events
    }

    fn commands(&self) -> &SqsCommands {
        &self.commands
    }

    fn publisher(&self) -> &EventBridge {
        &self.publisher
    }

    fn providers(&self) -> &Providers {
        &self.providers
    }
}
