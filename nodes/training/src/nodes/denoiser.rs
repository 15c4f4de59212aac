//! `training.denoiser`: InstructPix2Pix' UNet, conditioned on CLIP's features of the text.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::{Parameters, Trained};
use crate::parts::{self, place};
use crate::setup::{self, Defaults, Setup};
use crate::stages::denoiser::DenoiserStage;
use crate::trainer::train;
use mgie_diffusion::unet::Unet;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value};
use mgie_weights::pool;

/// The node.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "training.denoiser",
        "Train denoiser",
        "Training",
        "Trains the UNet as InstructPix2Pix: it edits by the instruction alone, through CLIP's text tower.",
    );
    let description = setup::with_parameters(description, Defaults { steps: 10_000, batch: 32, part: 16, rate: 1e-3 });
    let description = setup::with_noise(setup::with_side(description)).parameter(
        "expressive",
        "Expressive",
        Domain::Float { default: 0.3, hard: [0.0, 1.0], soft: [0.0, 1.0] },
        "The share of examples that are given the expressive instruction instead, which LGIE needs.",
    );
    let towers = vec!["frozen".to_owned(), "trained".to_owned()];
    let description = description.parameter(
        "text_tower",
        "Text tower",
        Domain::Choice { default: "frozen".to_owned(), choices: towers },
        "frozen: CLIP's text tower stays as it is, as in InstructPix2Pix. trained: the UNet's copy of it learns along, \
         for a CLIP that has read captions only and takes all instructions for much the same.",
    );
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || denoiser(run)))
}

fn denoiser(run: &Run) -> Result<Outputs, Failure> {
    let Setup { models, dataset, plan, device, dtype, continues } = Setup::read(run, "denoiser")?;
    let (unet, vae, mut schedule) = parts::diffusion(&models)?;
    schedule.timesteps = setup::timesteps(run, &schedule)?;
    let dataset = Dataset::open(&dataset)?;
    let learns = run.string("text_tower")? == "trained";
    let unet_alone: Trained = |name| name.starts_with("unet.");
    let with_tower: Trained = |name| name.starts_with("unet.") || name.starts_with("text_encoder.");
    let parameters = Parameters::new(&device, plan.seed, if learns { with_tower } else { unet_alone });
    let reader = parts::reader_for(&parameters, &models, &unet)?;
    let studio = parts::studio(&models, &vae, &device)?;
    let side = run.count("side")?;
    let latents = parts::latents(run, &studio, &models, &dataset, side, &plan.work)?;
    if continues {
        model_files::load(&parameters, "unet", &models.join(place::UNET))?;
    }
    model_files::check(&parameters, &models.join(place::UNET), continues, |w| Unet::new(&w.pp("unet"), &unet))?;
    let expressive = run.float("expressive")?;
    let stage =
        DenoiserStage { unet, schedule, reader, dataset, side, latents, studio, expressive, seed: plan.seed, dtype };
    let trained = train(run, &plan, &stage, &parameters)?;
    let unet_at = models.join(place::UNET).join("diffusion_pytorch_model.safetensors");
    let mut files = vec![(unet_at, trained.below("unet"))];
    if learns {
        files.push((models.join(place::TEXT_ENCODER).join("model.safetensors"), trained.below("text_encoder")));
    }
    model_files::write_finished(&plan, &files)?;
    Ok(Outputs::new().with("models", Value::text(models.display().to_string())))
}
