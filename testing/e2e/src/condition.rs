//! The part of DynamoDB's condition expressions that the functions use: comparisons and existence, joined by `AND` and `OR`.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// An item as DynamoDB's JSON has it: each attribute an object from type to value.
pub type Item = Map<String, Value>;

/// Whether `expression` holds for what is stored.
///
/// # Errors
/// For an expression outside of this part, so that no run goes on with a wrong answer.
pub fn holds(expression: &str, names: &Value, values: &Value, stored: Option<&Item>) -> Result<bool> {
    let scope = Scope { names, values, stored };
    for alternative in expression.split(" OR ") {
        let mut all = true;
        for term in alternative.split(" AND ") {
            all &= scope.term(term.trim())?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Scope<'a> {
    names: &'a Value,
    values: &'a Value,
    stored: Option<&'a Item>,
}

impl<'a> Scope<'a> {
    fn term(&self, term: &str) -> Result<bool> {
        if let Some(name) = term.strip_prefix("attribute_not_exists(") {
            return Ok(self.attribute(name.trim_end_matches(')'))?.is_none());
        }
        if let Some(name) = term.strip_prefix("attribute_exists(") {
            return Ok(self.attribute(name.trim_end_matches(')'))?.is_some());
        }
        let words: Vec<_> = term.split_whitespace().collect();
        let [left, operator, right] = words[..] else { bail!("the table cannot read the condition {term:?}") };
        let (Some(left), Some(right)) = (self.operand(left)?, self.operand(right)?) else { return Ok(false) };
        let order = compare(left, right)?;
        Ok(match operator {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => bail!("the table does not know the operator {operator:?}"),
        })
    }

    fn operand(&self, text: &str) -> Result<Option<&'a Value>> {
        if text.starts_with(':') {
            return self.values.get(text).map(Some).with_context(|| format!("no value for {text}"));
        }
        self.attribute(text)
    }

    fn attribute(&self, text: &str) -> Result<Option<&'a Value>> {
        let name = match text.strip_prefix('#') {
            Some(_) => self.names.get(text).and_then(Value::as_str).with_context(|| format!("no name for {text}"))?,
            None if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => text,
            None => bail!("the table cannot read the attribute {text:?}"),
        };
        Ok(self.stored.and_then(|item| item.get(name)))
    }
}

fn compare(left: &Value, right: &Value) -> Result<Ordering> {
    let number = |value: &Value| value.get("N").and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
    let text = |value: &Value| value.get("S").and_then(Value::as_str).map(str::to_owned);
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Ok(left.total_cmp(&right));
    }
    if let (Some(left), Some(right)) = (text(left), text(right)) {
        return Ok(left.cmp(&right));
    }
    bail!("the table cannot compare {left} with {right}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(expression: &str, stored: Value, expected: Option<bool>) {
        let names = json!({"#pk": "pk", "#version": "version", "#expires_at": "expires_at"});
        let values = json!({":now": {"N": "100"}, ":version": {"N": "7"}, ":name": {"S": "b"}});
        let held = holds(expression, &names, &values, stored.as_object()).ok();
        assert_eq!(held, expected, "{expression} of {stored}");
    }

    #[test]
    fn the_conditions_of_the_functions_are_judged_as_dynamodb_does() {
        let fresh = "attribute_not_exists(#pk) OR #expires_at <= :now";
        check(fresh, Value::Null, Some(true));
        check(fresh, json!({"pk": {"S": "x"}, "expires_at": {"N": "100"}}), Some(true));
        check(fresh, json!({"pk": {"S": "x"}, "expires_at": {"N": "101"}}), Some(false));
        check(fresh, json!({"pk": {"S": "x"}}), Some(false));
        check("#version = :version", json!({"version": {"N": "7"}}), Some(true));
        check("#version = :version", json!({"version": {"N": "8"}}), Some(false));
        check("#version = :version", Value::Null, Some(false));
        check(
            "attribute_exists(pk) AND #version <> :version",
            json!({"pk": {"S": "x"}, "version": {"N": "8"}}),
            Some(true),
        );
    }

    #[test]
    fn what_it_cannot_read_is_an_error_and_never_a_guess() {
        for odd in ["begins_with(pk, :name)", "#version = :absent", "#absent = :now", "NOT pk = :name", "pk = :name"] {
            check(odd, json!({"pk": {"N": "1"}}), None);
        }
    }
}
