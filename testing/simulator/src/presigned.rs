//! Presigned URLs, in the manner of S3's: whoever has one may read one file, for a while.

use crate::encoding::{decoded, encoded};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use std::time::Duration;

/// Makes URLs and judges them.
#[derive(Clone, Debug)]
pub(crate) struct Presigner {
    host: String,
    key: [u8; 8],
    life: Duration,
    epoch: u32,
}

/// Why a URL opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    Forged,
    Expired,
}

impl Presigner {
    pub(crate) fn new(host: &str, seed: u64, life: Duration) -> Self {
        Self { host: host.to_owned(), key: seed.to_be_bytes(), life, epoch: 0 }
    }

    /// A URL of a file. `path` is made of segments as they are meant, none of them empty.
    pub(crate) fn url(&self, path: &[&str], now: Timestamp, is_stale: bool) -> String {
        let life = i64::try_from(self.life.as_millis()).unwrap_or(i64::MAX);
        let expires = now.as_millisecond().saturating_add(if is_stale { -1000 } else { life });
        let path: String = path.iter().map(|segment| format!("/{}", encoded(segment))).collect();
        let (host, epoch) = (&self.host, self.epoch);
        let signature = self.signature(&path, expires, epoch);
        let seconds = life / 1000;
        format!(
            "{host}{path}?X-Amz-Expires={seconds}&x-expires-at={expires}&x-epoch={epoch}&X-Amz-Signature={signature}"
        )
    }

    /// The segments of the path, if the URL is a good one.
    pub(crate) fn open(&self, path: &str, query: &[(String, String)], now: Timestamp) -> Result<Vec<String>, Refusal> {
        let value = |name: &str| query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok());
        let (expires, epoch) = (number("x-expires-at"), number("x-epoch").and_then(|epoch| u32::try_from(epoch).ok()));
        let (Some(expires), Some(epoch), Some(signature)) = (expires, epoch, value("X-Amz-Signature")) else {
            return Err(Refusal::Forged);
        };
        match () {
            () if signature != self.signature(path, expires, epoch) => Err(Refusal::Forged),
            () if epoch < self.epoch || expires <= now.as_millisecond() => Err(Refusal::Expired),
            () => Ok(path.split('/').skip(1).map(decoded).collect()),
        }
    }

    /// Lets all URLs made so far expire.
    pub(crate) fn expire(&mut self) {
        self.epoch += 1;
    }

    fn signature(&self, path: &str, expires: i64, epoch: u32) -> String {
        let signed = format!("{path}\n{expires}\n{epoch}");
        // HMAC takes keys of any length.
        Hmac::<Sha256>::new_from_slice(&self.key)
            .map(|mac| hex::encode(mac.chain_update(signed).finalize().into_bytes()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::pairs;

    fn open(presigner: &Presigner, url: &str, now: i64) -> Result<Vec<String>, Refusal> {
        let (path, query) = url.strip_prefix("http://files").unwrap().split_once('?').unwrap();
        presigner.open(path, &pairs(query), Timestamp::from_second(now).unwrap())
    }

    #[test]
    fn a_url_opens_its_file_for_a_while() {
        let mut presigner = Presigner::new("http://files", 1, Duration::from_secs(60));
        let url = presigner.url(&["meetstream", "a b/c", "audio.wav"], Timestamp::from_second(1000).unwrap(), false);
        let path = ["meetstream", "a b/c", "audio.wav"].map(str::to_owned).to_vec();
        assert_eq!(open(&presigner, &url, 1059), Ok(path));
        assert_eq!(open(&presigner, &url, 1060), Err(Refusal::Expired));
        assert_eq!(open(&presigner, &url.replace("audio", "video"), 1000), Err(Refusal::Forged));
        assert_eq!(open(&presigner, &url.replace("x-epoch=0", "x-epoch=9"), 1000), Err(Refusal::Forged));
        assert_eq!(open(&Presigner { key: [0; 8], ..presigner.clone() }, &url, 1000), Err(Refusal::Forged));
        presigner.expire();
        assert_eq!(open(&presigner, &url, 1000), Err(Refusal::Expired));
        let stale = presigner.url(&["x"], Timestamp::from_second(1000).unwrap(), true);
        assert_eq!(open(&presigner, &stale, 1000), Err(Refusal::Expired));
    }
}
