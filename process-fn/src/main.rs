//! The function behind the queues. All it decides is in the library; here it is only put together.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, telemetry};
use process_fn::{
    CommandHandler, Config, DynamoStore, EventBridge, Function, JobRunner, Patience, Payload, Processor, Providers,
    S3Archive, S3Vault, SqsCommands, SqsRedelivery, SqsRequeue, Sweep, TranscriptPlaces, handle,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&platform::environment);
    let config =
        Config::from_env(&platform::environment).inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let connection = aws::connection(&platform::environment, process_fn::AWS_CALL_BUDGET)
        .inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let commands_queue_name = config.commands_queue_name();
    let store = DynamoStore::new(&connection, config.table_name, config.session_retention);
    let vault = S3Vault::new(&connection, config.bucket_name.clone());
    let commands = SqsCommands::new(&connection, config.commands_queue_url);
    let publisher = EventBridge::new(&connection, config.event_bus_name, config.published_kinds);
    let command_handler = CommandHandler {
        sweep: Sweep {
            store: store.clone(),
            commands: commands.clone(),
            vault: vault.clone(),
            queue: SqsRequeue::new(&connection, config.events_queue_url.clone()),
        },
        jobs: JobRunner {
            store: store.clone(),
            vault: vault.clone(),
            archive: S3Archive::new(&connection, config.bucket_name),
            api: Providers::new(&config.api, Patience::DEFAULT),
            publisher: publisher.clone(),
            patience: config.artifact_patience,
            retry_base: config.policy.retry_base,
            retry_max: config.policy.retry_max,
            keeps_recordings: config.keeps_recordings,
            transcripts: TranscriptPlaces::default(),
        },
    };
    let redelivery = SqsRedelivery::new(&connection, config.events_queue_url);
    let processor = Processor { store, vault, publisher, redelivery, commands, policy: config.policy };
    processor.store.warm_up().await;
    let function = Function { processor, command_handler, commands_queue_name };
    run(service_fn(|event: LambdaEvent<Payload>| async { Ok::<_, Error>(handle(&function, event).await?) })).await
}
