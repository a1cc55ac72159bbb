//! Fields of a header at places that the compiler checks.

/// The `N` octets at `AT` of a header.
#[inline]
pub(crate) fn octets<const AT: usize, const N: usize, const LEN: usize>(
    header: &[u8; LEN],
) -> [u8; N] {
    const { assert!(AT + N <= LEN, "a field outside of its header") };
    let mut field = [0; N];
    field.copy_from_slice(&header[AT..AT + N]);
    field
}

/// The `N` octets at `AT` of a header, where they stand.
#[inline]
pub(crate) fn part<const AT: usize, const N: usize, const LEN: usize>(
    header: &[u8; LEN],
) -> &[u8; N] {
    const { assert!(AT + N <= LEN, "a field outside of its header") };
    let (_, rest) = header.split_at(AT);
    match rest.first_chunk() {
        Some(part) => part,
        // Settled by the assertion above.
        None => &[0; N],
    }
}

/// Puts the `N` octets of `field` at `AT` of a header.
#[inline]
pub(crate) fn put<const AT: usize, const N: usize, const LEN: usize>(
    header: &mut [u8; LEN],
    field: [u8; N],
) {
    const { assert!(AT + N <= LEN, "a field outside of its header") };
    header[AT..AT + N].copy_from_slice(&field);
}

/// Copies octets to a place of their number. Most options have four octets or a dozen, for which a
/// call of the library's function takes longer than the copy.
#[inline]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    let done = match from.len() {
        4..=8 => ends::<4>(to, from),
        9..=16 => ends::<8>(to, from),
        _ => None,
    };
    if done.is_none() {
        to.copy_from_slice(from);
    }
}

/// Copies the first and the last `N` octets, which are all of at most twice as many.
#[inline]
fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> Option<()> {
    if to.len() != from.len() {
        return None;
    }
    *to.first_chunk_mut::<N>()? = *from.first_chunk::<N>()?;
    *to.last_chunk_mut::<N>()? = *from.last_chunk::<N>()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::copy;

    #[test]
    fn every_number_of_octets_is_copied_whole() {
        let octets: [u8; 40] = core::array::from_fn(|n| n.to_le_bytes()[0] + 1);
        for len in 0..=octets.len() {
            let mut room = [0; 40];
            copy(&mut room[..len], &octets[..len]);
            assert_eq!(room[..len], octets[..len]);
            assert!(room[len..].iter().all(|octet| *octet == 0));
        }
    }
}
