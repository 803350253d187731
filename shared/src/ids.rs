//! What identifies a session, a delivery, and an accepted request.

use crate::{
    endpoint::Provider,
    hash::{FieldHash, sha256_hex},
    sender_id::SenderId,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One bot in one meeting, or one calendar.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct SessionId {
    /// The provider that the bot or calendar belongs to.
    pub provider: Provider,
    /// Whether it is a bot or a calendar.
    #[serde(default, skip_serializing_if = "Subject::is_bot")]
    pub subject: Subject,
    /// The provider's id of the bot or calendar.
    #[serde(alias = "bot_id")]
    pub id: SenderId,
}

/// What a session is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Subject {
    #[default]
    Bot,
    Calendar,
}

impl Subject {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_bot(&self) -> bool {
        *self == Self::Bot
    }
}

impl SessionId {
    /// A bot of a provider.
    #[must_use]
    pub fn bot(provider: Provider, id: SenderId) -> Self {
        Self { provider, subject: Subject::Bot, id }
    }

    /// A calendar that is connected to a provider.
    #[must_use]
    pub fn calendar(provider: Provider, id: SenderId) -> Self {
        Self { provider, subject: Subject::Calendar, id }
    }

    /// The id for keys and logs: `<provider>#<encoded bot id>`, or `<provider>#calendar#<encoded calendar id>`. No id of a bot
    /// looks like that of a calendar, because encoding leaves no `#`.
    #[must_use]
    pub fn encoded(&self) -> String {
        match self.subject {
            Subject::Bot => format!("{}#{}", self.provider, self.id.encoded()),
            Subject::Calendar => format!("{}#calendar#{}", self.provider, self.id.encoded()),
        }
    }

    /// The session that [`SessionId::encoded`] gave this text for; `None` for a text that it never gives, or gives for a hash of
    /// an id, which says nothing of the id itself.
    #[must_use]
    pub fn decoded(text: &str) -> Option<Self> {
        let (provider, rest) = text.split_once('#')?;
        let provider = Provider::ALL.into_iter().find(|known| known.as_str() == provider)?;
        match rest.strip_prefix("calendar#") {
            Some(id) => Some(Self::calendar(provider, SenderId::decoded(id)?)),
            None => Some(Self::bot(provider, SenderId::decoded(rest)?)),
        }
    }

    /// The group of its deliveries in the bucket: a hash, 64 hexadecimal characters. [`group::in_queue`](crate::group::in_queue)
    /// makes message groups of it.
    #[must_use]
    pub fn group(&self) -> String {
        let hash = FieldHash::default().field(self.provider.as_str());
        match self.subject {
            Subject::Bot => hash.field(self.id.as_sent()).hex(),
            Subject::Calendar => hash.field("calendar").field(self.id.as_sent()).hex(),
        }
    }
}

/// What makes two deliveries the same delivery: the first 128 bits of a SHA-256 over what identifies an event.
///
/// Half the digest, because every write of a session pays for all its keys. 128 bits leave no accidental twin among the
/// deliveries of one bot, which are all that it is compared with. To be taken for a given genuine delivery, a forged one needs a
/// second preimage of its 128 bits, which is out of reach; and a delivery that proves nothing displaces none that does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryKey([u8; 16]);

/// A text that is no delivery key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a delivery key has 32 hexadecimal characters")]
pub struct NoDeliveryKey;

impl DeliveryKey {
    pub(crate) fn from_digest(digest: [u8; 32]) -> Self {
        let (key, _) = digest.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self(*key)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// As 32 lower-case hexadecimal characters.
impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for DeliveryKey {
    type Error = NoDeliveryKey;

    fn try_from(text: String) -> Result<Self, NoDeliveryKey> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key).map_err(|_| NoDeliveryKey)?;
        Ok(Self(key))
    }
}

impl From<DeliveryKey> for String {
    fn from(key: DeliveryKey) -> Self {
        key.to_string()
    }
}

/// The longest [`DeliveryId`], in bytes. Svix's have 31.
const MAX_DELIVERY_ID_BYTES: usize = 128;

/// The sender's own id of a delivery, the same on every try. There is one only where the credential covers it.
///
/// It is sender's text, so it becomes part of a key only inside a hash.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Takes the id as sent. A longer one than any sender is known to use is replaced by its SHA-256: as good for telling
    /// deliveries apart, and no reason to lose one.
    pub(crate) fn new(id: &str) -> Self {
        Self(if id.len() > MAX_DELIVERY_ID_BYTES { sha256_hex(id.as_bytes()) } else { id.to_owned() })
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which accepted request a message is: the request id of the invocation that accepted it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AcceptId(String);

impl AcceptId {
    /// Takes an id of our own making (never a sender's), unique for each accepted request.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AcceptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
