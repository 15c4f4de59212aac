//! From the samples of a picture to the bytes that the screen shows: exposure, the display's curve, and the choice of a
//! channel. Only for looking: nothing here comes back into a value.
//!
//! Samples of 8- and 16-bit pictures are encoded for the display already, those of 32-bit ones are linear light; one
//! channel alone is data at any depth and is shown as it is (see [`mgie_plugin_api::kind::IMAGE`]).

use mgie_plugin_api::Image;
use std::sync::LazyLock;

/// What NaN and infinity are painted in.
pub const NOT_FINITE: [u8; 4] = [255, 0, 255, 255];

/// Which part of the picture is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Colours, with alpha over a chequerboard.
    #[default]
    Rgb,
    /// Red as grey.
    Red,
    /// Green as grey.
    Green,
    /// Blue as grey.
    Blue,
    /// Alpha as grey: white is opaque.
    Alpha,
    /// How light it is: Rec. 709's weights in linear light.
    Luminance,
}

impl Channel {
    /// Every channel with its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Rgb, "RGB"),
        (Self::Red, "Red"),
        (Self::Green, "Green"),
        (Self::Blue, "Blue"),
        (Self::Alpha, "Alpha"),
        (Self::Luminance, "Luminance"),
    ];
}

/// How a picture is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Display {
    /// Which part of it.
    pub channel: Channel,
    /// Exposure in stops: each doubles the light.
    pub stops: f32,
}

impl Display {
    /// Red, green, blue and straight alpha of the pixel in column `x` of row `y`, as the screen shows them; transparent
    /// outside of the picture.
    #[must_use]
    pub fn shown(&self, image: &Image, x: usize, y: usize) -> [u8; 4] {
        let Some(samples) = samples(image, x, y) else { return [0; 4] };
        if samples.iter().any(|sample| !sample.is_finite()) {
            return NOT_FINITE;
        }
        let gain = self.stops.exp2();
        let show = |sample: f32| match image.bit_depth {
            _ if image.channels == 1 => byte(sample * gain),
            32 => encoded(sample * gain),
            _ if self.stops == 0.0 => byte(sample),
            _ => encoded(linear(sample) * gain),
        };
        let grey = |sample: u8| [sample, sample, sample, 255];
        let [red, green, blue, alpha] = rgba(samples);
        match self.channel {
            Channel::Rgb => [show(red), show(green), show(blue), byte(alpha)],
            Channel::Red => grey(show(red)),
            Channel::Green => grey(show(green)),
            Channel::Blue => grey(show(blue)),
            Channel::Alpha => grey(byte(alpha)),
            Channel::Luminance if image.channels == 1 => grey(show(red)),
            Channel::Luminance => {
                let light = |sample| if image.bit_depth == 32 { sample } else { linear(sample) };
                let luminance = 0.2126 * light(red) + 0.7152 * light(green) + 0.0722 * light(blue);
                grey(encoded(luminance * gain))
            }
        }
    }
}

/// The samples of a pixel; none outside of the picture.
#[must_use]
pub fn samples(image: &Image, x: usize, y: usize) -> Option<&[f32]> {
    let inside = x < image.width && y < image.height;
    let first = inside.then(|| (y * image.width + x) * image.channels)?;
    image.pixels().get(first..first + image.channels)
}

/// Red, green, blue and alpha of the samples of a pixel: one channel counts for all three, none for alpha is opaque.
#[must_use]
pub fn rgba(samples: &[f32]) -> [f32; 4] {
    match *samples {
        [grey] => [grey, grey, grey, 1.0],
        [red, green, blue] => [red, green, blue, 1.0],
        [red, green, blue, alpha] => [red, green, blue, alpha],
        _ => [0.0; 4],
    }
}

/// A sample of 0 to 1 as a byte.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
pub fn byte(sample: f32) -> u8 {
    (sample.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// Linear light as a byte that is encoded for the display.
#[must_use]
pub fn encoded(light: f32) -> u8 {
    CURVES.encoded.get(place(light)).copied().unwrap_or(255)
}

/// The linear light of a sample that is encoded for the display.
#[must_use]
pub fn linear(sample: f32) -> f32 {
    CURVES.linear.get(place(sample)).copied().unwrap_or(1.0)
}

/// The curve of sRGB (IEC 61966-2-1) at 65536 places, both ways: a picture has millions of samples, and a power of each
/// would take longer than a frame. All n/255 and n/65535 are among the places; a byte is at most a twentieth off.
struct Curves {
    encoded: Vec<u8>,
    linear: Vec<f32>,
}

const LAST: f32 = 65535.0;

static CURVES: LazyLock<Curves> = LazyLock::new(|| {
    let places = || (0..=u16::MAX).map(|place| f32::from(place) / LAST);
    Curves { encoded: places().map(|light| byte(encode(light))).collect(), linear: places().map(decode).collect() }
});

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 65535")]
fn place(sample: f32) -> usize {
    (sample.clamp(0.0, 1.0) * LAST).round() as usize
}

/// sRGB's curve itself: linear light to a sample that is encoded for the display, unclamped.
#[must_use]
pub fn encode(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

fn decode(sample: f32) -> f32 {
    if sample <= 0.040_45 { sample / 12.92 } else { ((sample + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{Tensor, Value};

    fn picture(channels: usize, samples: Vec<f32>, bit_depth: u8) -> Image {
        let width = samples.len() / channels;
        Value::image(Tensor::from_f32([1, width, channels], samples).unwrap(), bit_depth).as_image().unwrap()
    }

    fn display(channel: Channel, stops: f32) -> Display {
        Display { channel, stops }
    }

    #[test]
    fn pictures_that_are_encoded_for_the_display_are_shown_as_they_are() {
        let image = picture(4, vec![1.0, 128.0 / 255.0, 0.0, 0.5], 8);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&image, 0, 0), [255, 128, 0, 128]);
        assert_eq!(display(Channel::Green, 0.0).shown(&image, 0, 0), [128, 128, 128, 255]);
        assert_eq!(display(Channel::Alpha, 0.0).shown(&image, 0, 0), [128, 128, 128, 255]);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&image, 1, 0), [0; 4]);
    }

    #[test]
    fn linear_light_is_encoded_and_clipped() {
        // x = np.array([0.18, 0.5, 0.001]); np.rint(np.where(x <= .0031308, x*12.92, 1.055*x**(1/2.4) - .055) * 255)
        let image = picture(3, vec![0.18, 0.5, 0.001, 4.0, -1.0, 1.0], 32);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&image, 0, 0), [118, 188, 3, 255]);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&image, 1, 0), [255, 0, 255, 255]);
    }

    #[test]
    fn a_stop_doubles_the_light_whatever_the_picture_is_stored_in() {
        // srgb(2 * 0.18) * 255 = 161.73; with 118 / 255 decoded first 162.21; srgb(0.18 / 4) * 255 = 59.87
        assert_eq!(display(Channel::Rgb, 1.0).shown(&picture(3, vec![0.18; 3], 32), 0, 0), [162, 162, 162, 255]);
        assert_eq!(display(Channel::Red, 1.0).shown(&picture(3, vec![118.0 / 255.0; 3], 8), 0, 0)[0], 162);
        assert_eq!(display(Channel::Rgb, -2.0).shown(&picture(3, vec![0.18; 3], 32), 0, 0)[0], 60);
    }

    #[test]
    fn one_channel_is_data_and_has_no_curve() {
        let mask = picture(1, vec![0.5], 32);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&mask, 0, 0), [128, 128, 128, 255]);
        assert_eq!(display(Channel::Luminance, -1.0).shown(&mask, 0, 0), [64, 64, 64, 255]);
    }

    #[test]
    fn luminance_is_weighed_in_linear_light() {
        // srgb(0.7152) * 255 = 219.5…; srgb(0.0722) * 255 = 76.2…
        let image = picture(3, vec![0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 8);
        assert_eq!(display(Channel::Luminance, 0.0).shown(&image, 0, 0)[0], 220);
        assert_eq!(display(Channel::Luminance, 0.0).shown(&image, 1, 0)[0], 76);
    }

    #[test]
    fn nan_is_marked() {
        let image = picture(3, vec![0.0, f32::NAN, 0.0, f32::INFINITY, 0.0, 0.0], 32);
        assert_eq!(display(Channel::Rgb, 0.0).shown(&image, 0, 0), NOT_FINITE);
        assert_eq!(display(Channel::Green, 1.0).shown(&image, 1, 0), NOT_FINITE);
    }

    #[test]
    fn the_curve_goes_there_and_back() {
        for step in 0..=255u8 {
            let sample = f32::from(step) / 255.0;
            assert_eq!(encoded(linear(sample)), step);
            assert!((encode(decode(sample)) - sample).abs() < 1e-5);
        }
    }
}
