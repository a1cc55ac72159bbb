//! A frame on its way from a worker to who looks on: a head of fixed size, and its octets.
//!
//! | octets | what |
//! | --- | --- |
//! | 8 | nanoseconds: since the capture began in a worker's ring, then since 1970 |
//! | 4 | octets of the frame that follow |
//! | 4 | octets that it had |
//! | 1 | number of the port |
//! | 1 | what it is, [`Kind`] |
//! | 6 | 0 |
//!
//! Numbers are little-endian.

use std::io::Write as _;

use dhcp_wire::ethernet::Tag;
use rtrb::Consumer;

/// Octets of a head.
pub const HEADER: usize = 24;

/// What stands behind a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A frame as it was received.
    Received = 0,
    /// A frame that a device took to send.
    Sent = 1,
    /// Control's own: what was lost so far.
    Sum = 2,
    /// Control's own: the same, and the end.
    End = 3,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Received, Self::Sent, Self::Sum, Self::End];
}

/// What is known of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// When it passed, nanoseconds.
    pub at: u64,
    /// Octets of it that were kept.
    pub captured: u32,
    /// Octets that it had.
    pub original: u32,
    /// Number of its port.
    pub port: u8,
    /// What it is.
    pub kind: Kind,
}

impl Head {
    /// As it stands before the frame.
    #[must_use]
    pub fn to_octets(&self) -> [u8; HEADER] {
        let mut octets = [0; HEADER];
        let mut pen = Pen(&mut octets, &mut []);
        pen.write(&self.at.to_le_bytes());
        pen.write(&self.captured.to_le_bytes());
        pen.write(&self.original.to_le_bytes());
        pen.write(&[self.port, self.kind as u8]);
        octets
    }

    /// Reads one; none if it is of another version.
    #[must_use]
    pub fn read(octets: &[u8; HEADER]) -> Option<Self> {
        let (at, rest) = octets.split_first_chunk()?;
        let (captured, rest) = rest.split_first_chunk()?;
        let (original, rest) = rest.split_first_chunk()?;
        let (&[port, kind], _) = rest.split_first_chunk()?;
        Some(Self {
            at: u64::from_le_bytes(*at),
            captured: u32::from_le_bytes(*captured),
            original: u32::from_le_bytes(*original),
            port,
            kind: *Kind::ALL.get(usize::from(kind))?,
        })
    }
}

/// Octets of the two addresses of a frame, behind which its tags stand.
const ADDRESSES: usize = 12;

/// Octets that a tag taken off by the device adds to a frame again.
pub(super) fn tag_len(frame: &[u8], tag: Option<Tag>) -> usize {
    match tag {
        Some(_) if frame.len() >= ADDRESSES => 4,
        Some(_) | None => 0,
    }
}

/// Writes a record, as far as there is room.
pub(super) fn write(pen: &mut Pen<'_>, head: &Head, frame: &[u8], tag: Option<Tag>) {
    pen.write(&head.to_octets());
    match (tag, frame.split_at_checked(ADDRESSES)) {
        (Some(Tag { tpid, tci }), Some((addresses, rest))) => {
            let ([a, b], [c, d]) = (tpid.to_be_bytes(), tci.to_be_bytes());
            pen.write(addresses);
            pen.write(&[a, b, c, d]);
            pen.write(rest);
        }
        (Some(_) | None, _) => pen.write(frame),
    }
}

/// Writes on from the first of two pieces to the second, as far as there is room.
pub(super) struct Pen<'r>(pub(super) &'r mut [u8], pub(super) &'r mut [u8]);

impl Pen<'_> {
    fn write(&mut self, octets: &[u8]) {
        let Self(first, second) = self;
        // A piece of memory takes what it has room for, and does not fail.
        let written = first.write(octets).unwrap_or(0);
        let _rest = second.write(octets.get(written..).unwrap_or_default());
    }
}

/// The head of the record that is next in a ring, which holds whole records.
pub(super) fn peek(ring: &mut Consumer<u8>) -> Option<Head> {
    let chunk = ring.read_chunk(HEADER).ok()?;
    let (first, second) = chunk.as_slices();
    let mut octets = [0; HEADER];
    let mut pen = Pen(&mut octets, &mut []);
    pen.write(first);
    pen.write(second);
    Head::read(&octets)
}

/// Adds the frame of the next record, which has `head`, to `out`, and takes the record away.
pub(super) fn take(ring: &mut Consumer<u8>, head: &Head, out: &mut Vec<u8>) {
    if let Ok(chunk) = ring.read_chunk(HEADER) {
        chunk.commit_all();
    }
    if let Ok(chunk) = ring.read_chunk(head.captured as usize) {
        let (first, second) = chunk.as_slices();
        out.extend_from_slice(first);
        out.extend_from_slice(second);
        chunk.commit_all();
    }
}
