//! The smallest complete plugin: one node, "Invert", in one file. To write your own, copy this folder, rename the crate,
//! give the node an id of your own (`org.example.invert`), and build it: the README of `plugin-api` walks through it.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Tensor, Value, kind};

mgie_plugin_api::export_plugin!(plugin);

/// What this library holds.
pub fn plugin() -> Plugin {
    Plugin::new("template", env!("CARGO_PKG_VERSION")).node(NodeDefinition::new(description(), invert))
}

/// What the node says of itself: the host validates graphs, draws the node and writes its help from this alone.
fn description() -> NodeDescription {
    let strength = Domain::Float { default: 1.0, hard: [0.0, 1.0], soft: [0.0, 1.0] };
    NodeDescription::new("template.invert", "Invert", "Image", "Turns light into dark; alpha stays as it is.")
        .input("image", "Image", kind::IMAGE, "The picture to invert.")
        .parameter("strength", "Strength", strength, "0 leaves the picture as it is, 1 inverts it.")
        .output("image", "Image", kind::IMAGE, "The inverted picture, of the same size.")
}

/// What the node does: a plain function from inputs and parameters to outputs. It never changes an input.
fn invert(run: &Run) -> Result<Outputs, Failure> {
    let image = run.image("image")?;
    let strength = run.float("strength")? as f32;
    let colours = if image.channels == 4 { 3 } else { image.channels };
    // An 8- or 16-bit picture stays one: its values lie on that depth's steps.
    let steps = match image.bit_depth {
        8 => 255.0,
        16 => 65535.0,
        _ => 0.0,
    };
    let mut pixels = image.pixels().to_vec();
    for (row, line) in pixels.chunks_exact_mut(image.width * image.channels).enumerate() {
        if row % 64 == 0 {
            run.progress(row as u64, image.height as u64, "inverting");
            run.check_cancelled()?;
        }
        for pixel in line.chunks_exact_mut(image.channels) {
            for value in &mut pixel[..colours] {
                let inverted = *value + strength * (1.0 - 2.0 * *value);
                *value = if steps > 0.0 { (inverted * steps).round() / steps } else { inverted };
            }
        }
    }
    let tensor = Tensor::from_f32([image.height, image.width, image.channels], pixels)?;
    Ok(Outputs::new().with("image", Value::image(tensor, image.bit_depth)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mgie_plugin_api::{Extensible, Extension, Object, serde_json::json};

    struct NoHost;
    impl Extensible for NoHost {
        fn extension(&self, _id: &str) -> Option<Extension> {
            None
        }
    }

    #[test]
    fn colours_are_inverted_and_alpha_is_kept() -> Result<(), Failure> {
        let picture = Value::image(Tensor::from_f32([1, 1, 4], vec![0.0, 51.0 / 255.0, 1.0, 0.5])?, 8);
        let run = Run::new(json!({ "strength": 1.0 }), vec![("image".into(), picture)], &Object::new(NoHost));
        let outputs = invert(&run)?;
        let image = outputs.get("image").and_then(Value::as_image).ok_or(Failure::failed("no picture"))?;
        assert_eq!(image.pixels(), [1.0, 204.0 / 255.0, 0.0, 0.5]);
        Ok(())
    }
}
