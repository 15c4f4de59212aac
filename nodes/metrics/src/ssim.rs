//! Structural similarity (Wang et al. 2004), as scikit-image's `structural_similarity(channel_axis=-1, data_range=1)`
//! computes it with its defaults: uniform windows of 7 × 7, unbiased covariance, windows that reach over the border left
//! out, the mean over places and channels.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::pixels::Rgb;

/// Side of the window.
pub const SIDE: usize = 7;

const PIXELS: f64 = (SIDE * SIDE) as f64;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

/// Sums over a window: x, y, x², y², xy.
type Sums = [f64; 5];

/// The structural similarity of two pictures of one size, each side at least [`SIDE`], −1 to 1.
pub(crate) fn ssim(a: &Rgb, b: &Rgb) -> f64 {
    let (across, down) = (a.width + 1 - SIDE, a.height + 1 - SIDE);
    let rows: Vec<f64> = (0..down).into_par_iter().map(|top| row(a, b, top)).collect();
    rows.iter().sum::<f64>() / (across * down * 3) as f64
}

/// The sum of the similarities of all windows whose first row is `top`, over the channels.
fn row(a: &Rgb, b: &Rgb, top: usize) -> f64 {
    let length = a.width * 3;
    let mut columns = vec![Sums::default(); length];
    for y in top..top + SIDE {
        let line = y * length..(y + 1) * length;
        for ((sums, x), y) in columns.iter_mut().zip(&a.samples[line.clone()]).zip(&b.samples[line]) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            add(sums, &[x, y, x * x, y * y, x * y]);
        }
    }
    let window = |first: usize| {
        let mut sums = Sums::default();
        columns[first..].iter().step_by(3).take(SIDE).for_each(|column| add(&mut sums, column));
        similarity(&sums)
    };
    (0..length - (SIDE - 1) * 3).map(window).sum()
}

fn add(sums: &mut Sums, more: &Sums) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

fn similarity(sums: &Sums) -> f64 {
    let [x, y, xx, yy, xy] = sums.map(|sum| sum / PIXELS);
    let unbiased = PIXELS / (PIXELS - 1.0);
    let (var_x, var_y, covariance) = (unbiased * (xx - x * x), unbiased * (yy - y * y), unbiased * (xy - x * y));
    (2.0 * x * y + C1) * (2.0 * covariance + C2) / ((x * x + y * y + C1) * (var_x + var_y + C2))
}
