//! Random numbers that follow from a seed.

/// Chooses commands and moments.
#[derive(Clone)]
pub struct Rng(fastrand::Rng);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(fastrand::Rng::with_seed(seed))
    }

    /// A generator of its own for the `number`th part of a test.
    pub fn fork(&mut self, number: u64) -> Rng {
        Rng::new(self.0.u64(..) ^ number)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.u64(..end)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.0.u128(..).to_be_bytes()).into_uuid().to_string()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }
}
