//! Reservations that are made and taken away while workers serve, and what a restart and a reload
//! make of them.

use crate::frames::{Client, client};
use crate::rig::{self, spec};
use crate::team::{Size, Team};
use dhcp_proto::address::Space;
use dhcp_proto::config::{PoolSpec, Reservation, Spec};
use dhcp_wire::dhcp::MessageType;
use lessor::appliance::reservations::{Book, Keeper};
use lessor::config::ClientText;
use lessor::control::{ReservationOutcome, ReservationPage, ReservationRow, Source};
use lessor::dataplane::clock::unix_seconds;
use lessor::dataplane::subscription::NotTaken;
use lessor::store::{CommitOptions, Committer, Log, LogOptions, NullStore, Recovered, Store, ring};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

const HOME: Space = Space(0);
/// Outside of the pool, and inside.
const KEPT: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 5), Ipv4Addr::new(10, 0, 0, 12)];

/// The home has ten addresses.
fn small() -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets.truncate(1);
    home.subnets[0].pools = vec![PoolSpec {
        first: [10, 0, 0, 10].into(),
        last: [10, 0, 0, 19].into(),
    }];
    spec
}

fn hardware(client: &Client) -> ClientText {
    let octets = client.mac.0.map(|octet| format!("{octet:02x}"));
    ClientText {
        hw_address: Some(octets.join(":")),
        ..ClientText::default()
    }
}

/// Workers, and who reserves.
struct Office {
    team: Team,
    keeper: Keeper,
    committer: Committer,
}

impl Office {
    fn new(workers: u8) -> Self {
        Self::with(
            Team::new(Size::of(workers), small()),
            NullStore::new(),
            Book::default(),
        )
    }

    fn with(team: Team, engine: impl Store + 'static, book: Book) -> Self {
        let (journal, drain) = ring(1024);
        let committer = Committer::start(engine, vec![drain], CommitOptions::default()).unwrap();
        let publisher = Arc::clone(&team.publisher);
        let keeper = Keeper::new(publisher, unix_seconds, journal, book);
        Self {
            team,
            keeper,
            committer,
        }
    }

    /// As the appliance starts: with what the store at `path` has.
    fn on(path: &Path, workers: u8) -> Self {
        let (recovered, mut log) = Log::open(path, LogOptions::default()).unwrap();
        let book = book_of(&recovered);
        let team = Team::new(Size::of(workers), small());
        let published = team.publisher.amend::<NotTaken>(|old| {
            let (config, against) = book.apply(&old.config);
            assert!(against.is_empty(), "{against:?}");
            Ok(rig::amended(old, config))
        });
        published.unwrap();
        log.keep_house(recovered).unwrap();
        let mut office = Self::with(team, log, book);
        office.team.pass(1);
        office
    }

    /// Changes something while the workers do their housekeeping.
    fn change(
        &mut self,
        change: impl FnOnce(&Keeper) -> ReservationOutcome + Send,
    ) -> ReservationOutcome {
        let Self { team, keeper, .. } = self;
        thread::scope(|scope| {
            let keeper = &*keeper;
            let changing = scope.spawn(move || change(keeper));
            while !changing.is_finished() {
                team.housekeep();
                thread::yield_now();
            }
            changing.join().unwrap()
        })
    }

    fn add(&mut self, addr: Ipv4Addr, client: &Client) -> ReservationOutcome {
        let text = hardware(client);
        self.change(|keeper| keeper.add(HOME, addr, &text))
    }

    fn remove(&mut self, addr: Ipv4Addr) -> ReservationOutcome {
        self.change(|keeper| keeper.remove(HOME, addr))
    }

    fn offered(&mut self, client: &Client) -> Ipv4Addr {
        let discover = client.clone().discover();
        self.team.give(0, &discover.frame());
        self.team.settle();
        // The first DISCOVER may only have asked another worker for the address.
        let offer = match self.team.replies().pop() {
            Some((_, offer)) => offer,
            None => self.team.ask(0, &discover).1,
        };
        assert_eq!(offer.kind, MessageType::Offer);
        offer.yiaddr
    }

    fn lease(&mut self, client: &Client) -> Ipv4Addr {
        let addr = self.offered(client);
        let (_, ack) = self.team.ask(0, &client.clone().request(addr));
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, addr));
        addr
    }

    fn rows(&self) -> Vec<ReservationRow> {
        self.keeper.page(&ReservationPage::default())
    }
}

fn book_of(recovered: &Recovered) -> Book {
    let mut book = Book::default();
    recovered
        .for_each_newest(|_, record| book.note(record))
        .unwrap();
    book
}

fn done(outcome: ReservationOutcome) -> ReservationRow {
    let ReservationOutcome::Done { reservation } = outcome else {
        panic!("{outcome:?}");
    };
    reservation
}

fn refused(outcome: ReservationOutcome) -> String {
    let ReservationOutcome::Refused { why } = outcome else {
        panic!("{outcome:?}");
    };
    why
}

#[test]
fn the_next_packet_after_the_answer_sees_a_reservation_come_and_go() {
    for workers in 1..=3 {
        for addr in KEPT {
            let mut office = Office::new(workers);
            let (owner, other) = (client(1), client(2));
            let row = done(office.add(addr, &owner));
            assert_eq!(
                (row.address, row.source, row.holds),
                (addr, Source::Runtime, true)
            );
            assert_eq!(office.lease(&owner), addr);
            assert_ne!(office.offered(&other), addr);
            done(office.remove(addr));
            assert_ne!(office.offered(&client(3)), addr);
            assert!(office.rows().is_empty());
            office.team.is_sound();
        }
    }
}

#[test]
fn an_address_goes_from_the_free_ones_to_its_owner_and_back() {
    for workers in 1..=3 {
        let mut office = Office::new(workers);
        let kept = Ipv4Addr::new(10, 0, 0, 15);
        done(office.add(kept, &client(99)));
        let given: Vec<_> = (0..9).map(|n| office.lease(&client(n))).collect();
        assert!(!given.contains(&kept), "{given:?}");
        office.team.give(0, &client(20).discover().frame());
        office.team.settle();
        assert!(
            office.team.replies().is_empty(),
            "there is no tenth address for others"
        );
        done(office.remove(kept));
        assert_eq!(office.offered(&client(20)), kept);
        office.team.is_sound();
    }
}

#[test]
fn c178_whoever_has_a_lease_of_the_address_is_refused_before_its_owner_gets_it() {
    for workers in 1..=3 {
        for owner in 2..6 {
            let mut office = Office::new(workers);
            let user = client(1);
            let addr = office.lease(&user);
            done(office.add(addr, &client(owner)));
            assert_ne!(office.offered(&client(owner)), addr);
            let (_, nak) = office.team.ask(0, &user.clone().renew(addr));
            assert_eq!(nak.kind, MessageType::Nak);
            assert_eq!(office.offered(&client(owner)), addr);
            office.team.is_sound();
        }
    }
}

#[test]
fn a_restart_has_what_was_answered_and_nothing_that_was_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let [outside, inside] = KEPT;
    let mut office = Office::on(dir.path(), 2);
    done(office.add(outside, &client(1)));
    done(office.add(inside, &client(2)));
    let gone = Ipv4Addr::new(10, 0, 0, 6);
    done(office.add(gone, &client(3)));
    done(office.remove(gone));
    let rows = office.rows();
    assert_eq!(rows.len(), 2);
    let Office { committer, .. } = office;
    assert_eq!(committer.stop().unwrap().unwritten, 0);
    for workers in [3, 1] {
        let mut office = Office::on(dir.path(), workers);
        assert_eq!(office.rows(), rows);
        assert_eq!(office.lease(&client(1)), outside);
        assert_eq!(office.lease(&client(2)), inside);
        assert_ne!(office.offered(&client(3)), gone);
        office.team.is_sound();
        drop(office);
    }
}

#[test]
fn the_file_wins_when_it_is_loaded_again_and_gives_way_when_it_says_nothing_any_more() {
    let mut office = Office::new(2);
    let (addr, other) = (KEPT[0], Ipv4Addr::new(10, 0, 0, 7));
    done(office.add(addr, &client(1)));
    done(office.add(other, &client(2)));
    let identity = [&[2, 1][..], &client(9).mac.0].concat();
    let mut with_own = small();
    with_own.networks[0]
        .reservations
        .push(Reservation::new(&identity, addr));
    reload(&mut office, with_own);
    assert_eq!(office.lease(&client(9)), addr);
    assert_ne!(office.offered(&client(1)), addr);
    assert_eq!(office.offered(&client(2)), other);
    let held: Vec<_> = office
        .rows()
        .iter()
        .map(|r| (r.address, r.source, r.holds))
        .collect();
    let runtime = Source::Runtime;
    let expected = [
        (addr, runtime, false),
        (addr, Source::File, true),
        (other, runtime, true),
    ];
    assert_eq!(held, expected);
    let why = refused(office.add(addr, &client(3)));
    assert!(why.contains("reserved already"), "{why}");
    reload(&mut office, small());
    let (_, nak) = office.team.ask(0, &client(9).renew(addr));
    assert_eq!(nak.kind, MessageType::Nak);
    assert_eq!(office.lease(&client(1)), addr);
    office.team.is_sound();
}

/// As `lessor reload` does it.
fn reload(office: &mut Office, spec: Spec) {
    let (team, keeper) = (&mut office.team, &office.keeper);
    let published = team.publisher.publish::<NotTaken>(|previous, done| {
        let new = rig::successor(spec, previous, done);
        let config = keeper.apply(&new.config);
        Ok(rig::amended(&new, config))
    });
    published.unwrap();
    team.pass(1);
    assert!(team.publisher.tend());
}

#[test]
fn what_cannot_be_reserved_is_refused_by_name_and_nothing_is_changed() {
    let mut own = small();
    let identity = [&[2, 1][..], &client(9).mac.0].concat();
    own.networks[0]
        .reservations
        .push(Reservation::new(&identity, [10, 0, 0, 50].into()));
    let team = Team::new(Size::of(1), own);
    let mut office = Office::with(team, NullStore::new(), Book::default());
    done(office.add(KEPT[0], &client(1)));
    let before = office.rows();
    for (addr, n, says) in [
        ([10, 0, 0, 5], 2, "10.0.0.5 is reserved already, for hw "),
        ([10, 0, 0, 5], 1, "10.0.0.5 is reserved already, for hw "),
        (
            [10, 0, 0, 6],
            1,
            "this client has the reservation of 10.0.0.5",
        ),
        (
            [10, 0, 0, 50],
            2,
            "10.0.0.50 is reserved in the configuration file",
        ),
        (
            [10, 0, 0, 51],
            9,
            "the configuration file reserves 10.0.0.50 for this client",
        ),
        (
            [10, 0, 0, 0],
            3,
            "10.0.0.0 is the network or broadcast address",
        ),
        (
            [10, 0, 0, 255],
            3,
            "10.0.0.255 is the network or broadcast address",
        ),
        ([10, 0, 0, 1], 3, "10.0.0.1 is the appliance's own address"),
        ([192, 0, 2, 1], 3, "192.0.2.1 is in no subnet of space 0"),
    ] {
        let why = refused(office.add(addr.into(), &client(n)));
        assert!(why.starts_with(says), "{why}");
    }
    let nobody = ClientText::default();
    let why = refused(office.change(|keeper| keeper.add(HOME, [10, 0, 0, 9].into(), &nobody)));
    assert!(why.starts_with("must have exactly one of"), "{why}");
    let why = refused(office.remove([10, 0, 0, 50].into()));
    assert!(why.contains("remove it there, and reload"), "{why}");
    let unknown = office.remove([10, 0, 0, 9].into());
    assert!(
        matches!(unknown, ReservationOutcome::Unknown { .. }),
        "{unknown:?}"
    );
    assert_eq!(office.rows(), before);
}
