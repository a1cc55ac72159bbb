//! A capture as pcapng: section, a description of each port, frames, at the end their number and
//! what was lost of each port.

use std::io::{self, Write};

use super::{BYTE_ORDER, Direction, ETHERNET, block, option};

/// Times are in units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;
const VERSION: [u16; 2] = [1, 0];
/// Nobody knows yet how long the section will be.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// What is told of a port at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Unix nanoseconds when the capture began.
    pub begin: u64,
    /// And when it ended.
    pub end: u64,
    /// Frames that were to be captured.
    pub received: u64,
    /// Those of them that were lost.
    pub lost: u64,
}

/// Writes a capture, block by block.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// The block that is being written.
    body: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture by `application`, of the ports with these names, by their numbers.
    ///
    /// # Errors
    ///
    /// What `out` says.
    pub fn begin(out: W, application: &str, ports: &[String], snaplen: u32) -> io::Result<Self> {
        let mut writer = Self {
            out,
            body: Vec::new(),
        };
        writer.put(&BYTE_ORDER.to_le_bytes());
        for number in VERSION {
            writer.put(&number.to_le_bytes());
        }
        writer.put(&UNKNOWN_LENGTH.to_le_bytes());
        writer.option(option::USER_APPLICATION, application.as_bytes());
        writer.end_of_options();
        writer.flush_block(block::SECTION)?;
        for port in ports {
            writer.put(&ETHERNET.to_le_bytes());
            writer.put(&[0; 2]);
            writer.put(&snaplen.to_le_bytes());
            writer.option(option::NAME, port.as_bytes());
            writer.option(option::TIME_RESOLUTION, &[NANOSECONDS]);
            writer.end_of_options();
            writer.flush_block(block::INTERFACE)?;
        }
        Ok(writer)
    }

    /// Writes a frame of port `number` that passed at `at`, Unix nanoseconds, and had `original`
    /// octets.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn frame(
        &mut self,
        (number, direction): (u8, Direction),
        at: u64,
        octets: &[u8],
        original: u32,
    ) -> io::Result<()> {
        let captured = u32::try_from(octets.len()).map_err(io::Error::other)?;
        self.put(&u32::from(number).to_le_bytes());
        self.time(at);
        self.put(&captured.to_le_bytes());
        self.put(&original.to_le_bytes());
        self.put(octets);
        self.pad();
        let flags: u32 = match direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        self.option(option::FLAGS, &flags.to_le_bytes());
        self.end_of_options();
        self.flush_block(block::PACKET)
    }

    /// Writes what is told of port `number` at the end.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn statistics(&mut self, number: u8, told: &Statistics) -> io::Result<()> {
        self.put(&u32::from(number).to_le_bytes());
        self.time(told.end);
        for (code, time) in [(option::BEGIN, told.begin), (option::END, told.end)] {
            let [high, low] = halves(time).map(u32::to_le_bytes);
            self.option(code, &[high, low].concat());
        }
        self.option(option::RECEIVED, &told.received.to_le_bytes());
        self.option(option::DROPPED, &told.lost.to_le_bytes());
        self.end_of_options();
        self.flush_block(block::STATISTICS)
    }

    /// Has all that was written leave.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn put(&mut self, octets: &[u8]) {
        self.body.extend_from_slice(octets);
    }

    /// Fields begin at multiples of four octets.
    fn pad(&mut self) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    fn time(&mut self, at: u64) {
        for half in halves(at) {
            self.put(&half.to_le_bytes());
        }
    }

    /// An option; one that is longer than its length field can say is cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.put(&code.to_le_bytes());
        self.put(&len.to_le_bytes());
        self.put(value.get(..usize::from(len)).unwrap_or_default());
        self.pad();
    }

    fn end_of_options(&mut self) {
        self.put(&[0; 4]);
    }

    /// Writes the block whose body is there: type, length, body, length again.
    fn flush_block(&mut self, kind: u32) -> io::Result<()> {
        let len = u32::try_from(self.body.len() + 12).map_err(io::Error::other)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&self.body)?;
        self.out.write_all(&len.to_le_bytes())?;
        self.body.clear();
        Ok(())
    }
}

/// A time's upper and lower half, as pcapng has them.
fn halves(at: u64) -> [u32; 2] {
    let low = u32::try_from(at & u64::from(u32::MAX)).unwrap_or(0);
    let high = u32::try_from(at >> 32).unwrap_or(0);
    [high, low]
}
