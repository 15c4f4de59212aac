//! The VAE beside `AutoencoderKL` and `VaeImageProcessor`, through its two nodes.

use mgie_image::decode::decode;
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Value, kind};

use super::goldens::{Goldens, assert_close, repository};
use super::node::{image_latents, model_path, output, picture, tensor, values};

/// The picture of that name that the goldens were recorded on.
pub fn recorded_picture(name: &str) -> Value {
    if name == "landscape" {
        let file = std::fs::read(repository("graphs/photos/landscape.png")).unwrap();
        return decode(&file).unwrap().into_value().unwrap();
    }
    let goldens = Goldens::open("vae");
    picture(goldens.shape("tall.picture"), &goldens.values("tall.picture"))
}

/// Latents of a picture, by the miniature's VAE.
pub fn encode(picture: &Value) -> Value {
    let parameters = json!({ "model": model_path("instruct-pix2pix/vae") });
    output("diffusion.vae_encode", parameters, &[("image", picture)], "latents")
}

/// The picture of latents, by the miniature's VAE.
pub fn decoded(latents: &Value) -> Value {
    let parameters = json!({ "model": model_path("instruct-pix2pix/vae") });
    output("diffusion.vae_decode", parameters, &[("latents", latents)], "image")
}

/// Panics unless no sample is further than `most` 255ths from the recorded one, and few are off at all.
pub fn assert_same_picture(what: &str, found: &Value, expected: &[f32], most: f32) {
    let found = values(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    let off = |(a, b): (&f32, &f32)| (a * 255.0 - b).abs();
    let worst = found.iter().zip(expected).map(off).fold(0.0, f32::max);
    assert!(worst <= most + 1e-3, "{what}: {worst} of 255 off, at most {most} expected");
}

#[test]
fn pictures_with_odd_sides_are_encoded_to_the_references_latents() {
    let goldens = Goldens::open("vae");
    for name in ["landscape", "tall"] {
        let latents = encode(&recorded_picture(name));
        assert_eq!(latents.as_tensor().unwrap().shape(), goldens.shape(&format!("{name}.latents")));
        assert_eq!(latents.header().get("space").unwrap(), "image");
        assert_close(name, values(&latents), &goldens.values(&format!("{name}.latents")), 5e-5);
    }
}

#[test]
fn latents_are_decoded_to_the_references_picture_whichever_space_they_are_in() {
    let goldens = Goldens::open("vae");
    let (shape, given) = (goldens.shape("given.latents"), goldens.values("given.latents"));
    let expected = goldens.values("given.image");
    let found = decoded(&image_latents(shape.clone(), given.clone()));
    assert_eq!(found.as_image().unwrap().bit_depth, 8);
    assert_same_picture("image space", &found, &expected, 1.0);

    let scaled = given.iter().map(|latent| latent * 0.18215).collect();
    let sample = tensor(kind::LATENTS, json!({ "space": "sample", "scaling": 0.18215 }), shape, scaled);
    assert_same_picture("sample space", &decoded(&sample), &expected, 1.0);

    for name in ["landscape", "tall"] {
        let latents =
            image_latents(goldens.shape(&format!("{name}.latents")), goldens.values(&format!("{name}.latents")));
        assert_same_picture(name, &decoded(&latents), &goldens.values(&format!("{name}.decoded_image")), 1.0);
    }
}

#[test]
fn alpha_is_ignored_and_grey_is_three_equal_channels() {
    let bytes: Vec<f32> = (0..16 * 8).map(|index| (index * 37 % 256) as f32).collect();
    let widen = |channels: &dyn Fn(f32) -> Vec<f32>| bytes.iter().flat_map(|byte| channels(*byte)).collect::<Vec<_>>();
    let rgb = encode(&picture([16, 8, 3], &widen(&|byte| vec![byte; 3])));
    let rgba = encode(&picture([16, 8, 4], &widen(&|byte| vec![byte, byte, byte, 255.0 - byte])));
    let grey = encode(&picture([16, 8, 1], &bytes));
    assert_eq!(values(&rgb), values(&rgba));
    assert_eq!(values(&rgb), values(&grey));
}
