//! Bad input gets one error that names the thing, the place and the remedy.

use std::fs;

use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{Message, Value, extension, kind};

use super::goldens::model;
use super::node::{assert_says, conditioning, failure, image_latents, model_path, picture, run, tensor, unet, values};

/// The miniature's UNet takes conditioning of this width.
const WIDTH: usize = 24;

fn vae() -> Json {
    json!({ "model": model_path("instruct-pix2pix/vae") })
}

/// Runs the denoising node on sound inputs with one of them replaced.
fn denoise_with(parameters: Json, socket: &str, value: &Value) -> mgie_plugin_api::Failure {
    let sound = [
        ("denoiser", unet(true)),
        ("conditioning", conditioning([77, WIDTH], vec![0.1; 77 * WIDTH])),
        ("null_conditioning", conditioning([77, WIDTH], vec![0.0; 77 * WIDTH])),
        ("latents", image_latents([4, 2, 3], vec![0.0; 24])),
    ];
    let inputs: Vec<(&str, &Value)> =
        sound.iter().map(|(name, sound)| (*name, if *name == socket { value } else { sound })).collect();
    let mut all = json!({ "steps": 2, "scheduler": "" });
    if let (Some(all), Some(given)) = (all.as_object_mut(), parameters.as_object()) {
        all.extend(given.clone());
    }
    failure("diffusion.denoise", all, &inputs)
}

#[test]
fn a_picture_too_small_for_one_latent_is_refused() {
    let one = picture([1, 1, 3], &[7.0; 3]);
    let failure = failure("diffusion.vae_encode", vae(), &[("image", &one)]);
    assert_says(&failure, &["input `image`", "at least 8×8", "1×1", "image.resize"]);
}

#[test]
fn a_long_thin_picture_is_encoded_where_it_is_thick_enough_and_refused_where_not() {
    let thick = picture([8, 4000, 1], &vec![100.0; 8 * 4000]);
    let latents = run("diffusion.vae_encode", vae(), &[("image", &thick)]).unwrap();
    assert_eq!(latents.get("latents").unwrap().as_tensor().unwrap().shape(), [4, 1, 500]);
    let thin = picture([1, 4000, 1], &vec![100.0; 4000]);
    assert_says(&failure("diffusion.vae_encode", vae(), &[("image", &thin)]), &["4000×1"]);
}

#[test]
fn latents_too_large_to_decode_are_refused_before_anything_is_computed() {
    let side = 1 << 12;
    let huge = image_latents([4, side, side], vec![0.0; 4 * side * side]);
    let failure = failure("diffusion.vae_decode", vae(), &[("latents", &huge)]);
    assert_says(&failure, &["32768×32768", "image.resize"]);
}

#[test]
fn nan_in_a_picture_or_in_latents_is_named() {
    let mut samples = vec![0.5; 8 * 8 * 3];
    samples[7] = f32::NAN;
    let nan = Value::image(mgie_plugin_api::Tensor::from_f32([8, 8, 3], samples).unwrap(), 16);
    assert_says(&failure("diffusion.vae_encode", vae(), &[("image", &nan)]), &["input `image`", "NaN", "column 2"]);
    let latents = image_latents([4, 1, 1], vec![0.0, f32::INFINITY, 0.0, 0.0]);
    assert_says(&failure("diffusion.vae_decode", vae(), &[("latents", &latents)]), &["input `latents`", "infinity"]);
}

#[test]
fn inputs_of_other_shapes_name_their_socket_and_both_shapes() {
    let short = conditioning([77, 16], vec![0.0; 77 * 16]);
    let failure = denoise_with(json!({}), "conditioning", &short);
    assert_says(&failure, &["input `conditioning`", "cross_attention_dim", "24", "[77, 16]"]);

    let fewer = conditioning([8, WIDTH], vec![0.0; 8 * WIDTH]);
    let failure = denoise_with(json!({}), "null_conditioning", &fewer);
    assert_says(&failure, &["input `null_conditioning`", "[77, 24]", "[8, 24]"]);

    let three = image_latents([3, 2, 3], vec![0.0; 18]);
    assert_says(&denoise_with(json!({}), "latents", &three), &["input `latents`", "[4, h, w]", "[3, 2, 3]"]);

    let empty = image_latents([4, 0, 3], vec![]);
    assert_says(&denoise_with(json!({}), "latents", &empty), &["input `latents`", "[4, 0, 3]"]);

    let nan = conditioning([77, WIDTH], vec![f32::NAN; 77 * WIDTH]);
    assert_says(&denoise_with(json!({}), "conditioning", &nan), &["input `conditioning`", "NaN", "f32"]);
}

#[test]
fn denoised_latents_do_not_pass_for_a_pictures() {
    let sample = tensor(kind::LATENTS, json!({ "space": "sample" }), [4, 2, 3], vec![0.0; 24]);
    assert_says(&denoise_with(json!({}), "latents", &sample), &["input `latents`", "space image", "VAE Encode"]);
}

#[test]
fn something_else_than_a_denoiser_is_refused() {
    let failure = denoise_with(json!({}), "denoiser", &Value::text("a UNet"));
    assert_says(&failure, &["input `denoiser`", "mgie.denoiser/1", "text"]);
}

#[test]
fn guidance_without_null_conditioning_says_what_to_wire() {
    let inputs = [
        ("denoiser", &unet(true)),
        ("conditioning", &conditioning([77, WIDTH], vec![0.1; 77 * WIDTH])),
        ("latents", &image_latents([4, 2, 3], vec![0.0; 24])),
    ];
    let parameters = json!({ "steps": 1, "scheduler": "" });
    let failure = failure("diffusion.denoise", parameters, &inputs);
    assert_says(&failure, &["input `null_conditioning`", "guidance to 1"]);
}

#[test]
fn an_unknown_sampler_or_generator_and_a_scheduler_that_is_not_there_are_named() {
    let sound = conditioning([77, WIDTH], vec![0.1; 77 * WIDTH]);
    let with = |parameters| denoise_with(parameters, "conditioning", &sound);
    assert_says(&with(json!({ "sampler": "heun" })), &["parameter `sampler`", "euler_ancestral", "heun"]);
    assert_says(&with(json!({ "generator": "numpy" })), &["parameter `generator`", "torch-cpu", "numpy"]);
    assert_says(&with(json!({ "steps": 0 })), &["parameter `steps`", "1 to 1000", "found 0"]);
    assert_says(&with(json!({ "scheduler": "/nowhere" })), &["/nowhere", "cannot be read"]);
    let too_late = json!({ "steps": 1000, "sampler": "ddim", "scheduler": model_path("instruct-pix2pix/scheduler") });
    assert_says(&with(too_late), &["parameter `steps`", "steps_offset", "timestep 1000"]);
}

#[test]
fn a_scheduler_for_another_prediction_than_the_denoisers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("scheduler_config.json"), r#"{"prediction_type": "v_prediction"}"#).unwrap();
    let sound = conditioning([77, WIDTH], vec![0.1; 77 * WIDTH]);
    let parameters = json!({ "scheduler": folder.path().display().to_string() });
    let failure = denoise_with(parameters, "conditioning", &sound);
    assert_says(&failure, &["scheduler_config.json", "v_prediction", "epsilon", "prediction_type"]);
}

#[test]
fn a_configuration_that_asks_for_another_model_names_file_key_value_and_what_is_supported() {
    let folder = tempfile::tempdir().unwrap();
    let original = fs::read_to_string(model("instruct-pix2pix/unet/config.json")).unwrap();
    let load = |changes: Json| {
        let mut config: Json = serde_json::from_str(&original).unwrap();
        config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        failure("diffusion.load_unet", json!({ "model": folder.path().display().to_string(), "weights": "" }), &[])
    };
    for (changes, parts) in [
        (json!({ "act_fn": "gelu" }), ["`act_fn`", "\"gelu\"", "silu, swish"]),
        (json!({ "class_embed_type": "timestep" }), ["`class_embed_type`", "\"timestep\"", "supported"]),
        (json!({ "norm_num_groups": 5 }), ["`norm_num_groups`", "5", "divisors"]),
        (json!({ "norm_num_groups": 0 }), ["`norm_num_groups`", "0", "from 1"]),
        (json!({ "attention_head_dim": 7 }), ["`attention_head_dim`", "7", "divides"]),
        (json!({ "block_out_channels": [] }), ["`block_out_channels`", "[]", "supported"]),
        (json!({ "down_block_types": ["DownBlock2D"] }), ["`down_block_types`", "DownBlock2D", "4 names"]),
        (json!({ "mid_block_type": "UNetMidBlock2D" }), ["`mid_block_type`", "UNetMidBlock2D", "CrossAttn"]),
        (json!({ "norm_eps": "small" }), ["`norm_eps`", "small", "numbers"]),
    ] {
        let failure = load(changes);
        assert_says(&failure, &parts);
        assert_says(&failure, &["config.json"]);
    }
    fs::write(folder.path().join("config.json"), "[1, 2").unwrap();
    let parameters = json!({ "model": folder.path().display().to_string(), "weights": "" });
    assert_says(&failure("diffusion.load_unet", parameters, &[]), &["config.json", "is not JSON"]);
}

#[test]
fn weights_that_are_not_a_unets_are_refused_rather_than_ignored() {
    let parameters = json!({
        "model": model_path("instruct-pix2pix/unet"), "weights": model_path("mgie_7b/mllm.pt"),
    });
    assert_says(&failure("diffusion.load_unet", parameters, &[]), &["mllm.pt", "none of the tensors", "unet.pt"]);
}

#[test]
fn a_device_or_dtype_that_cannot_be_had_is_named() {
    let with = |changes: Json| {
        let mut parameters = vae();
        parameters.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let picture = picture([8, 8, 1], &[0.0; 64]);
        failure("diffusion.vae_encode", parameters, &[("image", &picture)])
    };
    assert_says(
        &with(json!({ "device": "cpu", "dtype": "bf16" })),
        &["parameter `dtype`", "on the CPU", "`bf16`", "use f32"],
    );
    assert_says(&with(json!({ "device": "gpu" })), &["parameter `device`", "gpu"]);
    assert_says(&with(json!({ "model": "/nowhere" })), &["/nowhere"]);
}

#[test]
fn the_unet_behind_the_door_refuses_messages_that_do_not_fit() {
    let denoiser = unet(true);
    let ask = denoiser.as_object().unwrap().extension(extension::id::DENOISER).unwrap();
    let zeros = |shape: &[usize]| mgie_plugin_api::Tensor::from_f32(shape, vec![0.0; shape.iter().product()]).unwrap();
    let message = |latents: &[usize], text: &[usize], picture: &[usize], json| {
        Message::json(json)
            .with_tensor("latents", zeros(latents))
            .with_tensor("conditioning", zeros(text))
            .with_tensor("image_latents", zeros(picture))
    };
    let (latents, text, time) = ([2, 4, 3, 5], [2, 7, WIDTH], json!({ "timestep": 3.5 }));
    let sound = ask.call(message(&latents, &text, &latents, time.clone())).unwrap();
    assert_eq!(sound.tensor("output").unwrap().shape(), latents);
    for (message, parts) in [
        (message(&latents, &text, &latents, json!({})), ["`timestep`", "a number"]),
        (message(&[2, 9, 3, 5], &text, &latents, time.clone()), ["`latents`", "[2, 9, 3, 5]"]),
        (message(&[2, 4, 0, 5], &text, &[2, 4, 0, 5], time.clone()), ["`latents`", "[2, 4, 0, 5]"]),
        (message(&latents, &[1, 7, WIDTH], &latents, time.clone()), ["`conditioning`", "[2, tokens, 24]"]),
        (message(&latents, &text, &[2, 4, 3, 4], time.clone()), ["`image_latents`", "[2, 4, 3, 5]"]),
        (Message::json(time.clone()), ["`latents`", "nothing"]),
    ] {
        assert_says(&ask.call(message).unwrap_err(), &parts);
    }
}

#[test]
fn pictures_of_sixteen_bits_and_of_linear_light_are_taken() {
    let ramp: Vec<f32> = (0..64).map(|index| index as f32 / 63.0).collect();
    let of_depth = |depth| Value::image(mgie_plugin_api::Tensor::from_f32([8, 8, 1], ramp.clone()).unwrap(), depth);
    for depth in [16, 32] {
        let outputs = run("diffusion.vae_encode", vae(), &[("image", &of_depth(depth))]).unwrap();
        assert!(values(outputs.get("latents").unwrap()).iter().all(|latent| latent.is_finite()));
    }
}
