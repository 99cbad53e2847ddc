//! What is too large to be stored as it is.

use std::borrow::Cow;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::error::{Error, ErrorKind};
use crate::record::Kept;

/// What becomes of answers, and final failures, beyond the 390 KB that a record has room for; see
/// [`Records::large_answers`](crate::Records::large_answers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LargeAnswers {
    /// They are compressed, which takes some 15 ms of computing for each MB, and ten times as much where they have no room otherwise; and stored as
    /// gzip's bytes. What has no room even so isn't kept.
    #[default]
    Compressed,
    /// They aren't kept: that the operation has run is stored, and a repetition is told [`Decode`](ErrorKind::Decode).
    NotKept,
}

/// What is stored of this text.
pub(super) fn keep(text: String, large: LargeAnswers) -> Kept {
    if text.len() <= MOST {
        return Kept::Text(text);
    }
    if large == LargeAnswers::NotKept || text.len() > MOST_UNPACKED {
        return Kept::Not;
    }
    let mut attempts = [Compression::fast(), Compression::default()].into_iter();
    attempts
        .find_map(|level| compressed(text.as_bytes(), level).filter(|bytes| bytes.len() <= MOST))
        .map_or(Kept::Not, Kept::Compressed)
}

fn compressed(text: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

/// The text that was stored.
pub(super) fn text(kept: &Kept) -> Result<Cow<'_, str>, Error> {
    match kept {
        Kept::Text(text) => Ok(Cow::Borrowed(text)),
        Kept::Compressed(bytes) => {
            let unreadable = || Error::new(ErrorKind::Decode, UNREADABLE);
            let mut text = String::new();
            // One byte more, to tell what ends there from what goes on.
            let mut unpacked = GzDecoder::new(bytes.as_slice()).take(MOST_UNPACKED as u64 + 1);
            unpacked.read_to_string(&mut text).map_err(|error| unreadable().with_source(error))?;
            if text.len() > MOST_UNPACKED { Err(unreadable()) } else { Ok(Cow::Owned(text)) }
        }
        Kept::Unreadable => Err(Error::new(ErrorKind::Decode, UNREADABLE)),
        Kept::Not => {
            Err(Error::new(ErrorKind::Decode, "the operation has run, and what it came to was too large to be kept"))
        }
    }
}

/// An item takes 400 KB (AWS, "Quotas in Amazon DynamoDB"); the rest is for what stands beside the answer.
const MOST: usize = 390 * 1024;
/// No record makes more of itself than this.
const MOST_UNPACKED: usize = 64 * 1024 * 1024;
const UNREADABLE: &str =
    "the operation has run, and what is stored of its answer can't be read: it is damaged, or another program's";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_room_is_stored_as_it_is_and_what_is_unpacked_is_what_was_packed() {
        let fits = "x".repeat(MOST);
        assert_eq!(keep(fits.clone(), LargeAnswers::Compressed), Kept::Text(fits.clone()));
        let large = fits + "x";
        assert_eq!(keep(large.clone(), LargeAnswers::NotKept), Kept::Not);
        let kept = keep(large.clone(), LargeAnswers::Compressed);
        assert!(matches!(&kept, Kept::Compressed(bytes) if bytes.len() < 10_000));
        assert_eq!(text(&kept).expect("is read"), large);
    }

    #[test]
    fn what_does_not_compress_is_not_kept() {
        let mut random = fastrand::Rng::with_seed(7);
        let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(2 * MOST).collect();
        assert_eq!(keep(noise, LargeAnswers::Compressed), Kept::Not);
    }

    #[test]
    fn what_is_large_is_compressed_the_fast_way_and_thoroughly_where_it_has_no_room_otherwise() {
        let mut random = fastrand::Rng::with_seed(7);
        let words: Vec<String> = (0..2_000).map(|_| format!("{:08x} ", random.u32(..))).collect();
        let mut text_of = |bytes: usize| {
            std::iter::repeat_with(|| words[random.usize(..words.len())].as_str()).take(bytes / 9).collect::<String>()
        };
        let size = |text: &str, level| compressed(text.as_bytes(), level).expect("is packed").len();
        let mut levels = Vec::new();
        for bytes in [300_000, 600_000, 900_000, 1_400_000] {
            let stored = text_of(bytes);
            let (fast, thorough) = (size(&stored, Compression::fast()), size(&stored, Compression::default()));
            levels.push(match keep(stored, LargeAnswers::Compressed) {
                Kept::Text(_) => "as it is",
                Kept::Compressed(bytes) if bytes.len() == fast => "fast",
                Kept::Compressed(bytes) if bytes.len() == thorough => "thoroughly",
                _ => "not",
            });
        }
        assert_eq!(levels, ["as it is", "fast", "thoroughly", "not"]);
    }

    #[test]
    fn damaged_bytes_and_those_that_would_fill_the_memory_are_told() {
        let packed = |bytes: &[u8]| compressed(bytes, Compression::fast()).expect("is packed");
        let whole = packed(&b"x".repeat(1_000));
        let mut damaged = whole.clone();
        damaged[whole.len() - 1] ^= 1;
        let cut = whole[..whole.len() - 1].to_vec();
        let bomb = packed(&b"x".repeat(MOST_UNPACKED + 1));
        for bytes in [cut, damaged, vec![], vec![7; 100], packed(&[0xC3]), bomb] {
            assert!(text(&Kept::Compressed(bytes)).expect_err("can't be read").is_decode());
        }
    }
}
