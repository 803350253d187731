//! The function behind the queues. All it decides is in the library; here it is only put together.

use aws_lambda_events::sqs::SqsEvent;
use edge::{aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use process_fn::{
    Commander, Config, DynamoStore, Function, NoSubscribers, Processor, S3Vault, SqsRedelivery, SqsRequeue, Sweep,
    handle,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&edge::environment);
    let config =
        Config::from_env(&edge::environment).inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let connection = aws::connection(&edge::environment, process_fn::AWS_CALL_BUDGET)
        .inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let vault = S3Vault::new(&connection, config.bucket_name);
    let commander = Commander {
        sweep: Sweep { vault: vault.clone(), queue: SqsRequeue::new(&connection, config.events_queue_url.clone()) },
    };
    let processor = Processor {
        store: DynamoStore::new(&connection, config.table_name, config.session_retention),
        vault,
        publisher: NoSubscribers,
        redelivery: SqsRedelivery::new(&connection, config.events_queue_url),
        policy: config.policy,
    };
    processor.store.warm_up().await;
    let function = Function { processor, commander, commands_queue_name: config.commands_queue_name };
    run(service_fn(|event: LambdaEvent<SqsEvent>| async { Ok::<_, Error>(handle(&function, event).await?) })).await
}
