//! A plugin of nodes that make, load, save and lay out pictures of one pixel.

use crate::fakes::float;
use mgie_plugin_api::{Domain, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Tensor, Value, kind};

fn dot(value: f64) -> Result<Outputs, mgie_plugin_api::Failure> {
    let tensor = Tensor::from_f32([1, 1, 1], vec![value as f32])?;
    Ok(Outputs::new().with("image", Value::image(tensor, 32)))
}

pub fn plugin() -> Plugin {
    let node = |id: &str| NodeDescription::new(id, id, "Test", "A node for tests.");
    let text = || Domain::Text { default: String::new(), multiline: true };
    let place = || Domain::Integer { default: 1, hard: [1, 1000], soft: [1, 1000] };
    let file = || Domain::SaveFile { default: String::new(), extensions: vec!["png".into()] };
    Plugin::new("pictures", "1")
        .node(NodeDefinition::new(
            node("pic.make").parameter("value", "Value", float(1.0), "").output("image", "Image", kind::IMAGE, ""),
            |run: &Run| dot(run.float("value")?),
        ))
        .node(NodeDefinition::new(
            node("image.load").parameter("path", "Path", text(), "").output("image", "Image", kind::IMAGE, ""),
            |_: &Run| dot(0.5),
        ))
        .node(NodeDefinition::new(
            node("image.save")
                .input("image", "Image", kind::IMAGE, "")
                .parameter("path", "Path", file(), "")
                .with_side_effect(),
            |run: &Run| {
                let pixel = run.image("image")?.pixels()[0].to_string();
                mgie_plugin_api::file::write_whole(&run.path("path")?, &[pixel.as_bytes()])?;
                Ok(Outputs::new())
            },
        ))
        .node(NodeDefinition::new(
            node("image.sheet")
                .optional_input("sheet", "Sheet", kind::IMAGE, "")
                .optional_input("picture", "Picture", kind::IMAGE, "")
                .parameter("columns", "", text(), "")
                .parameter("rows", "", text(), "")
                .parameter("text", "", text(), "")
                .parameter("column", "", place(), "")
                .parameter("row", "", place(), "")
                .parameter("cell", "", place(), "")
                .output("sheet", "Sheet", kind::IMAGE, ""),
            |run: &Run| {
                let pixel = |socket: &str| run.image(socket).map_or(0.0, |image| f64::from(image.pixels()[0]));
                let sum = dot(pixel("sheet") + pixel("picture"))?;
                Ok(Outputs::new().with("sheet", sum.get("image").expect("it was put there").clone()))
            },
        ))
}
