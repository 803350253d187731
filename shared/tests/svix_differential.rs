//! Our verification of Svix against the verifiers that the senders publish: the same request, the same verdict.
//!
//! Where the verdicts differ it is meant, and has its test here.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::{collection::vec, prelude::*, sample::Index};
use shared::auth::{AuthMode, Credentials, SvixKeys};
use std::time::{SystemTime, UNIX_EPOCH};

const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SVIX: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];
const STANDARD: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// A request, and the key it is checked with.
#[derive(Clone, Debug)]
struct Request {
    key: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

/// What the three verifiers say.
#[derive(PartialEq, Debug)]
struct Verdicts {
    ours: bool,
    svix: bool,
    standard: bool,
}

impl Verdicts {
    const ACCEPTED: Self = Self { ours: true, svix: true, standard: true };
    const REFUSED: Self = Self { ours: false, svix: false, standard: false };
    const OURS_ALONE: Self = Self { ours: true, svix: false, standard: false };
    const THEIRS_ALONE: Self = Self { ours: false, svix: true, standard: true };
}

impl Request {
    fn signed(names: [&'static str; 3], key: &str, id: &str, timestamp: &str, body: &[u8]) -> Self {
        // By a verifier of theirs, so that not even the signature is of our making.
        let sent = timestamp.parse().unwrap();
        let signature = svix::webhooks::Webhook::new(key).unwrap().sign(id, sent, body).unwrap();
        Self::with(names, key, [id, timestamp, &signature], body)
    }

    fn with(names: [&'static str; 3], key: &str, values: [&str; 3], body: &[u8]) -> Self {
        let headers = names.into_iter().zip(values.map(|value| value.as_bytes().to_vec())).collect();
        Self { key: key.to_owned(), headers, body: body.to_vec() }
    }

    fn verdicts(&self) -> Verdicts {
        // All three must have seen the same second.
        loop {
            let before = unix_seconds();
            let verdicts = self.verdicts_at(before);
            if unix_seconds() == before {
                return verdicts;
            }
        }
    }

    fn verdicts_at(&self, now: u64) -> Verdicts {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        let offered = Credentials { headers: &headers, path_token: None };
        let ours = SvixKeys::new(vec![self.key.clone()]).ok().flatten().map(AuthMode::Svix);
        let now = i64::try_from(now).unwrap() * 1000 + 999;
        let svix = svix::webhooks::Webhook::new(&self.key);
        let standard = standardwebhooks::Webhook::new(&self.key);
        Verdicts {
            ours: ours.is_some_and(|mode| mode.verify(offered, self.body.clone(), now).is_ok()),
            svix: svix.is_ok_and(|webhook| webhook.verify(&self.body, &headers).is_ok()),
            standard: standard.is_ok_and(|webhook| webhook.verify(&self.body, &headers).is_ok()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the verifiers that ours is compared with read the clock")]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn ago(seconds: i64) -> String {
    (i64::try_from(unix_seconds()).unwrap() - seconds).to_string()
}

#[test]
fn the_tolerance_ends_at_the_same_second() {
    for (seconds, expected) in [
        (299, Verdicts::ACCEPTED),
        (300, Verdicts::ACCEPTED),
        (301, Verdicts::REFUSED),
        (-299, Verdicts::ACCEPTED),
        (-300, Verdicts::ACCEPTED),
        (-301, Verdicts::REFUSED),
    ] {
        // Again, if a second passed between signing and checking.
        let verdicts = loop {
            let before = unix_seconds();
            let verdicts = Request::signed(STANDARD, KEY, "msg_1", &ago(seconds), b"{}").verdicts();
            if unix_seconds() == before {
                break verdicts;
            }
        };
        assert_eq!(verdicts, expected, "{seconds} s ago");
    }
}

#[test]
fn a_body_that_is_no_text_is_verified_like_any_other() {
    let (body, sent) = (b"{\"a\":\"\xff\"}", ago(0));
    let signature = {
        use hmac::{Hmac, KeyInit, Mac};
        let key = BASE64_STANDARD.decode(KEY.strip_prefix("whsec_").unwrap()).unwrap();
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
        let mac = mac.chain_update(format!("msg_1.{sent}.")).chain_update(body).finalize();
        format!("v1,{}", BASE64_STANDARD.encode(mac.into_bytes()))
    };
    let request = Request::with(STANDARD, KEY, ["msg_1", &sent, &signature], body);
    assert_eq!(request.verdicts(), Verdicts::OURS_ALONE, "theirs take texts only");
}

#[test]
fn surrounding_whitespace_is_no_reason_to_refuse() {
    let sent = ago(0);
    let plain = Request::signed(STANDARD, KEY, "msg_1", &sent, b"{}");
    assert_eq!(plain.verdicts(), Verdicts::ACCEPTED);
    for (header, name) in [(0, "the id"), (1, "the time")] {
        let mut padded = plain.clone();
        padded.headers[header].1.insert(0, b' ');
        assert_eq!(padded.verdicts(), Verdicts::OURS_ALONE, "{name}: HTTP itself would have trimmed it");
    }
    let mut padded = plain;
    padded.headers[2].1.insert(0, b' ');
    assert_eq!(padded.verdicts(), Verdicts::ACCEPTED, "theirs pass over an empty entry");
}

#[test]
fn the_text_of_the_time_is_what_is_signed() {
    let sent = ago(0);
    for respelt in [format!("0{sent}"), format!("+{sent}")] {
        let mut request = Request::signed(STANDARD, KEY, "msg_1", &sent, b"{}");
        request.headers[1].1 = respelt.clone().into_bytes();
        assert_eq!(request.verdicts(), Verdicts::THEIRS_ALONE, "{respelt}: theirs sign the number they read");
    }
}

#[test]
fn an_id_must_identify() {
    let request = Request::signed(STANDARD, KEY, "", &ago(0), b"{}");
    assert_eq!(request.verdicts(), Verdicts::THEIRS_ALONE, "every delivery without one would be the same delivery");
}

#[test]
fn keys_are_read_more_kindly_but_never_empty() {
    let sent = ago(0);
    let mut request = Request::signed(STANDARD, "whsec_AQI=", "msg_1", &sent, b"{}");
    assert_eq!(request.verdicts(), Verdicts::ACCEPTED);
    request.key = "AQI=".to_owned();
    assert_eq!(request.verdicts(), Verdicts::ACCEPTED, "without the prefix");
    request.key = "whsec_AQI".to_owned();
    let expected = Verdicts { ours: true, svix: true, standard: false };
    assert_eq!(request.verdicts(), expected, "without padding, as some dashboards show them");
    request.key = " whsec_AQI=\n".to_owned();
    assert_eq!(request.verdicts(), Verdicts::OURS_ALONE, "with whitespace from a clipboard");
    let signature = standardwebhooks::Webhook::new("whsec_").unwrap().sign("msg_1", sent.parse().unwrap(), b"{}");
    let request = Request::with(STANDARD, "whsec_", ["msg_1", &sent, &signature.unwrap()], b"{}");
    assert_eq!(request.verdicts(), Verdicts::THEIRS_ALONE, "a key that everybody knows");
}

#[test]
fn the_names_of_svix_are_read_first() {
    let sent = ago(0);
    let svix = Request::signed(SVIX, KEY, "msg_1", &sent, b"{}");
    let theirs_by_names = Verdicts { ours: true, svix: true, standard: false };
    assert_eq!(svix.verdicts(), theirs_by_names, "Standard Webhooks has names of its own alone");
    let mut both = svix;
    both.headers.extend(Request::with(STANDARD, KEY, ["msg_2", "1", "v1,AAAA"], b"").headers);
    assert_eq!(both.verdicts(), theirs_by_names);
    let mut both = Request::signed(STANDARD, KEY, "msg_1", &sent, b"{}");
    both.headers.extend(Request::with(SVIX, KEY, ["msg_2", &sent, "v1,AAAA"], b"").headers);
    assert_eq!(both.verdicts(), Verdicts { ours: false, svix: false, standard: true });
}

/// What happens to a request between sender and receiver, or in a forger's hands.
#[derive(Clone, Debug)]
enum Change {
    Body(Index, u8),
    Header(usize, Index, u8),
    Cut(usize, Index),
    Drop(usize),
    Empty(usize),
    Key(Index, u8),
    Decoys(Vec<String>, Vec<String>),
    Version(String),
    Time(i64),
    Joined(String),
}

fn change() -> impl Strategy<Value = Change> {
    let decoys = || {
        let decoy = prop_oneof![
            Just(String::new()),
            Just("v1,".to_owned()),
            Just("v1".to_owned()),
            Just("v1,%%".to_owned()),
            Just("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
            "v[0-9]a?,[A-Za-z0-9+/]{0,44}=?",
        ];
        vec(decoy, 0..4)
    };
    prop_oneof![
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Body(at, bit)),
        (0..3_usize, any::<Index>(), 0..7_u8).prop_map(|(header, at, bit)| Change::Header(header, at, bit)),
        (0..3_usize, any::<Index>()).prop_map(|(header, at)| Change::Cut(header, at)),
        (0..3_usize).prop_map(Change::Drop),
        (1..3_usize).prop_map(Change::Empty),
        (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Key(at, bit)),
        (decoys(), decoys()).prop_map(|(before, after)| Change::Decoys(before, after)),
        "v[0-9]?[a-z]?|V1|".prop_map(Change::Version),
        prop_oneof![-5..5_i64, Just(i64::MAX), -2_000_000_000..2_000_000_000_i64].prop_map(Change::Time),
        "[,;: ]{1,2}".prop_map(Change::Joined),
    ]
}

impl Change {
    fn apply(self, request: &mut Request) {
        match self {
            Self::Body(at, bit) => flip(&mut request.body, at, bit),
            Self::Header(header, at, bit) => flip(&mut request.headers[header].1, at, bit),
            Self::Cut(header, at) => {
                let value = &mut request.headers[header].1;
                value.truncate(at.index(value.len() + 1));
            }
            Self::Drop(header) => request.headers[header].0 = "x-dropped",
            Self::Empty(header) => request.headers[header].1.clear(),
            Self::Key(at, bit) => {
                let mut key = BASE64_STANDARD.decode(request.key.strip_prefix("whsec_").unwrap()).unwrap();
                flip(&mut key, at, bit);
                request.key = format!("whsec_{}", BASE64_STANDARD.encode(key));
            }
            Self::Decoys(before, after) => {
                request.signature(|good| [before.join(" "), good.to_owned(), after.join(" ")].join(" "))
            }
            Self::Version(version) => request.signature(|good| good.replacen("v1", &version, 1)),
            Self::Time(by) => {
                let sent: i64 = String::from_utf8_lossy(&request.headers[1].1).parse().unwrap_or_default();
                request.headers[1].1 = sent.saturating_add(by).to_string().into_bytes();
            }
            Self::Joined(by) => request.signature(|good| format!("{good}{by}{good}")),
        }
    }
}

impl Request {
    fn signature(&mut self, change: impl FnOnce(&str) -> String) {
        let changed = change(&String::from_utf8_lossy(&self.headers[2].1));
        self.headers[2].1 = changed.into_bytes();
    }

    /// Whether one of the differences that are meant, and tested above, could decide.
    fn is_of_the_intended_differences(&self) -> bool {
        let [id, timestamp, _] = [0, 1, 2].map(|header| self.headers[header].1.as_slice());
        let padded = |value: &[u8]| value.trim_ascii() != value;
        let is_the_number = |text: &[u8]| {
            let text = String::from_utf8_lossy(text);
            text.parse::<i64>().is_ok_and(|number| number >= 0 && number.to_string() == text)
        };
        // A time that no verifier reads decides nothing, and one below 0 has one of theirs overflow.
        let respelt = std::str::from_utf8(timestamp).is_ok_and(|text| text.parse::<i64>().is_ok());
        std::str::from_utf8(&self.body).is_err()
            || padded(id)
            || padded(timestamp)
            || id.is_empty()
            || (respelt && !is_the_number(timestamp))
            || self.headers.iter().any(|(_, value)| HeaderValue::from_bytes(value).is_err())
    }
}

fn flip(bytes: &mut [u8], at: Index, bit: u8) {
    if !bytes.is_empty() {
        bytes[at.index(bytes.len())] ^= 1 << bit;
    }
}

fn genuine(names: [&'static str; 3]) -> impl Strategy<Value = Request> {
    // Well inside the tolerance, well outside it, or anywhere.
    let age =
        prop_oneof![5 => -290..290_i64, 1 => 310..100_000_i64, 1 => -100_000..-310_i64, 1 => 0..1_700_000_000_i64];
    let text = prop_oneof!["\\PC{0,200}", Just(String::new()), "[ -~\r\n\t]{0,200}"];
    (vec(any::<u8>(), 1..80), "[!-~]([ -~]{0,80}[!-~])?", age, text).prop_map(move |(key, id, age, body)| {
        let key = format!("whsec_{}", BASE64_STANDARD.encode(key));
        Request::signed(names, &key, &id, &ago(age), body.as_bytes())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn standard_webhooks_are_judged_like_both_judge_them(request in genuine(STANDARD), changes in vec(change(), 0..3)) {
        let mut request = request;
        changes.into_iter().for_each(|change| change.apply(&mut request));
        prop_assume!(!request.is_of_the_intended_differences());
        let verdicts = request.verdicts();
        prop_assert_eq!((verdicts.svix, verdicts.standard), (verdicts.ours, verdicts.ours), "{:?}", request);
    }

    #[test]
    fn svix_webhooks_are_judged_like_svix_judges_them(request in genuine(SVIX), changes in vec(change(), 0..3)) {
        let mut request = request;
        changes.into_iter().for_each(|change| change.apply(&mut request));
        prop_assume!(!request.is_of_the_intended_differences());
        let verdicts = request.verdicts();
        prop_assert_eq!(verdicts.svix, verdicts.ours, "{:?}", request);
    }

    #[test]
    fn any_texts_in_the_headers_are_judged_alike(
        id in "[!-~]([ -~]{0,20}[!-~])?", time in "[0-9]{1,25}|[ -~]{0,20}", signature in "(v1,?|[ -~]){0,40}", body in "\\PC{0,40}",
    ) {
        let request = Request::with(STANDARD, KEY, [&id, &time, &signature], body.as_bytes());
        prop_assume!(!request.is_of_the_intended_differences());
        prop_assert_eq!(request.verdicts(), Verdicts::REFUSED);
    }

    #[test]
    fn what_is_genuine_and_near_is_accepted_by_all(
        key in vec(any::<u8>(), 1..80), id in "[!-~]([ -~]{0,80}[!-~])?", age in -290..290_i64, body in "\\PC{0,200}",
    ) {
        let key = format!("whsec_{}", BASE64_STANDARD.encode(key));
        let request = Request::signed(STANDARD, &key, &id, &ago(age), body.as_bytes());
        prop_assert_eq!(request.verdicts(), Verdicts::ACCEPTED);
    }
}
