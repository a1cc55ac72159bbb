//! CRC32C (Castagnoli, as iSCSI has it, RFC 3720 §12.1): the checksum of all that the log writes.

use crc_fast::{CrcAlgorithm, Digest};

/// Up to this many octets an instruction for each eight is faster than folding.
const SHORT: usize = 256;

/// The checksum of `octets`.
#[must_use]
#[inline]
pub(crate) fn crc32c(octets: &[u8]) -> u32 {
    let short = (octets.len() <= SHORT).then(|| shortcrc::crc32c(octets));
    short
        .flatten()
        .unwrap_or_else(|| crc_fast::crc32_iscsi(octets))
}

/// The checksum of octets in two pieces.
#[must_use]
pub(crate) fn crc32c_of_both(first: &[u8], second: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(first);
    digest.update(second);
    // It has 32 bits.
    u32::try_from(digest.finalize()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_of_rfc_3720_b_4_come_out() {
        let rising: Vec<u8> = (0..32).collect();
        for (octets, checksum) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
        ] {
            assert_eq!(crc32c(octets), checksum);
            for at in 0..octets.len() {
                let (first, second) = octets.split_at(at);
                assert_eq!(crc32c_of_both(first, second), checksum, "cut at {at}");
            }
        }
    }
}
