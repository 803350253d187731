//! The stack's secret in Secrets Manager: a JSON object of comma-separated lists, newest first.

use super::Aws;
use crate::{delivery::Secret, failure::Failure};
use aws_sdk_secretsmanager::Client;
use std::collections::HashMap;

/// What signs the workspace's webhooks.
pub(super) const WEBHOOK_SECRETS: &str = "meetstream_webhook_secrets";
/// What ends the URLs of callbacks.
pub(super) const CALLBACK_TOKENS: &str = "meetstream_callback_tokens";

/// The first entry of one list: the one that is not being retired.
pub(super) async fn first(aws: &Aws, name: &str, key: &str) -> Result<Secret, Failure> {
    let doing = format!("reading the secret \"{name}\"");
    let found = Client::new(&aws.config)
        .get_secret_value()
        .secret_id(name)
        .send()
        .await
        .map_err(|error| aws.failure(&doing, &error))?;
    first_in(found.secret_string().unwrap_or_default(), key).ok_or_else(|| {
        Failure::new(format!("the secret \"{name}\" on {} has nothing in {key}, so that route is off", aws.name))
            .help("`make secret` enters one, and `make deploy` hands it to the function")
    })
}

/// No error says what the text is: it is a secret even where it has the wrong form.
fn first_in(text: &str, key: &str) -> Option<Secret> {
    let lists: HashMap<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let first = lists.get(key)?.as_str()?.split(',').map(str::trim).find(|entry| !entry.is_empty())?;
    Some(Secret(first.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entry_is_used() {
        let first = |text: &str| first_in(text, WEBHOOK_SECRETS).map(|secret| secret.0);
        assert_eq!(first(r#"{"meetstream_webhook_secrets":" new , old"}"#), Some("new".to_owned()));
        assert_eq!(first(r#"{"meetstream_webhook_secrets":"one"}"#), Some("one".to_owned()));
        for nothing in [r#"{"meetstream_webhook_secrets":" ,"}"#, r#"{"other":"x"}"#, "not json", ""] {
            assert_eq!(first(nothing), None, "{nothing}");
        }
    }
}
