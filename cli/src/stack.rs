//! Which deployment a command is about, and how to reach it.

mod aws;
mod cloudformation;
mod local;
mod secret;

pub use aws::{Aws, is_here};

use crate::{escape, failure::Failure};
use clap::Args;
use cloudformation::StackOutputs;
use local::{Outputs, Routes};
use shared::{Endpoint, Provider};
use simulator::delivery::{Secret, Target};
use std::{fmt, path::PathBuf};

/// Where to connect. With none of these: to the stack that `make up` started in this checkout.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where to connect (default: what `make up` started)")]
pub struct StackArgs {
    /// Name of the stack on AWS
    #[arg(long, value_name = "NAME", global = true)]
    pub stack: Option<String>,
    /// AWS region of the stack [default: as the AWS command line has it]
    #[arg(long, value_name = "REGION", global = true)]
    pub region: Option<String>,
    /// AWS profile for credentials and region [default: as the AWS command line has it]
    #[arg(long, value_name = "NAME", global = true)]
    pub profile: Option<String>,
    /// What `make up` wrote down [default: .local/outputs.json, here or in a folder above]
    #[arg(long, value_name = "FILE", global = true, env = "ROLLCALL_OUTPUTS")]
    pub outputs: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Stack {
    pub name: String,
    pub function_url: String,
    /// The signed route.
    pub webhook_url: String,
    /// Deliveries on their way.
    pub queue_url: String,
    /// Deliveries that crashed the function.
    pub dlq_url: String,
    /// Slow and timed work.
    pub commands_url: String,
    /// Commands that failed on every try.
    pub commands_dlq_url: String,
    pub table: String,
    /// Spooled, parked and quarantined deliveries, and large bodies.
    pub bucket: String,
    /// The function behind the queues.
    pub process_function: String,
    /// Where it looks for the providers' APIs on this machine: a port, and for presigned URLs the next one. `None`: it asks the
    /// providers.
    pub api_port: Option<u16>,
    pub aws: Aws,
    secrets: Secrets,
}

/// Where the secrets are: at hand, or to be read by those who need them.
#[derive(Debug)]
enum Secrets {
    AtHand(Routes),
    Stored { name: String },
}

/// The credentials of a stack.
pub struct Keyring<'a> {
    stack: &'a Stack,
    stored: Option<Secret>,
}

impl StackArgs {
    /// Finds the deployment.
    pub async fn open(&self) -> Result<Stack, Failure> {
        match &self.stack {
            Some(name) => {
                let aws = Aws::remote(self.region.clone(), self.profile.clone()).await?;
                let outputs = StackOutputs::read(&aws, name).await?;
                Stack::remote(aws, name, outputs)
            }
            None if self.region.is_some() || self.profile.is_some() => {
                let what = "--region and --profile say where on AWS a stack is, and no --stack was given";
                Err(Failure::usage(what).help("add --stack NAME, or leave them out for the local stack"))
            }
            None => Ok(Stack::local(local::find(self.outputs.as_deref())?)),
        }
    }

    /// The flags that lead another command to the same place.
    pub fn as_flags(&self) -> String {
        let outputs = self.outputs.as_ref().filter(|_| self.stack.is_none());
        [
            ("--stack", self.stack.clone()),
            ("--region", self.region.clone()),
            ("--profile", self.profile.clone()),
            ("--outputs", outputs.map(|file| file.to_string_lossy().into_owned())),
        ]
        .into_iter()
        .filter_map(|(flag, value)| Some(format!(" {flag} {}", escape::shell(&value?))))
        .collect()
    }
}

impl Stack {
    fn remote(aws: Aws, name: &str, mut outputs: StackOutputs) -> Result<Self, Failure> {
        Ok(Self {
            name: name.to_owned(),
            function_url: aws.reachable(&outputs.take("FunctionUrl")?),
            webhook_url: aws.reachable(&outputs.take("MeetStreamWebhookUrl")?),
            queue_url: outputs.take("EventsQueueUrl")?,
            dlq_url: outputs.take("EventsDeadLetterQueueUrl")?,
            commands_url: outputs.take("CommandsQueueUrl")?,
            commands_dlq_url: outputs.take("CommandsDeadLetterQueueUrl")?,
            table: outputs.take("TableName")?,
            bucket: outputs.take("BucketName")?,
            process_function: outputs.take("ProcessFunctionName")?,
            api_port: None,
            secrets: Secrets::Stored { name: outputs.take("SecretName")? },
            aws,
        })
    }

    fn local(outputs: Outputs) -> Self {
        Self {
            name: outputs.stack_name,
            function_url: outputs.function_url,
            webhook_url: outputs.webhook_url,
            queue_url: outputs.queue_url,
            dlq_url: outputs.dlq_url,
            commands_url: outputs.commands_url,
            commands_dlq_url: outputs.commands_dlq_url,
            table: outputs.table,
            bucket: outputs.bucket,
            process_function: outputs.process_function,
            api_port: outputs.api_port,
            aws: Aws::local(outputs.endpoint_url, outputs.region),
            secrets: Secrets::AtHand(outputs.routes),
        }
    }

    /// A route whose URL holds no secret.
    pub fn url(&self, endpoint: Endpoint) -> Result<String, Failure> {
        let names = Names::of(endpoint);
        match &self.secrets {
            _ if endpoint == Endpoint::MeetStream => Ok(self.webhook_url.clone()),
            Secrets::AtHand(routes) => routes.get(names.url).map(|Secret(url)| url),
            Secrets::Stored { .. } => Ok(format!("{}/{}", self.function_url.trim_end_matches('/'), names.path)),
        }
    }

    /// The credentials of all routes.
    pub async fn keyring(&self) -> Result<Keyring<'_>, Failure> {
        let stored = match &self.secrets {
            Secrets::AtHand(_) => None,
            Secrets::Stored { name } => Some(secret::read(&self.aws, name).await?),
        };
        Ok(Keyring { stack: self, stored })
    }

    /// A route and the proof that it asks for.
    pub async fn target(&self, endpoint: Endpoint) -> Result<Target, Failure> {
        self.keyring().await?.target(endpoint)
    }
}

impl fmt::Debug for Keyring<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Keyring<'_> {
    /// A route and the proof that it asks for.
    pub fn target(&self, endpoint: Endpoint) -> Result<Target, Failure> {
        if endpoint == Endpoint::MeetStreamCallback {
            return Ok(Target::new(endpoint, self.callback_url()?, Secret(String::new()))?);
        }
        let credential = self.credential(endpoint)?;
        Ok(Target::new(endpoint, Secret(self.stack.url(endpoint)?), credential)?)
    }

    /// The newest credential of a route. Of unsigned callbacks it is in [`Self::callback_url`].
    ///
    /// # Errors
    /// When there is none: then the route does not exist.
    pub fn credential(&self, endpoint: Endpoint) -> Result<Secret, Failure> {
        let Names { output, secret: key, .. } = Names::of(endpoint);
        match (&self.stack.secrets, &self.stored) {
            (Secrets::AtHand(routes), _) => routes.get(output),
            (Secrets::Stored { name }, stored) => {
                stored.as_ref().and_then(|stored| secret::first(stored, key)).ok_or_else(|| {
                    let place = &self.stack.aws.name;
                    // Nobody enters a token: it is ours, and random.
                    let way_in = match endpoint {
                        Endpoint::MeetStreamCallback => "make secret TOKEN=1".to_owned(),
                        _ => format!("make secret KEY={key}"),
                    };
                    Failure::new(format!("the secret \"{name}\" on {place} has nothing in {key}, so that route is off"))
                        .help(format!("`{way_in}` puts one in, and `make rotate` hands it to the function"))
                })
            }
        }
    }

    /// The key that the stack shows to a provider's API; `None` if it has none.
    pub fn api_key(&self, provider: Provider) -> Option<Secret> {
        let (output, key) = match provider {
            Provider::MeetStream => ("meetstream_api_key", "meetstream_api_keys"),
            Provider::MeetingBaas => ("meetingbaas_api_key", "meetingbaas_api_keys"),
        };
        match (&self.stack.secrets, &self.stored) {
            (Secrets::AtHand(routes), _) => routes.get(output).ok(),
            (Secrets::Stored { .. }, stored) => stored.as_ref().and_then(|stored| secret::first(stored, key)),
        }
    }

    /// The URL of unsigned callbacks, with its token.
    ///
    /// # Errors
    /// When there is none: then the route does not exist.
    pub fn callback_url(&self) -> Result<Secret, Failure> {
        let found = self.credential(Endpoint::MeetStreamCallback)?;
        Ok(match self.stack.secrets {
            Secrets::AtHand(_) => found,
            Secrets::Stored { .. } => Secret(format!("{}/{}", self.stack.webhook_url, found.0)),
        })
    }
}

/// What a route is called where its URL and its credential are kept.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Its URL, in what `make up` writes down and in `rollcall urls --json`.
    pub url: &'static str,
    pub path: &'static str,
    /// Its credential, in what `make up` writes down. Of unsigned callbacks that is the URL.
    output: &'static str,
    /// Its credentials, in the secret on AWS.
    secret: &'static str,
}

impl Names {
    pub fn of(endpoint: Endpoint) -> Self {
        let [url, path, output, secret] = match endpoint {
            Endpoint::MeetStream => {
                ["webhook_url", "webhooks/meetstream", "meetstream_secret", "meetstream_webhook_secrets"]
            }
            Endpoint::MeetStreamCallback => {
                ["callback_url", "webhooks/meetstream", "callback_url", "meetstream_callback_tokens"]
            }
            Endpoint::MeetingBaasV1 => {
                ["meetingbaas_v1_url", "webhooks/meetingbaas/v1", "meetingbaas_api_key", "meetingbaas_api_keys"]
            }
            Endpoint::MeetingBaasV2 => {
                ["meetingbaas_v2_url", "webhooks/meetingbaas/v2", "meetingbaas_svix_secret", "meetingbaas_svix_secrets"]
            }
            Endpoint::MeetingBaasCallback => [
                "meetingbaas_callback_url",
                "webhooks/meetingbaas/callback",
                "meetingbaas_callback_secret",
                "meetingbaas_callback_secrets",
            ],
            Endpoint::MeetingBaasLegacy => [
                "meetingbaas_legacy_url",
                "webhooks/meetingbaas/legacy",
                "meetingbaas_legacy_secret",
                "meetingbaas_legacy_secrets",
            ],
        };
        Self { url, path, output, secret }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Map, Value};

    /// What `make up` writes down, every value being its name, but for a route that is off and one that is not known.
    const OUTPUTS: [&str; 18] = [
        "stack_name",
        "endpoint_url",
        "region",
        "function_url",
        "webhook_url",
        "callback_url",
        "meetstream_secret",
        "meetingbaas_v1_url",
        "meetingbaas_api_key",
        "meetingbaas_v2_url",
        "meetingbaas_callback_url",
        "table",
        "queue_url",
        "dlq_url",
        "commands_url",
        "commands_dlq_url",
        "bucket",
        "process_function",
    ];

    /// A stack that nobody is at home in.
    pub(crate) fn stack() -> Stack {
        let mut outputs: Map<String, Value> = OUTPUTS.into_iter().map(|name| (name.to_owned(), name.into())).collect();
        outputs.insert("meetingbaas_callback_secret".to_owned(), "".into());
        Stack::local(serde_json::from_value(outputs.into()).unwrap())
    }

    /// Its credentials, as they are stored.
    pub(crate) fn keyring<'a>(stack: &'a Stack, stored: &str) -> Keyring<'a> {
        Keyring { stack, stored: Some(Secret(stored.to_owned())) }
    }

    /// The same on AWS.
    pub(crate) fn on_aws(stack: &mut Stack) {
        stack.function_url = "https://f.on.aws/".to_owned();
        stack.webhook_url = "https://f.on.aws/webhooks/meetstream".to_owned();
        stack.secrets = Secrets::Stored { name: "rollcall".to_owned() };
    }

    #[test]
    fn routes_and_credentials_are_found_at_hand() {
        let stack = stack();
        let keyring = Keyring { stack: &stack, stored: None };
        let found = |endpoint| (stack.url(endpoint).unwrap(), keyring.credential(endpoint).unwrap().0);
        assert_eq!(found(Endpoint::MeetStream), ("webhook_url".into(), "meetstream_secret".into()));
        assert_eq!(found(Endpoint::MeetingBaasV1), ("meetingbaas_v1_url".into(), "meetingbaas_api_key".into()));
        assert_eq!(keyring.callback_url().unwrap().0, "callback_url");
        assert_eq!(keyring.api_key(Provider::MeetingBaas).unwrap().0, "meetingbaas_api_key");
        assert!(keyring.api_key(Provider::MeetStream).is_none(), "what `make up` of an older version wrote has none");
        let told = |failure: Failure, parts: [&str; 2]| {
            let text = failure.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        };
        let missing = keyring.credential(Endpoint::MeetingBaasV2).unwrap_err();
        told(missing, ["there is no meetingbaas_svix_secret", "`make up`"]);
        told(
            keyring.credential(Endpoint::MeetingBaasCallback).unwrap_err(),
            ["meetingbaas_callback_secret is empty", "off"],
        );
        told(stack.url(Endpoint::MeetingBaasLegacy).unwrap_err(), ["there is no meetingbaas_legacy_url", "`make up`"]);
    }

    #[test]
    fn routes_and_credentials_are_found_on_aws() {
        let mut stack = stack();
        on_aws(&mut stack);
        let stored = r#"{"meetstream_callback_tokens":"t1,t0","meetingbaas_svix_secrets":"new,old","meetingbaas_api_keys":"","meetstream_api_keys":"m"}"#;
        let keyring = keyring(&stack, stored);
        assert_eq!(stack.url(Endpoint::MeetStream).unwrap(), "https://f.on.aws/webhooks/meetstream");
        for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| *endpoint != Endpoint::MeetStreamCallback) {
            let url = stack.url(endpoint).unwrap();
            let path = url.strip_prefix("https://f.on.aws").unwrap();
            assert_eq!(Endpoint::from_path(path), Some((endpoint, None)), "{url}");
        }
        assert_eq!(keyring.credential(Endpoint::MeetingBaasV2).unwrap().0, "new");
        let api_key = |provider| keyring.api_key(provider).map(|secret| secret.0);
        assert_eq!(Provider::ALL.map(api_key), [Some("m".to_owned()), None]);
        assert_eq!(keyring.callback_url().unwrap().0, "https://f.on.aws/webhooks/meetstream/t1");
        for (endpoint, key) in [
            (Endpoint::MeetingBaasV1, "meetingbaas_api_keys"),
            (Endpoint::MeetingBaasLegacy, "meetingbaas_legacy_secrets"),
        ] {
            let told = keyring.credential(endpoint).unwrap_err().to_string();
            assert!(told.contains(&format!("has nothing in {key}")) && told.contains(&format!("KEY={key}")), "{told}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let stack = stack();
        let debug = format!("{stack:?} {:?}", keyring(&stack, "s3cret"));
        assert!(!["meetstream_secret", "meetingbaas_api_key", "s3cret"].iter().any(|s| debug.contains(s)), "{debug}");
    }

    #[test]
    fn flags_lead_to_the_same_place() {
        let stack_args =
            StackArgs { stack: Some("my stack".into()), region: Some("eu-west-1".into()), ..StackArgs::default() };
        assert_eq!(stack_args.as_flags(), " --stack 'my stack' --region eu-west-1");
        assert_eq!(StackArgs::default().as_flags(), "");
        let outputs = StackArgs { outputs: Some("/x/outputs.json".into()), ..StackArgs::default() };
        assert_eq!(outputs.as_flags(), " --outputs /x/outputs.json");
    }
}
