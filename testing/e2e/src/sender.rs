//! Composes, signs and sends deliveries as MeetStream does.
//!
//! ```no_run
//! # async fn example(ingest: &e2e::runtime_api::Function) -> anyhow::Result<()> {
//! use e2e::sender::{BodyEncoding, Delivery};
//! use std::time::Duration;
//! let delivery = Delivery::signed("secret", r#"{"event":"bot.joining","bot_id":"b"}"#);
//! // To a function binary, as a function URL event …
//! let reply = delivery.invoke(ingest, BodyEncoding::Plain, Duration::from_secs(5)).await?;
//! assert_eq!(reply.status, 200);
//! // … or over HTTP to a deployed one.
//! let reply = delivery.send("http://127.0.0.1:4566/_aws/lambda-url/abc").await?;
//! assert_eq!(reply.status, 200);
//! # Ok(())
//! # }
//! ```

use crate::plain_http;
use crate::runtime_api::{Function, Invocation};
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::Request;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use simulator::signature;
use std::time::Duration;

/// The header that carries the signature.
pub const SIGNATURE: &str = "X-MeetStream-Signature";
/// The header that carries the time of delivery; it is not signed.
pub const TIMESTAMP: &str = "X-MeetStream-Timestamp";

/// One webhook request, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The method.
    pub method: String,
    /// The path, and the query if there is one.
    pub path: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a function URL hands a body to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEncoding {
    /// As text.
    Plain,
    /// As base64.
    Base64,
    /// As Lambda decides: text for the content types it knows to be text, base64 for all others.
    AsLambda,
}

/// What the sender gets to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Delivery {
    /// A workspace webhook: signed, sent now, to the signed route.
    pub fn signed(secret: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = signature::meetstream(secret, &body);
        Self::unsigned("/webhooks/meetstream", body)
            .header(SIGNATURE, &signature)
            .header(TIMESTAMP, &Timestamp::now().to_string())
    }

    /// A webhook of Meeting BaaS v2, signed as Svix does; `secret` as its dashboard shows it.
    pub fn svix(secret: &str, id: &str, body: impl Into<Vec<u8>>) -> Result<Self> {
        Self::svix_at(Timestamp::now(), secret, id, body)
    }

    /// The same, signed at a moment of one's choice.
    pub fn svix_at(signed_at: Timestamp, secret: &str, id: &str, body: impl Into<Vec<u8>>) -> Result<Self> {
        let (body, now) = (body.into(), signed_at.as_second());
        let signature = signature::svix(&signature::svix_key(secret)?, id, now, &body);
        let delivery = Self::unsigned("/webhooks/meetingbaas/v2", body).header("svix-id", id);
        Ok(delivery.header("svix-timestamp", &now.to_string()).header("svix-signature", &signature))
    }

    /// What the web page of Meeting BaaS describes: a bare signature over the body.
    pub fn meetingbaas_legacy(secret: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = signature::bare(secret, &body);
        Self::unsigned("/webhooks/meetingbaas", body).header("X-MeetingBaas-Signature", &signature)
    }

    /// A per-bot callback: no signature, no timestamp, the token in the path.
    pub fn callback(token: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::unsigned(&format!("/webhooks/meetstream/{token}"), body)
    }

    /// A POST of JSON with no credential at all.
    pub fn unsigned(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".into(), path: path.into(), headers: Vec::new(), body: body.into() }
            .header("Content-Type", "application/json")
            .header("User-Agent", "e2e")
    }

    /// Sets a header, in place of any of that name.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let mut delivery = self.without_header(name);
        delivery.headers.push((name.to_owned(), value.to_owned()));
        delivery
    }

    /// Takes a header away.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// Sends it with another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// Sends it to another path.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Changes the body under the signature.
    #[must_use]
    pub fn tampered(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The event a function URL makes of it, payload version 2.0.
    ///
    /// `Err` means that the body is not text and cannot go as [`BodyEncoding::Plain`].
    pub fn event(&self, encoding: BodyEncoding) -> Result<Value> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let base64 = match encoding {
            BodyEncoding::Plain => false,
            BodyEncoding::Base64 => true,
            BodyEncoding::AsLambda => !self.is_text(),
        };
        let body = match base64 {
            true => BASE64.encode(&self.body),
            false => String::from_utf8(self.body.clone()).context("the body is not text")?,
        };
        let now = Timestamp::now();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.lambda_headers(),
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "e2e",
                "domainName": "e2e.lambda-url.us-east-1.on.aws",
                "domainPrefix": "e2e",
                "http": {
                    "method": self.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "e2e",
                },
                "requestId": "e2e00000-0000-4000-8000-000000000000",
                "routeKey": "$default",
                "stage": "$default",
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": now.as_millisecond(),
            },
            "isBase64Encoded": base64,
        });
        // Lambda leaves an empty body out.
        if let Some(event) = event.as_object_mut().filter(|_| !body.is_empty()) {
            event.insert("body".into(), json!(body));
        }
        Ok(event)
    }

    /// Hands it to a function binary. `Err` means that the function gave no reply: it failed, died or timed out.
    pub async fn invoke(&self, function: &Function, encoding: BodyEncoding, timeout: Duration) -> Result<Reply> {
        match function.invoke(self.event(encoding)?, timeout).await {
            Invocation::Response(answer) => Reply::from_answer(&answer),
            other => bail!("no reply: {other:?}"),
        }
    }

    /// Sends it over HTTP to its path below a function URL.
    pub async fn send(&self, function_url: &str) -> Result<Reply> {
        self.send_to(&format!("{}{}", function_url.trim_end_matches('/'), self.path)).await
    }

    /// Sends it over HTTP to a full URL, whatever its path says.
    pub async fn send_to(&self, url: &str) -> Result<Reply> {
        let mut request = Request::builder().method(self.method.as_str());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = plain_http::send(url, request, self.body.clone()).await?;
        Ok(Reply { status: answer.status().as_u16(), body: answer.body().to_vec() })
    }

    /// Lower-case names; several headers of one name become one, joined by commas.
    fn lambda_headers(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            let name = name.to_ascii_lowercase();
            let joined = match headers.get(&name).and_then(Value::as_str) {
                Some(before) => format!("{before},{value}"),
                None => value.clone(),
            };
            headers.insert(name, json!(joined));
        }
        headers.entry("content-length").or_insert_with(|| json!(self.body.len().to_string()));
        headers.entry("host").or_insert_with(|| json!("e2e.lambda-url.us-east-1.on.aws"));
        headers
    }

    fn is_text(&self) -> bool {
        let content_type = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map_or("", |(_, value)| value.split(';').next().unwrap_or_default().trim());
        let known = ["application/json", "application/xml", "application/javascript"];
        let text = known.contains(&content_type) || content_type.starts_with("text/");
        text && std::str::from_utf8(&self.body).is_ok()
    }
}

impl Reply {
    /// What the sender gets to see of a function's answer. `Err` means that it is no answer to a request.
    pub fn from_answer(answer: &Value) -> Result<Self> {
        let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let status = status.with_context(|| format!("no status in {answer}"))?;
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        let base64 = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
        let body = if base64 { BASE64.decode(body)? } else { body.as_bytes().to_vec() };
        Ok(Self { status, body })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"event":"bot.done","bot_id":"b"}"#;

    #[test]
    fn makes_the_event_of_a_function_url() {
        let delivery = Delivery::signed("s", BODY).path("/webhooks/meetstream?a=1");
        let event = delivery.event(BodyEncoding::Plain).unwrap();
        assert_eq!(event["rawPath"], "/webhooks/meetstream");
        assert_eq!(event["rawQueryString"], "a=1");
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["headers"]["x-meetstream-signature"], signature::meetstream("s", BODY.as_bytes()));
        assert_eq!(event["body"], BODY);
        assert_eq!(event["isBase64Encoded"], false);

        assert!(Delivery::unsigned("/", "").event(BodyEncoding::Plain).unwrap().get("body").is_none());
        let event = delivery.event(BodyEncoding::Base64).unwrap();
        assert_eq!(event["body"], BASE64.encode(BODY));
        assert_eq!(event["isBase64Encoded"], true);
    }

    #[test]
    fn chooses_the_encoding_as_lambda_does() {
        let check = |name: &str, delivery: Delivery, base64: bool| {
            assert_eq!(delivery.event(BodyEncoding::AsLambda).unwrap()["isBase64Encoded"], base64, "{name}");
        };
        let json = Delivery::unsigned("/", BODY);
        check("json", json.clone(), false);
        check("json with a charset", json.clone().header("content-type", "application/json; charset=utf-8"), false);
        check("text", json.clone().header("content-type", "text/plain"), false);
        check("form", json.clone().header("content-type", "application/x-www-form-urlencoded"), true);
        check("no content type", json.clone().without_header("content-type"), true);
        check("json that is not text", json.tampered([0xff, 0xfe]), true);
        Delivery::unsigned("/", [0xff]).event(BodyEncoding::Plain).expect_err("not text");
    }

    #[test]
    fn a_header_replaces_its_namesake_and_can_be_taken_away() {
        let delivery = Delivery::signed("s", BODY).header("x-meetstream-signature", "sha256=00");
        assert_eq!(delivery.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE)).count(), 1);
        let delivery = delivery.without_header(SIGNATURE);
        assert!(!delivery.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE)));
    }

    #[test]
    fn reads_replies_plain_and_encoded() {
        let reply = Reply::from_answer(&json!({"statusCode": 200, "body": "{}"})).unwrap();
        assert_eq!((reply.status, reply.text()), (200, "{}".into()));
        let reply = Reply::from_answer(&json!({"statusCode": 503, "body": "e30=", "isBase64Encoded": true})).unwrap();
        assert_eq!((reply.status, reply.text()), (503, "{}".into()));
        Reply::from_answer(&json!({"body": "{}"})).expect_err("no status");
    }

    #[tokio::test]
    async fn sends_over_http_to_the_byte() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let echo = |request: axum::extract::Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1024).await.unwrap();
            let header = |name: &str| parts.headers[name].to_str().unwrap().to_owned();
            let signed = signature::meetstream("s", &body) == header(SIGNATURE);
            format!("{} {} {} {signed}", parts.method, parts.uri, header("host"))
        };
        let app = axum::Router::new().fallback(axum::routing::any(echo));
        tokio::spawn(async move { axum::serve(listener, app).await });

        let delivery = Delivery::signed("s", [b'{', 0xff, 0x00]);
        let reply = delivery.send(&format!("http://abc.localhost:{port}/base/")).await.unwrap();
        assert_eq!(reply.text(), format!("POST /base/webhooks/meetstream abc.localhost:{port} true"));
        let reply = delivery.method("PUT").send_to(&format!("http://127.0.0.1:{port}/x")).await.unwrap();
        assert_eq!(reply.text(), format!("PUT /x 127.0.0.1:{port} true"));
    }
}
