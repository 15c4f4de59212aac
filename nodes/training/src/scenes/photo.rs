//! What global edits do to a picture that is drawn already, in whole numbers.

use super::draw::Pixels;
use super::world::SIDE;

/// A change of the whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adjustment {
    /// Every channel a third of the way to white.
    Brighten,
    /// Every channel to 55 %.
    Darken,
    /// 1.6 times as far from middle grey.
    Contrast,
    /// Rec. 601 luminance.
    BlackAndWhite,
    /// More red, less blue.
    Warmer,
    /// More blue, less red.
    Cooler,
    /// The mean of each block of 8 × 8 pixels.
    Mosaic,
    /// Four levels a channel.
    Poster,
}

/// Blocks of a mosaic, in pixels a side.
const BLOCK: usize = 8;

impl Adjustment {
    /// Applies it to a picture.
    pub fn apply(self, pixels: &[u8]) -> Pixels {
        let each = |change: fn([i32; 3]) -> [i32; 3]| {
            let (pixels, _) = pixels.as_chunks::<3>();
            pixels.iter().flat_map(|&pixel| change(pixel.map(i32::from)).map(|v| v.clamp(0, 255) as u8)).collect()
        };
        match self {
            Self::Brighten => each(|pixel| pixel.map(|v| v + (255 - v) * 90 / 256)),
            Self::Darken => each(|pixel| pixel.map(|v| v * 141 / 256)),
            Self::Contrast => each(|pixel| pixel.map(|v| 128 + (v - 128) * 8 / 5)),
            Self::BlackAndWhite => each(|[r, g, b]| [(r * 299 + g * 587 + b * 114 + 500) / 1000; 3]),
            Self::Warmer => each(|[r, g, b]| [r + (255 - r) * 70 / 256, g, b * 180 / 256]),
            Self::Cooler => each(|[r, g, b]| [r * 180 / 256, g, b + (255 - b) * 70 / 256]),
            Self::Poster => each(|pixel| pixel.map(|v| (v * 3 + 127) / 255 * 85)),
            Self::Mosaic => mosaic(pixels),
        }
    }
}

fn mosaic(pixels: &[u8]) -> Pixels {
    let blocks = SIDE / BLOCK;
    let mut sums = vec![[0_u32; 3]; blocks * blocks];
    let block_of = |index: usize| index / SIDE / BLOCK * blocks + index % SIDE / BLOCK;
    let (pixels, _) = pixels.as_chunks::<3>();
    for (index, pixel) in pixels.iter().enumerate() {
        for (sum, &v) in sums[block_of(index)].iter_mut().zip(pixel) {
            *sum += u32::from(v);
        }
    }
    let area = (BLOCK * BLOCK) as u32;
    (0..pixels.len()).flat_map(|index| sums[block_of(index)].map(|sum| ((sum + area / 2) / area) as u8)).collect()
}
