use super::*;
use crate::auth::{AuthMode, Credentials};
use proptest::prelude::*;

const NEW: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcY";
const OLD: &str = "whsec_ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5y";
const STRANGER: &str = "whsec_PiPoFgA5WUoziU9lZOGxNIu9egCI1CxK";
const ID: &str = "msg_2nA0testSharedPlain0000001";
const BODY: &[u8] = br#"{"event":"bot.failed"}"#;
/// 2026-10-05T14:55:02.900Z.
const NOW: i64 = 1_791_212_102_900;
const TIME: &str = "1791212102";

fn sign(key: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = KEY_BASE64.decode(key.strip_prefix(KEY_PREFIX).unwrap()).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    let mac = mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn verify(headers: &[(&'static str, &str)], body: &[u8], now: i64) -> Result<String, AuthError> {
    let mode = AuthMode::Svix(SvixKeys::new(vec![NEW.into(), OLD.into()]).unwrap().unwrap());
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let verified = mode.verify(Credentials { headers: &headers, path_token: None }, body.to_vec(), now)?;
    assert_eq!(verified.bytes(), body);
    Ok(verified.delivery_id().unwrap().as_str().to_owned())
}

#[track_caller]
fn check(name: &str, [id, timestamp, signature]: [&str; 3], expected: Result<(), AuthError>) {
    let headers = [("Svix-Id", id), ("svix-timestamp", timestamp), ("svix-signature", signature)];
    assert_eq!(verify(&headers, BODY, NOW), expected.map(|()| id.trim().to_owned()), "{name}");
}

#[test]
fn what_a_key_signed_is_accepted() {
    let good = sign(NEW, ID, TIME, BODY);
    let decoy = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    check("plain", [ID, TIME, &good], Ok(()));
    check("by the key that is being retired", [ID, TIME, &sign(OLD, ID, TIME, BODY)], Ok(()));
    check("after a decoy", [ID, TIME, &format!("{decoy} {good}")], Ok(()));
    check("before a decoy", [ID, TIME, &format!("{good} {decoy}")], Ok(()));
    check("beside other versions", [ID, TIME, &format!("v1a,{} v2,x {good}", &good[3..])], Ok(()));
    check("beside rubbish", [ID, TIME, &format!("  v1,%% , v1 {good} ")], Ok(()));
    let unbranded = [("Webhook-Id", ID), ("webhook-timestamp", TIME), ("webhook-signature", good.as_str())];
    assert_eq!(verify(&unbranded, BODY, NOW), Ok(ID.to_owned()), "Standard Webhooks names");
}

#[test]
fn a_key_or_a_signature_that_is_listed_twice_is_accepted() {
    let good = sign(NEW, ID, TIME, BODY);
    check("the same signature twice", [ID, TIME, &format!("{good} {good}")], Ok(()));
    let keys = SvixKeys::new(vec![NEW.into(), NEW.into()]).unwrap().unwrap();
    let headers = [("svix-id", ID), ("svix-timestamp", TIME), ("svix-signature", &good)];
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    assert_eq!(keys.check(&headers, BODY, NOW).unwrap().as_str(), ID);
}

std::thread_local! {
    /// How often this thread hashed a whole body.
    pub(super) static BODIES_SIGNED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[test]
fn a_stranger_cannot_have_a_body_hashed_more_often_than_there_are_keys() {
    let before = BODIES_SIGNED.get();
    let decoy = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ";
    check("hundreds of signatures", [ID, TIME, &decoy.repeat(200)], Err(AuthError::Mismatch));
    check("thousands of empty ones", [ID, TIME, &"v1, ".repeat(2000)], Err(AuthError::Mismatch));
    assert_eq!(BODIES_SIGNED.get() - before, 2 * 2, "two requests, two keys");
}

#[test]
fn everything_else_is_refused() {
    let good = sign(NEW, ID, TIME, BODY);
    let body_only = {
        let mac = Hmac::<Sha256>::new_from_slice(&KEY_BASE64.decode(&NEW[6..]).unwrap()).unwrap().chain_update(BODY);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    };
    check("by a stranger's key", [ID, TIME, &sign(STRANGER, ID, TIME, BODY)], Err(AuthError::Mismatch));
    check("of another body", [ID, TIME, &sign(NEW, ID, TIME, b"{}")], Err(AuthError::Mismatch));
    check("of the body alone", [ID, TIME, &body_only], Err(AuthError::Mismatch));
    check("under another id", ["msg_other", TIME, &good], Err(AuthError::Mismatch));
    check("under another time", [ID, "1791212103", &good], Err(AuthError::Mismatch));
    check("under the same time, spelt otherwise", [ID, "01791212102", &good], Err(AuthError::Mismatch));
    check("truncated", [ID, TIME, &good[..35]], Err(AuthError::Mismatch));
    check("without a version", [ID, TIME, &good[3..]], Err(AuthError::Malformed));
    check("under another version", [ID, TIME, &good.replace("v1,", "v1a,")], Err(AuthError::Malformed));
    check("separated by commas", [ID, TIME, &format!("{good},{good}")], Err(AuthError::Malformed));
    check("empty", [ID, TIME, ""], Err(AuthError::Malformed));
    check("an empty signature", [ID, TIME, "v1,"], Err(AuthError::Mismatch));
    check("no id", ["", TIME, &sign(NEW, "", TIME, BODY)], Err(AuthError::Malformed));
    let all = [("svix-id", ID), ("svix-timestamp", TIME), ("svix-signature", good.as_str())];
    for missing in 0..3 {
        let some: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, h)| *h).collect();
        assert_eq!(verify(&some, BODY, NOW), Err(AuthError::MissingHeader), "{}", all[missing].0);
    }
}

#[test]
fn the_signed_time_must_be_near_ours() {
    let at = |timestamp: &str, expected| {
        check(timestamp, [ID, timestamp, &sign(NEW, ID, timestamp, BODY)], expected);
    };
    at("1791211802", Ok(()));
    at("1791211801", Err(AuthError::Expired));
    at("1791212402", Ok(()));
    at("1791212403", Err(AuthError::Expired));
    at("0", Err(AuthError::Expired));
    at("9223372036854775807", Err(AuthError::Expired));
    at("9223372036854775808", Err(AuthError::Malformed));
    at("-9223372036854775808", Err(AuthError::Malformed));
    for odd in ["", "+1791212102", "1791212102.9", "2026-10-05T14:55:02Z", "١٧٩١"] {
        let headers = [("svix-id", ID), ("svix-timestamp", odd), ("svix-signature", "v1,AAAA")];
        assert_eq!(verify(&headers, BODY, NOW), Err(AuthError::Malformed), "{odd}");
    }
    let headers = |timestamp| [("svix-id", ID), ("svix-timestamp", timestamp), ("svix-signature", "v1,AAAA")];
    for clock in [i64::MIN, i64::MAX] {
        assert_eq!(verify(&headers("9223372036854775807"), BODY, clock), Err(AuthError::Expired), "{clock}");
    }
}

#[test]
fn keys_are_read_as_the_dashboard_shows_them() {
    let keys = |keys: &[&str]| SvixKeys::new(keys.iter().map(|key| (*key).to_owned()).collect()).map(|k| k.is_some());
    assert_eq!(keys(&[]), Ok(false), "no key is no endpoint");
    assert_eq!(keys(&[NEW, &NEW[6..]]), Ok(true), "with the prefix and without");
    assert_eq!(keys(&["whsec_AQI", "whsec_AQI="]), Ok(true), "with padding and without");
    for malformed in ["", "whsec_", "whsec_%%%", "whsec_AQIDBA UG", "whsk_AQID", "A"] {
        assert_eq!(keys(&[NEW, malformed]), Err(MalformedKey), "{malformed}");
    }
}

#[test]
fn keys_are_never_printed() {
    let shown = format!("{:?}", SvixKeys::new(vec![NEW.into()]).unwrap());
    assert!(!shown.contains("AQID") && !shown.contains("1, 2, 3"), "{shown}");
}

#[test]
fn an_endless_id_is_bounded() {
    let id = "m".repeat(5000);
    let signature = sign(NEW, &id, TIME, BODY);
    let headers = [("svix-id", id.as_str()), ("svix-timestamp", TIME), ("svix-signature", signature.as_str())];
    assert_eq!(verify(&headers, BODY, NOW), Ok(crate::hash::sha256_hex(id.as_bytes())));
}

proptest! {
    #[test]
    fn what_the_key_signed_is_accepted_and_nothing_one_bit_away(
        body in proptest::collection::vec(any::<u8>(), 1..200), bit in any::<proptest::sample::Index>(),
        id in "[!-~]{1,60}",
    ) {
        let signature = sign(NEW, &id, TIME, &body);
        let with = |id: &str, signature: &str, body: &[u8]| {
            verify(&[("svix-id", id), ("svix-timestamp", TIME), ("svix-signature", signature)], body, NOW)
        };
        prop_assert_eq!(with(&id, &signature, &body), Ok(id.clone()));

        let mut other_body = body.clone();
        let at = bit.index(body.len() * 8);
        other_body[at / 8] ^= 1 << (at % 8);
        prop_assert_eq!(with(&id, &signature, &other_body), Err(AuthError::Mismatch));

        let mut other = BASE64_STANDARD.decode(&signature[3..]).unwrap();
        let at = bit.index(other.len() * 8);
        other[at / 8] ^= 1 << (at % 8);
        let other = format!("v1,{}", BASE64_STANDARD.encode(other));
        prop_assert_eq!(with(&id, &other, &body), Err(AuthError::Mismatch));

        prop_assert_eq!(with(&format!("{id}x"), &signature, &body), Err(AuthError::Mismatch));
    }

    #[test]
    fn no_header_makes_it_panic(id in "\\PC{0,40}", time in "\\PC{0,30}|[0-9]{0,25}", signature in "\\PC{0,80}", now: i64) {
        let header = |text: &str| http::HeaderValue::from_bytes(text.as_bytes()).unwrap_or(http::HeaderValue::from_static(""));
        let headers = HeaderMap::from_iter([
            ("svix-id".parse().unwrap(), header(&id)),
            ("svix-timestamp".parse().unwrap(), header(&time)),
            ("svix-signature".parse().unwrap(), header(&signature)),
        ]);
        let keys = SvixKeys::new(vec![NEW.into()]).unwrap().unwrap();
        let verdict = keys.check(&headers, b"[]", now);
        prop_assert!(verdict.is_err());
    }
}
