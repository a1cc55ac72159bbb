//! Which subnets are one network: files join networks and divide them while the server runs.

use super::client::Millis;
use super::dice::Dice;
use std::collections::VecDeque;

/// Workers go over to another file within this time, and what they have said by then has left.
const BEHIND: Millis = 10_000;

/// Subnets, by their numbers, that are one network.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) subnets: Vec<usize>,
}

/// All networks of a file.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) groups: Vec<Group>,
    /// Names that there have been.
    named: u32,
}

impl Layout {
    /// Each of these is a network.
    pub(super) fn new(groups: impl Iterator<Item = (&'static str, Vec<usize>)>) -> Self {
        let group = |(name, subnets): (&str, _)| Group {
            name: name.to_owned(),
            subnets,
        };
        Self {
            groups: groups.map(group).collect(),
            named: 0,
        }
    }

    /// The network of a subnet.
    pub(super) fn of(&self, subnet: usize) -> &Group {
        let mut groups = self.groups.iter();
        let found = groups.find(|group| group.subnets.contains(&subnet));
        found.expect("each subnet is in a network")
    }

    /// Whether both are subnets of one network.
    pub(super) fn is_one(&self, one: usize, other: usize) -> bool {
        self.of(one).subnets.contains(&other)
    }

    /// Another file: a network has another name, is divided, or joined with another one of those
    /// whose subnets are `joinable`.
    pub(super) fn change(&mut self, joinable: impl Fn(usize) -> bool, dice: &mut Dice) {
        self.named += 1;
        let name = format!("again-{}", self.named);
        let those = |which: &dyn Fn(&Group) -> bool| -> Vec<usize> {
            let groups = self.groups.iter().enumerate();
            let groups = groups.filter(|(_, group)| which(group));
            groups.map(|(at, _)| at).collect()
        };
        let joined = those(&|group| group.subnets.iter().all(|subnet| joinable(*subnet)));
        let divided = those(&|group| group.subnets.len() > 1);
        match dice.roll(5) {
            0 | 1 if joined.len() > 1 => {
                let first = dice.index(joined.len());
                let second = (first + 1 + dice.index(joined.len() - 1)) % joined.len();
                self.join((joined[first], joined[second]), name, dice);
            }
            2 | 3 if !divided.is_empty() => self.divide(dice.pick(&divided), name, dice),
            _ => {
                let at = dice.index(self.groups.len());
                self.groups[at].name = name;
            }
        }
        if dice.one_in(2) {
            self.groups.reverse();
        }
    }
}

impl Layout {
    /// Makes one network of two, under the name of either or another one.
    fn join(&mut self, (one, other): (usize, usize), name: String, dice: &mut Dice) {
        let other = self.groups[other].clone();
        let group = &mut self.groups[one];
        group.subnets.extend(&other.subnets);
        match dice.roll(3) {
            0 => group.name = name,
            1 => group.name.clone_from(&other.name),
            _ => {}
        }
        let gone = other.subnets[0];
        self.groups.retain(|group| group.subnets[0] != gone);
    }

    /// Makes two networks of one.
    fn divide(&mut self, at: usize, name: String, dice: &mut Dice) {
        let group = &mut self.groups[at];
        let first = dice.index(group.subnets.len());
        group.subnets.rotate_left(first);
        let left = 1 + dice.index(group.subnets.len() - 1);
        let subnets = group.subnets.split_off(left);
        self.groups.push(Group { name, subnets });
    }
}

/// The layout in force, and those that some worker may still go by.
#[derive(Debug)]
pub(super) struct Layouts {
    pub(super) now: Layout,
    before: VecDeque<(Millis, Layout)>,
}

impl Layouts {
    pub(super) fn new(now: Layout) -> Self {
        Self {
            now,
            before: VecDeque::new(),
        }
    }

    /// Another one is in force from now on.
    pub(super) fn take(&mut self, layout: Layout, now: Millis) {
        let before = std::mem::replace(&mut self.now, layout);
        self.before.retain(|(until, _)| *until > now);
        self.before.push_back((now + BEHIND, before));
    }

    /// What some worker may go by.
    fn all(&self, now: Millis) -> impl Iterator<Item = &Layout> {
        let before = self.before.iter().filter(move |(until, _)| *until > now);
        before.map(|(_, layout)| layout).chain([&self.now])
    }

    /// Whether both may be taken for subnets of one network.
    pub(super) fn may_be_one(&self, subnets: (usize, usize), now: Millis) -> bool {
        self.all(now)
            .any(|layout| layout.is_one(subnets.0, subnets.1))
    }

    /// Whether nobody takes them for anything but subnets of one network.
    pub(super) fn are_one(&self, subnets: (usize, usize), now: Millis) -> bool {
        self.all(now)
            .all(|layout| layout.is_one(subnets.0, subnets.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_each_subnet_is_in_one_network_and_names_are_unique() {
        let mut dice = Dice::new(1);
        let mut layout =
            Layout::new([("a", vec![0]), ("b", vec![1, 2]), ("c", vec![3])].into_iter());
        let (mut joined, mut divided) = (0, 0);
        for _ in 0..1000 {
            let before = layout.groups.len();
            layout.change(|subnet| subnet != 0, &mut dice);
            joined += u32::from(layout.groups.len() < before);
            divided += u32::from(layout.groups.len() > before);
            let mut all: Vec<_> = layout
                .groups
                .iter()
                .flat_map(|g| g.subnets.clone())
                .collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
            let mut names: Vec<_> = layout.groups.iter().map(|g| g.name.clone()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), layout.groups.len());
            assert!(!(1..4).any(|subnet| layout.is_one(0, subnet)));
        }
        assert!(joined > 50 && divided > 50, "{joined} {divided}");
    }

    #[test]
    fn a_former_layout_counts_for_a_while() {
        let apart = || Layout::new([("a", vec![0]), ("b", vec![1])].into_iter());
        let one = Layout::new([("a", vec![0, 1])].into_iter());
        let mut layouts = Layouts::new(apart());
        layouts.take(one, 1000);
        assert!(layouts.may_be_one((0, 1), 1000) && !layouts.are_one((0, 1), 1000));
        assert!(layouts.are_one((0, 1), 1000 + BEHIND));
        layouts.take(apart(), 20_000);
        assert!(layouts.may_be_one((0, 1), 20_000));
        assert!(!layouts.may_be_one((0, 1), 20_000 + BEHIND));
    }
}
