use super::*;
use serde_json::json;

fn v1() -> Value {
    json!({
        "uuid": "e-1", "name": " Weekly ", "start_time": "2026-09-01T09:00:00Z", "end_time": "2026-09-01T10:00:00Z",
        "deleted": false, "meeting_url": "https://meet.example/a", "recurring_event_id": "s-1", "is_recurring": true,
        "last_updated_at": "2026-08-30T00:00:00Z", "bot_param": null, "calendar_uuid": "c", "raw": {}, "attendees": []
    })
}

fn v2() -> Value {
    json!({
        "event_id": "e-1", "title": "Weekly", "start_time": "2026-09-01T09:00:00Z", "end_time": "2026-09-01T10:00:00Z",
        "status": "confirmed", "meeting_url": "https://meet.example/a", "series_id": "s-1", "bot_scheduled": false,
        "updated_at": "2026-08-30T00:00:00Z", "calendar_id": "c", "attendees": null
    })
}

#[test]
fn both_versions_say_the_same() {
    let first = entry(v1().to_string().as_bytes()).unwrap();
    let second = entry(json!({"success": true, "data": v2()}).to_string().as_bytes()).unwrap();
    assert_eq!(first, second);
    assert_eq!(
        (first.id.as_sent(), first.title.as_deref(), first.status),
        ("e-1", Some("Weekly"), EntryStatus::Confirmed)
    );
    assert_eq!((first.series_id.as_deref(), first.bot_scheduled), (Some("s-1"), Some(false)));
    assert_eq!(first.updated_at.unwrap().as_sent(), "2026-08-30T00:00:00Z");
}

#[test]
fn cancellations_are_seen() {
    let check = |field: &str, value: Value, expected: EntryStatus| {
        let mut body = v2();
        body[field] = value;
        assert_eq!(entry(body.to_string().as_bytes()).unwrap().status, expected, "{field}");
    };
    check("status", json!("cancelled"), EntryStatus::Cancelled);
    check("status", json!("Tentative"), EntryStatus::Tentative);
    check("status", json!("moved"), EntryStatus::Unknown);
    check("status", json!(1), EntryStatus::Unknown);
    check("deleted", json!(true), EntryStatus::Cancelled);
}

#[test]
fn pages_lead_to_the_next() {
    let read = |body: Value| page(body.to_string().as_bytes());
    let first = read(json!({"data": [v1(), {"name": "without id"}, 3], "next": "abc"})).unwrap();
    assert_eq!((first.entries.len(), first.cursor.as_deref()), (1, Some("abc")));
    let second = read(json!({"success": true, "data": [v2()], "cursor": "x==", "prev_cursor": "y"})).unwrap();
    assert_eq!(second.cursor.as_deref(), Some("x=="));
    let last = read(json!({"data": [], "next": null, "cursor": ""})).unwrap();
    assert_eq!(last, Page::default());
    let url = "https://api.meetingbaas.com/calendar_events/?calendar_id=c&cursor=a%2Bb%3D&status=all";
    assert_eq!(read(json!({"data": [], "next": url})).unwrap().cursor.as_deref(), Some("a+b="));
    for odd in [
        json!({"data": [], "next": "https://api.meetingbaas.com/calendar_events/"}),
        json!({"data": [], "next": "https://api.meetingbaas.com/?cursor="}),
        json!({"data": [], "next": "https://api.meetingbaas.com/?cursor=%zz"}),
        json!({}),
        json!([]),
        json!({"data": {}}),
        json!({"success": false, "error": "Not Found"}),
    ] {
        assert_eq!(read(odd.clone()), Err(Unreadable), "{odd}");
    }
    assert_eq!(entry(b"{}"), Err(Unreadable));
}

#[test]
fn texts_are_cut_at_2048_bytes_and_never_within_a_character() {
    let title = |title: &str| entry(json!({"event_id": "e", "title": title}).to_string().as_bytes()).unwrap().title;
    let (fits, long) = ("x".repeat(2048), "x".repeat(2049));
    assert_eq!(title(&fits).as_ref(), Some(&fits));
    assert_eq!(title(&long).as_ref(), Some(&fits));
    let within = format!("{}é", "x".repeat(2047));
    assert_eq!(title(&within), Some("x".repeat(2047)), "the last character has its second byte beyond the bound");
}

#[test]
fn half_a_surrogate_pair_in_a_title_hides_no_entry() {
    let entry_text = r#"{"event_id": "e", "title": "Party \ud83d", "extra": 1e999}"#;
    assert_eq!(entry(entry_text.as_bytes()).unwrap().title.as_deref(), Some("Party \u{FFFD}"));
    let page = page(format!(r#"{{"data": [{entry_text}], "cursor": "next"}}"#).as_bytes()).unwrap();
    assert_eq!((page.entries.len(), page.cursor.as_deref()), (1, Some("next")));
}
