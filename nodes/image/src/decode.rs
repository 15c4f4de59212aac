//! From the bytes of a picture file to a picture. The content decides what sort of file it is, not the name; the size is
//! checked from the header before anything is decoded; a file that is cut off or broken gives an error, never a half
//! picture.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::alpha;
use crate::jpeg_end;
use crate::picture::{Picture, check_size};

/// The most bytes that a picture file may have, 2 GiB: a picture at the limit of size takes no more uncompressed.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// The most bytes that a file's header may unfold to, 64 MiB: colour profiles have a few MB.
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// The extensions of the files that can be read.
pub const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "exr"];

/// Why a file is no picture that can be used, in words, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPicture {
    /// What is wrong with the file.
    pub message: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl NoPicture {
    fn new(message: impl Into<String>, remedy: &'static str) -> Self {
        Self { message: message.into(), remedy }
    }
}

/// Decodes a PNG, JPEG, WebP, TIFF or OpenEXR file and turns it upright as its EXIF orientation says. Grey files give
/// three equal channels, since models expect RGB; files with alpha give four, OpenEXR's multiplied alpha divided out.
/// Palettes become RGB or RGBA, CMYK becomes RGB without a colour profile. The first picture is taken of a file that
/// holds several. Colour profiles are not applied.
///
/// # Errors
/// [`NoPicture`] where the file is of another sort, larger than allowed, cut off or broken.
pub fn decode(file: &[u8]) -> Result<Picture, NoPicture> {
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format();
    let reader = reader.map_err(|error| NoPicture::new(error.to_string(), "check the file"))?;
    let format = match reader.format() {
        Some(
            format @ (ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::WebP
            | ImageFormat::Tiff
            | ImageFormat::OpenExr),
        ) => format,
        _ if file.is_empty() => return Err(NoPicture::new("the file is empty", "name a picture")),
        found => {
            let found = match found {
                Some(format) => format!("a {format:?} file"),
                None if std::str::from_utf8(file).is_ok() => "text".to_owned(),
                None => "something else".to_owned(),
            };
            let message = format!("this is not a PNG, JPEG, WebP, TIFF or OpenEXR picture but {found}");
            return Err(NoPicture::new(message, "name a picture, or convert this one to PNG"));
        }
    };
    let name = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        _ => "OpenEXR",
    };
    // Decoders are other people's code over hostile bytes: a panic in one is an error of the file.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_known(file, format)));
    let decoded = decoded.unwrap_or_else(|_| Err(NoPicture::new("its decoder gave up", REMEDY_BROKEN)));
    decoded.map_err(|error| NoPicture { message: format!("the {name} cannot be read: {}", error.message), ..error })
}

const REMEDY_BROKEN: &str = "the file is cut off or damaged; get it again or export it anew";

fn decode_known(file: &[u8], format: ImageFormat) -> Result<Picture, NoPicture> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    // Before the size is known: what a PNG packs beside the picture, such as a colour profile, may unfold to this much.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_HEADER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| from_decoder(&error))?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(NoPicture::new(format!("its size is {width}×{height}"), REMEDY_BROKEN));
    }
    check_size(width.into(), height.into())
        .map_err(|message| NoPicture::new(message, "scale the picture down before loading it"))?;
    if format == ImageFormat::Jpeg && !jpeg_end::reaches_its_end(file) {
        return Err(NoPicture::new("it ends before its end-of-image marker", REMEDY_BROKEN));
    }
    if format == ImageFormat::Png && !file.windows(4).rev().any(|name| name == b"IEND") {
        return Err(NoPicture::new("it ends before its end chunk", REMEDY_BROKEN));
    }
    let mut limits = Limits::no_limits();
    // The picture itself, twice for what decoders keep beside it, and room for their tables.
    limits.max_alloc = Some(decoder.total_bytes().saturating_mul(2).saturating_add(64 << 20));
    decoder.set_limits(limits).map_err(|error| from_decoder(&error))?;
    let orientation = decoder.orientation().map_err(|error| from_decoder(&error))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| from_decoder(&error))?;
    image.apply_orientation(orientation);
    let mut picture = from_image(image)?;
    if format == ImageFormat::OpenExr && picture.channels == 4 {
        alpha::divide_f32(&mut picture.samples);
    }
    Ok(picture)
}

fn from_decoder(error: &ImageError) -> NoPicture {
    match error {
        ImageError::Unsupported(_) => {
            NoPicture::new(error.to_string(), "this kind of file is not supported; export it as 8- or 16-bit RGB")
        }
        ImageError::Limits(_) => NoPicture::new("decoding it takes more memory than its size warrants", REMEDY_BROKEN),
        _ => NoPicture::new(error.to_string(), REMEDY_BROKEN),
    }
}

fn from_image(image: DynamicImage) -> Result<Picture, NoPicture> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let of_u8 = |samples: &[u8]| samples.iter().map(|&v| f32::from(v) / 255.0).collect();
    let of_u16 = |samples: &[u16]| samples.iter().map(|&v| f32::from(v) / 65535.0).collect();
    let (bit_depth, channels, samples): (u8, usize, Vec<f32>) = match image {
        DynamicImage::ImageLuma8(image) => (8, 1, of_u8(&image)),
        DynamicImage::ImageLumaA8(image) => (8, 2, of_u8(&image)),
        DynamicImage::ImageRgb8(image) => (8, 3, of_u8(&image)),
        DynamicImage::ImageRgba8(image) => (8, 4, of_u8(&image)),
        DynamicImage::ImageLuma16(image) => (16, 1, of_u16(&image)),
        DynamicImage::ImageLumaA16(image) => (16, 2, of_u16(&image)),
        DynamicImage::ImageRgb16(image) => (16, 3, of_u16(&image)),
        DynamicImage::ImageRgba16(image) => (16, 4, of_u16(&image)),
        DynamicImage::ImageRgb32F(image) => (32, 3, image.into_raw()),
        DynamicImage::ImageRgba32F(image) => (32, 4, image.into_raw()),
        other => {
            let message = format!("its pixels are {:?}", other.color());
            return Err(NoPicture::new(message, "this kind of file is not supported; export it as 8- or 16-bit RGB"));
        }
    };
    let picture = Picture { width, height, channels, bit_depth, samples };
    Ok(match picture.channels {
        2 => {
            let samples = picture.samples.as_chunks::<2>().0.iter().flat_map(|&[v, alpha]| [v, v, v, alpha]).collect();
            Picture { channels: 4, samples, ..picture }
        }
        1 => picture.widened(3),
        _ => picture,
    })
}
