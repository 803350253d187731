//! Hashes over fields, for every key that must not contain a sender's text.

use sha2::{Digest, Sha256};

/// SHA-256 over fields, each preceded by its presence and its length, so that no two lists of fields collide by
/// moving a character from one field to the next, and an absent field differs from an empty one.
#[derive(Default)]
pub struct FieldHash(Sha256);

impl FieldHash {
    /// Adds one field that is always there.
    #[must_use]
    pub fn field(self, value: impl AsRef<[u8]>) -> Self {
        self.optional(Some(value))
    }

    /// Adds one field that may be absent.
    #[must_use]
    pub fn optional(mut self, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            None => self.0.update([0]),
            Some(value) => {
                let value = value.as_ref();
                self.0.update([1]);
                self.0.update((value.len() as u64).to_be_bytes());
                self.0.update(value);
            }
        }
        self
    }

    /// The digest.
    #[must_use]
    pub fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The digest as 64 lower-case hexadecimal characters.
    #[must_use]
    pub fn hex(self) -> String {
        hex::encode(self.digest())
    }
}

/// SHA-256 over content that comes in pieces.
#[derive(Clone, Default)]
pub struct ContentHash(Sha256);

impl ContentHash {
    /// Adds the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces as one, as 64 lower-case hexadecimal characters.
    #[must_use]
    pub fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The SHA-256 of `bytes` as they are, as 64 lower-case hexadecimal characters.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let of = |fields: &[Option<&str>]| fields.iter().fold(FieldHash::default(), |hash, f| hash.optional(*f)).hex();
        let lists: &[&[Option<&str>]] = &[
            &[Some("ab"), Some("c")],
            &[Some("a"), Some("bc")],
            &[Some("abc")],
            &[Some("abc"), None],
            &[Some("abc"), Some("")],
            &[None, Some("abc")],
        ];
        for (i, left) in lists.iter().enumerate() {
            for right in &lists[i + 1..] {
                assert_ne!(of(left), of(right), "{left:?} and {right:?}");
            }
        }
    }

    #[test]
    fn the_plain_digest_is_sha256() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), digest);
        let mut hash = ContentHash::default();
        for piece in ["a", "", "bc"] {
            hash.update(piece.as_bytes());
        }
        assert_eq!(hash.hex(), digest);
    }
}
