//! Both sides of the ability `mgie.denoiser/1`: [`Denoiser`] asks whatever object is wired in, [`answer`] is this
//! plugin's UNet behind it. The wire carries f32 in main memory; a denoiser's own dtype and device are its own affair,
//! except that its dtype decides what noise is drawn in.

use candle_core::{DType, Device, Tensor};
use mgie_plugin_api::serde_json::{Value as Json, json};
use mgie_plugin_api::{self as door, Extension, Failure, Message, Value, extension, kind};
use mgie_weights::wire::{from_candle, to_candle_as};
use mgie_weights::{WeightsError, device, pool};

use crate::noise::Precision;
use crate::room::{self, Need};
use crate::schedule::Prediction;
use crate::unet::{Unet, UnetConfig};

/// What a denoiser takes and gives: the header of an `sd.denoiser`.
///
/// `in_channels`, `out_channels`, `cross_attention_dim` and `prediction_type` are required; `dtype` (`f32` where it is
/// missing) is what it computes in, `device` where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expects {
    /// Channels of latents and image latents together.
    pub in_channels: usize,
    /// Channels of the output, and of the latents.
    pub out_channels: usize,
    /// Width of the conditioning.
    pub cross_attention_dim: usize,
    /// What the output means.
    pub prediction: Prediction,
    /// What noise for it is drawn in.
    pub precision: Precision,
    /// Where it computes, for reports; may be empty.
    pub device: String,
}

impl Expects {
    /// The header that says so.
    pub fn header(&self) -> Json {
        json!({
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "cross_attention_dim": self.cross_attention_dim,
            "prediction_type": self.prediction.name(),
            "dtype": self.precision.name(),
            "device": self.device,
        })
    }

    fn read(header: &Json) -> Result<Self, String> {
        let whole = |key: &str| {
            let number = header.get(key).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok());
            number.filter(|number| *number > 0).ok_or_else(|| format!("a header without `{key}`"))
        };
        let word = |key: &str, default: &'static str| match header.get(key) {
            None | Some(Json::Null) => Ok(default.to_owned()),
            Some(Json::String(word)) => Ok(word.clone()),
            Some(other) => Err(format!("a header with `{key}` {other}")),
        };
        let prediction = word("prediction_type", "")?;
        let dtype = word("dtype", "f32")?;
        Ok(Self {
            in_channels: whole("in_channels")?,
            out_channels: whole("out_channels")?,
            cross_attention_dim: whole("cross_attention_dim")?,
            prediction: Prediction::named(&prediction)
                .ok_or_else(|| format!("a header with `prediction_type` \"{prediction}\""))?,
            precision: Precision::named(&dtype).ok_or_else(|| format!("a header with `dtype` \"{dtype}\""))?,
            device: word("device", "")?,
        })
    }
}

/// A denoiser taken from a wire.
#[derive(Debug, Clone)]
pub struct Denoiser {
    call: Extension,
    expects: Expects,
}

impl Denoiser {
    /// The denoiser in `value`, which came in by `socket`.
    ///
    /// # Errors
    /// A failure that names the socket where the value is no denoiser, or its header leaves something open.
    pub fn from_value(socket: &str, value: &Value) -> Result<Self, Failure> {
        let wrong = |found: String| {
            let expected = format!(
                "an `{}` with the ability {} and a header that says in_channels, out_channels, cross_attention_dim and \
                 prediction_type (epsilon or v_prediction)",
                kind::DENOISER,
                extension::id::DENOISER
            );
            Failure::input(socket, expected, found)
        };
        let object = value.as_object().ok_or_else(|| wrong(value.to_string()))?;
        let call =
            object.extension(extension::id::DENOISER).ok_or_else(|| wrong(format!("{value} without that ability")))?;
        let expects = Expects::read(value.header()).map_err(wrong)?;
        Ok(Self { call, expects })
    }

    /// What it takes and gives.
    pub fn expects(&self) -> &Expects {
        &self.expects
    }

    /// Asks it: `latents` f32 `[batch, out_channels, h, w]`, scaled by the sampler; `conditioning` f32 `[batch, tokens,
    /// cross_attention_dim]`; `image_latents` f32 `[batch, in_channels − out_channels, h, w]`. The answer has the shape
    /// of `latents`. It may keep `threads` threads busy.
    ///
    /// # Errors
    /// Whatever the denoiser says, and an answer of another shape or type.
    pub fn predict(
        &self,
        latents: &door::Tensor,
        timestep: f32,
        conditioning: &door::Tensor,
        image_latents: &door::Tensor,
        threads: usize,
    ) -> Result<Vec<f32>, Failure> {
        let message = Message::json(json!({ "timestep": f64::from(timestep), "threads": threads }))
            .with_tensor("latents", latents.clone())
            .with_tensor("conditioning", conditioning.clone())
            .with_tensor("image_latents", image_latents.clone());
        let answer = self.call.call(message)?;
        let output = answer.tensor("output")?;
        if output.shape() != latents.shape() || output.dtype() != door::DType::F32 {
            let expected = format!("an answer `output` of f32 {:?}", latents.shape());
            return Err(Failure::input("denoiser", expected, format!("{output:?}")));
        }
        Ok(output.f32()?.to_vec())
    }
}

/// What this plugin's UNet says of itself.
pub fn expectations(config: &UnetConfig, prediction: Prediction, dtype: DType, at: &Device) -> Expects {
    Expects {
        in_channels: config.in_channels,
        out_channels: config.out_channels,
        cross_attention_dim: config.cross_attention_dim,
        prediction,
        precision: match dtype {
            DType::F16 => Precision::F16,
            DType::BF16 => Precision::Bf16,
            _ => Precision::F32,
        },
        device: device::name(at),
    }
}

/// This plugin's UNet answers a message of `mgie.denoiser/1`. Beside what the ability asks for, the message may say how
/// many `threads` to keep busy (all cores where it does not).
///
/// # Errors
/// A failure that names the value that does not fit.
pub fn answer(unet: &Unet, at: &Device, message: &Message) -> Result<Message, Failure> {
    let config = unet.config();
    let timestep = message.json.get("timestep").and_then(Json::as_f64).filter(|timestep| timestep.is_finite());
    let timestep = timestep.ok_or_else(|| {
        Failure::input("timestep", "a number", message.json.get("timestep").unwrap_or(&Json::Null).to_string())
    })?;
    let threads = message.json.get("threads").and_then(Json::as_u64).unwrap_or(0) as usize;

    let latents = message.tensor("latents")?;
    let &[batch, channels, height, width] = latents.shape() else {
        return Err(unfit("latents", "[batch, channels, h, w]", latents));
    };
    let image_latents = message.tensor("image_latents")?;
    let image_channels = config.in_channels.saturating_sub(channels);
    if batch * channels * height * width == 0 || image_channels == 0 {
        return Err(unfit("latents", &format!("[batch, {}, h, w]", config.out_channels), latents));
    }
    if image_latents.shape() != [batch, image_channels, height, width] {
        let expected = format!("[{batch}, {image_channels}, {height}, {width}]");
        return Err(unfit("image_latents", &expected, image_latents));
    }
    let conditioning = message.tensor("conditioning")?;
    match conditioning.shape() {
        &[rows, tokens, depth] if rows == batch && tokens > 0 && depth == config.cross_attention_dim => {}
        _ => {
            let expected = format!("[{batch}, tokens, {}]", config.cross_attention_dim);
            return Err(unfit("conditioning", &expected, conditioning));
        }
    }
    room::check("a denoising step", need(config, unet.dtype(), batch, height, width), at)?;

    let tensor = |tensor| to_candle_as(tensor, unet.dtype(), at);
    let output = pool::with_threads(threads, || -> Result<Tensor, WeightsError> {
        let x = Tensor::cat(&[tensor(latents)?, tensor(image_latents)?], 1)?;
        Ok(unet.forward(&x, &[timestep], &tensor(conditioning)?)?)
    })?;
    Ok(Message::json(json!({})).with_tensor("output", from_candle(&output)?))
}

fn unfit(name: &str, expected: &str, found: &door::Tensor) -> Failure {
    Failure::input(name, format!("f32 {expected}"), format!("{found:?}"))
}

/// Tensors of the largest size that are alive at the same time, beside the feature maps that wait for the way up and
/// those that each thread works on. Measured: 4 to 5.
const TENSORS_ALIVE: usize = 6;

/// The widest tensor is the inner layer of the feed-forward at full size.
fn need(config: &UnetConfig, dtype: DType, batch: usize, height: usize, width: usize) -> Need {
    let channels = config.levels.first().map_or(1, |level| level.channels);
    let pixels = batch.saturating_mul(height).saturating_mul(width);
    let largest_tensor = pixels.saturating_mul(8 * channels);
    Need { largest_tensor, bytes: largest_tensor.saturating_mul(TENSORS_ALIVE * dtype.size_in_bytes()) }
}
