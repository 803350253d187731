//! A table like DynamoDB's, as far as the functions need one, that knows what each call would be billed.

use anyhow::{Context, Result, bail};
use e2e::condition::{Item, holds};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The keys of the table's indexes; an item is in an index if it has both. Both indexes project keys only.
const INDEXES: [(&str, &str); 2] = [("day", "first_at"), ("due_shard", "due_at")];

/// What a call costs, in DynamoDB's units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Units {
    /// Strongly consistent reads count one for each 4 KB begun, others a half.
    pub half_reads: u64,
    /// One for each KB begun of the item, before or after the write, whichever is larger.
    pub writes: u64,
    /// The same for every index entry that a write makes or removes.
    pub index_writes: u64,
}

/// An answer: its status, its JSON, and what it would be billed.
pub type Answer = (u16, Value, Units);

/// Items by partition and sort key.
#[derive(Debug, Default)]
pub struct Table(HashMap<(String, String), Item>);

impl Table {
    /// Answers one call.
    ///
    /// # Errors
    /// For a call that it does not know, so that no run goes on with a wrong answer.
    pub fn answer(&mut self, operation: &str, request: &Value) -> Result<Answer> {
        match operation {
            "GetItem" => self.get(request),
            "PutItem" => self.put(request),
            "DeleteItem" => self.delete(request),
            _ => bail!("the sink does not know {operation}"),
        }
    }

    /// How many items there are whose sort key is `sort_key`.
    #[must_use]
    pub fn count(&self, sort_key: &str) -> usize {
        self.0.keys().filter(|(_, sk)| sk == sort_key).count()
    }

    /// How many bytes all items have.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.values().map(size).sum()
    }

    fn get(&self, request: &Value) -> Result<Answer> {
        let item = self.0.get(&key(&request["Key"])?);
        let half = if request["ConsistentRead"] == true { 2 } else { 1 };
        let units = Units { half_reads: half * item.map_or(0, size).div_ceil(4096).max(1), ..Units::default() };
        Ok((200, item.map_or_else(|| json!({}), |item| json!({"Item": item})), units))
    }

    fn put(&mut self, request: &Value) -> Result<Answer> {
        let new = request["Item"].as_object().context("a put of no item")?.clone();
        let key = key(&request["Item"])?;
        let old = self.0.get(&key);
        let mut units = Units { writes: kilobytes(old.map_or(0, size).max(size(&new))), ..Units::default() };
        if let Some(refusal) = refused(request, old)? {
            return Ok((400, refusal, units));
        }
        units.index_writes = index_writes(old, Some(&new));
        self.0.insert(key, new);
        Ok((200, json!({}), units))
    }

    fn delete(&mut self, request: &Value) -> Result<Answer> {
        let key = key(&request["Key"])?;
        let old = self.0.get(&key);
        let mut units = Units { writes: kilobytes(old.map_or(0, size)), ..Units::default() };
        if let Some(refusal) = refused(request, old)? {
            return Ok((400, refusal, units));
        }
        units.index_writes = index_writes(old, None);
        self.0.remove(&key);
        Ok((200, json!({}), units))
    }
}

/// The answer to a call whose condition does not hold.
fn refused(request: &Value, old: Option<&Item>) -> Result<Option<Value>> {
    let Some(expression) = request["ConditionExpression"].as_str() else { return Ok(None) };
    let (names, values) = (&request["ExpressionAttributeNames"], &request["ExpressionAttributeValues"]);
    if holds(expression, names, values, old)? {
        return Ok(None);
    }
    let mut answer = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
    });
    if let (Some(old), Some(answer), "ALL_OLD") =
        (old, answer.as_object_mut(), request["ReturnValuesOnConditionCheckFailure"].as_str().unwrap_or_default())
    {
        answer.insert("Item".to_owned(), json!(old));
    }
    Ok(Some(answer))
}

fn key(item: &Value) -> Result<(String, String)> {
    let part = |name: &str| {
        let text = item.get(name).and_then(|value| value.get("S")).and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("no {name} in {item}"))
    };
    Ok((part("pk")?, part("sk")?))
}

/// An entry that comes or goes is one write, one that changes its key is both.
fn index_writes(old: Option<&Item>, new: Option<&Item>) -> u64 {
    let entry = |item: Option<&Item>, (hash, range): (&str, &str)| {
        item.and_then(|item| Some((item.get(hash)?.clone(), item.get(range)?.clone())))
    };
    INDEXES
        .iter()
        .map(|index| match (entry(old, *index), entry(new, *index)) {
            (old, new) if old == new => 0,
            (Some(_), Some(_)) => 2,
            _ => 1,
        })
        .sum()
}

fn kilobytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024).max(1)
}

/// As DynamoDB counts: names and texts in UTF-8, a number about half its digits, and some for every list and map.
fn size(item: &Item) -> u64 {
    item.iter().map(|(name, value)| length(name) + size_of_value(value)).sum()
}

fn size_of_value(value: &Value) -> u64 {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => length(text),
        ("N", Value::String(digits)) => length(digits.trim_start_matches('-')).div_ceil(2) + 1,
        ("B", Value::String(base64)) => length(base64) * 3 / 4,
        ("L", Value::Array(list)) => 3 + list.iter().map(|value| 1 + size_of_value(value)).sum::<u64>(),
        ("M", Value::Object(map)) => 3 + map.iter().map(|(k, v)| 1 + length(k) + size_of_value(v)).sum::<u64>(),
        ("SS" | "NS" | "BS", Value::Array(list)) => list.iter().filter_map(Value::as_str).map(length).sum(),
        _ => 1,
    }
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: &mut Table, document: &str, due: Option<&str>) -> Answer {
        let mut item = json!({"pk": {"S": "p"}, "sk": {"S": "session"}, "document": {"S": document},
            "day": {"S": "2026-01-01"}, "first_at": {"N": "1"}});
        if let Some(due) = due {
            item["due_shard"] = json!({"S": "0"});
            item["due_at"] = json!({"N": due});
        }
        table.answer("PutItem", &json!({"Item": item})).unwrap()
    }

    #[test]
    fn a_write_is_billed_by_the_larger_item_and_by_the_index_entries_it_moves() {
        let mut table = Table::default();
        let units = |writes, index_writes| Units { half_reads: 0, writes, index_writes };
        assert_eq!(put(&mut table, "x", None).2, units(1, 1), "new in by_first_seen");
        assert_eq!(put(&mut table, &"x".repeat(3000), None).2, units(3, 0), "nothing moves");
        assert_eq!(put(&mut table, "x", Some("5")).2, units(3, 1), "new in by_due, and the old item was larger");
        assert_eq!(put(&mut table, "x", Some("6")).2, units(1, 2), "from one place to another");
        assert_eq!(put(&mut table, "x", None).2, units(1, 1), "gone from by_due");
        let key = json!({"pk": {"S": "p"}, "sk": {"S": "session"}});
        let read = table.answer("GetItem", &json!({"Key": key, "ConsistentRead": true})).unwrap();
        assert_eq!(
            (read.2, &read.1["Item"]["document"]["S"]),
            (Units { half_reads: 2, ..Units::default() }, &json!("x"))
        );
        assert_eq!(table.answer("DeleteItem", &json!({"Key": key})).unwrap().2, units(1, 1));
        assert_eq!(table.count("session"), 0);
    }

    #[test]
    fn a_condition_that_does_not_hold_changes_nothing_and_is_billed() {
        let mut table = Table::default();
        put(&mut table, "first", None);
        let request = json!({"Item": {"pk": {"S": "p"}, "sk": {"S": "session"}},
            "ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
        let (status, answer, units) = table.answer("PutItem", &request).unwrap();
        assert_eq!((status, units.writes, &answer["Item"]["document"]["S"]), (400, 1, &json!("first")));
        assert!(table.answer("Query", &json!({})).is_err());
    }
}
