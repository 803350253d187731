//! What is stored in a scratch.

use crate::audit::{Object, Stored};
use anyhow::{Context, Result};
use e2e::{fault_proxy::Record, scratch::Scratch};
use serde_json::Value;
use shared::table::{DOCUMENT, PK, SESSION_SORT_KEY, SK};
use std::collections::BTreeMap;

/// Everything in the table and in the bucket. The queue must be empty.
pub(super) async fn stored(scratch: &Scratch) -> Result<Stored> {
    let mut stored = Stored::default();
    for mut item in scratch.aws.items(&scratch.table).await? {
        let text = |name: &str| {
            item.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("an item without {name}"))
        };
        let (pk, sk) = (text(PK)?, text(SK)?);
        let said = item.get_mut(DOCUMENT).map(Value::take).unwrap_or_default();
        if sk == SESSION_SORT_KEY {
            stored.sessions.push(serde_json::from_value(said).context("a session that cannot be read")?);
        } else {
            let entry = serde_json::from_value(said).context("an entry that cannot be read")?;
            stored.entries.push((pk, entry));
        }
    }
    for key in scratch.aws.objects(&scratch.bucket, "").await? {
        let found = scratch.aws.s3.get_object().bucket(&scratch.bucket).key(&key).send().await?;
        let metadata = found.metadata.unwrap_or_default().into_iter().collect();
        let bytes = found.body.collect().await?.to_vec();
        stored.objects.insert(key, Object { bytes, metadata });
    }
    Ok(stored)
}

/// The events that reached the bus, each by its id with its name.
pub(super) fn heard(records: &[Record]) -> BTreeMap<String, String> {
    let reached = records.iter().filter(|record| record.call.operation == "PutEvents" && record.effect == Some(200));
    let bodies = reached.filter_map(|record| serde_json::from_slice::<Value>(&record.call.body).ok());
    let entries = bodies.filter_map(|body| body.get("Entries")?.as_array().cloned()).flatten();
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let told = |entry: Value| {
        let detail: Value = serde_json::from_str(&text(&entry, "Detail")?).ok()?;
        Some((text(&detail, "id")?, text(&entry, "DetailType")?))
    };
    entries.filter_map(told).collect()
}

/// Stores an object.
pub(super) async fn put(scratch: &Scratch, key: &str, object: &Object) -> Result<()> {
    let metadata = object.metadata.clone().into_iter().collect();
    let put = scratch.aws.s3.put_object().bucket(&scratch.bucket).key(key).set_metadata(Some(metadata));
    put.body(object.bytes.clone().into()).send().await?;
    Ok(())
}
