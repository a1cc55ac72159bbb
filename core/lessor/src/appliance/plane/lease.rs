//! A lease as a worker knows it, in an operator's words.

use dhcp_proto::binding::BindingState;
use dhcp_proto::record::{Cause, Record, RecordKind};
use dhcp_proto::shard::BindingView;

use crate::control::{Lease, State};

/// What a worker's view of an address says; nothing if it is no lease and never was.
pub(super) fn lease_of(space: u16, view: &BindingView) -> Option<Lease> {
    let (kind, state) = match view.state {
        BindingState::Active => (RecordKind::Active, State::Active),
        BindingState::Expired => (RecordKind::Active, State::Expired),
        BindingState::Released => (RecordKind::Released, State::Released),
        BindingState::Abandoned if view.agent_info().is_empty() => {
            (RecordKind::SetAside, State::Abandoned)
        }
        BindingState::Abandoned => (RecordKind::Declined, State::Abandoned),
        BindingState::Available | BindingState::Offered => return None,
    };
    // Of an address set aside the client is who declined it.
    let aside = state == State::Abandoned;
    let record = Record {
        kind,
        cause: Cause::Unsaid,
        space,
        addr: view.addr,
        generation: 0,
        time: view.started,
        expiry: view.until,
        lease: view.lease,
        origin: view.origin,
        giaddr: view.giaddr,
        identity: if aside {
            view.agent_info()
        } else {
            view.identity()
        },
        htype: view.htype,
        chaddr: view.chaddr(),
        agent_info: if aside { &[] } else { view.agent_info() },
    };
    let lease = Lease::new(&record, 0)?;
    Some(Lease { state, ..lease })
}
