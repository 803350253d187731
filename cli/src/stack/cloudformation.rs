//! A stack on AWS, as its outputs describe it.

use super::aws::Aws;
use crate::{escape, failure::Failure};
use aws_sdk_cloudformation::{Client, error::ProvideErrorMetadata};
use std::collections::HashMap;

/// The outputs of a stack on AWS.
pub(super) struct StackOutputs {
    /// The stack and where it is, for failures.
    shown: String,
    values: HashMap<String, String>,
}

impl StackOutputs {
    pub(super) async fn read(aws: &Aws, name: &str) -> Result<Self, Failure> {
        let shown = escape::text(name);
        let described = Client::new(&aws.config).describe_stacks().stack_name(name).send().await.map_err(|error| {
            let is_missing = error.code() == Some("ValidationError")
                && error.message().is_some_and(|message| message.contains("does not exist"));
            if is_missing {
                Failure::not_found(format!("there is no stack \"{shown}\" on {}", aws.name))
                    .help("check --region and --profile; `make deploy` creates the stack")
            } else {
                aws.failure("describing the CloudFormation stack", &error)
            }
        })?;
        let stack = described.stacks.unwrap_or_default().into_iter().next();
        let outputs = stack.and_then(|stack| stack.outputs).unwrap_or_default().into_iter();
        let values = outputs.filter_map(|output| Some((output.output_key?, output.output_value?))).collect();
        Ok(Self { shown: format!("the stack \"{shown}\" on {}", aws.name), values })
    }

    /// Takes one of them.
    pub(super) fn take(&mut self, key: &str) -> Result<String, Failure> {
        self.values.remove(key).ok_or_else(|| {
            Failure::new(format!("{} has no output {key}", self.shown))
                .help("it is not a stack of Rollcall, its deployment is not finished, or it is older than this command")
        })
    }
}
