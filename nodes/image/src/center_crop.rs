//! `image.center_crop`: the middle of a picture.

use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::picture::Picture;

/// The node type.
pub fn definition() -> NodeDefinition {
    let side = || Domain::Integer { default: 512, hard: [1, 1 << 24], soft: [16, 8192] };
    let description = NodeDescription::new(
        "image.center_crop",
        "Centre crop",
        "Image",
        "Cuts a window out of the middle of a picture. Where it cannot be in the very middle, it lies where \
         torchvision's CenterCrop puts it.",
    )
    .input("image", "Image", kind::IMAGE, "The picture; at least as large as the window.")
    .parameter("width", "Width", side(), "Width of the window.")
    .unit("px")
    .parameter("height", "Height", side(), "Height of the window.")
    .unit("px")
    .output("image", "Image", kind::IMAGE, "The window.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let picture = Picture::from_wire(&run.image("image")?);
    let (width, height) = (run.count("width")?, run.count("height")?);
    for (name, asked, side) in [("width", width, picture.width), ("height", height, picture.height)] {
        if asked == 0 || asked > side {
            let expected = format!("1 to {side}, the picture's {name}");
            return Err(Failure::parameter(name, expected, asked.to_string())
                .remedy("ask for a smaller window, or resize the picture first (fit cover)"));
        }
    }
    let cropped = picture.cropped(offset(picture.width, width), offset(picture.height, height), width, height);
    let cropped = cropped.map_err(|error| Failure::input("image", "a picture that can be cut", error.to_string()))?;
    Ok(Outputs::new().with("image", cropped.into_value()?))
}

/// Half of what is cut off, rounded half to even as Python's `round` does in torchvision.
fn offset(side: usize, window: usize) -> usize {
    ((side - window) as f64 / 2.0).round_ties_even() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_rests_are_split_as_torchvision_splits_them() {
        // int(round((side - window) / 2.0)) in Python 3.
        let found = [(5, 5), (5, 4), (5, 3), (5, 2), (5, 1), (8, 3)].map(|(side, window)| offset(side, window));
        assert_eq!(found, [0, 0, 1, 2, 2, 2]);
    }
}
