use super::*;
use crate::replay::tests::{GROUP, delivery};
use shared::{Provider, SenderId};

fn letter(body: &str, group: &str) -> Letter {
    let (id, receipt) = ("message-1".to_owned(), "receipt".to_owned());
    Letter { id, receipt, body: body.to_owned(), group: Some(group.to_owned()), sent_at: None }
}

#[test]
fn dead_letters_are_asked_for_by_message_id_or_accept_id() {
    let letter = letter(&delivery("accept-1", b"{}").encode(), GROUP);
    assert!(is_asked_for(&letter, "message-1") && is_asked_for(&letter, "accept-1"));
    assert!(!is_asked_for(&letter, "accept-2") && !is_asked_for(&letter, ""));
}

#[test]
fn a_bots_dead_letters_are_those_of_its_group() {
    let bot = |id: &str| SessionId::bot(Provider::MeetStream, SenderId::try_from(id).unwrap());
    let unverified = letter("", &group::in_queue(&bot("b").group(), shared::trust::Trust::Unverified));
    assert!(is_of(&unverified, Some(&bot("b"))) && !is_of(&unverified, Some(&bot("c"))), "unverified ones too");
    let letter = letter("", &bot("b").group());
    assert!(is_of(&letter, None) && is_of(&letter, Some(&bot("b"))));
    assert!(!is_of(&letter, Some(&bot("c"))));
}

#[test]
fn commands_are_about_no_bot() {
    let whose = Whose { bot: Some(vec!["meetstream".to_owned(), "b".to_owned()]), ..Whose::default() };
    assert!(Of::Deliveries.session(&whose).unwrap().is_some());
    assert!(Of::Commands.session(&whose).is_err());
    assert_eq!(Of::Commands.session(&Whose::default()), Ok(None));
}
