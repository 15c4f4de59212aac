//! What happens to a picture before CLIP sees it: transformers' `CLIPImageProcessor`, number for number. The picture is
//! RGB of 8 bits; its short side is resized (Pillow's bicubic), the middle cut out, and the values scaled and normalised.

use mgie_image::resample::{Filter, ResampleError, Resize, Window};
use mgie_image::transfer;
use mgie_plugin_api::Image;
use mgie_weights::WeightsError;
use mgie_weights::small_file::{self, CONFIG_LIMIT};
use serde::Deserialize;
use std::path::Path;

/// The longest side that is believed of a `preprocessor_config.json`.
const LONGEST: usize = 8192;

/// `preprocessor_config.json` as it is written; what is absent or null has the default of `CLIPImageProcessor`.
#[derive(Debug, Default, Deserialize)]
struct Written {
    do_resize: Option<bool>,
    size: Option<WrittenSize>,
    resample: Option<u8>,
    do_center_crop: Option<bool>,
    crop_size: Option<WrittenSize>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
}

/// A size: a number in files of 2022, an object since.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum WrittenSize {
    Number(usize),
    ShortestEdge { shortest_edge: usize },
    Sides { height: usize, width: usize },
}

/// What a picture is resized to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The short side becomes this long, the other in proportion.
    ShortSide(usize),
    Sides {
        height: usize,
        width: usize,
    },
}

/// What happens to a picture before CLIP sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Processor {
    resize: Option<(Target, Filter)>,
    /// Height and width of the middle that is cut out; where the picture is smaller, it is padded with black.
    crop: Option<(usize, usize)>,
    rescale: Option<f64>,
    /// Mean and standard deviation of each channel.
    normalize: Option<([f32; 3], [f32; 3])>,
}

/// A picture as CLIP sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelValues {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// [3, height, width]
    pub values: Vec<f32>,
}

impl Processor {
    /// Reads `preprocessor_config.json` of a folder; without one, the defaults of `CLIPImageProcessor` for a model that
    /// takes pictures of `image_size`.
    ///
    /// # Errors
    /// The file cannot be read, is no such JSON, or asks for sides or a filter that there are not.
    pub fn read(folder: &Path, image_size: usize) -> Result<Self, WeightsError> {
        let path = folder.join("preprocessor_config.json");
        if !path.exists() {
            return Self::from_written(&path, &Written::default(), image_size);
        }
        let json = small_file::text(&path, CONFIG_LIMIT)?;
        let written = serde_json::from_str(&json).map_err(|error| WeightsError::malformed(&path, error))?;
        Self::from_written(&path, &written, image_size)
    }

    fn from_written(path: &Path, written: &Written, image_size: usize) -> Result<Self, WeightsError> {
        let side = |key: &str, side: usize| {
            if (1..=LONGEST).contains(&side) {
                return Ok(side);
            }
            Err(WeightsError::malformed(path, format!("`{key}` has a side of {side}, expected 1 to {LONGEST}")))
        };
        let target = match written.size {
            None => Target::ShortSide(image_size),
            Some(WrittenSize::Number(short) | WrittenSize::ShortestEdge { shortest_edge: short }) => {
                Target::ShortSide(side("size", short)?)
            }
            Some(WrittenSize::Sides { height, width }) => {
                Target::Sides { height: side("size", height)?, width: side("size", width)? }
            }
        };
        let crop = match written.crop_size {
            None => (image_size, image_size),
            Some(WrittenSize::Number(n) | WrittenSize::ShortestEdge { shortest_edge: n }) => {
                (side("crop_size", n)?, side("crop_size", n)?)
            }
            Some(WrittenSize::Sides { height, width }) => (side("crop_size", height)?, side("crop_size", width)?),
        };
        // The numbers are Pillow's.
        let filter = match written.resample.unwrap_or(3) {
            0 => Filter::Nearest,
            1 => Filter::Lanczos,
            2 => Filter::Bilinear,
            3 => Filter::Bicubic,
            4 => Filter::Box,
            5 => Filter::Hamming,
            other => return Err(WeightsError::malformed(path, format!("`resample` is {other}, expected 0 to 5"))),
        };
        let mean = written.image_mean.unwrap_or([0.481_454_66, 0.457_827_5, 0.408_210_73]);
        let std = written.image_std.unwrap_or([0.268_629_54, 0.261_302_6, 0.275_777_1]);
        let on = |flag: Option<bool>| flag.unwrap_or(true);
        Ok(Self {
            resize: on(written.do_resize).then_some((target, filter)),
            crop: on(written.do_center_crop).then_some(crop),
            rescale: on(written.do_rescale).then_some(written.rescale_factor.unwrap_or(1.0 / 255.0)),
            normalize: on(written.do_normalize).then_some((mean, std)),
        })
    }

    /// Height and width of what comes out for a picture of these sides.
    pub fn result_size(&self, height: usize, width: usize) -> (usize, usize) {
        self.crop.unwrap_or_else(|| self.resized_size(height, width))
    }

    fn resized_size(&self, height: usize, width: usize) -> (usize, usize) {
        // Python's `int(size * long / short)`: a product of integers, a quotient of doubles, cut off.
        let long = |short: usize, from_long: usize, from_short: usize| {
            ((short as f64 * from_long as f64) / from_short.max(1) as f64) as usize
        };
        match self.resize {
            None => (height, width),
            Some((Target::Sides { height, width }, _)) => (height, width),
            Some((Target::ShortSide(short), _)) if width <= height => (long(short, height, width), short),
            Some((Target::ShortSide(short), _)) => (short, long(short, width, height)),
        }
    }

    /// An RGB picture of 8 bits, [height, width, 3], as CLIP sees it. Only the middle that is kept is ever resized, so
    /// that a very long picture costs no more than another.
    ///
    /// # Errors
    /// As [`Resize::u8`].
    pub fn process(&self, rgb: &[u8], height: usize, width: usize) -> Result<PixelValues, ResampleError> {
        let (resized_height, resized_width) = self.resized_size(height, width);
        let (out_height, out_width) = self.result_size(height, width);
        let down = Span::middle(resized_height, out_height);
        let across = Span::middle(resized_width, out_width);
        let filter = self.resize.map_or(Filter::Nearest, |(_, filter)| filter);
        let window = Window { left: across.skip, top: down.skip, width: across.keep, height: down.keep };
        let resize = Resize::new(resized_width, resized_height, filter).window(window);
        let kept = resize.u8(rgb, width, height, 3)?;

        let plane = out_height * out_width;
        let mut values = vec![0_f32; 3 * plane];
        for channel in 0..3 {
            let table: Vec<f32> = (0..=u8::MAX).map(|value| self.value(value, channel)).collect();
            let looked_up = |value: u8| table.get(usize::from(value)).copied().unwrap_or_default();
            let padding = looked_up(0);
            let rows = values.chunks_exact_mut(out_width).skip(channel * out_height).take(out_height);
            for (y, row) in rows.enumerate() {
                row.fill(padding);
                let Some(y) = y.checked_sub(down.pad).filter(|y| *y < down.keep) else { continue };
                let from = kept.chunks_exact(3).skip(y * across.keep).take(across.keep);
                for (value, pixel) in row.iter_mut().skip(across.pad).zip(from) {
                    *value = looked_up(pixel.get(channel).copied().unwrap_or_default());
                }
            }
        }
        Ok(PixelValues { height: out_height, width: out_width, values })
    }

    /// One value: scaled in doubles, normalised in floats, as numpy does it there.
    fn value(&self, value: u8, channel: usize) -> f32 {
        let scaled = self.rescale.map_or(f32::from(value), |factor| (f64::from(value) * factor) as f32);
        match self.normalize {
            Some((mean, std)) => (scaled - mean[channel]) / std[channel],
            None => scaled,
        }
    }
}

/// What is kept of one side, and where it comes to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    skip: usize,
    keep: usize,
    pad: usize,
}

impl Span {
    /// The middle `to` of `from`; where that is more, all of it, in the middle. An odd pixel is left over at the end
    /// where it is cut off, and added at the beginning where it is padded: `center_crop` of transformers.
    fn middle(from: usize, to: usize) -> Self {
        Self { skip: from.saturating_sub(to) / 2, keep: from.min(to), pad: to.saturating_sub(from).div_ceil(2) }
    }
}

/// A picture from a wire as RGB of 8 bits: grey is repeated and alpha dropped, as Pillow's `convert("RGB")` does; colours
/// in linear light are encoded for display first, which is what CLIP was trained on.
pub fn rgb8(image: &Image) -> Vec<u8> {
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let colour = |value: f32| byte(if image.bit_depth == 32 { transfer::to_display(value) } else { value });
    let pixels = image.pixels().chunks_exact(image.channels);
    pixels
        .flat_map(|pixel| match *pixel {
            [red, green, blue, ..] => [red, green, blue].map(colour),
            [grey, ..] => [byte(grey); 3],
            [] => [0; 3],
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{Tensor, Value};

    fn processor(json: &str) -> Result<Processor, WeightsError> {
        Processor::from_written(Path::new("x/preprocessor_config.json"), &serde_json::from_str(json).unwrap(), 224)
    }

    #[test]
    fn a_file_of_2022_and_one_of_today_mean_the_same() {
        let defaults = processor("{}").unwrap();
        assert_eq!(processor(r#"{"size": 224, "crop_size": 224, "resample": 3}"#).unwrap(), defaults);
        let today =
            r#"{"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}, "do_resize": true}"#;
        assert_eq!(processor(today).unwrap(), defaults);
    }

    #[test]
    fn sides_and_filters_that_there_are_not_are_refused_by_the_name_of_their_key() {
        for json in [r#"{"size": 0}"#, r#"{"crop_size": {"height": 99999999, "width": 1}}"#, r#"{"resample": 9}"#] {
            let error = processor(json).unwrap_err().to_string();
            let key = if json.contains("crop_size") { "`crop_size`" } else { &json.replace('"', "`")[1..7] };
            assert!(error.contains("x/preprocessor_config.json") && error.contains(key), "{error}");
        }
    }

    /// The sizes were computed by `get_resize_output_image_size` of transformers.
    #[test]
    fn the_long_side_is_cut_off_to_whole_pixels() {
        let processor = processor("{}").unwrap();
        for (from, to) in [
            ((203, 300), (224, 331)),
            ((133, 61), (488, 224)),
            ((4000, 1), (896_000, 224)),
            ((7, 7), (224, 224)),
            ((683, 1024), (224, 335)),
        ] {
            assert_eq!(processor.resized_size(from.0, from.1), to, "of {from:?}");
        }
    }

    #[test]
    fn the_middle_of_an_odd_remainder_leaves_the_pixel_over_at_the_end() {
        assert_eq!(Span::middle(331, 224), Span { skip: 53, keep: 224, pad: 0 });
        assert_eq!(Span::middle(5, 8), Span { skip: 0, keep: 5, pad: 2 });
    }

    #[test]
    fn a_picture_smaller_than_the_crop_is_padded_with_black_before_it_is_normalised() {
        let processor = processor(r#"{"do_resize": false, "crop_size": 3, "image_mean": [0.5, 0.0, 0.0]}"#).unwrap();
        let out = processor.process(&[255, 255, 255], 1, 1).unwrap();
        let black = processor.value(0, 0);
        let white = processor.value(255, 0);
        assert_eq!(out.values[..9], [black, black, black, black, white, black, black, black, black]);
    }

    #[test]
    fn a_very_long_picture_is_processed_without_resizing_all_of_it() {
        let out = processor("{}").unwrap().process(&vec![128; 3 * 40_000], 40_000, 1).unwrap();
        assert_eq!((out.height, out.width, out.values.len()), (224, 224, 3 * 224 * 224));
    }

    #[test]
    fn grey_is_repeated_alpha_is_dropped_and_linear_light_is_encoded() {
        let rgb = |channels: usize, depth: u8, samples: Vec<f32>| {
            let tensor = Tensor::from_f32([1, 1, channels], samples).unwrap();
            rgb8(&Value::image(tensor, depth).as_image().unwrap())
        };
        assert_eq!(rgb(1, 8, vec![51.0 / 255.0]), [51, 51, 51]);
        assert_eq!(rgb(1, 32, vec![51.0 / 255.0]), [51, 51, 51], "one channel is data");
        assert_eq!(rgb(4, 8, vec![0.0, 51.0 / 255.0, 1.0, 0.0]), [0, 51, 255]);
        assert_eq!(rgb(3, 32, vec![0.214_041_14, 7.0, -1.0]), [128, 255, 0]);
    }
}
