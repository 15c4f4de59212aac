//! The whole edit beside `StableDiffusionInstructPix2PixPipeline`, and the denoising node with a denoiser from elsewhere.

use std::sync::{Arc, Mutex};

use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Extensible, Extension, Message, Object, Value, extension, kind};

use super::goldens::{Goldens, assert_close, repository};
use super::node::{Host, conditioning, image_latents, model_path, output, run_on, unet, values};
use super::vae::{assert_same_picture, decoded, encode, recorded_picture};

#[test]
fn edits_equal_the_references_pictures_with_three_two_and_one_branches() {
    let goldens = Goldens::open("pipeline");
    let runs = std::fs::read_to_string(repository("tests/goldens/pipeline.json")).unwrap();
    let runs: Json = serde_json::from_str(&runs).unwrap();
    for run in runs["runs"].as_array().unwrap() {
        let name = run["name"].as_str().unwrap();
        let recorded = |part: &str| {
            let part = format!("{name}.{part}");
            (goldens.shape(&part), goldens.values(&part))
        };
        let (shape, text) = recorded("conditioning");
        let (null_shape, null) = recorded("null_conditioning");
        let inputs = [
            ("denoiser", &unet(run["conditioning_from"] == "edit_head")),
            ("conditioning", &conditioning(shape, text)),
            ("null_conditioning", &conditioning(null_shape, null)),
            ("latents", &encode(&recorded_picture(run["picture"].as_str().unwrap()))),
        ];
        let parameters = json!({
            "steps": run["steps"], "seed": run["seed"], "guidance": run["guidance"],
            "image_guidance": run["image_guidance"], "scheduler": model_path("instruct-pix2pix/scheduler"),
        });
        let latents = output("diffusion.denoise", parameters, &inputs, "latents");
        // The pipeline run in f64: its f32 is up to 1.4e-4 away from that by rounding alone.
        assert_close(name, values(&latents), &recorded("latents_of_f64").1, 1e-4);
        assert_same_picture(name, &decoded(&latents), &recorded("image").1, 2.0);
    }
}

/// A denoiser as another vendor's plugin would bring it: it remembers what it was asked and predicts nothing.
#[derive(Clone, Default)]
struct Recorder {
    asked: Arc<Mutex<Vec<Message>>>,
}

impl Recorder {
    fn value(&self, extra: Json) -> Value {
        let mut header = json!({
            "in_channels": 8, "out_channels": 4, "cross_attention_dim": 3, "prediction_type": "epsilon",
        });
        if let (Some(header), Some(extra)) = (header.as_object_mut(), extra.as_object()) {
            header.extend(extra.clone());
        }
        Value::object(kind::DENOISER, header, Object::new(self.clone()))
    }
}

impl Extensible for Recorder {
    fn extension(&self, id: &str) -> Option<Extension> {
        let asked = Arc::clone(&self.asked);
        (id == extension::id::DENOISER).then(|| {
            Extension::new(move |message| {
                let latents = message.tensor("latents")?;
                let zeros = mgie_plugin_api::Tensor::from_f32(latents.shape(), vec![0.0; latents.len()])?;
                asked.lock().unwrap().push(message);
                Ok(Message::json(json!({})).with_tensor("output", zeros))
            })
        })
    }
}

#[test]
fn a_denoiser_from_elsewhere_is_asked_what_the_ability_promises() {
    let recorder = Recorder::default();
    let text: Vec<f32> = (0..6).map(|index| index as f32).collect();
    let picture: Vec<f32> = (0..4 * 2 * 3).map(|index| index as f32 * 0.1).collect();
    let inputs = [
        ("denoiser", &recorder.value(json!({}))),
        ("conditioning", &conditioning([2, 3], text.clone())),
        ("null_conditioning", &conditioning([2, 3], vec![-1.0; 6])),
        ("latents", &image_latents([4, 2, 3], picture.clone())),
    ];
    let host = Host::default();
    let parameters = json!({ "steps": 3, "scheduler": "", "seed": 4 });
    run_on(&host, "diffusion.denoise", parameters, &inputs).unwrap();

    let asked = recorder.asked.lock().unwrap();
    let timesteps: Vec<f64> = asked.iter().map(|message| message.json["timestep"].as_f64().unwrap()).collect();
    assert_eq!(timesteps, [999.0, 499.5, 0.0]);
    let tensor = |name: &str| asked[0].tensor(name).unwrap();
    assert_eq!(tensor("latents").shape(), [3, 4, 2, 3]);
    assert_eq!(tensor("conditioning").f32().unwrap(), [text, vec![-1.0; 12]].concat());
    assert_eq!(tensor("image_latents").f32().unwrap(), [picture.clone(), picture, vec![0.0; 24]].concat());

    let previews = host.previews.lock().unwrap();
    let sizes: Vec<_> = previews.iter().map(|p| p.as_image().map(|i| (i.height, i.width, i.channels))).collect();
    assert_eq!(sizes, [Some((2, 3, 3)); 3], "a preview at each step");
    let progress: Vec<_> = host.progress.lock().unwrap().iter().map(|told| told["done"].as_u64()).collect();
    assert_eq!(progress, [Some(0), Some(1), Some(2), Some(3)]);
}

#[test]
fn noise_is_drawn_in_the_denoisers_own_type() {
    let first_asked = |dtype: &str| {
        let recorder = Recorder::default();
        let inputs = [
            ("denoiser", &recorder.value(json!({ "dtype": dtype }))),
            ("conditioning", &conditioning([2, 3], vec![0.5; 6])),
            ("latents", &image_latents([4, 2, 3], vec![0.0; 24])),
        ];
        let parameters = json!({ "steps": 1, "guidance": 1, "scheduler": "", "sampler": "ddim", "seed": 42 });
        run_on(&Host::default(), "diffusion.denoise", parameters, &inputs).unwrap();
        recorder.asked.lock().unwrap()[0].tensor("latents").unwrap().f32().unwrap().to_vec()
    };
    for (dtype, precision) in [("f32", "f32"), ("f16", "f16"), ("bf16", "bf16")] {
        let mut generator = mgie_diffusion::noise::Generator::torch_cpu(42);
        let expected = generator.randn(24, mgie_diffusion::noise::Precision::named(precision).unwrap());
        assert_eq!(first_asked(dtype), expected, "{dtype}");
    }
}

#[test]
fn a_cancelled_run_ends_before_the_next_step() {
    let recorder = Recorder::default();
    let inputs = [
        ("denoiser", &recorder.value(json!({}))),
        ("conditioning", &conditioning([2, 3], vec![0.0; 6])),
        ("null_conditioning", &conditioning([2, 3], vec![0.0; 6])),
        ("latents", &image_latents([4, 2, 3], vec![0.0; 24])),
    ];
    let host = Host { patience: Some(Arc::new(Mutex::new(2))), ..Host::default() };
    let failure = run_on(&host, "diffusion.denoise", json!({ "scheduler": "" }), &inputs).unwrap_err();
    assert!(failure.is_cancelled(), "{failure}");
    assert_eq!(recorder.asked.lock().unwrap().len(), 2);

    let host = Host { patience: Some(Arc::new(Mutex::new(0))), ..Host::default() };
    let parameters = json!({ "model": model_path("instruct-pix2pix/vae") });
    let latents = image_latents([4, 2, 3], vec![0.0; 24]);
    let failure = run_on(&host, "diffusion.vae_decode", parameters, &[("latents", &latents)]).unwrap_err();
    assert!(failure.is_cancelled(), "{failure}");
}
