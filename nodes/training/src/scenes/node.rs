//! `training.scenes`: a data set of scenes, written into a folder.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};

use super::Family;
use super::set::SceneSet;

/// The node type.
pub fn definition() -> NodeDefinition {
    let families = std::iter::once("all").chain(Family::ALL.map(Family::name));
    let families = Domain::Choice { default: "all".to_owned(), choices: families.map(ToOwned::to_owned).collect() };
    let description = NodeDescription::new(
        "training.scenes",
        "Scenes",
        "Training",
        "Writes a data set of procedural scenes and edits in the layout that InstructPix2Pix and MGIE are trained on. \
         A folder that holds exactly this set is left as it is, one that holds anything else is refused.",
    )
    .parameter(
        "folder",
        "Folder",
        Domain::Folder { default: String::new(), optional: false },
        "The folder to write; new or empty.",
    )
    .parameter(
        "count",
        "Count",
        Domain::Integer { default: 1000, hard: [1, 10_000_000], soft: [1, 100_000] },
        "How many scenes.",
    )
    .parameter("seed", "Seed", Domain::Seed { default: 1 }, "Seed of all scenes of the set.")
    .parameter(
        "first",
        "First",
        Domain::Integer { default: 0, hard: [0, 1 << 53], soft: [0, 10_000_000] },
        "Index of the first scene. Sets share no scene where their seeds differ, or where the ranges from first to \
         first + count do not overlap: keep one of the two apart for what is held out.",
    )
    .parameter(
        "families",
        "Families",
        families,
        "All families of edits in their shares (30 % photoshop, 20 % global, 20 % local, 30 % must_see), or one.",
    )
    .output("folder", "Folder", kind::TEXT, "The folder that holds the set.")
    .with_side_effect();
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let folder = run.path("folder")?;
    let families = run.string("families")?;
    let family = Family::from_name(families);
    if family.is_none() && families != "all" {
        return Err(Failure::parameter("families", "all, or a family's name", families));
    }
    let set = SceneSet {
        seed: run.seed("seed")?,
        first: run.count("first")? as u64,
        count: run.count("count")? as u64,
        family,
    };
    set.write(&folder, run.threads(), |done| {
        run.progress(done, set.count, "writing scenes");
        run.check_cancelled()
    })?;
    Ok(Outputs::new().with("folder", Value::text(folder.display().to_string())))
}
