//! `training.llava`: the projector and the language model, aligned with the pictures; without pictures, the language model
//! of the paper's baseline LGIE.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::{Parameters, Trained};
use crate::parts::{self, place};
use crate::setup::{self, Defaults, Setup};
use crate::stages::language::{LanguageStage, base_rows, begin, expressive};
use crate::trainer::train;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::{LlavaModel, LlavaTokenizer};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value};
use mgie_weights::pool;
use std::path::Path;
use std::sync::Arc;

/// The node.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "training.llava",
        "Train LLaVA",
        "Training",
        "Aligns the language model with pictures: it learns to answer with the expressive instruction, and to questions \
         about the picture. Without pictures it becomes the language model of the baseline LGIE. On the CPU, up to 1 GiB of \
         what a frozen vision tower saw is kept in memory.",
    );
    let description = setup::with_parameters(description, Defaults { steps: 6000, batch: 32, part: 16, rate: 1e-3 });
    let description = setup::with_side(description)
        .parameter(
            "model",
            "Model",
            Domain::Text { default: place::LLAVA.to_owned(), multiline: false },
            "The folder within the models folder, with config and tokenizer.",
        )
        .parameter("sees", "Sees", Domain::Boolean { default: true }, "Whether it is shown the picture.")
        .parameter(
            "questions",
            "Questions",
            Domain::Float { default: 0.4, hard: [0.0, 1.0], soft: [0.0, 1.0] },
            "The share of examples that are a question about the picture, where the data set has any.",
        )
        .parameter(
            "vision_tower",
            "Vision tower",
            Domain::Choice { default: "frozen".to_owned(), choices: vec!["frozen".to_owned(), "trained".to_owned()] },
            "frozen: CLIP's vision tower stays as it is, as in LLaVA. trained: it learns along and is written into CLIP's \
             folder, for a small CLIP that does not tell things apart which the texts name. Its projection, and so CLIP's \
             cosines, then need training.clip with a locked vision tower.",
        );
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || llava(run)))
}

fn llava(run: &Run) -> Result<Outputs, Failure> {
    let sees = run.boolean("sees")?;
    let Setup { models, dataset, mut plan, device, dtype, continues } =
        Setup::read(run, if sees { "llava" } else { "lgie" })?;
    plan.into = run.string("model")?.to_owned();
    let folder = models.join(run.string("model")?);
    begin_folder(&folder, &models.join(place::LLAVA))?;
    let config = LlavaConfig::read(&folder)?;
    let tokenizer = Arc::new(LlavaTokenizer::open(&folder, config.use_im_start_end)?);
    let learns = sees && run.string("vision_tower")? == "trained";
    let language_alone: Trained = |name| name.starts_with("llava.");
    let with_tower: Trained = |name| name.starts_with("llava.") || name.starts_with("clip.vision_model.");
    let parameters = Parameters::new(&device, plan.seed, if learns { with_tower } else { language_alone });
    let mut eyes = parts::eyes(&parameters, &models, config.vision_layer)?;
    eyes.learns = learns;
    if continues {
        model_files::load(&parameters, "llava", &folder)?;
    }
    begin(&parameters, &config, base_rows(&tokenizer), eyes.config.hidden).map_err(mgie_weights::WeightsError::from)?;
    model_files::check(&parameters, &folder, continues, |w| {
        LlavaModel::load(&w.pp("llava"), &config, tokenizer.tokens())
    })?;
    let dataset = Dataset::open(&dataset)?;
    dataset.entries().iter().try_for_each(|entry| expressive(entry).map(drop))?;
    let stage = LanguageStage {
        config,
        tokenizer,
        eyes: sees.then_some(eyes),
        dataset,
        side: run.count("side")?,
        questions: run.float("questions")?,
        seed: plan.seed,
        dtype,
    };
    let trained = train(run, &plan, &stage, &parameters)?;
    let mut files = vec![(folder.join("model.safetensors"), trained.below("llava"))];
    if learns {
        files.push((models.join(place::CLIP).join("model.safetensors"), trained.below("clip")));
    }
    model_files::write_finished(&plan, &files)?;
    Ok(Outputs::new().with("models", Value::text(models.display().to_string())))
}

/// Gives a folder without configuration the configuration and tokenizer of another.
fn begin_folder(folder: &Path, like: &Path) -> Result<(), Failure> {
    // The configuration comes last: where it is, all is.
    const FILES: [&str; 5] =
        ["tokenizer.model", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", "config.json"];
    if folder.join("config.json").exists() || !like.join("config.json").exists() {
        return Ok(());
    }
    model_files::make_folder(folder)?;
    for name in FILES.into_iter().filter(|name| like.join(name).exists()) {
        std::fs::copy(like.join(name), folder.join(name))
            .map_err(|error| Failure::file(folder.join(name), error.to_string()))?;
    }
    Ok(())
}
