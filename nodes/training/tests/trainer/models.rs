//! Models folders and data sets to train on.

use mgie_plugin_api::serde_json::{self, Value as Json, json};
use mgie_training::scenes::set::SceneSet;
use std::path::{Path, PathBuf};

/// So many scenes.
pub fn scenes(count: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    SceneSet { seed: 1, first: 0, count, family: None }.write(folder.path(), 1, |_| Ok(())).unwrap();
    folder
}

/// A models folder that holds nothing but the configuration of a small autoencoder, whose latents are half as wide.
pub fn with_tiny_vae() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vae = folder.path().join("instruct-pix2pix/vae");
    std::fs::create_dir_all(&vae).unwrap();
    let config = json!({
        "block_out_channels": [4, 8], "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"], "layers_per_block": 1, "norm_num_groups": 2,
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "act_fn": "silu", "scaling_factor": 0.5,
    });
    std::fs::write(vae.join("config.json"), config.to_string()).unwrap();
    folder
}

/// A copy of the miniature that may be changed.
pub fn miniature() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let miniature = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/miniature");
    copy(&miniature, folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Gives the UNet's text tower CLIP's sizes, which the miniature has others of: `training.clip` writes it.
pub fn with_one_text_tower(models: &Path) {
    edit(&models.join("instruct-pix2pix/text_encoder/config.json"), |config| {
        config["num_hidden_layers"] = json!(2);
        config["intermediate_size"] = json!(52);
    });
}

/// Changes a JSON file.
pub fn edit(path: &Path, change: impl FnOnce(&mut Json)) {
    let mut json: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}
