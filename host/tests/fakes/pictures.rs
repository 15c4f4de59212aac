//! A plugin of nodes that make, change, load, save and lay out pictures of one pixel.

use super::{Diary, float, node};
use mgie_plugin_api::{Domain, Failure, NodeDefinition, Outputs, Plugin, Run, Tensor, Value, kind};

pub fn picture(value: f64) -> Result<Value, Failure> {
    Ok(Value::image(Tensor::from_f32([1, 1, 1], vec![value as f32])?, 32))
}

fn dot(value: f64) -> Result<Outputs, Failure> {
    Ok(Outputs::new().with("image", picture(value)?))
}

/// The pixel of the picture in a socket, where there is one.
fn pixel(run: &Run, socket: &str) -> Option<f64> {
    run.image(socket).ok().map(|image| f64::from(image.pixels()[0]))
}

/// `pic.make` (fails at 13, and at 99 runs until it is asked to stop), `pic.plus`, and stand-ins for `image.load`, for
/// `image.save`, which writes the pixel as text and under it the texts in the header, and for `image.sheet`, whose pixel is
/// the sum of its cells' and which notes what it is given, -1 for no picture.
pub fn plugin(diary: &Diary) -> Plugin {
    let (made, added, saved, laid_out) = (diary.clone(), diary.clone(), diary.clone(), diary.clone());
    let text = || Domain::Text { default: String::new(), multiline: true };
    let place = || Domain::Integer { default: 1, hard: [1, 1000], soft: [1, 1000] };
    let file = || Domain::SaveFile { default: String::new(), extensions: vec!["png".into()] };
    Plugin::new("pictures", "1")
        .node(NodeDefinition::new(
            node("pic.make").parameter("value", "Value", float(1.0), "").output("image", "Image", kind::IMAGE, ""),
            move |run| {
                made.note("make");
                match run.float("value")? {
                    13.0 => Err(Failure::failed("unlucky")),
                    99.0 => loop {
                        run.check_cancelled()?;
                        std::thread::sleep(std::time::Duration::from_millis(1));
                    },
                    value => dot(value),
                }
            },
        ))
        .node(NodeDefinition::new(
            node("pic.plus")
                .input("image", "Image", kind::IMAGE, "")
                .parameter("value", "Value", float(0.0), "")
                .parameter("word", "Word", text(), "")
                .parameter("model", "Model", Domain::Model { default: String::new(), optional: true }, "")
                .output("image", "Image", kind::IMAGE, ""),
            move |run| {
                added.note(format!("add {}", run.float("value")?));
                dot(pixel(run, "image").unwrap() + run.float("value")?)
            },
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
            move |run| {
                saved.note("save");
                let texts = run.value("image")?.header().get("texts").map(|texts| format!("\n{texts}"));
                let text = format!("{}{}", pixel(run, "image").unwrap(), texts.unwrap_or_default());
                mgie_plugin_api::file::write_whole(&run.path("path")?, &[text.as_bytes()])?;
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
            move |run| {
                let (so_far, picture_here) = (pixel(run, "sheet"), pixel(run, "picture"));
                let (at, text) = ((run.integer("column")?, run.integer("row")?), run.string("text")?);
                let (columns, rows) = (run.string("columns")?, run.string("rows")?);
                let shown = picture_here.unwrap_or(-1.0);
                laid_out.note(format!("{at:?} {shown} of {columns:?} {rows:?} {text:?}"));
                let sum = so_far.unwrap_or(0.0) + picture_here.unwrap_or(0.0);
                Ok(Outputs::new().with("sheet", picture(sum)?))
            },
        ))
}
