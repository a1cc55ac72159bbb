//! Messages written where they are sent from.

use core::fmt;

use super::message::{FIXED, at};
use super::{Header, code};
use crate::field;

/// Shortest message: that of BOOTP, RFC 1542 §2.1.
pub const MIN_LEN: usize = 300;

/// Octets that one option can carry.
const FRAGMENT: usize = 255;

/// Octets of an option before its data.
const OPTION_HEADER: usize = 2;

/// Octets of option 52.
const OVERLOAD: usize = 3;

/// Octets of END.
const END: usize = 1;

/// An option does not fit and was left out; nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the option does not fit into the message")
    }
}

impl core::error::Error for NoRoom {}

/// A message that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Octets of the message; all of them were written.
    pub len: usize,
    /// Whether the relay agent information found room; true if there was none.
    pub agent_info_written: bool,
}

/// A field that takes options.
#[derive(Debug)]
struct Field<'b> {
    octets: &'b mut [u8],
    used: usize,
    /// Octets at the end that options must leave free.
    kept: usize,
}

impl<'b> Field<'b> {
    fn new(octets: &'b mut [u8], kept: usize) -> Self {
        Self {
            octets,
            used: 0,
            kept,
        }
    }

    #[inline]
    fn room(&self) -> usize {
        self.octets
            .len()
            .saturating_sub(self.used.saturating_add(self.kept))
    }

    /// Puts octets behind those that are there, whoever the room is kept for.
    #[inline]
    fn put(&mut self, octets: &[u8]) -> bool {
        let place = self.octets.get_mut(self.used..self.used + octets.len());
        let Some(place) = place else { return false };
        field::copy(place, octets);
        self.used += octets.len();
        true
    }

    /// Puts an option; that there is room the caller has seen.
    #[inline]
    fn option(&mut self, code: u8, len: u8, data: &[u8]) {
        self.put(&[code, len]);
        self.put(data);
    }

    /// Data octets that a split option finds room for.
    fn fragments_room(&self) -> usize {
        const WHOLE: usize = FRAGMENT + OPTION_HEADER;
        let room = self.room();
        room / WHOLE * FRAGMENT + (room % WHOLE).saturating_sub(OPTION_HEADER)
    }

    /// Puts a text with its NUL, and takes the field from options.
    fn text(&mut self, text: &[u8]) -> bool {
        if text.is_empty() {
            return true;
        }
        if self.used > 0 || self.is_taken() || text.len() >= self.octets.len() {
            return false;
        }
        self.octets[..text.len()].copy_from_slice(text);
        self.kept = self.octets.len();
        true
    }

    /// Whether the field carries boot data.
    fn is_taken(&self) -> bool {
        self.kept >= self.octets.len()
    }

    /// Ends a field that holds options; its rest is PAD already.
    fn end(&mut self) {
        if self.used > 0 {
            self.put(&[code::END]);
        }
    }
}

/// Writes a message into a buffer in place, and never reads what stood there.
///
/// Options go to the options field first. What finds no room there goes to `file`, then to
/// `sname`, unless a field carries boot data (RFC 2131 §4.1); then option 52 is added. An option
/// lies whole inside one field; only one of more than 255 octets is split (RFC 3396 §6), and its
/// fragments lie in the order in which the fields are read.
#[derive(Debug)]
pub struct Writer<'b> {
    options: Field<'b>,
    file: Field<'b>,
    sname: Field<'b>,
    /// A bit for each code.
    written: [u64; 4],
    /// Octets kept for the relay agent information.
    reserved: usize,
}

impl<'b> Writer<'b> {
    /// Writes the fixed part; `file` and `sname` are empty. The message stays within `buf` and
    /// within `limit` octets, and `None` says that one of them is below [`MIN_LEN`].
    #[inline]
    #[must_use]
    pub fn new(buf: &'b mut [u8], limit: usize, header: &Header) -> Option<Self> {
        let len = buf.len().min(limit);
        if len < MIN_LEN {
            return None;
        }
        let (fixed, options) = buf.get_mut(..len)?.split_first_chunk_mut::<FIXED>()?;
        header.write(fixed);
        let (head, file) = fixed[..at::COOKIE].split_at_mut(at::FILE);
        let sname = &mut head[at::SNAME..];
        Some(Self {
            options: Field::new(options, OVERLOAD + END),
            file: Field::new(file, END),
            sname: Field::new(sname, END),
            written: [0; 4],
            reserved: 0,
        })
    }

    /// Puts a server host name into `sname`, which holds no options then. False, and nothing
    /// written, if it is too long for the field and its NUL or the field holds options.
    pub fn sname(&mut self, name: &[u8]) -> bool {
        let done = self.sname.text(name);
        self.keep();
        done
    }

    /// Puts a boot file name into `file`, as [`Writer::sname`].
    pub fn file(&mut self, name: &[u8]) -> bool {
        let done = self.file.text(name);
        self.keep();
        done
    }

    /// Keeps `octets` at the end of the options field for the relay agent information. END and
    /// option 52 have their room in any case.
    pub fn reserve(&mut self, octets: usize) {
        self.reserved = self.reserved.saturating_add(octets);
        self.keep();
    }

    /// Writes an option, split if it has more than 255 octets.
    ///
    /// # Errors
    ///
    /// Writes nothing if not all of it fits. There is never room for a code that was written
    /// before, nor for those that are the writer's own: PAD, END, 52, and 82, which comes last.
    #[inline]
    pub fn option(&mut self, code: u8, data: &[u8]) -> Result<(), NoRoom> {
        if !Self::is_for_caller(code) || self.contains(code) {
            return Err(NoRoom);
        }
        match u8::try_from(data.len()) {
            Ok(len) => self.whole_field(len).ok_or(NoRoom)?.option(code, len, data),
            Err(_) => self.split(code, data)?,
        }
        self.written[usize::from(code / 64)] |= 1 << (code % 64);
        Ok(())
    }

    /// Whether an option of `len` octets would find room.
    #[inline]
    #[must_use]
    pub fn fits(&self, len: usize) -> bool {
        let fields = [&self.options, &self.file, &self.sname];
        if len > FRAGMENT {
            fields
                .iter()
                .map(|field| field.fragments_room())
                .sum::<usize>()
                >= len
        } else {
            fields
                .iter()
                .any(|field| field.room() >= OPTION_HEADER + len)
        }
    }

    /// Whether relay agent information of `len` octets would find room if nothing more were
    /// written.
    #[must_use]
    pub fn agent_info_fits(&self, len: usize) -> bool {
        self.options.room() >= len
    }

    /// Whether an option with this code was written.
    #[inline]
    #[must_use]
    pub fn contains(&self, code: u8) -> bool {
        self.written[usize::from(code / 64)] & 1 << (code % 64) != 0
    }

    /// Adds option 52 if it is needed, then `agent_info`, the instances of option 82 as the
    /// relay sent them (RFC 3046 §2.2: last before END), then END, and PAD up to [`MIN_LEN`].
    #[inline]
    #[must_use]
    pub fn finish(mut self, agent_info: &[u8]) -> Finished {
        let overload = u8::from(self.file.used > 0) | u8::from(self.sname.used > 0) << 1;
        if overload != 0 {
            self.options.put(&[code::OVERLOAD, 1, overload]);
            self.file.end();
            self.sname.end();
        }
        self.options.kept = END;
        let agent_info_written =
            self.options.room() >= agent_info.len() && self.options.put(agent_info);
        self.options.put(&[code::END]);
        let used = self.options.used;
        if let Some(pad) = self.options.octets.get_mut(used..MIN_LEN - FIXED) {
            pad.fill(code::PAD);
        }
        Finished {
            len: MIN_LEN.max(FIXED + used),
            agent_info_written,
        }
    }

    const fn is_for_caller(code: u8) -> bool {
        !matches!(
            code,
            code::PAD | code::OVERLOAD | code::AGENT_INFO | code::END
        )
    }

    /// The first field with room for an option of `len` octets.
    #[inline]
    fn whole_field(&mut self, len: u8) -> Option<&mut Field<'b>> {
        let len = OPTION_HEADER + usize::from(len);
        [&mut self.options, &mut self.file, &mut self.sname]
            .into_iter()
            .find(|field| field.room() >= len)
    }

    #[cold]
    fn split(&mut self, code: u8, mut data: &[u8]) -> Result<(), NoRoom> {
        if !self.fits(data.len()) {
            return Err(NoRoom);
        }
        for field in [&mut self.options, &mut self.file, &mut self.sname] {
            while field.room() > OPTION_HEADER && !data.is_empty() {
                let len = data.len().min(field.room() - OPTION_HEADER).min(FRAGMENT);
                let (fragment, rest) = data.split_at(len);
                field.option(code, u8::try_from(len).unwrap_or(u8::MAX), fragment);
                data = rest;
            }
        }
        Ok(())
    }

    /// Settles what options leave free in the options field: option 52 needs its room only while
    /// there is a field that could be overloaded.
    fn keep(&mut self) {
        let taken = self.file.is_taken() && self.sname.is_taken();
        let overload = if taken { 0 } else { OVERLOAD };
        self.options.kept = self.reserved.saturating_add(overload + END);
    }
}
