//! Captures of either form, frame by frame.

use std::io::{self, Read};

use super::fields::{Fields, Order};
use super::{BYTE_ORDER, Direction, ETHERNET, block, option};

/// More octets than a block or a frame has.
const LONGEST: usize = 16 << 20;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
/// Magic numbers of the older form: times in microseconds, and in nanoseconds.
const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;
/// What a link type takes of its field.
const LINK_TYPE: u32 = 0x0fff_ffff;

/// Why a capture is not used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be read.
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("is no capture: it begins like neither pcapng nor pcap")]
    NoCapture,
    /// It is not what its form says.
    #[error("is damaged at octet {at}: {what}")]
    Damaged {
        /// Where the block or the frame begins.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Its frames are not of Ethernet.
    #[error("has frames of link type {}, not of Ethernet", link_name(*.0))]
    LinkType(u32),
}

/// The names of link types that are met.
fn link_name(number: u32) -> String {
    let name = match number {
        0 => "NULL",
        9 => "PPP",
        12 | 101 => "RAW",
        105 => "IEEE802_11",
        108 => "LOOP",
        113 => "LINUX_SLL (tcpdump -i any)",
        127 => "IEEE802_11_RADIOTAP",
        228 => "IPV4",
        276 => "LINUX_SLL2 (tcpdump -i any)",
        _ => return number.to_string(),
    };
    format!("{number}, {name}")
}

/// A frame of a capture.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    /// When it passed, Unix nanoseconds.
    pub at: u64,
    /// Name of the interface, if the capture has one.
    pub interface: Option<&'f str>,
    /// Which way it went, if the capture says so.
    pub direction: Option<Direction>,
    /// What was kept of it.
    pub octets: &'f [u8],
    /// Octets that it had.
    pub original: u32,
}

/// Reads a capture from its beginning to its end, or to where it was cut.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: R,
    /// Octets read so far.
    at: u64,
    /// Where the block or frame begins that is being read.
    begin: u64,
    body: Vec<u8>,
    form: Form,
    cut: Option<u64>,
}

#[derive(Debug)]
enum Form {
    Pcap {
        order: Order,
        per_unit: u64,
    },
    Pcapng {
        order: Order,
        interfaces: Vec<Interface>,
    },
}

#[derive(Debug)]
struct Interface {
    link_type: u32,
    name: Option<String>,
    clock: Clock,
}

/// How an interface's times are told.
#[derive(Debug, Clone, Copy)]
struct Clock {
    resolution: u8,
    offset: i64,
}

impl Clock {
    /// Unix nanoseconds; 0 and the last there is for what is before and behind them.
    fn nanos(self, units: u64) -> u64 {
        let units = u128::from(units);
        let exponent = u32::from(self.resolution & 0x7f);
        let nanos = if self.resolution & 0x80 != 0 {
            (units * NANOS_PER_SECOND) >> exponent
        } else if exponent <= 9 {
            units * 10_u128.pow(9 - exponent)
        } else {
            let per_nano = 10_u128.checked_pow(exponent - 9);
            per_nano.map_or(0, |per_nano| units / per_nano)
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let nanos = nanos.saturating_add(offset).max(0);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

/// What a block of pcapng came to.
enum Part {
    Frame(Found),
    Other,
}

/// A frame whose octets stand in the body.
struct Found {
    at: u64,
    interface: Option<usize>,
    direction: Option<Direction>,
    begin: usize,
    len: usize,
    original: u32,
}

impl<R: Read> Reader<R> {
    /// Looks at the beginning of a capture.
    ///
    /// # Errors
    ///
    /// It cannot be read, is none, or is of another link type.
    pub fn open(mut input: R) -> Result<Self, CaptureError> {
        let mut first = [0; 4];
        let mut len = 0;
        while len < first.len() {
            match input.read(first.get_mut(len..).unwrap_or_default()) {
                Ok(0) => return Err(CaptureError::NoCapture),
                Ok(read) => len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let order = Order::Little;
        let mut reader = Self {
            input,
            at: 4,
            begin: 0,
            body: Vec::new(),
            form: Form::Pcapng {
                order,
                interfaces: Vec::new(),
            },
            cut: None,
        };
        if u32::from_le_bytes(first) == block::SECTION {
            reader.section()?;
            return Ok(reader);
        }
        let magics = [
            (Order::Little, u32::from_le_bytes(first)),
            (Order::Big, u32::from_be_bytes(first)),
        ];
        let found = magics.into_iter().find_map(|(order, magic)| match magic {
            MICROS => Some((order, 1000)),
            NANOS => Some((order, 1)),
            _ => None,
        });
        let (order, per_unit) = found.ok_or(CaptureError::NoCapture)?;
        reader.form = Form::Pcap { order, per_unit };
        if reader.read(20)? {
            let link_type = reader.fields(order).u32(16).unwrap_or(0) & LINK_TYPE;
            if link_type != u32::from(ETHERNET) {
                return Err(CaptureError::LinkType(link_type));
            }
        }
        Ok(reader)
    }

    /// Where the capture was cut off: the beginning of what is not whole.
    #[must_use]
    pub fn cut(&self) -> Option<u64> {
        self.cut
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    ///
    /// The capture cannot be read or is damaged.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let found = loop {
            if self.cut.is_some() {
                return Ok(None);
            }
            self.begin = self.at;
            let next = match self.form {
                Form::Pcap { order, per_unit } => self.record(order, per_unit)?,
                Form::Pcapng { order, .. } => self.block(order)?,
            };
            match next {
                Some(Part::Frame(found)) => break found,
                Some(Part::Other) => {}
                None => return Ok(None),
            }
        };
        let interface = match (&self.form, found.interface) {
            (Form::Pcapng { interfaces, .. }, Some(at)) => interfaces.get(at),
            (Form::Pcapng { .. } | Form::Pcap { .. }, _) => None,
        };
        let octets = self.body.get(found.begin..).unwrap_or_default();
        Ok(Some(Frame {
            at: found.at,
            interface: interface.and_then(|interface| interface.name.as_deref()),
            direction: found.direction,
            octets: octets.get(..found.len).unwrap_or_default(),
            original: found.original,
        }))
    }

    fn damaged(&self, what: &'static str) -> CaptureError {
        let at = self.begin;
        CaptureError::Damaged { at, what }
    }

    /// Reads so many octets into the body; whether they are there. If not, the capture was cut.
    fn read(&mut self, len: usize) -> Result<bool, CaptureError> {
        self.body.clear();
        let most = u64::try_from(len).unwrap_or(u64::MAX);
        let read = self.input.by_ref().take(most).read_to_end(&mut self.body)?;
        self.at = self
            .at
            .saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if read < len {
            // An end where nothing begins is the end.
            self.cut = (self.at > self.begin).then_some(self.begin);
            return Ok(false);
        }
        Ok(true)
    }

    fn fields(&self, order: Order) -> Fields<'_> {
        Fields::new(&self.body, order)
    }

    /// A frame of the older form.
    fn record(&mut self, order: Order, per_unit: u64) -> Result<Option<Part>, CaptureError> {
        if !self.read(16)? {
            return Ok(None);
        }
        let fields = self.fields(order);
        let field = |at| fields.u32(at).unwrap_or(0);
        let (seconds, fraction) = (u64::from(field(0)), u64::from(field(4)));
        let (len, original) = (field(8) as usize, field(12));
        if len > LONGEST {
            return Err(self.damaged("a frame is longer than any can be"));
        }
        if !self.read(len)? {
            self.cut = Some(self.begin);
            return Ok(None);
        }
        let nanos = seconds.saturating_mul(1_000_000_000);
        Ok(Some(Part::Frame(Found {
            at: nanos.saturating_add(fraction.saturating_mul(per_unit)),
            interface: None,
            direction: None,
            begin: 0,
            len,
            original,
        })))
    }

    /// The next block of pcapng.
    fn block(&mut self, order: Order) -> Result<Option<Part>, CaptureError> {
        if !self.read(4)? {
            return Ok(None);
        }
        let kind = self.fields(order).u32(0).unwrap_or(0);
        if kind == block::SECTION {
            self.section()?;
            return Ok(Some(Part::Other));
        }
        if !self.read(4)? {
            return Ok(None);
        }
        let len = self.fields(order).u32(0).unwrap_or(0);
        if !self.rest(order, len, 8)? {
            return Ok(None);
        }
        match kind {
            block::INTERFACE => self.interface(order)?,
            block::PACKET => return self.packet(order).map(Some),
            block::SIMPLE_PACKET | block::OLD_PACKET => {
                return Err(self.damaged("a frame without a time, or of a form given up long ago"));
            }
            _ => {}
        }
        Ok(Some(Part::Other))
    }

    /// Reads the body of a block of `len` octets, of which `had` are read, and its length again.
    fn rest(&mut self, order: Order, len: u32, had: usize) -> Result<bool, CaptureError> {
        let len = len as usize;
        let rest = len.checked_sub(had + 4).filter(|_| len.is_multiple_of(4));
        let rest = rest.filter(|_| len <= LONGEST);
        let rest = rest.ok_or_else(|| self.damaged("the length of a block cannot be"))?;
        if !self.read(rest + 4)? {
            return Ok(false);
        }
        if self.fields(order).u32(rest).map(|again| again as usize) != Some(len) {
            return Err(self.damaged("the two lengths of a block differ"));
        }
        self.body.truncate(rest);
        Ok(true)
    }

    /// Goes on behind the type of a section header: what follows is of a new section.
    fn section(&mut self) -> Result<(), CaptureError> {
        if !self.read(8)? {
            return Ok(());
        }
        let mut orders = [Order::Little, Order::Big].into_iter();
        let order = orders.find(|order| self.fields(*order).u32(4) == Some(BYTE_ORDER));
        let order = order.ok_or_else(|| self.damaged("a section has no octet order"))?;
        let len = self.fields(order).u32(0).unwrap_or(0);
        if !self.rest(order, len, 12)? {
            return Ok(());
        }
        if self.fields(order).u16(0) != Some(1) {
            return Err(self.damaged("a section of another version, or none"));
        }
        let interfaces = Vec::new();
        self.form = Form::Pcapng { order, interfaces };
        Ok(())
    }

    fn interface(&mut self, order: Order) -> Result<(), CaptureError> {
        let fields = self.fields(order);
        let Some(link_type) = fields.u16(0) else {
            return Err(self.damaged("the description of an interface is too short"));
        };
        let mut interface = Interface {
            link_type: link_type.into(),
            name: None,
            clock: Clock {
                resolution: 6,
                offset: 0,
            },
        };
        for (code, value) in fields.options(8) {
            match (code, value.octets()) {
                (option::NAME, name) => {
                    interface.name = Some(String::from_utf8_lossy(name).into_owned());
                }
                (option::TIME_RESOLUTION, &[resolution, ..]) => {
                    interface.clock.resolution = resolution;
                }
                (option::TIME_OFFSET, _) => {
                    interface.clock.offset = value.u64(0).unwrap_or(0).cast_signed();
                }
                _ => {}
            }
        }
        if let Form::Pcapng { interfaces, .. } = &mut self.form {
            interfaces.push(interface);
        }
        Ok(())
    }

    fn packet(&mut self, order: Order) -> Result<Part, CaptureError> {
        let fields = self.fields(order);
        let (Some(number), Some(original)) = (fields.u32(0), fields.u32(16)) else {
            return Err(self.damaged("a frame's block is too short"));
        };
        let field = |at| fields.u32(at).unwrap_or(0);
        let (high, low, len) = (field(4), field(8), field(12) as usize);
        let interfaces = match &self.form {
            Form::Pcapng { interfaces, .. } => interfaces.as_slice(),
            Form::Pcap { .. } => &[],
        };
        let Some(interface) = interfaces.get(number as usize) else {
            return Err(self.damaged("a frame is of an interface that is not described"));
        };
        if interface.link_type != u32::from(ETHERNET) {
            return Err(CaptureError::LinkType(interface.link_type));
        }
        if self.body.len() < len.saturating_add(20) {
            return Err(self.damaged("a frame is longer than its block"));
        }
        let mut options = fields.options(20 + len.next_multiple_of(4));
        let flags = options.find(|(code, _)| *code == option::FLAGS);
        let direction = match flags
            .and_then(|(_, value)| value.u32(0))
            .map(|flags| flags & 3)
        {
            Some(1) => Some(Direction::Inbound),
            Some(2) => Some(Direction::Outbound),
            Some(_) | None => None,
        };
        Ok(Part::Frame(Found {
            at: interface
                .clock
                .nanos(u64::from(high) << 32 | u64::from(low)),
            interface: Some(number as usize),
            direction,
            begin: 20,
            len,
            original,
        }))
    }
}

#[cfg(test)]
mod tests;
