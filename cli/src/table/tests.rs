use super::*;
use crate::stack::tests::stack;
use aws_sdk_dynamodb::{
    operation::{batch_get_item::BatchGetItemOutput, query::QueryOutput},
    types::KeysAndAttributes,
};
use aws_smithy_mocks::{RuleMode, mock, mock_client};
use serde_json::{Value, json};
use shared::{Provider, ReceivedAt, SenderId, session::State};

const NOW: i64 = 1_791_212_102;

/// An entry.
pub(crate) fn entry(key: &str, accept_id: &str, received_at: i64, name: &str) -> Value {
    let key: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "k": format!("{key:0>32}"), "a": accept_id, "e": "session.joining", "n": name, "o": "2026-10-05T14:55:00+00:00",
        "r": received_at, "s": "meetstream",
    })
}

/// A session.
pub(crate) fn session(bot_id: &str, timeline: &[Value]) -> Value {
    json!({
        "id": { "provider": "meetstream", "id": bot_id },
        "progress": "joining",
        "first_received_at": NOW * 1000,
        "timeline": timeline,
    })
}

/// An item of a session or an entry, or with any other text for a document.
fn item(pk: &str, sk: &str, said: &Value, expires_at: i64) -> Item {
    let session = serde_json::from_value(said.clone()).map(|session| Document::of_session(&session).unwrap());
    let entry = serde_json::from_value(said.clone()).map(|entry| Document::of_line(&entry).unwrap());
    let document = session.or(entry).unwrap_or_else(|_| Document { text: said.to_string(), ids: Vec::new() });
    Item::from([
        (PK.to_owned(), AttributeValue::S(pk.to_owned())),
        (SK.to_owned(), AttributeValue::S(sk.to_owned())),
        (DOCUMENT.to_owned(), AttributeValue::S(document.text)),
        (IDS.to_owned(), AttributeValue::B(document.ids.into())),
        (VERSION.to_owned(), AttributeValue::N("7".to_owned())),
        (EXPIRES_AT.to_owned(), AttributeValue::N(expires_at.to_string())),
    ])
}

fn in_partition(sk: &str, document: &Value) -> Item {
    item("meetstream#b", sk, document, NOW + 1)
}

/// Accept ids in order, with how each delivery ended.
#[track_caller]
fn check(name: &str, items: &[Item], expected: Option<&[(&str, Disposition)]>) {
    let bot = Known::of(items, NOW).unwrap();
    let found = bot
        .as_ref()
        .map(|bot| bot.entries.iter().map(|entry| (entry.accept_id.as_str(), entry.disposition)).collect::<Vec<_>>());
    assert_eq!(found.as_deref(), expected, "{name}");
}

#[test]
fn a_bot_is_its_session_and_what_lies_beside_it() {
    use Disposition::{Applied, Duplicate, Ignored};
    let with = |key, accept_id, received_at, disposition: &str| {
        let mut entry = entry(key, accept_id, received_at, "bot.joining");
        entry["d"] = disposition.into();
        entry
    };
    let whole =
        in_partition("session", &session("b", &[entry("k1", "a1", 10, "bot.joining"), entry("k2", "a2", 30, "x")]));
    let ignored = in_partition("line#k3", &with("k3", "a3", 20, "ignored"));
    let repeated = in_partition("line#k1#a4", &with("k1", "a4", 20, "duplicate"));
    check("nothing", &[], None);
    check("a session", std::slice::from_ref(&whole), Some(&[("a1", Applied), ("a2", Applied)]));
    check("only what is ignored", std::slice::from_ref(&ignored), Some(&[("a3", Ignored)]));
    check(
        "in order of receipt",
        &[repeated, ignored.clone(), whole.clone()],
        Some(&[("a1", Applied), ("a4", Duplicate), ("a3", Ignored), ("a2", Applied)]),
    );
    check(
        "in the session and beside it, after a crash between two writes",
        &[whole.clone(), in_partition("line#k1#a1", &with("k1", "a1", 10, "duplicate"))],
        Some(&[("a1", Applied), ("a2", Applied)]),
    );
    let expired = |sk, document: &Value| item("meetstream#b", sk, document, NOW);
    check(
        "expired",
        &[expired("session", &session("b", &[])), expired("line#k3", &with("k3", "a3", 1, "ignored"))],
        None,
    );
    check("of another kind", &[in_partition("later#x", &json!({}))], None);
}

#[test]
fn an_unreadable_item_is_named() {
    let items = [in_partition("session", &json!({ "id": "\u{1b}" }))];
    let told = Known::of(&items, NOW).unwrap_err().to_string();
    assert!(told.starts_with("the item meetstream#b / session in the table cannot be read"), "{told}");
}

#[tokio::test]
async fn every_page_of_a_partition_is_read() {
    let key = || Some(Item::from([(PK.to_owned(), AttributeValue::S("meetstream#a~20b".to_owned()))]));
    let first = mock!(Client::query)
        .match_requests(|request| {
            request.table_name() == Some("table")
                && request.expression_attribute_values().unwrap()[":pk"] == AttributeValue::S("meetstream#a~20b".into())
                && request.consistent_read() == Some(true)
                && request.exclusive_start_key().is_none()
        })
        .then_output(move || {
            let item = in_partition("line#k", &entry("k", "a", 1, "x"));
            QueryOutput::builder().items(item).set_last_evaluated_key(key()).build()
        });
    let second = mock!(Client::query)
        .match_requests(|request| request.exclusive_start_key().is_some())
        .then_output(|| QueryOutput::builder().items(in_partition("session", &session("a b", &[]))).build());
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::Sequential, [&first, &second]);
    let id = SessionId::bot(Provider::MeetStream, SenderId::try_from("a b").unwrap());
    let known = known(&client, &stack(), &id, NOW).await.unwrap().unwrap();
    assert_eq!(known.session.map(|(_, version)| version), Some(7));
    assert_eq!(known.entries.len(), 1);
}

/// A table of three sessions on one day and one on the day before, that reads at most one item at a call.
#[tokio::test]
async fn recent_sessions_are_read_until_there_are_enough() {
    let pk = |bot: &str| format!("meetstream#{bot}");
    let query = mock!(Client::query)
        .match_requests(|request| request.index_name() == Some("by_first_seen"))
        .then_compute_output(move |request| {
            let on = |bots: &[&str]| {
                let keys = bots.iter().map(|bot| item(&pk(bot), "session", &json!(null), 0)).collect();
                QueryOutput::builder().set_items(Some(keys)).build()
            };
            match request.expression_attribute_values().unwrap()[":day"].as_s().unwrap().as_str() {
                "2026-10-05" => on(&["new", "expired", "middle"]),
                "2026-10-04" => on(&["old", "unreadable"]),
                _ => on(&[]),
            }
        });
    let get = mock!(Client::batch_get_item).then_compute_output(|request| {
        let mut keys = request.request_items().unwrap()["table"].keys().to_vec();
        let pk = text(&keys.pop().unwrap(), PK).unwrap().to_owned();
        let (_, bot) = pk.split_once('#').unwrap();
        let document = if bot == "unreadable" { json!({}) } else { session(bot, &[]) };
        let found = item(&pk, "session", &document, if bot == "expired" { NOW } else { NOW + 1 });
        let left = KeysAndAttributes::builder().set_keys(Some(keys.clone())).build().unwrap();
        let answer = BatchGetItemOutput::builder().responses("table", vec![found]);
        if keys.is_empty() { answer.build() } else { answer.unprocessed_keys("table", left).build() }
    });
    let client = mock_client!(aws_sdk_dynamodb, RuleMode::MatchAny, [&query, &get]);
    let list_of = async |provider, state, days, limit| {
        let now = ReceivedAt(NOW * 1000);
        let (sessions, unreadable) =
            recent(&client, &stack(), Wanted { provider, state, days, limit, ..Wanted::default() }, now).await.unwrap();
        let bots: Vec<String> = sessions.iter().map(|session| session.id().id.as_sent().to_owned()).collect();
        (bots.join(" "), unreadable.len())
    };
    let list = async |state, days, limit| list_of(None, state, days, limit).await;
    assert_eq!(list(None, 2, 50).await, ("new middle old".to_owned(), 1));
    assert_eq!(list(None, 1, 50).await, ("new middle".to_owned(), 0));
    assert_eq!(list(None, 2, 1).await, ("new".to_owned(), 0));
    assert_eq!(list(Some(State::Joining), 1, 50).await, ("new middle".to_owned(), 0));
    assert_eq!(list(Some(State::Done), 2, 50).await, (String::new(), 1));
    assert_eq!(list_of(Some(Provider::MeetStream), None, 1, 50).await.0, "new middle");
    assert_eq!(list_of(Some(Provider::MeetingBaas), None, 2, 50).await, (String::new(), 1));
}

#[test]
fn calendars_are_in_no_state() {
    let wanted = |provider, state| Wanted { provider, state, ..Wanted::default() };
    let calendar = SessionId::calendar(Provider::MeetingBaas, SenderId::try_from("c").unwrap());
    let calendar = Session::new(calendar, ReceivedAt(0));
    assert!(wanted(None, None).is(&calendar));
    assert!(wanted(Some(Provider::MeetingBaas), None).is(&calendar));
    assert!(!wanted(None, Some(State::Unknown)).is(&calendar));
    assert!(!wanted(Some(Provider::MeetStream), None).is(&calendar));
}

#[test]
fn bots_are_found_by_their_custom_attributes() {
    let mut document = session("b", &[]);
    let wanted = |name, value| Wanted { attribute: Some((name, value)), ..Wanted::default() };
    let is = |document: &Value, wanted: Wanted<'_>| wanted.is(&serde_json::from_value(document.clone()).unwrap());
    assert!(!is(&document, wanted("room", "7")));
    document["custom_attributes"] = json!(["verified", r#"{"meeting":"stand up","room":7}"#]);
    assert!(is(&document, wanted("meeting", "stand up")) && is(&document, wanted("room", "7")));
    assert!(!is(&document, wanted("meeting", "stand")) && !is(&document, wanted("other", "")));
}
