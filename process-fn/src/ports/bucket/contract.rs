//! What every bucket must do. Run over the bucket in memory here, and over real ones in `e2e`.
#![expect(clippy::expect_used, reason = "a test suite, compiled for tests only")]

use super::{Bucket, Object};
use shared::hash::sha256_hex;

/// Runs the whole suite, on objects below `prefix`, which ends in a slash. `now` is in seconds since the Unix epoch.
///
/// # Panics
/// If the bucket breaks the contract.
pub async fn bucket_contract(bucket: &impl Bucket, prefix: &str, now: i64) {
    let object = |name: &str, bytes: &[u8]| Object {
        key: format!("{prefix}{name}"),
        bytes: bytes.to_vec(),
        reason: "unreadable",
        metadata: vec![("accept-id", "accepted-1".to_owned())],
    };
    let key = |name: &str| format!("{prefix}{name}");
    assert_eq!(bucket.list(prefix).await, Ok(vec![]));
    assert_eq!(bucket.get(&key("b/1")).await, Ok(None), "what is not there is not there, and no failure");

    let bytes: Vec<u8> = (0..=255).collect();
    bucket.put(&object("b/1", b"before")).await.expect("a first time");
    bucket.put(&object("b/1", &bytes)).await.expect("a second time");
    bucket.put(&object("a/2", b"")).await.expect("no bytes at all");
    bucket.put(&object("b-and-more/3", b"{}")).await.expect("a neighbour");
    assert_eq!(bucket.get(&key("b/1")).await, Ok(Some(bytes)), "the last bytes, as they are");
    assert_eq!(bucket.get(&key("a/2")).await, Ok(Some(vec![])));
    assert_eq!(bucket.get(&key("b")).await, Ok(None), "a folder is no object");

    let listed = bucket.list(prefix).await.expect("a list");
    let keys: Vec<_> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, [key("a/2"), key("b-and-more/3"), key("b/1")], "in the order of their bytes");
    assert!(listed.iter().all(|object| object.stored_at <= now + 3600), "{listed:?}");
    let below = bucket.list(&key("b/")).await.expect("a list");
    assert_eq!(below.into_iter().map(|object| object.key).collect::<Vec<_>>(), [key("b/1")]);

    let artifact = bucket.put_artifact(&key("c/4"), "application/json", b"{}".to_vec()).await.expect("an artifact");
    assert_eq!((artifact.key.as_str(), artifact.size_bytes), (key("c/4").as_str(), 2));
    assert_eq!(artifact.sha256, sha256_hex(b"{}"));
    assert_eq!(bucket.get(&key("c/4")).await, Ok(Some(b"{}".to_vec())), "an artifact is an object as any other");

    for name in ["c/4", "b/1", "a/2", "b-and-more/3"] {
        bucket.remove(&key(name)).await.expect("a removal");
        assert_eq!(bucket.get(&key(name)).await, Ok(None));
        bucket.remove(&key(name)).await.expect("what is not there is removed already");
    }
    assert_eq!(bucket.list(prefix).await, Ok(vec![]));
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_bucket_in_memory_keeps_the_contract() {
        super::bucket_contract(&crate::ports::bucket::memory::MemoryBucket::default(), "parked/", 1_791_212_102).await;
    }
}
