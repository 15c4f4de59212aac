//! Node `inspect.latents_picture`: latents as a picture, a pixel each, without a decoder.

use crate::colour_map::NOT_FINITE;
use crate::numbers::Numbers;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind};

/// How much red, green and blue a unit of each scaled latent channel of Stable Diffusion 1 adds, as it has been fitted to
/// pairs of pictures and latents; ComfyUI's and other previewers use these numbers.
const STABLE_DIFFUSION: [[f64; 3]; 4] =
    [[0.3512, 0.2297, 0.3227], [0.3250, 0.4974, 0.2350], [-0.2829, 0.1762, 0.2721], [-0.2120, -0.2616, -0.7177]];

/// What scales the latents of Stable Diffusion's VAE where the header does not say.
const SCALING: f64 = 0.18215;

/// The node type.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "inspect.latents_picture",
        "Latents as picture",
        "Inspect",
        "Latents as a picture of a pixel each, without a decoder. NaN and infinity are magenta.",
    )
    .input_of("latents", "Latents", &[kind::LATENTS, kind::TENSOR], false, "Latents [4, height, width], scaled or not.")
    .parameter(
        "colours",
        "Colours",
        Domain::Choice {
            default: "stable-diffusion".into(),
            choices: vec!["stable-diffusion".into(), "channels".into()],
        },
        "stable-diffusion mixes the channels by the factors published for Stable Diffusion 1: about the true colours, and \
         the same ones for every picture, so that pictures can be compared. channels shows the first three channels as \
         red, green and blue, each from its smallest to its largest number: for autoencoders that the factors do not fit.",
    )
    .output("image", "Image", kind::IMAGE, "RGB, 8 bit, [height, width].");
    NodeDefinition::new(description, draw)
}

fn draw(run: &Run) -> Result<Outputs, Failure> {
    let value = run.value("latents")?;
    let tensor = run.tensor("latents")?;
    let &[4, height, width] = tensor.shape() else {
        return Err(Failure::input("latents", "latents [4, height, width]", value.to_string()));
    };
    let numbers = Numbers::of(tensor, "latents")?;
    let pixels = height * width;
    let channel = |channel: usize, pixel: usize| numbers.at(channel * pixels + pixel);
    let lights: Vec<[f64; 3]> = if run.string("colours")? == "channels" {
        let ranges: [(f64, f64); 3] = std::array::from_fn(|at| {
            let all = (0..pixels).map(|pixel| channel(at, pixel)).filter(|number| number.is_finite());
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)))
        });
        let light = |at: usize, pixel| {
            let (low, high) = ranges[at];
            // 0 / 0, of a channel that is one number throughout, is the middle; NaN stays NaN.
            let number = channel(at, pixel);
            if high > low || !number.is_finite() { (number - low) / (high - low) } else { 0.5 }
        };
        (0..pixels).map(|pixel| std::array::from_fn(|at| light(at, pixel))).collect()
    } else {
        let scale = if value.header().get("space").and_then(|space| space.as_str()) == Some("image") {
            value.header().get("scaling").and_then(|scaling| scaling.as_f64()).unwrap_or(SCALING)
        } else {
            1.0
        };
        let light = |colour: usize, pixel| {
            let mixed: f64 = (0..4).map(|at| channel(at, pixel) * scale * STABLE_DIFFUSION[at][colour]).sum();
            mixed * 0.5 + 0.5
        };
        (0..pixels).map(|pixel| std::array::from_fn(|colour| light(colour, pixel))).collect()
    };
    run.check_cancelled()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let byte = |light: f64| (light.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let bytes = lights
        .into_iter()
        .flat_map(|lights| if lights.iter().all(|light| light.is_finite()) { lights.map(byte) } else { NOT_FINITE });
    let picture = Tensor::from_f32([height, width, 3], bytes.map(|byte| f32::from(byte) / 255.0).collect())?;
    Ok(Outputs::new().with("image", Value::image(picture, 8)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::test_run::{run, tensor};
    use mgie_plugin_api::serde_json::{self, json};

    /// `x = (((np.arange(24) * 37) % 101 - 50) / 32).reshape(4, 2, 3)`
    fn latents() -> Vec<f32> {
        (0..24i16).map(|i| f32::from(i * 37 % 101 - 50) / 32.0).collect()
    }

    fn bytes(value: Value, parameters: serde_json::Value) -> Vec<u8> {
        let outputs = run(&definition(), parameters, vec![("latents", value)]).unwrap();
        let picture = outputs.get("image").unwrap().as_image().unwrap();
        assert_eq!((picture.height, picture.width, picture.channels, picture.bit_depth), (2, 3, 3, 8));
        picture.pixels().iter().map(|x| (x * 255.0).round() as u8).collect()
    }

    #[test]
    fn published_factors_mix_the_channels_as_in_numpy() {
        // np.rint((np.einsum('chw,ck->hwk', x, F) * 0.5 + 0.5).clip(0, 1) * 255)
        #[rustfmt::skip]
        let expected = [
            22, 5, 0, 48, 99, 12, 255, 228, 208,
            29, 30, 0, 141, 230, 255, 151, 54, 118,
        ];
        assert_eq!(bytes(tensor([4, 2, 3], latents()).unwrap(), json!({})), expected);
        // Not yet scaled, as an encoder gives them.
        let unscaled = Tensor::from_f32([4, 2, 3], latents().iter().map(|x| x / 0.5).collect()).unwrap();
        let header = json!({ "space": "image", "scaling": 0.5 });
        assert_eq!(bytes(Value::tensor(kind::LATENTS, header, unscaled), json!({})), expected);
    }

    #[test]
    fn channels_run_from_their_smallest_to_their_largest_number() {
        // c = x[:3]; lo, hi = c.min((1, 2), keepdims=True), c.max((1, 2), keepdims=True)
        // np.rint(((c - lo) / (hi - lo)).transpose(1, 2, 0) * 255)
        #[rustfmt::skip]
        let expected = [
            0, 48, 93, 112, 151, 221, 225, 255, 0,
            30, 76, 128, 143, 179, 255, 255, 0, 34,
        ];
        assert_eq!(bytes(tensor([4, 2, 3], latents()).unwrap(), json!({ "colours": "channels" })), expected);
        assert_eq!(bytes(tensor([4, 2, 3], vec![2.0; 24]).unwrap(), json!({ "colours": "channels" })), [128; 18]);
    }

    #[test]
    fn latents_with_nan_are_marked_there() {
        let mut numbers = latents();
        numbers[1] = f32::NAN;
        for colours in ["stable-diffusion", "channels"] {
            let bytes = bytes(tensor([4, 2, 3], numbers.clone()).unwrap(), json!({ "colours": colours }));
            assert_eq!(bytes[3..6], NOT_FINITE);
            assert_ne!(bytes[..3], NOT_FINITE);
        }
    }

    #[test]
    fn what_are_no_latents_is_refused() {
        let told = run(&definition(), json!({}), vec![("latents", tensor([3, 2, 4], latents()).unwrap())]).unwrap_err();
        assert_eq!(told, "input `latents`: expected latents [4, height, width], found tensor f32 [3, 2, 4]");
    }
}
