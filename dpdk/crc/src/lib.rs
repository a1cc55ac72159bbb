//! CRC32C (Castagnoli, RFC 3720 §12.1) of short pieces by the processor's own instruction.
//!
//! Libraries for checksums fold long pieces with wide registers, and set these up anew for each
//! call. A record of a hundred octets is done before they begin: 13 instructions in a chain, and
//! the chains of one record and the next overlap.

#![no_std]
#![allow(
    unsafe_code,
    reason = "an instruction that not every processor has; the interface is safe"
)]

extern crate std;

/// The checksum of `octets`; `None` if this processor has no instruction for it.
#[inline]
#[must_use]
pub fn crc32c(octets: &[u8]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instructions that the function is compiled with.
        return Some(unsafe { by_sse42(octets) });
    }
    let _ = octets;
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_sse42(octets: &[u8]) -> u32 {
    use core::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u16, _mm_crc32_u32, _mm_crc32_u64};

    let (words, mut rest) = octets.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let wide = words.fold(u64::from(u32::MAX), |crc, word| _mm_crc32_u64(crc, word));
    // The instruction leaves the upper half zero.
    let mut crc = u32::try_from(wide).unwrap_or_default();
    if let Some((word, behind)) = rest.split_first_chunk::<4>() {
        crc = _mm_crc32_u32(crc, u32::from_le_bytes(*word));
        rest = behind;
    }
    if let Some((word, behind)) = rest.split_first_chunk::<2>() {
        crc = _mm_crc32_u16(crc, u16::from_le_bytes(*word));
        rest = behind;
    }
    if let Some(octet) = rest.first() {
        crc = _mm_crc32_u8(crc, *octet);
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::crc32c;
    use std::vec::Vec;

    /// The polynomial, reflected, bit by bit.
    fn by_definition(octets: &[u8]) -> u32 {
        let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        !octets.iter().fold(u32::MAX, |crc, octet| {
            (0..8).fold(crc ^ u32::from(*octet), step)
        })
    }

    #[test]
    fn every_length_has_the_checksum_of_the_definition() {
        assert_eq!(by_definition(b"123456789"), 0xe306_9283);
        let octets: Vec<u8> = (0..300_u32)
            .map(|n| (n * 167 + 13).to_le_bytes()[0])
            .collect();
        for length in 0..=octets.len() {
            let piece = &octets[..length];
            // `None` on a processor without the instruction: nothing to compare there.
            if let Some(crc) = crc32c(piece) {
                assert_eq!(crc, by_definition(piece), "{length} octets");
            }
        }
    }
}
