//! From a picture to the bytes of a picture file: what each format can hold, and how a picture is brought to it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::openexr::OpenExrEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use thiserror::Error;

use crate::alpha;
use crate::picture::Picture;

/// A file format that pictures are saved in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 8 or 16 bits, without loss; carries the graph.
    Png,
    /// 8 bits, with loss, without alpha.
    Jpeg,
    /// 8 bits, without loss.
    WebP,
    /// 8 or 16 bits, or 32-bit floats, without loss and uncompressed.
    Tiff,
    /// 32-bit floats of linear light, without loss.
    OpenExr,
}

impl Format {
    /// Every extension (lower case, without the dot) and its format.
    pub const BY_EXTENSION: [(&'static str, Format); 7] = [
        ("png", Format::Png),
        ("jpg", Format::Jpeg),
        ("jpeg", Format::Jpeg),
        ("webp", Format::WebP),
        ("tif", Format::Tiff),
        ("tiff", Format::Tiff),
        ("exr", Format::OpenExr),
    ];

    /// The format of files with this extension, in any case.
    pub fn from_extension(extension: &str) -> Option<Format> {
        let extension = extension.to_ascii_lowercase();
        Self::BY_EXTENSION.iter().find(|(known, _)| *known == extension).map(|&(_, format)| format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::OpenExr => "OpenEXR",
        }
    }

    /// The depths that its files can have, in bits a sample; 32 is a float.
    pub fn depths(self) -> &'static [u8] {
        match self {
            Format::Png => &[8, 16],
            Format::Jpeg | Format::WebP => &[8],
            Format::Tiff => &[8, 16, 32],
            Format::OpenExr => &[32],
        }
    }

    /// The longest side that its files can have, in pixels.
    pub fn longest_side(self) -> usize {
        match self {
            Format::Jpeg => 65_535,
            Format::WebP => 16_383,
            _ => 1 << 24,
        }
    }
}

/// Why a picture cannot be saved in a format.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// The depth asked for is none of the format's.
    #[error("{} holds {:?} bits a sample, not {depth}", .format.name(), .format.depths())]
    Depth {
        /// The format.
        format: Format,
        /// The depth asked for.
        depth: u8,
    },
    /// A side is longer than the format allows.
    #[error("{} holds sides of at most {} pixels, this picture has {width}×{height}", .format.name(), .format.longest_side())]
    Side {
        /// The format.
        format: Format,
        /// Width of the picture, in pixels.
        width: usize,
        /// Height of the picture, in pixels.
        height: usize,
    },
    /// What the encoder says.
    #[error("{0}")]
    Encoder(String),
}

/// Encodes a picture. `depth` is one of [`Format::depths`], or nothing for the least that keeps the picture's own.
/// `quality` (1 to 100) is JPEG's. `texts`, by keyword (1 to 79 Latin-1 letters), are put into a PNG as `iTXt` chunks.
///
/// Samples are clamped to 0..1 for 8 and 16 bits and rounded half to even. Linear pictures (bit depth 32) are encoded
/// for display by sRGB's curve for 8 and 16 bits, and pictures encoded for display become linear for 32, so that a
/// picture looks the same in either; pictures of one channel are data and keep their values. JPEG has no alpha: the
/// picture is laid over white. OpenEXR's colours are multiplied by alpha.
///
/// # Errors
/// [`EncodeError`].
pub fn encode(
    picture: Picture,
    format: Format,
    depth: Option<u8>,
    quality: u8,
    texts: &[(&str, &str)],
) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = (picture.width, picture.height);
    let wanted = depth.unwrap_or_else(|| least_depth(format, picture.bit_depth));
    if !format.depths().contains(&wanted) {
        return Err(EncodeError::Depth { format, depth: wanted });
    }
    let side = |side: usize| u32::try_from(side).ok().filter(|_| side <= format.longest_side());
    let (Some(columns), Some(rows)) = (side(width), side(height)) else {
        return Err(EncodeError::Side { format, width, height });
    };
    let picture = if wanted == 32 { picture.into_linear() } else { picture.into_display() };
    let picture = match format {
        Format::Jpeg => over_white(picture),
        Format::OpenExr => with_alpha_multiplied_in(picture.widened(3)),
        Format::Tiff if wanted == 32 => picture.widened(3),
        _ => picture,
    };
    let samples = match wanted {
        8 => picture.samples.iter().map(|&v| (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8).collect(),
        16 => {
            let words = picture.samples.iter().map(|&v| (v.clamp(0.0, 1.0) * 65535.0).round_ties_even() as u16);
            // PNG's words are big-endian; the other encoders take the machine's.
            let bytes = |word: u16| if format == Format::Png { word.to_be_bytes() } else { word.to_ne_bytes() };
            words.flat_map(bytes).collect()
        }
        _ => picture.samples.iter().flat_map(|v| v.to_ne_bytes()).collect::<Vec<u8>>(),
    };
    let color = match (picture.channels, wanted) {
        (1, 8) => ExtendedColorType::L8,
        (1, _) => ExtendedColorType::L16,
        (3, 8) => ExtendedColorType::Rgb8,
        (3, 16) => ExtendedColorType::Rgb16,
        (3, _) => ExtendedColorType::Rgb32F,
        (_, 8) => ExtendedColorType::Rgba8,
        (_, 16) => ExtendedColorType::Rgba16,
        _ => ExtendedColorType::Rgba32F,
    };
    let mut file = Cursor::new(Vec::new());
    let encoded = match format {
        Format::Png => {
            return png(&samples, columns, rows, picture.channels, wanted, texts)
                .map_err(|error| EncodeError::Encoder(error.to_string()));
        }
        Format::Jpeg => JpegEncoder::new_with_quality(&mut file, quality).write_image(&samples, columns, rows, color),
        Format::WebP => WebPEncoder::new_lossless(&mut file).write_image(&samples, columns, rows, color),
        Format::Tiff => TiffEncoder::new(&mut file).write_image(&samples, columns, rows, color),
        Format::OpenExr => OpenExrEncoder::new(&mut file).write_image(&samples, columns, rows, color),
    };
    encoded.map_err(|error| EncodeError::Encoder(error.to_string()))?;
    Ok(file.into_inner())
}

/// The least depth of the format that keeps a picture of `bit_depth`, or the most that it has.
fn least_depth(format: Format, bit_depth: u8) -> u8 {
    let depths = format.depths();
    let enough = depths.iter().find(|&&depth| depth >= bit_depth);
    enough.or(depths.last()).copied().unwrap_or(8)
}

fn png(
    samples: &[u8],
    width: u32,
    height: u32,
    channels: usize,
    depth: u8,
    texts: &[(&str, &str)],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    encoder.set_depth(if depth == 8 { png::BitDepth::Eight } else { png::BitDepth::Sixteen });
    for (keyword, text) in texts {
        encoder.add_itxt_chunk((*keyword).to_owned(), (*text).to_owned())?;
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(file)
}

fn over_white(picture: Picture) -> Picture {
    if picture.channels != 4 {
        return picture;
    }
    let over = |&[red, green, blue, alpha]: &[f32; 4]| {
        let alpha = alpha.clamp(0.0, 1.0);
        [red, green, blue].map(|v| v.clamp(0.0, 1.0) * alpha + (1.0 - alpha))
    };
    let samples = picture.samples.as_chunks::<4>().0.iter().flat_map(over).collect();
    Picture { channels: 3, samples, ..picture }
}

fn with_alpha_multiplied_in(picture: Picture) -> Picture {
    if picture.channels != 4 {
        return picture;
    }
    Picture { samples: alpha::multiplied_f32(&picture.samples), ..picture }
}
