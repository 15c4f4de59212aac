//! How alike two pictures are to a model: the cosine between their embeddings.

use candle_core::{DType, Tensor};
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;

use crate::pixels::Rgb;

/// The most pictures that go through a model at once: the memory of a large CLIP's attention grows with it.
const BATCH: usize = 16;

/// A model that turns pictures into vectors.
pub trait Eye: Sync {
    /// A few pictures → an embedding each, [pictures, width].
    ///
    /// # Errors
    /// A picture that the model cannot take, not enough memory or a failing device.
    fn embed(&self, pictures: &[&Rgb]) -> Result<Tensor, WeightsError>;
}

/// The embeddings of any number of pictures, `before` each batch of them asked whether to go on.
///
/// # Errors
/// Those of the model and of `before`.
pub fn embeddings(
    eye: &dyn Eye,
    pictures: &[&Rgb],
    mut before: impl FnMut() -> Result<(), Failure>,
) -> Result<Vec<Vec<f32>>, Failure> {
    let mut all = Vec::with_capacity(pictures.len());
    for batch in pictures.chunks(BATCH) {
        before()?;
        all.extend(rows(&eye.embed(batch)?)?);
    }
    Ok(all)
}

/// A tensor [rows, width] as vectors.
pub(crate) fn rows(tensor: &Tensor) -> Result<Vec<Vec<f32>>, WeightsError> {
    Ok(tensor.to_dtype(DType::F32)?.to_vec2()?)
}

/// The cosine between two vectors of one length, −1 to 1; torch's `cosine_similarity`. NaN where a vector is not finite.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt()).max(1e-8)
}

/// A similarity that a model gave, or an error that names the model where it is no number.
///
/// # Errors
/// See above.
pub(crate) fn finite(similarity: f64, model: &std::path::Path) -> Result<f64, Failure> {
    if similarity.is_finite() {
        return Ok(similarity);
    }
    Err(Failure::file(model, "this model's embeddings are not finite").remedy("copy the model again"))
}

#[cfg(test)]
mod tests {
    use super::cosine;

    #[test]
    fn the_cosine_is_that_of_the_angle_and_0_for_nothing() {
        assert!((cosine(&[1.0, 0.0], &[3.0, 3.0]) - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(cosine(&[0.0, 0.0], &[3.0, 3.0]), 0.0);
        assert!(cosine(&[f32::NAN, 0.0], &[3.0, 3.0]).is_nan());
    }
}
