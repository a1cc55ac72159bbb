//! What a worker has now, as control reads it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dhcp_proto::shard::Shard;

macro_rules! gauges {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The gauges of one worker.
        #[derive(Debug, Default)]
        pub struct Gauges {
            $($name: AtomicU64,)* // worker: write, control: read
        }

        /// The gauges at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct GaugesView {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Gauges {
            /// What they say now.
            #[must_use]
            pub fn view(&self) -> GaugesView {
                GaugesView { $($name: self.$name.load(Relaxed),)* }
            }

            fn set(&self, view: GaugesView) {
                $(self.$name.store(view.$name, Relaxed);)*
            }
        }

        impl GaugesView {
            /// Each with its name.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }

            /// The sum of two workers.
            #[must_use]
            pub fn plus(self, other: Self) -> Self {
                Self { $($name: self.$name.saturating_add(other.$name),)* }
            }
        }
    };
}

gauges! {
    /// Slots of the table of bindings in use.
    bindings,
    /// Slots there are.
    bindings_capacity,
    /// Addresses held for an offer.
    offered,
    /// Of these, those for clients that nothing but their DISCOVER speaks for.
    offered_to_strangers,
    /// Leases, those in their grace included.
    active,
    /// Of the leases, those kept although they are over by a clock that nobody has accepted.
    clock_held,
    /// Addresses set aside.
    set_aside,
    /// Replies that wait for the disk.
    parked,
    /// Probes that wait for an answer.
    probing,
    /// Option 82 or long hardware addresses that were too long to store.
    not_stored,
    /// Offers taken back early because addresses ran low.
    holds_cut,
    /// Words that did not say what their slot said: always 0, or Lessor has a fault.
    inconsistent,
}

impl Gauges {
    /// Publishes what the worker has.
    pub fn publish(&self, shard: &Shard, parked: usize, probing: usize) {
        let counts = shard.counts();
        let (bindings, capacity) = shard.fill();
        self.set(GaugesView {
            bindings: bindings as u64,
            bindings_capacity: capacity as u64,
            offered: counts.offered,
            offered_to_strangers: counts.strangers,
            active: counts.active,
            clock_held: counts.clock_held,
            set_aside: counts.set_aside,
            parked: parked as u64,
            probing: probing as u64,
            not_stored: counts.not_stored,
            holds_cut: counts.holds_cut,
            inconsistent: counts.inconsistent,
        });
    }
}
