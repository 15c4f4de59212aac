//! A picture in memory, as it lies on a wire, and the one limit on its size.

use mgie_plugin_api::{Failure, Image, Tensor, Value};

use crate::resample::{ResampleError, Resize};
use crate::transfer;

/// The most pixels that a picture may have: 100 megapixels, 1.6 GB as RGBA on a wire.
pub const MAX_PIXELS: u64 = 100_000_000;

/// A picture: f32 samples `[height, width, channels]` row-major, 1 (grey, mask), 3 (RGB) or 4 (RGBA, straight alpha).
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1, 3 or 4.
    pub channels: usize,
    /// 8: every sample is n/255. 16: samples are in 0..1. Both are encoded for display, as in the file. 32: samples are
    /// linear light and unclamped.
    pub bit_depth: u8,
    /// `height × width × channels` samples.
    pub samples: Vec<f32>,
}

impl Picture {
    /// Copies a picture from a wire.
    pub fn from_wire(image: &Image) -> Self {
        let &Image { width, height, channels, bit_depth, .. } = image;
        Self { width, height, channels, bit_depth, samples: image.pixels().to_vec() }
    }

    /// Moves the picture onto a wire.
    ///
    /// # Errors
    /// A fault where the samples are not as many as the sides say.
    pub fn into_value(self) -> Result<Value, Failure> {
        let tensor = Tensor::from_f32([self.height, self.width, self.channels], self.samples)?;
        Ok(Value::image(tensor, self.bit_depth))
    }

    /// Resizes it as Pillow does; see [`Resize::picture`].
    ///
    /// # Errors
    /// As [`Resize::picture`].
    pub fn resized(&self, resize: &Resize) -> Result<Self, ResampleError> {
        let samples = resize.picture(&self.samples, self.width, self.height, self.channels, self.bit_depth)?;
        let (width, height) = resize.result_size();
        Ok(Self { width, height, samples, ..*self })
    }

    /// The window of `width` × `height` pixels from `left`, `top`, which has to lie within the picture.
    ///
    /// # Errors
    /// As [`Resize::picture`] where it does not.
    pub fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Result<Self, ResampleError> {
        let window = crate::resample::Window { left, top, width, height };
        self.resized(&Resize::new(self.width, self.height, crate::resample::Filter::Nearest).window(window))
    }

    /// The opacity as one channel in 0..1: alpha, or 1 everywhere where there is none. A mask is data, not light, so
    /// that a linear picture's is said to be of 16 bits.
    pub fn opacity(&self) -> Self {
        let opacity = |pixel: &[f32]| if let &[_, _, _, alpha] = pixel { alpha } else { 1.0 };
        let bit_depth = self.bit_depth.min(16);
        let samples = self.samples.chunks_exact(self.channels).map(opacity);
        let samples =
            if self.bit_depth == 32 { samples.map(|v| v.clamp(0.0, 1.0)).collect() } else { samples.collect() };
        Self { channels: 1, bit_depth, samples, ..*self }
    }

    /// The luminance as one channel: Rec. 601's weights of the samples as they are. With 8 bits it is Pillow's
    /// `convert("L")`; grey stays exactly what it was.
    pub fn luminance(&self) -> Self {
        let eight_bit = |v: f32| (v * 255.0).round_ties_even() as u32;
        let luminance = |pixel: &[f32]| match *pixel {
            [grey] => grey,
            [red, green, blue, ..] if self.bit_depth == 8 => {
                let sum = eight_bit(red) * 19595 + eight_bit(green) * 38470 + eight_bit(blue) * 7471 + 0x8000;
                (sum >> 16) as f32 / 255.0
            }
            [red, green, blue, ..] => {
                (f64::from(red) * 0.299 + f64::from(green) * 0.587 + f64::from(blue) * 0.114) as f32
            }
            _ => 0.0,
        };
        let samples = self.samples.chunks_exact(self.channels).map(luminance).collect();
        Self { channels: 1, samples, ..*self }
    }

    /// The picture with that many channels: grey is repeated, missing alpha is 1. No channel is taken away.
    pub fn widened(self, channels: usize) -> Self {
        let samples = match (self.channels, channels) {
            (1, 3) => self.samples.iter().flat_map(|&v| [v; 3]).collect(),
            (1, 4) => self.samples.iter().flat_map(|&v| [v, v, v, 1.0]).collect(),
            (3, 4) => self.samples.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 1.0]).collect(),
            _ => return self,
        };
        Self { channels, samples, ..self }
    }

    /// Turns the colours of a picture encoded for display into linear light (bit depth 32) by sRGB's curve. Alpha and
    /// pictures of one channel, which are data, keep their values.
    #[must_use]
    pub fn into_linear(mut self) -> Self {
        if self.bit_depth != 32 {
            self.each_colour(transfer::to_linear);
            self.bit_depth = 32;
        }
        self
    }

    /// Turns linear light into a picture encoded for display (bit depth 16) by sRGB's curve, clamped to 0..1. Alpha and
    /// pictures of one channel are clamped only.
    #[must_use]
    pub fn into_display(mut self) -> Self {
        if self.bit_depth == 32 {
            self.each_colour(transfer::to_display);
            self.samples.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
            self.bit_depth = 16;
        }
        self
    }

    /// Where the first NaN is, in words.
    pub fn first_nan(&self) -> Option<String> {
        let index = self.samples.iter().position(|v| v.is_nan())?;
        let pixel = index / self.channels;
        let (x, y, channel) = (pixel % self.width, pixel / self.width, index % self.channels);
        Some(format!("NaN at column {x}, row {y}, channel {channel}"))
    }

    fn each_colour(&mut self, curve: fn(f32) -> f32) {
        match self.channels {
            3 => self.samples.iter_mut().for_each(|v| *v = curve(*v)),
            4 => self.samples.as_chunks_mut::<4>().0.iter_mut().for_each(|[r, g, b, _]| {
                [*r, *g, *b] = [curve(*r), curve(*g), curve(*b)];
            }),
            _ => {}
        }
    }
}

/// Checks a size against [`MAX_PIXELS`] before anything of that size is made.
///
/// # Errors
/// Size and limit in words, without saying whose size it is.
pub fn check_size(width: u64, height: u64) -> Result<(), String> {
    let megapixels = |pixels: f64| (pixels / 1e5).round() / 10.0;
    if width.checked_mul(height).is_some_and(|pixels| pixels <= MAX_PIXELS) {
        return Ok(());
    }
    let (found, limit) = (megapixels(width as f64 * height as f64), megapixels(MAX_PIXELS as f64));
    Err(format!("{width}×{height} is {found} megapixels, the limit is {limit}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn sizes_up_to_the_limit_are_let_through_and_others_named() {
        check_size(10_000, 10_000).unwrap();
        assert_eq!(check_size(20_000, 10_000).unwrap_err(), "20000×10000 is 200 megapixels, the limit is 100");
        check_size(u64::MAX, u64::MAX).unwrap_err();
    }

    #[test]
    fn grey_keeps_its_value_as_luminance() {
        for bit_depth in [8, 16] {
            let samples: Vec<f32> = (0..=255_u8).flat_map(|n| [f32::from(n) / 255.0; 3]).collect();
            let picture = Picture { width: 256, height: 1, channels: 3, bit_depth, samples };
            let expected: Vec<f32> = (0..=255_u8).map(|n| f32::from(n) / 255.0).collect();
            assert_eq!(picture.luminance().samples, expected);
        }
    }

    #[test]
    fn display_and_linear_are_each_others_inverse_and_leave_alpha_alone() {
        let samples = vec![0.0, 0.25, 1.0, 0.5];
        let picture = Picture { width: 1, height: 1, channels: 4, bit_depth: 16, samples: samples.clone() };
        let linear = picture.into_linear();
        assert_eq!((linear.bit_depth, linear.samples[3]), (32, 0.5));
        assert!((linear.samples[1] - 0.050_876).abs() < 1e-6, "sRGB's curve at 0.25, found {}", linear.samples[1]);
        let back = linear.into_display();
        assert!(back.samples.iter().zip(&samples).all(|(a, b)| (a - b).abs() < 1e-6), "{:?}", back.samples);
    }
}
