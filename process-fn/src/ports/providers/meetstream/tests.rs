use super::super::testing::{Host, SHORT};
use super::*;

fn id(text: &str) -> SenderId {
    SenderId::try_from(text).unwrap()
}

fn api(host: &Host) -> MeetStreamApi {
    MeetStreamApi::new(&host.url("/api/v1"), &ApiKey::new("s3cret".to_owned()), SHORT)
}

/// Where an artifact of bot `b` is at a host with these answers, and what was asked for.
async fn locate(artifact: Artifact, table: &'static [(&'static str, &'static str)]) -> (String, Vec<String>) {
    let host = Host::serving(table).await;
    let located = match api(&host).artifact(&id("b"), artifact).await {
        Ok(Located::Found { content: Content::Inline(body), run }) => {
            format!("{} of {}", String::from_utf8(body).unwrap(), run.unwrap().as_sent())
        }
        Ok(Located::Found { content: Content::At(url), run: None }) => url.expose(),
        other => format!("{other:?}"),
    };
    (located, host.paths())
}

#[tokio::test]
async fn a_transcript_is_fetched_by_its_run() {
    let (located, asked) = locate(
        Artifact::Transcript,
        &[
            ("/api/v1/bots/b/transcriptions", r#"{"transcriptions":[{"transcript_id":"t 1","status":"Success"}]}"#),
            ("/api/v1/transcript/t%201/get_transcript?raw=false", r#"[{"transcript":"hi"}]"#),
        ],
    )
    .await;
    assert_eq!(located, r#"[{"transcript":"hi"}] of t 1"#);
    assert_eq!(asked, ["/api/v1/bots/b/transcriptions", "/api/v1/transcript/t%201/get_transcript?raw=false"]);
}

#[tokio::test]
async fn a_transcript_that_is_not_ready_is_pending_or_explained() {
    let pending = locate(
        Artifact::Transcript,
        &[
            ("/api/v1/bots/b/transcriptions", r#"{"transcriptions":[{"transcript_id":"t","status":"Success"}]}"#),
            ("/api/v1/transcript/t/get_transcript?raw=false", "202 {}"),
        ],
    );
    assert_eq!(pending.await.0, "Ok(Pending)");
    let (located, asked) = locate(
        Artifact::Transcript,
        &[
            ("/api/v1/bots/b/transcriptions", r#"{"transcriptions":[]}"#),
            ("/api/v1/bots/b/detail", r#"{"bot_details":{"Status":"Done"}}"#),
        ],
    )
    .await;
    assert_eq!(located, "Ok(Unavailable(NeverMade))", "streaming only: nothing asks a run that answers 202 for ever");
    assert_eq!(asked, ["/api/v1/bots/b/transcriptions", "/api/v1/bots/b/detail"]);
    let missing = locate(
        Artifact::Transcript,
        &[("/api/v1/bots/b/transcriptions", r#"{"transcriptions":[{"transcript_id":"t","status":"Success"}]}"#)],
    );
    assert_eq!(missing.await.0, "Err(Later { cause: Missing, wait: None })");
    let by_detail = locate(
        Artifact::Transcript,
        &[
            ("/api/v1/bots/b/transcriptions", "400 {}"),
            ("/api/v1/bots/b/detail", r#"{"bot_details":{"transcript_id":"t"}}"#),
            ("/api/v1/transcript/t/get_transcript?raw=false", "[]"),
        ],
    );
    assert_eq!(by_detail.await.0, "[] of t", "a list that is not to be had does not stand in the way");
    let unknown = locate(Artifact::Transcript, &[]).await;
    assert_eq!(unknown.0, "Err(Never(NotFound))");
    let cut = locate(
        Artifact::Transcript,
        &[
            ("/api/v1/bots/b/transcriptions", r#"{"transcriptions":[{"transcript_id":"t","status":"Success"}]}"#),
            ("/api/v1/transcript/t/get_transcript?raw=false", r#"[{"transcript":"h"#),
        ],
    );
    assert_eq!(cut.await.0, "Err(Later { cause: Unreadable, wait: None })");
}

#[tokio::test]
async fn recordings_are_located_or_explained() {
    let audio = "/api/v1/bots/b/get_audio";
    let (located, asked) =
        locate(Artifact::Audio, &[("/api/v1/bots/b/get_audio", r#"{"audio_url":"https://s3.example/a?sig=1"}"#)]).await;
    assert_eq!((located.as_str(), asked), ("https://s3.example/a?sig=1", vec![audio.to_owned()]));
    let detail = r#"{"bot_details":{"AudioStatus":"Failed"}}"#;
    let failed = locate(
        Artifact::Audio,
        Box::leak(Box::new([("/api/v1/bots/b/get_audio", "202 {}"), ("/api/v1/bots/b/detail", detail)])),
    );
    assert_eq!(failed.await.0, "Ok(Unavailable(Failed))");
    let missing = locate(Artifact::Audio, &[("/api/v1/bots/b/detail", r#"{"bot_details":{"AudioStatus":"Success"}}"#)]);
    assert_eq!(missing.await.0, "Err(Later { cause: Missing, wait: None })");
    let pending = locate(Artifact::Video, &[("/api/v1/bots/b/detail", r#"{"bot_details":{"Status":"Recording"}}"#)]);
    let (located, asked) = pending.await;
    assert_eq!(located, "Ok(Pending)");
    assert_eq!(asked, ["/api/v1/bots/b/get_video", "/api/v1/bots/b/detail"]);
    let done = r#"{"bot_details":{"Status":"Done"}}"#;
    let coming = [("/api/v1/bots/b/get_video", "202 {}"), ("/api/v1/bots/b/detail", done)];
    assert_eq!(locate(Artifact::Video, Box::leak(Box::new(coming))).await.0, "Ok(Pending)");
    let never = [("/api/v1/bots/b/detail", done)];
    assert_eq!(locate(Artifact::Video, Box::leak(Box::new(never))).await.0, "Ok(Unavailable(NeverMade))");
    let gone = locate(Artifact::Video, &[("/api/v1/bots/b/get_video", "410 {}")]);
    assert_eq!(gone.await.0, "Err(Never(Gone))");
    assert_eq!(locate(Artifact::Manifest, &[]).await, ("Ok(Unavailable(NotOffered))".to_owned(), vec![]));
}

#[tokio::test]
async fn a_detail_is_asked_for_with_the_token() {
    let host = Host::serving(&[("/api/v1/bots/b/detail", r#"{"bot_details":{"Status":"Done"}}"#)]).await;
    let detail = api(&host).detail(&id("b")).await.unwrap();
    assert!(detail.is_over());
    assert_eq!(host.seen()[0].headers["authorization"], "Token s3cret");
}

#[tokio::test]
async fn hostile_ids_reach_no_call() {
    let host = Host::serving(&[]).await;
    for hostile in ["x/remove_bot?", "..", "x%2Fremove_bot", "x/remove_bot#", "."] {
        let bot = id(hostile);
        let unusable = ApiError::Never(Refusal::UnusableId);
        assert_eq!(api(&host).detail(&bot).await, Err(unusable), "{hostile}");
        for artifact in [Artifact::Transcript, Artifact::Audio, Artifact::Video] {
            assert_eq!(api(&host).artifact(&bot, artifact).await, Err(unusable), "{hostile}");
        }
    }
    assert!(host.seen().is_empty());
}
