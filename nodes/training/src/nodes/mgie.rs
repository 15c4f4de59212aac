//! `training.mgie`: MGIE, end to end.

use crate::dataset::Dataset;
use crate::initial;
use crate::model_files;
use crate::parameters::Parameters;
use crate::parts::{self, place};
use crate::setup::{self, Defaults, Setup};
use crate::stages::language::{base_rows, expressive};
use crate::stages::mgie::{MgieStage, is_trained};
use crate::trainer::train;
use candle_core::{Shape, Tensor};
use mgie_diffusion::unet::Unet;
use mgie_edit_head::EditHead;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::{LlavaModel, LlavaTokenizer, VISUAL_TOKENS};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value};
use mgie_weights::{WeightsError, pool};
use std::path::Path;
use std::sync::Arc;

/// The node.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "training.mgie",
        "Train MGIE",
        "Training",
        "Trains MGIE end to end: token embeddings, output rows, edit head and UNet, by L_instruction + 0.5 · L_edit; the \
         rest of the language model, CLIP and the VAE are frozen. Writes mllm.pt and unet.pt.",
    );
    let whole = |default: i64, high: i64| Domain::Integer { default, hard: [1, high], soft: [1, high] };
    let number = |default: f64, high: f64| Domain::Float { default, hard: [0.0, high], soft: [0.0, high] };
    let description = setup::with_parameters(description, Defaults { steps: 8000, batch: 32, part: 16, rate: 5e-4 });
    let description = setup::with_noise(setup::with_side(description))
        .parameter(
            "into",
            "Into",
            Domain::Text { default: place::MGIE.to_owned(), multiline: false },
            "The folder within the models folder that mllm.pt and unet.pt go to.",
        )
        .parameter(
            "instruction",
            "L_instruction",
            number(1.0, 10.0),
            "Its share of the loss; 0 is the paper's ablation.",
        )
        .parameter("unet_rate", "UNet rate", number(1.0, 10.0), "The UNet's share of the learning rate.")
        .parameter("width", "Edit head width", whole(512, 4096), "Inside the edit head; a multiple of 4.")
        .parameter("layers", "Edit head layers", whole(4, 64), "Of its encoder, and of its decoder.")
        .parameter(
            "feed_forward",
            "Edit head feed-forward",
            whole(2048, 16_384),
            "Width inside its feed-forward layers.",
        )
        .parameter("tokens", "Conditioning tokens", whole(77, 1024), "Rows that the UNet attends to.");
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || mgie(run)))
}

fn mgie(run: &Run) -> Result<Outputs, Failure> {
    let instruction = run.float("instruction")?;
    let name = if instruction > 0.0 { "mgie" } else { "mgie-without-instruction" };
    let Setup { models, dataset, mut plan, device, dtype, continues } = Setup::read(run, name)?;
    plan.into = run.string("into")?.to_owned();
    let folder = models.join(place::LLAVA);
    let config = LlavaConfig::read(&folder)?;
    let tokenizer = Arc::new(LlavaTokenizer::open(&folder, config.use_im_start_end)?);
    let (unet, vae, mut schedule) = parts::diffusion(&models)?;
    schedule.timesteps = setup::timesteps(run, &schedule)?;
    let dataset = Dataset::open(&dataset)?;
    dataset.entries().iter().try_for_each(|entry| expressive(entry).map(drop))?;
    let side = run.count("side")?;

    let parameters = Parameters::new(&device, plan.seed, is_trained);
    let eyes = parts::eyes(&parameters, &models, config.vision_layer)?;
    model_files::load(&parameters, "llava", &folder)?;
    grow(&parameters, &tokenizer, plan.seed, &folder)?;
    model_files::load(&parameters, "unet", &models.join(place::UNET))?;
    let sizes = HeadSizes {
        hidden: config.llama.hidden,
        width: run.count("width")?,
        layers: run.count("layers")?,
        feed_forward: run.count("feed_forward")?,
        tokens: run.count("tokens")?,
        features: unet.cross_attention_dim,
    };
    let into = models.join(run.string("into")?);
    let of_unet = if continues {
        take_mllm(&parameters, &into)?;
        into.join("unet.pt")
    } else {
        begin_head(&parameters, sizes).map_err(WeightsError::from)?;
        models.join(place::UNET)
    };
    model_files::check(&parameters, &folder, true, |w| LlavaModel::load(&w.pp("llava"), &config, tokenizer.tokens()))?;
    model_files::check(&parameters, &into.join("mllm.pt"), true, |w| EditHead::load(&w.pp("edit_head")))?;
    model_files::check(&parameters, &of_unet, true, |w| Unet::new(&w.pp("unet"), &unet))?;
    let studio = parts::studio(&models, &vae, &device)?;
    let latents = parts::latents(run, &studio, &models, &dataset, side, &plan.work)?;
    let stage = MgieStage {
        config,
        tokenizer,
        eyes,
        unet,
        schedule,
        dataset,
        side,
        latents,
        studio,
        instruction,
        unet_rate: run.float("unet_rate")?,
        seed: plan.seed,
        dtype,
    };
    let trained = train(run, &plan, &stage, &parameters)?;
    write(&into, &trained)?;
    Ok(Outputs::new().with("models", Value::text(models.display().to_string())))
}

/// Gives embeddings and output the rows of `[IMG0]` … `[IMG7]`.
fn grow(parameters: &Parameters, tokenizer: &LlavaTokenizer, seed: u64, folder: &Path) -> Result<(), Failure> {
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        let rows = base_rows(tokenizer);
        let found = parameters.below("llava").into_iter().find(|(known, _)| known == name);
        let Some((_, table)) = found.filter(|(_, table)| table.dims().first() == Some(&rows)) else {
            return Err(Failure::file(folder, format!("no {name} of {rows} rows"))
                .remedy("train it with training.llava first, or put a LLaVA there whose tokenizer belongs to it"));
        };
        let name = format!("llava.{name}");
        let grown = || {
            let width = table.dim(1)?;
            let shape = Shape::from((VISUAL_TOKENS, width));
            let rows = initial::tensor(seed, &format!("{name}.embed"), &shape, table.device())?;
            parameters.insert(&name, Tensor::cat(&[&table, &rows], 0)?)
        };
        grown().map_err(WeightsError::from)?;
    }
    Ok(())
}

/// Takes what an earlier training wrote.
fn take_mllm(parameters: &Parameters, folder: &Path) -> Result<(), Failure> {
    let earlier = Parameters::new(parameters.device(), 0, |_| false);
    model_files::load(&earlier, "mllm", &folder.join("mllm.pt"))?;
    for (name, tensor) in earlier.below("mllm") {
        let of_language = ["model.", "lm_head."].iter().any(|part| name.starts_with(part));
        if of_language || name.starts_with("edit_head.") {
            let name = if of_language { format!("llava.{name}") } else { name };
            parameters.insert(&name, tensor).map_err(WeightsError::from)?;
        }
    }
    model_files::load(parameters, "unet", &folder.join("unet.pt"))
}

/// Widths of an edit head that is yet to be made.
#[derive(Debug, Clone, Copy)]
struct HeadSizes {
    hidden: usize,
    width: usize,
    layers: usize,
    feed_forward: usize,
    tokens: usize,
    features: usize,
}

/// Gives the edit head its first values: its files have no config, so that its sizes are the tensors'.
fn begin_head(parameters: &Parameters, sizes: HeadSizes) -> candle_core::Result<()> {
    let HeadSizes { hidden, width, layers, feed_forward, tokens, features } = sizes;
    let linear = |name: &str, to: usize, from: usize| {
        parameters.ensure(&format!("edit_head.{name}.weight"), (to, from))?;
        parameters.ensure(&format!("edit_head.{name}.bias"), to)
    };
    let norm = |name: &str| {
        parameters.ensure(&format!("edit_head.{name}.weight"), width)?;
        parameters.ensure(&format!("edit_head.{name}.bias"), width)
    };
    linear("llm2hid", width, hidden)?;
    linear("hid2feat", features, width)?;
    parameters.ensure("edit_head.query", (1, tokens, width))?;
    for (side, attentions) in [("encoder", &["self_attn"][..]), ("decoder", &["self_attn", "multihead_attn"][..])] {
        norm(&format!("mapper.{side}.norm"))?;
        for layer in 0..layers {
            let layer = format!("mapper.{side}.layers.{layer}");
            for attention in attentions {
                parameters.ensure(&format!("edit_head.{layer}.{attention}.in_proj_weight"), (3 * width, width))?;
                parameters.ensure(&format!("edit_head.{layer}.{attention}.in_proj_bias"), 3 * width)?;
                linear(&format!("{layer}.{attention}.out_proj"), width, width)?;
            }
            linear(&format!("{layer}.linear1"), feed_forward, width)?;
            linear(&format!("{layer}.linear2"), width, feed_forward)?;
            (0..=attentions.len()).try_for_each(|number| norm(&format!("{layer}.norm{}", number + 1)))?;
        }
    }
    Ok(())
}

/// Writes `mllm.pt` and `unet.pt` as the authors' are.
fn write(folder: &Path, trained: &Parameters) -> Result<(), Failure> {
    let of_language = trained.below("llava");
    let table = |name: &str| of_language.iter().find(|(known, _)| known == name).cloned();
    let mut mllm: Vec<(String, Tensor)> =
        ["model.embed_tokens.weight", "lm_head.weight"].into_iter().filter_map(table).collect();
    if let Some((_, embeddings)) = mllm.first() {
        let first = embeddings.dims().first().copied().unwrap_or_default().saturating_sub(VISUAL_TOKENS);
        let emb = embeddings.narrow(0, first, VISUAL_TOKENS).and_then(|rows| rows.unsqueeze(0));
        mllm.push(("emb".to_owned(), emb.map_err(WeightsError::from)?));
    }
    mllm.extend(trained.below("edit_head").into_iter().map(|(name, tensor)| (format!("edit_head.{name}"), tensor)));
    model_files::write_torch(&folder.join("mllm.pt"), &mllm)?;
    model_files::write_torch(&folder.join("unet.pt"), &trained.below("unet"))
}
