//! The stack's secret in Secrets Manager: a JSON object of comma-separated lists, newest first.

use super::Aws;
use crate::failure::Failure;
use aws_sdk_secretsmanager::Client;
use simulator::delivery::Secret;
use std::collections::HashMap;

pub(super) async fn read(aws: &Aws, name: &str) -> Result<Secret, Failure> {
    let doing = format!("reading the secret \"{name}\"");
    let found = Client::new(&aws.config)
        .get_secret_value()
        .secret_id(name)
        .send()
        .await
        .map_err(|error| aws.failure(&doing, &error))?;
    Ok(Secret(found.secret_string().unwrap_or_default().to_owned()))
}

/// The first entry of one list: the one that is not being retired. Nothing says what the text is: it is a secret even where
/// it has the wrong form.
pub(super) fn first(text: &Secret, key: &str) -> Option<Secret> {
    let lists: HashMap<String, serde_json::Value> = serde_json::from_str(&text.0).ok()?;
    let first = lists.get(key)?.as_str()?.split(',').map(str::trim).find(|entry| !entry.is_empty())?;
    Some(Secret(first.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_is_used() {
        let first = |text: &str| first(&Secret(text.to_owned()), "meetstream_webhook_secrets").map(|secret| secret.0);
        assert_eq!(first(r#"{"meetstream_webhook_secrets":" new , old"}"#), Some("new".to_owned()));
        assert_eq!(first(r#"{"meetstream_webhook_secrets":"one"}"#), Some("one".to_owned()));
        for nothing in [r#"{"meetstream_webhook_secrets":" ,"}"#, r#"{"other":"x"}"#, "not json", ""] {
            assert_eq!(first(nothing), None, "{nothing}");
        }
    }
}
