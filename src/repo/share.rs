//! A share of the orders: what is looked at in one go where all of them would take too much memory.

use crate::domain::OrderId;

/// One of several shares, which together hold every order once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    number: u32,
    count: u32,
}

/// Orders that are looked at together, as long as that takes at most `LOOKS_MAX` looks; each takes about 90 bytes.
const ORDERS_AT_ONCE: u64 = 500_000;
/// Each look reads the checkpoint, and the journal since, once more.
const LOOKS_MAX: u64 = 16;

impl Share {
    /// All orders.
    pub const ALL: Self = Self { number: 0, count: 1 };

    /// The shares of `orders` orders, few enough in each: the first, which holds what is not an order's, and the others.
    pub fn of(orders: u64) -> (Self, impl Iterator<Item = Self>) {
        let count = u32::try_from(orders.div_ceil(ORDERS_AT_ONCE).clamp(1, LOOKS_MAX)).unwrap_or(1);
        (Self { number: 0, count }, (1..count).map(move |number| Self { number, count }))
    }

    /// Whether an order belongs to it.
    #[must_use]
    pub fn holds(self, order_id: OrderId) -> bool {
        self.count == 1 || crc32c::crc32c(order_id.uuid().as_bytes()) % self.count == self.number
    }

    /// Whether it is the share that holds what is not an order's.
    #[must_use]
    pub const fn holds_decisions(self) -> bool {
        self.number == 0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_order_is_in_one_share_and_none_has_more_than_its_part() {
        let (first, others) = Share::of(4_000_000);
        let shares: Vec<_> = std::iter::once(first).chain(others).collect();
        assert_eq!(shares.len(), 8);
        let mut held = vec![0; shares.len()];
        for id in 0..80_000_u128 {
            let order_id = OrderId::new(Uuid::from_u128(id << 64 | 7));
            let holding: Vec<_> = (0..shares.len()).filter(|share| shares[*share].holds(order_id)).collect();
            assert_eq!(holding.len(), 1);
            held[holding[0]] += 1;
        }
        assert!(held.iter().all(|held| (9_000..=11_000).contains(held)), "{held:?}");
        assert_eq!(shares.iter().filter(|share| share.holds_decisions()).count(), 1);
        for (orders, count) in [(0, 1), (500_000, 1), (500_001, 2), (8_000_000, 16), (u64::MAX, 16)] {
            assert_eq!(1 + Share::of(orders).1.count(), count);
        }
    }
}
