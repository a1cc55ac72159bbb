//! What is between clients and server: frames are lost, doubled, late and out of order.

use super::client::Millis;
use super::dice::Dice;
use super::frame::Parcel;
use super::message::Query;
use super::scenario::Weather;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Whose frame it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    /// A client's, and the exchange that it belongs to.
    Client(usize, u32, Query),
    /// Of a station that has this address without a lease.
    Stranger(Ipv4Addr),
    Other,
}

/// A frame on its way to the server.
type Up = (Vec<u8>, From);
/// A reply on its way to a client.
type Down = (usize, Parcel);

#[derive(Debug)]
pub(super) struct Air {
    pub(super) weather: Weather,
    up: BTreeMap<(Millis, u64), Up>,
    down: BTreeMap<(Millis, u64), Down>,
    /// Tells frames of one moment from one another.
    number: u64,
}

impl Air {
    pub(super) fn new(weather: Weather) -> Self {
        Self {
            weather,
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            number: 0,
        }
    }

    /// When a frame arrives, as often as it does.
    fn arrivals(&mut self, now: Millis, dice: &mut Dice) -> Vec<(Millis, u64)> {
        let Weather { loss, twice, delay } = self.weather;
        if dice.per_mille(loss) {
            return Vec::new();
        }
        let copies = 1 + u64::from(dice.per_mille(twice));
        let arrival = |_| {
            self.number += 1;
            // Most are quick.
            let most = if dice.one_in(4) { delay } else { delay / 20 };
            (now + dice.roll(most + 1), self.number)
        };
        (0..copies).map(arrival).collect()
    }

    pub(super) fn send_up(&mut self, (frame, from): (&[u8], From), now: Millis, dice: &mut Dice) {
        for arrival in self.arrivals(now, dice) {
            self.up.insert(arrival, (frame.to_owned(), from));
        }
    }

    pub(super) fn send_down(&mut self, parcel: Down, now: Millis, dice: &mut Dice) {
        for arrival in self.arrivals(now, dice) {
            self.down.insert(arrival, parcel);
        }
    }

    pub(super) fn arrived_at_server(&mut self, now: Millis) -> Option<Up> {
        arrived(&mut self.up, now)
    }

    pub(super) fn arrived_at_client(&mut self, now: Millis) -> Option<Down> {
        arrived(&mut self.down, now)
    }
}

fn arrived<T>(frames: &mut BTreeMap<(Millis, u64), T>, now: Millis) -> Option<T> {
    let first = frames.first_entry().filter(|entry| entry.key().0 <= now)?;
    Some(first.remove())
}
