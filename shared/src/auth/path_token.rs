//! The path token of `MeetStream`'s per-bot `callback_url`.

use super::error::AuthError;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The shortest token we accept, in characters: 22 of this alphabet hold 128 bits.
const MIN_TOKEN_CHARS: usize = 22;

/// The tokens of one endpoint: at least one, and two while a rotation is under way.
#[derive(Debug)]
pub struct PathTokens(Vec<SecretString>);

/// A configured token could be guessed, or would not survive in a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a path token needs at least {MIN_TOKEN_CHARS} characters, only letters, digits, - and _")]
pub struct WeakToken;

impl PathTokens {
    /// Takes the tokens, or `None` when there are none: an endpoint without a token does not exist.
    ///
    /// # Errors
    /// [`WeakToken`] if one is short or has a character that URLs escape.
    pub fn new(tokens: Vec<String>) -> Result<Option<Self>, WeakToken> {
        let strong = |token: &String| {
            token.len() >= MIN_TOKEN_CHARS && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !tokens.iter().all(strong) {
            return Err(WeakToken);
        }
        Ok((!tokens.is_empty()).then(|| Self(tokens.into_iter().map(SecretString::from).collect())))
    }

    /// Digests are compared and not the tokens, so that neither their content nor their length shows in the time taken.
    pub(super) fn check(&self, given: Option<&str>) -> Result<(), AuthError> {
        let given = Sha256::digest(given.ok_or(AuthError::Malformed)?);
        let matches = self.0.iter().fold(Choice::from(0), |found, token| {
            found | Sha256::digest(token.expose_secret()).as_slice().ct_eq(given.as_slice())
        });
        if bool::from(matches) { Ok(()) } else { Err(AuthError::Mismatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "n3wtoken-with_128_bits_or_more";
    const OLD: &str = "0ldtoken-with_128_bits_or_more";

    #[test]
    fn only_a_configured_token_is_accepted() {
        let tokens = PathTokens::new(vec![NEW.into(), OLD.into()]).unwrap().unwrap();
        assert_eq!(tokens.check(Some(NEW)), Ok(()));
        assert_eq!(tokens.check(Some(OLD)), Ok(()));
        assert_eq!(tokens.check(Some(&NEW.to_uppercase())), Err(AuthError::Mismatch));
        assert_eq!(tokens.check(Some(&NEW[1..])), Err(AuthError::Mismatch));
        assert_eq!(tokens.check(Some("")), Err(AuthError::Mismatch));
        assert_eq!(tokens.check(None), Err(AuthError::Malformed));
    }

    #[test]
    fn a_token_that_is_listed_twice_is_accepted() {
        let tokens = PathTokens::new(vec![NEW.into(), NEW.into()]).unwrap().unwrap();
        assert_eq!(tokens.check(Some(NEW)), Ok(()));
    }

    #[test]
    fn weak_tokens_are_refused_and_none_is_no_endpoint() {
        assert!(PathTokens::new(vec![]).unwrap().is_none());
        for weak in ["", "short", "twenty-one_characters", "long enough but with spaces", "long-enough-but/with-slash"]
        {
            assert_eq!(PathTokens::new(vec![NEW.into(), weak.into()]).err(), Some(WeakToken), "{weak}");
        }
    }

    #[test]
    fn tokens_are_never_printed() {
        let shown = format!("{:?}", PathTokens::new(vec![NEW.into()]).unwrap());
        assert!(!shown.contains(NEW), "{shown}");
    }
}
