//! The servers that have answered, by number.

use dhcp_wire::ethernet::Mac;

/// A server, as its replies show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Option 54.
    pub id: u32,
    /// Station that its replies came from: the way to it, for whoever is on its link.
    pub mac: Mac,
}

/// At most 255 servers, numbered from 1.
#[derive(Debug, Default)]
pub struct Servers(Vec<Server>);

impl Servers {
    /// The number of the server with this identifier; None if it has no number yet and there is
    /// none left.
    #[inline]
    pub fn number(&mut self, id: u32, mac: Mac) -> Option<u8> {
        let place = match self.0.iter().position(|server| server.id == id) {
            Some(place) => place,
            None if self.0.len() < usize::from(u8::MAX) => {
                self.0.push(Server { id, mac });
                self.0.len() - 1
            }
            None => return None,
        };
        u8::try_from(place + 1).ok()
    }

    /// The server with this number.
    #[inline]
    #[must_use]
    pub fn get(&self, number: u8) -> Option<Server> {
        self.0.get(usize::from(number).checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_keeps_its_number() {
        let mut servers = Servers::default();
        let mac = |n: u8| Mac([2, 0, 0, 0, 0, n]);
        for n in 1..=255 {
            assert_eq!(servers.number(u32::from(n) << 8, mac(n)), Some(n));
        }
        assert_eq!(servers.number(7 << 8, mac(9)), Some(7));
        assert_eq!(servers.number(1, mac(1)), None);
        assert_eq!(servers.get(7).map(|server| server.mac), Some(mac(7)));
        assert_eq!((servers.get(0), Servers::default().get(1)), (None, None));
    }
}
