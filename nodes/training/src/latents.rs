//! The latents of a data set, encoded once: the VAE is frozen when the UNet is trained. They are kept in the work folder,
//! under a name that the VAE's weights and the data set decide.

use crate::dataset::Dataset;
use crate::stages::pixels;
use candle_core::{Device, Tensor};
use half::f16;
use mgie_diffusion::vae::Encoder;
use mgie_plugin_api::{Failure, Run, file};
use mgie_weights::WeightsError;
use rayon::prelude::*;
use std::path::Path;

/// Pictures that one thread encodes at once.
const AT_ONCE: usize = 4;
/// A file larger than this is none of ours.
const LARGEST: u64 = 1 << 40;

/// For every example the mode of the source, and mean and log variance of the goal: `[channels, h, w]` each, in f16.
pub struct Latents {
    numbers: Vec<f16>,
    /// Channels, height, width.
    shape: [usize; 3],
}

impl Latents {
    /// Those of `dataset` in `side` × `side` pixels: from `cache` where that file holds as many, else encoded and kept there.
    ///
    /// # Errors
    /// A picture that cannot be read, cancelled, no memory.
    pub fn of(
        run: &Run,
        dataset: &Dataset,
        side: usize,
        encoder: &Encoder,
        device: &Device,
        cache: &Path,
    ) -> Result<Self, Failure> {
        let channels = encoder.config().latent_channels;
        let within = side / encoder.config().factor();
        let shape = [channels, within, within];
        let each = 3 * shape.iter().product::<usize>();
        let count = dataset.len();
        if cache.exists() {
            let bytes = file::read_whole(cache, LARGEST)?;
            if bytes.len() == count * each * size_of::<f16>() {
                let numbers = bytes.as_chunks::<2>().0.iter().map(|pair| f16::from_le_bytes(*pair)).collect();
                return Ok(Self { numbers, shape });
            }
        }
        let mut numbers = Vec::with_capacity(count * each);
        let examples: Vec<usize> = (0..count).collect();
        for some in examples.chunks(AT_ONCE * 4 * rayon::current_num_threads()) {
            run.check_cancelled()?;
            let encoded: Vec<_> = some
                .par_chunks(AT_ONCE)
                .map(|part| encode(dataset, side, encoder, device, part))
                .collect::<Result<_, Failure>>()?;
            numbers.extend(encoded.into_iter().flatten());
            run.progress((numbers.len() / each) as u64, count as u64, "encoding the data set");
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        file::write_whole(cache, &[&bytes])?;
        Ok(Self { numbers, shape })
    }

    /// Source mode, goal mean and goal log variance of examples, `[examples, channels, h, w]` each.
    ///
    /// # Errors
    /// No memory, a device that fails.
    pub fn get(&self, examples: &[usize], device: &Device) -> candle_core::Result<[Tensor; 3]> {
        let [channels, height, width] = self.shape;
        let each = channels * height * width;
        let part = |which: usize| {
            let of = |example: &usize| {
                let start = (example * 3 + which) * each;
                self.numbers.get(start..start + each).unwrap_or_default().iter().map(|number| number.to_f32())
            };
            let numbers: Vec<f32> = examples.iter().flat_map(of).collect();
            Tensor::from_vec(numbers, (examples.len(), channels, height, width), device)
        };
        Ok([part(0)?, part(1)?, part(2)?])
    }
}

fn encode(
    dataset: &Dataset,
    side: usize,
    encoder: &Encoder,
    device: &Device,
    examples: &[usize],
) -> Result<Vec<f16>, Failure> {
    let pairs = examples.iter().map(|example| dataset.pair(*example, side)).collect::<Result<Vec<_>, _>>()?;
    let (sources, goals): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.source, pair.goal)).unzip();
    let numbers = || -> candle_core::Result<Vec<f16>> {
        let source = encoder.mode(&pixels(&sources, device)?, &|| Ok(()))?;
        let (mean, log_variance) = encoder.moments(&pixels(&goals, device)?, &|| Ok(()))?;
        let all = Tensor::stack(&[source, mean, log_variance], 1)?.flatten_all()?;
        Ok(all.to_vec1::<f32>()?.into_iter().map(f16::from_f32).collect())
    };
    Ok(numbers().map_err(WeightsError::from)?)
}
