//! URLs that providers hand out, and text in URLs that we make.

mod address;

pub use address::is_public;

use http::{Uri, uri::Scheme};
use std::{fmt, fmt::Write as _, net::IpAddr};

/// The longest URL that is followed, in bytes. Presigned ones have about 2,000.
const MAX_URL_BYTES: usize = 8192;

/// The text with everything but ASCII letters, digits and `-._~` percent-encoded.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// The text that was percent-encoded, a plus being a plus; `None` for a broken encoding, or one of something that is no text.
#[must_use]
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit()? << 4 | digit()?);
    }
    String::from_utf8(bytes).ok()
}

/// Where downloads may come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Downloads {
    /// Only from public addresses, encrypted.
    Public,
    /// From anywhere, also unencrypted: for a provider that is simulated on this machine.
    Anywhere,
}

/// A URL that is not followed. The reason never holds the URL: a presigned one is a credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnsafeUrl {
    /// It is no absolute URL of a form that we follow: `http` or `https`, a host, no user.
    #[error("it is no plain http or https URL")]
    Malformed,
    /// It is not encrypted.
    #[error("it is not https")]
    NotEncrypted,
    /// It leads to an address that is not public: ours, a neighbour's, or that of the metadata service.
    #[error("it leads to an address that is not public")]
    NotPublic,
}

/// Where an artifact can be downloaded for some minutes or hours: a text that a provider sent, and a credential in itself.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadUrl(Uri);

impl DownloadUrl {
    /// Reads an absolute `http` or `https` URL. A fragment is dropped.
    ///
    /// # Errors
    /// [`UnsafeUrl::Malformed`] for anything else, and for one with a user in it.
    pub fn parse(text: &str) -> Result<Self, UnsafeUrl> {
        let text = text.trim();
        if text.len() > MAX_URL_BYTES {
            return Err(UnsafeUrl::Malformed);
        }
        let uri: Uri = text.parse().map_err(|_| UnsafeUrl::Malformed)?;
        let is_http = matches!(uri.scheme(), Some(scheme) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let has_host = uri.host().is_some_and(|host| !host.is_empty());
        if is_http && is_plain && has_host { Ok(Self(uri)) } else { Err(UnsafeUrl::Malformed) }
    }

    /// Whether it may be followed, as far as can be seen without looking up its host. What the host turns out to be is judged
    /// by [`is_public`].
    ///
    /// # Errors
    /// [`UnsafeUrl`] says why not.
    pub fn permitted(&self, downloads: Downloads) -> Result<(), UnsafeUrl> {
        if downloads == Downloads::Anywhere {
            return Ok(());
        }
        if self.0.scheme() != Some(&Scheme::HTTPS) {
            return Err(UnsafeUrl::NotEncrypted);
        }
        // A host that is an address is connected to without being looked up.
        match self.host().parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(UnsafeUrl::NotPublic),
            _ => Ok(()),
        }
    }

    /// Where a redirect from here leads: an absolute URL, or a path on the same host.
    ///
    /// # Errors
    /// [`UnsafeUrl::NotEncrypted`] for a redirect from `https` to `http`, [`UnsafeUrl::Malformed`] for anything else.
    pub fn redirected(&self, location: &str) -> Result<Self, UnsafeUrl> {
        let location = location.trim();
        let next = match (self.0.scheme_str(), self.0.authority()) {
            (Some(scheme), Some(authority)) if location.starts_with('/') && !location.starts_with("//") => {
                Self::parse(&format!("{scheme}://{authority}{location}"))?
            }
            _ => Self::parse(location)?,
        };
        let steps_down = self.0.scheme() == Some(&Scheme::HTTPS) && next.0.scheme() != Some(&Scheme::HTTPS);
        if steps_down { Err(UnsafeUrl::NotEncrypted) } else { Ok(next) }
    }

    /// The URL, for sending a request to it and for nothing else.
    #[must_use]
    pub fn expose(&self) -> String {
        self.0.to_string()
    }

    fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UnsafeUrl::{Malformed, NotEncrypted, NotPublic};
    use proptest::prelude::*;

    #[track_caller]
    fn check(name: &str, url: &str, expected: Result<(), UnsafeUrl>) {
        let judged = DownloadUrl::parse(url).and_then(|url| url.permitted(Downloads::Public));
        assert_eq!(judged, expected, "{name}");
    }

    #[test]
    fn only_public_encrypted_urls_are_followed() {
        check("a presigned URL", "https://bucket.s3.amazonaws.com/a.mp4?X-Amz-Signature=abc%2F&x=1", Ok(()));
        check("a port", "https://media.example:8443/a", Ok(()));
        check("a public address", "https://93.184.216.34/a", Ok(()));
        check("a fragment", "https://media.example/a#t=1", Ok(()));
        check("unencrypted", "http://media.example/a", Err(NotEncrypted));
        check("this machine", "https://127.0.0.1/a", Err(NotPublic));
        check("the metadata service", "https://169.254.169.254/latest/meta-data", Err(NotPublic));
        check("a neighbour", "https://10.0.0.8:443/a", Err(NotPublic));
        check("this machine in IPv6", "https://[::1]/a", Err(NotPublic));
        check("the metadata service in IPv6", "https://[fd00:ec2::254]/a", Err(NotPublic));
        check("IPv4 inside IPv6", "https://[::ffff:169.254.169.254]/a", Err(NotPublic));
        check("a user", "https://user:pass@media.example/a", Err(Malformed));
        check("a user that looks like a host", "https://media.example@127.0.0.1/a", Err(Malformed));
        check("another scheme", "ftp://media.example/a", Err(Malformed));
        check("a file", "file:///etc/passwd", Err(Malformed));
        check("a path", "/a", Err(Malformed));
        check("no scheme", "media.example/a", Err(Malformed));
        check("a line break", "https://media.example/a\r\nX: y", Err(Malformed));
        check("nothing", "", Err(Malformed));
        check("endless", &format!("https://media.example/{}", "a".repeat(9000)), Err(Malformed));
    }

    #[test]
    fn a_local_setting_lets_everything_through_that_is_a_url() {
        for url in ["http://127.0.0.1:9000/a", "http://localhost/a", "https://[::1]/a"] {
            assert_eq!(DownloadUrl::parse(url).unwrap().permitted(Downloads::Anywhere), Ok(()), "{url}");
        }
    }

    #[test]
    fn redirects_are_read_and_never_step_down() {
        let from = DownloadUrl::parse("https://media.example/a?key=1").unwrap();
        let to = |location: &str| from.redirected(location).map(|url| url.expose());
        assert_eq!(to("/b?x=2"), Ok("https://media.example/b?x=2".to_owned()));
        assert_eq!(to("https://other.example/b"), Ok("https://other.example/b".to_owned()));
        assert_eq!(to("http://media.example/b"), Err(NotEncrypted));
        for odd in ["//other.example/b", "b", "../b", "javascript:alert(1)", ""] {
            assert_eq!(to(odd), Err(Malformed), "{odd}");
        }
    }

    #[test]
    fn urls_are_never_printed() {
        let url = DownloadUrl::parse("https://media.example/a?X-Amz-Signature=abc").unwrap();
        assert_eq!(format!("{url:?}"), "[REDACTED]");
    }

    #[test]
    fn broken_encodings_are_none() {
        assert_eq!(percent_decoded("a%20b%C3%A9+%7e").as_deref(), Some("a bé+~"));
        for broken in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decoded(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in ".{0,40}") {
            prop_assert_eq!(percent_decoded(&percent_encoded(&text)), Some(text));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}", location in ".{0,80}") {
            let _ = percent_decoded(&text);
            let _ = DownloadUrl::parse(&text).map(|url| (url.permitted(Downloads::Public), url.redirected(&location)));
            let url = DownloadUrl::parse("https://media.example/a").unwrap();
            let _ = url.redirected(&location);
        }
    }
}
