//! Who may use an address: one atomic word each, and hints where to look for a free one.
//!
//! A client stays on the shard of its identity for good; an address passes from shard to shard.
//! So each address has one [`Word`] that all workers see, in a [`Block`] that no configuration
//! snapshot owns, found by the [`Directory`] as a [`Cell`]. This module knows no client, pool,
//! lease or time.
//!
//! # Transitions
//!
//! ```text
//!              claim ┌────────── held ◄─────────┐ claim
//!                    │          │ │ │           │
//!                    │   ┌──────┘ │ └───────┐   │
//!                    │   ▼        ▼         ▼   │
//!                   free ◄───── bound ──► remembered
//!                   ▲  ▲   end    │ expire      │
//!                   │  │          ▼             │
//!                   │  └────── set aside        │
//!                   └───────────────────────────┘ forget
//! ```
//!
//! | from | who | to | generation | record |
//! | --- | --- | --- | --- | --- |
//! | free | any worker | held | next | none: an OFFER never writes |
//! | free | any worker | bound | next | `active` |
//! | remembered | any worker | held | next | none |
//! | remembered | any worker | bound | next | `active` |
//! | remembered | the old owner | free | next | none |
//! | held | the owner | bound | kept | `active` |
//! | held | the owner | free | kept | none |
//! | held | the owner | remembered | kept | none |
//! | held | the owner | set aside | kept | `declined`, `set aside` |
//! | bound | the owner | remembered | kept | `released`; none by expiry, which follows from `active` |
//! | bound | the owner | free | kept | `ended` |
//! | bound | the owner | set aside | kept | `declined`, `set aside` |
//! | set aside | the owner | free | kept | `probation ended` |
//!
//! [`TRANSITIONS`] is the same table for the program; [`Cell`] obeys it and refuses everything
//! else without a change. Free and remembered are left by compare-and-swap of the whole word, by
//! the old owner too, and each such step takes a new generation: whoever acts on what he saw
//! before loses. The other states are left by the owner alone, with a plain store.
//!
//! # Words and hints
//!
//! [`Hints`] says where a free or a remembered address may be found. A hint may be stale, a word
//! never is. No address whose word stays free (or remembered) loses its hint for good, because:
//!
//! 1. Who makes a word free or remembered puts the hint **afterwards**. A put is always a
//!    read-modify-write with release, also where the bit is set already, so that whoever clears
//!    the bit later sees the word of that put, or a newer one.
//! 2. Who clears a hint looks at the word **afterwards**, and claims the address or settles the
//!    hint again ([`Hints::settle`]). A direct claim drops the hint only once it has won: the word
//!    is then its own, and its own later put comes behind.
//!
//! Suppose a word is free for good and its bit was cleared after the last put. The clear read from
//! that put (they are read-modify-writes of one location), so whoever cleared it saw the word free
//! and claimed it, against the supposition, or put the bit back. The model check in
//! `tests/model.rs` walks table and hints together.
//!
//! Control closes the hint of an address that is reserved while the server runs, and opens it when
//! the reservation is gone ([`Hints::close`], [`Hints::open`]): each once before the workers learn
//! of it, and once more when all of them have. A worker that still saw the hint open, or closed,
//! has then passed a quiet point, so the second time sees what it did.
//!
//! The four uses, in the order that counts:
//!
//! | use | steps |
//! | --- | --- |
//! | by hint | `take_free` or `take_reclaimable`; `load`; `claim`, else `settle` |
//! | by address | `load`; `claim`; if won `drop_free` and `drop_reclaimable` |
//! | give up | `advance`; then `put_free` or `put_reclaimable` (or `settle`) |
//! | forget | `drop_reclaimable`; `forget`; then `settle`, won or lost |

mod bitmap;
mod block;
mod directory;
mod hints;
mod transition;
mod word;

#[cfg(not(loom))]
use core::sync::atomic;
#[cfg(loom)]
use loom::sync::atomic;

pub use block::{Block, Cell};
pub use directory::{Directory, DirectoryBuilder, Space};
pub use hints::{Hint, Hints, start_for};
pub use transition::{Step, TRANSITIONS, Transition, Who};
pub use word::{AddressState, Claim, Generation, Word, Worker};
