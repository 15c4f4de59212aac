//! `image.save`: a picture into a file.

use mgie_plugin_api::{Domain, Failure, Level, NodeDefinition, NodeDescription, Outputs, Run, Value, file, kind};

use crate::choice::{choice, chosen};
use crate::encode::{EncodeError, Format, encode};
use crate::picture::Picture;

/// Keyword of the graph in a PNG.
const GRAPH: &str = "mgie";

const DEPTHS: [&str; 4] = ["auto", "8", "16", "32"];

/// The node type.
pub fn definition() -> NodeDefinition {
    let extensions = Format::BY_EXTENSION.map(|(extension, _)| extension.to_owned()).to_vec();
    let description = NodeDescription::new(
        "image.save",
        "Save image",
        "Image",
        "Writes a picture as PNG, JPEG, WebP, TIFF or OpenEXR, as the name's extension says. A PNG carries the graph \
         that made it, and the texts that came with the picture. A file of that name is replaced, once the new one is \
         complete.",
    )
    .input("image", "Image", kind::IMAGE, "The picture.")
    .parameter("path", "Path", Domain::SaveFile { default: String::new(), extensions }, "The file to write.")
    .parameter(
        "bit_depth",
        "Bit depth",
        choice(&DEPTHS),
        "Bits a sample: 8 or 16 in PNG, 8 in JPEG and WebP, 8, 16 or 32 in TIFF, 32 in OpenEXR. auto is the least that \
         keeps the picture's own. Linear pictures are encoded as sRGB for 8 and 16 bits; 32 are floats of linear light.",
    )
    .parameter(
        "quality",
        "Quality",
        Domain::Integer { default: 95, hard: [1, 100], soft: [50, 100] },
        "Of a JPEG; the other formats lose nothing.",
    )
    .output("path", "Path", kind::TEXT, "The file that was written.")
    .with_side_effect();
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let picture = Picture::from_wire(&run.image("image")?);
    let path = run.path("path")?;
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let Some(format) = Format::from_extension(&extension) else {
        let known: Vec<String> = Format::BY_EXTENSION.iter().map(|(known, _)| format!(".{known}")).collect();
        let expected = format!("a name that ends in one of {}", known.join(", "));
        return Err(Failure::parameter("path", expected, path.display().to_string()));
    };
    let depth = chosen(run, "bit_depth", &DEPTHS)?.parse().ok();
    let quality = run.integer("quality")?;
    let quality = u8::try_from(quality)
        .ok()
        .filter(|quality| (1..=100).contains(quality))
        .ok_or_else(|| Failure::parameter("quality", "1 to 100", quality.to_string()))?;
    if picture.samples.is_empty() {
        let found = format!("{}×{}", picture.width, picture.height);
        return Err(Failure::input("image", "a picture of at least one pixel", found));
    }
    if let Some(place) = picture.first_nan() {
        return Err(Failure::input("image", "numbers", place).remedy("look at what made it; nothing was written"));
    }
    if format == Format::Jpeg && picture.opacity().samples.iter().any(|&alpha| alpha < 1.0) {
        run.log(Level::Warn, "a JPEG has no alpha: the picture was laid over white; save a PNG to keep it");
    }
    let graph = if format == Format::Png { run.graph_json() } else { None };
    let mut texts: Vec<(&str, &str)> = graph.iter().map(|graph| (GRAPH, graph.as_str())).collect();
    texts.extend(texts_of(run.value("image")?));
    let encoded = encode(picture, format, depth, quality, &texts).map_err(|error| match error {
        EncodeError::Depth { .. } => Failure::parameter("bit_depth", "a depth of the format", error.to_string())
            .remedy("leave it at auto, or choose another format"),
        EncodeError::Side { .. } => Failure::input("image", "a picture that the format can hold", error.to_string())
            .remedy("make it smaller, or choose another format"),
        EncodeError::Encoder(_) => Failure::file(&path, error.to_string()).remedy("choose another format"),
    })?;
    run.check_cancelled()?;
    file::write_whole(&path, &[&encoded])?;
    Ok(Outputs::new().with("path", Value::text(path.display().to_string())))
}

/// The texts in a picture's header, by keyword. A keyword that is the graph's, or not of 1 to 79 printable ASCII letters
/// without spaces, is passed over with its text.
fn texts_of(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    let texts = value.header().get("texts").and_then(|texts| texts.as_object()).into_iter().flatten();
    let fits = |keyword: &str| {
        keyword != GRAPH && (1..=79).contains(&keyword.len()) && keyword.bytes().all(|byte| byte.is_ascii_graphic())
    };
    texts.filter_map(move |(keyword, text)| {
        Some((keyword.as_str(), text.as_str()?)).filter(|(keyword, _)| fits(keyword))
    })
}
