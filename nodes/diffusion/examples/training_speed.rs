//! How fast the UNet and the VAE of the small model train on this machine: forward, and forward with backward, in samples
//! a second, as the trainer runs them (parts of a batch side by side). Parameters are random.
//!
//!     cargo run --release -p mgie-diffusion --example training_speed -- [THREADS [unet|vae]]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for people to read")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_diffusion::config::Config;
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_weights::{LiveTensors, Weights};
use rayon::prelude::*;

#[derive(Default)]
struct Random(Mutex<BTreeMap<String, Var>>);

impl LiveTensors for Random {
    fn get(&self, name: &str, shape: Option<&Shape>) -> Result<Option<Tensor>> {
        let Some(shape) = shape else { return Ok(None) };
        let mut held = self.0.lock().unwrap();
        if let Some(variable) = held.get(name) {
            return Ok(Some(variable.as_tensor().clone()));
        }
        let inputs: usize = shape.dims().iter().skip(1).product();
        let first = Tensor::randn(0f32, (inputs as f32).powf(-0.5), shape.clone(), &Device::Cpu)?;
        let variable = Var::from_tensor(&first)?;
        held.insert(name.to_owned(), variable.clone());
        Ok(Some(variable.as_tensor().clone()))
    }

    fn shape(&self, _: &str) -> Option<Vec<usize>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What this process used of the cores so far: a machine that does other things at the same time shows here what it would
/// show alone.
fn seconds_of_cores() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds = tasks.map(|task| {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0u64)
    });
    nanoseconds.sum::<u64>() as f64 * 1e-9
}

/// Samples a second of forward, and of forward and backward, of `loss` on `parts` parts of `batch` samples together.
fn measure(what: &str, batch: usize, threads: usize, loss: impl Fn(usize) -> Result<Tensor> + Sync) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let part = batch / threads;
    for backward in [false, true] {
        let step = || {
            pool.install(|| {
                (0..threads).into_par_iter().for_each(|_| {
                    let loss = loss(part).unwrap();
                    if backward {
                        let gradients = loss.backward().unwrap();
                        std::hint::black_box(gradients);
                    }
                });
            });
        };
        step();
        let busy = seconds_of_cores();
        let mut times: Vec<f64> = (0..15)
            .map(|_| {
                let begun = Instant::now();
                step();
                begun.elapsed().as_secs_f64()
            })
            .collect();
        let busy = (seconds_of_cores() - busy) / times.len() as f64;
        times.sort_by(f64::total_cmp);
        let median = times[times.len() / 2];
        println!(
            "{what}, {}: {:.1} samples/s, {:.1} ms for {batch} on {threads} threads (fastest {:.1} ms, {:.1} ms of cores)",
            if backward { "forward and backward" } else { "forward" },
            batch as f64 / median,
            median * 1e3,
            times[0] * 1e3,
            busy * 1e3,
        );
    }
}

fn config(folder: &str) -> Config {
    let path = format!("{}/../../graphs/small/instruct-pix2pix/{folder}/config.json", env!("CARGO_MANIFEST_DIR"));
    Config::read(path).unwrap()
}

fn unet(threads: usize) {
    let config = UnetConfig::read(&config("unet")).unwrap();
    let live = Random::default();
    measure("UNet", 32, threads, |batch| {
        let weights = Weights::live(&live, DType::F32, &Device::Cpu);
        let unet = Unet::new(&weights, &config)?;
        let x = Tensor::randn(0f32, 1f32, (batch, config.in_channels, 16, 16), &Device::Cpu)?;
        let context = Tensor::randn(0f32, 1f32, (batch, 77, config.cross_attention_dim), &Device::Cpu)?;
        let timesteps: Vec<f64> = (0..batch).map(|i| i as f64 * 20.0).collect();
        unet.forward(&x, &timesteps, &context)?.sqr()?.mean_all()
    });
}

fn vae(threads: usize) {
    let config = VaeConfig::read(&config("vae")).unwrap();
    let live = Random::default();
    measure("VAE", 8, threads, |batch| {
        let weights = Weights::live(&live, DType::F32, &Device::Cpu);
        let (encoder, decoder) = (Encoder::new(&weights, &config)?, Decoder::new(&weights, &config)?);
        let picture = Tensor::randn(0f32, 1f32, (batch, 3, 128, 128), &Device::Cpu)?;
        let (mean, deviation) = encoder.moments(&picture, &|| Ok(()))?;
        let decoded = decoder.decode(&(mean + deviation)?, &|| Ok(()))?;
        (decoded - picture)?.sqr()?.mean_all()
    });
}

fn main() {
    if std::env::var_os("CANDLE_NUM_THREADS").is_none() {
        // SAFETY: there is no other thread yet. candle's own threads wait for each other by spinning, and take the cores
        // away from the parts of the batch.
        unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let threads = arguments.first().map_or(2, |threads| threads.parse().unwrap());
    match arguments.get(1).map(String::as_str) {
        Some("unet") => unet(threads),
        Some("vae") => vae(threads),
        _ => {
            unet(threads);
            vae(threads);
        }
    }
}
