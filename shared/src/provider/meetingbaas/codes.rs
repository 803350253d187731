//! The status and error codes of Meeting BaaS. Both lists are open: a code that is not here is kept as it is.

use crate::event::{Artifact, ArtifactStatus, Certainty, Conclusion, Ended, EventKind, Outcome};
use std::collections::BTreeMap;

/// What a status code means.
///
/// Codes that tell of an end before the final event does are hints: `bot.failed` knows the cause. `recording_failed` and
/// `meeting_error` end nothing, because a retry may follow. `completed` and `failed` are the final events once more, without
/// their content.
pub(super) fn status(code: &str) -> EventKind {
    let ended = |outcome| EventKind::Ended(Ended { outcome, certainty: Certainty::Hint });
    match code.to_ascii_lowercase().as_str() {
        "queued" => EventKind::Scheduled,
        "joining_call" | "pickup_delayed" | "retrying" => EventKind::Joining,
        "in_waiting_room" | "in_waiting_for_host" => EventKind::Waiting,
        "in_call_not_recording" => EventKind::InCall,
        "in_call_recording" => EventKind::Recording,
        "recording_paused" => EventKind::RecordingPaused,
        "recording_resumed" => EventKind::RecordingResumed,
        "call_ended" => EventKind::Leaving,
        "recording_succeeded" | "transcribing" => EventKind::Processing,
        "api_request_stop" => ended(Outcome::Completed),
        "bot_removed" | "bot_removed_too_early" => ended(Outcome::Kicked),
        "bot_rejected" => ended(Outcome::Denied),
        "waiting_room_timeout" => ended(Outcome::NotAdmitted),
        "invalid_meeting_url" => ended(Outcome::Failed),
        "transcription_failed" => EventKind::Artifact(Artifact::Transcript, ArtifactStatus::Failed),
        "completed" => concluded(Outcome::Completed, Certainty::Final),
        "failed" => concluded(Outcome::Failed, Certainty::Hint),
        "meeting_error" | "recording_failed" | "awaiting_reconciliation" => EventKind::Warning,
        code if code.starts_with("meet_login_") => EventKind::Warning,
        _ => EventKind::Unknown,
    }
}

fn concluded(outcome: Outcome, certainty: Certainty) -> EventKind {
    EventKind::Concluded(Conclusion {
        ended: Ended { outcome, certainty },
        joined_at: None,
        exited_at: None,
        artifacts: BTreeMap::new(),
        data_deleted: false,
    })
}

/// How a session ended that the sender calls failed, by its error code. The sender's failures include ordinary ends, so this
/// is not always [`Outcome::Failed`]; of a code that is not known, nothing else is.
///
/// v1 writes `TimeoutWaitingToStart` or `access_denied`, v2 `TIMEOUT_WAITING_TO_START`: the letters alone are compared.
pub(super) fn outcome(code: &str) -> Outcome {
    match letters(code).as_str() {
        // Ordinary ends.
        "noattendees" | "nospeaker" | "recordingtimeout" | "apirequest" | "meetingended" => Outcome::Completed,
        "botremoved" | "botremovedtooearly" => Outcome::Kicked,
        "botnotaccepted" | "accessdenied" | "recordingrightsnotgranted" => Outcome::Denied,
        "timeoutwaitingtostart" | "waitingforhosttimeout" | "waitingforauthorizedusertimeout" => Outcome::NotAdmitted,
        // Everything else that is documented, and everything that is not.
        _ => Outcome::Failed,
    }
}

/// Whether the code says that what failed was the transcription.
pub(super) fn is_of_the_transcription(code: &str) -> bool {
    matches!(letters(code).as_str(), "transcriptionfailed" | "transcriptionerror")
}

fn letters(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_status_code_is_known() {
        let check = |codes: &str, expected: &str| {
            for code in codes.split(' ') {
                assert_eq!(status(code).as_str(), expected, "{code}");
                assert_eq!(status(&code.to_uppercase()).as_str(), expected, "{code} in upper case");
            }
        };
        check("queued", "session.scheduled");
        check("joining_call pickup_delayed retrying", "session.joining");
        check("in_waiting_room in_waiting_for_host", "session.waiting");
        check("in_call_not_recording", "session.in_call");
        check("in_call_recording", "session.recording");
        check("recording_resumed", "session.recording_resumed");
        check("recording_paused", "session.recording_paused");
        check("call_ended", "session.leaving");
        check("bot_removed bot_removed_too_early bot_rejected waiting_room_timeout", "session.ended");
        check("api_request_stop invalid_meeting_url", "session.ended");
        check("recording_succeeded transcribing", "session.processing");
        check("completed failed", "session.done");
        check("transcription_failed", "transcript.failed");
        check("meeting_error recording_failed awaiting_reconciliation", "session.warning");
        check("MEET_LOGIN_UNAVAILABLE MEET_LOGIN_REQUIRED MEET_LOGIN_FAILED_SAML_REJECTED", "session.warning");
        check("MEET_LOGIN_FAILED_TIMEOUT", "session.warning");
        check("levitating", "unknown");
    }

    #[test]
    fn every_documented_error_code_has_an_outcome() {
        let check = |codes: &str, expected: Outcome| {
            for code in codes.split(' ') {
                assert_eq!(outcome(code), expected, "{code}");
            }
        };
        check("NO_ATTENDEES NO_SPEAKER RECORDING_TIMEOUT API_REQUEST MEETING_ENDED", Outcome::Completed);
        check("no_attendees no_speaker recording_timeout api_request", Outcome::Completed);
        check("BOT_REMOVED BOT_REMOVED_TOO_EARLY BotRemoved bot_removed", Outcome::Kicked);
        check("BOT_NOT_ACCEPTED BotNotAccepted access_denied RECORDING_RIGHTS_NOT_GRANTED", Outcome::Denied);
        check("TIMEOUT_WAITING_TO_START TimeoutWaitingToStart", Outcome::NotAdmitted);
        check("WAITING_FOR_HOST_TIMEOUT WAITING_FOR_AUTHORIZED_USER_TIMEOUT", Outcome::NotAdmitted);
        check("CANNOT_JOIN_MEETING INVALID_MEETING_URL STREAMING_SETUP_FAILED LOGIN_REQUIRED", Outcome::Failed);
        check("INTERNAL_ERROR OOM_KILLED SIGTERM FORCE_KILLED GENERAL_ERROR", Outcome::Failed);
        check("EXITING_MEETING_BEFORE_RECORD TRANSCRIPTION_FAILED UNABLE_JOIN_EXTERNAL_MEETING", Outcome::Failed);
        check("CANNOT_REQUEST_RECORDING_RIGHT MEETING_ENDED_PREMATURELY SET_ZOOM_ID_AND_PWD_TOGETHER", Outcome::Failed);
        check("CANNOT_GET_JWT_TOKEN SDK_AUTH_FAILED ZOOM_ACCESS_TOKEN_ERROR ZOOM_OBF_TOKEN_ERROR", Outcome::Failed);
        check("RECORDING_START_TIMEOUT HOST_CLIENT_CANNOT_GRANT_PERMISSION", Outcome::Failed);
        check("INSUFFICIENT_TOKENS DAILY_BOT_CAP_REACHED BOT_ALREADY_EXISTS UNKNOWN_ERROR", Outcome::Failed);
        check("INVALID_MEETING_PLATFORM TRANSCRIPTION_ERROR MEETING_NOT_FOUND BOT_CRASHED", Outcome::Failed);
        check("CannotJoinMeeting InternalError InvalidMeetingUrl", Outcome::Failed);
        check("meeting_not_found authentication_error network_error internal_error meeting_error", Outcome::Failed);
        check("SOMETHING_NEW 🤖", Outcome::Failed);
    }
}
