//! `diffusion.vae_decode`: latents to a picture of 8 bits a channel.

use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::serde_json::Value as Json;
use mgie_plugin_api::{self as door, Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::wire::to_candle;
use mgie_weights::{Checkpoint, WeightsError, pool};

use super::LayersTold;
use crate::config::Config;
use crate::room;
use crate::vae::{Decoder, VaeConfig, with_current_names};

static DECODERS: Loaded<Decoder> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    let model = Domain::Model { default: "instruct-pix2pix/vae".into(), optional: false };
    let description = NodeDescription::new(
        "diffusion.vae_decode",
        "VAE Decode",
        "Diffusion",
        "Turns latents into a picture, eight times as wide and high.",
    )
    .input("latents", "Latents", kind::LATENTS, "Latents, denoised or just encoded.")
    .parameter("model", "Model", model, "The VAE's folder: config.json and weights, as diffusers writes it.");
    let description = super::with_device_and_dtype(description)
        .output("image", "Image", kind::IMAGE, "The picture: RGB, 8 bits a channel.")
        .shaped(&[None, None, Some(3)]);
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let value = run.value("latents")?;
    let model = run.path("model")?;
    let (device, dtype) = super::device_and_dtype(run)?;
    let config = VaeConfig::read(&Config::read(model.join("config.json"))?)?;
    let (latents, height, width) = latents_of(value, &config)?;
    let scaling = match value.header().get("space").and_then(Json::as_str) {
        Some("sample") => config.scaling_factor,
        Some("image") => 1.0,
        other => {
            let found = other.map_or_else(|| "none".to_owned(), |space| format!("`{space}`"));
            return Err(Failure::input("latents", "latents whose header says `space` sample or image", found));
        }
    };
    let (width, height) = (width * config.factor(), height * config.factor());
    let need = config.need_to_decode(width * height);
    room::check(&format!("decoding {width}×{height} pixels"), need, &device)?;

    let decoder = DECODERS.get_or_load(Key::of(&[&model], dtype, &device)?, || {
        let overlay = with_current_names(Checkpoint::open(&model)?);
        super::load(run, overlay, dtype, &device, |w| Decoder::new(w, &config))
    })?;
    let told = LayersTold::new(run, "decoding the picture", config.layers_to_decode());
    let decode = || decode(&decoder, latents, scaling, dtype, &device, &told);
    let planes = pool::with_threads(run.threads(), decode).map_err(|error| told.failure(error))?;
    let samples = interleave(&planes).ok_or_else(|| {
        Failure::failed("the decoded picture holds NaN or infinity")
            .remedy("set dtype to f32; if it is, the latents or the VAE's weights are damaged")
    })?;
    let picture = door::Tensor::from_f32([height, width, 3], samples)?;
    Ok(Outputs::new().with("image", Value::image(picture, 8)))
}

/// The latents' tensor, with its height and width.
fn latents_of<'a>(value: &'a Value, config: &VaeConfig) -> Result<(&'a door::Tensor, usize, usize), Failure> {
    let expected = || format!("latents, f32 [{}, h, w]", config.latent_channels);
    let tensor = value.as_tensor().ok_or_else(|| Failure::input("latents", expected(), value.to_string()))?;
    match *tensor.shape() {
        [channels, height, width]
            if channels == config.latent_channels && height > 0 && width > 0 && tensor.dtype() == door::DType::F32 =>
        {
            if tensor.is_finite()? {
                Ok((tensor, height, width))
            } else {
                Err(Failure::input("latents", "numbers", "NaN or infinity"))
            }
        }
        _ => Err(Failure::input("latents", expected(), value.to_string())),
    }
}

/// f32 `[3, height, width]`, about −1 to 1.
fn decode(
    decoder: &Decoder,
    latents: &door::Tensor,
    scaling: f64,
    dtype: DType,
    device: &Device,
    told: &LayersTold,
) -> Result<Vec<f32>, WeightsError> {
    // A quotient, not a product with the inverse: the original divides.
    let scaling = Tensor::new(scaling as f32, device)?;
    let latents = to_candle(latents, device)?.broadcast_div(&scaling)?.unsqueeze(0)?.to_dtype(dtype)?;
    let picture = decoder.decode(&latents, &|| told.next())?;
    Ok(picture.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// Planes in [−1, 1] to rows of pixels, every sample n/255; none where one is not finite.
fn interleave(planes: &[f32]) -> Option<Vec<f32>> {
    let (red, rest) = planes.split_at(planes.len() / 3);
    let (green, blue) = rest.split_at(red.len());
    let sample = |value: f32| {
        let light = (value * 0.5 + 0.5).clamp(0.0, 1.0);
        value.is_finite().then(|| (light * 255.0).round_ties_even() / 255.0)
    };
    red.iter().zip(green).zip(blue).flat_map(|((red, green), blue)| [*red, *green, *blue]).map(sample).collect()
}
