//! The exponential and the normal distribution of f32 numbers, written so that loops over them become vector code.

/// e to the `x`, to about two units in the last place; NaN for NaN, and held at the ends of f32's normal range.
/// Source: Cephes' `expf`, with the exponent put together in integers so that loops over it become vector code.
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the coefficients are those that were published")]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding it leaves a whole number in the low bits of the significand.
    const SHIFT: f32 = 12_582_912.0;
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let twos = shifted - SHIFT;
    let rest = x - twos * 0.693_359_375 - twos * -2.121_944_4e-4;
    let series = 1.987_569_15e-4 * rest + 1.398_199_950_7e-3;
    let series = series * rest + 8.333_451_907_3e-3;
    let series = series * rest + 4.166_579_589_4e-2;
    let series = series * rest + 1.666_666_545_9e-1;
    let series = series * rest + 5.000_000_120_1e-1;
    let value = series * (rest * rest) + rest + 1.0;
    let power = f32::from_bits((shifted.to_bits().wrapping_sub(SHIFT.to_bits()) << 23).wrapping_add(0x3f80_0000));
    value * power
}

/// The share of the normal distribution below `x`, to about 2e-7, and its density there.
/// Source: erfc(z) · e^(z²) / t is nearly a polynomial in t = 1 / (1 + z/2); the coefficients are a fit of our own over
/// 0 ≤ z ≤ 9.5, to 5e-8.
#[inline(always)]
#[allow(clippy::excessive_precision, reason = "the coefficients as they were fitted")]
pub(crate) fn normal_distribution(x: f32) -> (f32, f32) {
    const HALF_SQRT: f32 = std::f32::consts::FRAC_1_SQRT_2;
    const DENSITY_AT_0: f32 = 0.398_942_28;
    let z = x.abs() * HALF_SQRT;
    let t = 1.0 / (1.0 + 0.5 * z);
    let series = -0.059_941_493 * t + 0.288_647_53;
    let series = series * t - 0.495_214_79;
    let series = series * t + 0.286_715_66;
    let series = series * t - 0.032_194_782;
    let series = series * t + 0.204_866_78;
    let series = series * t + 0.242_599_95;
    let series = series * t + 0.282_437_87;
    let series = series * t + 0.282_083_24;
    let bell = exp(-0.5 * x * x);
    let beyond = 0.5 * series * t * bell;
    (if x < 0.0 { beyond } else { 1.0 - beyond }, DENSITY_AT_0 * bell)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_in_the_last_place_over_its_whole_range() {
        for index in -870_000..880_000 {
            let x = index as f32 * 1e-4;
            let (found, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / exact - 1.0).abs() < 2.4e-7, "e^{x}: expected {exact}, found {found}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-1000.0) > 0.0 && exp(-1000.0) < 1e-37 && exp(1000.0).is_finite());
    }

    #[test]
    fn the_normal_distribution_has_pythons_values() {
        // statistics.NormalDist().cdf and .pdf of Python 3.11.
        for (x, below, density) in [
            (-6.0, 9.865876449133282e-10, 6.075882849823286e-9),
            (-2.5, 0.006209665325776159, 0.01752830049356854),
            (-0.3, 0.3820885778110474, 0.38138781546052414),
            (0.0, 0.5, 0.3989422804014327),
            (1e-3, 0.500398942213911, 0.3989420809303424),
            (1.7, 0.955434537241457, 0.09404907737688695),
            (4.0, 0.9999683287581669, 0.00013383022576488537),
            (30.0, 1.0, 0.0),
        ] {
            let (found, found_density) = normal_distribution(x);
            assert!(
                (f64::from(found) - below).abs() < 2e-7 * below.max(0.02),
                "Φ({x}): expected {below}, found {found}"
            );
            assert!((f64::from(found_density) - density).abs() < 1e-7, "φ({x}): {density}, found {found_density}");
        }
    }
}
