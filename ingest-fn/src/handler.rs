//! Answers one request in steps, each of which can fail in one way.

use crate::{
    Endpoints, log,
    persist::{Durable, Stores},
    queue::EventsQueue,
    response::{Rejection, respond},
    spool::Spool,
};
use lambda_http::{Body, Request, RequestExt, Response, http::request::Parts};
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt,
    auth::{AuthMode, Credentials},
    provider::{self, Peek},
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The function's settings and clients. No request changes them.
#[derive(Debug)]
pub struct Ingest<Q, S> {
    pub endpoints: Endpoints,
    pub stores: Stores<Q, S>,
}

/// The largest body that is accepted, in bytes: the limit that Lambda has for a whole request. Lambda refuses larger requests
/// before this code runs; the local AWS does not.
const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// Answers one request. Every failure is an answer, too.
pub async fn handle<Q: EventsQueue, S: Spool>(ingest: &Ingest<Q, S>, request: Request) -> Response<Body> {
    handle_at(ingest, request, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()).await
}

/// Answers one request that arrives `now`, as the time since the Unix epoch.
pub async fn handle_at<Q: EventsQueue, S: Spool>(
    ingest: &Ingest<Q, S>,
    request: Request,
    now: Duration,
) -> Response<Body> {
    let started = Instant::now();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let accept_id =
        AcceptId::new(request.lambda_context_ref().map(|context| context.request_id.clone()).unwrap_or_default());
    let (head, body) = request.into_parts();
    let mut seen = Seen::default();
    let result = accept(ingest, &head, body, &accept_id, now, &mut seen).await;
    log::delivery(accept_id.as_str(), seen.endpoint, seen.peek.as_ref(), &result, started.elapsed());
    respond(seen.endpoint, &result)
}

/// What is known of a request when its log line is written.
#[derive(Default)]
struct Seen {
    endpoint: Option<Endpoint>,
    peek: Option<Peek>,
}

/// `Ok` means that the delivery is durable. The cheapest checks come first, because anyone can send requests. `now` is in
/// milliseconds since the Unix epoch.
async fn accept<Q: EventsQueue, S: Spool>(
    ingest: &Ingest<Q, S>,
    head: &Parts,
    body: Body,
    accept_id: &AcceptId,
    now: i64,
    seen: &mut Seen,
) -> Result<Durable, Rejection> {
    let (endpoint, path_token, auth) = route(&ingest.endpoints, head.uri.path()).ok_or(Rejection::UnknownEndpoint)?;
    seen.endpoint = Some(endpoint);
    if !endpoint.accepts(&head.method) {
        return Err(Rejection::Method);
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(Rejection::TooLarge(body.len()));
    }
    let verified = auth.verify(Credentials { headers: &head.headers, path_token }, into_bytes(body), now)?;

    let message = QueueMessage::new(verified, endpoint, accept_id.clone(), ReceivedAt(now));
    let peek = seen.peek.insert(provider::peek_message(&message));
    Ok(ingest.stores.persist(&message, peek).await?)
}

fn route<'a>(endpoints: &'a Endpoints, path: &'a str) -> Option<(Endpoint, Option<&'a str>, &'a AuthMode)> {
    let (endpoint, path_token) = Endpoint::from_path(path)?;
    Some((endpoint, path_token, endpoints.auth(endpoint)?))
}

/// The raw bytes: `lambda_http` has undone Lambda's own base64, and nothing else.
fn into_bytes(body: Body) -> Vec<u8> {
    match body {
        Body::Empty => Vec::new(),
        Body::Text(text) => text.into_bytes(),
        Body::Binary(bytes) => bytes,
        // A kind of body that a later version of `lambda_http` may add.
        other => other.to_vec(),
    }
}

#[cfg(test)]
mod tests;
