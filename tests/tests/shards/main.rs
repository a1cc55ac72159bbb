//! An address goes from a client of one shard to a client of another while the server dies: after
//! the restart it has one owner, the right one, wherever the log ends and however many shards
//! there are then.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "tests"
)]

mod rounds;
mod world;

use dhcp_proto::binding::BindingState;
use world::{Client, Disk, FIRST, Files, Server, Tail};

/// What the only address of the pool must be after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Leased(Client),
    ReleasedBy(Client),
}

/// A holds the only address, its shard 0; B's shard is 1, and so is the third client's.
struct Story {
    a: Client,
    b: Client,
    third: Client,
    files: Files,
    tail: Tail,
}

impl Story {
    /// A is acknowledged, then A releases and B requests; `commits` names the rings that each
    /// commit of these two records drains. Only the last commit was not acknowledged.
    fn tell(commits: &[&[usize]]) -> Self {
        let (mut server, mut disk) = (Server::new(2, 1), Disk::new());
        let a = Client::of_shard(0, 2).next().unwrap();
        let mut others = Client::of_shard(1, 2);
        let (b, third) = (others.next().unwrap(), others.next().unwrap());
        assert_eq!(server.offer(a), Some(FIRST));
        let ack = server.ack(a, &a.request(FIRST)).unwrap();
        assert!(!server.may_leave(&ack), "nothing is durable yet");
        let (batch, _) = disk.commit(&mut server, &[0, 1]);
        server.publish(&batch);
        assert!(server.may_leave(&ack));

        assert_eq!(server.offer(b), None, "the address is leased");
        assert!(server.send(a, &a.release(FIRST)).is_err());
        assert_eq!(server.offer(b), Some(FIRST));
        let ack = server.ack(b, &b.request(FIRST)).unwrap();
        let (last, before) = commits.split_last().unwrap();
        for order in before {
            let (batch, _) = disk.commit(&mut server, order);
            assert_eq!(batch.count(), 1);
            server.publish(&batch);
        }
        let (batch, tail) = disk.commit(&mut server, last);
        assert_eq!(batch.count() as usize, last.len());
        if last.contains(&1) {
            assert!(!server.may_leave(&ack), "its commit is under way");
        }
        Self {
            a,
            b,
            third,
            files: disk.files(),
            tail,
        }
    }

    /// Ends the segment at each octet of the last batch, and starts with one, two and three
    /// shards from it.
    fn cut_everywhere(&self, torn_to: Right, whole: Right) {
        let Tail { from, to } = self.tail;
        for cut in from..=to + 1 {
            let (records, torn) = self.files.cut(cut);
            assert_eq!(torn, cut > from && cut < to, "cut at {cut} of {from}..{to}");
            let right = if cut < to { torn_to } else { whole };
            for shards in [1, 2, 3] {
                let mut server = Server::restored(shards, 1, &records);
                self.check(&mut server, right);
            }
        }
    }

    fn check(&self, server: &mut Server, right: Right) {
        let (owner, state) = match right {
            Right::Leased(client) => (client, BindingState::Active),
            Right::ReleasedBy(client) => (client, BindingState::Released),
        };
        let holders = server.holders(FIRST);
        assert_eq!(holders, [(owner.identity().to_vec(), state)]);
        let leased = state == BindingState::Active;
        assert_eq!(server.leases(), u64::from(leased));
        if !leased {
            return;
        }
        for client in [self.a, self.b, self.third] {
            let others = client != owner;
            assert_eq!(server.offer(client), (!others).then_some(FIRST));
            for request in [client.request(FIRST), client.renew(FIRST)] {
                let acked = server.ack(client, &request).map(|ack| ack.addr);
                assert_eq!(acked, (!others).then_some(FIRST), "{client:?}");
            }
        }
        assert_eq!(server.leases(), 1);
    }
}

#[test]
fn a_release_and_a_new_request_in_one_commit_leave_the_old_owner_or_the_new_one() {
    for order in [[0, 1], [1, 0]] {
        let story = Story::tell(&[&order]);
        story.cut_everywhere(Right::Leased(story.a), Right::Leased(story.b));
    }
}

#[test]
fn a_new_request_committed_before_the_release_it_follows_leaves_the_new_owner() {
    let story = Story::tell(&[&[1], &[0]]);
    story.cut_everywhere(Right::Leased(story.b), Right::Leased(story.b));
}

#[test]
fn a_new_request_committed_after_the_release_leaves_nobody_or_the_new_owner() {
    let story = Story::tell(&[&[0], &[1]]);
    story.cut_everywhere(Right::ReleasedBy(story.a), Right::Leased(story.b));
}
