//! Sub-options of relay agent information, option 82: RFC 3046 §2.0.

/// Circuit the client is on.
pub const CIRCUIT_ID: u8 = 1;
/// Remote end of that circuit.
pub const REMOTE_ID: u8 = 2;
/// Link the address is for, RFC 3527.
pub const LINK_SELECTION: u8 = 5;
/// Subscriber, RFC 3993.
pub const SUBSCRIBER_ID: u8 = 6;
/// Attributes of RADIUS, RFC 4014.
pub const RADIUS: u8 = 7;
/// Authentication, RFC 4030.
pub const AUTHENTICATION: u8 = 8;
/// Vendor-specific, RFC 4243.
pub const VENDOR_SPECIFIC: u8 = 9;
/// How the client's message reached the relay, RFC 5010.
pub const FLAGS: u8 = 10;
/// Server identifier override, RFC 5107.
pub const SERVER_ID_OVERRIDE: u8 = 11;
/// Relay, RFC 6925.
pub const RELAY_ID: u8 = 12;
/// Port the relay sends from, RFC 8357.
pub const RELAY_SOURCE_PORT: u8 = 19;
/// Virtual subnet, RFC 6607.
pub const VIRTUAL_SUBNET: u8 = 151;
/// Virtual subnet understood, RFC 6607.
pub const VIRTUAL_SUBNET_CONTROL: u8 = 152;

/// The sub-options of a value of option 82, in order: code and data.
///
/// Ends before the first that overruns the value. PAD and END mean nothing here: they are
/// codes as any other (RFC 3046 §2.0).
#[derive(Debug, Clone)]
pub struct SubOptions<'a>(&'a [u8]);

impl<'a> SubOptions<'a> {
    /// The sub-options in `value`, the data of option 82.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The first sub-option with this code, which is the one that counts.
    #[must_use]
    pub fn first(&self, code: u8) -> Option<&'a [u8]> {
        self.clone()
            .find_map(|(found, data)| (found == code).then_some(data))
    }

    /// Whether every octet belongs to a sub-option.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let mut all = self.clone();
        while all.next().is_some() {}
        all.0.is_empty()
    }
}

impl<'a> Iterator for SubOptions<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let [code, len, rest @ ..] = self.0 else {
            return None;
        };
        let (data, rest) = rest.split_at_checked(usize::from(*len))?;
        self.0 = rest;
        Some((*code, data))
    }
}
