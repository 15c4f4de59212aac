//! `diffusion.vae_encode`: a picture to the latents that the denoiser is shown beside the noise.

use candle_core::{DType, Device, Tensor};
use mgie_image::picture::Picture;
use mgie_image::resample::{Filter, Resize};
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::wire::from_candle;
use mgie_weights::{Checkpoint, WeightsError, pool};

use super::LayersTold;
use crate::config::Config;
use crate::room;
use crate::vae::{Encoder, VaeConfig, with_current_names};

static ENCODERS: Loaded<Encoder> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    let model = Domain::Model { default: "instruct-pix2pix/vae".into(), optional: false };
    let description = NodeDescription::new(
        "diffusion.vae_encode",
        "VAE Encode",
        "Diffusion",
        "Turns a picture into latents. Sides that are not multiples of 8 are first resized down to the next; alpha is \
         ignored.",
    )
    .input("image", "Image", kind::IMAGE, "The picture to edit, at least 8 × 8 pixels.")
    .parameter("model", "Model", model, "The VAE's folder: config.json and weights, as diffusers writes it.");
    let description = super::with_device_and_dtype(description)
        .output("latents", "Latents", kind::LATENTS, "The most likely latents of the picture, not scaled.")
        .shaped(&[None, None, None]);
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let picture = Picture::from_wire(&run.image("image")?);
    let model = run.path("model")?;
    let (device, dtype) = super::device_and_dtype(run)?;
    // Before any weights are loaded: a picture that cannot be encoded should not cost that.
    let config = VaeConfig::read(&Config::read(model.join("config.json"))?)?;
    let pixels = prepare(picture, config.factor())?;
    let need = config.need_to_encode(pixels.width * pixels.height);
    room::check(&format!("encoding {}×{} pixels", pixels.width, pixels.height), need, &device)?;

    let encoder = ENCODERS.get_or_load(Key::of(&[&model], dtype, &device)?, || {
        let overlay = with_current_names(Checkpoint::open(&model)?);
        super::load(run, overlay, dtype, &device, |w| Encoder::new(w, &config))
    })?;
    let told = LayersTold::new(run, "encoding the picture", config.layers_to_encode());
    let encode = || encode(&encoder, &pixels, dtype, &device, &told);
    let latents = pool::with_threads(run.threads(), encode).map_err(|error| told.failure(error))?;
    if !latents.is_finite()? {
        return Err(Failure::failed("the latents of the picture hold NaN or infinity")
            .remedy("set dtype to f32; if it is, the VAE's weights are damaged"));
    }
    let header = json!({ "space": "image", "scaling": config.scaling_factor });
    Ok(Outputs::new().with("latents", Value::tensor(kind::LATENTS, header, latents)))
}

/// A picture as the encoder takes it.
struct Pixels {
    width: usize,
    height: usize,
    /// f32 `[3, height, width]` in [−1, 1]
    planes: Vec<f32>,
}

/// Three channels of 8 bits, as the original's pictures are, resized down to multiples of `factor`.
fn prepare(picture: Picture, factor: usize) -> Result<Pixels, Failure> {
    if let Some(nan) = picture.first_nan() {
        return Err(Failure::input("image", "a picture of numbers", nan));
    }
    let (width, height) = (picture.width / factor * factor, picture.height / factor * factor);
    if width == 0 || height == 0 {
        let expected = format!("a picture of at least {factor}×{factor} pixels");
        return Err(Failure::input("image", expected, format!("{}×{}", picture.width, picture.height))
            .remedy("enlarge it with an `image.resize` in front"));
    }
    let picture = picture.into_display();
    let colours: Vec<u8> = picture
        .samples
        .chunks_exact(picture.channels)
        .flat_map(|pixel| match *pixel {
            [red, green, blue, ..] => [red, green, blue],
            [grey, ..] => [grey; 3],
            [] => [0.0; 3],
        })
        .map(|sample| (sample * 255.0).round_ties_even() as u8)
        .collect();
    let resized = Resize::new(width, height, Filter::Lanczos)
        .u8(&colours, picture.width, picture.height, 3)
        .map_err(|error| Failure::input("image", "a picture that can be resized", error.to_string()))?;
    let plane = |channel| resized.iter().skip(channel).step_by(3).map(|byte| f32::from(*byte) / 255.0 * 2.0 - 1.0);
    Ok(Pixels { width, height, planes: (0..3).flat_map(plane).collect() })
}

fn encode(
    encoder: &Encoder,
    pixels: &Pixels,
    dtype: DType,
    device: &Device,
    told: &LayersTold,
) -> Result<mgie_plugin_api::Tensor, WeightsError> {
    let shape = (1, 3, pixels.height, pixels.width);
    let picture = Tensor::from_slice(&pixels.planes, shape, device)?.to_dtype(dtype)?;
    from_candle(&encoder.mode(&picture, &|| told.next())?.squeeze(0)?)
}
