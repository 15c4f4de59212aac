//! Node `edit_head.text_conditioning`: the text features of an instruction and of nothing as conditioning and null
//! conditioning, unchanged: how InstructPix2Pix, and the paper's baselines, condition the same UNet.

use mgie_plugin_api::{Failure, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind, serde_json::json};

/// The node.
pub fn definition() -> NodeDefinition {
    NodeDefinition::new(description(), pass_through)
}

fn description() -> NodeDescription {
    NodeDescription::new(
        "edit_head.text_conditioning",
        "Text conditioning",
        "MGIE",
        "Conditions the UNet on plain text, as InstructPix2Pix does: the features go through unchanged.",
    )
    .input("features", "Features", kind::CLIP_TEXT_FEATURES, "CLIP features of the instruction.")
    .input("null_features", "Null features", kind::CLIP_TEXT_FEATURES, "CLIP features of an empty text.")
    .output("conditioning", "Conditioning", kind::CONDITIONING, "What the UNet attends to.")
    .shaped(&[None, None])
    .output("null_conditioning", "Null conditioning", kind::CONDITIONING, "The same without an instruction.")
    .shaped(&[None, None])
}

fn pass_through(run: &Run) -> Result<Outputs, Failure> {
    let features = rows(run, "features")?;
    let null = rows(run, "null_features")?;
    if features.shape() != null.shape() {
        let (expected, found) = (format!("{:?}, as features", features.shape()), format!("{:?}", null.shape()));
        return Err(Failure::input("null_features", expected, found).remedy("encode both texts with the same model"));
    }
    let conditioning = |tensor: &Tensor| Value::tensor(kind::CONDITIONING, json!({}), tensor.clone());
    Ok(Outputs::new().with("conditioning", conditioning(features)).with("null_conditioning", conditioning(null)))
}

fn rows<'a>(run: &'a Run, socket: &str) -> Result<&'a Tensor, Failure> {
    let tensor = run.tensor(socket)?;
    if tensor.shape().len() != 2 || tensor.is_empty() || tensor.f32().is_err() {
        return Err(Failure::input(socket, "f32 [tokens, width]", run.value(socket)?.to_string()));
    }
    Ok(tensor)
}
