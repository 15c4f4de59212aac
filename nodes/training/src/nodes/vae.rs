//! `training.vae`: the autoencoder, the first stage.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::{Parameters, Trained};
use crate::parts::whole_latents;
use crate::setup::{self, Defaults, Setup};
use crate::stages::pixels;
use crate::stages::vae::{VaeStage, normalise};
use crate::trainer::train;
use candle_core::DType;
use mgie_diffusion::config::Config;
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value};
use mgie_weights::{LiveTensors, WeightsError, pool};

/// Pictures whose latents are measured after the training.
const MEASURED: usize = 256;

/// The node.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "training.vae",
        "Train VAE",
        "Training",
        "Trains the autoencoder between pictures and latents on sources and goals of a data set.",
    );
    let description = setup::with_parameters(description, Defaults { steps: 6000, batch: 8, part: 4, rate: 1e-3 });
    let crop = Domain::Integer { default: 0, hard: [0, 4096], soft: [0, 512] };
    let description = setup::with_side(description)
        .parameter(
            "crop",
            "Crop",
            crop,
            "Side of the squares that are cut from the pictures at random places to train on: quicker steps, and detail \
             keeps its size; 0 for whole pictures.",
        )
        .unit("px")
        .parameter(
            "encoder",
            "Encoder",
            Domain::Choice { default: "trained".to_owned(), choices: vec!["trained".to_owned(), "frozen".to_owned()] },
            "frozen: the decoder alone is trained on, and pictures keep their latents, so that a UNet that was trained on \
             them still fits. It needs `begin` = models.",
        );
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || vae(run)))
}

fn vae(run: &Run) -> Result<Outputs, Failure> {
    let Setup { models, dataset, plan, device, dtype, continues } = Setup::read(run, "vae")?;
    let folder = models.join("instruct-pix2pix/vae");
    let config = VaeConfig::read(&Config::read(folder.join("config.json"))?)?;
    let side = run.count("side")?;
    whole_latents(&config, "side", side)?;
    let crop = match run.count("crop")? {
        0 => side,
        crop => crop.min(side),
    };
    whole_latents(&config, "crop", crop)?;
    let frozen = run.string("encoder")? == "frozen";
    if frozen && !continues {
        return Err(Failure::parameter("encoder", "trained where `begin` is afresh", "`frozen`")
            .remedy("set `begin` to models, or `encoder` to trained"));
    }
    let dataset = Dataset::open(&dataset)?;
    let stage = VaeStage { config: config.clone(), dataset, side, crop, seed: plan.seed, dtype };
    let all: Trained = |_| true;
    let decoder: Trained = |name| name.starts_with("vae.decoder.") || name.starts_with("vae.post_quant_conv.");
    let parameters = Parameters::new(&device, plan.seed, if frozen { decoder } else { all });
    if continues {
        model_files::load_vae(&parameters, &folder)?;
    }
    model_files::check(&parameters, &folder, continues, |w| {
        Ok((Encoder::new(&w.pp("vae"), &config)?, Decoder::new(&w.pp("vae"), &config)?))
    })?;
    if !frozen
        && ["quant_conv", "post_quant_conv"]
            .iter()
            .any(|name| parameters.shape(&format!("vae.{name}.weight")).is_none())
    {
        return Err(Failure::file(folder.join("config.json"), "a VAE without quant_conv or post_quant_conv")
            .expected("both, since they take the latents to mean 0 and deviation 1 after the training")
            .remedy("leave `use_quant_conv` and `use_post_quant_conv` out"));
    }
    let trained = train(run, &plan, &stage, &parameters)?;
    if !frozen {
        normalise_latents(&trained, &stage)?;
    }
    let file = folder.join("diffusion_pytorch_model.safetensors");
    model_files::write_finished(&plan, &[(file, trained.below("vae"))])?;
    Ok(Outputs::new().with("models", Value::text(models.display().to_string())))
}

/// Brings the latents of the data set's first sources to mean 0 and deviation 1.
fn normalise_latents(trained: &Parameters, stage: &VaeStage) -> Result<(), Failure> {
    let VaeStage { config, dataset, side, .. } = stage;
    let measured: Vec<_> =
        (0..MEASURED.min(dataset.len())).map(|i| Ok(dataset.pair(i, *side)?.source)).collect::<Result<_, Failure>>()?;
    let (mean, mut deviation) = moments(trained, config, &measured).map_err(WeightsError::from)?;
    // The UNet is given latents times the config's factor: these are what has deviation 1.
    deviation.iter_mut().for_each(|deviation| *deviation *= config.scaling_factor.abs() as f32);
    Ok(normalise(trained, &mean, &deviation).map_err(WeightsError::from)?)
}

/// Mean and deviation of each channel of the latents' modes.
fn moments(
    parameters: &Parameters,
    config: &VaeConfig,
    pictures: &[mgie_image::picture::Picture],
) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let encoder = Encoder::new(&parameters.weights(DType::F32).pp("vae"), config)?;
    let mut channels = vec![Vec::new(); config.latent_channels];
    for some in pictures.chunks(16) {
        let modes = encoder.mode(&pixels(some, parameters.device())?, &|| Ok(()))?;
        for (channel, numbers) in channels.iter_mut().enumerate() {
            numbers.extend(modes.narrow(1, channel, 1)?.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    let of = |numbers: &Vec<f32>| {
        let count = numbers.len().max(1) as f64;
        let mean = numbers.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let variance = numbers.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
        (mean as f32, variance.sqrt().max(1e-6) as f32)
    };
    Ok(channels.iter().map(of).unzip())
}
