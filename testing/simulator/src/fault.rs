//! What a simulated API can do wrong, and where.

use shared::event::Artifact;
use std::time::Duration;

/// A call of a provider's API, or a download from a presigned URL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operation {
    // MeetStream
    ListBots,
    ScheduledBots,
    Status,
    Detail,
    Transcriptions,
    GetTranscript,
    GetAudio,
    GetVideo,
    GetParticipants,
    Transcribe,
    Delete,
    /// Makes the bot leave its meeting, by GET. A client that only wants to know something must never come here.
    RemoveBot,
    // Meeting BaaS, v1
    ListBotsV1,
    MeetingData,
    Retranscribe,
    DeleteDataV1,
    CalendarsV1,
    CalendarV1,
    CalendarEventsV1,
    CalendarEventV1,
    // Meeting BaaS, v2
    ListBotsV2,
    ScheduledBotsV2,
    ScheduledBotV2,
    BotV2,
    BotStatusV2,
    ResendWebhook,
    RetryCallback,
    DeleteDataV2,
    CalendarsV2,
    CalendarV2,
    CalendarEventsV2,
    CalendarEventV2,
    /// From the host of presigned URLs, of whichever provider.
    Download(Artifact),
}

/// One thing that goes wrong with an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// 202: not ready yet.
    Pending,
    /// This status, with an error body of the provider's form.
    Status(u16),
    /// 429, and when to come back.
    TooManyRequests(RetryAfter),
    /// The right answer, with a pause before each of its pieces; a piece has at most 64 KiB, and there are at least 4.
    Slow(Duration),
    /// The right `Content-Length`, and then half of the body.
    Truncated,
    /// The connection is closed without an answer.
    Reset,
    /// 200 with a page of HTML.
    Garbage,
    /// The right status with a JSON body of this many bytes.
    Bloated(u64),
    /// A redirect to the host of presigned URLs. There, a download is served, and an API call is refused.
    Redirect,
    /// The right answer, with presigned URLs that have expired already.
    ExpiredUrls,
    /// A page of a list that says it is the last one, whatever comes after it.
    EndsEarly,
    /// A page of a list whose cursor leads to that page again.
    LoopingCursor,
    /// A page of a list that begins with the last entry of the page before.
    OverlappingPage,
}

/// The forms of `Retry-After`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryAfter {
    /// So many seconds.
    Seconds(u32),
    /// The date that it will be in so many seconds.
    Date(u32),
    /// Nothing is said of it.
    Absent,
}

/// How often a fault happens before it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Times {
    /// The first so many times.
    First(u32),
    /// For ever.
    Always,
}

/// A fault at a place. Those of the same place happen one after the other, in the order of the plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedFault {
    /// Where.
    pub operation: Operation,
    /// What.
    pub fault: Fault,
    /// How often.
    pub times: Times,
}

impl PlannedFault {
    /// What goes wrong, in a word or two, for counts: statuses as numbers, and whether it ever ends.
    #[must_use]
    pub fn kind(&self) -> String {
        let kind = match &self.fault {
            Fault::Pending => "202".to_owned(),
            Fault::Status(status) => status.to_string(),
            Fault::TooManyRequests(RetryAfter::Seconds(_)) => "429 with seconds".to_owned(),
            Fault::TooManyRequests(RetryAfter::Date(_)) => "429 with a date".to_owned(),
            Fault::TooManyRequests(RetryAfter::Absent) => "429".to_owned(),
            Fault::Slow(_) => "slow".to_owned(),
            Fault::Truncated => "truncated".to_owned(),
            Fault::Reset => "reset".to_owned(),
            Fault::Garbage => "garbage".to_owned(),
            Fault::Bloated(_) => "bloated".to_owned(),
            Fault::Redirect => "redirect".to_owned(),
            Fault::ExpiredUrls => "expired URL".to_owned(),
            Fault::EndsEarly => "list ends early".to_owned(),
            Fault::LoopingCursor => "looping cursor".to_owned(),
            Fault::OverlappingPage => "overlapping page".to_owned(),
        };
        if self.times == Times::Always { format!("{kind} for ever") } else { kind }
    }
}
