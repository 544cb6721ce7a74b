//! Positions: in the journal, and in the outbox.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a plan's frame in the journal: gap-free, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(pub u64);

/// The number of an event in the outbox: gap-free, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

macro_rules! position {
    ($name:ident) => {
        impl $name {
            /// Before the first.
            pub const ZERO: Self = Self(0);

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// The one that lies `count` further on. At a million a second, 2^64 last for half a million years.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }

            /// How many lie after `earlier`, up to and including this; 0 if this is not later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

position!(Lsn);
position!(Sequence);
