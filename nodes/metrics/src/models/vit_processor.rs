//! What happens to a picture before a vision transformer sees it: transformers' `ViTImageProcessor`, which squeezes it to
//! the model's square (CLIP's cuts the middle out).

use candle_core::{Device, Tensor};
use mgie_image::resample::{Filter, Resize};
use mgie_weights::WeightsError;
use mgie_weights::small_file::{self, CONFIG_LIMIT};
use serde::Deserialize;
use std::path::Path;

use crate::pixels::Rgb;

/// `preprocessor_config.json`, in the forms of 2021 (`size` a number) and of today.
#[derive(Debug, Default, Deserialize)]
struct Written {
    do_resize: Option<bool>,
    size: Option<Size>,
    resample: Option<u32>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Side(usize),
    Sides { height: usize, width: usize },
}

/// What happens to a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct VitProcessor {
    side: usize,
    filter: Filter,
    mean: [f32; 3],
    std: [f32; 3],
}

impl VitProcessor {
    /// Reads `preprocessor_config.json` of a folder for a model that takes pictures of `side` × `side`; without one,
    /// `ViTImageProcessor`'s defaults.
    ///
    /// # Errors
    /// The file cannot be read, is no such JSON, makes pictures of another size, or names a filter that there is not.
    pub fn read(folder: &Path, side: usize) -> Result<Self, WeightsError> {
        let path = folder.join("preprocessor_config.json");
        let written = if path.exists() {
            let json = small_file::text(&path, CONFIG_LIMIT)?;
            serde_json::from_str(&json).map_err(|error| WeightsError::malformed(&path, error))?
        } else {
            Written::default()
        };
        Self::of(&written, side).map_err(|problem| {
            WeightsError::malformed(&path, problem)
                .with_remedy("copy config.json and preprocessor_config.json from the same model")
        })
    }

    fn of(written: &Written, side: usize) -> Result<Self, String> {
        let (height, width) = match written.size {
            None => (side, side),
            Some(Size::Side(side)) => (side, side),
            Some(Size::Sides { height, width }) => (height, width),
        };
        if (height, width) != (side, side) || written.do_resize == Some(false) {
            return Err(format!("`size` makes {width}×{height} of a picture; the model takes {side}×{side}"));
        }
        // The numbers are Pillow's.
        let filter = match written.resample.unwrap_or(2) {
            0 => Filter::Nearest,
            1 => Filter::Lanczos,
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            other => return Err(format!("`resample` is {other}, expected 0 to 3")),
        };
        let (mean, std) = if written.do_normalize == Some(false) {
            ([0.0; 3], [1.0; 3])
        } else {
            (written.image_mean.unwrap_or([0.5; 3]), written.image_std.unwrap_or([0.5; 3]))
        };
        Ok(Self { side, filter, mean, std })
    }

    /// A picture as the model sees it, [3, side, side].
    ///
    /// # Errors
    /// A picture that cannot be resized, a failing device.
    pub fn process(&self, picture: &Rgb, device: &Device) -> Result<Tensor, WeightsError> {
        let resize = Resize::new(self.side, self.side, self.filter);
        let bytes = resize.u8(&picture.bytes(), picture.width, picture.height, 3);
        let bytes = bytes.map_err(|error| WeightsError::Compute(error.to_string()))?;
        let channel = |channel: usize| {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            bytes.iter().skip(channel).step_by(3).map(move |v| (f32::from(*v) / 255.0 - mean) / std)
        };
        let values: Vec<f32> = (0..3).flat_map(channel).collect();
        Ok(Tensor::from_vec(values, (3, self.side, self.side), device)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<VitProcessor, String> {
        VitProcessor::of(&serde_json::from_str(json).unwrap(), 224)
    }

    #[test]
    fn a_file_of_2021_and_one_of_today_mean_the_same() {
        let today = of(r#"{"size": {"height": 224, "width": 224}, "resample": 2}"#).unwrap();
        assert_eq!(of(r#"{"size": 224}"#).unwrap(), today);
        assert_eq!(of("{}").unwrap(), today);
    }

    #[test]
    fn another_size_than_the_models_and_unknown_filters_are_refused() {
        assert!(of(r#"{"size": 256}"#).unwrap_err().contains("256×256"));
        of(r#"{"do_resize": false}"#).unwrap_err();
        assert!(of(r#"{"resample": 9}"#).unwrap_err().contains("`resample`"));
    }
}
