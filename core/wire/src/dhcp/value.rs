//! The value of an option: one slice of the packet, or several that belong together.

use super::walk::Fields;

/// The value of an option, borrowed from the packet it arrived in.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    first: &'a [u8],
    rest: Option<Rest<'a>>,
}

/// Where to look for further fragments.
#[derive(Debug, Clone, Copy)]
struct Rest<'a> {
    fields: Fields<'a>,
    /// The place of the first fragment.
    at: usize,
    code: u8,
}

impl<'a> Rest<'a> {
    /// The fragments behind the first.
    fn fragments(self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.fields
            .walk_from(self.at)
            .filter_map(Result::ok)
            .filter(move |instance| instance.code == self.code)
            .map(|instance| instance.data)
            .skip(1)
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(super) const fn whole(octets: &'a [u8]) -> Self {
        Self {
            first: octets,
            rest: None,
        }
    }

    /// The value whose first fragment begins at `at`.
    #[cold]
    pub(super) fn joined(fields: Fields<'a>, at: usize, code: u8) -> Option<Self> {
        let [_, _, first @ ..] = fields.raw(at)? else {
            return None;
        };
        let rest = Rest { fields, at, code };
        let more = rest.fragments().next().is_some();
        Some(Self {
            first,
            rest: more.then_some(rest),
        })
    }

    /// Octets of the value.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.fragments().map(<[u8]>::len).sum()
    }

    /// Whether the value has no octets.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fragments().all(<[u8]>::is_empty)
    }

    /// The value where it stands, if it stands in one piece.
    #[inline]
    #[must_use]
    pub const fn contiguous(&self) -> Option<&'a [u8]> {
        match self.rest {
            None => Some(self.first),
            Some(_) => None,
        }
    }

    /// The pieces of the value, in order.
    #[inline]
    pub fn fragments(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        core::iter::once(self.first).chain(self.rest.into_iter().flat_map(Rest::fragments))
    }

    /// The octets of the value, in order.
    pub fn octets(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.fragments().flatten().copied()
    }

    /// The value, if it has exactly `N` octets.
    #[inline]
    #[must_use]
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        if let Some(octets) = self.contiguous() {
            return octets.try_into().ok();
        }
        let mut array = [0; N];
        (self.len() == N).then(|| self.copy_to(&mut array))?;
        Some(array)
    }

    /// Copies the value to the front of `into` and returns its length; `None`, and nothing
    /// copied, if `into` is too short.
    #[inline]
    #[must_use]
    pub fn copy_to(&self, into: &mut [u8]) -> Option<usize> {
        let len = self.len();
        let mut into = into.get_mut(..len)?;
        for fragment in self.fragments() {
            let (piece, rest) = into.split_at_mut_checked(fragment.len())?;
            piece.copy_from_slice(fragment);
            into = rest;
        }
        Some(len)
    }
}

impl PartialEq<[u8]> for Value<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        match self.contiguous() {
            Some(octets) => octets == other,
            None => self.octets().eq(other.iter().copied()),
        }
    }
}

impl PartialEq<&[u8]> for Value<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        self == *other
    }
}
