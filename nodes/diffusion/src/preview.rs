//! A look at latents without a decoder: each pixel of the preview is a linear mix of one latent's four channels, which
//! is a fair guess at the average colour of the 8 × 8 pixels that it stands for.

use mgie_plugin_api::{Failure, Tensor, Value};

/// How much red, green and blue a unit of each scaled latent channel of Stable Diffusion 1 adds, as people have fitted
/// it to pairs of pictures and latents and as previewers of Stable Diffusion commonly use it.
const COLOURS: [[f32; 3]; 4] =
    [[0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177]];

/// The picture, 8 bits a channel, of scaled latents f32 `[4, height, width]`, as many pixels as there are latents. None
/// where the latents have another number of channels.
///
/// # Errors
/// A fault where `height` and `width` are not those of `latents`.
pub fn preview(latents: &[f32], channels: usize, height: usize, width: usize) -> Result<Option<Value>, Failure> {
    if channels != COLOURS.len() {
        return Ok(None);
    }
    let mut pixels = vec![[0f32; 3]; height * width];
    for (plane, colour) in latents.chunks_exact((height * width).max(1)).zip(COLOURS) {
        for (pixel, latent) in pixels.iter_mut().zip(plane) {
            for (light, share) in pixel.iter_mut().zip(colour) {
                *light += latent * share;
            }
        }
    }
    let sample = |light: f32| ((light.clamp(-1.0, 1.0) * 0.5 + 0.5) * 255.0).round_ties_even() / 255.0;
    let samples = pixels.into_iter().flatten().map(sample).collect();
    Ok(Some(Value::image(Tensor::from_f32([height, width, 3], samples)?, 8)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_a_pixel_for_each_latent_and_is_a_picture_of_eight_bits() {
        let latents: Vec<f32> = (0..4 * 2 * 3).map(|index| (index as f32).sin() * 4.0).collect();
        let picture = preview(&latents, 4, 2, 3).unwrap().unwrap().as_image().unwrap();
        assert_eq!((picture.height, picture.width, picture.channels, picture.bit_depth), (2, 3, 3, 8));
        assert!(picture.pixels().iter().all(|v| (v * 255.0).round() / 255.0 == *v && (0.0..=1.0).contains(v)));
        assert!(preview(&latents, 3, 2, 4).unwrap().is_none());
    }
}
