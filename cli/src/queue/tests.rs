use super::*;
use crate::stack::tests::stack;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::operation::{
    change_message_visibility_batch::ChangeMessageVisibilityBatchOutput, delete_message::DeleteMessageOutput,
    get_queue_attributes::GetQueueAttributesOutput, receive_message::ReceiveMessageOutput,
    send_message::SendMessageOutput,
};
use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};

fn with<'a>(stack: &'a Stack, rule: &Rule) -> Queue<'a> {
    Queue::with(mock_client!(aws_sdk_sqs, RuleMode::MatchAny, [rule]), stack, "url", "the queue")
}

pub(crate) fn letter(id: &str) -> Letter {
    let text = |name: &str| format!("{name} of {id}");
    Letter { id: id.to_owned(), receipt: text("receipt"), body: text("body"), group: None, sent_at: None }
}

#[tokio::test]
async fn only_a_message_id_confirms_and_only_a_word_about_the_message_is_final() {
    let stack = stack();
    let sent = mock!(Client::send_message)
        .match_requests(|request| {
            request.queue_url() == Some("url")
                && request.message_body() == Some("text")
                && request.message_group_id() == Some("group")
                && request.message_deduplication_id().is_some_and(|id| id.len() > 32)
        })
        .then_output(|| SendMessageOutput::builder().message_id("m").build());
    assert_eq!(with(&stack, &sent).send("text", Some("group")).await, Ok(()));
    let plain = mock!(Client::send_message)
        .match_requests(|request| request.message_group_id().is_none() && request.message_deduplication_id().is_none())
        .then_output(|| SendMessageOutput::builder().message_id("m").build());
    assert_eq!(with(&stack, &plain).send("text", None).await, Ok(()));
    let nameless = mock!(Client::send_message).then_output(|| SendMessageOutput::builder().build());
    assert!(matches!(with(&stack, &nameless).send("text", Some("group")).await, Err(SendError::Unconfirmed(_))));
    for (status, code, is_final) in [
        (400, "InvalidMessageContents", true),
        (400, "InvalidParameterValue", true),
        (400, "QueueDoesNotExist", false),
        (403, "AccessDenied", false),
    ] {
        let refused = mock!(Client::send_message).then_http_response(move || {
            let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"no"}}"#);
            HttpResponse::new(status.try_into().unwrap(), aws_sdk_s3::primitives::SdkBody::from(body))
        });
        let error = with(&stack, &refused).send("text", Some("group")).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Refused(_)), is_final, "{code}: {error:?}");
    }
}

#[tokio::test]
async fn messages_are_received_with_group_and_time() {
    let stack = stack();
    let rule = mock!(Client::receive_message)
        .match_requests(|request| {
            request.max_number_of_messages() == Some(10)
                && request.visibility_timeout() == Some(HIDDEN_SECONDS)
                && request.wait_time_seconds() == Some(1)
        })
        .then_output(|| {
            let message = Message::builder()
                .message_id("m")
                .receipt_handle("r")
                .body("text")
                .attributes(MessageSystemAttributeName::MessageGroupId, "g")
                .attributes(MessageSystemAttributeName::SentTimestamp, "1791212102000")
                .build();
            ReceiveMessageOutput::builder().messages(message).build()
        });
    let letters = with(&stack, &rule).receive().await.unwrap();
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.id.as_str(), letter.group.as_deref(), letter.body.as_str()), ("m", Some("g"), "text"));
    assert_eq!(letter.sent_at.unwrap().as_millisecond(), 1_791_212_102_000);
}

#[tokio::test]
async fn a_message_is_deleted_by_its_receipt() {
    let stack = stack();
    let rule = mock!(Client::delete_message)
        .match_requests(|request| {
            request.queue_url() == Some("url") && request.receipt_handle() == Some("receipt of m")
        })
        .then_output(|| DeleteMessageOutput::builder().build());
    assert_eq!(with(&stack, &rule).delete(&letter("m")).await, Ok(()));
}

#[tokio::test]
async fn messages_are_given_back_in_tens() {
    let stack = stack();
    let rule = mock!(Client::change_message_visibility_batch)
        .match_requests(|request| {
            let entries = request.entries();
            let ids: std::collections::HashSet<_> = entries.iter().map(|entry| entry.id()).collect();
            entries.len() <= 10
                && ids.len() == entries.len()
                && entries.iter().all(|entry| {
                    entry.visibility_timeout() == Some(0) && entry.receipt_handle().starts_with("receipt of")
                })
        })
        .then_output(|| {
            let output = ChangeMessageVisibilityBatchOutput::builder();
            output.set_successful(Some(vec![])).set_failed(Some(vec![])).build().unwrap()
        });
    let letters: Vec<_> = (0..23).map(|n| letter(&n.to_string())).collect();
    assert_eq!(with(&stack, &rule).release(&letters).await, Ok(()));
    assert_eq!(rule.num_calls(), 3);
}

#[tokio::test]
async fn a_queue_is_counted() {
    let stack = stack();
    let rule = mock!(Client::get_queue_attributes).then_output(|| {
        GetQueueAttributesOutput::builder()
            .attributes(QueueAttributeName::ApproximateNumberOfMessages, "12")
            .attributes(QueueAttributeName::ApproximateNumberOfMessagesNotVisible, "3")
            .build()
    });
    assert_eq!(with(&stack, &rule).depth().await, Ok(Depth { visible: 12, hidden: 3 }));
}
