use super::*;
use crate::plain_http;
use hyper::Request;
use std::io::Write;

const SOON: Duration = Duration::from_secs(10);

/// This very test binary, told to be a function.
fn fake() -> FunctionSpec {
    let arguments = ["--exact", "runtime_api::tests::is_a_function_when_started_as_one", "--ignored", "--nocapture"];
    FunctionSpec::new(std::env::current_exe().unwrap()).arguments(arguments)
}

async fn started() -> Function {
    let function = fake().start().unwrap();
    function.ready(SOON).await.unwrap();
    function
}

fn alive(process_id: u32) -> bool {
    // A zombie is dead enough: it runs nothing, and its parent is about to collect it.
    std::fs::read_to_string(format!("/proc/{process_id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn hands_over_events_and_returns_answers() {
    let function = started().await;
    for number in 0..3 {
        let answer = function.invoke(json!({"do": "echo", "number": number}), SOON).await;
        assert_eq!(answer, Invocation::Response(json!({"do": "echo", "number": number})));
    }
    let answer = function.invoke(json!({"do": "fail"}), SOON).await;
    assert_eq!(answer, Invocation::FunctionError(json!({"errorType": "Fake", "errorMessage": "as told"})));
    let answer = function.invoke(json!({"do": "garble"}), SOON).await;
    assert!(matches!(answer, Invocation::FunctionError(_)), "{answer:?}");
}

#[tokio::test]
async fn takes_answers_larger_than_a_web_servers_default() {
    let function = started().await;
    let large = "x".repeat(4 * 1024 * 1024);
    let answer = function.invoke(json!({"do": "echo", "large": large}), SOON).await;
    assert_eq!(answer, Invocation::Response(json!({"do": "echo", "large": large})));
}

#[tokio::test]
async fn tells_what_lambda_tells_about_an_invocation() {
    let function = started().await;
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let Invocation::Response(headers) = function.invoke(json!({"do": "headers"}), Duration::from_secs(7)).await else {
        panic!("no answer")
    };
    let deadline: u128 = headers["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!(((before + 7_000)..(before + 12_000)).contains(&deadline), "{deadline}");
    for header in ["lambda-runtime-aws-request-id", "lambda-runtime-invoked-function-arn", "lambda-runtime-trace-id"] {
        assert!(headers[header].is_string(), "{header} in {headers}");
    }
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_is_inherited() {
    let function = fake().env("TABLE", "t").without_env("AWS_SESSION_TOKEN").start().unwrap();
    let Invocation::Response(names) = function.invoke(json!({"do": "environment"}), SOON).await else {
        panic!("no answer")
    };
    let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for expected in ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "TABLE", "PATH"] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
    for unexpected in ["HOME", "CARGO_MANIFEST_DIR", "AWS_SESSION_TOKEN"] {
        assert!(!names.contains(&unexpected), "{unexpected} in {names:?}");
    }
}

#[tokio::test]
async fn a_function_that_ends_in_the_middle_has_died_until_it_is_restarted() {
    let function = started().await;
    let Invocation::Died(status) = function.invoke(json!({"do": "exit"}), SOON).await else { panic!("still alive") };
    assert_eq!(status.code(), Some(7));
    assert!(!function.is_running());
    assert_eq!(function.invoke(json!({"do": "echo"}), SOON).await, Invocation::Died(status));
    function.restart().await.unwrap();
    assert_eq!(function.invoke(json!({"do": "echo"}), SOON).await, Invocation::Response(json!({"do": "echo"})));
}

#[tokio::test]
async fn a_kill_ends_a_running_invocation() {
    use std::os::unix::process::ExitStatusExt;
    let function = started().await;
    let kill = async {
        function.log_line(SOON, |line| line.text.contains("hanging")).await.unwrap();
        function.kill().await
    };
    let (answer, status) = tokio::join!(function.invoke(json!({"do": "hang"}), SOON), kill);
    assert_eq!(status.signal(), Some(9));
    assert_eq!(answer, Invocation::Died(status));
    assert_eq!(function.kill().await, status, "killing the dead changes nothing");
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_killed() {
    let function = started().await;
    let answer = function.invoke(json!({"do": "hang"}), Duration::from_millis(100)).await;
    assert_eq!(answer, Invocation::TimedOut);
    assert!(!function.is_running());
}

#[tokio::test]
async fn reports_a_failed_init() {
    let function = fake().env("FAKE_INIT", "error").start().unwrap();
    let error = function.ready(SOON).await.expect_err("it cannot be ready");
    assert!(error.to_string().contains("half-configured"), "{error:#}");
    assert_eq!(function.init_error(), Some(json!({"errorType": "Fake.Init"})));
    assert_eq!(function.exited(SOON).await.unwrap().code(), Some(1));
    assert!(matches!(function.invoke(json!({}), SOON).await, Invocation::Died(_)));
}

#[tokio::test]
async fn captures_what_is_printed() {
    let function = started().await;
    function.forget_logs();
    function.invoke(json!({"do": "print", "line": {"level": "INFO", "message": "processed"}}), SOON).await;
    let line = function.log_line(SOON, |line| line.text.contains("processed")).await.unwrap();
    assert_eq!(line.stream, Stream::Stdout);
    assert_eq!(line.json().unwrap()["level"], "INFO");
    function.log_line(SOON, |line| line.stream == Stream::Stderr && line.text == "to stderr").await.unwrap();
    assert_eq!(function.json_logs().len(), 1);
    function.log_line(Duration::from_millis(20), |line| line.text == "never").await.expect_err("not printed");
}

#[tokio::test]
async fn several_functions_run_at_once_and_none_outlives_its_handle() {
    let functions = [started().await, started().await, started().await];
    let invoke = |number: usize| functions[number].invoke(json!({"do": "echo", "number": number}), SOON);
    let (first, second, third) = tokio::join!(invoke(0), invoke(1), invoke(2));
    for (number, answer) in [first, second, third].into_iter().enumerate() {
        assert_eq!(answer, Invocation::Response(json!({"do": "echo", "number": number})));
    }
    let process_ids = functions.each_ref().map(|function| function.process_id().unwrap());
    drop(functions);
    let gone = async {
        while process_ids.iter().any(|process_id| alive(*process_id)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("the children are still there");
}

/// Not a test of anything: what `fake` starts.
#[test]
#[ignore = "started by the other tests as their function"]
#[expect(clippy::disallowed_methods, reason = "the fake function reads its environment as any function does")]
fn is_a_function_when_started_as_one() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let init = std::env::var("FAKE_INIT").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let post = async |path: &str, body: String| {
            let url = format!("http://{api}/2018-06-01/runtime/{path}");
            plain_http::send(&url, Request::post("/"), body.into()).await.unwrap()
        };
        if init == "error" {
            eprintln!("half-configured");
            post("init/error", json!({"errorType": "Fake.Init"}).to_string()).await;
            std::process::exit(1);
        }
        loop {
            let url = format!("http://{api}/2018-06-01/runtime/invocation/next");
            let next = plain_http::send(&url, Request::get("/"), Vec::new()).await.unwrap();
            let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
            let event: Value = serde_json::from_slice(next.body()).unwrap();
            let id = header("lambda-runtime-aws-request-id");
            let response = format!("invocation/{id}/response");
            match event["do"].as_str() {
                Some("fail") => {
                    let error = json!({"errorType": "Fake", "errorMessage": "as told"});
                    post(&format!("invocation/{id}/error"), error.to_string()).await
                }
                Some("garble") => post(&response, "{not json".into()).await,
                Some("headers") => {
                    let headers: BTreeMap<_, _> =
                        next.headers().keys().map(|name| (name.to_string(), header(name.as_str()))).collect();
                    post(&response, json!(headers).to_string()).await
                }
                Some("environment") => {
                    let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                    post(&response, json!(names).to_string()).await
                }
                Some("exit") => std::process::exit(7),
                Some("hang") => {
                    println!("hanging");
                    std::future::pending().await
                }
                Some("print") => {
                    println!("{}", event["line"]);
                    std::io::stdout().flush().unwrap();
                    eprintln!("to stderr");
                    post(&response, "null".into()).await
                }
                _ => post(&response, event.to_string()).await,
            };
        }
    });
}
