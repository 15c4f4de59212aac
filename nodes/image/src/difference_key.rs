//! `image.difference_key`: a mask of where two pictures differ, to keep a photo's own pixels where an edit leaves it alone.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::blur;
use crate::picture::Picture;

/// How two pictures are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DifferenceKey {
    /// Standard deviation, in pixels, of the Gaussian that evens the differences out before they are judged.
    pub blur: f64,
    /// Differences up to this one, of samples in 0..1, are none.
    pub tolerance: f64,
    /// How much more than that is a change for certain; in between the mask is grey.
    pub softness: f64,
}

impl Default for DifferenceKey {
    fn default() -> Self {
        Self { blur: 1.5, tolerance: 0.05, softness: 0.05 }
    }
}

impl DifferenceKey {
    /// The mask of two pictures of one size, a value in 0..1 for each pixel: 0 where they are alike, 1 where they differ.
    /// The channel that differs most counts; alpha counts where both have it. Where one of them is linear light, both are
    /// compared so.
    #[must_use]
    pub fn mask(&self, a: Picture, b: Picture) -> Vec<f32> {
        let linear = a.bit_depth == 32 || b.bit_depth == 32;
        let (a, b) = if linear { (a.into_linear(), b.into_linear()) } else { (a, b) };
        let (width, height) = (a.width, a.height);
        let colours = a.channels.max(b.channels).min(3);
        let channels = if a.channels == b.channels { a.channels } else { colours };
        let (a, b) = (a.widened(channels), b.widened(channels));
        let pixels = a.samples.chunks_exact(a.channels).zip(b.samples.chunks_exact(b.channels));
        let most = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let differences: Vec<f32> = pixels.map(most).collect();
        let mut mask = blur::gaussian(&differences, width, height, self.blur);
        let (tolerance, softness) = (self.tolerance as f32, self.softness as f32);
        for value in &mut mask {
            let beyond = *value - tolerance;
            *value = if softness > 0.0 { (beyond / softness).clamp(0.0, 1.0) } else { f32::from(beyond > 0.0) };
        }
        mask
    }
}

/// The node type.
pub fn definition() -> NodeDefinition {
    let DifferenceKey { blur, tolerance, softness } = DifferenceKey::default();
    let number = |default: f64| Domain::Float { default, hard: [0.0, 1000.0], soft: [0.0, 1.0] };
    let description = NodeDescription::new(
        "image.difference_key",
        "Difference key",
        "Image",
        "A mask of where two pictures differ: black where they are alike, white where they are not. With image.merge it keeps \
         a photo's own pixels where an edit leaves it alone.",
    )
    .input("a", "A", kind::IMAGE, "A picture: the photo.")
    .input("b", "B", kind::IMAGE, "Another one of the same size: the edit.")
    .parameter("tolerance", "Tolerance", number(tolerance), "Differences up to this one are none. 1 is from black to white.")
    .parameter(
        "softness",
        "Softness",
        number(softness),
        "How much more than the tolerance is a change for certain; in between the mask is grey.",
    )
    .parameter(
        "blur",
        "Blur",
        Domain::Float { default: blur, hard: [0.0, 1000.0], soft: [0.0, 16.0] },
        "Evens the differences out before they are judged, so that single pixels decide nothing: standard deviation of a \
         Gaussian.",
    )
    .unit("px")
    .output("mask", "Mask", kind::IMAGE, "One channel, of the pictures' size.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let (a, b) = (Picture::from_wire(&run.image("a")?), Picture::from_wire(&run.image("b")?));
    for (socket, picture) in [("a", &a), ("b", &b)] {
        if let Some(place) = picture.first_nan() {
            return Err(Failure::input(socket, "numbers", place));
        }
    }
    if (a.width, a.height) != (b.width, b.height) {
        let size = |picture: &Picture| format!("{}×{}", picture.width, picture.height);
        return Err(Failure::input("b", format!("the size of A, {}", size(&a)), size(&b))
            .remedy("bring one of them to the other's size with image.resize"));
    }
    let key = DifferenceKey {
        blur: run.float("blur")?,
        tolerance: run.float("tolerance")?,
        softness: run.float("softness")?,
    };
    let (width, height) = (a.width, a.height);
    run.check_cancelled()?;
    let samples = key.mask(a, b);
    let mask = Picture { width, height, channels: 1, bit_depth: 16, samples };
    Ok(Outputs::new().with("mask", mask.into_value()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(channels: usize, samples: &[f32]) -> Picture {
        Picture { width: samples.len() / channels, height: 1, channels, bit_depth: 16, samples: samples.to_vec() }
    }

    #[test]
    fn the_channel_that_differs_most_counts_and_between_tolerance_and_certainty_the_mask_is_grey() {
        let key = DifferenceKey { blur: 0.0, tolerance: 0.1, softness: 0.2 };
        let a = picture(3, &[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
        let b = picture(3, &[0.5, 0.4375, 0.5, 0.75, 0.5, 0.5, 0.5, 0.5, 0.0]);
        let mask = key.mask(a, b);
        assert_eq!((mask[0], mask[2]), (0.0, 1.0));
        assert!((mask[1] - 0.75).abs() < 1e-6, "{mask:?}");
    }

    #[test]
    fn a_hard_key_is_black_or_white_and_grey_is_compared_with_colours() {
        let key = DifferenceKey { blur: 0.0, tolerance: 0.25, softness: 0.0 };
        let (grey, colours) = (picture(1, &[0.5, 0.5]), picture(3, &[0.75, 0.5, 0.5, 0.5, 0.8125, 0.5]));
        assert_eq!(key.mask(grey, colours), [0.0, 1.0]);
    }

    #[test]
    fn alpha_counts_where_both_have_it() {
        let key = DifferenceKey { blur: 0.0, tolerance: 0.1, softness: 0.0 };
        let opaque = picture(4, &[0.5, 0.5, 0.5, 1.0]);
        assert_eq!(key.mask(opaque.clone(), picture(4, &[0.5, 0.5, 0.5, 0.5])), [1.0]);
        assert_eq!(key.mask(opaque, picture(1, &[0.5])), [0.0]);
    }
}
