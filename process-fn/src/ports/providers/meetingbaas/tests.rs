use super::super::testing::{Host, Reply, SHORT, reply};
use super::*;
use shared::api::{Absence, Content};

fn id(text: &str) -> SenderId {
    SenderId::try_from(text).unwrap()
}

fn api(host: &Host) -> MeetingBaasApi {
    MeetingBaasApi::new(&host.url(""), &ApiKey::new("s3cret".to_owned()), SHORT)
}

const V2_BOT: &str =
    r#"{"success":true,"data":{"status":"completed","video":"https://s3.example/v?sig=1","transcription":null}}"#;
const V1_BOT: &str = r#"{"mp4":"https://s3.example/v1?sig=1","audio":"","bot_data":{"bot":{"ended_at":"2026-08-20T09:28:00"},
    "transcripts":[{"speaker":"P","words":[]}]}}"#;

fn at(located: Located) -> String {
    match located {
        Located::Found { content: Content::At(url), .. } => url.expose(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn the_second_version_is_asked_first_and_with_the_key() {
    let host = Host::serving(&[("/v2/bots/b", V2_BOT)]).await;
    let located = api(&host).artifact(&id("b"), Artifact::Video).await.unwrap();
    assert_eq!(at(located), "https://s3.example/v?sig=1");
    assert_eq!(host.paths(), ["/v2/bots/b"]);
    assert_eq!(host.seen()[0].headers["x-meeting-baas-api-key"], "s3cret");
    assert!(api(&host).detail(&id("b")).await.unwrap().is_over());
}

#[tokio::test]
async fn a_transcript_that_is_not_there_is_explained_by_its_status() {
    let status = r#"{"success":true,"data":{"transcription_status":"error"}}"#;
    let host = Host::answering(move |path, _| {
        Reply::Bytes(reply(200, &[], if path == "/v2/bots/b/status" { status } else { V2_BOT }))
    })
    .await;
    let located = api(&host).artifact(&id("b"), Artifact::Transcript).await;
    assert_eq!(located, Ok(Located::Unavailable(Absence::Failed)));
    assert_eq!(host.paths(), ["/v2/bots/b", "/v2/bots/b/status"]);
}

#[tokio::test]
async fn what_the_second_version_does_not_know_the_first_may() {
    const MEDIA: &str = "/bots/meeting_data?bot_id=b%201&include_transcripts=false";
    const WORDS: &str = "/bots/meeting_data?bot_id=b%201&include_transcripts=true";
    for of_v2 in ["404 {}", "400 {}", "401 {}"] {
        let host = Host::answering(move |path, _| {
            let (status, body) = of_v2.split_once(' ').unwrap();
            let (status, body) = if [MEDIA, WORDS].contains(&path) { ("200", V1_BOT) } else { (status, body) };
            Reply::Bytes(reply(status.parse().unwrap(), &[], body))
        })
        .await;
        let bot = id("b 1");
        assert_eq!(at(api(&host).artifact(&bot, Artifact::Video).await.unwrap()), "https://s3.example/v1?sig=1");
        let transcript = api(&host).artifact(&bot, Artifact::Transcript).await.unwrap();
        let body = br#"[{"speaker":"P","words":[]}]"#.to_vec();
        assert_eq!(transcript, Located::Found { content: Content::Inline(body), run: None });
        assert!(api(&host).detail(&bot).await.is_ok());
        assert_eq!(host.paths(), ["/v2/bots/b%201", MEDIA, "/v2/bots/b%201", WORDS, "/v2/bots/b%201", MEDIA]);
    }
}

#[tokio::test]
async fn what_neither_version_gives_is_told_as_the_one_that_knows_tells_it() {
    let check = async |of_v2: u16, of_v1: u16, expected: ApiError| {
        let host = Host::answering(move |path, _| {
            Reply::Bytes(reply(if path.starts_with("/v2/") { of_v2 } else { of_v1 }, &[], "{}"))
        })
        .await;
        assert_eq!(api(&host).detail(&id("b")).await, Err(expected), "{of_v2} {of_v1}");
    };
    let refused = ApiError::later(Cause::KeyRefused);
    check(404, 404, Refusal::NotFound.into()).await;
    check(404, 410, Refusal::Gone.into()).await;
    check(404, 400, Refusal::Refused.into()).await;
    check(404, 401, refused).await;
    check(404, 500, ApiError::later(Cause::Failing)).await;
    check(410, 404, Refusal::Gone.into()).await;
    check(410, 401, Refusal::Gone.into()).await;
    check(401, 404, refused).await;
    check(401, 410, Refusal::Gone.into()).await;
    check(400, 404, Refusal::Refused.into()).await;
    check(400, 401, refused).await;
    check(500, 200, ApiError::later(Cause::Failing)).await;
}

#[tokio::test]
async fn named_entries_are_found_or_gone() {
    let host = Host::serving(&[
        ("/v2/calendars/c/events/two", r#"{"success":true,"data":{"event_id":"two","status":"cancelled"}}"#),
        ("/calendar_events/one", r#"{"uuid":"one","deleted":false}"#),
    ])
    .await;
    let ids = ["one", "two", "three", "x/../y"].map(id).into();
    let found = api(&host).calendar_entries(&id("c"), &Entries::Named(ids)).await.unwrap();
    let entries: Vec<&str> = found.entries.keys().map(SenderId::as_sent).collect();
    assert_eq!(entries, ["one", "two"]);
    assert_eq!(found.gone, [id("three")], "an id that nobody can ask about says nothing");
    assert!(!host.paths().iter().any(|path| path.contains("..")), "{:?}", host.paths());
}

#[tokio::test]
async fn a_failure_loses_no_entry_quietly() {
    let host =
        Host::answering(|path, _| Reply::Bytes(reply(if path.ends_with("two") { 500 } else { 404 }, &[], "{}"))).await;
    let ids = ["one", "two"].map(id).into();
    let found = api(&host).calendar_entries(&id("c"), &Entries::Named(ids)).await;
    assert_eq!(found, Err(ApiError::later(Cause::Failing)));
}

#[tokio::test]
async fn all_pages_are_read() {
    const PAGES: &[(&str, &str)] = &[
        (
            "/v2/calendars/c/events?limit=250&show_cancelled=true",
            r#"{"success":true,"data":[{"event_id":"1","updated_at":"2026-08-01T00:00:00Z"},{"event_id":"2"}],"cursor":"a+/="}"#,
        ),
        (
            "/v2/calendars/c/events?limit=250&show_cancelled=true&cursor=a%2B%2F%3D",
            r#"{"success":true,"data":[{"event_id":"3","updated_at":"2026-09-01T00:00:00Z"}],"cursor":null}"#,
        ),
    ];
    let ids = |since: Option<&'static str>| async move {
        let host = Host::serving(PAGES).await;
        let since = since.map(|text| OccurredAt::parse(text).unwrap());
        let found = api(&host).calendar_entries(&id("c"), &Entries::ChangedSince(since)).await.unwrap();
        found.entries.into_keys().map(String::from).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(None).await, "1 2 3");
    assert_eq!(ids(Some("2026-08-15T00:00:00Z")).await, "2 3", "one without a date may have changed");
}

#[tokio::test]
async fn the_first_version_is_asked_for_what_has_changed() {
    let host = Host::serving(&[
        (
            "/calendar_events/?calendar_id=c&status=all&updated_at_gte=2026-08-15T00%3A00%3A00%2B00%3A00",
            r#"{"data":[{"uuid":"1"}],"next":"n"}"#,
        ),
        (
            "/calendar_events/?calendar_id=c&status=all&updated_at_gte=2026-08-15T00%3A00%3A00%2B00%3A00&cursor=n",
            r#"{"data":[{"uuid":"2"}],"next":null}"#,
        ),
    ])
    .await;
    let since = OccurredAt::parse("2026-08-15T00:00:00+00:00").unwrap();
    let found = api(&host).calendar_entries(&id("c"), &Entries::ChangedSince(Some(since))).await.unwrap();
    assert_eq!(found.entries.len(), 2);
}

#[tokio::test]
async fn pages_that_never_end_are_given_up() {
    let host =
        Host::answering(|_, _| Reply::Bytes(reply(200, &[], r#"{"success":true,"data":[],"cursor":"again"}"#))).await;
    let found = api(&host).calendar_entries(&id("c"), &Entries::ChangedSince(None)).await;
    assert_eq!(found, Err(ApiError::later(Cause::Unreadable)));
    assert_eq!(host.seen().len(), 2);
}
