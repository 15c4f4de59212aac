//! From noise to edited pictures, several at once: what `diffusion.vae_encode`, `diffusion.denoise` and
//! `diffusion.vae_decode` do one after the other, with the noise that they would draw from each picture's seed.

use crate::stages::{bytes, pixels};
use candle_core::{Device, Result, Tensor};
use mgie_diffusion::guidance::Guidance;
use mgie_diffusion::noise::{Generator, Precision};
use mgie_diffusion::samplers::sampler;
use mgie_diffusion::schedule::{Prediction, Schedule};
use mgie_diffusion::unet::Unet;
use mgie_diffusion::vae::{Decoder, Encoder};
use mgie_image::picture::Picture;
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;

/// How edits are sampled.
#[derive(Debug, Clone)]
pub struct Sampling {
    /// Steps.
    pub steps: usize,
    /// Text guidance.
    pub guidance: f64,
    /// Image guidance.
    pub image_guidance: f64,
    /// One of the samplers.
    pub sampler: String,
}

impl Sampling {
    /// What a sample during a training is made with: few steps and little guidance.
    pub fn quick() -> Self {
        Self { steps: 12, guidance: 2.0, image_guidance: 1.0, sampler: "euler".to_owned() }
    }
}

/// The models between pictures and latents, and the noise schedule.
pub struct Studio {
    /// Pictures to latents.
    pub encoder: Encoder,
    /// Latents to pictures.
    pub decoder: Decoder,
    /// The noise.
    pub schedule: Schedule,
    /// What latents are multiplied by.
    pub scaling: f64,
    /// Where they are computed.
    pub device: Device,
}

impl Studio {
    /// Edits `sources` by `conditioning` `[sources, tokens, width]` and `null` (the same, or one for all), each from its
    /// seed: RGB pictures of 8 bits. `between` is asked before every step.
    ///
    /// # Errors
    /// What `between` says; no such sampler; shapes that do not fit, no memory.
    pub fn edit(
        &self,
        unet: &Unet,
        sources: &[Picture],
        seeds: &[u64],
        (conditioning, null): (&Tensor, &Tensor),
        sampling: &Sampling,
        between: &dyn Fn() -> std::result::Result<(), Failure>,
    ) -> std::result::Result<Vec<Vec<u8>>, Failure> {
        let wrong = |error| Failure::from(WeightsError::from(error));
        let prediction = self.schedule.prediction()?.unwrap_or(Prediction::Epsilon);
        let mut sampler = sampler(&sampling.sampler, &self.schedule, prediction, sampling.steps)?;
        let guidance = Guidance::new(sampling.guidance, sampling.image_guidance);
        let mut generators: Vec<Generator> = seeds.iter().map(|seed| Generator::torch_cpu(*seed)).collect();
        let shown = || -> Result<(Tensor, Tensor)> {
            let image = self.encoder.mode(&pixels(sources, &self.device)?, &|| Ok(()))?;
            let null = null.broadcast_as(conditioning.shape())?.contiguous()?;
            let branches = guidance.branches();
            let contexts: Vec<&Tensor> = branches.iter().map(|b| if b.text { conditioning } else { &null }).collect();
            let nothing = image.zeros_like()?;
            let images: Vec<&Tensor> = branches.iter().map(|b| if b.image { &image } else { &nothing }).collect();
            Ok((Tensor::cat(&contexts, 0)?, Tensor::cat(&images, 0)?))
        };
        let (contexts, images) = shown().map_err(wrong)?;
        let (all, channels, height, width) = images.dims4().map_err(wrong)?;
        let each = channels * height * width;
        let mut draw = || -> Vec<f32> { generators.iter_mut().flat_map(|g| g.randn(each, Precision::F32)).collect() };
        let sigma = sampler.initial_sigma();
        let mut latents: Vec<f32> = draw().into_iter().map(|noise| noise * sigma).collect();
        for (step, timestep) in sampler.timesteps().to_vec().into_iter().enumerate() {
            between()?;
            let input = sampler.model_input(step, &latents).repeat(guidance.branches().len());
            let answer = || -> Result<Vec<f32>> {
                let noisy = Tensor::from_vec(input, (all, channels, height, width), &self.device)?;
                let x = Tensor::cat(&[&noisy, &images], 1)?;
                unet.forward(&x, &[f64::from(timestep)], &contexts)?.flatten_all()?.to_vec1()
            };
            let answers = answer().map_err(wrong)?;
            latents = sampler.step(step, &latents, &guidance.mix(&answers), &mut draw).latents;
        }
        let decode = || -> Result<Vec<Vec<u8>>> {
            let latents = Tensor::from_vec(latents, (sources.len(), channels, height, width), &self.device)?;
            bytes(&self.decoder.decode(&(latents * (1.0 / self.scaling))?, &|| Ok(()))?)
        };
        decode().map_err(wrong)
    }
}
