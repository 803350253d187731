//! What every vault must do. Run against the one in memory here, and against buckets in `e2e`.
#![expect(clippy::expect_used, reason = "a test suite, compiled for tests only")]

use super::{Kept, Vault};

/// Runs the whole suite, on objects below `prefix`, which ends in a slash. `now` is in seconds since the Unix epoch.
///
/// # Panics
/// If the vault breaks the contract.
pub async fn vault_contract(vault: &impl Vault, prefix: &str, now: i64) {
    let kept = |name: &str, bytes: &[u8]| Kept {
        key: format!("{prefix}{name}"),
        bytes: bytes.to_vec(),
        reason: "unreadable",
        metadata: vec![("accept-id", "accepted-1".to_owned())],
    };
    let key = |name: &str| format!("{prefix}{name}");
    assert_eq!(vault.list(prefix).await, Ok(vec![]));
    assert_eq!(vault.fetch(&key("b/1")).await, Ok(None), "what is not there is not there, and no failure");

    let bytes: Vec<u8> = (0..=255).collect();
    vault.keep(&kept("b/1", b"before")).await.expect("a first time");
    vault.keep(&kept("b/1", &bytes)).await.expect("a second time");
    vault.keep(&kept("a/2", b"")).await.expect("no bytes at all");
    vault.keep(&kept("b-and-more/3", b"{}")).await.expect("a neighbour");
    assert_eq!(vault.fetch(&key("b/1")).await, Ok(Some(bytes)), "the last bytes, as they are");
    assert_eq!(vault.fetch(&key("a/2")).await, Ok(Some(vec![])));
    assert_eq!(vault.fetch(&key("b")).await, Ok(None), "a folder is no object");

    let listed = vault.list(prefix).await.expect("a list");
    let keys: Vec<_> = listed.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, [key("a/2"), key("b-and-more/3"), key("b/1")], "in the order of their bytes");
    assert!(listed.iter().all(|object| object.stored_at <= now + 3600), "{listed:?}");
    let below = vault.list(&key("b/")).await.expect("a list");
    assert_eq!(below.into_iter().map(|object| object.key).collect::<Vec<_>>(), [key("b/1")]);

    for name in ["b/1", "a/2", "b-and-more/3"] {
        vault.remove(&key(name)).await.expect("a removal");
        assert_eq!(vault.fetch(&key(name)).await, Ok(None));
        vault.remove(&key(name)).await.expect("what is not there is removed already");
    }
    assert_eq!(vault.list(prefix).await, Ok(vec![]));
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_vault_in_memory_keeps_the_contract() {
        super::vault_contract(&crate::MemoryVault::default(), "parked/", 1_791_212_102).await;
    }
}
