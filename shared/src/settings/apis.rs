//! Where the providers' APIs are, and the keys to them.

use crate::{
    api::ApiKey,
    env::{self, ConfigError, Lookup},
    url::Downloads,
};

/// The variable with the keys for `MeetStream`'s API, a list of which the first is used.
pub const MEETSTREAM_API_KEYS: &str = "MEETSTREAM_API_KEYS";
/// The variable with the keys of Meeting BaaS, a list of which the first is used for the API. Its v1 webhooks carry one too.
pub const MEETINGBAAS_API_KEYS: &str = "MEETINGBAAS_API_KEYS";

/// Where the providers' APIs are, and the keys to them.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Of `MeetStream`, if there is a key.
    pub meetstream: Option<AccountSettings>,
    /// Of Meeting BaaS, if there is a key.
    pub meetingbaas: Option<AccountSettings>,
    /// Where downloads may come from.
    pub downloads: Downloads,
}

/// One account at one API.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// What every path is appended to.
    pub base_url: String,
    /// The newest key.
    pub key: ApiKey,
}

impl ApiSettings {
    /// Reads the settings: `MEETSTREAM_API_KEYS` and `MEETINGBAAS_API_KEYS`, lists of which the first is used;
    /// `MEETSTREAM_API_URL` and `MEETINGBAAS_API_URL`; and `ALLOW_LOCAL_DOWNLOADS`, which lets APIs and downloads be on this
    /// machine and unencrypted, and is for local runs only.
    ///
    /// # Errors
    /// [`ConfigError`] for a URL or a key that cannot be used.
    pub fn from_env(lookup: &impl Lookup) -> Result<Self, ConfigError> {
        let downloads = downloads(lookup)?;
        let meetstream_url = "https://api.meetstream.ai/api/v1";
        let meetingbaas_url = "https://api.meetingbaas.com";
        Ok(Self {
            meetstream: account(lookup, MEETSTREAM_API_KEYS, ("MEETSTREAM_API_URL", meetstream_url), downloads)?,
            meetingbaas: account(lookup, MEETINGBAAS_API_KEYS, ("MEETINGBAAS_API_URL", meetingbaas_url), downloads)?,
            downloads,
        })
    }
}

fn downloads(lookup: &impl Lookup) -> Result<Downloads, ConfigError> {
    let name = "ALLOW_LOCAL_DOWNLOADS";
    match env::optional(lookup, name)?.as_deref() {
        None | Some("false") => Ok(Downloads::Public),
        Some("true") => Ok(Downloads::Anywhere),
        Some(_) => Err(ConfigError::Invalid { name, reason: "it must be true or false".to_owned() }),
    }
}

fn account(
    lookup: &impl Lookup,
    keys: &'static str,
    (url, usual_url): (&'static str, &str),
    downloads: Downloads,
) -> Result<Option<AccountSettings>, ConfigError> {
    let base_url = env::optional(lookup, url)?.unwrap_or_else(|| usual_url.to_owned());
    let is_encrypted = base_url.starts_with("https://");
    let is_local = downloads == Downloads::Anywhere && base_url.starts_with("http://");
    if !(is_encrypted || is_local) || base_url.contains(['?', '#', '@', ' ']) || base_url.parse::<http::Uri>().is_err()
    {
        let reason =
            "it must be an https URL without query, fragment or user, because the API key is sent to it".to_owned();
        return Err(ConfigError::Invalid { name: url, reason });
    }
    let Some(key) = env::list(lookup, keys)?.into_iter().next() else { return Ok(None) };
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = "its first key has a space or a character that is not printable ASCII, so no header can carry it"
            .to_owned();
        return Err(ConfigError::Invalid { name: keys, reason });
    }
    Ok(Some(AccountSettings { base_url, key: ApiKey::new(key) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<ApiSettings, ConfigError> {
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        ApiSettings::from_env(&find)
    }

    #[test]
    fn an_account_needs_a_key_and_knows_its_host() {
        let none = read(&[]).unwrap();
        assert!(none.meetstream.is_none() && none.meetingbaas.is_none());
        assert_eq!(none.downloads, Downloads::Public);
        let settings = read(&[("MEETSTREAM_API_KEYS", "new, old"), ("MEETINGBAAS_API_KEYS", "k")]).unwrap();
        let meetstream = settings.meetstream.unwrap();
        assert_eq!(
            (meetstream.base_url.as_str(), meetstream.key.expose()),
            ("https://api.meetstream.ai/api/v1", "new")
        );
        assert_eq!(settings.meetingbaas.unwrap().base_url, "https://api.meetingbaas.com");
    }

    #[test]
    fn a_key_goes_over_tls_except_on_this_machine() {
        let local = ("MEETSTREAM_API_URL", "http://127.0.0.1:9000/api/v1");
        assert!(read(&[local]).is_err());
        assert!(read(&[local, ("ALLOW_LOCAL_DOWNLOADS", "true")]).is_ok());
        for odd in ["ftp://a", "https://a/?b", "https://u@a", "https://", "//a", "a"] {
            let refused = read(&[("MEETINGBAAS_API_URL", odd), ("ALLOW_LOCAL_DOWNLOADS", "true")]);
            assert!(refused.is_err(), "{odd}");
        }
        assert!(read(&[("ALLOW_LOCAL_DOWNLOADS", "yes")]).is_err());
    }

    #[test]
    fn unusable_keys_are_refused_and_none_is_printed() {
        let error = read(&[("MEETSTREAM_API_KEYS", "s3cret\nX: y")]).unwrap_err();
        assert!(!error.to_string().contains("s3cret"));
        let settings = read(&[("MEETSTREAM_API_KEYS", "s3cret")]).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
