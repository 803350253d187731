//! How much memory it takes to read what a sender wrote: never more than in proportion to its length, whatever it is.
//!
//! The allocator of this test counts. It counts for the whole process, so everything is measured in one test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what it measured is worth reading")]

use http::HeaderMap;
use peak_alloc::PeakAlloc;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use shared::{
    AcceptId, Endpoint, QueueMessage, ReceivedAt, SenderId, SessionId,
    auth::{AuthMode, Credentials, PathTokens},
    endpoint::Provider,
    provider,
    transcript::Transcript,
};
use std::collections::BTreeMap;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The most heap that reading may take beside the body, in multiples of the body's length.
const MOST: usize = 8;

/// What small bodies may take beside that, in bytes: lists begin with room for more than they hold.
const BASE: usize = 65_536;

/// As large as a function URL lets a body be, in bytes.
const LARGEST: usize = 6_000_000;

/// The highest heap while this was done, beside what was there before, in bytes.
fn peak_of<T>(work: impl FnOnce() -> T) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = work();
    let peak = HEAP.peak_usage();
    drop(done);
    peak.saturating_sub(before)
}

/// The highest multiple of its body's length that each operation took.
type Highest = BTreeMap<&'static str, (f64, String)>;

#[track_caller]
fn check<T>(highest: &mut Highest, operation: &'static str, name: &str, length: usize, work: impl FnOnce() -> T) {
    let peak = peak_of(work);
    assert!(peak <= MOST * length + BASE, "{operation} of {length} bytes ({name}) took {peak} bytes");
    let multiple = peak.saturating_sub(BASE) as f64 / length as f64;
    let so_far = highest.entry(operation).or_default();
    if multiple > so_far.0 {
        *so_far = (multiple, name.to_owned());
    }
}

fn message(endpoint: Endpoint, body: Vec<u8>) -> QueueMessage {
    let token = "a-token-of-22-characters";
    let mode = AuthMode::PathToken(PathTokens::new(vec![token.into()]).unwrap().unwrap());
    let verified = mode.verify(Credentials { headers: &HeaderMap::new(), path_token: Some(token) }, body, 0).unwrap();
    QueueMessage::new(verified, endpoint, AcceptId::new("a"), ReceivedAt(1_791_212_102_000))
}

/// What is done with a body: looked at where it arrives, and understood where it is processed.
fn check_body(highest: &mut Highest, name: &str, endpoint: Endpoint, body: String) {
    let length = body.len();
    check(highest, "peek", name, length, || provider::peek(endpoint, body.as_bytes()));
    let message = message(endpoint, body.into_bytes());
    check(highest, "parse", name, length, || provider::parse(&message));
    check(highest, "carries_transcript", name, length, || provider::carries_transcript(&message));
}

fn check_transcript(highest: &mut Highest, name: &str, document: &str) {
    let bot = SessionId::bot(Provider::MeetStream, SenderId::try_from("b").unwrap());
    check(highest, "transcript", name, document.len(), || {
        Transcript::read(&bot, document.as_bytes()).map(|read| (read.to_json(), read))
    });
}

/// Every place of every dialect where a sender's value is read or hashed.
const PLACES: [(Endpoint, &str); 9] = [
    (
        Endpoint::MeetStream,
        r#"{"bot_id":"b","bot_event":"bot.kicked","timestamp":"2026-01-01T10:00:00Z","custom_attributes":@}"#,
    ),
    (Endpoint::MeetStream, r#"{"bot_id":"b","bot_event":"bot.kicked","message":@}"#),
    (Endpoint::MeetStreamCallback, r#"{"bot_id":"b","event":"of.no.known.kind","data":@}"#),
    (Endpoint::MeetingBaasV2, r#"{"event":"bot.completed","data":{"bot_id":"b","error_message":@},"extra":@}"#),
    (Endpoint::MeetingBaasV1, r#"{"event":"complete","data":{"bot_id":"b","transcript":@,"mp4":@}}"#),
    (
        Endpoint::MeetingBaasV1,
        r#"{"event":"calendar.sync_events","data":{"calendar_id":"c","last_updated_ts":"x","affected_event_uuids":@}}"#,
    ),
    (Endpoint::MeetingBaasCallback, r#"{"event":@,"bot_id":"b","data":{"status":{"code":@}}}"#),
    (Endpoint::MeetingBaasLegacy, r#"{"event":"meeting.started","data":{"bot_id":"b","extra":@}}"#),
    (Endpoint::MeetingBaasLegacy, "@"),
];

fn list(item: &str, length: usize) -> String {
    format!("[{}{item}]", format!("{item},").repeat(length / (item.len() + 1)))
}

/// Values that take much memory for their length, if one lets them.
fn hostile(length: usize) -> Vec<(&'static str, String)> {
    let nested = |open: &str, close: &str| {
        let depth = length / (open.len() + close.len());
        format!("{}0{}", open.repeat(depth), close.repeat(depth))
    };
    let fields = |name: &dyn Fn(usize) -> String, count: usize| {
        let fields: Vec<_> = (0..count).map(|n| format!(r#""{}":0"#, name(n))).collect();
        format!("{{{}}}", fields.join(","))
    };
    let text = |part: &str| format!("\"{}\"", part.repeat(length / part.len()));
    let shallow = |inner: &str| format!("{}{inner}{}", r#"{"b":0,"a":"#.repeat(30), "}".repeat(30));
    let descending = fields(&|n| format!("{:04}", 1000 - n), 1000);
    vec![
        ("nested objects", nested(r#"{"a":"#, "}")),
        ("nested lists", nested("[", "]")),
        ("both, nested", nested(r#"[{"utterances":"#, "}]")),
        ("empty objects", list("{}", length)),
        ("empty lists", list("[]", length)),
        ("lists in lists", list(r#"["a"]"#, length)),
        ("small objects", list(r#"{"a":0}"#, length)),
        ("nested small objects", shallow(&list(r#"{"b":{"":0},"a":[0]}"#, length))),
        ("wide objects", list(&descending, length)),
        ("zeros", list("0", length)),
        ("numbers with long forms", list("1e15", length)),
        ("numbers out of range", list("1e999", length)),
        ("a number of many digits", format!("1{}", "0".repeat(length))),
        ("many names", fields(&|n| n.to_string(), length / 10)),
        ("one name many times", fields(&|_| String::new(), length / 5)),
        ("short texts", list("\"a\"", length)),
        ("a long name", format!("{{{}:0}}", text("a"))),
        ("a long text", text("a")),
        ("a text of escapes", text("\\n")),
        ("a text of control characters", text("\\u0001")),
        ("a text of halves", text("\\ud83d")),
        ("a text of emoji", text("🤖")),
        ("a URL", format!("\"https://x/?{}\"", "q".repeat(length))),
    ]
}

/// Transcripts as they come, and others that look like them.
fn transcripts(length: usize) -> Vec<(&'static str, String)> {
    let of = |segment: &str, words: &str, per_segment: usize| {
        let words = vec![words; per_segment].join(",");
        list(&segment.replace('@', &words), length)
    };
    let meetstream = r#"{"speaker":"Priya Raman","transcript":"We should ship it now, I think","start_time":12.48,"end_time":15.92,"absolute_start_time":"2026-10-05T14:05:30.200Z","words":[@]}"#;
    let meetstream_word =
        r#"{"word":"ship","punctuated_word":"ship","start":12.48,"end":12.92,"confidence":0.98,"speaker":0}"#;
    let v1 = r#"{"speaker":"Priya Raman","offset":12.48,"words":[@]}"#;
    let v1_word = r#"{"start":12.48,"end":12.9,"word":"ship"}"#;
    let v2 = format!(
        r#"{{"bot_id":"b","result":{{"utterances":{}}}}}"#,
        of(
            r#"{"text":"ship it","speaker":"Priya","start":1.5,"end":2.4,"words":[@]}"#,
            r#"{"word":" ship","start":1.5,"end":1.9}"#,
            8
        )
    );
    vec![
        ("MeetStream", of(meetstream, meetstream_word, 7)),
        ("v1", of(v1, v1_word, 12)),
        ("v2", v2),
        ("one segment", format!(r#"[{{"speaker":"P","words":{}}}]"#, list(v1_word, length))),
        (
            "texts with speakers",
            of(r#"{"speaker":"Priya Raman","text":"We should ship it","start":1.5,"end":2.5}"#, "", 0),
        ),
        ("words as texts", format!(r#"{{"words":{}}}"#, list("\"a\"", length))),
        ("short words", format!(r#"{{"words":{}}}"#, list(r#"{"word":"a"}"#, length))),
        ("short segments", list(r#"{"text":"a"}"#, length)),
        ("segments of one word", list(r#"{"words":["a"]}"#, length)),
        ("numbers as words", format!(r#"{{"words":{}}}"#, list("0", length))),
        ("a long text", format!(r#"[{{"text":"{}"}}]"#, "a\\n".repeat(length / 3))),
    ]
}

#[test]
fn reading_takes_memory_in_proportion() {
    let mut highest = Highest::new();
    // Most of them small, because code that is not optimised is slow; the multiples are the same for larger ones.
    for (name, value) in hostile(30_000) {
        for (endpoint, body) in PLACES {
            check_body(&mut highest, &format!("{name} in {body}"), endpoint, body.replace('@', &value));
        }
        check_transcript(&mut highest, name, &value);
    }
    let large = ["nested objects", "small objects", "zeros", "many names", "short texts", "a text of halves"];
    for (name, value) in hostile(LARGEST).into_iter().filter(|(name, _)| large.contains(name)) {
        // One whose value is hashed; what is in a body twice would be longer than a body can be.
        let (endpoint, body) = PLACES[2];
        check_body(&mut highest, &format!("{name} in {body}"), endpoint, body.replace('@', &value));
        check_transcript(&mut highest, name, &value);
    }
    for (name, document) in transcripts(100_000) {
        check_transcript(&mut highest, name, &document);
        let body = format!(r#"{{"event":"complete","data":{{"bot_id":"b","transcript":{document}}}}}"#);
        check_body(&mut highest, name, Endpoint::MeetingBaasV1, body);
    }

    // What nobody thought of: mixtures, each repeated until it is large.
    let fragments: Vec<_> = hostile(200).into_iter().chain(transcripts(300)).map(|(_, value)| value).collect();
    let fragment = proptest::sample::select(fragments);
    let mixture = (proptest::collection::vec(fragment, 1..4), 1..50_usize, 0..PLACES.len(), any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
    let highest = std::cell::RefCell::new(highest);
    let ran = runner.run(&mixture, |(fragments, times, place, is_object)| {
        let item = if is_object {
            format!(r#"{{"a":{},"words":1}}"#, fragments.join(r#","b":"#))
        } else {
            fragments.join(",")
        };
        let value = list(&item, times * item.len());
        let (endpoint, body) = PLACES[place];
        let highest = &mut *highest.borrow_mut();
        check_body(highest, "a mixture", endpoint, body.replace('@', &value));
        check_transcript(highest, "a mixture", &value);
        Ok(())
    });
    ran.unwrap();
    for (operation, (multiple, name)) in highest.into_inner() {
        println!("{operation}: at most {multiple:.1} times the body ({name})");
    }
}
