//! Short texts, lines and pictures drawn into 8-bit RGB: what contact sheets and loss curves are made of. Letters are
//! 5×7 pixels, drawn in `letters.txt`, so that no font file is needed; anything that is not ASCII shows as a box.
//!
//! Everything is cut off at the canvas' edges; nothing drawn outside is an error.

mod letters;

use std::io::Cursor;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mgie_plugin_api::Failure;

use crate::picture::{Picture, check_size};

pub use letters::{line_height, text_height, text_width, wrapped};

/// Red, green and blue, 0 to 255.
pub type Colour = [u8; 3];

/// An RGB picture to draw into; the origin is its top left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canvas {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height × width × 3` samples, row-major.
    pub pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas of one colour.
    ///
    /// # Errors
    /// A failure that names the size where it is 0 or more than a picture may have.
    pub fn new(width: usize, height: usize, colour: Colour) -> Result<Self, Failure> {
        if width == 0 || height == 0 {
            return Err(Failure::failed(format!("a canvas of {width}×{height} has no pixels")));
        }
        check_size(width as u64, height as u64)
            .map_err(|found| Failure::memory(found).remedy("draw fewer or smaller pictures"))?;
        Ok(Self { width, height, pixels: colour.repeat(width * height) })
    }

    /// Sets one pixel.
    fn dot(&mut self, x: i64, y: i64, colour: Colour) {
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
            && x < self.width
            && y < self.height
        {
            let at = (y * self.width + x) * 3;
            self.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// Fills the rectangle of `width` × `height` pixels from `x`, `y`.
    pub fn fill_rect(&mut self, x: i64, y: i64, width: usize, height: usize, colour: Colour) {
        let within = |from: i64, length: usize, limit: usize| {
            let to = from.saturating_add_unsigned(length as u64).clamp(0, limit as i64);
            from.clamp(0, limit as i64)..to
        };
        for row in within(y, height, self.height) {
            for column in within(x, width, self.width) {
                self.dot(column, row, colour);
            }
        }
    }

    /// Draws a line one pixel wide, both ends included.
    pub fn line(&mut self, from: (i64, i64), to: (i64, i64), colour: Colour) {
        // A far end is brought near first, so that a wild number in a plot costs no time.
        let near = |(x, y): (i64, i64)| {
            let limit = |side: usize| side as i64 * 2;
            (x.clamp(-limit(self.width), limit(self.width)), y.clamp(-limit(self.height), limit(self.height)))
        };
        let ((x0, y0), (x1, y1)) = (near(from), near(to));
        let steps = (x1 - x0).abs().max((y1 - y0).abs());
        let along = |a: i64, b: i64, step: i64| {
            if steps == 0 { a } else { a + ((b - a) as f64 * step as f64 / steps as f64).round() as i64 }
        };
        for step in 0..=steps {
            self.dot(along(x0, x1, step), along(y0, y1, step), colour);
        }
    }

    /// Writes `text` from `x`, `y` (the top left of its first letter), wrapped between words to `width` pixels, each
    /// pixel of a letter `scale` pixels wide; the height that it took, which [`text_height`] tells beforehand.
    pub fn text(&mut self, x: i64, y: i64, width: usize, scale: usize, text: &str, colour: Colour) -> usize {
        let scale = scale.max(1);
        for (number, line) in wrapped(text, width, scale).iter().enumerate() {
            let top = y + (number * line_height(scale)) as i64;
            for (place, letter) in line.chars().enumerate() {
                let left = x + (place * letters::ADVANCE * scale) as i64;
                for (column, row) in letters::dots(letter) {
                    let (left, top) = (left + (column * scale) as i64, top + (row * scale) as i64);
                    self.fill_rect(left, top, scale, scale, colour);
                }
            }
        }
        text_height(text, width, scale)
    }

    /// Draws an RGB picture [`size.1`, `size.0`, 3] into the rectangle of `into` (width, height) pixels from `x`, `y`,
    /// by its nearest pixels.
    ///
    /// # Errors
    /// A fault where the samples are not as many as `size` says.
    pub fn picture(
        &mut self,
        x: i64,
        y: i64,
        into: (usize, usize),
        rgb: &[u8],
        size: (usize, usize),
    ) -> Result<(), Failure> {
        let (width, height) = size;
        if rgb.len() != width * height * 3 || rgb.is_empty() {
            return Err(Failure::fault(format!("{} samples are no RGB picture of {width}×{height}", rgb.len())));
        }
        for row in 0..into.1 {
            for column in 0..into.0 {
                let at = (row * height / into.1 * width + column * width / into.0) * 3;
                self.dot(x + column as i64, y + row as i64, [rgb[at], rgb[at + 1], rgb[at + 2]]);
            }
        }
        Ok(())
    }

    /// The canvas as the bytes of a PNG file.
    ///
    /// # Errors
    /// What the encoder says.
    pub fn to_png(&self) -> Result<Vec<u8>, Failure> {
        let mut file = Cursor::new(Vec::new());
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new(&mut file)
            .write_image(&self.pixels, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| Failure::failed(format!("the drawing cannot be encoded as PNG: {error}")))?;
        Ok(file.into_inner())
    }

    /// The canvas as it lies on a wire: 8 bits, RGB.
    pub fn to_picture(&self) -> Picture {
        let samples = self.pixels.iter().map(|&v| f32::from(v) / 255.0).collect();
        Picture { width: self.width, height: self.height, channels: 3, bit_depth: 8, samples }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const WHITE: Colour = [255; 3];
    const BLACK: Colour = [0; 3];

    fn rows(canvas: &Canvas) -> Vec<String> {
        let row = |row: &[u8]| row.chunks_exact(3).map(|pixel| if pixel == BLACK { '#' } else { '.' }).collect();
        canvas.pixels.chunks_exact(canvas.width * 3).map(row).collect()
    }

    #[test]
    fn letters_are_drawn_at_their_place_and_size() {
        let mut canvas = Canvas::new(7, 9, WHITE).unwrap();
        assert_eq!(canvas.text(1, 1, 6, 1, "T", BLACK), 9);
        let expected =
            [".......", ".#####.", "...#...", "...#...", "...#...", "...#...", "...#...", "...#...", "......."];
        assert_eq!(rows(&canvas), expected);
        let mut larger = Canvas::new(14, 18, WHITE).unwrap();
        larger.text(2, 2, 12, 2, "T", BLACK);
        let mut doubled = Canvas::new(14, 18, WHITE).unwrap();
        doubled.picture(0, 0, (14, 18), &canvas.pixels, (7, 9)).unwrap();
        assert_eq!(rows(&larger), rows(&doubled));
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(4, 3, WHITE).unwrap();
        canvas.fill_rect(-2, -1, 4, 2, BLACK);
        assert_eq!(rows(&canvas), ["##..", "....", "...."]);
        canvas.fill_rect(i64::MIN, i64::MAX, usize::MAX, 1, BLACK);
        canvas.line((0, 2), (i64::MAX, 2), BLACK);
        assert_eq!(rows(&canvas), ["##..", "....", "####"]);
        canvas.text(2, -50, 100, 1, "far away", BLACK);
        canvas.picture(3, 1, (5, 5), &[0; 3], (1, 1)).unwrap();
        assert_eq!(rows(&canvas), ["##..", "...#", "####"]);
    }

    #[test]
    fn lines_reach_both_their_ends() {
        let mut canvas = Canvas::new(4, 4, WHITE).unwrap();
        canvas.line((3, 0), (0, 3), BLACK);
        assert_eq!(rows(&canvas), ["...#", "..#.", ".#..", "#..."]);
    }

    #[test]
    fn a_png_of_the_canvas_is_the_canvas() {
        let mut canvas = Canvas::new(40, 12, [200, 30, 7]).unwrap();
        canvas.text(1, 1, 40, 1, "loss", WHITE);
        let read = crate::decode::decode(&canvas.to_png().unwrap()).unwrap();
        assert_eq!(read, canvas.to_picture());
    }

    #[test]
    fn impossible_sizes_are_refused() {
        Canvas::new(0, 4, WHITE).unwrap_err();
        assert!(Canvas::new(usize::MAX, 4, WHITE).unwrap_err().to_string().contains("megapixels"));
        let mut canvas = Canvas::new(4, 4, WHITE).unwrap();
        canvas.picture(0, 0, (1, 1), &[0; 4], (1, 1)).unwrap_err();
    }
}
