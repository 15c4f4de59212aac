//! The transforms between pictures and the tiles of [`crate::winograd`], a vector of channels at a time.
//!
//! Pictures here lie pixel by pixel, the channels of a pixel side by side in `width` numbers, a multiple of [`LANES`]; tiles lie
//! as 36 matrices `[tiles, width]`, one for each place in a tile.

use std::ops::{Add, Mul, Sub};

use pulp::{Simd, WithSimd};

/// Numbers that channels are rounded up to: the widest vector's.
pub(crate) const LANES: usize = 16;

/// Pixels of the result along each side of a tile.
pub(crate) const STEP: usize = 4;

/// Numbers along each side of a tile.
const SIDE: usize = STEP + 2;

/// Numbers of a tile.
pub(crate) const PLACES: usize = SIDE * SIDE;

/// Where the tiles of one picture lie in the picture and among all tiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiles {
    /// Tiles of the picture.
    pub(crate) down: usize,
    pub(crate) across: usize,
    /// The number of the first, and how many there are of all pictures.
    pub(crate) first: usize,
    pub(crate) all: usize,
    /// Numbers of a pixel.
    pub(crate) width: usize,
    /// Pixels around the picture.
    pub(crate) border: usize,
}

impl Tiles {
    /// Numbers of a line of the picture with its border.
    fn line(self) -> usize {
        (self.across * STEP + 2 * self.border) * self.width
    }

    /// Numbers of the picture with its border.
    pub(crate) fn picture(self) -> usize {
        (self.down * STEP + 2 * self.border) * self.line()
    }

    /// Where a tile begins in the picture (its border included) and in each matrix.
    #[inline(always)]
    fn starts(self, y: usize, x: usize) -> (usize, usize) {
        let tile = self.first + y * self.across + x;
        (y * STEP * self.line() + x * STEP * self.width, tile * self.width)
    }
}

/// A vector of channels' numbers. With operators of its own, since closures would not be compiled for the processor's
/// vectors.
#[derive(Clone, Copy)]
struct Vector<S: Simd> {
    simd: S,
    numbers: S::f32s,
}

impl<S: Simd> Vector<S> {
    #[inline(always)]
    fn zero(simd: S) -> Self {
        Self { simd, numbers: simd.splat_f32s(0.0) }
    }

    /// The numbers from `start` on.
    #[inline(always)]
    fn load(simd: S, from: &[f32], start: usize) -> Self {
        Self { simd, numbers: S::as_simd_f32s(&from[start..start + S::F32_LANES]).0[0] }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32], start: usize) {
        S::as_mut_simd_f32s(&mut to[start..start + S::F32_LANES]).0[0] = self.numbers;
    }

    /// `self + factor · other`
    #[inline(always)]
    fn plus(self, factor: f32, other: Self) -> Self {
        let factor = self.simd.splat_f32s(factor);
        Self { numbers: self.simd.mul_add_e_f32s(factor, other.numbers, self.numbers), ..self }
    }
}

impl<S: Simd> Add for Vector<S> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self { numbers: self.simd.add_f32s(self.numbers, other.numbers), ..self }
    }
}

impl<S: Simd> Sub for Vector<S> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self { numbers: self.simd.sub_f32s(self.numbers, other.numbers), ..self }
    }
}

impl<S: Simd> Mul<f32> for Vector<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, factor: f32) -> Self {
        Self { numbers: self.simd.mul_f32s(self.numbers, self.simd.splat_f32s(factor)), ..self }
    }
}

/// One of the transforms below: of a column or a row of a tile.
trait Transform<const FROM: usize, const TO: usize> {
    fn along<S: Simd>(x: [Vector<S>; FROM]) -> [Vector<S>; TO];

    /// Along the columns of a square, then along its rows.
    #[inline(always)]
    fn both<S: Simd>(simd: S, square: [[Vector<S>; FROM]; FROM]) -> [[Vector<S>; TO]; TO] {
        let zero = Vector::zero(simd);
        let mut half = [[zero; FROM]; TO];
        for x in 0..FROM {
            let mut column = [zero; FROM];
            for y in 0..FROM {
                column[y] = square[y][x];
            }
            let column = Self::along(column);
            for y in 0..TO {
                half[y][x] = column[y];
            }
        }
        let mut result = [[zero; TO]; TO];
        for y in 0..TO {
            result[y] = Self::along(half[y]);
        }
        result
    }
}

/// Bᵀ of Lavin and Gray, F(4, 3): what a tile's pixels become before the product.
struct Input;

impl Transform<SIDE, SIDE> for Input {
    #[inline(always)]
    fn along<S: Simd>(d: [Vector<S>; SIDE]) -> [Vector<S>; SIDE] {
        let (even, odd) = (d[4].plus(-4.0, d[2]), d[3].plus(-4.0, d[1]));
        let (near, far) = (d[4] - d[2], d[3] - d[1]);
        [
            d[4].plus(4.0, d[0]).plus(-5.0, d[2]),
            even + odd,
            even - odd,
            near.plus(2.0, far),
            near.plus(-2.0, far),
            d[5].plus(4.0, d[1]).plus(-5.0, d[3]),
        ]
    }
}

/// Aᵀ: what the products of a tile become.
struct Output;

impl Transform<SIDE, STEP> for Output {
    #[inline(always)]
    fn along<S: Simd>(m: [Vector<S>; SIDE]) -> [Vector<S>; STEP] {
        let (sum1, difference1) = (m[1] + m[2], m[1] - m[2]);
        let (sum2, difference2) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + sum1 + sum2,
            difference1.plus(2.0, difference2),
            sum1.plus(4.0, sum2),
            difference1.plus(8.0, difference2) + m[5],
        ]
    }
}

/// A: what the gradient of a tile's result becomes before the product.
struct Gradient;

impl Transform<STEP, SIDE> for Gradient {
    #[inline(always)]
    fn along<S: Simd>(y: [Vector<S>; STEP]) -> [Vector<S>; SIDE] {
        let (even1, odd1) = (y[0] + y[2], y[1] + y[3]);
        let (even2, odd2) = (y[0].plus(4.0, y[2]), (y[1] * 2.0).plus(8.0, y[3]));
        [y[0], even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2, y[3]]
    }
}

/// G: what the taps of a kernel become.
struct Taps;

impl Transform<3, SIDE> for Taps {
    #[inline(always)]
    fn along<S: Simd>(w: [Vector<S>; 3]) -> [Vector<S>; SIDE] {
        let ends = w[0] + w[2];
        let far = (w[0] * (1.0 / 24.0)).plus(1.0 / 6.0, w[2]);
        [
            w[0] * 0.25,
            (ends + w[1]) * (-1.0 / 6.0),
            (ends - w[1]) * (-1.0 / 6.0),
            far.plus(1.0 / 12.0, w[1]),
            far.plus(-1.0 / 12.0, w[1]),
            w[2],
        ]
    }
}

/// Gᵀ: what the products' gradient becomes as the taps'.
struct TapGradients;

impl Transform<SIDE, 3> for TapGradients {
    #[inline(always)]
    fn along<S: Simd>(u: [Vector<S>; SIDE]) -> [Vector<S>; 3] {
        let (sum1, difference1) = ((u[1] + u[2]) * (-1.0 / 6.0), (u[1] - u[2]) * (-1.0 / 6.0));
        let (sum2, difference2) = (u[3] + u[4], u[3] - u[4]);
        [
            sum1.plus(0.25, u[0]).plus(1.0 / 24.0, sum2),
            difference1.plus(1.0 / 12.0, difference2),
            (sum1 + u[5]).plus(1.0 / 6.0, sum2),
        ]
    }
}

/// Loads a square, whose lines and places are so far apart, a vector each.
#[inline(always)]
fn square<S: Simd, const SIDE: usize>(
    simd: S,
    from: &[f32],
    start: usize,
    [line, place]: [usize; 2],
) -> [[Vector<S>; SIDE]; SIDE] {
    let mut square = [[Vector::zero(simd); SIDE]; SIDE];
    for (y, row) in square.iter_mut().enumerate() {
        for (x, vector) in row.iter_mut().enumerate() {
            *vector = Vector::load(simd, from, start + y * line + x * place);
        }
    }
    square
}

/// The way back.
#[inline(always)]
fn put<S: Simd, const SIDE: usize>(
    square: [[Vector<S>; SIDE]; SIDE],
    to: &mut [f32],
    start: usize,
    [line, place]: [usize; 2],
) {
    for (y, row) in square.iter().enumerate() {
        for (x, vector) in row.iter().enumerate() {
            vector.store(to, start + y * line + x * place);
        }
    }
}

/// What a picture's pixels become in tiles, from a picture with a border of one pixel.
pub(crate) struct Spread<'a> {
    pub(crate) picture: &'a [f32],
    pub(crate) tiles: Tiles,
    pub(crate) planes: &'a mut [f32],
    /// Whether the picture is the gradient of a result, whose tiles are the adjoint of [`Gather`]'s.
    pub(crate) gradient: bool,
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { picture, tiles, planes, gradient } = self;
        let (width, plane) = (tiles.width, tiles.all * tiles.width);
        let (near, far) = ([tiles.line(), width], [SIDE * plane, plane]);
        for y in 0..tiles.down {
            for x in 0..tiles.across {
                let (from, to) = tiles.starts(y, x);
                for channel in (0..width).step_by(S::F32_LANES) {
                    let tile = if gradient {
                        // Its tiles do not overlap: they begin inside the border.
                        Gradient::both(simd, square(simd, picture, from + near[0] + near[1] + channel, near))
                    } else {
                        Input::both(simd, square(simd, picture, from + channel, near))
                    };
                    put(tile, planes, to + channel, far);
                }
            }
        }
    }
}

/// What the products of tiles become in a picture without border.
pub(crate) struct Gather<'a> {
    pub(crate) planes: &'a [f32],
    pub(crate) tiles: Tiles,
    pub(crate) picture: &'a mut [f32],
}

impl WithSimd for Gather<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { planes, tiles, picture } = self;
        let (width, plane) = (tiles.width, tiles.all * tiles.width);
        let (near, far) = ([tiles.line(), width], [SIDE * plane, plane]);
        for y in 0..tiles.down {
            for x in 0..tiles.across {
                let (to, from) = tiles.starts(y, x);
                for channel in (0..width).step_by(S::F32_LANES) {
                    let tile = Output::both(simd, square(simd, planes, from + channel, far));
                    put(tile, picture, to + channel, near);
                }
            }
        }
    }
}

/// Kernels `[9, count]`, a tap each, to `[36, count]`; `count` is a multiple of [`LANES`].
pub(crate) struct Kernels<'a> {
    pub(crate) taps: &'a [f32],
    pub(crate) planes: &'a mut [f32],
}

impl WithSimd for Kernels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let count = self.taps.len() / 9;
        for at in (0..count).step_by(S::F32_LANES) {
            let tile = Taps::both(simd, square(simd, self.taps, at, [3 * count, count]));
            put(tile, self.planes, at, [SIDE * count, count]);
        }
    }
}

/// The gradients of kernels `[36, count]` to those of their taps `[9, count]`.
pub(crate) struct KernelGradients<'a> {
    pub(crate) planes: &'a [f32],
    pub(crate) taps: &'a mut [f32],
}

impl WithSimd for KernelGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let count = self.taps.len() / 9;
        for at in (0..count).step_by(S::F32_LANES) {
            let taps = TapGradients::both(simd, square(simd, self.planes, at, [SIDE * count, count]));
            put(taps, self.taps, at, [3 * count, count]);
        }
    }
}
