//! LPIPS, the learned perceptual distance (arXiv 1801.03924, equation 1), version 0.1, with AlexNet or VGG16: the numbers
//! and tensor names of <https://github.com/richzhang/PerceptualSimilarity>. Which network it is, the first kernel tells.
//!
//! What is read is the whole state dict of `lpips.LPIPS(net=…)`: `net.slice1.0.weight`, …, `lin0.model.1.weight`, ….

use candle_core::{Result, Tensor};
use mgie_weights::Weights;

/// One step through the backbone.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Convolution and ReLU: slice, number in torchvision's `features`, kernel's side, stride, border.
    Convolve(usize, usize, usize, usize, usize),
    /// Maximum over windows of that side, two apart.
    Pool(usize),
    /// Here features are compared.
    Tap,
}

use Step::{Convolve, Pool, Tap};

const ALEX: &[Step] = &[
    Convolve(1, 0, 11, 4, 2),
    Tap,
    Pool(3),
    Convolve(2, 3, 5, 1, 2),
    Tap,
    Pool(3),
    Convolve(3, 6, 3, 1, 1),
    Tap,
    Convolve(4, 8, 3, 1, 1),
    Tap,
    Convolve(5, 10, 3, 1, 1),
    Tap,
];

const VGG: &[Step] = &[
    Convolve(1, 0, 3, 1, 1),
    Convolve(1, 2, 3, 1, 1),
    Tap,
    Pool(2),
    Convolve(2, 5, 3, 1, 1),
    Convolve(2, 7, 3, 1, 1),
    Tap,
    Pool(2),
    Convolve(3, 10, 3, 1, 1),
    Convolve(3, 12, 3, 1, 1),
    Convolve(3, 14, 3, 1, 1),
    Tap,
    Pool(2),
    Convolve(4, 17, 3, 1, 1),
    Convolve(4, 19, 3, 1, 1),
    Convolve(4, 21, 3, 1, 1),
    Tap,
    Pool(2),
    Convolve(5, 24, 3, 1, 1),
    Convolve(5, 26, 3, 1, 1),
    Convolve(5, 28, 3, 1, 1),
    Tap,
];

/// ImageNet's statistics as LPIPS has them, for pictures in −1..1.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

#[derive(Debug)]
enum Layer {
    /// weight [to, from, side, side], bias [1, to, 1, 1], stride, border
    Convolution(Tensor, Tensor, usize, usize),
    Pool(usize),
    /// [1, channels, 1, 1]
    Tap(Tensor),
}

/// The model.
#[derive(Debug)]
pub struct Lpips {
    layers: Vec<Layer>,
    /// [1, 3, 1, 1]
    shift: Tensor,
    /// [1, 3, 1, 1]
    scale: Tensor,
    least_side: usize,
}

impl Lpips {
    /// Loads the model whose tensors lie directly below `w`.
    ///
    /// # Errors
    /// Those of [`Weights::get`]; what is missing or misshapen, `w` collects.
    pub fn load(w: &Weights) -> Result<Self> {
        let [_, _, side, _] = w.sizes("net.slice1.0.weight")?;
        let (plan, least_side) = if side == 11 { (ALEX, 31) } else { (VGG, 16) };
        let (mut width, mut taps) = (3, 0);
        let mut layers = Vec::with_capacity(plan.len());
        for step in plan {
            layers.push(match *step {
                Convolve(slice, number, side, stride, border) => {
                    let w = w.pp(format_args!("net.slice{slice}.{number}"));
                    let [wider] = w.sizes("bias")?;
                    let weight = w.get((wider, width, side, side), "weight")?;
                    width = wider;
                    Layer::Convolution(weight, w.get(width, "bias")?.reshape((1, width, 1, 1))?, stride, border)
                }
                Pool(side) => Layer::Pool(side),
                Tap => {
                    taps += 1;
                    Layer::Tap(w.get((1, width, 1, 1), &format!("lin{}.model.1.weight", taps - 1))?)
                }
            });
        }
        let statistics =
            |values: [f32; 3]| Tensor::new(&values, w.device())?.reshape((1, 3, 1, 1))?.to_dtype(w.dtype());
        Ok(Self { layers, shift: statistics(SHIFT)?, scale: statistics(SCALE)?, least_side })
    }

    /// The least side that a picture may have, in pixels: a smaller one is pooled away.
    pub fn least_side(&self) -> usize {
        self.least_side
    }

    /// Pictures [b, 3, height, width] in −1..1 and as many others of the same size → their distances, `[b]`.
    ///
    /// # Errors
    /// Other shapes, not enough memory or a failing device.
    pub fn distance(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let pairs = a.dim(0)?;
        let x = Tensor::cat(&[a, b], 0)?.to_dtype(self.shift.dtype())?;
        let mut x = x.broadcast_sub(&self.shift)?.broadcast_div(&self.scale)?;
        let mut sum: Option<Tensor> = None;
        for layer in &self.layers {
            match layer {
                Layer::Convolution(weight, bias, stride, border) => {
                    x = x.conv2d(weight, *border, *stride, 1, 1)?.broadcast_add(bias)?.relu()?;
                }
                Layer::Pool(side) => x = x.max_pool2d_with_stride(*side, 2)?,
                Layer::Tap(weights) => {
                    let length = (x.sqr()?.sum_keepdim(1)?.sqrt()? + 1e-10)?;
                    let unit = x.broadcast_div(&length)?;
                    let difference = (unit.narrow(0, 0, pairs)? - unit.narrow(0, pairs, pairs)?)?;
                    let distance = difference.sqr()?.broadcast_mul(weights)?.sum(1)?.mean((1, 2))?;
                    sum = Some(match sum {
                        Some(sum) => (sum + distance)?,
                        None => distance,
                    });
                }
            }
        }
        sum.ok_or_else(|| candle_core::Error::Msg("LPIPS without a layer".into()))
    }
}
