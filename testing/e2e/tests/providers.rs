//! Whatever the simulated providers do wrong, what can be had is had, and what cannot is explained.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use process_fn::{AccountSettings, ApiError, ApiSettings, Entries, MAX_ANSWER_BYTES, Patience, ProviderApi, Providers};
use sha2::{Digest as _, Sha256};
use shared::{
    Endpoint, OccurredAt, Provider, SenderId, SessionId,
    api::{ApiKey, Content, Located},
    event::Artifact,
    url::Downloads,
};
use simulator::{
    BotPlan, CalendarEntry, CalendarPlan, Ending, Erased, Expected, Fault, Knobs, Operation, Reason, RetryAfter,
    Simulator, Times, Transcription,
};
use std::time::Duration;

const PATIENCE: Patience = Patience {
    connect: Duration::from_millis(500),
    // No fault here hangs, and a machine that is busy takes its time for an answer that is too long.
    attempt: Duration::from_secs(20),
    total: Duration::from_secs(60),
    attempts: 2,
    pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(1),
    stall: Duration::from_secs(20),
};

fn providers(simulator: &Simulator, knobs: &Knobs) -> Providers {
    let account =
        |url: &str, key: &str| Some(AccountSettings { base_url: url.to_owned(), key: ApiKey::new(key.to_owned()) });
    let settings = ApiSettings {
        meetstream: account(&simulator.meetstream_url, &knobs.meetstream_key),
        meetingbaas: account(&simulator.meetingbaas_url, &knobs.meetingbaas_key),
        downloads: Downloads::Anywhere,
    };
    Providers::new(&settings, PATIENCE)
}

/// The digest of an artifact, or why there is none, after so many commands. Each runs in a new environment of the function, so that
/// no breaker remembers the failures of the one before.
async fn fetch(
    simulator: &Simulator,
    knobs: &Knobs,
    bot: &SessionId,
    artifact: Artifact,
) -> Result<String, &'static str> {
    let mut last = "never_asked";
    for _ in 0..8 {
        let api = providers(simulator, knobs);
        let fetched = match api.artifact(bot, artifact).await {
            Ok(Located::Found { content: Content::Inline(body), .. }) => Ok(body),
            Ok(Located::Found { content: Content::At(url), .. }) => match api.download(artifact, &url).await {
                Ok(download) => download.into_bytes(MAX_ANSWER_BYTES).await,
                Err(error) => Err(error),
            },
            Ok(Located::Pending) => {
                last = "pending";
                continue;
            }
            Ok(Located::Unavailable(absence)) => return Err(absence.as_str()),
            Err(error) => Err(error),
        };
        match fetched {
            Ok(body)
                if artifact == Artifact::Transcript && serde_json::from_slice::<serde_json::Value>(&body).is_err() =>
            {
                last = "unreadable"
            }
            Ok(body) => return Ok(hex::encode(Sha256::digest(body))),
            Err(ApiError::Never(refusal)) => return Err(ApiError::Never(refusal).code()),
            Err(error) => last = error.code(),
        }
    }
    Err(last)
}

fn is_right(reason: Reason, told: &str) -> bool {
    let right = match reason {
        Reason::NeverMade => "never_made skipped pending failed",
        Reason::Failed => "failed pending never_made",
        Reason::NeverReady => "pending unreadable failing",
        Reason::NotFound => "not_found missing url_refused",
        Reason::Gone => "gone url_refused",
        Reason::Refused => "refused key_refused redirected url_refused",
        Reason::Overloaded => "busy failing unreachable timed_out truncated",
        Reason::Broken => "truncated too_large unreadable",
        Reason::Expired => "url_refused",
        Reason::Deleted => "not_found gone erased missing pending",
    };
    right.split(' ').any(|code| code == told)
}

async fn compare(plan: BotPlan, knobs: Knobs, told: &mut Vec<String>) {
    let simulator = Simulator::start(knobs.clone()).await.unwrap();
    let name = format!("{:?} {:?} {:?} {:?}", plan.api(), plan.ending, plan.transcription, plan.faults);
    let bot = simulator.add_bot(plan);
    let truth = bot.truth();
    for (artifact, expected) in &truth.artifacts {
        let inline = bot.plan().channels[0] == Endpoint::MeetingBaasV1 && bot.plan().inline_transcript;
        if inline && *artifact == Artifact::Transcript {
            continue;
        }
        let fetched = fetch(&simulator, &knobs, &bot.session_id().unwrap(), *artifact).await;
        let matches = match (expected, &fetched) {
            (Expected::Stored(content), Ok(sha256)) => content.sha256 == *sha256,
            (Expected::Unavailable(reason), Err(code)) => is_right(*reason, code),
            _ => false,
        };
        if !matches {
            told.push(format!("{name}: {artifact:?}: {expected:?} but {fetched:?}"));
        }
    }
    let violations = simulator.violations();
    if !violations.is_empty() {
        told.push(format!("{name}: {violations:?}"));
    }
}

fn plans(channel: Endpoint) -> Vec<BotPlan> {
    let base = BotPlan {
        audio_bytes: Some(70_000),
        video_bytes: Some(90_000),
        inline_transcript: false,
        ..BotPlan::new(channel, "b-1")
    };
    let mut plans = vec![base.clone()];
    for ending in [Ending::Completed, Ending::Kicked, Ending::NotAdmitted, Ending::Denied, Ending::Failed] {
        for transcription in
            [Transcription::PostCall, Transcription::Streaming, Transcription::Failed, Transcription::Skipped]
        {
            plans.push(BotPlan { ending, transcription, ..base.clone() });
        }
    }
    plans.push(BotPlan { audio_bytes: None, ..base.clone() });
    plans.push(BotPlan { video_bytes: None, ..base.clone() });
    // Version 1 does not erase of itself.
    if channel != Endpoint::MeetingBaasV1 {
        plans.push(BotPlan { deletion: true, ..base });
    }
    plans
}

#[tokio::test]
async fn every_end_is_told_as_it_is() {
    let mut told = vec![];
    for channel in [Endpoint::MeetStream, Endpoint::MeetingBaasV1, Endpoint::MeetingBaasV2] {
        for plan in plans(channel) {
            for erased in [Erased::NotFound, Erased::Gone, Erased::MediaExpired] {
                compare(plan.clone(), Knobs { erased, ..Knobs::default() }, &mut told).await;
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test]
async fn every_fault_is_met() {
    use {Artifact as A, Operation as O};
    let faults = [
        Fault::Pending,
        Fault::Status(400),
        Fault::Status(401),
        Fault::Status(404),
        Fault::Status(410),
        Fault::Status(500),
        Fault::Status(503),
        Fault::TooManyRequests(RetryAfter::Seconds(0)),
        Fault::TooManyRequests(RetryAfter::Date(0)),
        Fault::TooManyRequests(RetryAfter::Absent),
        Fault::Slow(Duration::from_millis(10)),
        Fault::Truncated,
        Fault::Reset,
        Fault::Garbage,
        Fault::Bloated(25 << 20),
        Fault::Redirect,
        Fault::ExpiredUrls,
    ];
    let mut told = vec![];
    for (channel, operations) in [
        (
            Endpoint::MeetStream,
            vec![O::Transcriptions, O::Detail, O::GetTranscript, O::GetAudio, O::Download(A::Video)],
        ),
        (Endpoint::MeetingBaasV1, vec![O::MeetingData, O::Download(A::Audio)]),
        (Endpoint::MeetingBaasV2, vec![O::BotV2, O::BotStatusV2, O::Download(A::Transcript), O::Download(A::Video)]),
    ] {
        for operation in operations {
            for fault in &faults {
                for times in [Times::First(1), Times::First(3), Times::Always] {
                    // For good or bad, what lasts on a call that is not on the way is not judged by the truth.
                    let beside = matches!(operation, O::Detail | O::BotStatusV2);
                    let never = matches!(fault, Fault::Status(400 | 404 | 410)) && times != Times::Always;
                    let has_no_urls = *fault == Fault::ExpiredUrls
                        && matches!(operation, O::Download(_) | O::GetTranscript | O::MeetingData | O::Transcriptions);
                    if has_no_urls
                        || (beside && times == Times::Always)
                        || (never && !matches!(operation, O::Transcriptions | O::Download(_)))
                    {
                        continue;
                    }
                    let plan = plans(channel)[0].clone().with_fault(operation, fault.clone(), times);
                    compare(plan, Knobs::default(), &mut told).await;
                }
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test]
async fn all_pages_of_a_calendar_are_read_in_both_versions() {
    for next_is_a_url in [false, true] {
        let knobs = Knobs { page_size: 3, next_is_a_url, ..Knobs::default() };
        let simulator = Simulator::start(knobs.clone()).await.unwrap();
        let api = providers(&simulator, &knobs);
        for channel in [Endpoint::MeetingBaasV1, Endpoint::MeetingBaasV2] {
            let at = |n: i64| jiff::Timestamp::from_second(1_800_000_000 + n * 3600).unwrap();
            let mut plan = CalendarPlan::new(channel, "c");
            plan.entries = (0..8).map(|n| CalendarEntry::new(format!("e-{n}"), at(n), at(n))).collect();
            let calendar = simulator.add_calendar(plan);
            let id = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from(calendar.id()).unwrap());
            let all = api.calendar_entries(&id, &Entries::ChangedSince(None)).await.unwrap();
            assert_eq!(all.entries.len(), 8, "{channel:?}");
            let since = OccurredAt::parse(&at(5).to_string()).unwrap();
            let changed = api.calendar_entries(&id, &Entries::ChangedSince(Some(since))).await.unwrap();
            assert!(changed.entries.len() >= 3, "{channel:?}: {}", changed.entries.len());
            let named = ["e-1", "e-9"].map(|id| SenderId::try_from(id).unwrap()).into();
            let named = api.calendar_entries(&id, &Entries::Named(named)).await.unwrap();
            assert_eq!((named.entries.len(), named.gone.len()), (1, 1), "{channel:?}");
        }
    }
}
