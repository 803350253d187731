//! Every call by which a real function reaches AWS.

use e2e::fault_proxy::{Call, Service};

/// Which function calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The one behind the webhook URL.
    Ingest,
    /// The one behind the queues.
    Process,
}

/// One kind of call, by what it is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Boundary {
    SendMessage,
    PutClaim,
    PutSpool,
    GetItem,
    PutSession,
    PutEntry,
    PutQuarantine,
    PutParked,
    GetClaim,
    ChangeVisibility,
    ListSpool,
    GetSpooled,
    SendBack,
    DeleteSpooled,
    PutEvents,
}

impl Boundary {
    /// Every boundary there is.
    pub const ALL: [Self; 15] = [
        Self::SendMessage,
        Self::PutClaim,
        Self::PutSpool,
        Self::GetItem,
        Self::PutSession,
        Self::PutEntry,
        Self::PutQuarantine,
        Self::PutParked,
        Self::GetClaim,
        Self::ChangeVisibility,
        Self::ListSpool,
        Self::GetSpooled,
        Self::SendBack,
        Self::DeleteSpooled,
        Self::PutEvents,
    ];

    /// Which one a call is; `None` for the calls that only warm a connection.
    #[must_use]
    pub fn of(side: Side, call: &Call) -> Option<Self> {
        let is_in = |folder: &str| call.target.contains(&format!("/{folder}/"));
        let mentions = |text: &str| call.body.windows(text.len()).any(|window| window == text.as_bytes());
        Some(match (side, &call.service, call.operation.as_str()) {
            (Side::Ingest, Service::Sqs, "SendMessage") => Self::SendMessage,
            (Side::Ingest, Service::S3, "PutObject") if is_in("claims") => Self::PutClaim,
            (Side::Ingest, Service::S3, "PutObject") if is_in("spool") => Self::PutSpool,
            (Side::Process, Service::DynamoDb, "GetItem") if !mentions("warm-up") => Self::GetItem,
            (Side::Process, Service::DynamoDb, "PutItem") if mentions(r#""sk":{"S":"session"}"#) => Self::PutSession,
            (Side::Process, Service::DynamoDb, "PutItem") => Self::PutEntry,
            (Side::Process, Service::S3, "PutObject") if is_in("quarantine") => Self::PutQuarantine,
            (Side::Process, Service::S3, "PutObject") if is_in("parked") => Self::PutParked,
            (Side::Process, Service::S3, "GetObject") if is_in("claims") => Self::GetClaim,
            (Side::Process, Service::S3, "GetObject") if is_in("spool") => Self::GetSpooled,
            (Side::Process, Service::S3, "ListObjectsV2") => Self::ListSpool,
            (Side::Process, Service::S3, "DeleteObject") => Self::DeleteSpooled,
            (Side::Process, Service::EventBridge, "PutEvents") => Self::PutEvents,
            (Side::Process, Service::Sqs, "SendMessage") => Self::SendBack,
            (Side::Process, Service::Sqs, "ChangeMessageVisibilityBatch") => Self::ChangeVisibility,
            _ => return None,
        })
    }
}
