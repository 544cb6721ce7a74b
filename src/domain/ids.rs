//! Identifiers, each a type of its own, so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is no hyphenated UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a hyphenated UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct IdError;

/// Only the hyphenated form: the braced, simple and URN forms would be second spellings of one id.
fn parse_hyphenated(text: &str) -> Result<Uuid, IdError> {
    const HYPHENATED_LEN: usize = 36;
    if text.len() != HYPHENATED_LEN {
        return Err(IdError);
    }
    Uuid::try_parse(text).map_err(|_| IdError)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID.
            #[must_use]
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Reads the hyphenated form, in any letter case.
            ///
            /// # Errors
            /// Every other text.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse_hyphenated(text).map(Self)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(&self) -> Uuid {
                self.0
            }

            /// The sixteen bytes, most significant first.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl std::hash::Hash for $name {
            /// As one number: a derived hash would feed the bytes one array and its length at a time.
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                state.write_u128(self.0.as_u128());
            }
        }

        impl fmt::Display for $name {
            /// Hyphenated, lower case.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

id!(
    /// Names an order.
    OrderId
);
id!(
    /// Names the customer an order belongs to.
    CustomerId
);
id!(
    /// Makes a command safe to send again: the client's idempotency key.
    CommandId
);
id!(
    /// Names one transition of one order, or the order as of one position; consumers deduplicate by it.
    EventId
);

impl EventId {
    /// The namespace of our version 5 UUIDs (RFC 9562, section 5.5); changing it would change every event's id.
    const NAMESPACE: Uuid = Uuid::from_u128(0x6f72_6465_7264_5f65_8e76_656e_7473_0001);

    /// The id of the event that took `order` to `version`.
    ///
    /// It follows from the two alone, so building a plan twice, or redelivering it after a crash, gives the same id.
    #[must_use]
    pub fn of_transition(order: OrderId, version: u32) -> Self {
        let mut name = [0_u8; 20];
        let (id_part, version_part) = name.split_at_mut(16);
        id_part.copy_from_slice(order.as_bytes());
        version_part.copy_from_slice(&version.to_be_bytes());
        Self(Uuid::new_v5(&Self::NAMESPACE, &name))
    }

    /// The id of the snapshot of `order` as of the event `sequence` of the store's `epoch`: it follows from the three.
    #[must_use]
    pub fn of_snapshot(order: OrderId, epoch: u32, sequence: u64) -> Self {
        let name = [order.as_bytes().as_slice(), &epoch.to_be_bytes(), &sequence.to_be_bytes()].concat();
        Self(Uuid::new_v5(&Self::NAMESPACE, &name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_an_id_and_case_does_not_matter() {
        let lower = "01890a5d-ac96-774b-bcce-b302099a8057";
        let id = OrderId::parse(&lower.to_uppercase()).unwrap();
        assert_eq!(id.to_string(), lower);
        let braced = format!("{{{lower}}}");
        let urn = format!("urn:uuid:{lower}");
        let simple = lower.replace('-', "");
        let shifted = "01890a5da-c96-774b-bcce-b302099a8057";
        for other in ["", "x", &braced, &urn, &simple, shifted, &lower[1..]] {
            assert_eq!(OrderId::parse(other), Err(IdError), "{other}");
        }
    }

    #[test]
    fn an_event_id_follows_from_the_order_and_its_version() {
        let order = OrderId::new(Uuid::from_u128(7));
        assert_eq!(EventId::of_transition(order, 1), EventId::of_transition(order, 1));
        assert_ne!(EventId::of_transition(order, 1), EventId::of_transition(order, 2));
        assert_ne!(EventId::of_transition(order, 1), EventId::of_transition(OrderId::new(Uuid::from_u128(8)), 1));
        // Pinned: a consumer that saw this id yesterday must see it again tomorrow.
        assert_eq!(EventId::of_transition(order, 1).to_string(), "49b4d44d-ff7f-5bd1-9640-2115ce62319d");
    }

    #[test]
    fn the_id_of_a_snapshot_follows_from_the_order_and_the_position() {
        let (order, other) = (OrderId::new(Uuid::from_u128(7)), OrderId::new(Uuid::from_u128(8)));
        let id = EventId::of_snapshot(order, 1, 9);
        assert_eq!(id, EventId::of_snapshot(order, 1, 9));
        let others =
            [EventId::of_snapshot(other, 1, 9), EventId::of_snapshot(order, 2, 9), EventId::of_snapshot(order, 1, 8)];
        assert!(others.iter().all(|other| *other != id));
        // Pinned, as above.
        assert_eq!(id.to_string(), "f58fab23-3add-55b0-9ac5-6e319613defe");
    }
}
