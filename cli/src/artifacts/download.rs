//! Bringing artifacts from the bucket to this machine.

use super::inventory::Line;
use crate::{
    bucket::{Bucket, Digest},
    escape,
    failure::Failure,
    screen,
    words::size,
};
use shared::artifacts::SHA256_TAG;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Brings every artifact that is stored, under its own key, and says of each where it is.
///
/// # Errors
/// When there is none, or the first that cannot be had as it was stored. Those before it are there, as a whole.
pub(super) async fn all(bucket: &Bucket<'_>, lines: &[Line], folder: &Path) -> Result<(), Failure> {
    let stored = lines.iter().filter(|line| matches!(line.state, "stored" | "earlier" | "carried"));
    let mut files: Vec<(&str, Option<String>, Option<u64>)> = Vec::new();
    for line in stored {
        let Some(key) = &line.key else { continue };
        files.push((key, line.sha256.clone(), line.size_bytes));
        if let Some(key) = &line.normalised_key {
            files.push((key, bucket.tag(key, SHA256_TAG).await?, None));
        }
    }
    if files.is_empty() {
        return Err(Failure::not_found("nothing is stored that could be downloaded")
            .help("without --download it says what became of each artifact"));
    }
    for (key, sha256, size_bytes) in files {
        let saved = one(bucket, key, sha256.as_deref(), size_bytes, folder).await?;
        let checked = if sha256.is_some() { "checksum verified" } else { "no checksum is known of it" };
        screen::print(&format!("{}  {}, {checked}", escape::text(&saved.0.to_string_lossy()), size(saved.1)))?;
    }
    Ok(())
}

/// Brings one object. It is written beside its place and gets its name only when all of it is there and is what was stored, so
/// whatever happens on the way there is never half a file under that name. Returns where it is and how large.
async fn one(
    bucket: &Bucket<'_>,
    key: &str,
    sha256: Option<&str>,
    size_bytes: Option<u64>,
    folder: &Path,
) -> Result<(PathBuf, u64), Failure> {
    let path = folder.join(key);
    let failed = |error: io::Error| Failure::new(format!("writing {}: {error}", escape::text(&path.to_string_lossy())));
    let place = path.parent().unwrap_or(folder);
    fs::create_dir_all(place).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(place).map_err(failed)?;
    let Some(Digest { size_bytes: arrived, sha256: found }) = bucket.copy_into(key, &mut file).await? else {
        return Err(Failure::not_found(format!("{key} was removed in the meantime")));
    };
    let is_as_stored =
        size_bytes.is_none_or(|size_bytes| size_bytes == arrived) && sha256.is_none_or(|sum| sum == found);
    if !is_as_stored {
        let what = format!("{key} is not what was stored: its SHA-256 is {found}, its size {arrived} bytes");
        return Err(Failure::new(what).help("somebody changed the object in the bucket; nothing was written"));
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok((path, arrived))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::tests::stack;
    use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput, primitives::ByteStream};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};
    use shared::hash::sha256_hex;

    const KEY: &str = "meetstream/b/audio/recording.wav";

    async fn bring(line: Line, folder: &Path) -> Result<(), Failure> {
        let rule = mock!(Client::get_object)
            .match_requests(|request| request.key() == Some(KEY))
            .then_output(|| GetObjectOutput::builder().e_tag("tag").body(ByteStream::from_static(b"sound")).build());
        let stack = stack();
        all(&Bucket::with(mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&rule]), &stack), &[line], folder).await
    }

    fn line(sha256: Option<String>, size_bytes: u64) -> Line {
        Line { state: "stored", key: Some(KEY.to_owned()), sha256, size_bytes: Some(size_bytes), ..Line::default() }
    }

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder.join("meetstream/b/audio")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_file_arrives_as_it_was_stored_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for (sum, size_bytes) in [(sha256_hex(b"other"), 5), (sha256_hex(b"sound"), 6)] {
            let failure = bring(line(Some(sum), size_bytes), folder.path()).await.unwrap_err();
            assert!(failure.what().contains("is not what was stored"), "{failure}");
            assert_eq!(files(folder.path()), [""; 0]);
        }
        bring(line(Some(sha256_hex(b"sound")), 5), folder.path()).await.unwrap();
        assert_eq!(files(folder.path()), ["recording.wav"]);
        assert_eq!(fs::read(folder.path().join(KEY)).unwrap(), b"sound");
        bring(line(None, 5), folder.path()).await.unwrap();
        let nothing = Line { state: "pending", ..Line::default() };
        assert!(bring(nothing, folder.path()).await.unwrap_err().what().contains("nothing is stored"));
    }
}
