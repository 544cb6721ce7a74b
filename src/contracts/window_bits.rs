//! Which of the events after a position are settled.

/// Events after the position that a save can speak of.
pub const WINDOW_EVENTS_MAX: usize = 30_000;

/// A bit for each event after a position.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WindowBits {
    bytes: Vec<u8>,
    len: usize,
}

impl WindowBits {
    /// Adds the bit of the next event. Beyond [`WINDOW_EVENTS_MAX`] nothing is kept: those events come again.
    pub fn push(&mut self, settled: bool) {
        if self.len >= WINDOW_EVENTS_MAX {
            return;
        }
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let Some(byte) = self.bytes.last_mut().filter(|_| settled) {
            *byte |= 1 << (self.len % 8);
        }
        self.len += 1;
    }

    /// How many events it speaks of.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it speaks of none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits, in order.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        (0..self.len).map(|at| self.bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1))
    }

    /// The events that are settled, counted from 1.
    pub fn settled(&self) -> impl Iterator<Item = u64> + '_ {
        (1..).zip(self.iter()).filter(|(_, settled)| *settled).map(|(at, _)| at)
    }

    /// The bits, eight a byte, the first one lowest.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads what [`WindowBits::bytes`] gave, with zeros after it; `None` if a bit is set that nobody speaks of.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], len: usize) -> Option<Self> {
        let (used, unused) = bytes.split_at_checked(len.div_ceil(8)).filter(|_| len <= WINDOW_EVENTS_MAX)?;
        let tail_clear = len.is_multiple_of(8) || used.last().is_none_or(|byte| byte >> (len % 8) == 0);
        (tail_clear && unused.iter().all(|byte| *byte == 0)).then(|| Self { bytes: used.to_vec(), len })
    }
}
