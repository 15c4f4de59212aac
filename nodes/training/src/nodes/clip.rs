//! `training.clip`: CLIP's two towers, and the text tower as the UNet is given it.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::{Parameters, Trained};
use crate::parts::place;
use crate::setup::{self, Defaults, Setup};
use crate::stages::clip::{ClipParts, ClipStage, captions};
use crate::trainer::train;
use mgie_clip::{ClipModel, Processor, Tower, TowerConfig};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, serde_json};
use mgie_weights::pool;
use mgie_weights::tokenizer::ClipTokenizer;
use std::path::Path;

/// A config larger than this is none.
const LARGEST: u64 = 1 << 20;

/// The node.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "training.clip",
        "Train CLIP",
        "Training",
        "Trains CLIP's towers on the pictures and captions of a data set, contrastively within each part of a batch; an \
         example is an edit's source and goal. Writes the whole, and the text tower on its own as InstructPix2Pix has it.",
    );
    let description = setup::with_parameters(description, Defaults { steps: 3000, batch: 64, part: 32, rate: 1e-3 });
    let description = setup::with_side(description).parameter(
        "vision_tower",
        "Vision tower",
        Domain::Choice { default: "trained".to_owned(), choices: vec!["trained".to_owned(), "locked".to_owned()] },
        "locked: it stays as it is, and the texts' tower and both projections learn to follow it (LiT, arXiv 2111.07991), \
         as after training.llava has trained it.",
    );
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || clip(run)))
}

fn clip(run: &Run) -> Result<Outputs, Failure> {
    let Setup { models, dataset, plan, device, dtype, continues } = Setup::read(run, "clip")?;
    let folder = models.join(place::CLIP);
    let vision = TowerConfig::read(&folder, Tower::Vision)?;
    let text = TowerConfig::read(&folder, Tower::Text)?;
    let of_unet = models.join(place::TEXT_ENCODER);
    let sizes = |of: &TowerConfig| (of.hidden, of.intermediate, of.layers, of.heads, of.vocabulary, of.positions);
    if sizes(&TowerConfig::read(&of_unet, Tower::Text)?) != sizes(&text) {
        return Err(Failure::file(of_unet.join("config.json"), "the text tower is not of CLIP's sizes")
            .expected(format!("the sizes of text_config in {}", folder.join("config.json").display()))
            .remedy("give both the same: CLIP's text tower is written there for the UNet"));
    }
    let parts = ClipParts {
        projection: projection(&folder.join("config.json"))?,
        processor: Processor::read(&folder, vision.image_size)?,
        tokenizer: ClipTokenizer::open(&folder)?,
        vision,
        text,
    };
    let locked = run.string("vision_tower")? == "locked";
    let all: Trained = |_| true;
    let but_vision: Trained = |name| !name.starts_with("clip.vision_model.");
    let parameters = Parameters::new(&device, plan.seed, if locked { but_vision } else { all });
    if continues {
        model_files::load(&parameters, "clip", &folder)?;
    }
    model_files::check(&parameters, &folder, continues, |w| {
        ClipModel::load(&w.pp("clip"), &parts.vision, &parts.text, parts.projection)
    })?;
    let dataset = Dataset::open(&dataset)?;
    dataset.entries().iter().try_for_each(|entry| captions(entry).map(drop))?;
    let stage = ClipStage { parts, dataset, side: run.count("side")?, dtype };
    let trained = train(run, &plan, &stage, &parameters)?;
    let all = trained.below("clip");
    let of_text = all.iter().filter(|(name, _)| name.starts_with("text_model.")).cloned().collect();
    model_files::write_finished(
        &plan,
        &[(folder.join("model.safetensors"), all), (of_unet.join("model.safetensors"), of_text)],
    )?;
    Ok(Outputs::new().with("models", Value::text(models.display().to_string())))
}

/// `projection_dim` of a CLIP's config.json.
fn projection(path: &Path) -> Result<usize, Failure> {
    let text = file::read_whole(path, LARGEST)?;
    let config: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| Failure::file(path, format!("malformed: {error}")))?;
    let width = config.get("projection_dim").and_then(serde_json::Value::as_u64).unwrap_or(512);
    usize::try_from(width)
        .ok()
        .filter(|width| (1..=1 << 20).contains(width))
        .ok_or_else(|| Failure::file(path, format!("`projection_dim` is {width}")).expected("1 to 1048576"))
}
