//! ISC's `perfdhcp`, of Debian's `kea-admin`: many clients behind a relay, at a given rate.

use std::net::Ipv4Addr;

use crate::lab::{Lab, Namespace};
use crate::process::Process;

/// What it is to do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Number of the first client.
    pub first: u32,
    /// Clients, one after the other and from the beginning again.
    pub clients: u32,
    /// New exchanges a second.
    pub rate: u32,
    /// Renewals a second, of clients that have an address.
    pub renewals: u32,
    /// Releases a second, likewise.
    pub releases: u32,
    /// Seconds.
    pub period: u32,
}

/// It while it runs.
#[derive(Debug)]
pub struct Perfdhcp(Process);

impl Perfdhcp {
    /// Starts it in `namespace`, as the relay `giaddr` there.
    #[must_use]
    pub fn start(
        lab: &Lab,
        namespace: &Namespace,
        (giaddr, server): (Ipv4Addr, Ipv4Addr),
        load: &Load,
    ) -> Self {
        let [a, b, c, d] = load.first.to_be_bytes();
        let mut command = namespace.command("perfdhcp");
        command.args(["-4", "-u", "-l", &giaddr.to_string()]);
        command.arg("-b");
        command.arg(format!("mac=02:50:{a:02x}:{b:02x}:{c:02x}:{d:02x}"));
        command.args(["-R", &load.clients.to_string()]);
        command.args(["-r", &load.rate.to_string()]);
        command.args(["-p", &load.period.to_string()]);
        for (flag, rate) in [("-f", load.renewals), ("-F", load.releases)] {
            if rate > 0 {
                command.args([flag, &rate.to_string()]);
            }
        }
        // A reply is given up after so many seconds, and the last ones are waited for.
        command.args(["-d", "20", "-W", "3000000"]);
        command.arg(server.to_string());
        let log = format!("perfdhcp-{giaddr}.log");
        Self(Process::start(command, &lab.dir().join(log)))
    }

    /// Waits for its end, and says what it has seen.
    pub fn wait(&mut self) -> Report {
        self.0.wait();
        let log = self.0.log();
        Report::read(&log).unwrap_or_else(|| panic!("no report of perfdhcp: {log}"))
    }
}

/// What became of one kind of exchange.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exchanges {
    /// Messages sent.
    pub sent: u64,
    /// Their answers.
    pub received: u64,
    /// Messages without an answer.
    pub drops: u64,
    /// Answers to nothing that was asked: late, double, of another.
    pub orphans: u64,
    /// Answers that grant what was not offered.
    pub rejected: u64,
    /// Addresses that two clients had.
    pub doubled: u64,
}

/// What it says at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// DISCOVER and OFFER.
    pub offers: Exchanges,
    /// REQUEST and ACK of new leases. Its orphans are the ACKs of renewals too: perfdhcp looks for
    /// the exchange of an ACK here first.
    pub acks: Exchanges,
    /// REQUEST and ACK of renewals.
    pub renewals: Exchanges,
    /// RELEASEs, which have no answer.
    pub releases: Exchanges,
}

impl Report {
    fn read(log: &str) -> Option<Self> {
        let part = |name: &str| {
            let head = format!("***Statistics for: {name}***");
            let (_, text) = log.split_once(&head)?;
            let text = text.split("***").next()?;
            Exchanges::read(text)
        };
        Some(Self {
            offers: part("DISCOVER-OFFER")?,
            acks: part("REQUEST-ACK")?,
            renewals: part("REQUEST-ACK (renewal)").unwrap_or_default(),
            releases: part("RELEASE").unwrap_or_default(),
        })
    }

    /// Whether no answer is missing, late, double, or wrong.
    #[must_use]
    pub fn is_faultless(&self) -> bool {
        let all = [self.offers, self.acks, self.renewals];
        let are_sound = all.iter().all(|exchanges| {
            let wrong = (exchanges.drops, exchanges.rejected, exchanges.doubled);
            wrong == (0, 0, 0) && exchanges.sent == exchanges.received
        });
        let orphans = (
            self.offers.orphans,
            self.acks.orphans,
            self.renewals.orphans,
        );
        are_sound && orphans == (0, self.renewals.received, 0)
    }
}

impl Exchanges {
    fn read(text: &str) -> Option<Self> {
        let number = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.get(name.len()..)?.trim().parse().ok()
        };
        Some(Self {
            sent: number("sent packets:")?,
            received: number("received packets:")?,
            drops: number("drops:")?,
            orphans: number("orphans:")?,
            rejected: number("rejected leases:")?,
            doubled: number("non unique addresses:")?,
        })
    }
}
