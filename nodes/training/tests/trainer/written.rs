//! What training writes is what the plugins read.

use crate::host::{Host, node};
use crate::models;
use candle_core::{DType, Device, Tensor};
use half::f16;
use mgie_diffusion::config::Config;
use mgie_diffusion::vae::{Decoder, Encoder, VaeConfig};
use mgie_plugin_api::FailureKind;
use mgie_plugin_api::serde_json::{self, Value as Json, json};
use mgie_training::dataset::Dataset;
use mgie_training::model_files;
use mgie_training::parameters::Parameters;
use mgie_training::parts;
use mgie_training::stages::vae::normalise;
use mgie_weights::{Checkpoint, Weights};
use std::collections::BTreeMap;
use std::path::Path;

fn random(shape: &[usize], seed: u64) -> Tensor {
    let count = shape.iter().product();
    let numbers = mgie_diffusion::noise::TorchCpu::new(seed).randn(count, mgie_diffusion::noise::Precision::F32);
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

fn halves(tensor: &Tensor) -> Vec<f16> {
    tensor.to_dtype(DType::F16).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn what_is_written_as_pytorchs_or_safetensors_is_read_with_names_shapes_and_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let turned = random(&[3, 5], 2).t().unwrap();
    let tensors = vec![
        ("model.embed_tokens.weight".to_owned(), random(&[7, 4], 1)),
        ("turned".to_owned(), turned),
        ("edit_head.query".to_owned(), random(&[1, 2, 3], 3)),
        ("unet.conv_in.weight".to_owned(), random(&[2, 3, 3, 3], 4)),
        ("logit_scale".to_owned(), random(&[], 5)),
        ("of_äöü".to_owned(), random(&[1], 6)),
    ];
    let (pickle, safe) = (folder.path().join("deep/mllm.pt"), folder.path().join("model.safetensors"));
    model_files::write_torch(&pickle, &tensors).unwrap();
    model_files::write(&safe, &tensors).unwrap();
    for path in [&pickle, &safe] {
        let read = Checkpoint::open(path).unwrap();
        assert_eq!(read.len(), tensors.len(), "{}", path.display());
        let weights = Weights::new(read, DType::F16, &Device::Cpu);
        for (name, tensor) in &tensors {
            let found = weights.get_any(name).unwrap();
            weights.finish().unwrap();
            assert_eq!(found.dims(), tensor.dims(), "{name} in {}", path.display());
            assert_eq!(halves(&found), halves(tensor), "{name} in {}", path.display());
        }
    }
}

#[test]
fn a_number_beyond_f16_is_not_written_and_the_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    type Write = fn(&Path, &[(String, Tensor)]) -> Result<(), mgie_plugin_api::Failure>;
    let writers: [(&str, Write); 2] = [("a.pt", model_files::write_torch), ("a.safetensors", model_files::write)];
    for (name, write) in writers {
        let path = folder.path().join(name);
        write(&path, &[("weight".to_owned(), random(&[2], 1))]).unwrap();
        let before = std::fs::read(&path).unwrap();
        for number in [1e6f32, f32::NAN] {
            let tensor = Tensor::new(&[1.0, number], &Device::Cpu).unwrap();
            let failure = write(&path, &[("weight".to_owned(), tensor)]).unwrap_err();
            assert_eq!((failure.kind, Path::new(&failure.place)), (FailureKind::File, path.as_path()), "{failure}");
            assert!(failure.message.contains("weight holds") && !failure.remedy.is_empty(), "{failure}");
            assert!(std::fs::read(&path).unwrap() == before);
        }
    }
}

/// Sources of a set as `[pictures, 3, side, side]` in [−1, 1].
fn sources(dataset: &Path, side: usize) -> Tensor {
    let dataset = Dataset::open(dataset).unwrap();
    let picture = |example| {
        let samples = dataset.pair(example, side).unwrap().source.samples;
        let samples = samples.into_iter().map(|sample| sample * 2.0 - 1.0).collect::<Vec<f32>>();
        Tensor::from_vec(samples, (side, side, 3), &Device::Cpu).unwrap().permute((2, 0, 1)).unwrap()
    };
    Tensor::stack(&(0..dataset.len()).map(picture).collect::<Vec<_>>(), 0).unwrap().contiguous().unwrap()
}

fn latents(weights: &Weights<'_>, config: &VaeConfig, pictures: &Tensor) -> Tensor {
    Encoder::new(weights, config).unwrap().mode(pictures, &|| Ok(())).unwrap()
}

/// Mean and deviation of each channel.
fn moments(latents: &Tensor) -> (Vec<f32>, Vec<f32>) {
    let channel = |channel: usize| -> (f32, f32) {
        let numbers: Vec<f32> = latents.narrow(1, channel, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / numbers.len() as f32;
        (mean, variance.sqrt())
    };
    (0..latents.dim(1).unwrap()).map(channel).unzip()
}

fn vae_config(models: &Path) -> VaeConfig {
    VaeConfig::read(&Config::read(models.join("instruct-pix2pix/vae/config.json")).unwrap()).unwrap()
}

#[test]
fn normalised_latents_have_mean_0_and_deviation_1_and_pictures_come_out_as_before() {
    let (models, dataset) = (models::with_tiny_vae(), models::scenes(6));
    let (config, pictures) = (vae_config(models.path()), sources(dataset.path(), 32));
    let parameters = Parameters::new(&Device::Cpu, 5, |_| true);
    let build = |w: &Weights<'_>| Ok((Encoder::new(&w.pp("vae"), &config)?, Decoder::new(&w.pp("vae"), &config)?));
    parameters.build(build).unwrap();
    let look = || {
        let weights = parameters.weights(DType::F32).pp("vae");
        let encoder = Encoder::new(&weights, &config).unwrap();
        let latents = latents(&weights, &config, &pictures);
        let decoded = Decoder::new(&weights, &config).unwrap().decode(&latents, &|| Ok(())).unwrap();
        let (_, log_variance) = encoder.moments(&pictures, &|| Ok(())).unwrap();
        (latents, decoded, log_variance)
    };
    let (before, decoded_before, variance_before) = look();
    let (mean, deviation) = moments(&before);
    normalise(&parameters, &mean, &deviation).unwrap();
    let (after, decoded_after, variance_after) = look();
    let (mean_after, deviation_after) = moments(&after);
    for channel in 0..4 {
        assert!(mean_after[channel].abs() < 1e-4, "{mean_after:?}");
        assert!((deviation_after[channel] - 1.0).abs() < 1e-4, "{deviation_after:?}");
        // The spread around a mode is divided by as much as the modes' own: log σ² less 2 log d.
        let change =
            (variance_after.narrow(1, channel, 1).unwrap() - variance_before.narrow(1, channel, 1).unwrap()).unwrap();
        let change: f32 = change.mean_all().unwrap().to_scalar().unwrap();
        assert!((change + 2.0 * deviation[channel].ln()).abs() < 1e-3, "{change} for {}", deviation[channel]);
    }
    let off = (decoded_after - decoded_before).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(off < 1e-4, "pictures are {off:e} off");
}

/// The miniature is as users' files are: shards and pickles, and a VAE of 2023, whose attention has older names.
#[test]
fn users_files_are_trained_on_as_they_are() {
    let (models, dataset) = (models::miniature(), models::scenes(2));
    let numbers = |file: &str| -> BTreeMap<String, Vec<f32>> {
        let read = Weights::open(&models.path().join(file), DType::F32, &Device::Cpu).unwrap();
        let tensor = |name: &String| read.get_any(name).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        read.names().into_iter().map(|name| (name.clone(), tensor(&name))).collect()
    };
    for (id, file) in [
        ("training.denoiser", "instruct-pix2pix/unet"),
        ("training.llava", "LLaVA-7B-v1"),
        ("training.mgie", "mgie_7b/mllm.pt"),
        ("training.clip", "clip-vit-large-patch14"),
        ("training.vae", "instruct-pix2pix/vae"),
    ] {
        if id == "training.clip" {
            models::with_one_text_tower(models.path());
        }
        let before = numbers(file);
        let work = tempfile::tempdir().unwrap();
        let changes = json!({
            "models": models.path(), "work": work.path(), "begin": "models", "steps": 2, "batch": 2, "part": 1, "side": 64,
            "device": "cpu", "learning_rate": 1e-5,
        });
        node(&Host::of(2), id, dataset.path(), &changes).unwrap_or_else(|failure| panic!("{id}: {failure}"));
        let after = numbers(file);
        assert!(after != before, "{id} is read as it was before");
        for (name, numbers) in before.iter().filter(|(name, _)| id != "training.vae" && *name != "emb") {
            // All is where it was, but for a step. The VAE's attention gets other names, and its ends are normalised; `emb` is
            // what the embeddings' last rows are, which the miniature has as numbers of its own.
            let off =
                numbers.iter().zip(&after[name]).map(|(before, after)| (after - before).abs()).fold(0.0, f32::max);
            assert!(off < 2e-3, "{id}: {name} is {off} from where it began");
        }
    }
}

/// A UNet that was trained on a VAE's latents still fits after the decoder alone was trained on.
#[test]
fn a_frozen_encoder_stays_as_it_is_while_the_decoder_learns() {
    let (models, dataset) = (models::miniature(), models::scenes(2));
    let folder = models.path().join("instruct-pix2pix/vae");
    let train = |begin: &str| {
        let work = tempfile::tempdir().unwrap();
        let changes = json!({
            "models": models.path(), "work": work.path(), "begin": begin, "encoder": "frozen", "steps": 2, "batch": 2,
            "part": 1, "side": 64, "device": "cpu", "learning_rate": 1e-3, "ema": 0.0,
        });
        node(&Host::of(2), "training.vae", dataset.path(), &changes)
    };
    let afresh = train("afresh").unwrap_err();
    assert_eq!((afresh.kind, afresh.place.as_str()), (FailureKind::Parameter, "encoder"), "{afresh}");
    assert!(afresh.remedy.contains("models"), "{afresh}");

    // From the second time on the attention's names are today's, before and after.
    train("models").unwrap();
    let before = tensors(&folder);
    train("models").unwrap();
    let after = tensors(&folder);
    let of = |parts: [&'static str; 2]| move |name: &&String| parts.iter().any(|part| name.starts_with(part));
    let (encoder, decoder) = (of(["encoder.", "quant_conv."]), of(["decoder.", "post_quant_conv."]));
    assert!(before.keys().eq(after.keys()) && before.keys().all(|name| encoder(&name) || decoder(&name)));
    for name in before.keys().filter(encoder) {
        assert!(before[name] == after[name], "{name} changed");
    }
    let moved = before.keys().filter(decoder).filter(|name| before[*name] != after[*name]).count();
    assert!(moved > before.keys().filter(decoder).count() / 2, "{moved} tensors of the decoder moved");
}

/// InstructPix2Pix' tower stays as it is unless it is told to learn; then what is written is a tower that is read again.
#[test]
fn the_text_tower_learns_with_the_unet_only_where_that_is_said() {
    let (models, dataset) = (models::miniature(), models::scenes(2));
    let tower = || tensors(&models.path().join("instruct-pix2pix/text_encoder"));
    let before = tower();
    for said in ["frozen", "trained"] {
        let work = tempfile::tempdir().unwrap();
        let changes = json!({
            "models": models.path(), "work": work.path(), "begin": "models", "steps": 2, "batch": 2, "part": 1, "side": 64,
            "device": "cpu", "learning_rate": 1e-3, "ema": 0.0, "text_tower": said,
        });
        node(&Host::of(2), "training.denoiser", dataset.path(), &changes).unwrap();
        let after = tower();
        assert!(before.keys().eq(after.keys()));
        let moved = before.iter().filter(|(name, numbers)| after[*name] != **numbers).count();
        assert_eq!(moved > before.len() / 2, said == "trained", "{moved} of {} tensors moved", before.len());
        assert!(said == "trained" || moved == 0, "{moved} tensors moved");
    }
}

/// The tensors of a folder, as far as f16 tells them apart, in which weights are written.
fn tensors(folder: &Path) -> BTreeMap<String, Vec<f32>> {
    let read = Weights::open(folder, DType::F32, &Device::Cpu).unwrap();
    let tensor = |name: &String| {
        let halves = read.get_any(name).unwrap().to_dtype(DType::F16).unwrap();
        halves.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    read.names().into_iter().map(|name| (name.clone(), tensor(&name))).collect()
}

/// LLaVA takes the tower's second last layer: the last one, and what follows it, have nothing to learn from.
#[test]
fn the_vision_tower_learns_with_the_language_model_and_clip_follows_it_only_where_that_is_said() {
    let (models, dataset) = (models::miniature(), models::scenes(2));
    models::with_one_text_tower(models.path());
    let clip = models.path().join("clip-vit-large-patch14");
    let run = |id: &str, said: &str| {
        let work = tempfile::tempdir().unwrap();
        let changes = json!({
            "models": models.path(), "work": work.path(), "begin": "models", "steps": 2, "batch": 2, "part": 1, "side": 64,
            "device": "cpu", "learning_rate": 1e-3, "ema": 0.0, "vision_tower": said,
        });
        let before = tensors(&clip);
        node(&Host::of(2), id, dataset.path(), &changes).unwrap();
        let after = tensors(&clip);
        assert!(before.keys().eq(after.keys()));
        before.into_iter().filter(|(name, numbers)| after[name] != *numbers).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert!(run("training.llava", "frozen").is_empty());
    let seen = run("training.llava", "trained");
    assert!(seen.iter().any(|name| name.contains("patch_embedding")), "{seen:?}");
    assert!(seen.iter().all(|name| name.starts_with("vision_model.")), "{seen:?}");
    let locked = run("training.clip", "locked");
    assert!(locked.iter().any(|name| name.starts_with("text_model.")), "{locked:?}");
    assert!(locked.contains(&"visual_projection.weight".to_owned()), "{locked:?}");
    assert!(locked.iter().all(|name| !name.starts_with("vision_model.")), "{locked:?}");
    assert!(run("training.clip", "trained").iter().any(|name| name.starts_with("vision_model.")));
}

/// What the tower saw is kept: the same numbers come again, whatever else is asked for along with them.
#[test]
fn features_of_a_picture_that_was_seen_before_are_the_same() {
    let (models, dataset) = (models::miniature(), models::scenes(3));
    let dataset = Dataset::open(dataset.path()).unwrap();
    let parameters = Parameters::new(&Device::Cpu, 0, |_| false);
    let eyes = parts::eyes(&parameters, models.path(), None).unwrap();
    let features = |examples: &[usize]| -> Vec<Vec<Vec<f32>>> {
        eyes.features(&parameters, &dataset, examples, 64, DType::F32).unwrap().to_vec3().unwrap()
    };
    let (first, later) = (features(&[0, 1]), features(&[2, 1, 0]));
    assert_eq!([&first[0], &first[1]], [&later[2], &later[1]]);
    assert!(later[0] != later[1] && later[1] != later[2]);
    let picture = dataset.pair(2, 64).unwrap().source;
    let alone = eyes.of(&parameters, &[picture], DType::F32).unwrap().to_vec3::<f32>().unwrap();
    assert_eq!(alone[0], later[0]);
    assert_eq!(eyes.seen.lock().unwrap().len(), 3);
}

/// Users' folders may say the same of source and goal: by such a caption the two cannot be told from each other.
#[test]
fn pictures_of_one_caption_are_not_to_be_told_from_each_other() {
    let (models, dataset) = (models::miniature(), models::scenes(1));
    models::with_one_text_tower(models.path());
    let loss = |same: bool| {
        if same {
            models::edit(&dataset.path().join("0000000/prompt.json"), |prompt| {
                prompt["output"] = prompt["input"].clone()
            });
        }
        let work = tempfile::tempdir().unwrap();
        let changes = json!({
            "models": models.path(), "work": work.path(), "steps": 10, "batch": 1, "part": 1, "side": 64, "device": "cpu",
        });
        node(&Host::of(1), "training.clip", dataset.path(), &changes).unwrap();
        let curve = std::fs::read_to_string(work.path().join("clip.csv")).unwrap();
        let last: Vec<f64> = curve.lines().last().unwrap().split(',').map(|number| number.parse().unwrap()).collect();
        last[3]
    };
    assert!(loss(false) > 0.01, "one of two captions is to be chosen");
    assert_eq!(loss(true), 0.0, "there is nothing to choose");
}

/// All stages one after the other in the miniature's sizes, each on what the one before wrote, then edits with every method.
#[test]
fn every_stage_reads_what_the_one_before_wrote_and_every_method_edits_with_it() {
    let (models, dataset) = (models::miniature(), models::scenes(3));
    models::with_one_text_tower(models.path());
    let work = tempfile::tempdir().unwrap();
    let host = Host::of(2);
    let try_to_run = |id: &str, changes: Json| {
        let mut all = json!({
            "models": models.path(), "work": work.path(), "steps": 2, "batch": 2, "part": 1, "side": 64, "device": "cpu",
            "width": 16, "layers": 1, "feed_forward": 16, "count": 2, "seed": 1,
        });
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        node(&host, id, dataset.path(), &all)
    };
    let run = |id: &str, changes: Json| {
        try_to_run(id, changes.clone()).unwrap_or_else(|failure| panic!("{id} {changes}: {failure}"))
    };
    run("training.vae", json!({}));
    run("training.clip", json!({}));
    run("training.llava", json!({ "vision_tower": "trained" }));
    run("training.clip", json!({ "vision_tower": "locked", "begin": "models", "work": work.path().join("locked") }));
    run("training.denoiser", json!({ "text_tower": "trained" }));
    run("training.llava", json!({ "sees": false, "model": "lgie" }));
    run("training.mgie", json!({}));
    run("training.mgie", json!({ "instruction": 0.0, "into": "without" }));
    run("training.mgie", json!({ "begin": "models", "work": work.path().join("c") }));

    // Run once more, finished stages leave their files as they are, so that nothing is made of them anew.
    let latents_kept = || {
        let files = std::fs::read_dir(work.path()).unwrap().map(|entry| entry.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().starts_with("latents-")).count()
    };
    assert_eq!(latents_kept(), 1, "denoiser and mgie share the data set's latents");
    let model = |name: &str| std::fs::metadata(models.path().join(name)).unwrap().modified().unwrap();
    let files = [
        "instruct-pix2pix/vae/diffusion_pytorch_model.safetensors",
        "clip-vit-large-patch14/model.safetensors",
        "instruct-pix2pix/text_encoder/model.safetensors",
        "mgie_7b/mllm.pt",
    ];
    let before = files.map(model);
    run("training.vae", json!({}));
    run("training.clip", json!({}));
    run("training.llava", json!({ "vision_tower": "trained" }));
    run("training.denoiser", json!({ "text_tower": "trained" }));
    run("training.mgie", json!({ "begin": "models", "work": work.path().join("c") }));
    assert_eq!((files.map(model), latents_kept()), (before, 1));

    // The VAE's latents, times the factor that its config has by default, are what the UNet takes: of deviation 1.
    let config = vae_config(models.path());
    let weights = Weights::open(&models.path().join("instruct-pix2pix/vae"), DType::F32, &Device::Cpu).unwrap();
    let latents = (latents(&weights, &config, &sources(dataset.path(), 64)) * config.scaling_factor).unwrap();
    let (mean, deviation) = moments(&latents);
    weights.finish().unwrap();
    for channel in 0..4 {
        assert!(mean[channel].abs() < 0.02 && (deviation[channel] - 1.0).abs() < 0.02, "{mean:?}, {deviation:?}");
    }

    for (index, method) in ["mgie", "instruct-pix2pix", "lgie"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let outputs = run("training.edit_set", json!({ "method": method, "folder": folder.path() }));
        assert_eq!(outputs.get("folder").unwrap().as_text(), folder.path().to_str());
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 4, "two pictures, their texts and how they were made by {method}");
        let list: Json = serde_json::from_slice(&std::fs::read(folder.path().join("edits.json")).unwrap()).unwrap();
        let text = list.as_object().unwrap().values().next().unwrap()["text"].clone();
        assert_eq!(text.is_string(), index != 1, "{method} says {text}");
        // A run that goes on finds all done; another method's edits do not get in between.
        let time = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().modified().unwrap();
        let written = time("edits.json");
        run("training.edit_set", json!({ "method": method, "folder": folder.path() }));
        assert_eq!(time("edits.json"), written, "{method}: nothing is left to edit");
        let other = json!({ "method": method, "folder": folder.path(), "guidance": 2.0 });
        let failure = try_to_run("training.edit_set", other).unwrap_err();
        assert_eq!(Path::new(&failure.place), folder.path().join("made.json"), "{failure}");
        assert!(failure.remedy.contains("another folder"), "{failure}");
    }
}
