use super::*;
use crate::endpoint::Provider;
use crate::{ids::SessionId, sender_id::SenderId};
use proptest::prelude::*;
use serde_json::{Value, json};

fn bot(provider: Provider) -> SessionId {
    SessionId::bot(provider, SenderId::try_from("b-1").unwrap())
}

fn read(body: &Value) -> Result<Transcript, UnreadableTranscript> {
    Transcript::read(&bot(Provider::MeetStream), body.to_string().as_bytes())
}

/// The segments of a document as JSON.
#[track_caller]
fn check(name: &str, body: Value, expected: Value) {
    let segments = serde_json::to_value(read(&body).unwrap().segments).unwrap();
    assert_eq!(segments, expected, "{name}");
}

fn said(text: &str) -> Value {
    json!({"speaker": null, "text": text, "start_seconds": null, "end_seconds": null, "words": []})
}

#[test]
fn meetstream_and_both_versions_of_meeting_baas_come_out_alike() {
    let expected = json!([{
        "speaker": "Priya Raman", "text": "Good morning", "start_seconds": 1.5, "end_seconds": 2.4,
        "words": [{"text": "Good", "start": 1.5, "end": 1.9}, {"text": "morning", "start": 2.0, "end": 2.4}]
    }]);
    let meetstream = json!([{
        "speaker": "Priya Raman", "transcript": "Good morning", "start_time": 1.5, "end_time": 2.4,
        "absolute_start_time": "2026-10-05T14:05:30.200Z", "absolute_end_time": "2026-10-05T14:05:31.400Z",
        "words": [
            {"word": "good", "punctuated_word": "Good", "start": 1.5, "end": 1.9, "speaker": 0},
            {"word": "morning", "punctuated_word": "morning", "start": 2.0, "end": 2.4, "speaker": 0}
        ]
    }]);
    let v1_words = json!([{"start": 1.5, "end": 1.9, "word": "Good"}, {"start": 2.0, "end": 2.4, "word": "morning"}]);
    let v1_segment =
        json!({"speaker": "Priya Raman", "offset": 1.5, "start_time": 1.5, "end_time": 2.4, "words": v1_words});
    let complete = json!({"event": "complete", "data": {
        "bot_id": "b", "transcript": [v1_segment], "speakers": ["Priya Raman", "Tom Ilves"], "mp4": "https://x/v"
    }});
    let v1_transcripts = json!([{
        "id": 1, "bot_id": 2, "speaker": "Priya Raman", "start_time": 1.5, "end_time": 2.4, "lang": null,
        "words": [
            {"id": 1, "text": "Good", "start_time": 1.5, "end_time": 1.9},
            {"id": 2, "text": "morning", "start_time": 2.0, "end_time": 2.4}
        ]
    }]);
    let meeting_data = json!({"mp4": "https://x/v", "bot_data": {"bot": {"uuid": "b"}, "transcripts": v1_transcripts}});
    let v2 = json!({"bot_id": "b", "provider": "gladia", "created_at": "2026-08-20T09:31:02Z", "result": {
        "languages": ["en"], "total_utterances": 1, "utterances": [{
            "text": "Good morning", "speaker": "Priya Raman", "start": 1.5, "end": 2.4, "language": "en",
            "confidence": 0.9, "channel": 0, "words": [
                {"word": " Good", "start": 1.5, "end": 1.9}, {"word": " morning", "start": 2.0, "end": 2.4}
            ]
        }]
    }});
    check("MeetStream", meetstream, expected.clone());
    check("v1, complete", complete.clone(), expected.clone());
    check("v1, its transcript", complete["data"]["transcript"].clone(), expected.clone());
    check("v1, meeting_data", meeting_data.clone(), expected.clone());
    check("v1, its transcripts", meeting_data["bot_data"]["transcripts"].clone(), expected.clone());
    check("v2", v2.clone(), expected.clone());
    check("normalised already", json!({"version": 1, "segments": expected.clone()}), expected);
    assert_eq!(read(&v2).unwrap().language.as_deref(), Some("en"));
    assert_eq!(read(&complete).unwrap().language, None);
}

#[test]
fn what_transcribers_write_themselves_is_read_where_it_is_alike() {
    let word = json!({"word": "hi", "punctuated_word": "Hi.", "start": 0.1, "end": 0.2, "confidence": 0.5});
    let expected = |speaker: Value| {
        json!([{
            "speaker": speaker, "text": "Hi.", "start_seconds": 0.1, "end_seconds": 0.2,
            "words": [{"text": "Hi.", "start": 0.1, "end": 0.2, "confidence": 0.5}]
        }])
    };
    let channel = json!({"alternatives": [{"transcript": "Hi.", "words": [word]}, {"transcript": "High."}]});
    let results = json!({"metadata": {"duration": 1}, "results": {"channels": [channel]}});
    check("channels and alternatives", results.clone(), expected(Value::Null));
    let utterance = json!({"transcript": "Hi.", "speaker": 0, "start": 0.1, "end": 0.2, "words": [word]});
    let mut with_utterances = results;
    with_utterances["results"]["utterances"] = json!([utterance]);
    check("utterances before channels", with_utterances, expected(json!("0")));
    check("one text", json!({"id": "x", "text": "Hi.", "words": [word], "utterances": null}), expected(Value::Null));
    check("a full text alone", json!({"transcription": {"full_transcript": "Hi."}}), json!([said("Hi.")]));
}

#[test]
fn odd_values_lose_no_words() {
    check("texts alone", json!(["a", " ", "b"]), json!([said("a"), said("b")]));
    check("a speaker without words", json!([{"speaker": "P"}, {"text": "a"}]), json!([said("a")]));
    check("words as texts", json!([{"words": ["a", "b", 3]}]), {
        let words = json!([
            {"text": "a", "start": null, "end": null}, {"text": "b", "start": null, "end": null},
            {"text": "3", "start": null, "end": null}
        ]);
        json!([{"speaker": null, "text": "a b 3", "start_seconds": null, "end_seconds": null, "words": words}])
    });
    let times = |start: Value, end: Value| json!([{"text": "a", "start": start, "end": end}]);
    let timed = |start: Value, end: Value| json!([{"speaker": null, "text": "a", "start_seconds": start, "end_seconds": end, "words": []}]);
    check("numbers as texts", times(json!("1.5"), json!(" 2 ")), timed(json!(1.5), json!(2.0)));
    check("clocks", times(json!("00:01:02.5"), json!("1:03")), timed(json!(62.5), json!(63.0)));
    check("negative", times(json!(-1), json!(-0.5)), timed(json!(0.0), json!(0.0)));
    check("an end before its beginning", times(json!(5), json!(2)), timed(json!(5.0), json!(5.0)));
    check("no numbers", times(json!("NaN"), json!("inf")), timed(Value::Null, Value::Null));
    check("other types", times(json!([1]), json!({"a": 1})), timed(Value::Null, Value::Null));
    let odd = json!([{"text": "a", "speaker": {"name": "P"}, "words": {"a": 1}}]);
    check("a speaker with fields", odd, {
        json!([{"speaker": "P", "text": "a", "start_seconds": null, "end_seconds": null, "words": []}])
    });
    let sure = json!([{"words": [{"word": "a", "confidence": 7}]}]);
    assert_eq!(read(&sure).unwrap().segments[0].words[0].confidence, None);
    check("a silent meeting", json!([]), json!([]));
    check("a silent meeting, v2", json!({"result": {"utterances": []}}), json!([]));
}

#[test]
fn what_no_program_can_hold_loses_no_words() {
    let read = |body: &str| Transcript::read(&bot(Provider::MeetStream), body.as_bytes()).unwrap().segments;
    let segments =
        read(r#"[{"speaker":"Priya \udc00","text":"bye \ud83d","start":1e999,"\ud83d":[]},{"text":"then"}]"#);
    assert_eq!(segments[0].speaker.as_deref(), Some("Priya \u{FFFD}"));
    assert_eq!((segments[0].text.as_str(), segments[0].start_seconds), ("bye \u{FFFD}", None));
    assert_eq!(segments[1].text, "then");
    let deep = format!(r#"[{{"text":"before"}},{}{},{{"text":"after"}}]"#, "[".repeat(5000), "]".repeat(5000));
    let texts: Vec<_> = read(&deep).into_iter().map(|segment| segment.text).collect();
    assert_eq!(texts, ["before", "after"]);
}

#[test]
fn what_would_be_out_of_proportion_is_not_built() {
    let texts = format!("[{}0]", r#""a","#.repeat(10_000));
    assert_eq!(Transcript::read(&bot(Provider::MeetStream), texts.as_bytes()), Err(UnreadableTranscript));
    let words = format!(r#"[{{"words":[{}0]}}]"#, r#""a","#.repeat(10_000));
    assert_eq!(Transcript::read(&bot(Provider::MeetStream), words.as_bytes()), Err(UnreadableTranscript));
    let words = format!(r#"[{{"words":[{0}{{}}]}}]"#, r#"{"word":"a","start":1,"end":2},"#.repeat(10_000));
    let read = Transcript::read(&bot(Provider::MeetStream), words.as_bytes()).unwrap();
    assert_eq!(read.segments[0].words.len(), 10_000, "the shortest that a provider might write");
}

#[test]
fn what_is_no_transcript_is_said_to_be_none() {
    for odd in ["", "WEBVTT", "1", "null", "{}", r#"{"message":"not found"}"#, r#""text""#, "[{"] {
        let bytes = odd.as_bytes();
        assert_eq!(Transcript::read(&bot(Provider::MeetingBaas), bytes), Err(UnreadableTranscript), "{odd}");
    }
}

fn segment(speaker: Option<&str>, text: &str, start: Option<f64>, end: Option<f64>) -> Segment {
    let speaker = speaker.map(str::to_owned);
    Segment { speaker, text: text.to_owned(), start_seconds: start, end_seconds: end, words: vec![] }
}

fn meeting() -> Transcript {
    Transcript {
        version: VERSION,
        provider: Provider::MeetStream,
        bot_id: "b".to_owned(),
        language: None,
        segments: vec![
            segment(Some("Priya <Raman>"), "We should\n\nship & <test> it --> now.", Some(301.2), Some(302.4)),
            segment(Some("0"), "Good morning", Some(1.5), None),
            segment(None, "after that", None, None),
            segment(Some("Tom"), "Much later", Some(37_230.0), Some(37_230.0)),
        ],
    }
}

#[test]
fn people_read_lines() {
    insta::assert_snapshot!(text(&meeting()), @r"
    [0:00:01] Speaker 0: Good morning
    after that
    [0:05:01] Priya <Raman>: We should ship & <test> it --> now.
    [10:20:30] Tom: Much later
    ");
}

#[test]
fn players_read_subrip() {
    insta::assert_snapshot!(srt(&meeting()), @r"
    1
    00:00:01,500 --> 00:00:04,500
    Speaker 0: Good morning

    2
    00:00:01,500 --> 00:00:04,500
    after that

    3
    00:05:01,200 --> 00:05:02,400
    Priya <Raman>: We should ship & <test> it → now.

    4
    10:20:30,000 --> 10:20:33,000
    Tom: Much later
    ");
}

#[test]
fn browsers_read_webvtt() {
    insta::assert_snapshot!(vtt(&meeting()), @r"
    WEBVTT

    00:00:01.500 --> 00:00:04.500
    <v Speaker 0>Good morning

    00:00:01.500 --> 00:00:04.500
    after that

    00:05:01.200 --> 00:05:02.400
    <v Priya &lt;Raman&gt;>We should ship &amp; &lt;test&gt; it --&gt; now.

    10:20:30.000 --> 10:20:33.000
    <v Tom>Much later
    ");
}

/// JSON with the names that are looked for, in any arrangement.
fn documents() -> impl Strategy<Value = Value> {
    let names = "utterances|segments|transcripts|transcript|result|data|channels|alternatives|words|text|word|speaker|start|end|language|languages";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "-?[0-9]{1,3}(:[0-9]{2}){0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A segment as somebody might write it, and the words in it.
fn spoken() -> impl Strategy<Value = (Vec<String>, Value)> {
    let time =
        prop_oneof![Just(Value::Null), (-10.0..9999.0).prop_map(Value::from), "[0-9]{1,4}".prop_map(Value::from)];
    let words = prop::collection::vec("[a-zé<>&\"']{1,6}|-->|🤖", 1..6);
    let form = 0..4_usize;
    (words, prop::option::of(".{0,10}"), time.clone(), time, form).prop_map(|(words, speaker, start, end, form)| {
        let text = words.join(" ");
        let list = |name: &str| -> Vec<Value> { words.iter().map(|word| json!({name: word, "start": start})).collect() };
        let segment = match form {
            0 => json!({"speaker": speaker, "transcript": text, "start_time": start, "end_time": end, "words": list("word")}),
            1 => json!({"speaker": speaker, "offset": start, "words": list("word")}),
            2 => json!({"speaker": speaker, "start_time": start, "end_time": end, "words": list("text")}),
            _ => json!({"text": text, "speaker": speaker, "start": start, "end": end}),
        };
        (words, segment)
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Transcript::read(&bot(Provider::MeetStream), &bytes);
    }

    #[test]
    fn no_document_panics_and_what_is_read_can_be_shown(document in documents()) {
        if let Ok(transcript) = read(&document) {
            let stored = String::from_utf8(transcript.to_json()).unwrap();
            prop_assert_eq!(&stored, &serde_json::to_string(&transcript).unwrap());
            prop_assert_eq!(&serde_json::from_str::<Transcript>(&stored).unwrap(), &transcript);
            for shown in [text(&transcript), srt(&transcript), vtt(&transcript)] {
                prop_assert!(!shown.is_empty() || transcript.segments.is_empty());
            }
            for segment in &transcript.segments {
                prop_assert!(!segment.text.is_empty());
                let (start, end) = (segment.start_seconds.unwrap_or(0.0), segment.end_seconds.unwrap_or(f64::MAX));
                prop_assert!(0.0 <= start && start <= end && end.is_finite());
            }
        }
    }

    #[test]
    fn no_words_are_lost(spoken in prop::collection::vec(spoken(), 0..6), dialect in 0..5_usize) {
        let segments: Vec<Value> = spoken.iter().map(|(_, segment)| segment.clone()).collect();
        let document = match dialect {
            0 => json!(segments),
            1 => json!({"event": "complete", "data": {"bot_id": "b", "transcript": segments}}),
            2 => json!({"mp4": "", "bot_data": {"transcripts": segments}}),
            3 => json!({"bot_id": "b", "result": {"utterances": segments}}),
            _ => json!({"transcription": {"utterances": segments}}),
        };
        let transcript = read(&document).unwrap();
        prop_assert_eq!(transcript.segments.len(), spoken.len());
        for (segment, (words, _)) in transcript.segments.iter().zip(&spoken) {
            prop_assert_eq!(&segment.text, &words.join(" "));
        }
        let (plain, subrip, webvtt) = (text(&transcript), srt(&transcript), vtt(&transcript));
        let shown = webvtt.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        for word in spoken.iter().flat_map(|(words, _)| words) {
            prop_assert!(plain.contains(word.as_str()));
            prop_assert!(shown.contains(word.as_str()));
            prop_assert!(subrip.contains(&word.replace("-->", "→")));
        }
    }

    #[test]
    fn captions_are_well_formed_and_in_order(spoken in prop::collection::vec(spoken(), 0..8)) {
        let segments: Vec<Value> = spoken.iter().map(|(_, segment)| segment.clone()).collect();
        let transcript = read(&json!(segments)).unwrap();
        for captions in [srt(&transcript), vtt(&transcript).replace("WEBVTT\n\n", "")] {
            let cues: Vec<Vec<&str>> = captions.split_terminator("\n\n").map(|cue| cue.lines().collect()).collect();
            prop_assert_eq!(cues.len(), spoken.len());
            let mut last = String::new();
            for cue in &cues {
                let arrows = cue.iter().filter(|line| line.contains("-->")).count();
                prop_assert_eq!(arrows, 1, "{:?}", cue);
                let times = cue.iter().rev().nth(1).unwrap();
                let (start, end) = times.split_once(" --> ").unwrap();
                prop_assert!(start < end && last.as_str() <= start, "{} after {}", times, last);
                last = start.to_owned();
            }
        }
    }
}
