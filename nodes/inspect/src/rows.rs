//! Nodes `inspect.row_norms` and `inspect.row_cosines`: how long the rows of a matrix are, and how alike. Rows are tokens
//! mostly: visual tokens, patches of a picture, the words of a conditioning.

use crate::numbers::Numbers;
use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Failure, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind};

/// The most rows whose cosines are computed: 64 MiB of them.
const MOST_ROWS: usize = 4096;

/// The node type `inspect.row_norms`.
pub fn norms_definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "inspect.row_norms",
        "Row norms",
        "Inspect",
        "The length (L2 norm) of each row of a matrix. NaN and infinity count as 0; the statistics count them.",
    )
    .input("value", "Value", kind::ANY, "A tensor [rows, width] of any type, such as [8, 4096] visual tokens.")
    .output("norms", "Norms", kind::TENSOR, "f32 [rows].")
    .shaped(&[None]);
    NodeDefinition::new(description, |run| {
        let matrix = Matrix::of(run)?;
        let norms = matrix.norms(run)?.into_iter().map(narrow).collect();
        Ok(Outputs::new().with("norms", matrix.tensor(&[matrix.rows], norms)?))
    })
}

/// The node type `inspect.row_cosines`.
pub fn cosines_definition() -> NodeDefinition {
    let description = NodeDescription::new(
        "inspect.row_cosines",
        "Row cosines",
        "Inspect",
        "How alike each two rows of a matrix are: the cosine of their angle, from -1 to 1. A row of zeros has cosine 0 \
         with every row, itself included. NaN and infinity count as 0; the statistics count them.",
    )
    .input("value", "Value", kind::ANY, "A tensor [rows, width] of any type, of up to 4096 rows.")
    .output("cosines", "Cosines", kind::TENSOR, "f32 [rows, rows], symmetric.")
    .shaped(&[None, None]);
    NodeDefinition::new(description, |run| {
        let matrix = Matrix::of(run)?;
        if matrix.rows > MOST_ROWS {
            return Err(Failure::input("value", format!("at most {MOST_ROWS} rows"), format!("{} rows", matrix.rows))
                .remedy("take fewer of them"));
        }
        Ok(Outputs::new().with("cosines", matrix.tensor(&[matrix.rows, matrix.rows], matrix.cosines(run)?)?))
    })
}

/// Rows of numbers.
struct Matrix<'t> {
    numbers: Numbers<'t>,
    rows: usize,
    width: usize,
}

impl<'t> Matrix<'t> {
    fn of(run: &'t Run) -> Result<Self, Failure> {
        let tensor = run.tensor("value")?;
        let &[rows, width] = tensor.shape() else {
            return Err(Failure::input("value", "a tensor [rows, width]", run.value("value")?.to_string()));
        };
        Ok(Self { numbers: Numbers::of(tensor, "value")?, rows, width })
    }

    fn row(&self, row: usize) -> impl Iterator<Item = f64> {
        let numbers = self.numbers;
        (row * self.width..(row + 1) * self.width)
            .map(move |place| numbers.at(place))
            .map(|x| if x.is_finite() { x } else { 0.0 })
    }

    fn norms(&self, run: &Run) -> Result<Vec<f64>, Failure> {
        (0..self.rows)
            .map(|row| {
                run.check_cancelled()?;
                // In units of the largest, so that no square is beyond f64.
                let largest = self.row(row).fold(0.0, |largest: f64, x| largest.max(x.abs()));
                if largest == 0.0 {
                    return Ok(0.0);
                }
                Ok(self.row(row).map(|x| (x / largest) * (x / largest)).sum::<f64>().sqrt() * largest)
            })
            .collect()
    }

    fn cosines(&self, run: &Run) -> Result<Vec<f32>, Failure> {
        // f64 directions of 4096 rows of 4096 are 128 MiB; products of f32 ones would lose the last digits.
        let norms = self.norms(run)?;
        let mut directions = Vec::with_capacity(self.rows * self.width);
        for (row, norm) in norms.iter().enumerate() {
            let norm = if *norm > 0.0 { *norm } else { 1.0 };
            directions.extend(self.row(row).map(|x| x / norm));
        }
        let direction = |row: usize| directions.get(row * self.width..(row + 1) * self.width).unwrap_or_default();
        let mut cosines = vec![0f32; self.rows * self.rows];
        for a in 0..self.rows {
            run.check_cancelled()?;
            run.progress(a as u64, self.rows as u64, "comparing rows");
            for b in a..self.rows {
                let cosine: f64 = direction(a).iter().zip(direction(b)).map(|(x, y)| x * y).sum();
                let cosine = narrow(cosine.clamp(-1.0, 1.0));
                cosines[a * self.rows + b] = cosine;
                cosines[b * self.rows + a] = cosine;
            }
        }
        Ok(cosines)
    }

    fn tensor(&self, shape: &[usize], numbers: Vec<f32>) -> Result<Value, Failure> {
        Ok(Value::tensor(kind::TENSOR, json!({}), Tensor::from_f32(shape, numbers)?))
    }
}

/// As f32, the type that floats have on wires; what is beyond it becomes its largest number.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what f32 holds")]
fn narrow(number: f64) -> f32 {
    number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::test_run::{run, tensor};

    /// `x = (((np.arange(24) * 37) % 101 - 50) / 16).reshape(4, 6); x[2] = 0`
    fn matrix() -> Vec<f32> {
        let mut x: Vec<f32> = (0..24i16).map(|i| f32::from(i * 37 % 101 - 50) / 16.0).collect();
        x[12..18].fill(0.0);
        x
    }

    fn result(node: &NodeDefinition, value: Value, output: &str) -> Vec<f32> {
        let outputs = run(node, json!({}), vec![("value", value)]).unwrap();
        outputs.get(output).unwrap().as_tensor().unwrap().f32().unwrap().to_vec()
    }

    fn all_near(found: &[f32], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "expected {expected}, found {found}");
        }
    }

    #[test]
    fn rows_have_numpys_norms() {
        let norms = result(&norms_definition(), tensor([4, 6], matrix()).unwrap(), "norms");
        // np.linalg.norm(x, axis=1)
        all_near(&norms, &[4.845261860828576, 4.752877417943787, 0.0, 4.411897975928274]);
    }

    #[test]
    fn rows_have_numpys_cosines_and_a_row_of_zeros_has_none() {
        let cosines = result(&cosines_definition(), tensor([4, 6], matrix()).unwrap(), "cosines");
        // n = np.linalg.norm(x, axis=1, keepdims=True); d = x / np.where(n > 0, n, 1); d @ d.T
        #[rustfmt::skip]
        let expected = [
            1.0000000000000004, 0.2741116692091119, 0.0, -0.44312786798606724,
            0.2741116692091119, 1.0, 0.0, -0.28650637889986086,
            0.0, 0.0, 0.0, 0.0,
            -0.44312786798606724, -0.28650637889986086, 0.0, 1.0,
        ];
        all_near(&cosines, &expected);
    }

    #[test]
    fn rows_with_nan_keep_the_rest_of_their_length() {
        let bad = vec![f32::NAN, 3.0, 4.0, f32::INFINITY, 0.0, f32::NEG_INFINITY];
        assert_eq!(result(&norms_definition(), tensor([2, 3], bad.clone()).unwrap(), "norms"), [5.0, 0.0]);
        assert_eq!(result(&cosines_definition(), tensor([2, 3], bad).unwrap(), "cosines"), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn matrices_without_rows_or_columns_are_no_trouble() {
        assert!(result(&cosines_definition(), tensor([0, 6], vec![]).unwrap(), "cosines").is_empty());
        assert_eq!(result(&norms_definition(), tensor([2, 0], vec![]).unwrap(), "norms"), [0.0, 0.0]);
    }

    #[test]
    fn what_is_no_matrix_or_too_tall_is_refused() {
        let flat =
            run(&norms_definition(), json!({}), vec![("value", tensor([4], vec![0.0; 4]).unwrap())]).unwrap_err();
        assert_eq!(flat, "input `value`: expected a tensor [rows, width], found tensor f32 [4]");
        let tall = tensor([5000, 1], vec![0.0; 5000]).unwrap();
        let tall = run(&cosines_definition(), json!({}), vec![("value", tall)]).unwrap_err();
        assert_eq!(tall, "input `value`: expected at most 4096 rows, found 5000 rows; take fewer of them");
    }
}
