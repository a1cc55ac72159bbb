//! The options of a message: walked once, then asked for by code.

use core::net::Ipv4Addr;

use super::index::{Hits, Index};
use super::walk::{Fields, Overload, Walk};
use super::{MessageType, Value, code};
use crate::Malformed;

/// Faults that cost nobody an answer, for counting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Option 52 is there and not one octet of 1 to 3, so `file` and `sname` were not read.
    pub overload: bool,
    /// A field that holds options ends without END.
    pub no_end: bool,
}

/// The options of a message.
///
/// An option is what all its instances make together, in the order options field, `file`,
/// `sname`, and next to one another or not (RFC 3396 §4): a fragment is never a value.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    fields: Fields<'a>,
    index: Index,
    faults: Faults,
}

impl<'a> Options<'a> {
    /// Walks the options of a message, `octets`, whose fixed part is there.
    #[inline]
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let fields = Fields {
            octets,
            overload: Overload::NONE,
        };
        let mut options = Self {
            fields,
            index: Index::new(),
            faults: Faults::default(),
        };
        // Filled where it stands: as the value of a `Result` it would be copied.
        options.walk()?;
        Ok(options)
    }

    fn walk(&mut self) -> Result<(), Malformed> {
        let mut walk = self.fields.walk();
        self.index_all(&mut walk)?;
        // Only the options field says whether `file` and `sname` hold options; what they say
        // themselves comes too late.
        if let Some(overload) = self.get(code::OVERLOAD) {
            match overload
                .array()
                .and_then(|[octet]| Overload::from_octet(octet))
            {
                Some(overload) => {
                    self.fields.overload = overload;
                    walk.later = overload;
                    self.index_all(&mut walk)?;
                }
                None => self.faults.overload = true,
            }
        }
        self.faults.no_end = walk.no_end;
        Ok(())
    }

    #[inline]
    fn index_all(&mut self, walk: &mut Walk<'a>) -> Result<(), Malformed> {
        walk.try_for_each(|instance| {
            let instance = instance?;
            self.index.push(instance.code, instance.at);
            Ok(())
        })
    }

    /// The option with this code, all its instances joined.
    #[inline]
    #[must_use]
    pub fn get(&self, code: u8) -> Option<Value<'a>> {
        match self.find(code) {
            Hits::None => None,
            Hits::One(at) => {
                let [_, _, data @ ..] = self.fields.raw(at)? else {
                    return None;
                };
                Some(Value::whole(data))
            }
            Hits::Several(at, _) => Value::joined(self.fields, at, code),
            Hits::Unknown => self.search(code),
        }
    }

    /// Looks for an option that the index may have had no room for.
    #[cold]
    fn search(&self, code: u8) -> Option<Value<'a>> {
        let mut walk = self.fields.walk().filter_map(Result::ok);
        let first = walk.find(|instance| instance.code == code)?;
        Value::joined(self.fields, first.at, code)
    }

    /// Whether an option with this code is there, be it empty.
    #[inline]
    #[must_use]
    pub fn contains(&self, code: u8) -> bool {
        self.get(code).is_some()
    }

    /// What option 53 says the message is, for a server: RFC 2132 §9.6.
    ///
    /// # Errors
    ///
    /// Refuses a message without the option, with two of them or of another length than one,
    /// and types that no client sends over UDP.
    #[inline]
    pub fn message_type(&self) -> Result<MessageType, Malformed> {
        let message_type = self.any_message_type()?;
        if message_type.is_from_client() {
            Ok(message_type)
        } else {
            Err(Malformed::MessageTypeServerOnly)
        }
    }

    /// As [`Options::message_type`], whoever sends it.
    ///
    /// # Errors
    ///
    /// As [`Options::message_type`], but takes the types of servers.
    #[inline]
    pub fn any_message_type(&self) -> Result<MessageType, Malformed> {
        let value = self
            .get(code::MESSAGE_TYPE)
            .ok_or(Malformed::MessageTypeAbsent)?;
        match value.contiguous() {
            Some(&[octet]) => MessageType::from_octet(octet),
            Some(_) => Err(Malformed::MessageTypeLength),
            None => Err(Malformed::MessageTypeDoubled),
        }
    }

    /// An option of one address; as absent if it has not four octets.
    #[inline]
    #[must_use]
    pub fn addr(&self, code: u8) -> Option<Ipv4Addr> {
        self.get(code)?.array::<4>().map(Ipv4Addr::from)
    }

    /// An option of one octet; as absent if it has another length.
    #[inline]
    #[must_use]
    pub fn u8(&self, code: u8) -> Option<u8> {
        self.get(code)?.array().map(u8::from_be_bytes)
    }

    /// An option of two octets; as absent if it has another length.
    #[inline]
    #[must_use]
    pub fn u16(&self, code: u8) -> Option<u16> {
        self.get(code)?.array().map(u16::from_be_bytes)
    }

    /// An option of four octets; as absent if it has another length.
    #[inline]
    #[must_use]
    pub fn u32(&self, code: u8) -> Option<u32> {
        self.get(code)?.array().map(u32::from_be_bytes)
    }

    /// The codes of the parameter request list, as the client orders them; repeated ones too.
    pub fn prl(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let list = self.get(code::PARAMETER_REQUEST_LIST);
        list.into_iter().flat_map(|list| list.octets())
    }

    /// Each instance of an option as it stands in the message, code and length octets included,
    /// in the order of the fields.
    pub fn instances(&self, code: u8) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let (walk, count) = match self.find(code) {
            Hits::None => (self.fields.walk(), 0),
            Hits::One(at) => (self.fields.walk_from(at), 1),
            Hits::Several(at, count) => (self.fields.walk_from(at), count),
            Hits::Unknown => (self.fields.walk(), usize::MAX),
        };
        let fields = self.fields;
        walk.filter_map(Result::ok)
            .filter(move |instance| instance.code == code)
            .filter_map(move |instance| fields.raw(instance.at))
            .take(count)
    }

    /// Copies all instances of an option, code and length octets included, to the front of
    /// `into` and returns how many octets they are; `None` if `into` is too short.
    #[inline]
    #[must_use]
    pub fn copy_instances(&self, code: u8, into: &mut [u8]) -> Option<usize> {
        let mut len = 0;
        for raw in self.instances(code) {
            into.get_mut(len..len + raw.len())?.copy_from_slice(raw);
            len += raw.len();
        }
        Some(len)
    }

    /// Harmless faults that were seen.
    #[inline]
    #[must_use]
    pub const fn faults(&self) -> Faults {
        self.faults
    }

    #[inline]
    fn find(&self, code: u8) -> Hits {
        match code {
            code::PAD | code::END => Hits::None,
            _ => self.index.find(code),
        }
    }
}
