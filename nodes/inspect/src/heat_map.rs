//! Node `inspect.heat_map`: a tensor as a picture, one colour a number, or the mean of neighbours where there are more
//! numbers than pixels.

use crate::colour_map::{ColourMap, Colours};
use crate::numbers::Numbers;
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind};

/// The node type.
pub fn definition() -> NodeDefinition {
    let choice = |words: &[&str]| Domain::Choice {
        default: words.first().map(ToString::to_string).unwrap_or_default(),
        choices: words.iter().map(ToString::to_string).collect(),
    };
    let float = |default: f64| Domain::Float { default, hard: [f64::MIN, f64::MAX], soft: [-10.0, 10.0] };
    let description = NodeDescription::new(
        "inspect.heat_map",
        "Heat map",
        "Inspect",
        "A tensor as a picture: rows downwards, columns to the right, a colour for each number. Where there are more than \
         fit, a pixel is the mean of its neighbours; NaN and infinity, and any mean with one in it, are magenta.",
    )
    .input("value", "Value", kind::ANY, "A tensor of any shape and type.")
    .parameter(
        "index",
        "Index",
        Domain::Integer { default: 0, hard: [0, i64::MAX], soft: [0, 64] },
        "Which matrix of the last two dimensions is shown where there are more: the leading ones are counted through in \
         order, so in [2, 4, 64, 64] index 5 is [1, 1].",
    )
    .parameter("colours", "Colours", choice(&["automatic", "sequential", "diverging"]), COLOURS)
    .parameter("range", "Range", choice(&["automatic", "given"]), RANGE)
    .parameter("low", "Low", float(-1.0), "With range `given`: the number with the first colour.")
    .parameter("high", "High", float(1.0), "With range `given`: the number with the last colour.")
    .parameter(
        "outliers",
        "Outliers",
        Domain::Float { default: 0.0, hard: [0.0, 49.0], soft: [0.0, 5.0] },
        "With range `automatic`: how many of the numbers at each end may lie beyond the range, so that a few large ones \
         do not wash out the rest.",
    )
    .unit("%")
    .parameter(
        "size",
        "Size",
        Domain::Integer { default: 512, hard: [1, 8192], soft: [64, 2048] },
        "The most pixels in width and in height.",
    )
    .unit("px")
    .output("image", "Image", kind::IMAGE, "RGB, 8 bit.")
    .output(
        "range",
        "Range",
        kind::TEXT,
        "JSON: low, high, colours, rows and columns of the matrix, and how many of each a pixel stands for \
         (rows_a_pixel, columns_a_pixel).",
    );
    NodeDefinition::new(description, draw)
}

const COLOURS: &str = "sequential runs from dark to light (viridis); diverging from blue through grey to red (cool to \
     warm), with grey in the middle of the range. automatic is diverging where the range has both signs.";

const RANGE: &str = "automatic is from the smallest to the largest number of the picture, and as far below 0 as above \
     where the colours diverge; given is `low` to `high`.";

fn draw(run: &Run) -> Result<Outputs, Failure> {
    let tensor = run.tensor("value")?;
    let view = View::of(run, tensor)?;
    let pooled = view.pooled(run, Numbers::of(tensor, "value")?, run.count("size")?)?;
    let (low, high, colours) = range(run, &pooled.numbers)?;
    let map = ColourMap::new(colours, low, high);
    let samples = pooled.numbers.iter().flat_map(|number| map.colour(*number)).map(|byte| f32::from(byte) / 255.0);
    let picture = Tensor::from_f32([pooled.height, pooled.width, 3], samples.collect())?;
    let told = json!({
        "low": low,
        "high": high,
        "colours": if colours == Colours::Diverging { "diverging" } else { "sequential" },
        "rows": view.rows,
        "columns": view.columns,
        "rows_a_pixel": pooled.rows_a_pixel,
        "columns_a_pixel": pooled.columns_a_pixel,
    });
    Ok(Outputs::new().with("image", Value::image(picture, 8)).with("range", Value::text(told.to_string())))
}

/// The matrix of a tensor that is shown.
struct View {
    first: usize,
    rows: usize,
    columns: usize,
}

impl View {
    fn of(run: &Run, tensor: &Tensor) -> Result<Self, Failure> {
        if tensor.is_empty() {
            return Err(Failure::input("value", "a tensor with something in it", run.value("value")?.to_string()));
        }
        let (leading, rows, columns) = match tensor.shape() {
            [] => (1, 1, 1),
            [columns] => (1, 1, *columns),
            [leading @ .., rows, columns] => (leading.iter().product(), *rows, *columns),
        };
        let index = run.count("index")?;
        if index >= leading {
            let found = format!("{index}, where the value is {}", run.value("value")?);
            return Err(Failure::parameter("index", format!("0 to {}", leading - 1), found));
        }
        Ok(Self { first: index * rows * columns, rows, columns })
    }

    /// Means over as few neighbours as make it fit into `size` pixels each way. A mean with NaN or infinity in it is
    /// NaN, so that a single one is seen.
    fn pooled(&self, run: &Run, numbers: Numbers<'_>, size: usize) -> Result<Pooled, Failure> {
        let (tall, wide) = (self.rows.div_ceil(size.max(1)), self.columns.div_ceil(size.max(1)));
        let (height, width) = (self.rows.div_ceil(tall), self.columns.div_ceil(wide));
        let mut means = Vec::with_capacity(height * width);
        for top in (0..self.rows).step_by(tall) {
            run.check_cancelled()?;
            for left in (0..self.columns).step_by(wide) {
                let (mut mean, mut seen) = (0.0, 0.0);
                for row in top..self.rows.min(top + tall) {
                    for column in left..self.columns.min(left + wide) {
                        let number = numbers.at(self.first + row * self.columns + column);
                        seen += 1.0;
                        // A running mean: the sum of numbers of f64 may be beyond f64.
                        mean += number / seen - mean / seen;
                    }
                }
                means.push(if f64::is_finite(mean) { mean } else { f64::NAN });
            }
        }
        Ok(Pooled { numbers: means, height, width, rows_a_pixel: tall, columns_a_pixel: wide })
    }
}

/// A matrix that fits into a picture.
struct Pooled {
    numbers: Vec<f64>,
    height: usize,
    width: usize,
    rows_a_pixel: usize,
    columns_a_pixel: usize,
}

/// The range that is shown, and in which colours.
fn range(run: &Run, numbers: &[f64]) -> Result<(f64, f64, Colours), Failure> {
    let wanted = match run.string("colours")? {
        "sequential" => Some(Colours::Sequential),
        "diverging" => Some(Colours::Diverging),
        _ => None,
    };
    let fitting = |low: f64, high: f64| {
        wanted.unwrap_or(if low < 0.0 && high > 0.0 { Colours::Diverging } else { Colours::Sequential })
    };
    if run.string("range")? == "given" {
        let (low, high) = (run.float("low")?, run.float("high")?);
        if low >= high {
            return Err(Failure::parameter("high", format!("more than `low`, which is {low}"), high.to_string()));
        }
        return Ok((low, high, fitting(low, high)));
    }
    let mut finite: Vec<f64> = numbers.iter().copied().filter(|number| number.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    let share = run.float("outliers")? / 100.0;
    let (low, high) = (quantile(&finite, share), quantile(&finite, 1.0 - share));
    let colours = fitting(low, high);
    if colours == Colours::Diverging {
        let far = low.abs().max(high.abs());
        return Ok((-far, far, colours));
    }
    Ok((low, high, colours))
}

/// The number below which that share of the `sorted` ones lie, between neighbours linearly (NumPy's default); 0 where there are none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "no picture has 2⁵³ pixels")]
    let along = share * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to `last`")]
    let below = (along.floor() as usize).min(last);
    let at = |place: usize| sorted.get(place.min(last)).copied().unwrap_or(0.0);
    let part = along - along.floor();
    at(below) * (1.0 - part) + at(below + 1) * part
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::colour_map::NOT_FINITE;
    use crate::test_run::{run, tensor};
    use mgie_plugin_api::serde_json;

    fn drawn(value: Value, parameters: serde_json::Value) -> (Vec<usize>, Vec<[u8; 3]>, serde_json::Value) {
        let outputs = run(&definition(), parameters, vec![("value", value)]).unwrap();
        let picture = outputs.get("image").unwrap().as_image().unwrap();
        assert_eq!((picture.channels, picture.bit_depth), (3, 8));
        let bytes: Vec<u8> = picture.pixels().iter().map(|x| (x * 255.0).round() as u8).collect();
        let range = serde_json::from_str(outputs.get("range").unwrap().as_text().unwrap()).unwrap();
        (vec![picture.height, picture.width], bytes.as_chunks().0.to_vec(), range)
    }

    fn nothing() -> serde_json::Value {
        json!({})
    }

    /// `x = (((np.arange(60) * 37) % 101 - 50) / 16).reshape(2, 5, 6)`
    fn numbers() -> Vec<f32> {
        (0..60i16).map(|i| f32::from(i * 37 % 101 - 50) / 16.0).collect()
    }

    #[test]
    fn a_matrix_that_does_not_fit_is_pooled_as_numpy_means_it() {
        let value = tensor([2, 5, 6], numbers()).unwrap();
        let (shape, pixels, range) = drawn(value, json!({ "index": 1, "size": 3 }));
        assert_eq!(shape, [3, 3]);
        // p = np.pad(x[1], ((0, 1), (0, 0)), constant_values=np.nan).reshape(3, 2, 3, 2)
        // m = np.nanmean(p, axis=(1, 3)); f = np.abs(m).max()
        assert_eq!(range["low"].as_f64(), Some(-1.28125));
        assert_eq!(range["high"].as_f64(), Some(1.28125));
        assert_eq!(range["colours"], "diverging");
        assert_eq!((&range["rows"], &range["columns"]), (&json!(5), &json!(6)));
        assert_eq!((&range["rows_a_pixel"], &range["columns_a_pixel"]), (&json!(2), &json!(2)));
        // np.rint((m + f) / (2 * f) * 255)
        let steps: [u8; 9] = [145, 134, 123, 236, 68, 58, 109, 255, 87];
        let map = ColourMap::new(Colours::Diverging, 0.0, 255.0);
        assert_eq!(pixels, steps.map(|step| map.colour(f64::from(step))));
    }

    #[test]
    fn outliers_lie_beyond_the_range() {
        let value = tensor([2, 5, 6], numbers()).unwrap();
        let (_, _, range) = drawn(value, json!({ "outliers": 5.0, "colours": "sequential" }));
        // np.percentile(x[0], [5, 95])
        assert!((range["low"].as_f64().unwrap() - -2.853125).abs() < 1e-12, "{range}");
        assert!((range["high"].as_f64().unwrap() - 2.6374999999999993).abs() < 1e-12, "{range}");
    }

    #[test]
    fn conditioning_and_visual_tokens_fit_on_the_screen() {
        let shape =
            |rows: usize, width: usize| drawn(tensor([rows, width], vec![0.5; rows * width]).unwrap(), nothing()).0;
        assert_eq!(shape(77, 768), [77, 384]);
        assert_eq!(shape(8, 4096), [8, 512]);
    }

    #[test]
    fn nan_and_infinity_are_marked_and_the_rest_is_seen() {
        let value = tensor([1, 4], vec![f32::NAN, 0.0, f32::INFINITY, 2.0]).unwrap();
        let (_, pixels, range) = drawn(value, nothing());
        assert_eq!((pixels[0], pixels[2]), (NOT_FINITE, NOT_FINITE));
        assert!(pixels[1] != NOT_FINITE && pixels[3] != NOT_FINITE && pixels[1] != pixels[3]);
        assert_eq!((range["low"].as_f64(), range["high"].as_f64()), (Some(0.0), Some(2.0)));
        let (_, pixels, _) = drawn(tensor([1], vec![f32::NAN]).unwrap(), nothing());
        assert_eq!(pixels, [NOT_FINITE]);
    }

    #[test]
    fn one_number_among_many_that_is_none_is_seen() {
        let mut numbers = vec![1.0; 4096];
        numbers[1000] = f32::NAN;
        let (_, pixels, _) = drawn(tensor([1, 4096], numbers).unwrap(), nothing());
        assert_eq!(pixels.iter().filter(|pixel| **pixel == NOT_FINITE).count(), 1);
        assert_eq!(pixels[1000 / 8], NOT_FINITE);
    }

    #[test]
    fn numbers_rows_and_token_ids_are_drawn_too() {
        assert_eq!(drawn(tensor([], vec![1.0]).unwrap(), nothing()).0, [1, 1]);
        assert_eq!(drawn(tensor([7], vec![1.0; 7]).unwrap(), nothing()).0, [1, 7]);
        let ids = Tensor::from_vec([3], vec![1i64, 2, 3]).unwrap();
        let (_, pixels, _) = drawn(Value::tensor(kind::TOKENS, nothing(), ids), nothing());
        assert_eq!((pixels[0], pixels[2]), ([0x44, 0x01, 0x54], [0xfd, 0xe7, 0x25]));
    }

    #[test]
    fn bad_input_says_what_would_be_right() {
        let told = |value: Value, parameters| run(&definition(), parameters, vec![("value", value)]).unwrap_err();
        let matrices = || tensor([2, 5, 6], numbers()).unwrap();
        assert_eq!(
            told(matrices(), json!({ "index": 2 })),
            "parameter `index`: expected 0 to 1, found 2, where the value is tensor f32 [2, 5, 6]"
        );
        assert_eq!(
            told(matrices(), json!({ "range": "given", "low": 1.0, "high": 1.0 })),
            "parameter `high`: expected more than `low`, which is 1, found 1"
        );
        assert_eq!(
            told(tensor([0, 6], vec![]).unwrap(), nothing()),
            "input `value`: expected a tensor with something in it, found tensor f32 [0, 6]"
        );
        assert_eq!(told(Value::number(1.0), nothing()), "input `value`: expected a tensor, found number");
    }
}
