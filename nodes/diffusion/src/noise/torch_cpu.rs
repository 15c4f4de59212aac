//! `torch.randn` on the CPU. Short draws (fewer than 16 numbers) are Box–Muller pairs in f64 whose second half waits
//! for the next short draw; longer ones fill the tensor with uniforms and turn blocks of 16 into normals in place, in
//! the arithmetic of the tensor's type. For f32 that arithmetic is the vector code that x86 builds of PyTorch run
//! (a Cephes logarithm, sine and cosine), followed rounding by rounding.
//! Source: PyTorch `ATen/core/DistributionsHelper.h` and `ATen/native/cpu/DistributionTemplates.h`.

use std::f32::consts::TAU;

use super::{Mersenne, Precision};

/// Numbers that are made normal together; a draw shorter than this goes another way.
const BLOCK: usize = 16;

/// The state of `torch.Generator("cpu")`.
#[derive(Clone, Debug)]
pub struct TorchCpu {
    engine: Mersenne,
    /// The second half of the last Box–Muller pair of a short draw. It outlives longer draws in between.
    waiting: Option<f64>,
}

impl TorchCpu {
    /// The generator after `manual_seed(seed)`; only the low 32 bits of `seed` count.
    pub fn new(seed: u64) -> Self {
        Self { engine: Mersenne::new(seed), waiting: None }
    }

    /// `torch.randn(count, generator=self, dtype=precision)`, row-major, widened to f32.
    pub fn randn(&mut self, count: usize, precision: Precision) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| precision.round(self.normal() as f32)).collect();
        }
        let mut values: Vec<f32> = (0..count).map(|_| self.uniform(precision)).collect();
        let (blocks, rest) = values.as_chunks_mut::<BLOCK>();
        for block in blocks {
            make_normal(block, precision);
        }
        if !rest.is_empty()
            && let Some(last) = values.last_chunk_mut::<BLOCK>()
        {
            // The last 16 numbers are drawn afresh, those of the last whole block among them.
            *last = std::array::from_fn(|_| self.uniform(precision));
            make_normal(last, precision);
        }
        values
    }

    /// One number of a short draw: `at::normal_distribution<double>`.
    fn normal(&mut self) -> f64 {
        if let Some(value) = self.waiting.take() {
            return value;
        }
        let angle = std::f64::consts::TAU * self.uniform_f64();
        let radius = (-2.0 * (-self.uniform_f64()).ln_1p()).sqrt();
        self.waiting = Some(radius * angle.sin());
        radius * angle.cos()
    }

    /// A multiple of 2⁻⁵³ in [0, 1).
    fn uniform_f64(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        (self.engine.next_u64() & ((1 << BITS) - 1)) as f64 / (1u64 << BITS) as f64
    }

    /// A number in [0, 1) with as many random bits as the type's significand has.
    fn uniform(&mut self, precision: Precision) -> f32 {
        let bits = match precision {
            Precision::F32 => f32::MANTISSA_DIGITS,
            Precision::F16 => 11,
            Precision::Bf16 => 8,
        };
        (self.engine.next_u32() & ((1 << bits) - 1)) as f32 / (1u32 << bits) as f32
    }
}

/// Sixteen uniforms to sixteen normals: numbers 0..8 give the radii, 8..16 the angles.
fn make_normal(block: &mut [f32; BLOCK], precision: Precision) {
    for index in 0..BLOCK / 2 {
        let (uniform, turn) = (1.0 - block[index], block[index + BLOCK / 2]);
        let [cosine, sine] = match precision {
            Precision::F32 => pair_f32(uniform, turn),
            Precision::F16 | Precision::Bf16 => pair_half(uniform, turn, precision),
        };
        block[index] = cosine;
        block[index + BLOCK / 2] = sine;
    }
}

/// Box–Muller in f32, in the operations and roundings of PyTorch's vector code.
fn pair_f32(uniform: f32, turn: f32) -> [f32; 2] {
    let radius = (-2.0 * ln(uniform)).sqrt();
    let (sine, cosine) = sin_cos(TAU * turn);
    // The mean (0) is added, which turns −0 into 0.
    [radius * cosine + 0.0, radius * sine + 0.0]
}

/// Box–Muller where every operation's result is rounded to the half-precision type.
fn pair_half(uniform: f32, turn: f32, precision: Precision) -> [f32; 2] {
    let round = |value: f32| precision.round(value);
    let radius = round(round(-2.0 * round(uniform.ln())).sqrt());
    let angle = round((std::f64::consts::TAU * f64::from(turn)) as f32);
    [round(radius * round(angle.cos())) + 0.0, round(radius * round(angle.sin())) + 0.0]
}

/// Cephes' single-precision logarithm of a positive, normal `x`.
#[allow(clippy::excessive_precision, reason = "the coefficients are those that were published")]
fn ln(x: f32) -> f32 {
    const POLYNOMIAL: [f32; 8] = [
        -1.151_461_031e-1,
        1.167_699_874e-1,
        -1.242_014_084_6e-1,
        1.424_932_278_7e-1,
        -1.666_805_766_5e-1,
        2.000_071_476_5e-1,
        -2.499_999_399_3e-1,
        3.333_333_117_4e-1,
    ];
    // x = fraction · 2^exponent with a fraction in [√½, √2), given as its distance from 1.
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let half_to_one = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let mut distance = half_to_one - 1.0;
    if half_to_one < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1.0;
        distance += half_to_one;
    }
    let square = distance * distance;
    let mut series = 7.037_683_629_2e-2f32;
    for coefficient in POLYNOMIAL {
        series = series.mul_add(distance, coefficient);
    }
    // ln 2 in two parts, the small one first, so that the large one is exact.
    let low = exponent * -2.121_944_4e-4;
    let series = (series * distance).mul_add(square, low);
    let series = square.mul_add(-0.5, series);
    exponent.mul_add(0.693_359_375, distance + series)
}

/// Cephes' single-precision sine and cosine of `angle` in [0, 2π).
fn sin_cos(angle: f32) -> (f32, f32) {
    // The nearest even number of eighths of a turn is taken away, π/4 given in three parts.
    const EIGHTHS_PER_RADIAN: f32 = 4.0 * std::f32::consts::FRAC_1_PI;
    let octant = ((angle * EIGHTHS_PER_RADIAN) as i32 + 1) & !1;
    let eighths = octant as f32;
    let x = eighths.mul_add(-0.785_156_25, angle);
    let x = eighths.mul_add(-2.418_756_5e-4, x);
    let x = eighths.mul_add(-3.774_895e-8, x);
    let square = x * x;

    let cosine = 2.443_315_7e-5f32.mul_add(square, -1.388_731_6e-3);
    let cosine = cosine.mul_add(square, 4.166_664_6e-2) * square;
    let cosine = cosine.mul_add(square, -(square * 0.5)) + 1.0;

    let sine = (-1.951_529_6e-4f32).mul_add(square, 8.332_161e-3);
    let sine = sine.mul_add(square, -1.666_665_5e-1) * square;
    let sine = sine.mul_add(x, x);

    match octant & 6 {
        0 => (sine, cosine),
        2 => (cosine, -sine),
        4 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}
