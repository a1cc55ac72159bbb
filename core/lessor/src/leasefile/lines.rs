//! The lines of a file, counted, and none too long for memory.

use std::io::{self, BufRead, Read as _};

/// Most octets of a line; the longest row has some 4 KiB.
pub(super) const MAX_LINE: usize = 64 << 10;

/// Lines one by one.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

/// A line without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'l> {
    /// As it should be.
    Whole(&'l [u8]),
    /// The file ends in it.
    Unended(&'l [u8]),
    /// It has more than [`MAX_LINE`] octets, which are left out.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line that is not blank, and its number, from 1 on.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        let ended = loop {
            self.buffer.clear();
            let mut input = self.input.by_ref().take(MAX_LINE as u64 + 1);
            let read = input.read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            let ended = self.buffer.pop_if(|octet| *octet == b'\n').is_some();
            if !ended && read > MAX_LINE {
                self.input.skip_until(b'\n')?;
                return Ok(Some((self.number, Line::TooLong)));
            }
            self.buffer.pop_if(|octet| *octet == b'\r');
            if !self.text().trim_ascii().is_empty() {
                break ended;
            }
        };
        let text = self.text();
        let line = if ended {
            Line::Whole(text)
        } else {
            Line::Unended(text)
        };
        Ok(Some((self.number, line)))
    }

    /// The line without the mark that some editors put in front of a file.
    fn text(&self) -> &[u8] {
        let first = (self.number == 1).then(|| self.buffer.strip_prefix(b"\xef\xbb\xbf"));
        first.flatten().unwrap_or(&self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            let shown = match line {
                Line::Whole(text) => format!("{} whole", String::from_utf8_lossy(text)),
                Line::Unended(text) => format!("{} unended", String::from_utf8_lossy(text)),
                Line::TooLong => "too long".to_owned(),
            };
            found.push((number, shown));
        }
        found
    }

    #[test]
    fn lines_are_counted_with_the_blank_ones() {
        let found = read(b"\xef\xbb\xbfa\r\n\n  \r\nb\nc");
        let due = [(1, "a whole"), (4, "b whole"), (5, "c unended")];
        assert_eq!(found, due.map(|(n, text)| (n, text.to_owned())));
        assert!(read(b"\n\n").is_empty());
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let mut text = vec![b'x'; MAX_LINE];
        text.push(b'\n');
        assert!(read(&text)[0].1.ends_with(" whole"));
        let text = [vec![b'x'; 5 * MAX_LINE], b"\na\n".to_vec()].concat();
        let due = [(1, "too long".to_owned()), (2, "a whole".to_owned())];
        assert_eq!(read(&text), due);
    }
}
