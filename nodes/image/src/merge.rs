//! `image.merge`: one picture over another where a mask says so, to keep an edit to a region.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::blur;
use crate::choice::{choice, chosen};
use crate::picture::Picture;
use crate::resample::{Filter, Resize};

const MASK_CHANNELS: [&str; 3] = ["auto", "luminance", "alpha"];
const FITS: [&str; 2] = ["resize_foreground", "strict"];

/// The node type.
pub fn definition() -> NodeDefinition {
    let feather = Domain::Float { default: 0.0, hard: [0.0, 1000.0], soft: [0.0, 64.0] };
    let description = NodeDescription::new(
        "image.merge",
        "Merge",
        "Image",
        "Lays the foreground over the background where the mask is white. Where it is black the background stays \
         exactly as it is. The result has the background's size.",
    )
    .input("background", "Background", kind::IMAGE, "What stays where the mask is black: the photo.")
    .input("foreground", "Foreground", kind::IMAGE, "What is seen where the mask is white: the edit.")
    .input("mask", "Mask", kind::IMAGE, "How much of the foreground is seen, 0 to 1.")
    .parameter(
        "fit",
        "Fit",
        choice(&FITS),
        "Where the sizes differ: resize_foreground brings foreground (Lanczos) and mask (bilinear) to the background's \
         size (an edit is up to 7 pixels smaller than its photo); strict is an error.",
    )
    .parameter(
        "mask_channel",
        "Mask channel",
        choice(&MASK_CHANNELS),
        "What of the mask counts: its luminance, its alpha, or (auto) luminance times alpha. A mask of one channel \
         counts as it is.",
    )
    .parameter("invert", "Invert mask", Domain::Boolean { default: false }, "Swaps black and white of the mask.")
    .parameter("feather", "Feather", feather, "Blurs the mask's edge: standard deviation of a Gaussian.")
    .unit("px")
    .output("image", "Image", kind::IMAGE, "The merged picture, of the background's size.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let background = Picture::from_wire(&run.image("background")?);
    let foreground = fitted(run, "foreground", Picture::from_wire(&run.image("foreground")?), &background)?;
    let mask = Picture::from_wire(&run.image("mask")?);
    let mask = match chosen(run, "mask_channel", &MASK_CHANNELS)? {
        _ if mask.channels == 1 => mask,
        "luminance" => mask.luminance(),
        "alpha" => mask.opacity(),
        _ => times(mask.luminance(), &mask.opacity()),
    };
    if let Some(place) = mask.first_nan() {
        return Err(Failure::input("mask", "numbers", place));
    }
    let mut mask = fitted(run, "mask", mask, &background)?;
    mask.samples.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    if run.boolean("invert")? {
        mask.samples.iter_mut().for_each(|v| *v = 1.0 - *v);
    }
    run.check_cancelled()?;
    let mask = blur::gaussian(&mask.samples, mask.width, mask.height, run.float("feather")?);
    run.check_cancelled()?;
    Ok(Outputs::new().with("image", merged(background, foreground, &mask).into_value()?))
}

/// The picture in `socket` at the background's size.
fn fitted(run: &Run, socket: &str, picture: Picture, background: &Picture) -> Result<Picture, Failure> {
    let (width, height) = (background.width, background.height);
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    if chosen(run, "fit", &FITS)? == "strict" {
        let found = format!("{}×{}", picture.width, picture.height);
        return Err(Failure::input(socket, format!("the background's size, {width}×{height}"), found)
            .remedy("set fit to resize_foreground, or resize it before"));
    }
    let filter = if socket == "mask" { Filter::Bilinear } else { Filter::Lanczos };
    let resized = picture.resized(&Resize::new(width, height, filter));
    resized.map_err(|error| Failure::input(socket, "a picture that can be resized", error.to_string()))
}

fn times(mut luminance: Picture, opacity: &Picture) -> Picture {
    luminance.samples.iter_mut().zip(&opacity.samples).for_each(|(v, alpha)| *v *= alpha);
    luminance
}

/// `background · (1 - mask) + foreground · mask`, both of the same size; `mask` holds a value in 0..1 for each pixel.
/// Where it is 0 or 1 the one or the other is kept exactly. With alpha on either side, colours are weighed by their
/// alpha. The result has the larger number of channels and the larger bit depth; where one of them is linear, it is.
pub fn merged(background: Picture, foreground: Picture, mask: &[f32]) -> Picture {
    let channels = background.channels.max(foreground.channels);
    let bit_depth = background.bit_depth.max(foreground.bit_depth);
    let alike = |picture: Picture| {
        let picture = if bit_depth == 32 { picture.into_linear() } else { picture };
        picture.widened(channels)
    };
    let (mut result, foreground) = (alike(background), alike(foreground));
    let pixels = result.samples.chunks_exact_mut(channels).zip(foreground.samples.chunks_exact(channels));
    for ((below, above), &mask) in pixels.zip(mask) {
        if mask == 0.0 {
            continue;
        }
        if mask == 1.0 {
            below.copy_from_slice(above);
            continue;
        }
        match (&mut *below, above) {
            ([red, green, blue, alpha], &[above_red, above_green, above_blue, above_alpha]) => {
                let (below_weight, above_weight) = (*alpha * (1.0 - mask), above_alpha * mask);
                let sum = below_weight + above_weight;
                if sum > 0.0 {
                    let mix = |below: f32, above: f32| (below * below_weight + above * above_weight) / sum;
                    [*red, *green, *blue] = [mix(*red, above_red), mix(*green, above_green), mix(*blue, above_blue)];
                }
                *alpha = sum;
            }
            (below, above) => below.iter_mut().zip(above).for_each(|(b, &a)| *b += (a - *b) * mask),
        }
        if bit_depth == 8 {
            below.iter_mut().for_each(|v| *v = (v.clamp(0.0, 1.0) * 255.0).round_ties_even() / 255.0);
        }
    }
    result.bit_depth = bit_depth;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(channels: usize, bit_depth: u8, samples: &[f32]) -> Picture {
        Picture { width: samples.len() / channels, height: 1, channels, bit_depth, samples: samples.to_vec() }
    }

    #[test]
    fn black_keeps_the_background_and_white_the_foreground_exactly_and_8_bits_stay_8_bits() {
        let background = picture(1, 8, &[10.0 / 255.0, 10.0 / 255.0, 10.0 / 255.0]);
        let foreground = picture(1, 8, &[201.0 / 255.0, 201.0 / 255.0, 201.0 / 255.0]);
        let result = merged(background, foreground, &[0.0, 1.0, 0.4]);
        assert_eq!(result.samples, [10.0 / 255.0, 201.0 / 255.0, 86.0 / 255.0]);
        assert_eq!(result.bit_depth, 8);
    }

    #[test]
    fn colour_under_no_alpha_does_not_shine_through() {
        let background = picture(4, 16, &[0.2, 0.4, 0.6, 1.0]);
        let foreground = picture(4, 16, &[1.0, 1.0, 1.0, 0.0]);
        let result = merged(background, foreground, &[0.5]);
        assert_eq!(result.samples, [0.2, 0.4, 0.6, 0.5]);
    }

    #[test]
    fn a_linear_picture_makes_the_result_linear_and_rgb_meets_rgba() {
        let background = picture(3, 8, &[1.0, 1.0, 0.0]);
        let foreground = picture(4, 32, &[4.0, 0.0, 0.0, 1.0]);
        let result = merged(background, foreground, &[0.5]);
        assert_eq!((result.bit_depth, result.samples), (32, vec![2.5, 0.5, 0.0, 1.0]));
    }
}
