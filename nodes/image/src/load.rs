//! `image.load`: a picture from a file.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};

use crate::choice::{choice, chosen};
use crate::decode::{EXTENSIONS, MAX_FILE_BYTES, decode};

const ENCODINGS: [&str; 2] = ["file", "display"];

/// The node type.
pub fn definition() -> NodeDefinition {
    let path =
        Domain::File { default: String::new(), extensions: EXTENSIONS.map(str::to_owned).to_vec(), optional: false };
    let description = NodeDescription::new(
        "image.load",
        "Load image",
        "Image",
        "Reads a PNG, JPEG, WebP, TIFF or OpenEXR file of up to 100 megapixels and turns it upright as its EXIF \
         orientation says. Grey files become RGB, alpha is kept. Colour profiles are not applied.",
    )
    .parameter("path", "Path", path, "The picture.")
    .parameter(
        "encoding",
        "Encoding",
        choice(&ENCODINGS),
        "file keeps the values as they are in the file: linear light and unclamped in files of floats (OpenEXR, TIFF), \
         encoded for display in all others. display turns linear light into sRGB, which models expect.",
    )
    .output("image", "Image", kind::IMAGE, "The picture: 3 channels, or 4 where the file has alpha.")
    .output("alpha", "Alpha", kind::IMAGE, "Its opacity as a mask of one channel; 1 everywhere where it has no alpha.")
    .output("width", "Width", kind::NUMBER, "Its width in pixels.")
    .output("height", "Height", kind::NUMBER, "Its height in pixels.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let path = run.path("path")?;
    let display = chosen(run, "encoding", &ENCODINGS)? == "display";
    let bytes = file::read_whole(&path, MAX_FILE_BYTES)?;
    run.check_cancelled()?;
    let picture = decode(&bytes).map_err(|error| Failure::file(&path, error.message).remedy(error.remedy))?;
    let picture = if display { picture.into_display() } else { picture };
    let (width, height) = (picture.width as f64, picture.height as f64);
    Ok(Outputs::new()
        .with("alpha", picture.opacity().into_value()?)
        .with("image", picture.into_value()?)
        .with("width", Value::number(width))
        .with("height", Value::number(height)))
}
