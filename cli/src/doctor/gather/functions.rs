//! Lambda, and the secret that its functions hold.

use crate::doctor::asking::{lookup, statements};
use crate::{
    doctor::facts::{Account, Function, Invoked, Live, Lookup, Mapping, SecretFacts, Settings, Url},
    stack::Stack,
};
use aws_sdk_lambda::{Client, operation::get_function_configuration::GetFunctionConfigurationOutput as Configuration};
use serde_json::Value;
use shared::hash::sha256_hex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The alias that everything hangs on.
const LIVE: &str = "live";

pub(super) struct Lambda<'a> {
    client: Client,
    stack: &'a Stack,
}

impl<'a> Lambda<'a> {
    pub(super) fn of(stack: &'a Stack) -> Self {
        Self { client: Client::new(&stack.aws.config), stack }
    }

    pub(super) async fn account(&self) -> Lookup<Account> {
        let answer = self.client.get_account_settings().send().await;
        let answer = lookup(&self.stack.aws, "reading the account's limits", "tell limits of an account", answer);
        answer.and_then(|settings| settings.account_limit).map(|limit| Account {
            limit: limit.concurrent_executions.into(),
            unreserved: limit.unreserved_concurrent_executions.unwrap_or_default().into(),
        })
    }

    pub(super) async fn function(&self, name: &str) -> Function {
        let (latest, live, reserved, log_days) = tokio::join!(
            self.settings(name, None),
            self.live(name),
            self.reserved(name),
            super::watch::log_days(self.stack, name)
        );
        Function { name: name.to_owned(), latest, live, reserved, log_days }
    }

    async fn settings(&self, name: &str, version: Option<&str>) -> Lookup<Settings> {
        let request = self.client.get_function_configuration().function_name(name);
        let answer = request.set_qualifier(version.map(str::to_owned)).send().await;
        let doing = format!("reading the configuration of {name}");
        lookup(&self.stack.aws, &doing, "tell a function's configuration", answer).map(|found| settings(&found))
    }

    async fn live(&self, name: &str) -> Lookup<Live> {
        let answer = self.client.get_alias().function_name(name).name(LIVE).send().await;
        let alias = match lookup(&self.stack.aws, &format!("reading the alias of {name}"), "know aliases", answer) {
            Lookup::Found(alias) => alias,
            other => {
                return other.map(|_| Live { version: String::new(), beside: vec![], settings: Settings::default() });
            }
        };
        let version = alias.function_version.unwrap_or_default();
        let weights = alias.routing_config.and_then(|routing| routing.additional_version_weights).unwrap_or_default();
        let beside = weights.into_keys().collect();
        self.settings(name, Some(&version)).await.map(|settings| Live { version, beside, settings })
    }

    async fn reserved(&self, name: &str) -> Lookup<Option<i64>> {
        let answer = self.client.get_function_concurrency().function_name(name).send().await;
        let doing = format!("reading the concurrency of {name}");
        lookup(&self.stack.aws, &doing, "tell reserved concurrency", answer)
            .map(|found| found.reserved_concurrent_executions.map(i64::from))
    }

    pub(super) async fn invoked(&self, name: &str) -> Lookup<Invoked> {
        let answer = self.client.get_function_event_invoke_config().function_name(name).qualifier(LIVE).send().await;
        let doing = format!("reading what becomes of failed invocations of {name}");
        // What Lambda does where nothing is set ("Configuring error handling settings for asynchronous invocations").
        lookup(&self.stack.aws, &doing, "know asynchronous invocations", answer).map(|found| Invoked {
            retries: found.maximum_retry_attempts.unwrap_or(2).into(),
            event_age_seconds: found.maximum_event_age_in_seconds.unwrap_or(21_600).into(),
        })
    }

    pub(super) async fn url(&self, name: &str) -> Lookup<Url> {
        let answer = self.client.get_function_url_config().function_name(name).qualifier(LIVE).send().await;
        lookup(&self.stack.aws, "reading the function URL", "know function URLs", answer)
            .map(|found| Url { url: found.function_url, auth: found.auth_type.as_str().to_owned() })
    }

    pub(super) async fn permissions(&self, name: &str) -> Lookup<Vec<Value>> {
        let answer = self.client.get_policy().function_name(name).qualifier(LIVE).send().await;
        lookup(&self.stack.aws, "reading the policy of the function URL", "know policies of functions", answer)
            .map(|found| statements(&found.policy.unwrap_or_default()))
    }

    /// The mappings that read a queue, whatever they invoke.
    pub(super) async fn mappings(&self, queue_arn: &str) -> Lookup<Vec<Mapping>> {
        let answer = self.client.list_event_source_mappings().event_source_arn(queue_arn).send().await;
        let doing = format!("listing the mappings of {queue_arn}");
        lookup(&self.stack.aws, &doing, "know event source mappings", answer).map(|found| {
            let mappings = found.event_source_mappings.unwrap_or_default().into_iter();
            let mappings = mappings.map(|mapping| Mapping {
                id: mapping.uuid.unwrap_or_default(),
                function: mapping.function_arn.unwrap_or_default(),
                state: mapping.state.unwrap_or_default(),
                batch_size: mapping.batch_size.unwrap_or_default().into(),
                reports_failures: mapping
                    .function_response_types
                    .is_some_and(|types| types.iter().any(|kind| kind.as_str() == "ReportBatchItemFailures")),
                maximum_concurrency: mapping
                    .scaling_config
                    .and_then(|scaling| scaling.maximum_concurrency)
                    .map(Into::into),
            });
            mappings.collect()
        })
    }
}

fn settings(found: &Configuration) -> Settings {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let logging = found.logging_config();
    let variables = found.environment().and_then(|environment| environment.variables());
    Settings {
        state: text(found.state().map(|state| state.as_str())),
        last_update: text(found.last_update_status().map(|status| status.as_str())),
        reason: text(found.state_reason().or(found.last_update_status_reason())),
        runtime: text(found.runtime().map(|runtime| runtime.as_str())),
        architecture: text(found.architectures().first().map(|architecture| architecture.as_str())),
        memory_mb: found.memory_size().unwrap_or_default().into(),
        timeout_seconds: found.timeout().unwrap_or_default().into(),
        code_sha256: text(found.code_sha256()),
        log_format: text(logging.and_then(|logging| logging.log_format()).map(|format| format.as_str())),
        application_level: text(
            logging.and_then(|logging| logging.application_log_level()).map(|level| level.as_str()),
        ),
        system_level: text(logging.and_then(|logging| logging.system_log_level()).map(|level| level.as_str())),
        log_group: text(logging.and_then(|logging| logging.log_group())),
        variables: variables.into_iter().flatten().map(|(name, value)| (name.clone(), hash(value))).collect(),
    }
}

/// What is kept of a variable's value, which may be a secret.
fn hash(value: &str) -> String {
    sha256_hex(value.as_bytes())
}

/// The secret, compared with what both functions' live versions hold.
pub(super) async fn secret(stack: &Stack, name: &str, functions: [&Function; 2]) -> Lookup<SecretFacts> {
    let client = aws_sdk_secretsmanager::Client::new(&stack.aws.config);
    let (described, value) =
        tokio::join!(client.describe_secret().secret_id(name).send(), client.get_secret_value().secret_id(name).send());
    let live = functions.into_iter().filter_map(|function| function.live.found());
    let variables: Vec<_> = live.map(|live| &live.settings.variables).collect();
    let outdated = value.ok().and_then(|value| outdated(value.secret_string.as_deref()?, &variables));
    let doing = format!("describing the secret {name}");
    match lookup(&stack.aws, &doing, "describe secrets", described) {
        // One that is to be deleted still has versions, and cannot be read by any deploy.
        Lookup::Found(described) if described.deleted_date.is_some() => Lookup::Absent,
        described => described.map(|described| SecretFacts {
            current: current(described.version_ids_to_stages.unwrap_or_default()),
            outdated,
        }),
    }
}

fn current(versions: HashMap<String, Vec<String>>) -> String {
    let current = versions.into_iter().find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
    current.map(|(id, _)| id).unwrap_or_default()
}

/// The variables that hold something else than the secret says under their name; `None` for a secret that is no JSON object.
fn outdated(secret: &str, variables: &[&BTreeMap<String, String>]) -> Option<BTreeSet<String>> {
    let lists: HashMap<String, String> = serde_json::from_str(secret).ok()?;
    let differs = |name: &str, held: &String| lists.get(&name.to_lowercase()).is_some_and(|list| hash(list) != *held);
    let all = variables.iter().flat_map(|variables| variables.iter());
    Some(all.filter(|(name, held)| differs(name, held)).map(|(name, _)| name.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_compared_with_the_secret_by_name_and_told_without_their_values() {
        let secret = r#"{"meetstream_webhook_secrets":"new,old","meetingbaas_api_keys":","}"#;
        let variables = |held: &[(&str, &str)]| -> BTreeMap<String, String> {
            held.iter().map(|(name, value)| ((*name).to_owned(), hash(value))).collect()
        };
        let ingest =
            variables(&[("MEETSTREAM_WEBHOOK_SECRETS", "old"), ("MEETINGBAAS_API_KEYS", ","), ("BUCKET_NAME", "b")]);
        let process = variables(&[("MEETINGBAAS_API_KEYS", "k")]);
        let found = outdated(secret, &[&ingest, &process]).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), ["MEETINGBAAS_API_KEYS", "MEETSTREAM_WEBHOOK_SECRETS"]);
        let ingest = variables(&[("MEETSTREAM_WEBHOOK_SECRETS", "new,old"), ("MEETINGBAAS_API_KEYS", ",")]);
        assert!(outdated(secret, &[&ingest]).unwrap().is_empty());
        assert_eq!(outdated("not JSON", &[&ingest]), None);
    }

    #[test]
    fn the_current_version_is_found_by_its_stage() {
        let version = |id: &str, stage: &str| (id.to_owned(), vec!["own".to_owned(), stage.to_owned()]);
        let versions = [version("old", "AWSPREVIOUS"), version("new", "AWSCURRENT")];
        assert_eq!(current(versions.into()), "new");
        assert_eq!(current(HashMap::new()), "");
    }
}
