//! Recordings made up from a seed: any part of one can be had at any time, so a video of any size is served, and its checksum
//! told, without holding it.

use sha2::{Digest as _, Sha256};

/// Bytes in one word of the generator.
const WORD: u64 = 8;

/// How much is made at a time, in bytes.
pub(crate) const PIECE: usize = 64 * 1024;

/// One audio or video file: the same bytes for the same seed, format and size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recording {
    /// What the bytes are made from.
    pub seed: u64,
    /// What it begins like.
    pub format: Format,
    /// How long it is, in bytes.
    pub size_bytes: u64,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Mp4,
    Wav,
    Flac,
}

impl Format {
    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
        }
    }

    /// What a file of this format begins with. What follows is noise, and no player would play it.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Mp4 => b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
            Self::Wav => b"RIFF\xff\xff\xff\xffWAVEfmt ",
            Self::Flac => b"fLaC\0\0\0\x22",
        }
    }
}

impl Recording {
    /// The bytes from `offset` on, into `piece`. What lies beyond the end is left as it was; the number of bytes is returned.
    pub fn fill(&self, offset: u64, piece: &mut [u8]) -> usize {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = left.min(piece.len());
        let piece = piece.get_mut(..length).unwrap_or_default();
        let (mut word, mut skip) = (offset / WORD, usize::try_from(offset % WORD).unwrap_or_default());
        let mut rest = &mut *piece;
        while !rest.is_empty() {
            let bytes = noise(self.seed, word).to_le_bytes();
            let bytes = bytes.get(skip..).unwrap_or_default();
            let taken = bytes.len().min(rest.len());
            let (now, later) = rest.split_at_mut(taken);
            now.copy_from_slice(bytes.get(..taken).unwrap_or_default());
            (rest, word, skip) = (later, word.wrapping_add(1), 0);
        }
        let magic = usize::try_from(offset).ok().and_then(|offset| self.format.magic().get(offset..));
        for (byte, magic) in piece.iter_mut().zip(magic.unwrap_or_default()) {
            *byte = *magic;
        }
        length
    }

    /// The SHA-256 of all its bytes, in lower-case hex. Takes as long as hashing that much takes.
    #[must_use]
    pub fn sha256(&self) -> String {
        let (mut hash, mut piece, mut offset) = (Sha256::new(), vec![0; PIECE], 0);
        loop {
            match self.fill(offset, &mut piece) {
                0 => return hex::encode(hash.finalize()),
                length => {
                    hash.update(piece.get(..length).unwrap_or_default());
                    offset += length as u64;
                }
            }
        }
    }
}

/// One word of noise, by `SplitMix64`, which can be asked for any position.
fn noise(seed: u64, word: u64) -> u64 {
    let mut z = seed.wrapping_add(word.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(recording: Recording) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(recording.size_bytes).unwrap()];
        assert_eq!(recording.fill(0, &mut bytes), bytes.len());
        bytes
    }

    #[test]
    fn a_recording_is_the_same_however_it_is_read() {
        let recording = Recording { seed: 7, format: Format::Mp4, size_bytes: 1001 };
        let whole = all(recording);
        assert!(whole.starts_with(b"\0\0\0\x18ftypmp42"));
        for piece in [1, 3, 8, 13, 64, 2000] {
            let (mut read, mut buffer) = (Vec::new(), vec![0; piece]);
            loop {
                match recording.fill(read.len() as u64, &mut buffer) {
                    0 => break,
                    length => read.extend_from_slice(&buffer[..length]),
                }
            }
            assert_eq!(read, whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        for size_bytes in [0, 5, 200_000] {
            let recording = Recording { seed: 7, format: Format::Wav, size_bytes };
            assert_eq!(recording.sha256(), hex::encode(Sha256::digest(all(recording))), "{size_bytes}");
        }
    }

    #[test]
    fn seeds_and_formats_tell_recordings_apart() {
        let of = |seed, format| Recording { seed, format, size_bytes: 100 }.sha256();
        assert_ne!(of(1, Format::Wav), of(2, Format::Wav));
        assert_ne!(of(1, Format::Wav), of(1, Format::Flac));
    }
}
