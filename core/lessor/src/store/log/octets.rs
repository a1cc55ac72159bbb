//! Numbers at fixed places of a block.

use super::segment::BLOCK;

/// Writes `value` at `at`, a constant of the format.
pub(super) fn put<const N: usize>(block: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(room) = block.get_mut(at..at + N) {
        room.copy_from_slice(&value);
    }
}

/// The octets at `at`, a constant of the format.
pub(super) fn field<const N: usize>(block: &[u8], at: usize) -> [u8; N] {
    block
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

/// Whether all octets are zero.
pub(super) fn zero(octets: &[u8]) -> bool {
    octets.iter().all(|octet| *octet == 0)
}

/// The first block border at or behind `length`.
pub(super) fn whole_blocks(length: usize) -> usize {
    length.next_multiple_of(BLOCK)
}
