//! Option 82 of a message, where it may decide anything: RFC 3046 and what has come to it.

use super::query::Query;
use crate::circuit;
use crate::identity::Identity;
use crate::record::MAX_AGENT_INFO;
use dhcp_wire::dhcp::agent::SubOptions;
use dhcp_wire::dhcp::{Options, Value, code};

/// The value of an option 82 that is trusted.
#[derive(Debug, Clone, Copy)]
pub struct AgentInfo<'a>(Value<'a>);

impl<'a> AgentInfo<'a> {
    /// Option 82 of a message, unless it is hearsay (C160).
    #[must_use]
    pub fn of(options: &Options<'a>, trusted: bool) -> Option<Self> {
        let value = trusted.then(|| options.get(code::AGENT_INFO))?;
        value.map(Self)
    }

    /// What `then` makes of its sub-options; `None` too if several instances make more than a
    /// binding stores.
    #[inline]
    pub fn read<T>(&self, then: impl FnOnce(SubOptions<'_>) -> Option<T>) -> Option<T> {
        match self.0.contiguous() {
            Some(octets) => then(SubOptions::new(octets)),
            None => self.joined(then),
        }
    }

    /// RFC 3396 §5: it may be split anywhere.
    #[cold]
    fn joined<T>(&self, then: impl FnOnce(SubOptions<'_>) -> Option<T>) -> Option<T> {
        let mut room = [0; MAX_AGENT_INFO];
        let len = self.0.copy_to(&mut room)?;
        then(SubOptions::new(room.get(..len)?))
    }
}

impl<'a> Query<'a> {
    /// Its option 82, if that may decide anything.
    #[must_use]
    pub fn agent_info(&self) -> Option<AgentInfo<'a>> {
        AgentInfo::of(&self.options, self.trusted)
    }

    /// The circuit it came by, as what is kept by circuit is keyed (C175).
    #[must_use]
    pub fn circuit(&self) -> Option<Identity> {
        let giaddr = self.message.giaddr();
        self.agent_info()?
            .read(|info| circuit::circuit(giaddr, &info))
    }
}
