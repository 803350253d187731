//! The answers to senders. Only this file names status codes.
//!
//! An answer is never 429 or 410, because some senders then give up for good, and it never has details, which are in the log. A
//! wrong credential is answered 401, except on the callback route of Meeting BaaS: that sender gives up on any 4xx and tries
//! again after a 5xx, so a delivery that meets a botched rotation of the secret still has the 21 seconds of its retries.

use crate::persist::NotDurable;
use lambda_http::{
    Body, IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use shared::{Endpoint, auth::AuthError};
use std::{future::Future, pin::Pin};

/// Why a request is not accepted. Nothing of the request is stored, except as [`NotDurable`] says.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    #[error("the path names no endpoint, or one without a credential")]
    UnknownEndpoint,
    #[error("the endpoint does not accept this method")]
    Method,
    #[error("the body of {0} bytes is too large")]
    TooLarge(usize),
    #[error("the request is not authentic: {0}")]
    Unauthenticated(#[from] AuthError),
    #[error("the delivery is authentic, and no store took it: {0}")]
    NotDurable(#[from] NotDurable),
}

impl Rejection {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::Method => "method",
            Self::TooLarge(_) => "too_large",
            Self::Unauthenticated(error) => error.code(),
            Self::NotDurable(error) => error.code(),
        }
    }

    fn status(&self, endpoint: Option<Endpoint>) -> StatusCode {
        match self {
            Self::Unauthenticated(_) if endpoint == Some(Endpoint::MeetingBaasCallback) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::UnknownEndpoint => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::NotDurable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn body(&self) -> &'static str {
        match self {
            Self::UnknownEndpoint => r#"{"error":"not found"}"#,
            Self::Method => r#"{"error":"method not allowed"}"#,
            Self::TooLarge(_) => r#"{"error":"too large"}"#,
            Self::Unauthenticated(_) => r#"{"error":"unauthorized"}"#,
            Self::NotDurable(_) => r#"{"error":"unavailable"}"#,
        }
    }
}

/// The answer to a request: 200 once it is durable, else the rejection's, as the endpoint's sender understands it.
#[must_use]
pub fn respond<T>(endpoint: Option<Endpoint>, result: &Result<T, Rejection>) -> Response<Body> {
    let body = match result {
        Ok(_) => r#"{"received":true}"#,
        Err(rejection) => rejection.body(),
    };
    let status = status(endpoint, result);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer for the runtime. For a bare `Response`, `lambda_http` would link its tables of all text encodings, which are 5 % of
/// the function.
#[derive(Debug)]
pub struct Answer(pub Response<Body>);

impl IntoResponse for Answer {
    fn into_response(self) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        Box::pin(std::future::ready(self.0))
    }
}

/// The status as text, for the field `Reply` of the log line.
#[must_use]
pub fn reply<T>(endpoint: Option<Endpoint>, result: &Result<T, Rejection>) -> &'static str {
    match status(endpoint, result) {
        StatusCode::OK => "200",
        StatusCode::NOT_FOUND => "404",
        StatusCode::METHOD_NOT_ALLOWED => "405",
        StatusCode::PAYLOAD_TOO_LARGE => "413",
        StatusCode::UNAUTHORIZED => "401",
        _ => "503",
    }
}

fn status<T>(endpoint: Option<Endpoint>, result: &Result<T, Rejection>) -> StatusCode {
    result.as_ref().map_or_else(|rejection| rejection.status(endpoint), |_| StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_at(endpoint: Option<Endpoint>, result: &Result<(), Rejection>, status: u16, body: &str) {
        let response = respond(endpoint, result);
        assert_eq!(response.status().as_u16(), status, "{endpoint:?}");
        assert_eq!(response.body().as_ref(), body.as_bytes());
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(reply(endpoint, result), status.to_string());
    }

    #[track_caller]
    fn check(result: Result<(), Rejection>, status: u16, body: &str) {
        for endpoint in [None].into_iter().chain(Endpoint::ALL.map(Some)) {
            check_at(endpoint, &result, status, body);
        }
    }

    #[test]
    fn the_table_of_replies() {
        check(Ok(()), 200, r#"{"received":true}"#);
        check(Err(Rejection::UnknownEndpoint), 404, r#"{"error":"not found"}"#);
        check(Err(Rejection::Method), 405, r#"{"error":"method not allowed"}"#);
        check(Err(Rejection::TooLarge(1)), 413, r#"{"error":"too large"}"#);
        for error in [AuthError::MissingHeader, AuthError::Malformed, AuthError::Expired, AuthError::Mismatch] {
            for endpoint in Endpoint::ALL {
                let status = if endpoint == Endpoint::MeetingBaasCallback { 503 } else { 401 };
                let result = Err(Rejection::Unauthenticated(error));
                check_at(Some(endpoint), &result, status, r#"{"error":"unauthorized"}"#);
            }
        }
        for error in [NotDurable::Refused, NotDurable::NotStored, NotDurable::NoAcceptId] {
            check(Err(Rejection::NotDurable(error)), 503, r#"{"error":"unavailable"}"#);
        }
    }

    #[test]
    fn the_configuration_page_lists_every_route_as_it_is() {
        let page = include_str!("../../docs/CONFIGURATION.md");
        let rows = page.lines().filter(|line| line.starts_with("| `/webhooks/"));
        let mut listed = Vec::new();
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [paths, _, _, methods, refused] = cells.as_slice() else { panic!("{row}") };
            for path in paths.split(", ") {
                let path = path.trim_matches('`').replace("<token>", "token");
                let (endpoint, _) = Endpoint::from_path(&path).unwrap_or_else(|| panic!("{path} is no route"));
                let accepted: Vec<_> = ["GET", "POST", "PUT"]
                    .into_iter()
                    .filter(|name| endpoint.accepts(&name.parse().unwrap()))
                    .collect();
                assert_eq!(*methods, accepted.join(", "), "{path}");
                assert_eq!(
                    *refused,
                    reply(Some(endpoint), &Err::<(), _>(Rejection::Unauthenticated(AuthError::Mismatch))),
                    "{path}"
                );
                listed.push(endpoint);
            }
        }
        listed.sort();
        listed.dedup();
        assert_eq!(listed, Endpoint::ALL);
    }
}
