//! What octets say is done to a store: by the server, and to its files behind its back.

use super::damage;
use super::input::Input;
use super::{commit, known, rest};
use crate::store::Store as _;
use crate::store::log::house::Housekeeper;
use crate::store::log::{Log, LogOptions};
use crate::store::medium::memory::MemoryMedium;
use core::net::Ipv4Addr;
use dhcp_proto::record::{Cause, Origin, Record, RecordKind};

/// Most things that are done in one run.
const MOST_STEPS: usize = 48;

/// What is told about an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    pub(super) kind: RecordKind,
    pub(super) space: u16,
    pub(super) addr: u32,
    pub(super) generation: u64,
    pub(super) client: u8,
    /// Octets of option 82.
    pub(super) agent: usize,
}

impl Default for Statement {
    fn default() -> Self {
        Self {
            kind: RecordKind::Active,
            space: 0,
            addr: 0,
            generation: 1,
            client: 1,
            agent: 0,
        }
    }
}

/// The record that says so.
pub(super) fn statement(told: Statement, take: impl FnOnce(&Record<'_>)) {
    let identity = [told.client; 20];
    let agent = [told.client; 512];
    take(&Record {
        kind: told.kind,
        cause: Cause::Unsaid,
        space: told.space,
        addr: Ipv4Addr::from_bits(told.addr),
        generation: told.generation,
        time: 1_800_000_000 + told.generation,
        expiry: 1_800_003_600,
        lease: 3600,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &identity,
        htype: 1,
        chaddr: &identity[..6],
        agent_info: agent.get(..told.agent).unwrap_or_default(),
    });
}

/// The machine that a program runs on.
struct Machine {
    disk: MemoryMedium,
    options: LogOptions,
    /// The log and its housekeeper, while the server runs.
    server: Option<(Log<MemoryMedium>, Housekeeper<MemoryMedium>)>,
    /// The disk as it was once, to take files from.
    copy: MemoryMedium,
}

/// Runs the program in `input`, and hands over the disk that it leaves.
pub(super) fn run(input: &mut Input<'_>, options: LogOptions) -> MemoryMedium {
    let mut machine = Machine {
        disk: MemoryMedium::default(),
        options,
        server: None,
        copy: MemoryMedium::default(),
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        let step = input.octet();
        if step < 0x80 {
            machine.server_step(step, input);
        } else {
            machine.server = None;
            damage::apply(step & 0x7f, &machine.disk, &machine.copy, input);
        }
    }
    machine.disk
}

impl Machine {
    fn server_step(&mut self, step: u8, input: &mut Input<'_>) {
        match step & 7 {
            3 => self.keep_house(input.octet() % 64),
            4 => self.stop(),
            5 => {
                self.server = None;
                self.disk = self.disk.after_kill();
            }
            6 => {
                self.server = None;
                let mut keep = input.octet();
                self.disk = self.disk.after_power_cut(|| {
                    keep = keep.rotate_left(1);
                    keep & 1 != 0
                });
            }
            7 if step & 8 == 0 => self.copy = self.disk.after_kill(),
            7 => {
                // Another store altogether, beside the one that goes on.
                self.server = None;
                core::mem::swap(&mut self.disk, &mut self.copy);
            }
            _ => self.commit(step, input),
        }
    }

    /// Starts the server, if it can be started.
    fn start(&mut self) {
        if self.server.is_some() {
            return;
        }
        let Ok((recovered, mut log)) = Log::open_on(self.disk.clone(), self.options) else {
            return;
        };
        if known(&recovered).is_ok() {
            let house = log.housekeeper(recovered);
            self.server = Some((log, house));
        }
    }

    fn commit(&mut self, step: u8, input: &mut Input<'_>) {
        self.start();
        let Some((log, _)) = &mut self.server else {
            return;
        };
        let [count, addr, generation] = [input.octet(), input.octet(), input.octet()];
        let kind = match step >> 3 {
            kind @ 1..9 => RecordKind::from_number(kind + 1),
            _ => None,
        };
        let agent = if count & 0x80 == 0 { 0 } else { 512 };
        let batch: Vec<_> = (0..=u32::from(count % 32))
            .map(|i| Statement {
                kind: kind.unwrap_or(RecordKind::Active),
                space: u16::from(addr >> 7),
                addr: u32::from(addr & 0x3f) + i * 3 % 64,
                generation: u64::from(generation),
                client: generation ^ addr,
                agent,
            })
            .collect();
        commit(log, &batch);
    }

    fn keep_house(&mut self, steps: u8) {
        self.start();
        if let Some((_, house)) = &mut self.server {
            for _ in 0..steps {
                house.step();
            }
        }
    }

    fn stop(&mut self) {
        self.start();
        if let Some((mut log, mut house)) = self.server.take() {
            log.close().unwrap();
            rest(&mut house);
        }
    }
}
