//! Two pictures compared pixel by pixel: L1, L2 and PSNR. Numbers are those of numpy and scikit-image on RGB in 0..1,
//! encoded for display.

use mgie_image::picture::Picture;
use mgie_plugin_api::{Failure, Image};

use crate::ssim::{SIDE, ssim};

/// What PSNR is at most, in dB: that of equal pictures, which would be infinite and could be neither averaged nor told
/// as a number on a wire. One sample of a 512 × 512 picture that is one level of 255 off gives 107 dB, so that this is
/// out of reach only of what nobody sees.
pub const MOST_PSNR: f64 = 100.0;

/// A picture as metrics look at it: RGB, encoded for display.
#[derive(Clone, Debug, PartialEq)]
pub struct Rgb {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height × width × 3` samples in 0..1, row-major.
    pub samples: Vec<f32>,
}

impl Rgb {
    /// A picture without its alpha, grey repeated, linear light encoded for display.
    ///
    /// # Errors
    /// Where a NaN stands in it, in words.
    pub fn of(picture: Picture) -> Result<Self, String> {
        if let Some(place) = picture.first_nan() {
            return Err(place);
        }
        let picture = picture.into_display().widened(3);
        let samples = match picture.channels {
            4 => picture.samples.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect(),
            _ => picture.samples,
        };
        Ok(Self { width: picture.width, height: picture.height, samples })
    }

    /// The picture in a socket.
    ///
    /// # Errors
    /// A failure that names the socket where a NaN stands in it.
    pub fn of_wire(image: &Image, socket: &str) -> Result<Self, Failure> {
        Self::of(Picture::from_wire(image))
            .map_err(|place| Failure::input(socket, "numbers", place).remedy("look at what made the picture"))
    }

    /// Width and height in words.
    pub fn size(&self) -> String {
        format!("{}×{}", self.width, self.height)
    }

    /// Its samples as 8 bits, rounded half to even.
    pub fn bytes(&self) -> Vec<u8> {
        self.samples.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8).collect()
    }
}

/// How far a picture is from its goal, pixel by pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distances {
    /// Mean absolute difference of the samples, 0 to 1.
    pub l1: f64,
    /// Mean squared difference of the samples, 0 to 1.
    pub l2: f64,
    /// Peak signal to noise ratio in dB, at most [`MOST_PSNR`]; scikit-image's `peak_signal_noise_ratio(data_range=1)`.
    pub psnr: f64,
    /// Structural similarity, −1 to 1; see [`crate::ssim`].
    pub ssim: f64,
}

/// Compares two pictures.
///
/// # Errors
/// What is wrong in words, without the pictures' names: other sizes, or less than 7 × 7 pixels.
pub fn compare(image: &Rgb, goal: &Rgb) -> Result<Distances, String> {
    if (image.width, image.height) != (goal.width, goal.height) {
        return Err(format!("{} against {}", image.size(), goal.size()));
    }
    if image.width < SIDE || image.height < SIDE {
        return Err(format!("{}, less than the {SIDE}×{SIDE} pixels of SSIM's window", image.size()));
    }
    let (mut absolute, mut squared) = (0.0, 0.0);
    for (a, b) in image.samples.iter().zip(&goal.samples) {
        let difference = f64::from(*a) - f64::from(*b);
        absolute += difference.abs();
        squared += difference * difference;
    }
    let count = image.samples.len() as f64;
    let (l1, l2) = (absolute / count, squared / count);
    let psnr = if l2 > 0.0 { (-10.0 * l2.log10()).min(MOST_PSNR) } else { MOST_PSNR };
    Ok(Distances { l1, l2, psnr, ssim: ssim(image, goal) })
}
