//! Which deployment a command is about, and how to reach it.

mod aws;
mod cloudformation;
mod local;
mod secret;

pub use aws::Aws;

use crate::{
    delivery::{Secret, Target},
    escape,
    failure::Failure,
};
use clap::Args;
use local::Outputs;
use std::path::PathBuf;

/// Where to connect. With none of these: to the stack that `make up` started in this checkout.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where to connect (default: what `make up` started)")]
pub struct Place {
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

/// One deployment.
#[derive(Debug)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The function's own URL.
    pub function_url: String,
    /// The signed route.
    pub webhook_url: String,
    /// Deliveries on their way.
    pub queue_url: String,
    /// Deliveries that crashed the function.
    pub dlq_url: String,
    /// Slow and timed work.
    pub commands_url: String,
    /// Sessions.
    pub table: String,
    /// Quarantined and parked deliveries.
    pub bucket: String,
    /// The connection to it.
    pub aws: Aws,
    secrets: Secrets,
}

/// Where the secrets are: at hand, or to be read by those who need them.
#[derive(Debug)]
enum Secrets {
    AtHand { webhook: Secret, callback_url: Secret },
    Stored { name: String },
}

impl Place {
    /// Finds the deployment.
    ///
    /// # Errors
    /// When there is none, or what describes it cannot be read.
    pub async fn open(&self) -> Result<Stack, Failure> {
        match &self.stack {
            Some(name) => {
                let aws = Aws::remote(self.region.clone(), self.profile.clone()).await?;
                cloudformation::stack(aws, name).await
            }
            None if self.region.is_some() || self.profile.is_some() => {
                let what = "--region and --profile say where on AWS a stack is, and no --stack was given";
                Err(Failure::usage(what).help("add --stack NAME, or leave them out for the local stack"))
            }
            None => Ok(Stack::local(local::find(self.outputs.as_deref())?)),
        }
    }

    /// The flags that lead another command to the same place.
    #[must_use]
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
    fn local(outputs: Outputs) -> Self {
        Self {
            name: outputs.stack_name,
            function_url: outputs.function_url,
            webhook_url: outputs.webhook_url,
            queue_url: outputs.queue_url,
            dlq_url: outputs.dlq_url,
            commands_url: outputs.commands_url,
            table: outputs.table,
            bucket: outputs.bucket,
            aws: Aws::local(outputs.endpoint_url, outputs.region),
            secrets: Secrets::AtHand {
                webhook: Secret(outputs.meetstream_secret),
                callback_url: Secret(outputs.callback_url),
            },
        }
    }

    /// The signed route and what signs for it.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn signed_target(&self) -> Result<Target, Failure> {
        let secret = match &self.secrets {
            Secrets::AtHand { webhook, .. } => webhook.clone(),
            Secrets::Stored { name } => secret::first(&self.aws, name, secret::WEBHOOK_SECRETS).await?,
        };
        Ok(Target::Signed { url: self.webhook_url.clone(), secret })
    }

    /// The URL of unsigned callbacks, with its token.
    ///
    /// # Errors
    /// When the token cannot be read.
    pub async fn callback_url(&self) -> Result<Secret, Failure> {
        match &self.secrets {
            Secrets::AtHand { callback_url, .. } => Ok(callback_url.clone()),
            Secrets::Stored { name } => {
                let token = secret::first(&self.aws, name, secret::CALLBACK_TOKENS).await?;
                Ok(Secret(format!("{}/{}", self.webhook_url, token.0)))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stack that nobody is at home in.
    pub(crate) fn stack() -> Stack {
        let outputs = [
            "stack_name",
            "endpoint_url",
            "region",
            "function_url",
            "webhook_url",
            "callback_url",
            "meetstream_secret",
            "table",
            "queue_url",
            "dlq_url",
            "commands_url",
            "bucket",
        ];
        let outputs: serde_json::Map<String, serde_json::Value> =
            outputs.into_iter().map(|name| (name.to_owned(), name.into())).collect();
        Stack::local(serde_json::from_value(outputs.into()).unwrap())
    }

    #[test]
    fn flags_lead_to_the_same_place() {
        let place = Place { stack: Some("my stack".into()), region: Some("eu-west-1".into()), ..Place::default() };
        assert_eq!(place.as_flags(), " --stack 'my stack' --region eu-west-1");
        assert_eq!(Place::default().as_flags(), "");
        let outputs = Place { outputs: Some("/x/outputs.json".into()), ..Place::default() };
        assert_eq!(outputs.as_flags(), " --outputs /x/outputs.json");
    }
}
