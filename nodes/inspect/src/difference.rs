//! Node `inspect.difference`: where two pictures differ, and by how much at most.

use mgie_plugin_api::{Domain, Failure, Image, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind};

/// The node type.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "inspect.difference",
        "Difference",
        "Inspect",
        "The absolute difference of two pictures, magnified. A grey picture counts as one of three equal channels, one \
         without alpha as opaque; a difference in alpha is shown in all colours. A picture of 8 or 16 bit is compared with \
         one of 32 in linear light.",
    )
    .input("a", "A", kind::IMAGE, "A picture.")
    .input("b", "B", kind::IMAGE, "Another one, of the same size.")
    .parameter(
        "gain",
        "Gain",
        Domain::Float { default: 10.0, hard: [0.0, 1e6], soft: [1.0, 100.0] },
        "What the differences are multiplied by.",
    )
    .unit("×")
    .output(
        "image",
        "Image",
        kind::IMAGE,
        "Difference × gain, RGB or grey: clipped at 1 in 16 bit, unclipped in 32 where one of the pictures has 32. White \
         where either is NaN.",
    )
    .output("largest", "Largest", kind::NUMBER, "The largest difference of a channel, without gain; NaN left out.");
    NodeDefinition::new(description, compare)
}

fn compare(run: &Run) -> Result<Outputs, Failure> {
    let (a, b) = (run.image("a")?, run.image("b")?);
    if (a.height, a.width) != (b.height, b.width) {
        let size = |image: &Image| format!("{} × {}", image.width, image.height);
        return Err(Failure::input("b", format!("a picture of {}, as `a` is", size(&a)), size(&b))
            .remedy("resize one of them (image.resize)"));
    }
    let gain = run.float("gain")?;
    let linear = a.bit_depth == 32 || b.bit_depth == 32;
    let grey = a.channels == 1 && b.channels == 1;
    let colours = if grey { 1 } else { 3 };
    let mut samples = Vec::with_capacity(a.height * a.width * colours);
    let mut largest = 0f64;
    let rows = a.pixels().chunks(a.width.max(1) * a.channels).zip(b.pixels().chunks(b.width.max(1) * b.channels));
    for (of_a, of_b) in rows {
        run.check_cancelled()?;
        for (of_a, of_b) in of_a.chunks(a.channels).zip(of_b.chunks(b.channels)) {
            let (of_a, of_b) = (pixel(of_a, linear && a.bit_depth < 32), pixel(of_b, linear && b.bit_depth < 32));
            let apart: [f64; 4] = std::array::from_fn(|at| (of_a[at] - of_b[at]).abs());
            largest = apart.iter().copied().filter(|x| x.is_finite()).fold(largest, f64::max);
            for colour in &apart[..colours] {
                // `max` alone would take the number of a number and NaN.
                let seen = if colour.is_nan() || apart[3].is_nan() { f64::NAN } else { colour.max(apart[3]) };
                samples.push(shown(seen * gain, linear));
            }
        }
    }
    let picture = Tensor::from_f32([a.height, a.width, colours], samples)?;
    let picture = Value::image(picture, if linear { 32 } else { 16 });
    Ok(Outputs::new().with("image", picture).with("largest", Value::number(largest)))
}

/// Red, green, blue and alpha of a pixel of 1, 3 or 4 channels.
fn pixel(samples: &[f32], decode: bool) -> [f64; 4] {
    let light = |sample: f32| {
        let sample = f64::from(sample);
        match decode {
            // The curve of sRGB, IEC 61966-2-1.
            true if sample <= 0.040_45 => sample / 12.92,
            true => ((sample + 0.055) / 1.055).powf(2.4),
            false => sample,
        }
    };
    match *samples {
        // One channel is data, at any depth.
        [grey] => [f64::from(grey), f64::from(grey), f64::from(grey), 1.0],
        [red, green, blue] => [light(red), light(green), light(blue), 1.0],
        [red, green, blue, alpha] => [light(red), light(green), light(blue), f64::from(alpha)],
        _ => [f64::NAN; 4],
    }
}

/// A difference as a sample of the picture: finite, and in 16 bit on one of that depth's steps.
#[expect(clippy::cast_possible_truncation, reason = "f32 is what pictures are made of")]
fn shown(difference: f64, linear: bool) -> f32 {
    let difference = if difference.is_nan() { 1.0 } else { difference };
    if linear {
        difference.min(f64::from(f32::MAX)) as f32
    } else {
        ((difference.min(1.0) * 65535.0).round() / 65535.0) as f32
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::test_run::run;
    use mgie_plugin_api::serde_json::json;

    fn picture<const N: usize>(size: [usize; N], samples: Vec<f32>, bit_depth: u8) -> Value {
        Value::image(Tensor::from_f32(size, samples).unwrap(), bit_depth)
    }

    fn difference(a: Value, b: Value, gain: f64) -> (Image, f64) {
        let outputs = run(&definition(), json!({ "gain": gain }), vec![("a", a), ("b", b)]).unwrap();
        (outputs.get("image").unwrap().as_image().unwrap(), outputs.get("largest").unwrap().as_number().unwrap())
    }

    /// `np.float32(n / 255)`
    fn eighth(samples: &[u8]) -> Vec<f32> {
        samples.iter().map(|sample| f32::from(*sample) / 255.0).collect()
    }

    #[test]
    fn differences_are_numpys_and_clipped_where_the_picture_is() {
        let a = picture([1, 2, 3], eighth(&[10, 20, 30, 0, 128, 255]), 8);
        let b = picture([1, 2, 3], eighth(&[13, 20, 10, 255, 130, 255]), 8);
        let (image, largest) = difference(a, b, 4.0);
        assert_eq!((image.channels, image.bit_depth, largest), (3, 16, 1.0));
        // np.abs(a - b).clip(0, 1 / 4) * 4 = [12, 0, 80, 255, 8, 0] / 255
        for (found, expected) in image.pixels().iter().zip([12.0, 0.0, 80.0, 255.0, 8.0, 0.0]) {
            assert!((found * 255.0 - expected).abs() < 0.01, "expected {expected}, found {}", found * 255.0);
        }
    }

    #[test]
    fn a_picture_without_alpha_is_opaque_and_a_difference_of_alpha_is_seen() {
        let (a, b) = (picture([1, 1, 4], vec![0.5, 0.5, 0.5, 0.25], 16), picture([1, 1, 1], vec![0.5], 16));
        let (image, largest) = difference(a, b, 1.0);
        assert_eq!(image.channels, 3);
        assert!(image.pixels().iter().all(|sample| (sample - 0.75).abs() < 1e-5) && largest == 0.75);
    }

    #[test]
    fn pictures_of_32_bit_are_compared_in_linear_light() {
        // a = 188 / 255; ((a + 0.055) / 1.055) ** 2.4 = 0.5028864580325687
        let (a, b) = (picture([1, 1, 3], eighth(&[188; 3]), 8), picture([1, 1, 3], vec![3.0; 3], 32));
        let (image, largest) = difference(a, b, 1.0);
        assert_eq!(image.bit_depth, 32);
        assert!((largest - (3.0 - 0.5028864580325687)).abs() < 1e-6, "{largest}");
        assert!((f64::from(image.pixels()[0]) - (3.0 - 0.5028864580325687)).abs() < 1e-6);
    }

    #[test]
    fn nan_is_white_and_left_out_of_the_largest() {
        let (a, b) = (picture([1, 2, 1], vec![f32::NAN, 0.5], 32), picture([1, 2, 1], vec![0.0, 0.25], 32));
        let (image, largest) = difference(a, b, 2.0);
        assert_eq!((image.pixels(), largest), (&[1.0, 0.5][..], 0.25));
    }

    #[test]
    fn pictures_of_two_sizes_are_refused_with_the_remedy() {
        let (a, b) = (picture([1, 2, 1], vec![0.0; 2], 8), picture([2, 1, 1], vec![0.0; 2], 8));
        let told = run(&definition(), json!({}), vec![("a", a), ("b", b)]).unwrap_err();
        assert_eq!(
            told,
            "input `b`: expected a picture of 2 × 1, as `a` is, found 1 × 2; resize one of them (image.resize)"
        );
        let told = run(&definition(), json!({}), vec![("a", Value::text("a"))]).unwrap_err();
        assert!(told.starts_with("input `a`: expected a picture"), "{told}");
    }
}
