//! A stack on AWS, as its outputs describe it.

use super::{Aws, Secrets, Stack};
use crate::{escape, failure::Failure};
use aws_sdk_cloudformation::{Client, error::ProvideErrorMetadata};
use std::collections::HashMap;

pub(super) async fn stack(aws: Aws, name: &str) -> Result<Stack, Failure> {
    let shown = escape::text(name);
    let described = Client::new(&aws.config).describe_stacks().stack_name(name).send().await.map_err(|error| {
        let is_missing = error.code() == Some("ValidationError")
            && error.message().is_some_and(|message| message.contains("does not exist"));
        if is_missing {
            Failure::not_found(format!("there is no stack \"{shown}\" on {}", aws.name))
                .help("is it the right --region and --profile? `make deploy` creates it")
        } else {
            aws.failure("describing the CloudFormation stack", &error)
        }
    })?;
    let outputs = described.stacks().first().map(|stack| stack.outputs()).unwrap_or_default();
    let mut outputs: HashMap<&str, &str> =
        outputs.iter().filter_map(|output| Some((output.output_key()?, output.output_value()?))).collect();
    let mut output = |key: &str| {
        outputs.remove(key).map(str::to_owned).ok_or_else(|| {
            Failure::new(format!("the stack \"{shown}\" on {} has no output {key}", aws.name))
                .help("it is no Rollcall stack, its deployment is not finished, or it is older than this command")
        })
    };
    Ok(Stack {
        name: name.to_owned(),
        function_url: aws.reachable(&output("FunctionUrl")?),
        webhook_url: aws.reachable(&output("MeetStreamWebhookUrl")?),
        queue_url: output("EventsQueueUrl")?,
        dlq_url: output("EventsDeadLetterQueueUrl")?,
        commands_url: output("CommandsQueueUrl")?,
        commands_dlq_url: output("CommandsDeadLetterQueueUrl")?,
        table: output("TableName")?,
        bucket: output("BucketName")?,
        process_function: output("ProcessFunctionName")?,
        api_port: None,
        secrets: Secrets::Stored { name: output("SecretName")? },
        aws,
    })
}
