//! Deliveries as commands for a shell.

use crate::escape;
use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use simulator::delivery::{Delivery, Method};

/// The longest body that goes into a curl command as it is; arguments of commands are bounded.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// The request as a command for a shell, with its secrets.
pub fn curl(delivery: &Delivery) -> String {
    let headers = delivery
        .headers()
        .iter()
        .map(|(name, value)| format!(" -H {}", escape::shell(&format!("{name}: {value}"))))
        .collect::<String>();
    let method = if delivery.method() == Method::Post { "" } else { "-X PUT " };
    let curl = format!("curl -i {method}{}{headers}", escape::shell(&delivery.url().0));
    match std::str::from_utf8(delivery.body()) {
        // A leading @ would be read as the name of a file.
        Ok(text) if escape::is_harmless(text) && !text.starts_with('@') && text.len() <= MAX_INLINE_BYTES => {
            format!("{curl} --data-binary {}", escape::shell(text))
        }
        _ => format!("printf %s {} | base64 -d | {curl} --data-binary @-", BASE64.encode(delivery.body())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Endpoint;
    use simulator::{
        delivery::{Secret, Target},
        receiver::{CREDENTIAL, NOW, target},
    };

    fn delivery(target: &Target, body: &[u8]) -> Delivery {
        Delivery::new(target, body.to_vec(), NOW.parse().unwrap())
    }

    #[track_caller]
    fn check(name: &str, body: &[u8], end: &str) {
        let curl = curl(&delivery(&target(Endpoint::MeetStreamCallback), body));
        assert!(curl.ends_with(end), "{name}: {curl}");
    }

    #[test]
    fn curl_gets_the_very_bytes() {
        check("JSON", br#"{"a":"b c"}"#, r#" --data-binary '{"a":"b c"}'"#);
        check("an apostrophe", b"{\"a\":\"it's\"}", r#" --data-binary '{"a":"it'\''s"}'"#);
        check("not a file", b"@x", " --data-binary @-");
        check("line breaks", b"{\n}", " --data-binary @-");
        let piped = curl(&delivery(&target(Endpoint::MeetStreamCallback), b"\xff\0"));
        assert!(piped.starts_with("printf %s /wA= | base64 -d | curl -i https://host/"), "{piped}");
        let signed = Secret("https://host/webhooks/meetstream".to_owned());
        let signed = Target::new(Endpoint::MeetStream, signed, Secret("s3cret".to_owned())).unwrap();
        assert_eq!(
            curl(&delivery(&signed, b"{}")),
            "curl -i https://host/webhooks/meetstream -H 'Content-Type: application/json' \
             -H 'X-MeetStream-Signature: sha256=adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b' \
             -H 'X-MeetStream-Timestamp: 2026-10-05T14:55:02.900000+00:00' --data-binary '{}'"
        );
        assert_eq!(
            curl(&delivery(&target(Endpoint::MeetingBaasCallback).by(Method::Put), b"{}")),
            format!(
                "curl -i -X PUT https://host/webhooks/meetingbaas/callback -H 'Content-Type: application/json' \
                 -H 'x-mb-secret: {CREDENTIAL}' --data-binary '{{}}'"
            )
        );
    }
}
