//! Whether bodies of all kinds arrive to the byte: authentic, and unreadable, so that they are set aside as they came.

use super::{
    Front,
    door::{meaning, said},
};
use crate::{
    bucket::{Bucket, Stored},
    doctor::finding::{Check, Finding},
    failure::Failure,
};
use jiff::Timestamp;
use shared::{bucket::Folder, hash::sha256_hex, message::MAX_WHOLE_BYTES, provider};
use simulator::delivery::Delivery;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// How long it is waited for all of them.
const PATIENCE: Duration = Duration::from_secs(60);

const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A body, and the type that it is sent under.
struct Body {
    check: Check,
    what: &'static str,
    content_type: Option<&'static str>,
    bytes: Vec<u8>,
    /// What the local AWS does not do that this body needs.
    not_locally: Option<&'static str>,
}

/// All of them. `mark` makes them differ from those of every other run.
fn all(mark: &str) -> Vec<Body> {
    let binary = |length: usize| {
        let mut bytes = vec![0; length];
        fastrand::fill(&mut bytes);
        bytes
    };
    let text = |length: usize| format!("{mark} {}", "x".repeat(length)).into_bytes();
    let not_utf8 = [mark.as_bytes(), b" \xff\xfe\x80\x00\x01 "].concat();
    let body = |check, what, content_type, bytes| Body { check, what, content_type, bytes, not_locally: None };
    let json = Some("application/json");
    let binary_type = Some("application/octet-stream");
    vec![
        body(Check::BodyNoType, "a body without a content type", None, format!("{mark} no content type").into_bytes()),
        body(
            Check::BodyForm,
            "a form",
            Some("application/x-www-form-urlencoded"),
            format!("mark={mark}&a=1+2&b=%C3%A9%2B&c=").into_bytes(),
        ),
        body(Check::BodyNotUtf8, "a body that is not UTF-8", binary_type, not_utf8.clone()),
        Body {
            not_locally: Some("pass on bytes that are not UTF-8 under the type of a text"),
            ..body(
                Check::BodyNotUtf8AsJson,
                "a body that is not UTF-8 and says that it is JSON",
                json,
                [&not_utf8[..], b"as JSON"].concat(),
            )
        },
        body(Check::Body200Kb, "a text of 200 kB", json, text(200_000)),
        body(Check::Body600Kb, "a text of 600 kB", json, text(600_000)),
        body(Check::BodyBinary, "a binary body of 4.4 MB", binary_type, binary(4_400_000)),
    ]
}

/// Sends all of them, finds each in the bucket by its SHA-256, and removes it.
pub(super) async fn check(front: &Front<'_>) -> Vec<Finding> {
    let target = match front.target(front.main) {
        Ok(target) => target,
        Err(failure) => return all("").iter().map(|body| super::could_not(body.check, &failure)).collect(),
    };
    let group = provider::peek(front.main, b"").group;
    let before = match keys(&front.bucket, &group).await {
        Ok(before) => before,
        Err(failure) => return all("").iter().map(|body| super::could_not(body.check, &failure)).collect(),
    };
    let mut findings = Vec::new();
    let mut open = Vec::new();
    for body in all(&front.run) {
        if let Some(lacks) = body.not_locally.filter(|_| front.stack.aws.is_local()) {
            findings.push(Finding::skipped(body.check, format!("the local AWS does not {lacks}")));
            continue;
        }
        let delivery = Delivery::new(&target, body.bytes.clone(), Timestamp::now());
        match front.send(&delivery, Some(body.content_type)).await {
            Ok(200) => open.push(body),
            answer => findings.push(not_taken(&body, &answer)),
        }
    }
    findings.extend(follow(&front.bucket, &group, &before, open).await);
    findings.sort_by_key(|finding| finding.check);
    findings
}

fn not_taken(body: &Body, answer: &Result<u16, String>) -> Finding {
    let (why, way_out) = match answer {
        Ok(401) => (
            "the signature is over other bytes than those that arrived",
            "something in front of the function changes bodies",
        ),
        Ok(413) => ("it is too large for Lambda, once it is encoded", "no sender that is known sends such a body"),
        Ok(status) => meaning(*status),
        Err(_) => ("no answer", "see url.config"),
    };
    let what = format!("{} is answered {}: {why}", body.what, said(answer));
    // No sender does that; whoever reads the answer learns what AWS makes of it.
    if body.check == Check::BodyNotUtf8AsJson {
        return Finding::warn(body.check, what, "no sender that is known sends such bytes under that type");
    }
    Finding::fail(body.check, what, way_out)
}

/// The keys of one group, in quarantine and among the claims.
async fn keys(bucket: &Bucket<'_>, group: &str) -> Result<BTreeSet<String>, Failure> {
    Ok(stored(bucket, group).await?.into_iter().map(|stored| stored.key).collect())
}

async fn stored(bucket: &Bucket<'_>, group: &str) -> Result<Vec<Stored>, Failure> {
    let mut stored = bucket.list(&Folder::Quarantine.prefix_of(group)).await?;
    stored.extend(bucket.list(&Folder::Claims.prefix_of(group)).await?);
    Ok(stored)
}

/// Looks for the bodies among what is new, removes each that it finds, and says what became of all.
async fn follow(bucket: &Bucket<'_>, group: &str, before: &BTreeSet<String>, mut open: Vec<Body>) -> Vec<Finding> {
    let deadline = Instant::now() + PATIENCE;
    let mut findings = Vec::new();
    let mut known = before.clone();
    let mut others = Vec::new();
    while !open.is_empty() {
        let looked = look(bucket, group, &mut known, &mut others, &mut open, &mut findings).await;
        if Instant::now() >= deadline {
            let why = looked.err().map(|failure| format!(": {}", failure.what())).unwrap_or_default();
            findings.extend(open.iter().map(|body| never_seen(body, &others, &why)));
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    findings
}

async fn look(
    bucket: &Bucket<'_>,
    group: &str,
    known: &mut BTreeSet<String>,
    others: &mut Vec<(String, u64)>,
    open: &mut Vec<Body>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let quarantine = Folder::Quarantine.prefix();
    for object in stored(bucket, group).await?.into_iter().filter(|object| object.key.starts_with(&quarantine)) {
        if !known.insert(object.key.clone()) {
            continue;
        }
        let Some(digest) = bucket.digest(&object.key).await? else { continue };
        let Some(at) = open.iter().position(|body| sha256_hex(&body.bytes) == digest.sha256) else {
            others.push((object.key, object.size_bytes));
            continue;
        };
        let body = open.remove(at);
        bucket.remove(&object.key).await?;
        findings.push(arrived(bucket, group, known, &body, &digest.sha256).await?);
    }
    Ok(())
}

/// A body that does not fit the queue is stored before anything else, and must be the same there.
async fn arrived(
    bucket: &Bucket<'_>,
    group: &str,
    known: &mut BTreeSet<String>,
    body: &Body,
    sha256: &str,
) -> Result<Finding, Failure> {
    let well = |how: &str| Finding::pass(body.check, format!("{} arrives to the byte{how}", body.what));
    if body.bytes.len() <= MAX_WHOLE_BYTES {
        return Ok(well(""));
    }
    for claim in bucket.list(&Folder::Claims.prefix_of(group)).await? {
        if known.contains(&claim.key) || claim.size_bytes != body.bytes.len() as u64 {
            continue;
        }
        if bucket.digest(&claim.key).await?.is_some_and(|digest| digest.sha256 == sha256) {
            known.insert(claim.key.clone());
            bucket.remove(&claim.key).await?;
            return Ok(well(", by way of claims/"));
        }
    }
    let what = format!("{} arrives to the byte, and is not among the claims, where it should be as well", body.what);
    Ok(Finding::warn(
        body.check,
        what,
        "the queue took more than this command expects: is it older than what is deployed?",
    ))
}

fn never_seen(body: &Body, others: &[(String, u64)], why: &str) -> Finding {
    let seconds = PATIENCE.as_secs();
    let what = match others {
        [] => format!("{} was answered 200 and is not in quarantine after {seconds} s{why}", body.what),
        [(key, size), ..] => format!(
            "{} was answered 200 and did not arrive as it was sent: {key} has {size} bytes and another checksum{why}",
            body.what
        ),
    };
    Finding::fail(body.check, what, "see events.mapping; process's log says what became of it: `make logs`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn the_bodies_are_what_their_names_say() {
        let bodies = all("doctor-1");
        let of = |check| bodies.iter().find(|body| body.check == check).unwrap();
        assert!(of(Check::BodyNoType).content_type.is_none());
        assert!(std::str::from_utf8(&of(Check::BodyNotUtf8).bytes).is_err());
        assert!(
            of(Check::Body200Kb).bytes.len() < MAX_WHOLE_BYTES && of(Check::Body600Kb).bytes.len() > MAX_WHOLE_BYTES
        );
        // Lambda takes 6 MB with everything, and base64 makes 4 bytes of 3.
        let encoded = of(Check::BodyBinary).bytes.len().div_ceil(3) * 4;
        assert!((5_800_000..6_200_000).contains(&encoded), "{encoded}");
        let different: BTreeSet<_> = bodies.iter().map(|body| sha256_hex(&body.bytes)).collect();
        assert_eq!(different.len(), bodies.len(), "each is found by its checksum");
        for body in &bodies {
            assert!(
                serde_json::from_slice::<serde_json::Value>(&body.bytes).is_err(),
                "{}: it is set aside",
                body.what
            );
        }
    }

    #[test]
    fn what_is_not_taken_or_changed_is_told() {
        let bodies = all("doctor-1");
        for body in &bodies {
            let verdict = if body.check == Check::BodyNotUtf8AsJson { Verdict::Warn } else { Verdict::Fail };
            let refused = not_taken(body, &Ok(401));
            assert_eq!(refused.verdict, verdict);
            assert!(refused.what.contains("other bytes"), "{refused:?}");
            let never = never_seen(body, &[], "");
            assert!(
                never.verdict == Verdict::Fail && never.what.contains("is not in quarantine after 60 s"),
                "{never:?}"
            );
            let changed = never_seen(body, &[("quarantine/g/1".into(), 7)], "");
            assert!(changed.what.contains("did not arrive as it was sent: quarantine/g/1 has 7 bytes"), "{changed:?}");
        }
    }
}
