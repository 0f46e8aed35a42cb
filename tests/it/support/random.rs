//! Random choices that are the same everywhere for one seed (SplitMix64).

/// What to do next.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The same choices for the same two numbers.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed << 32 ^ stream)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}
