//! Two pictures together: which of them is seen where, and how far they are apart on the screen.

use super::light::{Channel, NOT_FINITE, byte, encode, rgba, samples};
use mgie_plugin_api::Image;

/// How two pictures are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    /// The first alone.
    #[default]
    A,
    /// The second alone.
    B,
    /// The first to the left of a line, the second to the right.
    Wipe,
    /// How far they are apart.
    Difference,
}

impl Comparison {
    /// Every comparison with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::A, "A"), (Self::B, "B"), (Self::Wipe, "Wipe"), (Self::Difference, "Difference")];

    /// The nearest that can be shown with what is there.
    #[must_use]
    pub fn among(self, a: bool, b: bool) -> Self {
        match (a, b) {
            (true, true) => self,
            (false, true) => Self::B,
            _ => Self::A,
        }
    }
}

/// Whether both are of one size, so that pixel can be compared with pixel.
#[must_use]
pub fn match_in_size(a: &Image, b: &Image) -> bool {
    (a.width, a.height) == (b.width, b.height)
}

/// The absolute difference of a pixel as both are encoded for the display, times `gain`, as the screen shows it. A
/// difference in alpha is seen in every colour. (For the exact difference as a value there is `inspect.difference`.)
#[must_use]
pub fn difference(a: &Image, b: &Image, channel: Channel, gain: f32, x: usize, y: usize) -> [u8; 4] {
    let (Some(of_a), Some(of_b)) = (samples(a, x, y), samples(b, x, y)) else { return [0; 4] };
    if of_a.iter().chain(of_b).any(|sample| !sample.is_finite()) {
        return NOT_FINITE;
    }
    let (of_a, of_b) = (for_display(a, of_a), for_display(b, of_b));
    let apart: [f32; 4] = std::array::from_fn(|at| (of_a[at] - of_b[at]).abs() * gain);
    let [red, green, blue, alpha] = apart;
    let grey = |apart: f32| [byte(apart), byte(apart), byte(apart), 255];
    match channel {
        Channel::Rgb => [byte(red.max(alpha)), byte(green.max(alpha)), byte(blue.max(alpha)), 255],
        Channel::Red => grey(red),
        Channel::Green => grey(green),
        Channel::Blue => grey(blue),
        Channel::Alpha => grey(alpha),
        Channel::Luminance => grey(0.2126 * red + 0.7152 * green + 0.0722 * blue),
    }
}

fn for_display(image: &Image, samples: &[f32]) -> [f32; 4] {
    let [red, green, blue, alpha] = rgba(samples);
    if image.bit_depth == 32 && image.channels > 1 {
        [encode(red), encode(green), encode(blue), alpha]
    } else {
        [red, green, blue, alpha]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{Tensor, Value};

    fn pixel(samples: Vec<f32>, bit_depth: u8) -> Image {
        let tensor = Tensor::from_f32([1, 1, samples.len()], samples).unwrap();
        Value::image(tensor, bit_depth).as_image().unwrap()
    }

    #[test]
    fn what_cannot_be_shown_gives_way_to_what_can() {
        assert_eq!(Comparison::Wipe.among(true, true), Comparison::Wipe);
        assert_eq!(Comparison::Wipe.among(true, false), Comparison::A);
        assert_eq!(Comparison::Difference.among(false, true), Comparison::B);
        assert_eq!(Comparison::B.among(false, false), Comparison::A);
    }

    #[test]
    fn differences_are_magnified_and_clipped() {
        let (a, b) = (pixel(vec![10.0 / 255.0, 0.5, 1.0], 8), pixel(vec![13.0 / 255.0, 0.5, 0.0], 8));
        assert_eq!(difference(&a, &b, Channel::Rgb, 10.0, 0, 0), [30, 0, 255, 255]);
        assert_eq!(difference(&a, &b, Channel::Red, 10.0, 0, 0), [30, 30, 30, 255]);
        assert_eq!(difference(&a, &b, Channel::Rgb, 10.0, 1, 0), [0; 4]);
    }

    #[test]
    fn a_difference_of_alpha_is_seen_and_a_picture_without_is_opaque() {
        let (a, b) = (pixel(vec![0.5, 0.5, 0.5, 0.8], 16), pixel(vec![0.5], 16));
        assert_eq!(difference(&a, &b, Channel::Rgb, 1.0, 0, 0), [51, 51, 51, 255]);
    }

    #[test]
    fn linear_light_is_compared_as_it_is_shown() {
        // srgb(0.18) = 0.4613561…
        let (a, b) = (pixel(vec![0.18; 3], 32), pixel(vec![0.461_356_1; 3], 16));
        assert_eq!(difference(&a, &b, Channel::Rgb, 100.0, 0, 0), [0, 0, 0, 255]);
    }

    #[test]
    fn nan_is_marked() {
        let (a, b) = (pixel(vec![f32::NAN], 32), pixel(vec![0.0], 32));
        assert_eq!(difference(&a, &b, Channel::Rgb, 1.0, 0, 0), NOT_FINITE);
    }
}
