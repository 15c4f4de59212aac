//! What all training nodes have in common: their parameters, and the plan and the device that these say.

use crate::optimizer::Settings;
use crate::stages::edit::{NoiseSchedule, Timesteps};
use crate::trainer::Plan;
use candle_core::{DType, Device};
use mgie_diffusion::schedule::Spacing;
use mgie_plugin_api::{Domain, Failure, NodeDescription, Run, kind};
use mgie_weights::device::{self, Layers};
use std::path::PathBuf;

/// Defaults that differ from stage to stage.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// Updates.
    pub steps: i64,
    /// Examples an update.
    pub batch: i64,
    /// Examples at once.
    pub part: i64,
    /// Peak learning rate.
    pub rate: f64,
}

/// Adds the sockets and parameters that every trainer has.
pub fn with_parameters(description: NodeDescription, defaults: Defaults) -> NodeDescription {
    let Defaults { steps, batch, part, rate } = defaults;
    let whole = |default: i64, high: i64, soft: i64| Domain::Integer { default, hard: [1, high], soft: [1, soft] };
    let number = |default: f64, high: f64, soft: f64| Domain::Float { default, hard: [0.0, high], soft: [0.0, soft] };
    let folder = |default: &str| Domain::Folder { default: default.to_owned(), optional: false };
    let description = description
        .input("dataset", "Data set", kind::TEXT, "The folder of the data set, from training.scenes or text.constant.")
        .optional_input("after", "After", kind::TEXT, "The `models` of the stage before, which is trained first.")
        .parameter(
            "models",
            "Models",
            folder("small"),
            "The models folder: configurations are read there, weights written.",
        )
        .parameter(
            "work",
            "Work",
            folder("training"),
            "Checkpoints, loss curves and samples go there; a run goes on from its checkpoint.",
        )
        .parameter("steps", "Steps", whole(steps, 100_000_000, 100_000), "Updates altogether.")
        .parameter("batch", "Batch", whole(batch, 65_536, 256), "Examples an update.")
        .parameter(
            "part",
            "Part",
            whole(part, 65_536, 64),
            "Examples computed at once: parts of a batch run side by side, and what is left one after the other.",
        )
        .parameter("learning_rate", "Learning rate", number(rate, 1.0, 0.01), "Its peak.")
        .parameter(
            "warmup",
            "Warm-up",
            number(0.03, 1.0, 0.2),
            "The share of the steps in which the learning rate rises; then it falls along a cosine.",
        )
        .parameter("weight_decay", "Weight decay", number(0.0, 1.0, 0.1), "AdamW's, decoupled.")
        .parameter(
            "clip",
            "Clip",
            number(1.0, 1e9, 10.0),
            "Gradients of a larger norm are scaled down to it; 0 for none.",
        )
        .parameter(
            "ema",
            "EMA",
            number(0.999, 0.999_999, 0.9999),
            "Decay of the moving average of the parameters, which is what is written as the model; 0 for none.",
        )
        .parameter("every", "Every", whole(500, 100_000_000, 10_000), "Steps between checkpoints and samples.")
        .parameter(
            "begin",
            "Begin",
            Domain::Choice { default: "afresh".to_owned(), choices: vec!["afresh".to_owned(), "models".to_owned()] },
            "afresh: with random first values. models: with the weights that are in the models folder. A run that has \
             a checkpoint goes on from that.",
        )
        .parameter(
            "seed",
            "Seed",
            Domain::Seed { default: 1 },
            "Decides first values, the order of examples and every draw.",
        );
    device::with_parameters(
        description,
        "What is computed in; parameters and optimiser are f32. auto is f32 on the CPU and bf16 on a GPU.",
    )
    .output("models", "Models", kind::TEXT, "The models folder, trained.")
    .with_side_effect()
}

/// Adds the side of the pictures.
pub fn with_side(description: NodeDescription) -> NodeDescription {
    let side = Domain::Integer { default: 128, hard: [8, 4096], soft: [64, 512] };
    description.parameter("side", "Side", side, "Pictures are cut to squares and resized to this side.").unit("px")
}

/// Adds the choice of noise, for the stages that train the UNet.
pub fn with_noise(description: NodeDescription) -> NodeDescription {
    let noise = description.parameter(
        "high_noise",
        "High noise",
        Domain::Float { default: 0.0, hard: [0.0, 100.0], soft: [0.0, 8.0] },
        "How much more often much noise is drawn: a timestep's density grows with its power of this. 0 for all alike, as in \
         DDPM. Under much noise only the text can tell what is to be there: a small UNet learns to follow it sooner.",
    );
    noise.parameter(
        "few_steps",
        "Few steps",
        Domain::Integer { default: 0, hard: [0, 1000], soft: [0, 8] },
        "Trains for a sampler of so many steps, with trailing timesteps: at those alone that it visits, all alike. 0 for all \
         timesteps, as high_noise has them. A small UNet then spends nothing on what it is never asked.",
    )
}

/// The timesteps that were chosen by [`with_noise`]'s parameters.
///
/// # Errors
/// Both of them at once, or few steps of a scheduler whose timesteps do not begin at the noisy end.
pub fn timesteps(run: &Run, schedule: &NoiseSchedule) -> Result<Timesteps, Failure> {
    let (steps, high_noise) = (run.count("few_steps")?, run.float("high_noise")?);
    if steps > 0 && high_noise > 0.0 {
        return Err(Failure::parameter("few_steps", "0 where high_noise is not", steps.to_string())
            .remedy("set one of the two to 0: few steps are drawn all alike"));
    }
    if steps > 0 && schedule.spacing != Spacing::Trailing {
        let found = format!("{steps}, with a scheduler of another spacing");
        return Err(Failure::parameter("few_steps", "a scheduler with timestep_spacing `trailing`", found)
            .remedy("set it to 0, or write trailing into scheduler/scheduler_config.json"));
    }
    Ok(Timesteps::of(steps, high_noise, schedule.alphas_cumprod.len()))
}

/// A node's parameters, read.
#[derive(Debug)]
pub struct Setup {
    /// The models folder.
    pub models: PathBuf,
    /// The data set's folder.
    pub dataset: PathBuf,
    /// How to train.
    pub plan: Plan,
    /// Where.
    pub device: Device,
    /// In what.
    pub dtype: DType,
    /// Whether to begin with the weights that are in the models folder.
    pub continues: bool,
}

impl Setup {
    /// Reads them for the stage of that name.
    ///
    /// # Errors
    /// A device that is not there, or a precision that it does not compute in.
    pub fn read(run: &Run, name: &'static str) -> Result<Self, Failure> {
        let device = device::device(run.string("device")?)?;
        let dtype = match run.string("dtype")? {
            "auto" if !device.is_cpu() => DType::BF16,
            "f16" => {
                return Err(Failure::parameter("dtype", "auto, f32 or bf16", "`f16`, in which gradients vanish")
                    .remedy("leave it at auto"));
            }
            "bf16" if device.is_cpu() => {
                return Err(Failure::parameter("dtype", "auto or f32 on the CPU", "`bf16`").remedy("leave it at auto"));
            }
            text => device::dtype(text, &device, Layers::Convolutions)?,
        };
        run.ran_on(&device::name(&device));
        let optimizer = Settings {
            weight_decay: run.float("weight_decay")?,
            clip: run.float("clip")?,
            ema: run.float("ema")?,
            ..Settings::default()
        };
        let batch = run.count("batch")?;
        let plan = Plan {
            name,
            work: run.path("work")?,
            into: String::new(),
            steps: run.count("steps")? as u64,
            batch,
            part: run.count("part")?.min(batch),
            rate: run.float("learning_rate")?,
            warmup: run.float("warmup")?,
            optimizer,
            seed: run.seed("seed")?,
            every: run.count("every")? as u64,
        };
        Ok(Self {
            models: run.path("models")?,
            dataset: run.text("dataset")?.into(),
            plan,
            device,
            dtype,
            continues: run.string("begin")? == "models",
        })
    }
}
