//! The function behind the queues, invoked directly: what must not wait behind others in a queue.

use crate::{escape, failure::Failure, stack::Stack};
use aws_sdk_lambda::{
    Client,
    error::ProvideErrorMetadata,
    operation::invoke::InvokeOutput,
    primitives::Blob,
    types::InvocationType::{self, Event, RequestResponse},
};
use shared::Command;

/// The alias that the template gives the function.
const ALIAS: &str = "live";

/// Has the function carry out a command. `Ok` means that it did.
pub(crate) async fn carry_out(stack: &Stack, command: &Command) -> Result<(), Failure> {
    let answer = invoke(&Client::new(&stack.aws.config), stack, command, RequestResponse).await?;
    check(&answer, stack, command)
}

/// Asks the function for a sweep, and does not wait for its end.
pub(crate) async fn sweep(stack: &Stack) -> Result<(), Failure> {
    invoke(&Client::new(&stack.aws.config), stack, &Command::Sweep { spool_every_minutes: None }, Event).await.map(drop)
}

async fn invoke(
    client: &Client,
    stack: &Stack,
    command: &Command,
    kind: InvocationType,
) -> Result<InvokeOutput, Failure> {
    let invoke = client.invoke().function_name(&stack.process_function).qualifier(ALIAS).invocation_type(kind);
    invoke.payload(Blob::new(command.encode())).send().await.map_err(|error| {
        let failure = stack.aws.failure(&format!("invoking the function {}", stack.process_function), &error);
        match error.code() {
            Some("TooManyRequestsException") => {
                failure.help("the account has no concurrency left: type the command again")
            }
            Some("AccessDeniedException") => {
                failure.help("these credentials need lambda:InvokeFunction on the function's alias \"live\"")
            }
            _ => failure,
        }
    })
}

fn check(answer: &InvokeOutput, stack: &Stack, command: &Command) -> Result<(), Failure> {
    if answer.function_error().is_none() {
        return Ok(());
    }
    let payload = answer.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
    let said: serde_json::Value = serde_json::from_str(&payload.unwrap_or_default()).unwrap_or_default();
    let why = said.get("errorMessage").and_then(serde_json::Value::as_str).unwrap_or("it did not say why");
    let (function, command) = (&stack.process_function, command.as_str());
    Err(Failure::new(format!("the function {function} did not carry out \"{command}\": {}", escape::text(why)))
        .help("type the command again; the function's log says more: docs/RUNBOOK.md"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack;
    use aws_sdk_lambda::{error::ErrorMetadata, operation::invoke::InvokeError};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    #[tokio::test]
    async fn a_command_goes_to_the_alias_and_only_its_own_answer_counts() {
        let stack = stack::tests::stack();
        for (function_error, expected) in [(None, true), (Some("Unhandled"), false)] {
            let rule = mock!(Client::invoke)
                .match_requests(|request| {
                    request.function_name() == Some("process_function")
                        && request.qualifier() == Some("live")
                        && request.invocation_type() == Some(&RequestResponse)
                        && request.payload().unwrap().as_ref() == br#"{"v":1,"command":"sweep"}"#
                })
                .then_output(move || {
                    let payload = Blob::new(r#"{"errorMessage":"store_unavailable"}"#);
                    InvokeOutput::builder()
                        .set_function_error(function_error.map(str::to_owned))
                        .payload(payload)
                        .build()
                });
            let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&rule]);
            let sweep = Command::Sweep { spool_every_minutes: None };
            let answer = invoke(&client, &stack, &sweep, RequestResponse).await.unwrap();
            let checked = check(&answer, &stack, &sweep);
            assert_eq!(checked.is_ok(), expected);
            if let Err(failure) = checked {
                assert!(failure.to_string().contains("store_unavailable"), "{failure}");
            }
        }
    }

    #[tokio::test]
    async fn a_function_that_cannot_be_invoked_is_told_with_the_way_out() {
        let stack = stack::tests::stack();
        for (code, way_out) in
            [("TooManyRequestsException", "again"), ("AccessDeniedException", "lambda:InvokeFunction")]
        {
            let rule = mock!(Client::invoke)
                .then_error(move || InvokeError::generic(ErrorMetadata::builder().code(code).message("no").build()));
            let client = mock_client!(aws_sdk_lambda, RuleMode::MatchAny, [&rule]);
            let told = invoke(&client, &stack, &Command::Sweep { spool_every_minutes: None }, Event)
                .await
                .unwrap_err()
                .to_string();
            assert!(told.contains(way_out) && told.contains("process_function"), "{told}");
        }
    }
}
