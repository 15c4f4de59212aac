//! How often each of the 256 levels of a channel is shown.

/// Counts by channel and level, of what the screen shows: after exposure and the display's curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: [[u32; 256]; 3],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [[0; 256]; 3] }
    }
}

impl Histogram {
    /// Counts a pixel, unless nothing of it is seen.
    pub fn add(&mut self, [red, green, blue, alpha]: [u8; 4]) {
        if alpha == 0 {
            return;
        }
        for (counts, level) in self.counts.iter_mut().zip([red, green, blue]) {
            if let Some(count) = counts.get_mut(usize::from(level)) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Adds the counts of another part of the picture.
    pub fn join(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().flatten().zip(other.counts.iter().flatten()) {
            *count = count.saturating_add(*more);
        }
    }

    /// The counts of red, green and blue, by level.
    #[must_use]
    pub fn counts(&self) -> &[[u32; 256]; 3] {
        &self.counts
    }

    /// Whether the three channels are the same, as those of a grey picture are.
    #[must_use]
    pub fn is_grey(&self) -> bool {
        self.counts[0] == self.counts[1] && self.counts[1] == self.counts[2]
    }

    /// How tall the level is drawn, 0 to 1, for each channel: as the square root of its share of the most frequent level
    /// between black and white, so that a large dark or blown-out area does not flatten the rest.
    #[must_use]
    pub fn heights(&self) -> [[f32; 256]; 3] {
        let inner = self.counts.iter().filter_map(|counts| counts.get(1..255)?.iter().max()).max();
        let most = inner.copied().filter(|most| *most > 0).or_else(|| self.counts.iter().flatten().max().copied());
        #[expect(clippy::cast_precision_loss, reason = "a height on the screen")]
        let most = most.unwrap_or(0).max(1) as f32;
        #[expect(clippy::cast_precision_loss, reason = "a height on the screen")]
        let height = |count: u32| (count as f32 / most).min(1.0).sqrt();
        self.counts.map(|counts| counts.map(height))
    }

    /// The share of pixels, 0 to 1, that have black (0) or white (255) in a channel: what is clipped, most likely.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share to read")]
    pub fn ends(&self) -> (f32, f32) {
        let all = self.counts[0].iter().map(|count| u64::from(*count)).sum::<u64>().max(1) as f32;
        let most = |level: usize| self.counts.iter().filter_map(|counts| counts.get(level)).max().copied().unwrap_or(0);
        (most(0) as f32 / all, most(255) as f32 / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_counted_by_level_and_what_is_transparent_is_not() {
        let mut histogram = Histogram::default();
        histogram.add([0, 10, 255, 255]);
        histogram.add([0, 10, 20, 1]);
        histogram.add([7, 7, 7, 0]);
        let [red, green, blue] = histogram.counts();
        assert_eq!((red[0], green[10], blue[255], blue[20], red[7]), (2, 2, 1, 1, 0));
        assert_eq!(histogram.ends(), (1.0, 0.5));
        assert!(!histogram.is_grey());
    }

    #[test]
    fn parts_join_into_the_whole() {
        let (mut whole, mut part) = (Histogram::default(), Histogram::default());
        whole.add([1, 1, 1, 255]);
        part.add([1, 1, 1, 255]);
        whole.join(&part);
        assert_eq!(whole.counts()[0][1], 2);
        assert!(whole.is_grey());
    }

    #[test]
    fn a_large_black_area_does_not_flatten_the_rest() {
        let mut histogram = Histogram::default();
        (0..1000).for_each(|_| histogram.add([0, 0, 0, 255]));
        (0..4).for_each(|_| histogram.add([9, 9, 9, 255]));
        histogram.add([10, 10, 10, 255]);
        let [red, ..] = histogram.heights();
        assert_eq!((red[0], red[9], red[10]), (1.0, 1.0, 0.5));
        assert_eq!(Histogram::default().heights()[0][0], 0.0);
    }
}
