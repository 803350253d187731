//! What outsiders are told.

use super::{Around, Evidence, sha256};
use serde_json::Value;
use shared::{SessionId, ids::Subject};
use std::collections::BTreeMap;

/// One event on the bus.
#[derive(Clone, PartialEq, Debug)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub detail: Value,
    /// The object that it names, as that was when it was published; `Some(None)` if there was none.
    pub object: Option<Option<Vec<u8>>>,
}

impl Published {
    /// A field of what it says; null if it has none of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        self.detail.get(name).unwrap_or(&Value::Null)
    }

    /// Whether it is about this bot or calendar.
    #[must_use]
    pub fn is_about(&self, id: &SessionId) -> bool {
        let named = if id.subject == Subject::Bot { "bot_id" } else { "calendar_id" };
        *self.field("provider") == id.provider.as_str() && *self.field(named) == id.id.as_sent()
    }

    /// What it says but for the details in which two tellings of one fact may differ.
    fn meaning(&self) -> (String, Value) {
        let mut detail = self.detail.clone();
        if let Some(fields) = detail.as_object_mut() {
            for apart in ["id", "occurred_at", "reason", "key", "sha256", "size_bytes", "content_type"] {
                fields.remove(apart);
            }
        }
        (self.name.clone(), detail)
    }
}

/// Publications that contradict each other, or what is stored, once everything has settled.
pub(super) fn wrong(evidence: &Evidence<'_>, around: &Around<'_>) -> Vec<String> {
    let mut wrong = one_meaning(&around.published);
    let erased =
        |told: &Published| around.published.iter().any(|other| other.name == "data.deleted" && same(other, told));
    for told in around.published.iter().filter(|told| !erased(told)) {
        let Some(object) = &told.object else { continue };
        let is_it = object.as_ref().is_some_and(|bytes| {
            *told.field("sha256") == sha256(bytes).as_str() && *told.field("size_bytes") == bytes.len()
        });
        if !is_it {
            wrong.push(format!("{} was published before its object was stored: {}", told.name, told.detail));
        }
    }
    for session in evidence.stored.sessions.iter().filter(|session| !super::is_deleted(session)) {
        let Some(ending) = session.ending() else { continue };
        let ends = around.published.iter().filter(|told| told.name == "meeting.ended" && told.is_about(session.id()));
        let last = ends.max_by_key(|told| told.field("revision").as_u64());
        if last.is_none_or(|told| *told.field("outcome") != ending.outcome.as_str()) {
            let told = last.map(|told| &told.detail);
            wrong.push(format!(
                "{} ended {}, and what was told of it last is {told:?}",
                session.id().encoded(),
                ending.outcome.as_str()
            ));
        }
    }
    wrong
}

fn same(one: &Published, other: &Published) -> bool {
    ["provider", "bot_id", "calendar_id"].into_iter().all(|name| one.field(name) == other.field(name))
}

/// Whoever keeps ids must not take one thing for another.
fn one_meaning(published: &[Published]) -> Vec<String> {
    let mut meanings: BTreeMap<&str, &Published> = BTreeMap::new();
    let mut wrong = Vec::new();
    for told in published {
        let first = meanings.entry(&told.id).or_insert(told);
        if first.meaning() != told.meaning() {
            wrong.push(format!(
                "{} has two meanings: {} {} and {} {}",
                told.id, first.name, first.detail, told.name, told.detail
            ));
        }
    }
    wrong
}
