//! `image.resize`: a picture at another size.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::choice::{choice, chosen};
use crate::fit::{Fit, fit};
use crate::picture::{Picture, check_size};
use crate::resample::Filter;

/// The filters' names, the default first.
const FILTERS: [&str; 6] = ["lanczos", "bicubic", "hamming", "bilinear", "box", "nearest"];
const FITS: [&str; 4] = ["stretch", "inside", "cover", "short_side"];

/// The node type.
pub fn definition() -> NodeDefinition {
    let side = || Domain::Integer { default: 512, hard: [1, 1 << 24], soft: [16, 8192] };
    let description = NodeDescription::new(
        "image.resize",
        "Resize",
        "Image",
        "Brings a picture to another size with Pillow's filters, antialiased when it shrinks. 8-bit pictures get \
         exactly Pillow's pixels.",
    )
    .input("image", "Image", kind::IMAGE, "The picture.")
    .parameter("width", "Width", side(), "Width asked for; with fit short_side, the short side.")
    .unit("px")
    .parameter("height", "Height", side(), "Height asked for; with fit short_side it does not count.")
    .unit("px")
    .parameter("filter", "Filter", choice(&FILTERS), "How pixels are weighed, from sharp to soft; nearest only copies.")
    .parameter(
        "fit",
        "Fit",
        choice(&FITS),
        "stretch: exactly width × height. inside: as large as fits, in proportion. cover: in proportion, what hangs \
         over width × height is cut off evenly. short_side: in proportion, the short side becomes width.",
    )
    .output("image", "Image", kind::IMAGE, "The picture at its new size, of the same bit depth.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let picture = Picture::from_wire(&run.image("image")?);
    if picture.samples.is_empty() {
        let found = format!("{}×{}", picture.width, picture.height);
        return Err(Failure::input("image", "a picture of at least one pixel", found));
    }
    let asked = (run.count("width")?, run.count("height")?);
    for (name, side) in [("width", asked.0), ("height", asked.1)] {
        if side == 0 {
            return Err(Failure::parameter(name, "at least 1", "0"));
        }
    }
    let filter = Filter::from_name(chosen(run, "filter", &FILTERS)?).unwrap_or(Filter::Lanczos);
    let how = Fit::from_name(chosen(run, "fit", &FITS)?).unwrap_or(Fit::Stretch);
    let resize = fit((picture.width, picture.height), asked, how, filter);
    let (width, height) = resize.result_size();
    let too_large = |found: String| {
        Failure::parameter("width", "a size that fits in memory", found).remedy("ask for a smaller size")
    };
    check_size(width as u64, height as u64).map_err(too_large)?;
    let resized = picture.resized(&resize).map_err(|error| too_large(error.to_string()))?;
    Ok(Outputs::new().with("image", resized.into_value()?))
}
