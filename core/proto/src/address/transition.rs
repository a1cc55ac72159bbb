//! The transition table of the address words as data. What is not here does not happen.

use super::word::AddressState::{self, Bound, Free, Held, Remembered, SetAside};
use crate::record::RecordKind::{self, Active, Declined, Ended, ProbationEnded, Released};

/// Who may take a step, and by which operation of a [`super::Cell`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// Any worker, the old owner as well: [`super::Cell::claim`], by compare-and-swap.
    Anyone,
    /// The worker that the word names, as its owner: [`super::Cell::advance`].
    Owner,
    /// The worker that the word names, which is its owner no more: [`super::Cell::forget`], by
    /// compare-and-swap.
    OldOwner,
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Anyone, Self::Owner, Self::OldOwner];
}

/// What a step does to the generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// It stays.
    Kept,
    /// The next one begins.
    Next,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that is left.
    pub from: AddressState,
    /// Who may.
    pub who: Who,
    /// The state that is entered.
    pub to: AddressState,
    /// What becomes of the generation.
    pub generation: Step,
    /// The records this may be written down as, one of them each time.
    pub records: &'static [RecordKind],
    /// Whether it may also happen without any record.
    pub silent: bool,
}

const fn row(
    from: AddressState,
    who: Who,
    to: AddressState,
    records: &'static [RecordKind],
) -> Transition {
    let generation = match from {
        Free | Remembered => Step::Next,
        Held | Bound | SetAside => Step::Kept,
    };
    Transition {
        from,
        who,
        to,
        generation,
        records,
        silent: records.is_empty(),
    }
}

const fn or_silent(row: Transition) -> Transition {
    Transition {
        silent: true,
        ..row
    }
}

/// Every transition there is.
pub const TRANSITIONS: [Transition; 13] = [
    row(Free, Who::Anyone, Held, &[]),
    row(Free, Who::Anyone, Bound, &[Active]),
    row(Remembered, Who::Anyone, Held, &[]),
    row(Remembered, Who::Anyone, Bound, &[Active]),
    row(Remembered, Who::OldOwner, Free, &[]),
    row(Held, Who::Owner, Bound, &[Active]),
    row(Held, Who::Owner, Free, &[]),
    row(Held, Who::Owner, Remembered, &[]),
    row(
        Held,
        Who::Owner,
        SetAside,
        &[Declined, RecordKind::SetAside],
    ),
    // An expiry follows from the record of the lease.
    or_silent(row(Bound, Who::Owner, Remembered, &[Released])),
    row(Bound, Who::Owner, Free, &[Ended]),
    row(
        Bound,
        Who::Owner,
        SetAside,
        &[Declined, RecordKind::SetAside],
    ),
    row(SetAside, Who::Owner, Free, &[ProbationEnded]),
];

type Steps = [[[Option<Step>; 5]; 5]; 3];

/// The table by (who, from, to): one load on the packet path instead of a search.
const STEPS: Steps = {
    let mut steps: Steps = [[[None; 5]; 5]; 3];
    let mut at = 0;
    while at < TRANSITIONS.len() {
        let row = TRANSITIONS[at];
        steps[row.who as usize][row.from as usize][row.to as usize] = Some(row.generation);
        at += 1;
    }
    steps
};

/// What the step does to the generation, if there is such a step.
pub(super) fn step(from: AddressState, who: Who, to: AddressState) -> Option<Step> {
    static TABLE: Steps = STEPS;
    TABLE[who as usize][from as usize][to as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_the_table_that_the_module_states() {
        let stated = [
            "free anyone held next -",
            "free anyone bound next active",
            "remembered anyone held next -",
            "remembered anyone bound next active",
            "remembered old-owner free next -",
            "held owner bound kept active",
            "held owner free kept -",
            "held owner remembered kept -",
            "held owner set-aside kept declined,set-aside",
            "bound owner remembered kept released or -",
            "bound owner free kept ended",
            "bound owner set-aside kept declined,set-aside",
            "set-aside owner free kept probation-ended",
        ];
        let rows = TRANSITIONS.map(print);
        assert_eq!(rows.each_ref().map(std::string::String::as_str), stated);
    }

    fn print(row: Transition) -> std::string::String {
        let name = |state| match state {
            Free => "free",
            Held => "held",
            Bound => "bound",
            Remembered => "remembered",
            SetAside => "set-aside",
        };
        let who = match row.who {
            Who::Anyone => "anyone",
            Who::Owner => "owner",
            Who::OldOwner => "old-owner",
        };
        let generation = match row.generation {
            Step::Kept => "kept",
            Step::Next => "next",
        };
        let records: std::vec::Vec<_> = row.records.iter().map(|kind| kind.name()).collect();
        let records = match (records.is_empty(), row.silent) {
            (true, _) => "-".into(),
            (false, true) => records.join(",") + " or -",
            (false, false) => records.join(","),
        };
        let (from, to) = (name(row.from), name(row.to));
        std::format!("{from} {who} {to} {generation} {records}")
    }

    #[test]
    fn no_transition_stands_there_twice() {
        for (at, row) in TRANSITIONS.iter().enumerate() {
            let same = |other: &Transition| {
                (other.from, other.who, other.to) == (row.from, row.who, row.to)
            };
            assert!(!TRANSITIONS[..at].iter().any(same), "{row:?}");
        }
    }

    #[test]
    fn only_what_is_owned_is_left_without_a_new_generation() {
        for row in TRANSITIONS {
            let owned = matches!(row.from, Held | Bound | SetAside);
            assert_eq!(owned, row.generation == Step::Kept, "{row:?}");
            assert_eq!(owned, row.who == Who::Owner, "{row:?}");
        }
    }

    #[test]
    fn an_address_that_becomes_bound_is_always_written_down() {
        for row in TRANSITIONS {
            let active = row.records == [Active] && !row.silent;
            assert_eq!(row.to == Bound, active, "{row:?}");
        }
    }
}
