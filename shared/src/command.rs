//! Slow and timed work: messages on the `commands` queue, and what `process-fn` is invoked with directly.

use crate::{event::Artifact, ids::SessionId, session::Job, time::ReceivedAt};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU8;

/// The version this code writes, and the only one it reads.
const VERSION: u32 = 1;

/// Something to be done apart from any delivery. Carrying one out twice does no harm: the queue may deliver it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Carries out one job of a session.
    Job {
        /// The session.
        session: SessionId,
        /// The job.
        job: Job,
    },
    /// Notes in a session that bytes of one of its deliveries were set aside while the table refused that note. If the bot's
    /// data was deleted, the next sweep must erase those bytes. The command is stored nowhere else, so it repeats itself until
    /// the note is saved.
    NoteSetAside {
        /// The session. It need not exist.
        session: SessionId,
        /// When we received the delivery whose bytes were set aside.
        received_at: ReceivedAt,
    },
    /// Deletes a bot's data, as if its provider had told us that it did. Whoever may invoke the function may ask for it.
    Delete {
        /// The session; there need not be one yet.
        session: SessionId,
    },
    /// Asks a provider again for an artifact that was given up, or for all of a session.
    Refetch {
        /// The session.
        session: SessionId,
        /// The artifact; all without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifact: Option<Artifact>,
    },
    /// Moves spooled deliveries into the queue, erases what was deleted, and sends the commands that are due. The schedule in
    /// `template.yaml` invokes the function with it every minute.
    Sweep {
        /// The sweep looks into the spool only in minutes since the Unix epoch that this number divides, because each look is
        /// billed. Without it, as when a person invokes the function, the sweep always looks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spool_every_minutes: Option<NonZeroU8>,
    },
}

/// A message that is none of our commands.
#[derive(Debug, thiserror::Error)]
#[error("not a command that this version knows: {0}")]
pub struct UnknownCommand(#[from] serde_json::Error);

impl Command {
    /// The name in logs and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Job { job, .. } => job.as_str(),
            Self::NoteSetAside { .. } => "note_set_aside",
            Self::Delete { .. } => "delete",
            Self::Refetch { .. } => "refetch",
            Self::Sweep { .. } => "sweep",
        }
    }

    /// Whether it comes through the queue. All others are direct invocations, so that they never wait behind a provider.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        matches!(self, Self::Job { .. } | Self::NoteSetAside { .. })
    }

    /// The command as a message.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(&Wire { v: VERSION, command: self.clone() }).unwrap_or_default()
    }

    /// Reads what [`Command::encode`] wrote.
    ///
    /// # Errors
    /// [`UnknownCommand`] for anything else: a newer version of this code may know it.
    pub fn decode(text: &str) -> Result<Self, UnknownCommand> {
        Self::of(serde_json::from_str(text)?)
    }

    /// Reads the same from a JSON value, as the payload of an invocation.
    ///
    /// # Errors
    /// As for [`Command::decode`].
    pub fn from_value(value: serde_json::Value) -> Result<Self, UnknownCommand> {
        Self::of(serde_json::from_value(value)?)
    }

    fn of(Wire { v, command }: Wire) -> Result<Self, UnknownCommand> {
        if v != VERSION {
            return Err(UnknownCommand(serde::de::Error::custom(format!("version {v}"))));
        }
        Ok(command)
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    #[serde(flatten)]
    command: Command,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Provider, SenderId};

    #[test]
    fn commands_are_read_as_they_were_written() {
        for (every, text) in
            [(None, r#"{"v":1,"command":"sweep"}"#), (Some(5), r#"{"v":1,"command":"sweep","spool_every_minutes":5}"#)]
        {
            let sweep = Command::Sweep { spool_every_minutes: every.and_then(NonZeroU8::new) };
            assert_eq!((sweep.encode().as_str(), Command::decode(text).unwrap()), (text, sweep.clone()));
            assert_eq!(Command::from_value(serde_json::from_str(text).unwrap()).unwrap(), sweep);
        }
        assert!(Command::decode(r#"{"v":1,"command":"sweep","spool_every_minutes":0}"#).is_err());
        let session = SessionId::bot(Provider::MeetStream, SenderId::try_from("x/../#").unwrap());
        for job in Job::ALL {
            let command = Command::Job { session: session.clone(), job };
            let text = format!(
                r#"{{"v":1,"command":"job","session":{{"provider":"meetstream","id":"x/../#"}},"job":"{}"}}"#,
                job.as_str()
            );
            assert_eq!((command.encode(), Command::decode(&text).unwrap()), (text, command));
        }
        let text =
            r#"{"v":1,"command":"note_set_aside","session":{"provider":"meetstream","id":"x/../#"},"received_at":5}"#;
        let command = Command::NoteSetAside { session: session.clone(), received_at: ReceivedAt(5) };
        assert!(command.is_queued());
        assert_eq!((command.encode().as_str(), Command::decode(text).unwrap()), (text, command));
        let text = r#"{"v":1,"command":"delete","session":{"provider":"meetstream","id":"x/../#"}}"#;
        let refetch =
            r#"{"v":1,"command":"refetch","session":{"provider":"meetstream","id":"x/../#"},"artifact":"video"}"#;
        let wanted = Command::Refetch { session: session.clone(), artifact: Some(Artifact::Video) };
        assert_eq!((wanted.encode().as_str(), Command::decode(refetch).unwrap()), (refetch, wanted));
        let command = Command::Delete { session };
        assert_eq!((command.encode().as_str(), Command::decode(text).unwrap()), (text, command));
    }

    /// Read back as a bot, its command would be about nobody.
    #[test]
    fn a_calendar_stays_one() {
        let session = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c").unwrap());
        let command = Command::Job { session: session.clone(), job: Job::SyncCalendar };
        let read = Command::decode(&command.encode()).unwrap();
        assert_eq!(read, command);
        let Command::Job { session: read, .. } = read else { panic!("{read:?}") };
        assert_eq!((read.encoded(), read.group()), ("meetingbaas#calendar#c".to_owned(), session.group()));
    }

    #[test]
    fn what_is_no_command_of_this_version_is_refused() {
        for text in [
            "",
            "sweep",
            "{}",
            r#"{"v":2,"command":"sweep"}"#,
            r#"{"v":1,"command":"dance"}"#,
            r#"{"v":1,"command":"delete"}"#,
            r#"{"v":1,"command":"delete","session":{"provider":"meetstream","id":""}}"#,
            r#"{"command":"sweep"}"#,
        ] {
            assert!(Command::decode(text).is_err(), "{text}");
            let value = serde_json::from_str(text).unwrap_or_default();
            assert!(Command::from_value(value).is_err(), "{text}");
        }
    }
}
