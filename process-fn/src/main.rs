//! The function behind the queues. Everything is decided in the library; here the parts are put together.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use platform::{aws, telemetry};
use process_fn::{Aws, Config, Function, Payload, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init(&platform::environment);
    let config =
        Config::from_env(&platform::environment).inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let connection = aws::connection(&platform::environment, process_fn::AWS_CALL_BUDGET)
        .inspect_err(|error| tracing::error!(%error, "refusing to start"))?;
    let services = Aws::new(&connection, &config);
    services.warm_up().await;
    let function = Function::new(services, config.settings);
    run(service_fn(|event: LambdaEvent<Payload>| async { Ok::<_, Error>(handle(&function, event).await?) })).await
}
