//! The autoencoder: pictures to latents an eighth as wide and back. The loss is the mean of the absolute and of the squared
//! difference, and a little of the divergence from a standard normal (Rombach et al., arXiv 2112.10752, without the
//! adversarial and the perceptual term, which drawn scenes do not need).

use super::{SAMPLED, bytes, draw, pixels, sheet, uniform};
use crate::dataset::Dataset;
use crate::parameters::Parameters;
use crate::trainer::{Loss, Stage};
use candle_core::{D, DType, Result, Tensor};
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_image::picture::Picture;
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;

/// The divergence's share of the loss.
const DIVERGENCE: f64 = 1e-6;

/// What the autoencoder is trained on: source and goal of every example.
pub struct VaeStage {
    /// Sizes.
    pub config: VaeConfig,
    /// Pictures.
    pub dataset: Dataset,
    /// Side of the pictures in pixels.
    pub side: usize,
    /// Side of the squares that are cut from them at random places, at most `side`: detail keeps its size, and a step is
    /// quicker.
    pub crop: usize,
    /// Decides the draws.
    pub seed: u64,
    /// What is computed in.
    pub dtype: DType,
}

impl VaeStage {
    fn picture(&self, example: usize) -> std::result::Result<Picture, Failure> {
        let pair = self.dataset.pair(example / 2, self.side)?;
        Ok(if example.is_multiple_of(2) { pair.source } else { pair.goal })
    }

    /// The square of an example that is trained on in one place of the batch at `step`.
    fn cropped(&self, example: usize, step: u64, place: usize) -> std::result::Result<Picture, Failure> {
        let picture = self.picture(example)?;
        if self.crop >= self.side {
            return Ok(picture);
        }
        let at = |what| (uniform(self.seed, what, step, place) * (self.side - self.crop + 1) as f64) as usize;
        let cropped = picture.cropped(at("left"), at("top"), self.crop, self.crop);
        cropped.map_err(|error| Failure::fault(format!("a crop within the picture: {error}")))
    }
}

impl Stage for VaeStage {
    fn examples(&self) -> usize {
        2 * self.dataset.len()
    }

    fn loss(
        &self,
        parameters: &Parameters,
        step: u64,
        batch: &[usize],
        first: usize,
        part: &[usize],
    ) -> std::result::Result<Loss, Failure> {
        let pictures = part.iter().enumerate().map(|(index, example)| self.cropped(*example, step, first + index));
        let pictures = pictures.collect::<std::result::Result<Vec<_>, _>>()?;
        let pictures = pixels(&pictures, parameters.device()).map_err(WeightsError::from)?;
        let share = part.len() as f64 / batch.len() as f64;
        let loss = || -> Result<Loss> {
            let w = parameters.weights(self.dtype).pp("vae");
            let (mean, log_variance) =
                Encoder::new(&w, &self.config)?.moments(&pictures.to_dtype(self.dtype)?, &|| Ok(()))?;
            let noise = draw(self.seed, "latents", step, first, part.len(), mean.dims(), parameters.device())?;
            let (mean, log_variance) = (mean.to_dtype(DType::F32)?, log_variance.to_dtype(DType::F32)?);
            let latents = (&mean + (&log_variance * 0.5)?.exp()? * noise)?.to_dtype(self.dtype)?;
            let decoded = Decoder::new(&w, &self.config)?.decode(&latents, &|| Ok(()))?.to_dtype(DType::F32)?;
            let off = (decoded - &pictures)?;
            let absolute = (off.abs()?.mean_all()? * share)?;
            let square = (off.sqr()?.mean_all()? * share)?;
            let divergence = ((mean.sqr()? + log_variance.exp()?)? - log_variance)?.affine(0.5, -0.5)?;
            let divergence = (divergence.mean_all()? * share)?;
            let total = ((&absolute + &square)? + (&divergence * DIVERGENCE)?)?;
            Ok(Loss { total, terms: vec![("l1", absolute), ("l2", square), ("kl", divergence)] })
        };
        Ok(loss().map_err(WeightsError::from)?)
    }

    fn sample(&self, parameters: &Parameters) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let pictures = (0..SAMPLED.min(self.examples())).map(|example| self.picture(example));
        let pictures = pictures.collect::<std::result::Result<Vec<_>, _>>()?;
        let pictures = pixels(&pictures, parameters.device()).map_err(WeightsError::from)?;
        let decode = || -> Result<Tensor> {
            let w = parameters.weights(DType::F32).pp("vae");
            let latents = Encoder::new(&w, &self.config)?.mode(&pictures, &|| Ok(()))?;
            Decoder::new(&w, &self.config)?.decode(&latents, &|| Ok(()))
        };
        let both = [&pictures, &decode().map_err(WeightsError::from)?].map(bytes);
        let [pictures, decoded] = both.map(|rows| rows.map_err(WeightsError::from));
        Ok(Some(sheet(&[pictures?, decoded?], self.side)?.to_png()?))
    }
}

/// Scales and shifts the latents' channels to mean 0 and deviation 1, by what the last layer of the encoder and the first
/// of the decoder do: pictures come out as before, and no `scaling_factor` is needed. `mean` and `deviation` are of the
/// latents' modes, a number a channel.
///
/// # Errors
/// The VAE has no `quant_conv` and `post_quant_conv`, no memory.
pub fn normalise(parameters: &Parameters, mean: &[f32], deviation: &[f32]) -> Result<()> {
    let channels = mean.len();
    let device = parameters.device();
    let get = |name: &str| {
        let found = parameters.below("vae").into_iter().find(|(known, _)| known == name);
        found.map(|(_, tensor)| tensor).ok_or_else(|| candle_core::Error::Msg(format!("a VAE without {name}")))
    };
    let mean = Tensor::from_slice(mean, channels, device)?;
    let deviation = Tensor::from_slice(deviation, channels, device)?;
    let twice = Tensor::cat(&[&deviation, &deviation.ones_like()?], 0)?;
    let weight = get("quant_conv.weight")?.broadcast_div(&twice.reshape((2 * channels, 1, 1, 1))?)?;
    let bias = get("quant_conv.bias")?;
    let (of_mean, of_variance) = (bias.narrow(0, 0, channels)?, bias.narrow(0, channels, channels)?);
    let bias = Tensor::cat(&[((of_mean - &mean)? / &deviation)?, (of_variance - (deviation.log()? * 2.0)?)?], 0)?;
    parameters.insert("vae.quant_conv.weight", weight)?;
    parameters.insert("vae.quant_conv.bias", bias)?;
    let weight = get("post_quant_conv.weight")?;
    let shifted = weight.flatten_from(1)?.broadcast_mul(&mean.unsqueeze(0)?)?.sum(D::Minus1)?;
    let bias = (get("post_quant_conv.bias")? + shifted)?;
    parameters.insert("vae.post_quant_conv.weight", weight.broadcast_mul(&deviation.reshape((1, channels, 1, 1))?)?)?;
    parameters.insert("vae.post_quant_conv.bias", bias)
}
