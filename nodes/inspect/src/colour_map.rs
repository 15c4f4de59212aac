//! Numbers to colours. Both maps run through published control points and are interpolated between them in Oklab (Björn
//! Ottosson, 2020), a space in which equal steps look equally large, so that no edge is seen where none is.
//!
//! - Sequential: nine evenly spaced colours of viridis (van der Walt and Smith, 2015), dark blue to yellow.
//! - Diverging: blue, light grey and red of Moreland's "cool to warm" (Diverging Color Maps for Scientific Visualization,
//!   2009), whose grey is where the middle of the range is.

/// What is not finite is painted in this, which is in neither map.
pub const NOT_FINITE: [u8; 3] = [255, 0, 255];

const VIRIDIS: [[u8; 3]; 9] = [
    [0x44, 0x01, 0x54],
    [0x47, 0x2d, 0x7b],
    [0x3b, 0x52, 0x8b],
    [0x2c, 0x72, 0x8e],
    [0x21, 0x90, 0x8c],
    [0x27, 0xad, 0x81],
    [0x5d, 0xc8, 0x63],
    [0xaa, 0xdc, 0x32],
    [0xfd, 0xe7, 0x25],
];

const COOL_TO_WARM: [[u8; 3]; 3] = [[59, 76, 192], [221, 221, 221], [180, 4, 38]];

/// Which colours stand for a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// Dark to light, for numbers that begin somewhere.
    Sequential,
    /// Blue through grey to red, for numbers about a middle.
    Diverging,
}

/// 256 colours from the lowest to the highest number of a range.
#[derive(Clone, Debug)]
pub struct ColourMap {
    low: f64,
    high: f64,
    table: Vec<[u8; 3]>,
}

impl ColourMap {
    /// Colours for the numbers from `low` to `high`.
    pub fn new(colours: Colours, low: f64, high: f64) -> Self {
        let points: &[[u8; 3]] = match colours {
            Colours::Sequential => &VIRIDIS,
            Colours::Diverging => &COOL_TO_WARM,
        };
        Self { low, high, table: (0..256u16).map(|step| between(points, f64::from(step) / 255.0)).collect() }
    }

    /// The colour of a number; of the nearest end for one out of range, of the middle where the range is a single
    /// number, and [`NOT_FINITE`] for NaN and infinity.
    pub fn colour(&self, number: f64) -> [u8; 3] {
        if !number.is_finite() {
            return NOT_FINITE;
        }
        // Halved, because the width of a range of f64 may be beyond f64.
        let width = self.high / 2.0 - self.low / 2.0;
        let share = if width > 0.0 { ((number / 2.0 - self.low / 2.0) / width).clamp(0.0, 1.0) } else { 0.5 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let step = (share * 255.0).round() as usize;
        self.table.get(step).copied().unwrap_or(NOT_FINITE)
    }
}

/// The colour at `share`, 0 to 1, of the way through evenly spaced control points.
fn between(points: &[[u8; 3]], share: f64) -> [u8; 3] {
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    let along = share * (points.len() - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a handful of points")]
    let first = (along.floor() as usize).min(points.len().saturating_sub(2));
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    let part = along - first as f64;
    let oklab = |at: usize| points.get(at).map_or([0.0; 3], |colour| to_oklab(*colour));
    let (a, b) = (oklab(first), oklab(first + 1));
    from_oklab(std::array::from_fn(|axis| a[axis] + (b[axis] - a[axis]) * part))
}

type Rows = [[f64; 3]; 3];

const TO_CONES: Rows = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];
const TO_LAB: Rows = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];
const FROM_LAB: Rows = [
    [1.0, 0.396_337_777_4, 0.215_803_757_3],
    [1.0, -0.105_561_345_8, -0.063_854_172_8],
    [1.0, -0.089_484_177_5, -1.291_485_548_0],
];
const FROM_CONES: Rows = [
    [4.076_741_662_1, -3.307_711_591_3, 0.230_969_929_2],
    [-1.268_438_004_6, 2.609_757_401_1, -0.341_319_396_5],
    [-0.004_196_086_3, -0.703_418_614_7, 1.707_614_701_0],
];

fn times(rows: &Rows, x: [f64; 3]) -> [f64; 3] {
    rows.map(|row| row[0] * x[0] + row[1] * x[1] + row[2] * x[2])
}

fn to_oklab(colour: [u8; 3]) -> [f64; 3] {
    let linear = colour.map(|byte| {
        let encoded = f64::from(byte) / 255.0;
        if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
    });
    times(&TO_LAB, times(&TO_CONES, linear).map(f64::cbrt))
}

fn from_oklab(lab: [f64; 3]) -> [u8; 3] {
    let linear = times(&FROM_CONES, times(&FROM_LAB, lab).map(|cone| cone * cone * cone));
    linear.map(|light| {
        let light = light.clamp(0.0, 1.0);
        let encoded = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let byte = (encoded * 255.0).round() as u8;
        byte
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: [u8; 3], expected: [u8; 3]) {
        let apart = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
        assert!(apart <= Some(1), "expected {expected:?}, found {found:?}");
    }

    #[test]
    fn colours_between_the_control_points_are_numpys() {
        // The two matrices of Oklab and np.linalg.inv of them; table[[0, 40, 128, 200, 255]] of the interpolated points.
        let sequential = ColourMap::new(Colours::Sequential, 0.0, 255.0);
        let expected: [[u8; 3]; 5] = [[68, 1, 84], [69, 55, 127], [33, 144, 140], [117, 206, 90], [253, 231, 37]];
        for (number, expected) in [0.0, 40.0, 128.0, 200.0, 255.0].into_iter().zip(expected) {
            near(sequential.colour(number), expected);
        }
        let diverging = ColourMap::new(Colours::Diverging, 0.0, 255.0);
        let expected: [[u8; 3]; 5] = [[59, 76, 192], [104, 125, 205], [221, 220, 220], [207, 119, 116], [180, 4, 38]];
        for (number, expected) in [0.0, 40.0, 128.0, 200.0, 255.0].into_iter().zip(expected) {
            near(diverging.colour(number), expected);
        }
    }

    #[test]
    fn control_points_are_met_exactly() {
        for point in VIRIDIS.into_iter().chain(COOL_TO_WARM) {
            assert_eq!(from_oklab(to_oklab(point)), point);
        }
    }

    #[test]
    fn lightness_grows_in_even_steps_along_the_sequential_map() {
        let map = ColourMap::new(Colours::Sequential, 0.0, 15.0);
        let lightness: Vec<f64> = (0..16).map(|step| to_oklab(map.colour(f64::from(step)))[0]).collect();
        let even = (lightness[15] - lightness[0]) / 15.0;
        for pair in lightness.windows(2) {
            let step = pair[1] - pair[0];
            assert!(step > 0.6 * even && step < 1.4 * even, "a step of {step}, even would be {even}");
        }
    }

    #[test]
    fn what_is_not_finite_or_out_of_range_has_its_colour() {
        let map = ColourMap::new(Colours::Diverging, -1.0, 1.0);
        assert_eq!(map.colour(f64::NAN), NOT_FINITE);
        assert_eq!(map.colour(f64::NEG_INFINITY), NOT_FINITE);
        assert_eq!((map.colour(-7.0), map.colour(1e308)), ([59, 76, 192], [180, 4, 38]));
        let point = ColourMap::new(Colours::Diverging, 2.0, 2.0);
        near(point.colour(2.0), [221, 221, 221]);
        let widest = ColourMap::new(Colours::Diverging, -f64::MAX, f64::MAX);
        near(widest.colour(0.0), [221, 221, 221]);
    }
}
