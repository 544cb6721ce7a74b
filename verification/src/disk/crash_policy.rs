//! How hard a power cut hits: the fates of one cut, from a seed.

use super::crash::{Fate, Fates, Unsynced};
use crate::rng::Rng;

/// What a cut did to what was not synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Havoc {
    /// Parts of writes that are there.
    pub kept: u64,
    /// Parts of writes that are not.
    pub lost: u64,
    /// Sectors that hold a part of the new bytes.
    pub torn: u64,
    /// Sectors that hold what nobody wrote there.
    pub noise: u64,
    /// Changes of a length that are not there.
    pub lengths_lost: u64,
    /// Changes of a directory's entries that are not there.
    pub entries_lost: u64,
    /// Changes of a directory's entries that are there without having been synced.
    pub entries_kept: u64,
}

/// One cut.
#[derive(Debug)]
pub struct CrashPolicy {
    rng: Rng,
    style: Style,
    /// What it did.
    pub havoc: Havoc,
}

#[derive(Debug, Clone, Copy)]
enum Style {
    /// The system had just written everything back.
    Kept,
    /// It had written nothing back.
    Lost,
    /// Each part by itself: percent that are there.
    Mixed(u64),
    /// In order, up to some operation, which is torn.
    Ordered { left: u64 },
}

impl CrashPolicy {
    /// The cut of a seed.
    #[must_use]
    pub fn new(mut rng: Rng) -> Self {
        let style = match rng.below(10) {
            0 => Style::Kept,
            1 => Style::Lost,
            2..=4 => Style::Ordered { left: rng.below(12) },
            _ => Style::Mixed(rng.between(10, 90)),
        };
        Self { rng, style, havoc: Havoc::default() }
    }

    fn keeps(&mut self) -> bool {
        match &mut self.style {
            Style::Kept => true,
            Style::Lost => false,
            Style::Mixed(percent) => {
                let percent = *percent;
                self.rng.percent(percent)
            }
            Style::Ordered { left } => {
                let keeps = *left > 0;
                *left = left.saturating_sub(1);
                keeps
            }
        }
    }

    /// What is there of a part that is not there whole.
    fn remains(&mut self, at: Unsynced) -> Fate {
        match self.rng.below(10) {
            0..=3 => Fate::Lost,
            4 => Fate::Sized,
            5 | 6 => Fate::Prefix(self.cut(at.len)),
            7 => Fate::Suffix(self.cut(at.len)),
            _ if at.fresh => Fate::Noise(self.rng.next()),
            _ => Fate::Lost,
        }
    }

    /// At the grain of frames mostly, sometimes of bytes.
    fn cut(&mut self, len: usize) -> usize {
        let cut = self.rng.index(len + 1);
        if self.rng.percent(50) { cut } else { cut / 8 * 8 }
    }
}

impl Fates for CrashPolicy {
    fn piece(&mut self, at: Unsynced) -> Fate {
        let fate = if self.keeps() {
            Fate::Kept
        } else if matches!(self.style, Style::Lost) {
            Fate::Lost
        } else {
            self.remains(at)
        };
        match fate {
            Fate::Kept => self.havoc.kept += 1,
            Fate::Lost | Fate::Sized => self.havoc.lost += 1,
            Fate::Prefix(_) | Fate::Suffix(_) => self.havoc.torn += 1,
            Fate::Noise(_) => self.havoc.noise += 1,
        }
        fate
    }

    fn length(&mut self, _op: usize) -> bool {
        let keeps = self.keeps();
        self.havoc.lengths_lost += u64::from(!keeps);
        keeps
    }

    fn entry(&mut self, _op: usize) -> bool {
        let keeps = self.keeps();
        self.havoc.entries_lost += u64::from(!keeps);
        self.havoc.entries_kept += u64::from(keeps);
        keeps
    }
}
