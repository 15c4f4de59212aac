//! Node `inspect.statistics`: what one wants to know of a tensor at a glance.

use crate::numbers::{Numbers, each};
use mgie_plugin_api::serde_json::{self, json};
use mgie_plugin_api::{Failure, NodeDefinition, NodeDescription, Outputs, Run, Value, kind};

/// The node type.
pub fn definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "inspect.statistics",
        "Tensor statistics",
        "Inspect",
        "Shape, smallest and largest number, mean, deviation and norm of any tensor. NaN and infinity are counted and \
         left out of the rest.",
    )
    .input("value", "Value", kind::ANY, "Anything that is a tensor: features, conditioning, latents, a picture.")
    .output(
        "statistics",
        "Statistics",
        kind::TEXT,
        "JSON: kind, dtype, shape, count, finite, nan, infinite, zeros, min, max, mean, deviation (of the population) \
         and norm (L2); the last five null where no number is finite.",
    );
    NodeDefinition::new(description, describe)
}

fn describe(run: &Run) -> Result<Outputs, Failure> {
    let tensor = run.tensor("value")?;
    let found = Statistics::of(run, Numbers::of(tensor, "value")?)?;
    let text = json!({
        "kind": run.value("value")?.kind(),
        "dtype": tensor.dtype().name(),
        "shape": tensor.shape(),
        "count": tensor.len(),
        "finite": found.finite,
        "nan": found.nan,
        "infinite": found.infinite,
        "zeros": found.zeros,
        "min": found.number(found.min),
        "max": found.number(found.max),
        "mean": found.number(found.mean),
        "deviation": found.number(found.deviation),
        "norm": found.number(found.norm),
    });
    let text = serde_json::to_string_pretty(&text).map_err(|error| Failure::fault(error.to_string()))?;
    Ok(Outputs::new().with("statistics", Value::text(text)))
}

/// Of the finite elements, in f64; the last five mean nothing where there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    finite: u64,
    nan: u64,
    infinite: u64,
    zeros: u64,
    min: f64,
    max: f64,
    mean: f64,
    deviation: f64,
    norm: f64,
}

impl Statistics {
    fn of(run: &Run, numbers: Numbers<'_>) -> Result<Self, Failure> {
        let mut found = Self { min: f64::INFINITY, max: f64::NEG_INFINITY, ..Self::default() };
        each(run, numbers, |x| {
            if x.is_finite() {
                found.finite += 1;
                found.zeros += u64::from(x == 0.0);
                found.min = found.min.min(x);
                found.max = found.max.max(x);
            } else if x.is_nan() {
                found.nan += 1;
            } else {
                found.infinite += 1;
            }
        })?;
        if found.finite == 0 {
            return Ok(found);
        }
        // Numbers of f64 may have squares and sums that f64 has not: everything is summed in units of the largest.
        let unit = found.min.abs().max(found.max.abs());
        let unit = if unit > 0.0 { unit } else { 1.0 };
        #[expect(clippy::cast_precision_loss, reason = "no tensor in memory has 2⁵³ elements")]
        let count = found.finite as f64;
        let (mut sum, mut squares) = (0.0, 0.0);
        each(run, numbers, |x| {
            if x.is_finite() {
                sum += x / unit;
                squares += (x / unit) * (x / unit);
            }
        })?;
        // A second look from the mean, as NumPy takes it: the difference of two large sums would lose the digits.
        let mean = sum / count;
        let mut spread = 0.0;
        each(run, numbers, |x| {
            if x.is_finite() {
                spread += (x / unit - mean) * (x / unit - mean);
            }
        })?;
        found.mean = mean * unit;
        found.deviation = (spread / count).sqrt() * unit;
        found.norm = squares.sqrt() * unit;
        Ok(found)
    }

    fn number(&self, number: f64) -> Option<f64> {
        (self.finite > 0).then_some(number)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::test_run::run;
    use half::{bf16, f16};
    use mgie_plugin_api::Tensor;

    fn statistics(tensor: Tensor) -> serde_json::Value {
        let value = Value::tensor(kind::TENSOR, json!({}), tensor);
        let outputs = run(&definition(), json!({}), vec![("value", value)]).unwrap();
        serde_json::from_str(outputs.get("statistics").unwrap().as_text().unwrap()).unwrap()
    }

    /// `x = ((np.arange(1000) * 37) % 101 - 50) / 16`, which every float type holds exactly.
    fn numbers() -> Vec<f32> {
        (0..1000i16).map(|i| f32::from((i32::from(i) * 37 % 101 - 50) as i16) / 16.0).collect()
    }

    fn near(found: &serde_json::Value, name: &str, expected: f64) {
        let number = found[name].as_f64().unwrap();
        assert!((number - expected).abs() <= expected.abs() * 1e-13, "{name}: expected {expected}, found {number}");
    }

    #[test]
    fn numbers_of_every_float_type_have_numpys_statistics() {
        let x = numbers();
        let halves: Vec<f16> = x.iter().map(|x| f16::from_f32(*x)).collect();
        let brains: Vec<bf16> = x.iter().map(|x| bf16::from_f32(*x)).collect();
        let doubles: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
        for (dtype, tensor) in [
            ("f16", Tensor::from_vec([10, 100], halves).unwrap()),
            ("bf16", Tensor::from_vec([10, 100], brains).unwrap()),
            ("f32", Tensor::from_f32([10, 100], x).unwrap()),
            ("f64", Tensor::from_vec([10, 100], doubles).unwrap()),
        ] {
            let found = statistics(tensor);
            assert_eq!((&found["dtype"], &found["shape"]), (&json!(dtype), &json!([10, 100])));
            assert_eq!((&found["count"], &found["finite"], &found["zeros"]), (&json!(1000), &json!(1000), &json!(10)));
            // x.min(), x.max(), x.mean(), x.std(), np.linalg.norm(x)
            near(&found, "min", -3.125);
            near(&found, "max", 3.125);
            near(&found, "mean", 0.000625);
            near(&found, "deviation", 1.8237216198957011);
            near(&found, "norm", 57.67114475628171);
        }
    }

    #[test]
    fn token_ids_are_numbers_too() {
        let found = statistics(Tensor::from_vec([4], vec![1i64, 32000, 32007, -(1 << 52)]).unwrap());
        // x = np.array([1, 32000, 32007, -2**52]); x.mean(), x.std(), np.linalg.norm(x.astype(float))
        near(&found, "mean", -1125899906826622.0);
        near(&found, "deviation", 1950115842897729.2);
        near(&found, "norm", 4503599627370496.0);
        assert_eq!(found["min"].as_f64(), Some(-4_503_599_627_370_496.0));
    }

    #[test]
    fn nan_and_infinity_are_counted_and_left_out() {
        let bad = vec![f32::NAN, 3.0, f32::INFINITY, f32::NEG_INFINITY, -4.0, f32::NAN];
        let found = statistics(Tensor::from_f32([6], bad).unwrap());
        let counts = [&found["count"], &found["finite"], &found["nan"], &found["infinite"]];
        assert_eq!(counts, [&json!(6), &json!(2), &json!(2), &json!(2)]);
        // x = np.array([3., -4.])
        for (name, expected) in [("min", -4.0), ("max", 3.0), ("mean", -0.5), ("deviation", 3.5), ("norm", 5.0)] {
            near(&found, name, expected);
        }
    }

    #[test]
    fn where_nothing_is_finite_there_is_no_number_to_tell() {
        for tensor in [Tensor::from_f32([0, 8], vec![]), Tensor::from_f32([1], vec![f32::NAN])] {
            let found = statistics(tensor.unwrap());
            assert!(found["min"].is_null() && found["mean"].is_null() && found["norm"].is_null(), "{found}");
        }
    }

    #[test]
    fn squares_beyond_f64_do_not_spoil_the_norm() {
        let found = statistics(Tensor::from_vec([2], vec![3e300, -4e300]).unwrap());
        // 1e300 * np.linalg.norm([3., -4.]), 1e300 * np.std([3., -4.])
        near(&found, "norm", 5e300);
        near(&found, "deviation", 3.5e300);
    }

    #[test]
    fn what_is_no_tensor_is_refused_by_name() {
        let told = run(&definition(), json!({}), vec![("value", Value::text("a"))]).unwrap_err();
        assert_eq!(told, "input `value`: expected a tensor, found text");
    }
}
