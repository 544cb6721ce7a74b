//! The connections, each under an id that is never used again.

use super::connection::Connection;
use crate::contracts::ConnectionId;

/// Finds a connection by its id in one step: the low bits are its place, the high bits tell who sits there now.
#[derive(Debug, Default)]
pub(super) struct Connections {
    places: Vec<Option<Entry>>,
    free: Vec<u64>,
    last_serial: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    id: ConnectionId,
    pub(super) connection: Connection,
    /// Whether it stands in the queue for a turn.
    pub(super) queued: bool,
    /// Whether it got answers that are not sent.
    pub(super) answered: bool,
    pub(super) place: Place,
}

/// What a connection counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One of those for everybody.
    Ordinary,
    /// One of those that are kept for operators.
    Reserved,
    /// None: it was only taken to tell it that there is none.
    Refused,
}

const PLACE_BITS: u32 = 20;

impl Connections {
    /// The most connections at a time.
    pub(super) const CONNECTIONS_MAX: usize = 1 << PLACE_BITS;

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Takes a connection in; none if every place is taken.
    pub(super) fn insert(
        &mut self,
        connect: impl FnOnce(ConnectionId) -> Connection,
        place: Place,
    ) -> Option<ConnectionId> {
        if self.free.is_empty() && self.places.len() < Self::CONNECTIONS_MAX {
            self.free.push(u64::try_from(self.places.len()).ok()?);
            self.places.push(None);
        }
        let index = self.free.pop()?;
        self.last_serial += 1;
        let id = ConnectionId(self.last_serial << PLACE_BITS | index);
        *self.places.get_mut(place_of(id)?)? =
            Some(Entry { id, connection: connect(id), queued: false, answered: false, place });
        Some(id)
    }

    /// The connection of this id, if it is still there.
    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Entry> {
        self.places.get_mut(place_of(id)?)?.as_mut().filter(|entry| entry.id == id)
    }

    /// Takes it out.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Entry> {
        let place = self.places.get_mut(place_of(id)?)?;
        let entry = place.take_if(|entry| entry.id == id)?;
        self.free.push(id.0 & PLACE_MASK);
        Some(entry)
    }

    /// All that are there.
    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.places.iter().flatten().map(|entry| entry.id).collect()
    }
}

const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;

fn place_of(id: ConnectionId) -> Option<usize> {
    usize::try_from(id.0 & PLACE_MASK).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::server::access::Caller;

    fn caller() -> Caller {
        Caller { uid: None, client: true, observer: false, operator: false, consumer: false }
    }

    #[test]
    fn an_id_is_never_used_again_and_finds_nobody_once_its_connection_is_gone() {
        let mut table = Connections::default();
        let insert = |table: &mut Connections| {
            let (stream, _) = mio::net::UnixStream::pair().unwrap();
            table.insert(|id| Connection::new(id, stream, caller(), 1, Instant::now()), Place::Ordinary).unwrap()
        };
        let (first, second) = (insert(&mut table), insert(&mut table));
        assert_eq!(table.len(), 2);
        assert!(table.remove(first).is_some() && table.remove(first).is_none());
        assert!(table.get_mut(first).is_none() && table.get_mut(second).is_some());
        let third = insert(&mut table);
        assert_eq!(place_of(first), place_of(third), "its place is taken");
        assert!(table.get_mut(first).is_none() && table.remove(first).is_none(), "but not under its id");
        assert_eq!((table.len(), table.ids()), (2, vec![third, second]));
    }
}
