//! All cases, in order, by number.

use super::case::{Case, Kind};
use super::change::{self, SECTOR_LEN};
use super::store::Store;

/// Cases of one kind on one file.
struct Block {
    first: u64,
    count: u64,
    store: usize,
    kind: Kind,
    file: usize,
}

/// All of them.
pub struct Cases {
    /// The stores that are damaged.
    pub stores: Vec<Store>,
    blocks: Vec<Block>,
    count: u64,
}

impl Cases {
    /// All cases of these stores.
    #[must_use]
    pub fn of(stores: Vec<Store>) -> Self {
        let mut cases = Self { stores: Vec::new(), blocks: Vec::new(), count: 0 };
        for (number, store) in stores.iter().enumerate() {
            for kind in Kind::ALL {
                let files = if kind == Kind::Returned { store.gone.len() } else { store.files.len() };
                for file in 0..files {
                    cases.add(number, kind, file, count(store, kind, file));
                }
            }
        }
        cases.stores = stores;
        cases
    }

    fn add(&mut self, store: usize, kind: Kind, file: usize, count: u64) {
        if count > 0 {
            self.blocks.push(Block { first: self.count, count, store, kind, file });
            self.count += count;
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The case of a number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Case> {
        let behind = self.blocks.partition_point(|block| block.first <= number);
        let block = self.blocks.get(behind.checked_sub(1)?)?;
        let index = number - block.first;
        let Block { store, kind, file, .. } = *block;
        (index < block.count).then_some(Case { number, store, kind, file, index })
    }
}

fn count(store: &Store, kind: Kind, file: usize) -> u64 {
    if kind == Kind::Returned {
        return 1;
    }
    let siblings = change::siblings(store, file).count() as u64;
    let file_ = &store.files[file];
    let len = file_.content.len();
    let sectors = len.div_ceil(SECTOR_LEN);
    match kind {
        Kind::Bit => len * 8,
        Kind::Cut => len,
        Kind::Longer => 2 * change::LONGER_BY.len() as u64,
        Kind::SectorZero | Kind::SectorOnes | Kind::SectorRandom => sectors,
        Kind::SectorSwapped | Kind::SectorRepeated => sectors.saturating_sub(1),
        Kind::SectorMisplaced => sectors * siblings,
        Kind::Missing | Kind::Empty | Kind::Returned => 1,
        Kind::Earlier => file_.earlier.len() as u64,
        Kind::Sibling => siblings,
        Kind::TwoMissing => (store.files.len() - file - 1) as u64,
        Kind::LaterFormat => change::versions(&file_.path).len() as u64,
    }
}
