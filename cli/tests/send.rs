//! The real binary against a small HTTP server: what arrives is what the function would accept.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use http::HeaderMap;
use shared::{
    Endpoint,
    auth::{AuthError, AuthMode, Credentials, SignatureSecrets, StaticHeader, SvixKeys},
};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::{Command, Output, Stdio},
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

/// A credential that is one for every route.
const SECRET: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=";

/// What one request brought.
struct Request {
    line: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    /// What the signed route says to it.
    fn verify(&self) -> Result<(), AuthError> {
        self.verify_as(Endpoint::MeetStream)
    }

    /// What this route says to it.
    fn verify_as(&self, endpoint: Endpoint) -> Result<(), AuthError> {
        let secrets = || vec![SECRET.to_owned()];
        let signature = SignatureSecrets::new(secrets()).unwrap();
        let header = |name| AuthMode::StaticHeader(StaticHeader::new(name, secrets()).unwrap());
        let mode = match endpoint {
            Endpoint::MeetStream => AuthMode::MeetStreamSignature { secrets: signature, window: None },
            Endpoint::MeetingBaasV1 => header(StaticHeader::MEETINGBAAS_API_KEY),
            Endpoint::MeetingBaasV2 => AuthMode::Svix(SvixKeys::new(secrets()).unwrap().unwrap()),
            Endpoint::MeetingBaasCallback => header(StaticHeader::MEETINGBAAS_CALLBACK_SECRET),
            Endpoint::MeetingBaasLegacy => AuthMode::MeetingBaasSignature(signature),
            Endpoint::MeetStreamCallback => panic!("its proof is in the path"),
        };
        let offered = Credentials { headers: &self.headers, path_token: None };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        mode.verify(offered, self.body.clone(), now.try_into().unwrap()).map(drop)
    }
}

/// A server that gives each of the next requests an answer, one connection each, and hands the requests back.
fn serve(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<Request>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhooks/meetstream", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || answers.iter().map(|answer| exchange(&listener, answer)).collect());
    (url, server)
}

fn exchange(listener: &TcpListener, answer: &str) -> Request {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: HeaderMap = lines[1..]
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let text = "a \u{1b}[31m body";
    write!(stream, "HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    Request { line: lines.swap_remove(0), headers, body }
}

fn rollcall(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(arguments)
        .env("ROLLCALL_SECRET", SECRET)
        .env_remove("ROLLCALL_OUTPUTS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn an_event_arrives_as_signed() {
    let (url, server) = serve(&["200 OK"]);
    let said = rollcall(&["send", "event", "bot.kicked", "--bot-id", "b-1", "--no-timestamp", "--url", &url], b"");
    let [request] = &server.join().unwrap()[..] else { panic!("one request") };
    assert_eq!(request.line, "POST /webhooks/meetstream HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    assert!(request.headers["x-meetstream-timestamp"].to_str().unwrap().ends_with("+00:00"));
    assert_eq!(request.verify(), Ok(()));
    assert_eq!(
        text(&request.body),
        r#"{"event":"bot.stopped","bot_event":"bot.kicked","bot_id":"b-1","bot_status":"Stopped","message":"Bot was removed by a participant","status_code":200}"#
    );
    assert_eq!(said.status.code(), Some(0));
    assert!(text(&said.stdout).contains(r"200  bot.kicked                a \u{1b}[31m body"), "{}", text(&said.stdout));
}

#[test]
fn given_bytes_arrive_unchanged_as_often_as_asked() {
    let bytes = b"\xff\0{\r\n}";
    let (url, server) = serve(&["200 OK", "200 OK"]);
    let said = rollcall(&["send", "event", "--body", "-", "--repeat", "2", "--url", &url], bytes);
    for request in server.join().unwrap() {
        assert_eq!(request.body, bytes);
        assert_eq!(request.verify(), Ok(()));
    }
    assert_eq!(said.status.code(), Some(0));
}

#[test]
fn a_forged_event_is_expected_to_be_refused() {
    for (answers, code) in [(&["401 Unauthorized"], 0), (&["200 OK"], 1)] {
        let (url, server) = serve(answers);
        let said = rollcall(&["send", "event", "bot.done", "--forge", "--url", &url], b"");
        assert_eq!(server.join().unwrap()[0].verify(), Err(AuthError::Mismatch));
        assert_eq!(said.status.code(), Some(code));
    }
}

#[test]
fn every_dialect_arrives_with_its_proof() {
    for (dialect, name, endpoint) in [
        ("meetingbaas-v1", "joining_call", Endpoint::MeetingBaasV1),
        ("meetingbaas-v2", "calendar.events_synced", Endpoint::MeetingBaasV2),
        ("meetingbaas-callback", "bot.completed", Endpoint::MeetingBaasCallback),
        ("meetingbaas-legacy", "meeting.started", Endpoint::MeetingBaasLegacy),
    ] {
        let (url, server) = serve(&["200 OK", "200 OK"]);
        let said = rollcall(&["send", "event", name, "--as", dialect, "--repeat", "2", "--url", &url], b"");
        let requests = server.join().unwrap();
        for request in &requests {
            assert!(request.line.starts_with("POST "), "{dialect}: {}", request.line);
            assert_eq!(request.verify_as(endpoint), Ok(()), "{dialect}");
        }
        assert_eq!(requests[0].body, requests[1].body);
        assert_eq!(requests[0].headers.get("svix-id"), requests[1].headers.get("svix-id"));
        assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
        assert!(!text(&said.stdout).contains(SECRET) && !text(&said.stderr).contains(SECRET));
    }
}

#[test]
fn each_sender_is_refused_in_its_own_way() {
    for (dialect, refusal, code) in [
        ("meetingbaas-v1", &["401 Unauthorized"], 0),
        ("meetingbaas-v2", &["401 Unauthorized"], 0),
        ("meetingbaas-legacy", &["401 Unauthorized"], 0),
        ("meetingbaas-callback", &["503 Service Unavailable"], 0),
        ("meetingbaas-callback", &["401 Unauthorized"], 1),
    ] {
        let (url, server) = serve(refusal);
        let said = rollcall(&["send", "event", "--body", "-", "--as", dialect, "--forge", "--url", &url], b"{}");
        server.join().unwrap();
        assert_eq!(said.status.code(), Some(code), "{dialect}: {}", text(&said.stderr));
    }
}

#[test]
fn a_callback_of_meeting_baas_may_be_put() {
    let (url, server) = serve(&["200 OK"]);
    let arguments = ["send", "event", "bot.failed", "--as", "meetingbaas-callback", "--method", "put", "--url", &url];
    let said = rollcall(&arguments, b"");
    let request = &server.join().unwrap()[0];
    assert_eq!(request.line, "PUT /webhooks/meetstream HTTP/1.1");
    assert_eq!(request.verify_as(Endpoint::MeetingBaasCallback), Ok(()));
    assert_eq!(said.status.code(), Some(0));
}

#[test]
fn a_stack_without_the_dialect_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("outputs.json");
    let names = [
        "stack_name",
        "endpoint_url",
        "region",
        "function_url",
        "webhook_url",
        "table",
        "queue_url",
        "dlq_url",
        "commands_url",
        "commands_dlq_url",
        "bucket",
        "process_function",
    ];
    let fields: Vec<String> = names.iter().map(|name| format!("\"{name}\": \"http://localhost:1\"")).collect();
    std::fs::write(&file, format!("{{{}}}", fields.join(","))).unwrap();
    let said = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(["send", "meeting", "--as", "meetingbaas-v2", "--outputs"])
        .arg(&file)
        .env_remove("ROLLCALL_SECRET")
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1));
    let told = text(&said.stderr);
    assert!(told.contains("there is no meetingbaas_svix_secret") && told.contains("`make up`"), "{told}");
}

#[test]
fn a_callback_is_unsigned_and_its_token_unseen() {
    let (url, server) = serve(&["200 OK"]);
    let token = "a-token-of-22-characters";
    let said = rollcall(&["send", "event", "bot.done", "--callback", "--url", &format!("{url}/{token}")], b"");
    let request = &server.join().unwrap()[0];
    assert_eq!(request.line, format!("POST /webhooks/meetstream/{token} HTTP/1.1"));
    assert_eq!(request.verify(), Err(AuthError::MissingHeader));
    assert_eq!(said.status.code(), Some(0));
    assert!(!text(&said.stdout).contains(token) && !text(&said.stderr).contains(token));
}

#[test]
fn a_meeting_goes_on_after_an_answer_it_did_not_want() {
    let (url, server) = serve(&["200 OK", "503 Service Unavailable", "200 OK", "200 OK", "200 OK"]);
    let said = rollcall(&["send", "meeting", "--outcome", "denied", "--url", &url], b"");
    let requests = server.join().unwrap();
    assert!(requests.iter().all(|request| request.verify() == Ok(())));
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).starts_with("error: 1 of 5 deliveries were not answered 200"), "{}", text(&said.stderr));
}

#[test]
fn a_meeting_ends_at_once_where_nothing_answers() {
    let said = rollcall(&["send", "meeting", "--url", "http://127.0.0.1:1/webhooks/meetstream"], b"");
    assert_eq!(said.status.code(), Some(1));
    let told = text(&said.stderr);
    assert!(told.starts_with("error: no answer from http://127.0.0.1:1/webhooks/meetstream"), "{told}");
    assert!(told.contains("is the stack running?") && text(&said.stdout).lines().count() == 2, "{told}");
}

#[test]
fn programs_see_what_was_answered() {
    let (url, server) = serve(&["200 OK", "503 Service Unavailable"]);
    let arguments = ["send", "event", "bot.done", "--bot-id", "b", "--repeat", "2", "--json", "--url", &url];
    let said = rollcall(&arguments, b"");
    server.join().unwrap();
    let sent: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&sent["provider"], &sent["bot_id"]), (&"meetstream".into(), &"b".into()));
    let statuses: Vec<_> = sent["deliveries"].as_array().unwrap().iter().map(|sent| &sent["status"]).collect();
    assert_eq!(statuses, [&200, &503]);
    assert_eq!(said.status.code(), Some(1));
}

#[test]
fn redirects_are_answers_and_not_followed() {
    let (url, server) = serve(&["307 Temporary Redirect\r\nLocation: /elsewhere"]);
    let said = rollcall(&["send", "event", "bot.done", "--url", &url], b"");
    assert_eq!(server.join().unwrap().len(), 1);
    assert_eq!(said.status.code(), Some(1));
}

#[test]
fn the_curl_command_has_the_very_bytes() {
    let url = "http://127.0.0.1:1/webhooks/meetstream";
    let arguments = ["send", "event", "bot.done", "--message", "it's \"here\"", "--curl", "--url", url];
    let said = rollcall(&arguments, b"");
    let command = text(&said.stdout);
    // A shell takes the words apart as it would for curl.
    let words =
        Command::new("sh").arg("-c").arg(format!("curl() {{ printf '%s\\0' \"$@\"; }}; {command}")).output().unwrap();
    let words = text(&words.stdout);
    let words: Vec<&str> = words.split('\0').collect();
    let headers = words.iter().filter_map(|word| word.split_once(": "));
    let request = Request {
        line: String::new(),
        headers: headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
        body: words[words.iter().position(|word| *word == "--data-binary").unwrap() + 1].as_bytes().to_vec(),
    };
    assert_eq!(request.verify(), Ok(()), "{command}");
}

#[test]
fn no_answer_is_a_failure_that_names_the_place() {
    let said = rollcall(&["send", "event", "bot.done", "--url", "http://127.0.0.1:1/webhooks/meetstream"], b"");
    assert_eq!(said.status.code(), Some(1));
    assert!(
        text(&said.stderr).contains("no answer from http://127.0.0.1:1/webhooks/meetstream"),
        "{}",
        text(&said.stderr)
    );
}

#[test]
fn what_cannot_be_done_as_asked_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, told) in [
        (&["timeline", "meetstream", ""][..], "no bot has the id \"\": the id is empty"),
        (&["timeline", "meetingbaas", "", "--calendar"], "no calendar has the id \"\""),
        (&["timeline", "other", "b"], "there is no provider \"other\""),
        (&["timeline", "meetstream"], "no bot of meetstream is named"),
        (&["artifacts", "other", "b"], "there is no provider \"other\""),
        (&["artifacts", "meetstream", "--download", "x"], "are about one bot"),
        (&["dlq", "list", "--reason", "x"], "dead letters have no --reason"),
        (&["urls", "--stack", "s", "--outputs", "x"], "leave out one of them"),
        (&["urls", "--stack", "s", "--region", "r", "--profile", "nobody"], "there is no AWS profile \"nobody\""),
        (&["urls", "--stack", "s", "--region", "r"], "no usable AWS credentials were found"),
        (&["urls", "--stack", "s"], "no AWS region is set"),
        (&["send", "event", "bot.done", "--bot-id", ""], "a value is required for '--bot-id <ID>'"),
        (&["urls", "--region", "eu-west-1"], "no --stack was given"),
        (&["send", "event", "bot.done", "--url", "ftp://h/x"], "is no http or https URL"),
        (&["send", "event", "queued", "--as", "meetingbaas-callback"], "has no event \"queued\""),
        (&["send", "event", "bot.status_change", "--as", "meetingbaas-v2"], "needs a status code"),
        (&["send", "event", "queued", "--as", "meetingbaas-v2", "--callback"], "--callback is MeetStream's"),
        (&["send", "event", "queued", "--as", "meetingbaas-v2", "--method", "put"], "does not deliver by PUT"),
        (&["send", "meeting", "--callback", "--method", "put"], "meetstream-callback does not deliver by PUT"),
        (&["send", "event", "queued", "--as", "meetingbaas-v2", "--era", "both"], "--era has no meaning"),
        (&["send", "event", "bot.done", "--error-code", "X"], "--error-code has no meaning"),
        (&["send", "event", "queued", "--as", "meetingbaas-v2", "--error-code", "X"], "has no place for --error-code"),
        (&["send", "event", "queued", "--as", "meetingbaas-v2", "--calendar-id", "c"], "no place for --calendar-id"),
        (&["send", "event", "complete", "--as", "meetingbaas-v1", "--timestamp", "x"], "no place for --timestamp"),
        (&["send", "meeting", "--as", "meetingbaas-v2", "--deletion"], "--deletion has no meaning"),
        (&["send", "meeting", "--as", "meetingbaas-v2", "--url", "http://h", "--secret", "?"], "no Svix key"),
        (&["send", "event", "--body", "/no/such/file"], "--body /no/such/file cannot be read"),
    ] {
        let said = Command::new(env!("CARGO_BIN_EXE_rollcall"))
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .envs([("ROLLCALL_SECRET", SECRET), ("AWS_EC2_METADATA_DISABLED", "true")])
            .output()
            .unwrap();
        assert_eq!(said.status.code(), Some(2), "{arguments:?}");
        assert!(text(&said.stderr).contains(told), "{}", text(&said.stderr));
    }
}
