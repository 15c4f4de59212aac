//! The UNet beside `UNet2DConditionModel`.

use candle_core::{DType, Device, Tensor};
use mgie_diffusion::config::Config;
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_weights::{Checkpoint, Overlay, Weights};

use super::goldens::{Goldens, assert_close, flat, model, relative_rms};

fn load(name: &str, dtype: DType) -> Unet {
    let folder = model("instruct-pix2pix/unet");
    let config = UnetConfig::read(&Config::read(folder.join("config.json")).unwrap()).unwrap();
    let mut overlay = Overlay::new();
    if name == "mgie" {
        overlay = overlay.then(Checkpoint::open(model("mgie_7b/unet.pt")).unwrap());
    }
    let weights = Weights::new(overlay.then(Checkpoint::open(folder).unwrap()), dtype, &Device::Cpu);
    weights.load(|w| Unet::new(w, &config)).unwrap()
}

#[test]
fn epsilon_equals_the_reference_at_even_odd_and_tiny_sizes_and_at_fractional_timesteps() {
    let goldens = Goldens::open("unet");
    let context = goldens.tensor("context").narrow(0, 0, 1).unwrap();
    let timesteps = goldens.values("timesteps");
    for name in ["mgie", "pix2pix"] {
        let unet = load(name, DType::F32);
        for size in ["odd", "even", "tiny"] {
            let recorded = format!("{size}.{name}.epsilon");
            if !goldens.names().contains(&recorded) {
                continue;
            }
            let sample = goldens.tensor(&format!("{size}.sample")).unsqueeze(0).unwrap();
            let expected = goldens.tensor(&recorded);
            for (index, timestep) in timesteps.iter().enumerate() {
                let found = unet.forward(&sample, &[f64::from(*timestep)], &context).unwrap();
                let expected = flat(&expected.get(index).unwrap());
                // PyTorch's own f32 is up to 1.3e-5 from its f64 here: the miniature's random weights amplify.
                assert_close(&format!("{recorded} at {timestep}"), &flat(&found), &expected, 5e-5);
            }
        }
    }
}

#[test]
fn three_branches_in_one_batch_equal_the_pipelines() {
    let goldens = Goldens::open("unet");
    let sample = goldens.tensor("even.sample").unsqueeze(0).unwrap();
    let blind =
        Tensor::cat(&[sample.narrow(1, 0, 4).unwrap(), sample.narrow(1, 4, 4).unwrap().zeros_like().unwrap()], 1);
    let batch = Tensor::cat(&[&sample, &sample, &blind.unwrap()], 0).unwrap();
    let context =
        goldens.tensor("context").index_select(&Tensor::new(&[0u32, 1, 1], &Device::Cpu).unwrap(), 0).unwrap();
    let timestep = f64::from(goldens.values("timesteps")[1]);
    let found = load("mgie", DType::F32).forward(&batch, &[timestep], &context).unwrap();
    assert_close("branches", &flat(&found), &goldens.values("even.mgie.branches"), 5e-5);
}

#[test]
fn half_precision_stays_near_the_reference_since_time_norms_and_softmax_are_computed_in_single() {
    let goldens = Goldens::open("unet");
    let half = |name: &str| goldens.tensor(name).to_dtype(DType::F16).unwrap();
    let sample = half("even.sample").unsqueeze(0).unwrap();
    let context = half("context").narrow(0, 0, 1).unwrap();
    let timestep = f64::from(goldens.values("timesteps")[1]);
    let found = load("mgie", DType::F16).forward(&sample, &[timestep], &context).unwrap();
    let expected = flat(&goldens.tensor("even.mgie.epsilon").get(1).unwrap());
    let distance = relative_rms(&flat(&found.to_dtype(DType::F32).unwrap()), &expected);
    // PyTorch's own f16 is 5e-3 from its f32 here. A cosine of t = 946 in f16 alone would be off by 0.3.
    assert!(distance < 1.5e-2, "relative RMS {distance:e}");
}
