//! Models and data sets that do not fit are told before anything is trained: the file or the parameter, and what to do.

use crate::host::{Host, node};
use crate::models::{edit, miniature, scenes, with_one_text_tower};
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Domain, Failure, FailureKind};
use std::collections::HashSet;
use std::path::Path;

const TRAINERS: [&str; 5] = ["training.vae", "training.clip", "training.denoiser", "training.llava", "training.mgie"];

fn fails(id: &str, models: &Path, dataset: &Path, changes: Json) -> Failure {
    let work = tempfile::tempdir().unwrap();
    let mut all = json!({
        "models": models, "work": work.path(), "steps": 1, "batch": 2, "part": 1, "side": 64, "device": "cpu",
        "width": 16, "layers": 1, "feed_forward": 16,
    });
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let Err(failure) = node(&Host::of(1), id, dataset, &all) else { panic!("{id} {changes} is taken") };
    let begun = std::fs::read_dir(work.path()).unwrap().any(|entry| {
        entry.unwrap().path().extension().is_some_and(|ending| ending == "csv" || ending == "safetensors")
    });
    assert!(!begun, "{id}: trained before it failed: {failure}");
    assert!(!failure.remedy.is_empty(), "{id}: no remedy: {failure}");
    failure
}

fn assert_file(failure: &Failure, path: &Path, said: &str) {
    assert_eq!((failure.kind, Path::new(&failure.place)), (FailureKind::File, path), "{failure}");
    assert!(failure.to_string().contains(said), "{failure} does not say {said:?}");
}

#[test]
fn every_nodes_description_is_sound() {
    let plugin = mgie_training::plugin();
    let manifest = plugin.manifest();
    assert_eq!(manifest.nodes.len(), 8);
    for node in &manifest.nodes {
        let plain = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        assert!(node.id.split('.').all(plain) && node.side_effect && !node.summary.is_empty(), "{}", node.id);
        let inputs: Vec<&String> = node.inputs.iter().map(|socket| &socket.id).collect();
        let outputs: Vec<&String> = node.outputs.iter().map(|socket| &socket.id).collect();
        let parameters: Vec<&String> = node.parameters.iter().map(|parameter| &parameter.id).collect();
        for ids in [inputs, outputs, parameters] {
            assert!(ids.iter().all(|id| plain(id)), "{}: {ids:?}", node.id);
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{}: {ids:?}", node.id);
        }
        for parameter in &node.parameters {
            let within = match &parameter.domain {
                Domain::Float { default, hard: [low, high], soft } => {
                    soft.iter().chain([default]).all(|number| (low..=high).contains(&number))
                }
                Domain::Integer { default, hard: [low, high], soft } => {
                    soft.iter().chain([default]).all(|number| (low..=high).contains(&number))
                }
                Domain::Choice { default, choices } => choices.contains(default),
                _ => true,
            };
            let told = !parameter.label.is_empty() && parameter.summary.ends_with('.');
            assert!(within && told, "{} of {}", parameter.id, node.id);
        }
    }
}

#[test]
fn a_models_folder_without_configuration_is_told() {
    let dataset = scenes(1);
    for id in TRAINERS {
        let models = tempfile::tempdir().unwrap();
        let failure = fails(id, models.path(), dataset.path(), json!({}));
        assert_eq!(failure.kind, FailureKind::File, "{id}: {failure}");
        assert!(Path::new(&failure.place).starts_with(models.path()), "{id}: {failure}");
        assert_eq!(std::fs::read_dir(models.path()).unwrap().count(), 0, "{id} leaves something in a models folder");
    }
}

#[test]
fn half_precision_on_the_cpu_is_refused() {
    let (models, dataset) = (miniature(), scenes(1));
    for id in TRAINERS.into_iter().chain(["training.edit_set"]) {
        for dtype in ["f16", "bf16"] {
            let failure = fails(id, models.path(), dataset.path(), json!({ "dtype": dtype }));
            assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Parameter, "dtype"), "{id}: {failure}");
            assert!(failure.to_string().contains(dtype), "{id}: {failure}");
        }
    }
}

#[test]
fn few_steps_go_with_trailing_timesteps_and_not_with_a_choice_of_noise() {
    let (models, dataset) = (miniature(), scenes(1));
    with_one_text_tower(models.path());
    for id in ["training.denoiser", "training.mgie"] {
        for (changes, said) in [
            (json!({ "few_steps": 2 }), "trailing"),
            (json!({ "few_steps": 2, "high_noise": 3.0 }), "0 where high_noise is not"),
        ] {
            let failure = fails(id, models.path(), dataset.path(), changes);
            assert_eq!(
                (failure.kind, failure.place.as_str()),
                (FailureKind::Parameter, "few_steps"),
                "{id}: {failure}"
            );
            assert!(failure.to_string().contains(said), "{id}: {failure}");
        }
    }
}

#[test]
fn texts_that_are_empty_or_missing_are_told_before_training() {
    let models = miniature();
    with_one_text_tower(models.path());
    for id in ["training.llava", "training.mgie", "training.clip"] {
        let dataset = scenes(2);
        let texts = dataset.path().join("ipr2pr_expressive.json");
        edit(&texts, |texts| texts["0000001_1_0"]["expressive"] = json!(" "));
        assert_file(&fails(id, models.path(), dataset.path(), json!({})), &texts, "0000001_1_0");
        edit(&texts, |texts| drop(texts.as_object_mut().unwrap().remove("0000001_1_0")));
        let picture = dataset.path().join("0000001");
        if id != "training.clip" {
            let failure = fails(id, models.path(), dataset.path(), json!({}));
            assert!(Path::new(&failure.place).starts_with(&picture), "{id}: {failure}");
            assert!(failure.remedy.contains("ipr2pr_expressive.json"), "{id}: {failure}");
        }
        edit(&picture.join("prompt.json"), |prompt| prompt["output"] = json!(""));
        if id == "training.clip" {
            let failure = fails(id, models.path(), dataset.path(), json!({}));
            assert!(Path::new(&failure.place).starts_with(&picture), "{failure}");
            assert!(failure.to_string().contains("no caption"), "{failure}");
        }
    }
}

#[test]
fn parts_whose_sizes_do_not_fit_each_other_are_told() {
    let dataset = scenes(1);
    for id in ["training.denoiser", "training.mgie"] {
        let models = miniature();
        let unet = models.path().join("instruct-pix2pix/unet/config.json");
        edit(&unet, |config| config["in_channels"] = json!(9));
        assert_file(&fails(id, models.path(), dataset.path(), json!({})), &unet, "in_channels 8");

        let models = miniature();
        let vae = models.path().join("instruct-pix2pix/vae");
        edit(&vae.join("config.json"), |config| config["block_out_channels"] = json!([8, 12, 12, 20]));
        assert_file(&fails(id, models.path(), dataset.path(), json!({})), &vae, "do not fit the model");
    }
    let models = miniature();
    edit(&models.path().join("instruct-pix2pix/unet/config.json"), |config| config["cross_attention_dim"] = json!(32));
    let text = models.path().join("instruct-pix2pix/text_encoder/config.json");
    assert_file(&fails("training.denoiser", models.path(), dataset.path(), json!({})), &text, "hidden_size 32");
    let unet = models.path().join("instruct-pix2pix/unet");
    assert_file(&fails("training.mgie", models.path(), dataset.path(), json!({})), &unet, "attn2.to_k.weight");

    let models = miniature();
    let clip = models.path().join("clip-vit-large-patch14");
    edit(&clip.join("config.json"), |config| config["vision_config"]["intermediate_size"] = json!(17));
    for id in ["training.llava", "training.mgie"] {
        assert_file(&fails(id, models.path(), dataset.path(), json!({})), &clip, "do");
    }
}

#[test]
fn a_text_tower_for_the_unet_of_other_sizes_than_clips_is_told_before_clip_is_trained() {
    // As the miniature is.
    let (models, dataset) = (miniature(), scenes(1));
    let text = models.path().join("instruct-pix2pix/text_encoder/config.json");
    assert_file(&fails("training.clip", models.path(), dataset.path(), json!({})), &text, "text_config");
}

#[test]
fn a_side_that_is_no_whole_number_of_latents_is_told() {
    let (models, dataset) = (miniature(), scenes(1));
    for id in ["training.vae", "training.denoiser", "training.mgie"] {
        let failure = fails(id, models.path(), dataset.path(), json!({ "side": 60 }));
        assert_eq!((failure.kind, failure.place.as_str()), (FailureKind::Parameter, "side"), "{id}: {failure}");
        assert!(failure.to_string().contains("a multiple of 8") && failure.to_string().contains("60"), "{failure}");
    }
}

#[test]
fn a_vae_that_cannot_be_normalised_is_refused_before_training() {
    let (models, dataset) = (miniature(), scenes(1));
    let config = models.path().join("instruct-pix2pix/vae/config.json");
    edit(&config, |config| config["use_quant_conv"] = json!(false));
    assert_file(&fails("training.vae", models.path(), dataset.path(), json!({})), &config, "quant_conv");
}

#[test]
fn weights_that_lack_a_tensor_are_told_instead_of_made_up() {
    let dataset = scenes(1);
    let halved = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let views = stored.tensors().into_iter().filter(|(name, _)| !name.contains("conv_in"));
        std::fs::write(path, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
    };
    let models = miniature();
    let unet = models.path().join("instruct-pix2pix/unet");
    halved(&unet.join("diffusion_pytorch_model.safetensors"));
    for (id, changes) in [("training.mgie", json!({})), ("training.denoiser", json!({ "begin": "models" }))] {
        assert_file(&fails(id, models.path(), dataset.path(), changes), &unet, "unet.conv_in");
    }
    for place in
        ["instruct-pix2pix/unet/diffusion_pytorch_model.safetensors", "clip-vit-large-patch14/pytorch_model.bin"]
    {
        std::fs::remove_file(models.path().join(place)).unwrap();
        let folder = models.path().join(place);
        assert_file(&fails("training.mgie", models.path(), dataset.path(), json!({})), folder.parent().unwrap(), "");
    }
}

#[test]
fn a_data_set_that_is_none_is_told() {
    let models = miniature();
    with_one_text_tower(models.path());
    for id in TRAINERS {
        let dataset = tempfile::tempdir().unwrap();
        assert_file(&fails(id, models.path(), dataset.path(), json!({})), dataset.path(), "no data set");
    }
}
