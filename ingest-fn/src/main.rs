//! HTTP in.
use lambda_http::{Body, Error, Request, Response, run, service_fn};
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async {
        Ok::<_, Error>(Response::builder().status(200).body(Body::from("{\"received\":true}"))?)
    }))
    .await
}
