//! Octets and times as an operator reads them, written without an allocation.

use core::fmt;

use dhcp_proto::identity::Kind;

/// Octets in hexadecimal, each pair followed by a colon but for the last: `02:00:5e:00:53:01`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colons<'a>(pub(crate) &'a [u8]);

/// Octets in hexadecimal: `02005e005301`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

/// An identity in words, such as `client-id 01:02`; nothing if there is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a>(pub(crate) &'a [u8]);

/// Unix seconds as `2026-01-31T12:00:00Z`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Utc(pub(crate) u64);

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Octets that are written at once.
const PIECE: usize = 16;

impl fmt::Display for Colons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pairs(self.0, true, f)
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pairs(self.0, false, f)
    }
}

fn pairs(octets: &[u8], colons: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut first = true;
    for piece in octets.chunks(PIECE) {
        let mut room = [b':'; 3 * PIECE];
        let mut at = 0;
        for octet in piece {
            at += usize::from(colons && !first);
            first = false;
            for digit in [octet >> 4, octet & 15] {
                if let (Some(place), Some(sign)) =
                    (room.get_mut(at), DIGITS.get(usize::from(digit)))
                {
                    *place = *sign;
                }
                at += 1;
            }
        }
        let text = room.get(..at).and_then(|text| str::from_utf8(text).ok());
        f.write_str(text.unwrap_or_default())?;
    }
    Ok(())
}

impl fmt::Display for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((kind, rest)) = self.0.split_first() else {
            return Ok(());
        };
        let (word, rest) = match Kind::from_number(*kind) {
            Some(Kind::ClientId) => ("client-id ", rest),
            // Without the hardware type, which is 1 for whatever an operator may look for.
            Some(Kind::Chaddr) => ("hw ", rest.get(1..).unwrap_or_default()),
            Some(Kind::Circuit) => ("circuit ", rest),
            Some(Kind::CircuitClient) => ("circuit+client ", rest),
            Some(Kind::RelayCircuit) => ("relay+circuit ", rest),
            Some(Kind::RemoteId) => ("remote-id ", rest),
            None => ("", self.0),
        };
        write!(f, "{word}{}", Colons(rest))
    }
}

impl Utc {
    /// The seconds that `text`, written as here, stands for.
    pub(crate) fn parse(text: &str) -> Option<u64> {
        let number = |at: usize, len: usize| text.get(at..at + len)?.parse::<u64>().ok();
        let (year, month, date) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
        let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
        // Years from March to February, as below.
        let (year, month) = if month > 2 {
            (year, month - 3)
        } else {
            (year.checked_sub(1)?, month + 9)
        };
        let day = (153 * month + 2) / 5 + date.checked_sub(1)?;
        let days = 365 * year + year / 4 - year / 100 + year / 400 + day;
        let time = 3600 * hour + 60 * minute + second;
        let seconds = days.checked_sub(719_468)? * 86_400 + time;
        // What is no date reads as another one.
        (Self(seconds).to_string() == text).then_some(seconds)
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, time) = (self.0 / 86_400, self.0 % 86_400);
        // Days since 0000-03-01 in eras of 400 years (Hinnant, "chrono-compatible date algorithms").
        let days = days.saturating_add(719_468);
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let date = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        write!(
            f,
            "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_it_is_written_and_what_is_none_does_not() {
        for seconds in (0..4_102_444_800).step_by(86_399 * 13) {
            assert_eq!(Utc::parse(&Utc(seconds).to_string()), Some(seconds));
        }
        assert_eq!(Utc::parse("2000-02-29T00:00:00Z"), Some(951_782_400));
        for wrong in [
            "",
            "2026-01-31",
            "2026-02-29T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-13-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00+01:00",
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-01-31é12:00:00Z",
        ] {
            assert_eq!(Utc::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn octets_of_any_number_are_written_in_pairs() {
        for length in 0..70_u8 {
            let octets: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37)).collect();
            let pairs: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(Colons(&octets).to_string(), pairs.join(":"));
            assert_eq!(Hex(&octets).to_string(), pairs.concat());
        }
    }
}
