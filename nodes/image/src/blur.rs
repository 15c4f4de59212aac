//! A Gaussian blur whose cost does not grow with its radius, to feather masks: three passes of a box whose length is not
//! a whole number. Source: Gwosdek, Grewenig, Bruhn, Weickert, "Theoretical foundations of Gaussian convolution by
//! extended box filtering", 2011; Pillow's `GaussianBlur` takes the same way.

const PASSES: usize = 3;

/// Blurs one channel of `width × height` samples in 0..1, Gaussian with a standard deviation of `sigma` pixels; beyond
/// the edges the edge's own samples go on. Areas of one value keep it.
pub fn gaussian(samples: &[f32], width: usize, height: usize, sigma: f64) -> Vec<f32> {
    if sigma <= 0.0 || samples.is_empty() {
        return samples.to_vec();
    }
    let radius = box_radius(sigma);
    let mut across = samples.to_vec();
    blur_rows(&mut across, width, radius);
    let mut down = transposed(&across, width, height);
    blur_rows(&mut down, height, radius);
    transposed(&down, height, width)
}

/// Radius of the box that, used [`PASSES`] times, has the variance `sigma`²: a whole part, and how much of the next
/// sample on either side counts.
fn box_radius(sigma: f64) -> (usize, f64) {
    let variance = sigma * sigma / PASSES as f64;
    // A box of length 2·whole + 1 has the variance (length² - 1) / 12; the largest one that does not exceed it.
    let whole = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
    let part = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
        / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
    (whole as usize, part)
}

fn blur_rows(samples: &mut [f32], length: usize, (whole, part): (usize, f64)) {
    let weight = 1.0 / (2.0 * whole as f64 + 1.0 + 2.0 * part);
    // sums[i] is the sum of the first i samples: flat areas give exact differences, where a running sum would drift.
    let mut sums = vec![0.0_f64; length + 1];
    for row in samples.chunks_exact_mut(length) {
        for _ in 0..PASSES {
            let mut sum = 0.0;
            for (sample, slot) in row.iter().zip(&mut sums[1..]) {
                sum += f64::from(*sample);
                *slot = sum;
            }
            let sample = |index: usize| sums[index + 1] - sums[index];
            let (first, last) = (sample(0), sample(length - 1));
            for (index, out) in row.iter_mut().enumerate() {
                let before = whole.saturating_sub(index);
                let after = (index + whole + 1).saturating_sub(length);
                let inside = sums[(index + whole + 1).min(length)] - sums[index.saturating_sub(whole)];
                let left = if index > whole { sample(index - whole - 1) } else { first };
                let right = if index + whole + 1 < length { sample(index + whole + 1) } else { last };
                let total = inside + before as f64 * first + after as f64 * last + part * (left + right);
                *out = (total * weight) as f32;
            }
        }
    }
}

fn transposed(samples: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut result = vec![0.0; samples.len()];
    for (y, row) in samples.chunks_exact(width).enumerate() {
        for (x, &sample) in row.iter().enumerate() {
            result[x * height + y] = sample;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum that defines a Gaussian blur, along one row.
    fn plain(row: &[f32], sigma: f64) -> Vec<f64> {
        let reach = (sigma * 6.0).ceil() as i64;
        let weigh = |d: i64| (-(d * d) as f64 / (2.0 * sigma * sigma)).exp();
        let total: f64 = (-reach..=reach).map(weigh).sum();
        let sample = |i: i64| f64::from(row[i.clamp(0, row.len() as i64 - 1) as usize]);
        let blurred = |i: i64| (-reach..=reach).map(|d| weigh(d) * sample(i + d)).sum::<f64>() / total;
        (0..row.len() as i64).map(blurred).collect()
    }

    #[test]
    fn it_is_close_to_the_plain_sum() {
        // Far from the edges: there each pass goes on from what the one before left, which the plain sum does not.
        let row: Vec<f32> = (0..1000).map(|i| if (400..430).contains(&i) || i > 560 { 1.0 } else { 0.0 }).collect();
        for (sigma, allowed) in [(0.4, 0.04), (1.0, 0.01), (2.5, 0.02), (8.0, 0.02), (30.0, 0.02)] {
            let found = gaussian(&row, 1000, 1, sigma);
            let expected = plain(&row, sigma);
            let worst = found.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < allowed, "sigma {sigma}: off by {worst}");
        }
    }

    #[test]
    fn flat_areas_keep_their_value_and_both_directions_blur_alike() {
        let mut mask = vec![0.0; 40 * 40];
        (0..40 * 20).for_each(|i| mask[i] = 1.0);
        let down = gaussian(&mask, 40, 40, 2.0);
        assert_eq!((down[0], down[40 * 39]), (1.0, 0.0));
        let across = gaussian(&transposed(&mask, 40, 40), 40, 40, 2.0);
        assert_eq!(transposed(&across, 40, 40), down);
        let one = gaussian(&[0.5], 1, 1, 100.0);
        assert!((one[0] - 0.5).abs() < 1e-6);
    }
}
