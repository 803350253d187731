use super::*;
use axum::Router;
use axum::routing::any;
use std::sync::atomic::{AtomicUsize, Ordering};

const SOON: Duration = Duration::from_secs(5);

/// A service that counts what reached it and answers 200 `done`.
struct Upstream {
    url: String,
    effects: Arc<AtomicUsize>,
}

async fn upstream() -> Upstream {
    let effects = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&effects);
    let effect = move |body: Bytes| async move {
        counter.fetch_add(1, Ordering::SeqCst);
        format!("done with {} bytes", body.len())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(any(effect));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Upstream { url, effects }
}

impl Upstream {
    #[track_caller]
    fn saw(&self, calls: usize) {
        assert_eq!(self.effects.load(Ordering::SeqCst), calls, "calls that took effect");
    }
}

/// One `PutItem`, answered with its status and text, or an error when the connection closed.
async fn put_item(endpoint_url: &str, body: &str) -> Result<(u16, String)> {
    let request = Request::post("/").header("x-amz-target", "DynamoDB_20120810.PutItem");
    let answer = plain_http::send(endpoint_url, request, body.into()).await?;
    Ok((answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned()))
}

fn saves() -> Match {
    Match::operation(Service::DynamoDb, "PutItem")
}

async fn started() -> (Upstream, FaultProxy) {
    let upstream = upstream().await;
    let proxy = FaultProxy::start(&upstream.url).await.unwrap();
    (upstream, proxy)
}

#[tokio::test]
async fn passes_by_default_and_records_every_call() {
    let (upstream, proxy) = started().await;
    assert_eq!(put_item(proxy.endpoint_url(), "four").await.unwrap(), (200, "done with 4 bytes".into()));
    put_item(proxy.endpoint_url(), "bot-7").await.unwrap();
    upstream.saw(2);
    assert_eq!(proxy.count(&saves()), 2);
    assert_eq!(proxy.count(&saves().mentioning("bot-7")), 1);
    assert_eq!(proxy.count(&Match::service(Service::Sqs)), 0);
    assert!(proxy.records().iter().all(|record| record.effect == Some(200)));
    proxy.forget();
    assert!(proxy.records().is_empty());
}

#[tokio::test]
async fn refuses_in_the_words_of_the_service() {
    let (upstream, proxy) = started().await;
    let mut answers = Vec::new();
    for refusal in
        [Refusal::Internal, Refusal::Unavailable, Refusal::Throttled, Refusal::Error(400, "ValidationException")]
    {
        proxy.when(saves()).times(1).then(Decision::Refuse(refusal));
        let (status, text) = put_item(proxy.endpoint_url(), "").await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        answers.push((status, body["__type"].as_str().unwrap().to_owned()));
    }
    let expected = [
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "ValidationException"),
    ];
    assert_eq!(answers, expected.map(|(status, code)| (status, code.to_owned())));
    upstream.saw(0);

    proxy.when(Match::service(Service::S3)).then(Decision::Refuse(Refusal::Throttled));
    let url = format!("{}/bucket/key", proxy.endpoint_url());
    let answer = plain_http::send(&url, Request::put("/"), Vec::new()).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(String::from_utf8_lossy(answer.body()).contains("<Code>SlowDown</Code>"));
}

#[tokio::test]
async fn cuts_before_and_after_the_effect() {
    let (upstream, proxy) = started().await;
    proxy.when(saves()).times(1).then(Decision::Cut(Moment::BeforeEffect));
    put_item(proxy.endpoint_url(), "").await.expect_err("cut before");
    upstream.saw(0);
    proxy.when(saves()).times(1).then(Decision::Cut(Moment::AfterEffect));
    put_item(proxy.endpoint_url(), "").await.expect_err("cut after");
    upstream.saw(1);
    let effects: Vec<_> = proxy.records().iter().map(|record| record.effect).collect();
    assert_eq!(effects, [None, Some(200)]);
}

#[tokio::test]
async fn answers_garbage_before_and_after_the_effect() {
    let (upstream, proxy) = started().await;
    for (moment, effects) in [(Moment::BeforeEffect, 0), (Moment::AfterEffect, 1)] {
        proxy.when(saves()).times(1).then(Decision::Garbage(moment));
        let (status, text) = put_item(proxy.endpoint_url(), "").await.unwrap();
        assert_eq!(status, 200);
        assert!(!text.contains("done"), "{text}");
        upstream.saw(effects);
    }
}

#[tokio::test]
async fn delays_before_and_after_the_effect() {
    let (upstream, proxy) = started().await;
    let delay = Duration::from_millis(300);
    for (moment, effects_meanwhile) in [(Moment::BeforeEffect, 0), (Moment::AfterEffect, 2)] {
        proxy.when(saves()).times(1).then(Decision::Delay(moment, delay));
        let began = Instant::now();
        let meanwhile = async {
            tokio::time::sleep(delay / 2).await;
            upstream.saw(effects_meanwhile);
        };
        let (answer, ()) = tokio::join!(put_item(proxy.endpoint_url(), ""), meanwhile);
        assert_eq!(answer.unwrap().0, 200);
        assert!(began.elapsed() >= delay);
    }
}

#[tokio::test]
async fn holds_a_call_before_its_effect_until_released() {
    let (upstream, proxy) = started().await;
    let hold = proxy.when(saves()).hold_before();
    let release = async {
        hold.reached(SOON).await.unwrap();
        upstream.saw(0);
        put_item(proxy.endpoint_url(), "another call").await.expect("only the first is held");
        hold.release();
    };
    let (answer, ()) = tokio::join!(put_item(proxy.endpoint_url(), ""), release);
    assert_eq!(answer.unwrap().0, 200);
    upstream.saw(2);
}

#[tokio::test]
async fn a_held_call_outlives_its_caller_unless_it_is_cut() {
    let (upstream, proxy) = started().await;
    let endpoint_url = proxy.endpoint_url().to_owned();
    for (effects, released) in [(1, true), (1, false)] {
        let hold = proxy.when(saves()).hold_before();
        let url = endpoint_url.clone();
        let caller = tokio::spawn(async move { put_item(&url, "").await });
        hold.reached(SOON).await.unwrap();
        caller.abort();
        let _ = caller.await;
        if released {
            hold.release()
        } else {
            hold.cut()
        }
        proxy.quiet(SOON).await.unwrap();
        upstream.saw(effects);
    }
}

#[tokio::test]
async fn holds_the_answer_after_the_effect() {
    let (upstream, proxy) = started().await;
    let hold = proxy.when(saves()).hold_after();
    let drop_it = async {
        hold.reached(SOON).await.unwrap();
        upstream.saw(1);
        drop(hold);
    };
    let (answer, ()) = tokio::join!(put_item(proxy.endpoint_url(), ""), drop_it);
    answer.expect_err("a hold that is dropped cuts the call");
    upstream.saw(1);
}

#[tokio::test]
async fn a_hold_whose_call_never_comes_says_so() {
    let (_upstream, proxy) = started().await;
    let hold = proxy.when(saves()).hold_before();
    hold.reached(Duration::from_millis(20)).await.expect_err("nobody called");
    hold.release();
    assert_eq!(put_item(proxy.endpoint_url(), "").await.unwrap().0, 200, "already released");
}

#[tokio::test]
async fn the_newest_rule_decides_then_the_schedule() {
    let (_upstream, proxy) = started().await;
    proxy.decide(|call| match call.body.as_ref() {
        b"odd" => Decision::Refuse(Refusal::Internal),
        _ => Decision::Pass,
    });
    proxy.when(saves().mentioning("bot-7")).then(Decision::Refuse(Refusal::Unavailable));
    proxy.when(saves()).skip(1).times(1).then(Decision::Refuse(Refusal::Throttled));
    let mut statuses = Vec::new();
    for body in ["bot-7", "bot-7", "bot-7", "bot-8", "odd"] {
        statuses.push(put_item(proxy.endpoint_url(), body).await.unwrap().0);
    }
    assert_eq!(statuses, [503, 400, 503, 200, 500]);
    proxy.pass_everything();
    assert_eq!(put_item(proxy.endpoint_url(), "odd").await.unwrap().0, 200);
}
