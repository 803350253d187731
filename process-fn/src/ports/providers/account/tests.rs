use super::super::testing::{Host, Reply, SHORT, reply};
use super::*;
use std::time::Duration;

fn account(host: &Host) -> Account {
    let credential = ("x-key", ApiKey::new("s3cret".to_owned()));
    Account::new(&host.url("/api/"), credential, SHORT)
}

async fn ask(host: &Host) -> Result<String, ApiError> {
    match account(host).limited(20).get("/path?x=1").await? {
        Answer::Ready(body) => Ok(String::from_utf8(body).unwrap()),
        Answer::NotYet => Ok("not yet".to_owned()),
    }
}

/// What becomes of an answer, and how often it was asked for.
async fn check(name: &str, given: Vec<u8>, expected: Result<&str, ApiError>, requests: usize) {
    let host = Host::answering(move |_, _| Reply::Bytes(given.clone())).await;
    assert_eq!(ask(&host).await, expected.map(str::to_owned), "{name}");
    assert_eq!(host.seen().len(), requests, "{name}");
}

fn later(cause: Cause) -> Result<&'static str, ApiError> {
    Err(ApiError::later(cause))
}

fn never(refusal: Refusal) -> Result<&'static str, ApiError> {
    Err(ApiError::Never(refusal))
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    check("200", reply(200, &[], "body"), Ok("body"), 1).await;
    check("202", reply(202, &[], "{}"), Ok("not yet"), 1).await;
    check("401", reply(401, &[], "{}"), later(Cause::KeyRefused), 1).await;
    check("403", reply(403, &[], "{}"), later(Cause::KeyRefused), 1).await;
    check("404", reply(404, &[], "{}"), never(Refusal::NotFound), 1).await;
    check("410", reply(410, &[], "{}"), never(Refusal::Gone), 1).await;
    for status in [400, 405, 409, 422, 451] {
        check("a 4xx", reply(status, &[], "{}"), never(Refusal::Refused), 1).await;
    }
    for status in [408, 425, 500, 502, 503, 504, 507] {
        check("a passing one", reply(status, &[], "{}"), later(Cause::Failing), 3).await;
    }
    check("429", reply(429, &[], "{}"), later(Cause::Busy), 3).await;
}

#[tokio::test]
async fn a_wait_is_kept_or_handed_on() {
    let wait = |cause, seconds| Err(ApiError::Later { cause, wait: Some(Duration::from_secs(seconds)) });
    check("a short one", reply(429, &[("retry-after", "0")], ""), wait(Cause::Busy, 0), 3).await;
    check("a long one", reply(429, &[("retry-after", "120")], ""), wait(Cause::Busy, 120), 1).await;
    check("a very long one", reply(503, &[("Retry-After", "86400")], ""), wait(Cause::Failing, 3600), 1).await;
    let past = [("retry-after", "Mon, 05 Oct 2020 14:00:30 GMT")];
    check("a date", reply(503, &past, ""), wait(Cause::Failing, 0), 3).await;
    check("neither", reply(503, &[("retry-after", "soon")], ""), later(Cause::Failing), 3).await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let host = Host::answering(|_, before| {
        Reply::Bytes(if before == 0 { reply(500, &[("retry-after", "0")], "") } else { reply(200, &[], "body") })
    })
    .await;
    assert_eq!(ask(&host).await, Ok("body".to_owned()));
    assert_eq!(host.paths(), ["/api/path?x=1", "/api/path?x=1"]);
}

#[tokio::test]
async fn answers_that_break_off_or_never_end_are_no_answers() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec();
    check("a cut body", cut, later(Cause::Truncated), 3).await;
    let cut = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n".to_vec();
    check("a cut body of unknown length", cut, later(Cause::Truncated), 3).await;
    check("no answer", vec![], later(Cause::Unreachable), 3).await;
    check("no HTTP", b"hello\r\n\r\n".to_vec(), later(Cause::Unreachable), 3).await;
    let long = "x".repeat(21);
    check("a body over the limit", reply(200, &[], &long), later(Cause::TooLarge), 1).await;
    let long = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{long}").into_bytes();
    check("a body over the limit of unknown length", long, later(Cause::TooLarge), 1).await;
    check("a body at the limit", reply(200, &[], &"x".repeat(20)), Ok("xxxxxxxxxxxxxxxxxxxx"), 1).await;
    for given in ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"] {
        let host = Host::answering(move |_, _| Reply::Hang(given.as_bytes().to_vec())).await;
        assert_eq!(ask(&host).await, Err(ApiError::later(Cause::TimedOut)), "{given}");
    }
    assert_eq!(ask(&Host::closed().await).await, Err(ApiError::later(Cause::Unreachable)));
}

#[tokio::test]
async fn the_key_goes_to_its_host_and_no_redirect_takes_it_elsewhere() {
    let other = Host::serving(&[("/api/path?x=1", "stolen")]).await;
    let location = other.url("/api/path?x=1");
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let host = Host::answering(move |_, _| Reply::Bytes(reply(status, &[("location", &location)], ""))).await;
        assert_eq!(ask(&host).await, Err(ApiError::later(Cause::Redirected)), "{status}");
        assert_eq!(host.seen()[0].headers["x-key"], "s3cret");
        assert_eq!(host.seen()[0].headers["accept"], "application/json");
    }
    assert!(other.seen().is_empty());
}
