//! A loss curve as a picture: one line a term over the steps, on a logarithmic scale, each beside its name.

use mgie_image::lettering::Canvas;
use mgie_plugin_api::Failure;

/// Size in pixels, and what lies around the lines.
const WIDTH: usize = 900;
const HEIGHT: usize = 480;
const LEFT: usize = 80;
const RIGHT: usize = 20;
const TOP: usize = 30;
const BOTTOM: usize = 40;

const PAPER: [u8; 3] = [250, 250, 248];
const INK: [u8; 3] = [40, 40, 44];
const GRID: [u8; 3] = [222, 222, 220];
/// One for each term; told apart also by those who see few colours.
const LINES: [[u8; 3]; 6] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0], [86, 180, 233]];

/// Draws `rows` (the step, then a value a name; values that are not above 0 have no place on the scale).
///
/// # Errors
/// What the encoder says.
pub fn draw(names: &[String], rows: &[(u64, Vec<f64>)]) -> Result<Vec<u8>, Failure> {
    let mut canvas = Canvas::new(WIDTH, HEIGHT, PAPER)?;
    let values = || rows.iter().flat_map(|(_, values)| values).copied().filter(|value| *value > 0.0);
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let last = rows.last().map_or(1, |(step, _)| (*step).max(1));
    if !low.is_finite() {
        canvas.text(LEFT as i64, TOP as i64, WIDTH - LEFT - RIGHT, 2, "no steps yet", INK);
        return canvas.to_png();
    }
    let (bottom, top) = (low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0));
    let x = |step: u64| LEFT as f64 + (WIDTH - LEFT - RIGHT) as f64 * step as f64 / last as f64;
    let y = |value: f64| TOP as f64 + (HEIGHT - TOP - BOTTOM) as f64 * (top - value.log10()) / (top - bottom);
    for power in bottom as i32..=top as i32 {
        let at = y(10f64.powi(power)) as i64;
        canvas.line((LEFT as i64, at), ((WIDTH - RIGHT) as i64, at), GRID);
        canvas.text(8, at - 6, LEFT - 12, 1, &format!("1e{power}"), INK);
    }
    for part in 0..=4u64 {
        let step = last * part / 4;
        let at = x(step) as i64;
        canvas.line((at, TOP as i64), (at, (HEIGHT - BOTTOM) as i64), GRID);
        canvas.text(at - 24, (HEIGHT - BOTTOM + 10) as i64, 80, 1, &step.to_string(), INK);
    }
    for (index, name) in names.iter().enumerate() {
        let colour = LINES[index % LINES.len()];
        let points: Vec<(i64, i64)> = rows
            .iter()
            .filter_map(|(step, values)| Some((*step, *values.get(index)?)))
            .filter(|(_, value)| *value > 0.0)
            .map(|(step, value)| (x(step) as i64, y(value) as i64))
            .collect();
        for pair in points.windows(2) {
            canvas.line(pair[0], pair[1], colour);
        }
        let legend = (LEFT + 10 + index * 190) as i64;
        canvas.fill_rect(legend, 10, 14, 10, colour);
        canvas.text(legend + 20, 9, 165, 1, name, INK);
    }
    canvas.to_png()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_a_png_whatever_its_values() {
        let names = vec!["l1".to_owned(), "kl".to_owned()];
        for rows in [
            vec![],
            vec![(10, vec![0.0, 0.0])],
            vec![(10, vec![1.0, f64::NAN]), (20, vec![1e-30, 1e30])],
            vec![(10, vec![0.5, 3.0]), (20, vec![0.25, 2.0]), (30, vec![0.25])],
        ] {
            let png = draw(&names, &rows).unwrap();
            let size = image::load_from_memory(&png).unwrap();
            assert_eq!((size.width(), size.height()), (WIDTH as u32, HEIGHT as u32), "{rows:?}");
        }
    }
}
