//! Node `metrics.compare`: how far a picture is from its goal, pixel by pixel.

use mgie_plugin_api::{Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};
use mgie_weights::pool;

use crate::pixels::{MOST_PSNR, Rgb, compare};

/// The node type.
pub fn definition() -> NodeDefinition {
    let psnr = format!("Peak signal to noise ratio in dB: more is nearer; {MOST_PSNR} for equal pictures.");
    let description = NodeDescription::new(
        "metrics.compare",
        "Compare pictures",
        "Metrics",
        "How far a picture is from its goal, pixel by pixel, as scikit-image computes it on RGB in 0..1. Alpha is \
         ignored.",
    )
    .input("image", "Image", kind::IMAGE, "The picture, such as an edit.")
    .input("goal", "Goal", kind::IMAGE, "What it should be; of the same size.")
    .output("l1", "L1", kind::NUMBER, "Mean absolute difference, 0 (equal) to 1.")
    .output("l2", "L2", kind::NUMBER, "Mean squared difference, 0 (equal) to 1.")
    .output("psnr", "PSNR", kind::NUMBER, &psnr)
    .output("ssim", "SSIM", kind::NUMBER, "Structural similarity, -1 to 1 (equal).");
    NodeDefinition::new(description, |run| pool::with_threads(run.threads(), || measure(run)))
}

fn measure(run: &Run) -> Result<Outputs, Failure> {
    let (image, goal) = (Rgb::of_wire(&run.image("image")?, "image")?, Rgb::of_wire(&run.image("goal")?, "goal")?);
    run.check_cancelled()?;
    let found = compare(&image, &goal).map_err(|found| {
        Failure::input("image", "two pictures of one size, at least 7×7 pixels", found)
            .remedy("resize one of them (image.resize)")
    })?;
    let mut outputs = Outputs::new();
    for (socket, number) in [("l1", found.l1), ("l2", found.l2), ("psnr", found.psnr), ("ssim", found.ssim)] {
        outputs = outputs.with(socket, Value::number(number));
    }
    Ok(outputs)
}
