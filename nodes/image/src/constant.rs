//! `image.constant`: a picture of one colour.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::picture::{Picture, check_size};

const COLOURS: [(&str, &str); 3] = [("r", "Red"), ("g", "Green"), ("b", "Blue")];

/// The node type.
pub fn definition() -> NodeDefinition {
    let side = || Domain::Integer { default: 512, hard: [1, 1 << 24], soft: [16, 8192] };
    let share = |default| Domain::Float { default, hard: [0.0, 1.0], soft: [0.0, 1.0] };
    let mut description = NodeDescription::new(
        "image.constant",
        "Constant",
        "Image",
        "A picture of one colour: 8 bits, RGB, or RGBA where its alpha is below 1.",
    )
    .parameter("width", "Width", side(), "Its width.")
    .unit("px")
    .parameter("height", "Height", side(), "Its height.")
    .unit("px");
    for (id, label) in COLOURS {
        description = description.parameter(id, label, share(0.0), "Encoded for display; rounded to 8 bits.");
    }
    let description = description.parameter("a", "Alpha", share(1.0), "Opacity; rounded to 8 bits.").output(
        "image",
        "Image",
        kind::IMAGE,
        "The picture.",
    );
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let (width, height) = (run.count("width")?, run.count("height")?);
    if width == 0 || height == 0 {
        return Err(Failure::parameter("width", "sides of at least 1", format!("{width}×{height}")));
    }
    check_size(width as u64, height as u64)
        .map_err(|found| Failure::parameter("width", "a size that fits in memory", found))?;
    let eight_bit = |name: &str| -> Result<f32, Failure> {
        let value = run.float(name)?;
        if !(0.0..=1.0).contains(&value) {
            return Err(Failure::parameter(name, "0 to 1", value.to_string()));
        }
        Ok((value * 255.0).round_ties_even() as f32 / 255.0)
    };
    let mut pixel = [eight_bit("r")?, eight_bit("g")?, eight_bit("b")?].to_vec();
    let alpha = eight_bit("a")?;
    if alpha < 1.0 {
        pixel.push(alpha);
    }
    let (channels, samples) = (pixel.len(), pixel.repeat(width * height));
    let picture = Picture { width, height, channels, bit_depth: 8, samples };
    Ok(Outputs::new().with("image", picture.into_value()?))
}
