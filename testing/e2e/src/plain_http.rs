//! One HTTP/1 exchange over a connection of its own, without TLS: all that loopback needs.

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::http::{Request, Response, Uri, request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends `request` to `authority` (`host:port`) and reads the whole answer.
///
/// `Err` means that no complete answer came; the request may have taken effect all the same.
pub(crate) async fn exchange(authority: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let stream = TcpStream::connect(address(authority)).await.with_context(|| format!("cannot reach {authority}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(parts, body))
}

/// Sends `body` to an absolute `http://` URL.
pub(crate) async fn send(url: &str, mut request: request::Builder, body: Vec<u8>) -> Result<Response<Bytes>> {
    let url: Uri = url.parse().with_context(|| format!("{url:?} is not a URL"))?;
    if url.scheme_str() != Some("http") {
        bail!("{url} is not a plain http URL: this harness speaks to the local AWS only");
    }
    let host = url.host().context("the URL names no host")?;
    let authority = format!("{host}:{}", url.port_u16().unwrap_or(80));
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let host_header = url.authority().map_or(host, |authority| authority.as_str());
    request = request.uri(target).header("host", host_header);
    exchange(&authority, request.body(Full::new(body.into()))?).await
}

/// Names below `.localhost` are this machine by definition, but not every resolver knows it.
fn address(authority: &str) -> String {
    match authority.rsplit_once(':') {
        Some((host, port)) if host == "localhost" || host.ends_with(".localhost") => format!("127.0.0.1:{port}"),
        _ => authority.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_localhost_are_this_machine() {
        assert_eq!(address("abc.lambda-url.us-east-1.localhost:4566"), "127.0.0.1:4566");
        assert_eq!(address("localhost:80"), "127.0.0.1:80");
        assert_eq!(address("127.0.0.1:4566"), "127.0.0.1:4566");
        assert_eq!(address("localhost.example:80"), "localhost.example:80");
    }
}
