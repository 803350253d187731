//! Objects hold exactly what was sent.

use super::{Evidence, Object, Sent, Stored};
use crate::{bodies, delivery::Tampering};
use shared::{
    AcceptId, QueueMessage,
    bucket::{Folder, Restored, group_of, name_of, restore},
    message::Carried,
    session::MissingDelivery,
};
use std::collections::BTreeMap;

/// Objects whose bytes, or what stands beside them, are not those of their delivery; and missing deliveries whose key leads nowhere.
pub(super) fn wrong(evidence: &Evidence<'_>) -> Vec<String> {
    let sent: BTreeMap<_, _> = evidence.sent.iter().map(|one| (one.accept_id.clone(), one)).collect();
    let mut wrong = Vec::new();
    for (key, object) in &evidence.stored.objects {
        let Some(one) = name_of(key).and_then(|name| sent.get(&AcceptId::new(name))) else { continue };
        if let Err(what) = judge(key, object, one) {
            wrong.push(format!("{key} ({}) {what}", one.name));
        }
    }
    wrong.extend(texts(&evidence.stored, &sent));
    for session in &evidence.stored.sessions {
        for MissingDelivery { accept_id, parked_as, .. } in session.missing() {
            let ours = name_of(parked_as) == Some(accept_id.as_str());
            if !ours || !evidence.stored.objects.contains_key(parked_as) {
                wrong
                    .push(format!("the missing delivery {accept_id} leads to {parked_as}, and there is nothing of it"));
            }
        }
    }
    wrong
}

fn judge(key: &str, object: &Object, one: &Sent) -> Result<(), String> {
    let Some(message) = &one.message else { return Ok(()) };
    if group_of(key) != one.peek.as_ref().map(|peek| peek.group.as_str()) {
        return Err("is in another bot's folder".to_owned());
    }
    if key.starts_with(&Folder::Claims.prefix()) {
        let expected = match one.tampering {
            Some(Tampering::Altered) => bodies::altered(message.body()),
            _ => message.body().to_vec(),
        };
        return if object.bytes == expected { Ok(()) } else { Err("is not the body that was sent".to_owned()) };
    }
    match restore(|name| object.metadata.get(name).cloned(), object.bytes.clone()) {
        Err(error) => Err(format!("cannot be restored: {error}")),
        Ok(Restored::Message(restored)) => same(&restored, one),
        Ok(Restored::Record(text)) => record(&text, one),
    }
}

/// The text of a queue record is the delivery, or a claim to it.
fn record(text: &str, one: &Sent) -> Result<(), String> {
    let Some(message) = &one.message else { return Ok(()) };
    match QueueMessage::decode(text) {
        Err(error) => Err(format!("is no queue record: {error}")),
        Ok(Carried::Whole(restored)) => same(&restored, one),
        Ok(Carried::Claimed(claim)) => {
            let redeemed = claim.redeem(Some(message.body().to_vec())).map_err(|error| error.to_string())?;
            same(&redeemed, one)
        }
    }
}

fn same(restored: &QueueMessage, one: &Sent) -> Result<(), String> {
    let Some(message) = &one.message else { return Ok(()) };
    let head =
        |message: &QueueMessage| (message.accept_id().clone(), message.endpoint(), message.delivery_id().cloned());
    if restored.body() != message.body() {
        return Err("does not hold the bytes that were sent".to_owned());
    }
    if head(restored) != head(message) || one.received_at.is_some_and(|at| at != restored.received_at()) {
        return Err("does not say where the delivery came from".to_owned());
    }
    Ok(())
}

/// Messages in the queue and dead letters hold what was sent, too.
fn texts(stored: &Stored, sent: &BTreeMap<AcceptId, &Sent>) -> Vec<String> {
    let mut wrong = Vec::new();
    for text in stored.queued.iter().chain(&stored.dead) {
        let Ok(carried) = QueueMessage::decode(text) else { continue };
        let accept_id = &carried.head().accept_id;
        let Some(one) = sent.get(accept_id) else { continue };
        if let Err(what) = record(text, one) {
            wrong.push(format!("the message {accept_id} ({}) {what}", one.name));
        }
    }
    wrong
}
