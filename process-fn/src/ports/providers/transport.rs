//! HTTP with the stack of the AWS SDK: hyper, rustls and ring, which are linked anyway. A second stack would cost cold start.

use super::{
    ApiError, Cause, Patience, Refusal,
    addresses::{Addresses, NoPublicAddress, System},
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    dns::ResolveDns,
    http::{HttpConnector, HttpConnectorSettings},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use shared::url::Downloads;
use std::{error::Error, sync::OnceLock};

/// Sends requests. It follows no redirect and adds no credential. It is made when it is first needed, because a cold start that only
/// processes webhooks should not read the system's certificates.
#[derive(Debug)]
pub(super) struct Transport<R = System> {
    connector: OnceLock<Connector>,
    addresses: Addresses<R>,
    patience: Patience,
}

impl Transport {
    /// With the system's own lookup of hosts, of which only such addresses are known as `downloads` allows.
    pub(super) fn new(downloads: Downloads, patience: Patience) -> Self {
        Self::resolving(System, downloads, patience)
    }
}

impl<R: ResolveDns + Clone + 'static> Transport<R> {
    pub(super) fn resolving(resolver: R, downloads: Downloads, patience: Patience) -> Self {
        Self { connector: OnceLock::new(), addresses: Addresses { resolver, downloads }, patience }
    }

    /// Sends a GET request and waits for the head of its answer.
    pub(super) async fn get(&self, url: &str, headers: &[(&'static str, &str)]) -> Result<HttpResponse, ApiError> {
        let mut request = HttpRequest::get(url).map_err(|_| Refusal::UnusableId)?;
        let common = [("user-agent", concat!("rollcall/", env!("CARGO_PKG_VERSION"))), ("accept-encoding", "identity")];
        for (name, value) in common.iter().chain(headers) {
            // Refused: a value that is no header. What comes from outside here is the key, and it was checked.
            request.headers_mut().try_insert(*name, (*value).to_owned()).map_err(|_| Refusal::Refused)?;
        }
        self.connector().call(request).await.map_err(|error| classify(&error))
    }

    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder().connect_timeout(self.patience.connect).build();
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .connector_settings(settings)
                .sleep_impl(TokioSleep::new())
                .build_with_resolver(self.addresses.clone())
        })
    }
}

fn classify(error: &ConnectorError) -> ApiError {
    if causes(error).any(|cause| cause.is::<NoPublicAddress>()) {
        return Refusal::UnsafeUrl.into();
    }
    ApiError::later(if error.is_timeout() { Cause::TimedOut } else { Cause::Unreachable })
}

/// The error and its causes, those inside of I/O errors too.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}
