//! A running 64-bit fingerprint of what happened, or of what a disk holds.

/// Two runs of one seed must come to the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0x6A09_E667_F3BC_C908)
    }
}

impl Fingerprint {
    /// Takes a number in.
    pub const fn add(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        self.0 = (mixed ^ (mixed >> 32)).wrapping_mul(0xC4CE_B9FE_1A85_EC53) ^ mixed.rotate_left(29);
    }

    /// Takes bytes in: a checksum and a mix of their words, because 32 bits are too few to tell millions of states apart.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let mixed = bytes.chunks(8).fold(0x510E_527F_ADE6_82D1_u64, |mixed, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (mixed.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x2545_F491_4F6C_DD1D)
        });
        self.add(bytes.len() as u64);
        self.add(u64::from(crc32c::crc32c(bytes)));
        self.add(mixed);
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}
