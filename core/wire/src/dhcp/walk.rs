//! The one walk over the options of a message: the options field, then `file`, then `sname`
//! (RFC 2131 §4.1, RFC 3396 §5).

use super::code;
use super::message::{FILE_LEN, FIXED, SNAME_LEN, at};
use crate::Malformed;

/// Which of `file` and `sname` hold options: the value of option 52.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overload(u8);

impl Overload {
    pub(super) const NONE: Self = Self(0);
    const FILE: u8 = 1;
    const SNAME: u8 = 2;

    /// The overload that option 52 states: 1, 2 or 3 (RFC 2132 §9.3).
    pub(super) const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1..=3 => Some(Self(octet)),
            0 | 4.. => None,
        }
    }
}

/// One option as it stands in a field: a whole one, or a fragment of one (RFC 3396).
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance<'a> {
    pub(super) code: u8,
    pub(super) data: &'a [u8],
    /// Where it begins in the message.
    pub(super) at: usize,
}

/// The octets of a message and which of its fields hold options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    pub(super) octets: &'a [u8],
    pub(super) overload: Overload,
}

impl<'a> Fields<'a> {
    /// Walks from an octet of the message on, which lies in one of the fields.
    #[inline]
    pub(super) fn walk_from(self, from: usize) -> Walk<'a> {
        let Overload(later) = self.overload;
        let (end, later) = match from {
            FIXED.. => (self.octets.len(), later),
            at::FILE.. => (at::FILE + FILE_LEN, later & Overload::SNAME),
            _ => (at::SNAME + SNAME_LEN, 0),
        };
        Walk {
            octets: self.octets,
            rest: self.octets.get(from..end).unwrap_or_default(),
            end,
            later: Overload(later),
            no_end: false,
        }
    }

    /// Walks over all fields.
    #[inline]
    pub(super) fn walk(self) -> Walk<'a> {
        self.walk_from(FIXED)
    }

    /// All octets of the instance that begins at `at`: code, length and data.
    pub(super) fn raw(self, at: usize) -> Option<&'a [u8]> {
        let option = self.octets.get(at..)?;
        let len = option.get(1)?;
        option.get(..2 + usize::from(*len))
    }
}

/// A walk under way. PAD and END have no length octet, in any field (RFC 2132 §3.1, §3.2).
///
/// Where a field ends without END, so do its options; what stands behind END is not looked at.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    octets: &'a [u8],
    /// What is left of the field.
    rest: &'a [u8],
    /// Where the field ends in the message.
    end: usize,
    /// Fields still to come.
    pub(super) later: Overload,
    /// Whether a field had no END.
    pub(super) no_end: bool,
}

impl Walk<'_> {
    /// Turns to the next field that holds options.
    fn turn(&mut self) -> Option<()> {
        self.no_end |= self.rest.is_empty();
        let Overload(later) = self.later;
        let from = if later & Overload::FILE != 0 {
            at::FILE
        } else if later & Overload::SNAME != 0 {
            at::SNAME
        } else {
            return None;
        };
        let no_end = self.no_end;
        let fields = Fields {
            octets: self.octets,
            overload: self.later,
        };
        *self = fields.walk_from(from);
        self.no_end = no_end;
        Some(())
    }

    /// Nothing can be told of what stands behind an option that overruns its field.
    #[cold]
    fn stop(&mut self) -> Malformed {
        self.rest = &[];
        self.later = Overload::NONE;
        Malformed::OptionOverrun
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Instance<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.rest {
                [code::PAD, rest @ ..] => self.rest = rest,
                [] | [code::END, ..] => self.turn()?,
                [_] => return Some(Err(self.stop())),
                [code, len, data @ ..] => {
                    let at = self.end - self.rest.len();
                    let Some((data, rest)) = data.split_at_checked(usize::from(*len)) else {
                        return Some(Err(self.stop()));
                    };
                    self.rest = rest;
                    return Some(Ok(Instance {
                        code: *code,
                        data,
                        at,
                    }));
                }
            }
        }
    }
}
