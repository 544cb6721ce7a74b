//! The orders a load run makes up: an id and a customer from a number, so that nothing has to be remembered but the number.

use uuid::Uuid;

/// Names the orders of one run. Two runs with different seeds never name the same order.
///
/// The first order of a *run with a number* is named by that number alone, and its amount is the seed: so a later run finds
/// out which orders of a store earlier ones have made, without asking anybody but the store.
#[derive(Debug, Clone, Copy)]
pub struct OrderNames {
    seed: u64,
    run: Option<u64>,
}

/// One made-up order, as text ready for a request.
#[derive(Debug)]
pub struct MadeUpOrder {
    order_id: [u8; TEXT_BYTES],
    customer_id: [u8; TEXT_BYTES],
    total_amount: u64,
}

const TEXT_BYTES: usize = uuid::fmt::Hyphenated::LENGTH;

impl OrderNames {
    /// Names that follow from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, run: None }
    }

    /// The names of run `run` of a store, which follow from its seed.
    pub fn of_run(run: u64, seed: u64) -> Self {
        Self { seed: seed & SEED_MAX, run: Some(run) }
    }

    /// The names of run `run` of a store, which is new.
    pub fn of_new_run(run: u64) -> Self {
        Self::of_run(run, Self::fresh().seed)
    }

    /// The id of the first order of run `run`.
    pub fn first_order_id(run: u64) -> String {
        let text = Self::from_seed(RUNS_SEED).id(run);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Names that no other run has.
    pub fn fresh() -> Self {
        let (high, low) = Uuid::now_v7().as_u64_pair();
        Self::from_seed(mix(high) ^ low)
    }

    /// The order with this number.
    pub fn order(self, number: u64) -> MadeUpOrder {
        let customer_id = self.id(number.wrapping_mul(2).wrapping_add(1));
        match self.run {
            Some(run) if number == 0 => {
                let order_id = Self::from_seed(RUNS_SEED).id(run);
                MadeUpOrder { order_id, customer_id, total_amount: self.seed }
            }
            Some(_) | None => {
                let order_id = self.id(number.wrapping_mul(2));
                MadeUpOrder { order_id, customer_id, total_amount: AMOUNT_LEAST.saturating_add(number % AMOUNTS) }
            }
        }
    }

    /// The id of the order with this number, as text.
    pub fn order_id_text(self, number: u64) -> String {
        String::from_utf8_lossy(self.order(number).order_id()).into_owned()
    }

    fn id(self, salt: u64) -> [u8; TEXT_BYTES] {
        let high = mix(self.seed ^ mix(salt));
        let low = mix(high ^ salt);
        let mut bytes = [0; 16];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&high.to_be_bytes());
        second.copy_from_slice(&low.to_be_bytes());
        let mut text = [0; TEXT_BYTES];
        uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().encode_lower(&mut text);
        text
    }
}

impl MadeUpOrder {
    /// The order's id, hyphenated, lower case.
    pub fn order_id(&self) -> &[u8] {
        &self.order_id
    }

    /// The customer's id, hyphenated, lower case.
    pub fn customer_id(&self) -> &[u8] {
        &self.customer_id
    }

    /// The amount in cents: five digits, as orders usually have, or a run's seed.
    pub fn total_amount(&self) -> u64 {
        self.total_amount
    }
}

/// Names the first orders of runs; any number will do, as long as it stays.
const RUNS_SEED: u64 = 0x6f72_6465_7264_2062;
/// The greatest amount that an order can have: 2^53 - 1.
const SEED_MAX: u64 = (1 << 53) - 1;
const AMOUNT_LEAST: u64 = 10_000;
const AMOUNTS: u64 = 90_000;

/// The finaliser of splitmix64: every bit of the input moves every bit of the output.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_always_names_the_same_order_and_another_number_another() {
        let names = OrderNames::from_seed(7);
        assert_eq!(names.order(1).order_id(), names.order(1).order_id());
        assert_ne!(names.order(1).order_id(), names.order(2).order_id());
        assert_ne!(names.order(1).order_id(), names.order(1).customer_id());
        let other = OrderNames::from_seed(8);
        assert_ne!(names.order(1).order_id(), other.order(1).order_id());
        let text = std::str::from_utf8(names.order(1).order_id()).map(str::to_owned).unwrap();
        assert_eq!(Uuid::parse_str(&text).unwrap().get_version_num(), 4);
    }
}
