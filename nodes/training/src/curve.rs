//! The loss curve of a run: a row each few steps in a CSV file, and the same as a picture.

use crate::curve_picture;
use mgie_plugin_api::{Failure, file};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Steps that one row is the mean of.
const STEPS_A_ROW: u64 = 10;
/// Rows that the progress line is the mean of.
const RECENT: usize = 50;
/// A CSV larger than this is none of ours.
const LARGEST: u64 = 1 << 30;

/// The curve so far.
pub struct Curve {
    path: PathBuf,
    names: Vec<String>,
    /// Step, learning rate, gradient norm, terms.
    rows: Vec<(u64, Vec<f64>)>,
    /// What the next row will be the mean of.
    pending: Vec<Vec<f64>>,
    recent: VecDeque<Vec<f64>>,
}

impl Curve {
    /// The rows of an earlier run up to `step`, where there is one, and the steps after its last row ([`Curve::pending`]).
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn resume(path: PathBuf, step: u64, pending: Vec<Vec<f64>>) -> Result<Self, Failure> {
        let mut curve = Self { path, names: Vec::new(), rows: Vec::new(), pending, recent: VecDeque::new() };
        if step == 0 || !curve.path.exists() {
            return Ok(curve);
        }
        let text = String::from_utf8_lossy(&file::read_whole(&curve.path, LARGEST)?).into_owned();
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default().split(',').skip(3);
        curve.names = names.map(str::to_owned).collect();
        for line in lines {
            let mut cells = line.split(',');
            let Some(at) = cells.next().and_then(|cell| cell.parse::<u64>().ok()) else { continue };
            let values: Vec<f64> = cells.filter_map(|cell| cell.parse().ok()).collect();
            if at <= step && values.len() == curve.names.len() + 2 {
                curve.rows.push((at, values));
            }
        }
        Ok(curve)
    }

    /// Adds a step.
    pub fn push(&mut self, step: u64, rate: f64, norm: f64, terms: &[(&'static str, f64)]) {
        self.names = terms.iter().map(|(name, _)| (*name).to_owned()).collect();
        let values: Vec<f64> = [rate, norm].into_iter().chain(terms.iter().map(|(_, value)| *value)).collect();
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(values.clone());
        self.pending.push(values);
        if step.is_multiple_of(STEPS_A_ROW) {
            let pending = std::mem::take(&mut self.pending);
            self.rows.push((step, mean(pending.iter())));
        }
    }

    /// What no row tells yet, a step after the other: kept with the checkpoint, so that the next row is the mean of as many
    /// steps whether the run stopped in between or not.
    pub fn pending(&self) -> &[Vec<f64>] {
        &self.pending
    }

    /// The terms' means over the last steps, for people.
    pub fn recent(&self) -> String {
        let means = mean(self.recent.iter());
        let named = self.names.iter().zip(means.iter().skip(2));
        named.map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(", ")
    }

    /// Writes the CSV and the picture beside it.
    ///
    /// # Errors
    /// They cannot be written; the old ones stay.
    pub fn write(&self) -> Result<(), Failure> {
        let mut text = format!("step,learning_rate,gradient_norm,{}\n", self.names.join(","));
        for (step, values) in &self.rows {
            let _ = write!(text, "{step}");
            for value in values {
                let _ = write!(text, ",{value:.6e}");
            }
            text.push('\n');
        }
        file::write_whole(&self.path, &[text.as_bytes()])?;
        // Without the learning rate and the gradient's norm, which have scales of their own.
        let rows: Vec<(u64, Vec<f64>)> =
            self.rows.iter().map(|(step, values)| (*step, values.get(2..).unwrap_or_default().to_vec())).collect();
        file::write_whole(&self.path.with_extension("png"), &[&curve_picture::draw(&self.names, &rows)?])
    }
}

fn mean<'a>(rows: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let (mut sums, mut count) = (Vec::new(), 0usize);
    for row in rows {
        sums.resize(row.len(), 0.0);
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        count += 1;
    }
    sums.iter().map(|sum| sum / count.max(1) as f64).collect()
}
