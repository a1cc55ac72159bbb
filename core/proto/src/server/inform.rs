//! DHCPINFORM, RFC 2131 §4.3.5: configuration without a lease.

use super::plan::{Outcome, Plan, ReplyKind};
use super::silence::Silence;
use super::turn::Turn;
use crate::record::Journal;
use crate::rule::Rule;
use core::net::Ipv4Addr;

impl<J: Journal> Turn<'_, J> {
    /// Allocates nothing and looks for no lease (C69).
    pub(super) fn on_inform(&mut self) -> Outcome {
        // C71: as C40.
        if self.query.server_id().is_some_and(|id| !self.is_us(id)) {
            return Silence::OtherServer.into();
        }
        let addressing = self.addressing();
        let (destination, to_relay) = match addressing.of_inform() {
            Ok(found) => found,
            Err(reason) => return reason.into(),
        };
        let near = self.query.ciaddr().unwrap_or(destination.addr);
        Ok(Plan {
            kind: ReplyKind::Ack,
            rule: Rule::Informed,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            ciaddr: self.query.message.ciaddr(),
            lease: None,
            renewal: None,
            place: self.query.place(),
            server_id: self
                .override_for(None)
                .unwrap_or_else(|| addressing.server_id(self.subnet, near)),
            destination,
            echo_agent_info: to_relay,
            subnet_selection: self.query.subnet_selection,
            wait: None,
        })
        .into()
    }
}
