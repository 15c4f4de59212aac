//! `diffusion.denoise`: from noise to latents, step by step, by whichever denoiser is wired in.

use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{
    DType, Domain, Failure, Level, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind,
};
use mgie_weights::WeightsError;

use crate::config::Config;
use crate::denoiser::Denoiser;
use crate::guidance::Guidance;
use crate::noise::{A100_THREADS, Generator};
use crate::preview::preview;
use crate::samplers::{NAMES, Sampler, sampler};
use crate::schedule::Schedule;

/// What latents are multiplied by in Stable Diffusion 1, where the picture's latents do not say.
const SCALING: f64 = 0.18215;

/// The node.
pub fn definition() -> NodeDefinition {
    let words = |default: &str, choices: &[&str]| Domain::Choice {
        default: default.into(),
        choices: choices.iter().map(ToString::to_string).collect(),
    };
    let steps = Domain::Integer { default: 100, hard: [1, 1000], soft: [1, 150] };
    let guidance = Domain::Float { default: 7.5, hard: [0.0, 100.0], soft: [1.0, 15.0] };
    let image_guidance = Domain::Float { default: 1.5, hard: [0.0, 100.0], soft: [1.0, 3.0] };
    let threads = A100_THREADS as i64;
    let cuda_threads = Domain::Integer { default: threads, hard: [256, 1 << 32], soft: [1 << 14, 1 << 19] };
    let scheduler = Domain::Model { default: "instruct-pix2pix/scheduler".into(), optional: true };
    let description = NodeDescription::new(
        "diffusion.denoise",
        "Denoise",
        "Diffusion",
        "Turns noise into the latents of the edited picture, one call of the denoiser a step.",
    )
    .input("denoiser", "Denoiser", kind::DENOISER, "What predicts the noise.")
    .input("conditioning", "Conditioning", kind::CONDITIONING, "The edit.")
    .optional_input(
        "null_conditioning",
        "Null conditioning",
        kind::CONDITIONING,
        "No edit; needed where there is guidance.",
    )
    .input("latents", "Image latents", kind::LATENTS, "The picture to edit, as VAE Encode gives it.")
    .parameter("steps", "Steps", steps, "How many times the denoiser is asked.")
    .unit("steps")
    .parameter("guidance", "Guidance", guidance, "How strongly the text is followed; up to 1 is no guidance at all.")
    .parameter(
        "image_guidance",
        "Image guidance",
        image_guidance,
        "How closely the picture is kept; below 1 is no guidance at all.",
    )
    .parameter("seed", "Seed", Domain::Seed { default: 0 }, "Seed of the noise, as in PyTorch.")
    .parameter(
        "generator",
        "Generator",
        words("torch-cpu", &["torch-cpu", "torch-cuda"]),
        "Whose noise: torch.Generator(\"cpu\") or torch.Generator(\"cuda\").",
    )
    .parameter("sampler", "Sampler", words("euler_ancestral", &NAMES), "How steps are taken.")
    .parameter(
        "scheduler",
        "Scheduler",
        scheduler,
        "Folder with the model's scheduler_config.json; Stable Diffusion's where it is empty.",
    )
    .parameter(
        "cuda_threads",
        "CUDA threads",
        cuda_threads,
        "For torch-cuda and pictures beyond about 1900 × 1900: multiprocessors × threads of each, of the GPU whose \
         noise it should be. The default is an A100's.",
    )
    .output("latents", "Latents", kind::LATENTS, "The edited picture's latents, scaled.")
    .shaped(&[None, None, None]);
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let denoiser = Denoiser::from_value("denoiser", run.value("denoiser")?)?;
    if !denoiser.expects().device.is_empty() {
        run.ran_on(&denoiser.expects().device);
    }
    let guidance = Guidance::new(run.float("guidance")?, run.float("image_guidance")?);
    if run.float("guidance")? > 1.0 && !guidance.is_on() {
        run.log(Level::Warn, "an image_guidance below 1 switches all guidance off, as in the original");
    }
    let shown = Shown::read(run, &denoiser, guidance)?;
    let sampler = sampler_of(run, &denoiser)?;
    let generator = match run.string("generator")? {
        "torch-cpu" => Generator::torch_cpu(run.seed("seed")?),
        "torch-cuda" => Generator::torch_cuda(run.seed("seed")?, run.count("cuda_threads")? as u64),
        other => return Err(Failure::parameter("generator", "torch-cpu or torch-cuda", other)),
    };
    let scaling = run.value("latents")?.header().get("scaling").and_then(Json::as_f64).unwrap_or(SCALING);
    let latents = denoise(run, &denoiser, &shown, guidance, sampler, generator)?;
    let tensor = Tensor::from_f32([shown.channels, shown.height, shown.width], latents)?;
    let header = json!({ "space": "sample", "scaling": scaling });
    Ok(Outputs::new().with("latents", Value::tensor(kind::LATENTS, header, tensor)))
}

/// The loop: noise, then one call of the denoiser and one step of the sampler at a time.
fn denoise(
    run: &Run,
    denoiser: &Denoiser,
    shown: &Shown,
    guidance: Guidance,
    mut sampler: Box<dyn Sampler>,
    mut generator: Generator,
) -> Result<Vec<f32>, Failure> {
    let &Shown { channels, height, width, .. } = shown;
    let count = channels * height * width;
    let (precision, threads) = (denoiser.expects().precision, run.threads());
    let branches = guidance.branches().len();
    let timesteps = sampler.timesteps().to_vec();
    let steps = timesteps.len() as u64;
    let previews = run.wants_preview();

    let sigma = sampler.initial_sigma();
    let mut latents: Vec<f32> = generator.randn(count, precision).into_iter().map(|noise| noise * sigma).collect();
    for (step, timestep) in timesteps.into_iter().enumerate() {
        run.check_cancelled()?;
        run.progress(step as u64, steps, "denoising");
        let input = Tensor::from_f32(
            [branches, channels, height, width],
            sampler.model_input(step, &latents).repeat(branches),
        )?;
        let answers = denoiser.predict(&input, timestep, &shown.conditioning, &shown.image_latents, threads)?;
        let taken = sampler.step(step, &latents, &guidance.mix(&answers), &mut || generator.randn(count, precision));
        latents = taken.latents;
        if let Some(wrong) = latents.iter().find(|latent| !latent.is_finite()) {
            return Err(Failure::failed(format!("the latents hold {wrong} after step {} of {steps}", step + 1))
                .remedy("set the UNet's dtype to f32; if it is, its weights or the guidance are out of range"));
        }
        if previews && let Some(picture) = preview(&taken.clean, channels, height, width)? {
            run.preview(picture);
        }
    }
    run.progress(steps, steps, "denoising");
    Ok(latents)
}

/// The sampler that the parameters ask for, on the model's schedule.
fn sampler_of(run: &Run, denoiser: &Denoiser) -> Result<Box<dyn Sampler>, Failure> {
    let schedule = match run.optional_path("scheduler")? {
        None => Schedule::stable_diffusion()?,
        Some(path) => {
            let file = if path.is_dir() { path.join("scheduler_config.json") } else { path };
            Schedule::new(Config::read(file)?)?
        }
    };
    let prediction = denoiser.expects().prediction;
    if let Some(configured) = schedule.prediction()?.filter(|configured| *configured != prediction) {
        let file = schedule.config().path().to_owned();
        let problem =
            format!("`prediction_type` is {}, the denoiser predicts {}", configured.name(), prediction.name());
        return Err(WeightsError::malformed(&file, problem)
            .with_remedy("set `prediction_type` of the node that gives the denoiser, or name its own scheduler")
            .into());
    }
    Ok(sampler(run.string("sampler")?, &schedule, prediction, run.count("steps")?)?)
}

/// What the denoiser is shown at every step, a batch of the guidance's branches.
struct Shown {
    channels: usize,
    height: usize,
    width: usize,
    /// f32 `[branches, tokens, width of the conditioning]`
    conditioning: Tensor,
    /// f32 `[branches, channels, height, width]`
    image_latents: Tensor,
}

impl Shown {
    /// Reads and checks the inputs against what the denoiser expects.
    fn read(run: &Run, denoiser: &Denoiser, guidance: Guidance) -> Result<Self, Failure> {
        let expects = denoiser.expects();
        let width = expects.cross_attention_dim;
        let text = floats(
            run,
            "conditioning",
            |shape| matches!(shape, [tokens, depth] if *tokens > 0 && *depth == width),
            || format!("[tokens, {width}], as the denoiser's cross_attention_dim says"),
        )?;
        let null = if guidance.is_on() {
            if run.optional("null_conditioning").is_none() {
                let expected = "the null conditioning, which guidance needs";
                return Err(
                    Failure::input("null_conditioning", expected, "nothing").remedy("wire it in, or set guidance to 1")
                );
            }
            let like = || format!("{:?}, as `conditioning` is", text.shape());
            floats(run, "null_conditioning", |shape| shape == text.shape(), like)?
        } else {
            text
        };

        let channels = expects.out_channels;
        let of_picture = expects.in_channels.saturating_sub(channels);
        let picture = floats(
            run,
            "latents",
            |shape| matches!(shape, [depth, _, _] if *depth == of_picture && !shape.contains(&0)),
            || {
                format!(
                    "[{of_picture}, h, w]: a denoiser of {} channels, less its {channels} noisy ones",
                    expects.in_channels
                )
            },
        )?;
        let space = run.value("latents")?.header().get("space").and_then(Json::as_str);
        if space != Some("image") {
            let found = format!("latents of space {}", space.unwrap_or("unknown"));
            return Err(Failure::input("latents", "latents of space image, not scaled", found)
                .remedy("wire in VAE Encode's latents"));
        }
        let &[_, height, across] = picture.shape() else {
            return Err(Failure::input("latents", "three dimensions", format!("{picture:?}")));
        };

        let (mut conditioning, mut image_latents) = (Vec::new(), Vec::new());
        for branch in guidance.branches() {
            conditioning.extend_from_slice(if branch.text { text } else { null }.f32()?);
            if branch.image {
                image_latents.extend_from_slice(picture.f32()?);
            } else {
                image_latents.resize(image_latents.len() + picture.len(), 0.0);
            }
        }
        let branches = guidance.branches().len();
        let tokens = text.len() / width.max(1);
        Ok(Self {
            channels,
            height,
            width: across,
            conditioning: Tensor::from_f32([branches, tokens, width], conditioning)?,
            image_latents: Tensor::from_f32([branches, of_picture, height, across], image_latents)?,
        })
    }
}

/// The finite f32 tensor in `socket`, of a shape that `fits`.
fn floats<'a>(
    run: &'a Run,
    socket: &str,
    fits: impl Fn(&[usize]) -> bool,
    expected: impl Fn() -> String,
) -> Result<&'a Tensor, Failure> {
    let tensor = run.tensor(socket)?;
    if tensor.dtype() != DType::F32 || !fits(tensor.shape()) {
        return Err(Failure::input(socket, format!("f32 {}", expected()), run.value(socket)?.to_string()));
    }
    if !tensor.is_finite()? {
        return Err(Failure::input(socket, "numbers", "NaN or infinity")
            .remedy("look at the node that it comes from; in half precision, set its dtype to f32"));
    }
    Ok(tensor)
}
