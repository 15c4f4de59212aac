//! The stages of training, in the order in which they are trained: each is a loss on a data set. What several of them do
//! with pictures and noise stands here.

pub mod clip;
pub mod denoiser;
pub mod edit;
pub mod language;
pub mod mgie;
pub mod vae;

use crate::dataset::Dataset;
use crate::initial::at;
use crate::sampling::{Sampling, Studio};
use candle_core::{DType, Device, Result, Tensor};
use mgie_clip::Processor;
use mgie_diffusion::noise::{Precision, TorchCpu};
use mgie_diffusion::unet::Unet;
use mgie_image::lettering::Canvas;
use mgie_image::picture::Picture;
use mgie_plugin_api::Failure;
use mgie_weights::WeightsError;

/// Standard normal numbers for `count` examples of `shape` (its first dimension is the batch's), drawn for each place in
/// the batch on its own, so that they do not depend on how the batch is divided.
fn draw(
    seed: u64,
    what: &str,
    step: u64,
    first: usize,
    count: usize,
    shape: &[usize],
    device: &Device,
) -> Result<Tensor> {
    let each: usize = shape.iter().skip(1).product();
    let of = |place: usize| TorchCpu::new(at(seed, what, step, place as u64)).randn(each, Precision::F32);
    let values: Vec<f32> = (first..first + count).flat_map(of).collect();
    Tensor::from_vec(values, shape, device)
}

/// A number from 0 to 1 for one place in a batch.
fn uniform(seed: u64, what: &str, step: u64, place: usize) -> f64 {
    (at(seed, what, step, place as u64) >> 11) as f64 / (1u64 << 53) as f64
}

/// Square pictures of one size as `[batch, 3, side, side]` in [−1, 1].
pub(crate) fn pixels(pictures: &[Picture], device: &Device) -> Result<Tensor> {
    let side = pictures.first().map_or(0, |picture| picture.width);
    let all: Vec<f32> = pictures.iter().flat_map(|picture| &picture.samples).map(|sample| sample * 2.0 - 1.0).collect();
    Tensor::from_vec(all, (pictures.len(), side, side, 3), device)?.permute((0, 3, 1, 2))?.contiguous()
}

/// `[batch, 3, h, w]` in [−1, 1] as RGB8 pictures, clamped, rounded half to even.
pub(crate) fn bytes(pictures: &Tensor) -> Result<Vec<Vec<u8>>> {
    let rows = pictures.to_dtype(DType::F32)?.permute((0, 2, 3, 1))?.contiguous()?.flatten_from(1)?.to_vec2::<f32>()?;
    let byte = |value: f32| ((value * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    Ok(rows.into_iter().map(|row| row.into_iter().map(byte).collect()).collect())
}

/// Rows of RGB8 pictures of `side` pixels, side by side.
pub(crate) fn sheet(rows: &[Vec<Vec<u8>>], side: usize) -> std::result::Result<Canvas, Failure> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut canvas = Canvas::new(columns * side, rows.len() * side, [0; 3])?;
    for (y, row) in rows.iter().enumerate() {
        for (x, picture) in row.iter().enumerate() {
            canvas.picture((x * side) as i64, (y * side) as i64, (side, side), picture, (side, side))?;
        }
    }
    Ok(canvas)
}

/// Pictures as CLIP takes them, `[pictures, 3, size, size]` in f32.
///
/// # Errors
/// A picture that cannot be resized, or comes out in another size than the tower takes.
pub(crate) fn pixel_values(
    processor: &Processor,
    pictures: &[Picture],
    device: &Device,
) -> std::result::Result<Tensor, Failure> {
    let byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let mut values = Vec::new();
    let mut size = (0, 0);
    for picture in pictures {
        let rgb: Vec<u8> = picture.samples.iter().map(byte).collect();
        let processed = processor.process(&rgb, picture.height, picture.width);
        let processed = processed.map_err(|error| Failure::failed(error.to_string()))?;
        size = (processed.height, processed.width);
        values.extend(processed.values);
    }
    let tensor = Tensor::from_vec(values, (pictures.len(), 3, size.0, size.1), device);
    Ok(tensor.map_err(WeightsError::from)?)
}

/// Examples that a sample shows, at most.
const SAMPLED: usize = 8;

/// The examples that a sample shows: the data set's first.
fn sampled(dataset: &Dataset) -> std::ops::Range<usize> {
    0..SAMPLED.min(dataset.len())
}

/// Three rows as PNG: sources, edits, goals.
fn sample_sheet(
    studio: &Studio,
    unet: &Unet,
    dataset: &Dataset,
    side: usize,
    examples: std::ops::Range<usize>,
    conditions: (&Tensor, &Tensor),
) -> std::result::Result<Vec<u8>, Failure> {
    let seeds: Vec<u64> = examples.clone().map(|example| example as u64).collect();
    let pairs = examples.map(|example| dataset.pair(example, side)).collect::<std::result::Result<Vec<_>, _>>()?;
    let (sources, goals): (Vec<_>, Vec<_>) = pairs.into_iter().map(|pair| (pair.source, pair.goal)).unzip();
    let edits = studio.edit(unet, &sources, &seeds, conditions, &Sampling::quick(), &|| Ok(()))?;
    let byte = |value: &f32| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let row = |pictures: &[Picture]| pictures.iter().map(|one| one.samples.iter().map(byte).collect()).collect();
    sheet(&[row(&sources), edits, row(&goals)], side)?.to_png()
}
