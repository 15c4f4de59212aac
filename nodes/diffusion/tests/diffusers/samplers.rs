//! Samplers beside diffusers' schedulers, driven alone and through the whole denoising loop.

use mgie_diffusion::config::Config;
use mgie_diffusion::noise::{Generator, Precision};
use mgie_diffusion::samplers::{NAMES, sampler};
use mgie_diffusion::schedule::{Prediction, Schedule};
use mgie_plugin_api::serde_json::json;

use super::goldens::{Goldens, assert_close, model};
use super::node::{conditioning, image_latents, model_path, output, unet, values};

const SEED: u64 = 20;

fn schedule() -> Schedule {
    let file = model("instruct-pix2pix/scheduler").join("scheduler_config.json");
    Schedule::new(Config::read(file).unwrap()).unwrap()
}

#[test]
fn the_schedule_is_the_references_and_the_built_in_one() {
    let expected = Goldens::open("schedulers").values("alphas_cumprod");
    assert_close("ᾱ", schedule().alphas_cumprod(), &expected, 1e-7);
    assert_close("ᾱ built in", Schedule::stable_diffusion().unwrap().alphas_cumprod(), &expected, 1e-7);
}

#[test]
fn timesteps_equal_the_references_for_every_sampler_and_number_of_steps() {
    let goldens = Goldens::open("schedulers");
    for name in NAMES {
        for steps in [1, 2, 7, 20, 50, 100] {
            let prefix = if steps < 50 { "steps" } else { "schedule" };
            let expected = goldens.values(&format!("{prefix}.{name}.{steps}.timesteps"));
            let sampler = sampler(name, &schedule(), Prediction::Epsilon, steps).unwrap();
            assert_eq!(sampler.timesteps(), expected, "{name}, {steps} steps");
        }
    }
}

#[test]
fn every_step_of_every_sampler_equals_the_references() {
    let goldens = Goldens::open("schedulers");
    for name in NAMES {
        for steps in [1, 2, 7, 20] {
            let recorded = |part: &str| goldens.values(&format!("steps.{name}.{steps}.{part}"));
            let epsilons = goldens.values(&format!("steps.{steps}.epsilons"));
            let (inputs, after, start) = (recorded("model_inputs"), recorded("latents"), recorded("start"));
            let count = start.len();
            let mut generator = Generator::torch_cpu(SEED);
            let mut sampler = sampler(name, &schedule(), Prediction::Epsilon, steps).unwrap();
            let noise = generator.randn(count, Precision::F32);
            let mut latents: Vec<f32> = noise.into_iter().map(|noise| noise * sampler.initial_sigma()).collect();
            assert_close(&format!("{name}: start"), &latents, &start, 1e-6);
            for step in 0..steps {
                let part = step * count..(step + 1) * count;
                let what = format!("{name}: step {step} of {steps}");
                assert_close(&what, &sampler.model_input(step, &latents), &inputs[part.clone()], 1e-5);
                let mut noise = || generator.randn(count, Precision::F32);
                latents = sampler.step(step, &latents, &epsilons[part.clone()], &mut noise).latents;
                assert_close(&what, &latents, &after[part], 1e-5);
            }
        }
    }
}

#[test]
fn a_model_that_knows_the_answer_leads_every_sampler_to_it_whichever_way_it_says_so() {
    let known: Vec<f32> = (0..60).map(|index| (index as f32 * 0.7).sin()).collect();
    for spacing in ["linspace", "leading", "trailing"] {
        let config = format!(
            r#"{{"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": false,
                "timestep_spacing": "{spacing}", "steps_offset": 1}}"#
        );
        let schedule = Schedule::new(Config::parse("scheduler_config.json", &config).unwrap()).unwrap();
        for (name, steps) in NAMES.into_iter().flat_map(|name| [1, 2, 9, 30].map(|steps| (name, steps))) {
            for prediction in [Prediction::Epsilon, Prediction::Velocity] {
                let mut sampler = sampler(name, &schedule, prediction, steps).unwrap();
                let sigmas = schedule.sigmas_at(sampler.timesteps());
                let mut generator = Generator::torch_cpu(SEED);
                let noise = generator.randn(known.len(), Precision::F32);
                let mut latents: Vec<f32> = noise.into_iter().map(|noise| noise * sampler.initial_sigma()).collect();
                for (step, sigma) in sigmas.into_iter().enumerate() {
                    // The input is α x₀ + σ' ε with α² + σ'² = 1; the model solves it for what it is asked.
                    let (signal, noise) = (1.0 / sigma.hypot(1.0), sigma / sigma.hypot(1.0));
                    let input = sampler.model_input(step, &latents);
                    let answer = |(input, known): (&f32, &f32)| {
                        let epsilon = (input - signal * known) / noise;
                        match prediction {
                            Prediction::Epsilon => epsilon,
                            Prediction::Velocity => signal * epsilon - noise * known,
                        }
                    };
                    let output: Vec<f32> = input.iter().zip(&known).map(answer).collect();
                    let taken =
                        sampler.step(step, &latents, &output, &mut || generator.randn(known.len(), Precision::F32));
                    let what = format!("{name}, {spacing}, {prediction:?}, step {step} of {steps}");
                    assert_close(&what, &taken.clean, &known, 1e-4);
                    latents = taken.latents;
                }
                // DDIM stops at the first training step, where other samplers go on to no noise at all.
                let most = if name == "ddim" { 0.05 } else { 1e-4 };
                assert_close(&format!("{name}, {spacing}, {prediction:?}, {steps} steps"), &latents, &known, most);
            }
        }
    }
}

#[test]
fn the_denoise_node_ends_where_the_references_pipeline_ends_with_every_sampler() {
    let goldens = Goldens::open("schedulers");
    let value = |name: &str| (goldens.shape(name), goldens.values(name));
    let (shape, text) = value("conditioning");
    let (null_shape, null) = value("null_conditioning");
    let (latents_shape, latents) = value("image_latents");
    let inputs = [
        ("denoiser", &unet(true)),
        ("conditioning", &conditioning(shape, text)),
        ("null_conditioning", &conditioning(null_shape, null)),
        ("latents", &image_latents(latents_shape, latents)),
    ];
    for name in NAMES {
        for steps in [7, 20] {
            let parameters = json!({
                "steps": steps, "seed": SEED, "sampler": name, "scheduler": model_path("instruct-pix2pix/scheduler"),
            });
            let found = output("diffusion.denoise", parameters, &inputs, "latents");
            let trajectory = goldens.values(&format!("trajectory.{name}.{steps}"));
            let end = &trajectory[trajectory.len() - values(&found).len()..];
            assert_close(&format!("{name}, {steps} steps"), values(&found), end, 1e-4);
        }
    }
}
