//! `torch.randn` on a CUDA device, computed on the CPU: Philox words spread over the elements as PyTorch's
//! grid-stride kernel spreads them, turned into normals as curand turns them.
//! Source: PyTorch `ATen/native/cuda/DistributionTemplates.h`, curand `curand_kernel.h` and `curand_normal.h`.

use super::{Precision, philox4x32_10};

/// Threads that an A100 holds at once: 108 multiprocessors × 2048. The default layout.
pub const A100_THREADS: u64 = 108 * 2048;

/// Threads in a block of PyTorch's kernel.
const BLOCK: u64 = 256;

/// The state of `torch.Generator("cuda")`: a seed, and how many 128-bit blocks every thread has used.
#[derive(Clone, Debug)]
pub struct TorchCuda {
    seed: u64,
    threads: u64,
    blocks_used: u64,
}

impl TorchCuda {
    /// The generator after `manual_seed(seed)`.
    ///
    /// `threads` is how many threads the imitated device holds at once: its multiprocessors × its threads per
    /// multiprocessor, the latter rounded down to a multiple of 256 ([`A100_THREADS`] = 221,184; H100 SXM 270,336;
    /// RTX 4090 196,608; RTX 3090 125,952). It matters only for draws of more numbers than that, which is to say
    /// for pictures beyond about 1,900 × 1,900: smaller draws are the same on every device.
    pub fn new(seed: u64, threads: u64) -> Self {
        Self { seed, threads: (threads / BLOCK).max(1) * BLOCK, blocks_used: 0 }
    }

    /// `torch.randn(count, device="cuda", generator=self, dtype=precision)`, row-major, widened to f32.
    ///
    /// Half-precision numbers are the f32 ones, rounded. The device takes its sine and cosine from a fast
    /// approximation whose error is up to 2⁻²¹, so its numbers and these may differ by about 3e-6.
    pub fn randn(&mut self, count: usize, precision: Precision) -> Vec<f32> {
        if count == 0 {
            return Vec::new();
        }
        let mut values = vec![0f32; count];
        let elements = count as u64;
        // One thread for each element as long as the device holds so many; beyond that each thread comes round
        // again, four numbers a turn, and the numbers of a turn lie `stride` apart.
        let stride = elements.div_ceil(BLOCK).saturating_mul(BLOCK).min(self.threads);
        let turns = (elements - 1) / (stride * 4) + 1;
        for turn in 0..turns {
            for thread in 0..stride {
                let first = turn * stride * 4 + thread;
                if first >= elements {
                    break;
                }
                let normals = self.block(thread, self.blocks_used + turn);
                for (lane, normal) in normals.into_iter().enumerate() {
                    let index = first + stride * lane as u64;
                    if let Some(value) = values.get_mut(index as usize) {
                        *value = precision.round(normal);
                    }
                }
            }
        }
        self.blocks_used += turns;
        values
    }

    /// Four normals of one thread: curand's `curand_normal4` at block `block` of subsequence `thread`.
    fn block(&self, thread: u64, block: u64) -> [f32; 4] {
        let counter = [block as u32, (block >> 32) as u32, thread as u32, (thread >> 32) as u32];
        let words = philox4x32_10(counter, [self.seed as u32, (self.seed >> 32) as u32]);
        let [a, b] = box_muller(words[0], words[1]);
        let [c, d] = box_muller(words[2], words[3]);
        [a, b, c, d]
    }
}

/// curand's Box–Muller transform: the sine branch first. Both uniforms are shifted by half a step, so neither is 0.
fn box_muller(radius_word: u32, angle_word: u32) -> [f32; 2] {
    const STEP: f32 = 2.328_306_4e-10;
    const ANGLE_STEP: f32 = STEP * 6.283_185_5;
    let uniform = (radius_word as f32).mul_add(STEP, STEP / 2.0);
    let angle = (angle_word as f32).mul_add(ANGLE_STEP, ANGLE_STEP / 2.0);
    let radius = (-2.0 * uniform.ln()).sqrt();
    [angle.sin() * radius, angle.cos() * radius]
}
