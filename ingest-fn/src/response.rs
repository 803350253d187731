//! What the sender is told. The only place that names status codes.
//!
//! Never 429 and never 410: some senders give up for good on either. Never a detail: the log has it.

use crate::queue::QueueError;
use lambda_http::{
    Body, Response,
    http::{HeaderValue, StatusCode, header},
};
use shared::auth::AuthError;

/// Why a request is not accepted. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The path names no endpoint, or one without a credential.
    #[error("no such endpoint")]
    UnknownEndpoint,
    /// The endpoint takes no such method.
    #[error("method not allowed")]
    Method,
    /// The body, or the message made of it, is larger than the queue takes.
    #[error("the body of {0} bytes is too large")]
    TooLarge(usize),
    /// The credential is missing or wrong.
    #[error("not authentic: {0}")]
    Unauthenticated(#[from] AuthError),
    /// It is authentic, and no store took it.
    #[error("not durable: {0}")]
    NotDurable(#[from] QueueError),
}

impl Rejection {
    /// A short name for logs.
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

    fn status(&self) -> StatusCode {
        match self {
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

/// The answer to a request: 200 once it is durable, else the rejection's.
#[must_use]
pub fn respond(result: &Result<(), Rejection>) -> Response<Body> {
    let (status, body) = match result {
        Ok(()) => (StatusCode::OK, r#"{"received":true}"#),
        Err(rejection) => (rejection.status(), rejection.body()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The status as text, for the `Reply` dimension of the metrics.
#[must_use]
pub fn reply(result: &Result<(), Rejection>) -> &'static str {
    match result {
        Ok(()) => "200",
        Err(Rejection::UnknownEndpoint) => "404",
        Err(Rejection::Method) => "405",
        Err(Rejection::TooLarge(_)) => "413",
        Err(Rejection::Unauthenticated(_)) => "401",
        Err(Rejection::NotDurable(_)) => "503",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(result: Result<(), Rejection>, status: u16, body: &str) {
        let response = respond(&result);
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.body().as_ref(), body.as_bytes());
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(reply(&result), status.to_string());
    }

    #[test]
    fn the_table_of_replies() {
        check(Ok(()), 200, r#"{"received":true}"#);
        check(Err(Rejection::UnknownEndpoint), 404, r#"{"error":"not found"}"#);
        check(Err(Rejection::Method), 405, r#"{"error":"method not allowed"}"#);
        check(Err(Rejection::TooLarge(1)), 413, r#"{"error":"too large"}"#);
        for error in [AuthError::MissingHeader, AuthError::Malformed, AuthError::Expired, AuthError::Mismatch] {
            check(Err(Rejection::Unauthenticated(error)), 401, r#"{"error":"unauthorized"}"#);
        }
        check(Err(Rejection::NotDurable(QueueError::Unavailable)), 503, r#"{"error":"unavailable"}"#);
        check(Err(Rejection::NotDurable(QueueError::Refused)), 503, r#"{"error":"unavailable"}"#);
    }
}
