//! The function behind the webhook URL. All it decides is in the library; here it is only put together.

use ingest_fn::{Config, Ingest, S3Spool, SqsQueue, Stores, handle, response::Answer};
use lambda_http::{Error, Request, run, service_fn};
use platform::{aws, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&platform::environment);
    let config =
        Config::from_env(&platform::environment).inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let connection = aws::connection(&platform::environment, SqsQueue::BUDGET)
        .inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let queue = SqsQueue::new(&connection, config.queue_url);
    queue.warm_up().await;
    let stores = Stores { queue, spool: S3Spool::new(connection, config.bucket_name) };
    let ingest = Ingest { endpoints: config.endpoints, stores };
    run(service_fn(|request: Request| async { Ok::<_, Error>(Answer(handle(&ingest, request).await)) })).await
}
