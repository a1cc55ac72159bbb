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
