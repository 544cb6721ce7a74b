//! The fuzzer's bytes, read as choices. Where they end, every choice is the first one.

/// What is left of the bytes.
#[derive(Debug, Clone)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `count` bytes.
    pub fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.bytes(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let choice =
            if bound <= 256 { usize::from(self.byte()) } else { usize::from(u16::from_le_bytes(self.array())) };
        choice % bound
    }

    /// A number near 0, or near the largest, or any.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            near @ 0..=127 => u64::from(near),
            high @ 128..=159 => u64::MAX - u64::from(high - 128),
            _ => self.u64(),
        }
    }
}
