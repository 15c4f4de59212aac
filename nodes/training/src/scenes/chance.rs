//! The generator behind every scene: SplitMix64, keyed by seed and index, so that scene 12,345 needs none of those
//! before it and is the same on every machine.
//!
//! Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).

/// The odd constant by which the state steps: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of scene `index` of `seed`. Both are mixed, so that neighbours share nothing.
    pub fn new(seed: u64, index: u64) -> Self {
        Self(mix(seed.wrapping_add(STEP)) ^ mix(index.wrapping_mul(STEP).wrapping_add(1)))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `limit`; 0 where `limit` is 0. The bias is below 2⁻⁵⁰ for the small limits used here.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).max(1) as usize) as i32
    }

    /// A number in 0..1 with 24 bits, exact in f32.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / 16_777_216.0
    }

    /// One of `items`, which has to hold one at least.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// One of `items` that is none of `taken`. Where all are taken, any of them.
    pub fn pick_except<T: Copy + PartialEq>(&mut self, items: &[T], taken: &[T]) -> T {
        let free: Vec<T> = items.iter().copied().filter(|item| !taken.contains(item)).collect();
        if free.is_empty() { self.pick(items) } else { self.pick(&free) }
    }

    /// `count` different ones of `items`, in random order.
    pub fn several<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut rest = items.to_vec();
        for i in 0..count.min(rest.len()) {
            let j = i + self.below(rest.len() - i);
            rest.swap(i, j);
        }
        rest.truncate(count);
        rest
    }
}

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // The reference C code's first outputs for the state 1234567.
        let mut chance = Chance(1_234_567);
        let found = [chance.bits(), chance.bits(), chance.bits()];
        assert_eq!(found, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn several_are_different_and_below_stays_below() {
        let mut chance = Chance::new(1, 2);
        for _ in 0..200 {
            let mut found = chance.several(&[1, 2, 3, 4, 5], 4);
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 4);
            assert!((-2..=2).contains(&chance.between(-2, 2)));
            assert!((0.0..1.0).contains(&chance.unit()));
            assert_ne!(chance.pick_except(&[1, 2, 3], &[2]), 2);
        }
    }
}
