//! From the values of a line to a row.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use dhcp_proto::address::Generation;
use dhcp_proto::record::{MAX_AGENT_INFO, MAX_IDENTITY, Origin, RecordKind};

use super::column::{Column, kind_of_name};
use super::fault::What;
use super::row::{self, Row};
use crate::control::{State, utc};

/// Most octets of a hardware address, RFC 2131 §2.
const MAX_CHADDR: usize = 16;
/// The last second of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;
/// The largest VLAN tag.
const MAX_VID: u64 = 4095;

/// The values of a line, each by its column; `None` where the column is missing, empty where
/// there is nothing.
#[derive(Debug)]
pub(super) struct Cells<'c>([Option<Cow<'c, str>>; Column::ALL.len()]);

/// What is wrong with a value.
pub(super) type Wrong = (Option<Column>, What);

impl<'c> Cells<'c> {
    pub(super) const fn new() -> Self {
        Self([const { None }; Column::ALL.len()])
    }

    /// Fills in a value.
    pub(super) fn put(&mut self, column: Column, text: Cow<'c, str>) -> Result<(), Wrong> {
        let cell = self.0.get_mut(column as usize);
        let before = cell.and_then(|cell| cell.replace(text));
        match before {
            Some(_) => Err((Some(column), What::Doubled)),
            None => Ok(()),
        }
    }

    fn text(&self, column: Column) -> &str {
        let cell = self.0.get(column as usize);
        cell.and_then(Option::as_deref).unwrap_or("")
    }

    fn is_missing(&self, column: Column) -> bool {
        self.0.get(column as usize).is_none_or(Option::is_none)
    }

    /// The row that they are, or all that is wrong.
    pub(super) fn row(&self) -> Result<Row, Vec<Wrong>> {
        let mut reader = Reader {
            cells: self,
            wrong: Vec::new(),
        };
        let row = reader.row();
        match row {
            Some(row) if reader.wrong.is_empty() => Ok(row),
            Some(_) | None => Err(reader.wrong),
        }
    }
}

struct Reader<'r> {
    cells: &'r Cells<'r>,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn row(&mut self) -> Option<Row> {
        for column in Column::ALL {
            if column.is_needed() && self.cells.is_missing(column) {
                self.wrong.push((Some(column), What::Missing));
            }
        }
        if !self.wrong.is_empty() {
            return None;
        }
        let addr = self.value(Column::Address, "an IPv4 address", parsed);
        let space = self.number(Column::Space, u16::MAX.into(), 0);
        let kind = self.value(Column::Kind, KIND, kind);
        let identity = self.identity();
        let chaddr = self.value(Column::HwAddress, HW_ADDRESS, |text| {
            octets(text, MAX_CHADDR)
        });
        let ethernet = chaddr.as_ref().is_some_and(|chaddr| !chaddr.is_empty());
        let htype = self.number(Column::HwType, u8::MAX.into(), ethernet.into());
        let time = self.time(Column::Since);
        let expiry = match self.cells.text(Column::Expires) {
            "" => Some(u64::MAX),
            _ => self.time(Column::Expires),
        };
        let lease = self.needed(Column::LeaseTime, u32::MAX.into());
        let most = Generation::LAST.number();
        let generation = self.number(Column::Generation, most, 1);
        let giaddr = match self.cells.text(Column::Relay) {
            "" => Some(Ipv4Addr::UNSPECIFIED),
            _ => self.value(Column::Relay, "an IPv4 address", parsed),
        };
        let port = self.number(Column::Port, u8::MAX.into(), 0);
        let outer_vid = self.number(Column::OuterVlan, MAX_VID, 0);
        let inner_vid = self.number(Column::InnerVlan, MAX_VID, 0);
        let agent_info = self.value(Column::AgentInfo, AGENT_INFO, |text| {
            octets(text, MAX_AGENT_INFO)
        });
        let row = Row {
            kind: kind?,
            space: space?.try_into().ok()?,
            addr: addr?,
            generation: generation?,
            time: time?,
            expiry: expiry?,
            lease: lease?.try_into().ok()?,
            origin: Origin {
                port: port?.try_into().ok()?,
                outer_vid: outer_vid?.try_into().ok()?,
                inner_vid: inner_vid?.try_into().ok()?,
            },
            giaddr: giaddr?,
            identity: identity?,
            htype: htype?.try_into().ok()?,
            chaddr: chaddr?,
            agent_info: agent_info?,
        };
        self.check(&row);
        Some(row)
    }

    /// What the row says as a whole.
    fn check(&mut self, row: &Row) {
        let of_client = matches!(row.kind, RecordKind::Active | RecordKind::Released)
            || row::is_reservation(row.kind);
        if of_client && row.identity.is_empty() {
            let wrong = (Some(Column::IdentityType), What::NeedsClient);
            self.wrong.push(wrong);
        }
        let expires = match row.expiry {
            u64::MAX => String::new(),
            expiry => utc(expiry),
        };
        self.follows(Column::SinceUtc, &utc(row.time));
        self.follows(Column::ExpiresUtc, &expires);
        // The state depends on the moment of the export too.
        let found = self.cells.text(Column::State);
        let states = [true, false].map(|ended| State::of(row.kind, ended));
        let fits = |state: &Option<State>| state.map_or("", State::as_str) == found;
        if !found.is_empty() && !states.iter().any(fits) {
            let due = states.map(|state| state.map_or("", State::as_str));
            let what = contradicts(found, due[0]);
            self.wrong.push((Some(Column::State), what));
        }
    }

    /// Checks a column that may be empty and otherwise follows from others.
    fn follows(&mut self, column: Column, due: &str) {
        let found = self.cells.text(column);
        if !found.is_empty() && found != due {
            self.wrong.push((Some(column), contradicts(found, due)));
        }
    }

    fn identity(&mut self) -> Option<Vec<u8>> {
        let kind = match self.cells.text(Column::IdentityType) {
            "" => None,
            _ => Some(self.value(Column::IdentityType, IDENTITY_TYPE, kind_of_name)?),
        };
        let most = MAX_IDENTITY - 1;
        let rest = self.value(Column::Identity, IDENTITY, |text| octets(text, most))?;
        match kind {
            Some(kind) => Some([vec![kind], rest].concat()),
            None if rest.is_empty() => Some(rest),
            None => {
                let wrong = (Some(Column::IdentityType), What::NeedsClient);
                self.wrong.push(wrong);
                None
            }
        }
    }

    fn time(&mut self, column: Column) -> Option<u64> {
        self.needed(column, LAST_SECOND)
    }

    /// A number, or `usual` where there is none.
    fn number(&mut self, column: Column, most: u64, usual: u64) -> Option<u64> {
        if self.cells.text(column).is_empty() {
            return Some(usual);
        }
        self.needed(column, most)
    }

    fn needed(&mut self, column: Column, most: u64) -> Option<u64> {
        let number = self.value(column, "a whole number", number)?;
        if number > most {
            let what = What::Range {
                found: number,
                most,
            };
            self.wrong.push((Some(column), what));
            return None;
        }
        Some(number)
    }

    fn value<T>(
        &mut self,
        column: Column,
        due: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.cells.text(column);
        let value = read(text);
        if value.is_none() {
            self.wrong.push((Some(column), malformed(text, due)));
        }
        value
    }
}

const KIND: &str = "a kind of record: active, released, ended, declined, set-aside, \
                    probation-ended, reservation-added or reservation-removed";
const IDENTITY_TYPE: &str = "client-id, chaddr, circuit, circuit+client, relay+circuit, \
                             remote-id or a number up to 255";
const IDENTITY: &str = "up to 255 octets such as 01:02:00:00:00:00:05";
const HW_ADDRESS: &str = "a hardware address of up to 16 octets such as 02:00:00:00:00:05";
const AGENT_INFO: &str = "up to 512 octets in hexadecimal";

/// What an operator is shown of a value that is wrong.
pub(super) fn malformed(found: &str, due: &'static str) -> What {
    let found = found.chars().take(40).collect();
    What::Malformed { found, due }
}

fn contradicts(found: &str, due: &str) -> What {
    What::Contradicts {
        found: found.chars().take(40).collect(),
        due: due.to_owned(),
    }
}

fn kind(text: &str) -> Option<RecordKind> {
    let mut kinds = RecordKind::ALL.into_iter();
    kinds.find(|kind| kind.name() == text && *kind != RecordKind::Time)
}

pub(super) fn parsed(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// Digits alone: what `parse` takes beyond, such as a sign, is not taken.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Octets in hexadecimal, with colons or without.
pub(super) fn octets(text: &str, most: usize) -> Option<Vec<u8>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let octets: Option<Vec<_>> = if text.contains(':') {
        text.split(':').map(|pair| octet(pair.as_bytes())).collect()
    } else {
        text.as_bytes().chunks(2).map(octet).collect()
    };
    octets.filter(|octets| octets.len() <= most)
}

fn octet(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let digit = |octet: &u8| char::from(*octet).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
