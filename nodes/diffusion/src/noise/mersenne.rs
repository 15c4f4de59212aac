//! MT19937, the engine of PyTorch's CPU generator.
//! Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), with the initialisation of 2002.

/// Words of state.
const WORDS: usize = 624;
/// How far ahead the recurrence reaches.
const SHIFT: usize = 397;

/// A Mersenne Twister that yields 32-bit words.
#[derive(Clone)]
pub struct Mersenne {
    state: Box<[u32; WORDS]>,
    next: usize,
}

impl std::fmt::Debug for Mersenne {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Mersenne").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Mersenne {
    /// Seeds the engine. PyTorch hands a 64-bit seed over and the engine keeps its low 32 bits, so seeds that differ
    /// by a multiple of 2³² are the same seed.
    pub fn new(seed: u64) -> Self {
        let mut state = Box::new([0u32; WORDS]);
        state[0] = seed as u32;
        for index in 1..WORDS {
            let before = state[index - 1];
            state[index] = 1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(index as u32);
        }
        Self { state, next: WORDS }
    }

    /// The next word, uniform over all 2³² values.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == WORDS {
            self.refill();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Two words as one, the first drawn in the high half.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    fn refill(&mut self) {
        for index in 0..WORDS {
            let joined = (self.state[index] & 0x8000_0000) | (self.state[(index + 1) % WORDS] & 0x7fff_ffff);
            let twisted = (joined >> 1) ^ if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[index] = self.state[(index + SHIFT) % WORDS] ^ twisted;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Mersenne;

    #[test]
    fn the_ten_thousandth_word_of_the_default_seed_is_the_one_that_the_c_plus_plus_standard_names() {
        // ISO C++, [rand.predef]: the 10000th invocation of a default-constructed mt19937 yields 4123659995.
        let mut engine = Mersenne::new(5489);
        let word = (0..10_000).map(|_| engine.next_u32()).last();
        assert_eq!(word, Some(4_123_659_995));
    }

    #[test]
    fn only_the_low_32_bits_of_a_seed_count() {
        let (mut low, mut high) = (Mersenne::new(7), Mersenne::new(7 + (5 << 32)));
        assert!((0..1000).all(|_| low.next_u32() == high.next_u32()));
    }
}
