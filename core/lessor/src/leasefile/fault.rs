//! What is wrong with a file, and where.

use std::fmt;
use std::net::Ipv4Addr;

use super::VERSION;
use super::column::Column;
use super::lines::MAX_LINE;
use crate::control::utc;

/// Something that keeps a file from being imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1 on.
    pub line: u64,
    /// The column, if it is one's.
    pub column: Option<&'static str>,
    /// What is wrong there, and often what to do.
    pub what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// There is no line at all.
    #[error("the file is empty")]
    Empty,
    /// A line without an end.
    #[error("the file is cut off in this line")]
    CutOff,
    /// The file ends at a line's border and has no end mark.
    #[error(
        "the file ends without its end mark after {0} rows: it is cut off; if it was made or \
         filtered by hand, pass --no-end-mark"
    )]
    NoEnd(u64),
    /// The end mark counts otherwise.
    #[error(
        "the end mark says {said} rows and {came} came; if rows were added or taken out by hand, \
         take out this line too and pass --no-end-mark"
    )]
    Count {
        /// What the end mark says.
        said: u64,
        /// How many there are.
        came: u64,
    },
    /// Something follows the end mark.
    #[error("there is a row behind the end mark of line {0}")]
    BehindEnd(u64),
    /// An end mark that is none.
    #[error("is no end mark")]
    BadEnd,
    /// Written by a newer release.
    #[error("the file has version {0}, this release knows {VERSION}")]
    Version(u64),
    /// More octets than any row has.
    #[error("the line has more than {MAX_LINE} octets")]
    TooLong,
    /// Not UTF-8.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// Not a JSON object.
    #[error("is not a JSON object: {0}")]
    NotJson(String),
    /// A quote that is not closed in its line, or a stray end of line.
    #[error("a quote is not closed, or a carriage return stands inside the line")]
    Quote,
    /// More or fewer values than names.
    #[error("has {found} values, the line of names has {due}")]
    Width {
        /// Values in the line.
        found: usize,
        /// Names in the first line.
        due: usize,
    },
    /// A name that no column has.
    #[error("unknown column `{0}`{hint}", hint = hint(.0))]
    Unknown(String),
    /// A column that must be there is not.
    #[error("the column is missing")]
    Missing,
    /// The same column twice.
    #[error("the column is there twice")]
    Doubled,
    /// A value of another type or form.
    #[error("`{found}` is not {due}")]
    Malformed {
        /// What stands there.
        found: String,
        /// What should.
        due: &'static str,
    },
    /// A number above its bound.
    #[error("{found} is above {most}")]
    Range {
        /// The number.
        found: u64,
        /// The bound.
        most: u64,
    },
    /// A value that must not be empty.
    #[error("must not be empty for this kind of row")]
    NeedsClient,
    /// A column that follows from others does not.
    #[error(
        "`{found}` contradicts the rest of the row, which says `{due}`; mend it or leave it empty"
    )]
    Contradicts {
        /// What stands there.
        found: String,
        /// What follows from the other columns.
        due: String,
    },
    /// A time that is still to come.
    #[error("{} is in the future", utc(*.0))]
    Future(u64),
    /// The address has another row.
    #[error("{addr} has a row already, in line {line}")]
    Twice {
        /// The address.
        addr: Ipv4Addr,
        /// Its other line.
        line: u64,
    },
    /// No network has the address.
    #[error(
        "{addr} is in no configured network of space {space}; --allow-outside takes it all the same"
    )]
    Outside {
        /// The address.
        addr: Ipv4Addr,
        /// Its space.
        space: u16,
    },
    /// The address is the appliance's.
    #[error("{0} is the appliance's own address")]
    Own(Ipv4Addr),
    /// The configuration keeps the address for somebody else.
    #[error("{0} is reserved for another client in the configuration")]
    Reserved(Ipv4Addr),
    /// Another row reserves the address for somebody else.
    #[error("{addr} is reserved for another client, in {by}")]
    ReservedAgain {
        /// The address.
        addr: Ipv4Addr,
        /// Where.
        by: Where,
    },
    /// The client has another lease on the network.
    #[error(
        "the client has {addr} leased on network `{network}`, in {by}; it can have only one lease there"
    )]
    SecondLease {
        /// The address it has.
        addr: Ipv4Addr,
        /// The network.
        network: String,
        /// Where that is said.
        by: Where,
    },
    /// The store has the address in use by somebody else.
    #[error("{addr} is {state} for another client in the store, {}", until(*.expiry))]
    Held {
        /// The address.
        addr: Ipv4Addr,
        /// Its state there.
        state: &'static str,
        /// Until when, Unix seconds.
        expiry: u64,
    },
    /// The store knows something newer.
    #[error("the store has a newer record of {addr}, of {}; --skip-older leaves such rows out", utc(*.since))]
    Older {
        /// The address.
        addr: Ipv4Addr,
        /// Time of the store's record, Unix seconds.
        since: u64,
    },
    /// The generations of the address are used up.
    #[error("the store has the last possible generation of {0}")]
    Exhausted(Ipv4Addr),
    /// The network knows its clients by something that the file does not have.
    #[error("network `{0}` knows its clients by their circuit, which Kea's file does not have")]
    ByCircuit(String),
    /// Nothing to know the client by.
    #[error("the lease has neither hardware address nor client-id that network `{0}` could use")]
    Nobody(String),
}

/// Where something is said that contradicts a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In this line of the file.
    Line(u64),
    /// In the store.
    Store,
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Store => f.write_str("the store"),
        }
    }
}

fn hint(column: &str) -> &'static str {
    match column {
        "hwaddr" | "valid_lifetime" | "subnet_id" => "; for Kea's lease file say --format kea-csv",
        _ => "",
    }
}

fn until(expiry: u64) -> String {
    match expiry {
        u64::MAX => "for ever".to_owned(),
        expiry => format!("until {}", utc(expiry)),
    }
}

impl Fault {
    pub(super) fn new(line: u64, column: Option<Column>, what: What) -> Self {
        Self {
            line,
            column: column.map(Column::name),
            what,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(column) = self.column {
            write!(f, "{column}: ")?;
        }
        write!(f, "{}", self.what)
    }
}
