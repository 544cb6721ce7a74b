//! Which orders of a store earlier runs have made.

use super::orders::OrderNames;

/// What earlier runs have left in a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnOrders {
    /// How many runs there were; the number of the next one.
    pub runs: u64,
    /// How many orders they made.
    pub orders: u64,
}

/// Asks `amount_of` for a few orders by their ids, and finds out with it how many orders earlier runs have made: it
/// answers an order's amount, or `None` if there is no such order.
///
/// A run numbers its orders without gaps, so their count is found by trying ever later numbers. Where a run was killed the
/// count may be too low.
///
/// # Errors
/// What `amount_of` fails with.
pub fn find_own_orders<E>(mut amount_of: impl FnMut(&str) -> Result<Option<u64>, E>) -> Result<OwnOrders, E> {
    let mut own = OwnOrders::default();
    while let Some(seed) = amount_of(&OrderNames::first_order_id(own.runs))? {
        let names = OrderNames::of_run(own.runs, seed);
        let mut exists = |number: u64| amount_of(&names.order_id_text(number)).map(|amount| amount.is_some());
        own.orders = own.orders.saturating_add(first_missing(&mut exists)?);
        own.runs = own.runs.saturating_add(1);
    }
    Ok(own)
}

/// The first number from 1 on of which there is no order; all before it are there.
fn first_missing<E>(exists: &mut impl FnMut(u64) -> Result<bool, E>) -> Result<u64, E> {
    let (mut there, mut missing) = (0, 1);
    while exists(missing)? {
        there = missing;
        missing = missing.saturating_mul(2);
    }
    while there.saturating_add(1) < missing {
        let middle = there.midpoint(missing);
        if exists(middle)? {
            there = middle;
        } else {
            missing = middle;
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::convert::Infallible;

    /// A store with the orders of runs of these sizes.
    fn store(sizes: &[u64]) -> HashMap<String, u64> {
        let mut store = HashMap::new();
        for (run, size) in (0..).zip(sizes) {
            let names = OrderNames::of_new_run(run);
            store.extend((0..*size).map(|number| (names.order_id_text(number), names.order(number).total_amount())));
        }
        store
    }

    #[test]
    fn every_order_of_earlier_runs_is_counted_and_no_other() {
        for sizes in [&[][..], &[1], &[2, 1], &[1000, 64, 3]] {
            let mut store = store(sizes);
            store.insert("somebody else's".into(), 7);
            let mut asked = 0;
            let own = find_own_orders(|id| {
                asked += 1;
                Ok::<_, Infallible>(store.get(id).copied())
            });
            let counts = OwnOrders { runs: sizes.len() as u64, orders: sizes.iter().sum() };
            assert_eq!(own, Ok(counts));
            assert!(asked < 80, "{asked} questions");
        }
    }
}
