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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjustments_do_to_a_pixel_what_they_say() {
        // Worked out by hand from each line's definition.
        let of_one = |adjustment: Adjustment, pixel: [u8; 3]| adjustment.apply(&pixel);
        assert_eq!(of_one(Adjustment::Brighten, [0, 255, 127]), [89, 255, 172]);
        assert_eq!(of_one(Adjustment::Darken, [0, 255, 100]), [0, 140, 55]);
        assert_eq!(of_one(Adjustment::Contrast, [128, 228, 28]), [128, 255, 0]);
        assert_eq!(of_one(Adjustment::Contrast, [138, 118, 128]), [144, 112, 128]);
        assert_eq!(of_one(Adjustment::BlackAndWhite, [255, 0, 0]), [76, 76, 76]);
        assert_eq!(of_one(Adjustment::Warmer, [255, 9, 255]), [255, 9, 179]);
        assert_eq!(of_one(Adjustment::Cooler, [255, 9, 255]), [179, 9, 255]);
        assert_eq!(of_one(Adjustment::Poster, [42, 43, 255]), [0, 85, 255]);
    }

    #[test]
    fn a_mosaic_keeps_each_blocks_mean() {
        let mut picture = vec![0; SIDE * SIDE * 3];
        picture[..3].copy_from_slice(&[64, 128, 255]);
        let mosaic = Adjustment::Mosaic.apply(&picture);
        let at = |x: usize, y: usize| [0, 1, 2].map(|i| mosaic[(y * SIDE + x) * 3 + i]);
        assert_eq!((at(0, 0), at(7, 7)), ([1, 2, 4], [1, 2, 4]));
        assert_eq!((at(8, 0), at(0, 8)), ([0; 3], [0; 3]));
    }
}
