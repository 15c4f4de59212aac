//! The models as a trainer uses them: built from variables that live in memory, of which each gets its gradient.

use std::collections::BTreeMap;
use std::sync::Mutex;

use candle_core::{DType, Device, Result, Shape, Tensor, Var};
use mgie_diffusion::config::Config;
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_weights::{LiveTensors, Weights};

/// Variables that come to be when a model first asks for them.
#[derive(Default)]
struct Variables(Mutex<BTreeMap<String, Var>>);

impl LiveTensors for Variables {
    fn get(&self, name: &str, shape: Option<&Shape>) -> Result<Option<Tensor>> {
        let Some(shape) = shape else { return Ok(None) };
        let mut held = self.0.lock().unwrap();
        if !held.contains_key(name) {
            let inputs: usize = shape.dims().iter().skip(1).product();
            let first = numbers(shape.dims(), held.len() as f32).affine((inputs as f64).powf(-0.5), 0.1)?;
            held.insert(name.to_owned(), Var::from_tensor(&first)?);
        }
        Ok(held.get(name).map(|variable| variable.as_tensor().clone()))
    }

    fn shape(&self, _: &str) -> Option<Vec<usize>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn numbers(shape: &[usize], seed: f32) -> Tensor {
    let values = (0..shape.iter().product()).map(|index: usize| ((index as f32 * 0.731 + seed) * 1.7).sin());
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

fn scalar(x: &Tensor) -> f64 {
    x.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// Every variable has a gradient other than zero, and a small step along any of them, and along all together, changes the
/// loss as the gradient says.
fn assert_gradients(loss: impl Fn(&Weights) -> Result<Tensor>) {
    let variables = Variables::default();
    let value = || loss(&Weights::live(&variables, DType::F32, &Device::Cpu)).unwrap();
    let there = value();
    let (gradients, loss_there) = (there.backward().unwrap(), scalar(&there));
    let held: Vec<_> = variables.0.lock().unwrap().iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    let all: Vec<_> = held
        .iter()
        .map(|(name, variable)| {
            let gradient =
                gradients.get(variable.as_tensor()).unwrap_or_else(|| panic!("{name} has no gradient")).clone();
            let square = scalar(&gradient.sqr().unwrap().sum_all().unwrap());
            assert!(square.is_finite() && square > 0.0, "the gradient of {name} is {square}");
            (name, variable, gradient, square)
        })
        .collect();
    let slope_along = |some: &[&(&String, &Var, Tensor, f64)]| {
        let length = some.iter().map(|(_, _, _, square)| square).sum::<f64>().sqrt();
        let before: Vec<_> = some.iter().map(|(_, variable, ..)| variable.as_tensor().copy().unwrap()).collect();
        // Large enough to stand out of what f32 rounds away, small enough for the loss to be nearly straight.
        let step = 2e-3 * loss_there / length;
        let at = |step: f64| {
            for ((_, variable, gradient, _), before) in some.iter().zip(&before) {
                variable.set(&(before + (gradient * (step / length)).unwrap()).unwrap()).unwrap();
            }
            scalar(&value())
        };
        let slope = |step: f64| (at(step) - at(-step)) / (2.0 * step);
        // Two steps together cancel what bends the loss most.
        let slope = (4.0 * slope(step / 2.0) - slope(step)) / 3.0;
        for ((_, variable, ..), before) in some.iter().zip(&before) {
            variable.set(before).unwrap();
        }
        (slope, length)
    };
    let everything: Vec<_> = all.iter().collect();
    let (found, expected) = slope_along(&everything);
    assert!((found / expected - 1.0).abs() < 1e-2, "along all gradients: expected {expected}, found {found}");
    // Those that hardly matter drown in what f32 rounds away.
    let largest = all.iter().map(|(.., square)| *square).fold(0.0, f64::max);
    let mattering: Vec<_> = all.iter().filter(|(.., square)| *square > 1e-3 * largest).collect();
    for one in mattering.iter().step_by(mattering.len().div_ceil(12)) {
        let (found, expected) = slope_along(&[*one]);
        assert!((found / expected - 1.0).abs() < 2e-2, "{}: expected {expected}, found {found}", one.0);
    }
}

#[test]
fn gradients_reach_every_parameter_of_the_unet_and_say_how_the_loss_changes() {
    let config = r#"{"block_out_channels": [32, 64], "layers_per_block": 1, "cross_attention_dim": 24, "in_channels": 8,
        "norm_num_groups": 8, "attention_head_dim": 4,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}"#;
    let config = UnetConfig::read(&Config::parse("config.json", config).unwrap()).unwrap();
    let (x, context, target) =
        (numbers(&[2, 8, 16, 16], 0.1), numbers(&[2, 5, 24], 0.2), numbers(&[2, 4, 16, 16], 0.3));
    assert_gradients(|w| {
        let found = Unet::new(w, &config)?.forward(&x, &[17.0, 803.5], &context)?;
        (found - &target)?.sqr()?.mean_all()
    });
}

#[test]
fn gradients_reach_every_parameter_of_the_vae_and_say_how_the_loss_changes() {
    let config =
        r#"{"block_out_channels": [8, 32], "layers_per_block": 1, "norm_num_groups": 4, "latent_channels": 4}"#;
    let config = VaeConfig::read(&Config::parse("config.json", config).unwrap()).unwrap();
    let picture = numbers(&[2, 3, 32, 32], 0.1);
    assert_gradients(|w| {
        let (encoder, decoder) = (Encoder::new(w, &config)?, Decoder::new(w, &config)?);
        let (mean, log_variance) = encoder.moments(&picture, &|| Ok(()))?;
        let deviation = (log_variance * 0.5)?.exp()?;
        let latents = (&mean + (deviation * numbers(mean.dims(), 0.4))?)?;
        (decoder.decode(&latents, &|| Ok(()))? - &picture)?.sqr()?.mean_all()
    });
}

#[test]
fn each_picture_of_a_batch_has_its_own_timestep() {
    let folder = super::goldens::model("instruct-pix2pix/unet");
    let config = UnetConfig::read(&Config::read(folder.join("config.json")).unwrap()).unwrap();
    let weights = Weights::open(&folder, DType::F32, &Device::Cpu).unwrap();
    let unet = weights.load(|w| Unet::new(w, &config)).unwrap();
    let x = numbers(&[2, config.in_channels, 6, 7], 0.1);
    let context = numbers(&[2, 3, config.cross_attention_dim], 0.2);
    let both = unet.forward(&x, &[981.0, 41.0], &context).unwrap();
    for (index, timestep) in [981.0, 41.0].into_iter().enumerate() {
        let one = |x: &Tensor| x.narrow(0, index, 1).unwrap();
        let alone = unet.forward(&one(&x), &[timestep], &one(&context)).unwrap();
        super::goldens::assert_close("alone", &super::goldens::flat(&one(&both)), &super::goldens::flat(&alone), 1e-4);
    }
    let error = unet.forward(&x, &[1.0, 2.0, 3.0], &context).unwrap_err().to_string();
    assert!(error.contains("3 timesteps for 2 pictures"), "{error}");
}
