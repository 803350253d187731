use super::*;
use crate::replay::tests::{GROUP, delivery, large, metadata_of};
use shared::{
    bucket::{beside_a_record, metadata},
    message::MAX_WHOLE_BYTES,
};
use std::collections::HashMap;

fn restored(metadata: &HashMap<String, String>, bytes: &[u8]) -> Result<Content, Refusal> {
    Content::of_object(|name| metadata.get(name).cloned(), bytes.to_vec())
}

fn with_form(form: &str) -> HashMap<String, String> {
    HashMap::from([(metadata::FORM.to_owned(), form.to_owned())])
}

#[track_caller]
fn check(name: &str, metadata: &HashMap<String, String>, bytes: &[u8], expected: &Result<&QueueMessage, Refusal>) {
    let opened = restored(metadata, bytes).and_then(|content| content.open(None));
    assert_eq!(&opened.as_ref().map(Opened::message).map_err(Clone::clone), expected, "{name}");
}

#[test]
fn what_was_kept_is_understood_or_refused_by_name() {
    let message = delivery("accepted", b"{}");
    let whole = metadata_of(&beside_a_delivery(message.head()));
    check("a delivery", &whole, b"{}", &Ok(&message));
    check("its record", &with_form("record"), message.encode().as_bytes(), &Ok(&message));
    let beside = metadata_of(&beside_a_record(message.head()));
    check("its record with its head beside it", &beside, message.encode().as_bytes(), &Ok(&message));
    check("a stranger's record", &with_form("record"), b"hello", &Err(Refusal::Foreign));
    check("a newer record", &with_form("record"), br#"{"v":9,"news":1}"#, &Err(Refusal::Version(9)));
    check("not text", &with_form("record"), b"\xff", &Err(Refusal::Restore(RestoreError::NotText)));
    let nameless = Refusal::Restore(RestoreError::Metadata(metadata::FORM));
    check("no metadata", &HashMap::new(), b"{}", &Err(nameless));
    let mut headless = whole;
    headless.remove(metadata::ENDPOINT);
    let without_endpoint = Refusal::Restore(RestoreError::Metadata(metadata::ENDPOINT));
    check("no endpoint", &headless, b"{}", &Err(without_endpoint));
}

#[test]
fn a_claim_without_its_very_body_is_refused_and_says_where_it_looked() {
    let message = large("accepted");
    let claim = message.pack(GROUP, None).claim.unwrap();
    let content = || Content::of_record(message.pack(GROUP, None).text).unwrap();
    assert_eq!(content().claimed_key(), Some(claim.key()));
    for (found, error) in [(None, ClaimError::Missing), (Some(b"another".to_vec()), ClaimError::Altered)] {
        let refusal = content().open(found).unwrap_err();
        assert_eq!(refusal, Refusal::Claim { error, key: claim.key() });
        assert!(refusal.to_string().contains(&claim.key()), "{refusal}");
    }
    let opened = content().open(Some(message.body().to_vec())).unwrap();
    assert_eq!(opened.message(), &message);
}

#[test]
fn a_body_goes_back_whole_or_with_its_claim_and_says_the_same() {
    let bot = br#"{"bot_id":"b","event":"bot.joining"}"#;
    for (name, body) in [("small", bot.to_vec()), ("large", [bot.as_slice(), &vec![b' '; MAX_WHOLE_BYTES]].concat())] {
        let message = delivery("accepted", &body);
        let metadata = metadata_of(&beside_a_delivery(message.head()));
        let returning = restored(&metadata, &body).unwrap().open(None).unwrap().returning("kept in another group");
        let session = provider::peek_message(&message).session.unwrap();
        assert_eq!(
            (&returning.group, &returning.session),
            (&session.group(), &Some(session)),
            "{name}: its bot's group"
        );
        let back = match QueueMessage::decode(&returning.text).unwrap() {
            Carried::Whole(back) => back,
            Carried::Claimed(claim) => {
                let stored = returning.claimed.as_ref().filter(|stored| stored.key == claim.key()).unwrap();
                assert_eq!(metadata_of(&stored.metadata), metadata, "{name}");
                claim.redeem(Some(stored.bytes.clone())).unwrap()
            }
        };
        assert_eq!(back, message, "{name}: accept id, endpoint, times and bytes are as they were");
        assert_eq!(returning.claimed.is_some(), name == "large");
    }
}

#[test]
fn a_record_goes_back_as_it_is_and_its_body_is_stored_for_another_journey() {
    let message = large("accepted");
    let text = message.pack(GROUP, None).text;
    let opened = Content::of_record(text.clone()).unwrap().open(Some(message.body().to_vec())).unwrap();
    let returning = opened.returning(GROUP);
    assert_eq!((returning.text, returning.group.as_str(), returning.session), (text, GROUP, None));
    let claimed = returning.claimed.unwrap();
    assert_eq!((claimed.key, claimed.bytes), (message.pack(GROUP, None).claim.unwrap().key(), message.body().to_vec()));
}
