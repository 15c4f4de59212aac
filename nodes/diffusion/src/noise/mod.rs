//! Noise that means what it means in PyTorch: the two generators behind `torch.randn`, number for number, so that a
//! picture made with diffusers from a seed can be made again here. Each node owns its generator; none is global.

mod mersenne;
mod philox;
mod torch_cpu;
mod torch_cuda;

pub use mersenne::Mersenne;
pub use philox::philox4x32_10;
pub use torch_cpu::TorchCpu;
pub use torch_cuda::{A100_THREADS, TorchCuda};

/// The number type that noise is drawn in. PyTorch's half-precision streams are streams of their own on the CPU (they
/// use fewer random bits a number), so this is part of what a seed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// `torch.float32`
    F32,
    /// `torch.float16`
    F16,
    /// `torch.bfloat16`
    Bf16,
}

impl Precision {
    /// The name in a denoiser's header: `f32`, `f16` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Bf16].into_iter().find(|precision| precision.name() == name)
    }

    /// Rounds `value` to this type (ties to even) and back to f32.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => half::f16::from_f32(value).to_f32(),
            Self::Bf16 => half::bf16::from_f32(value).to_f32(),
        }
    }
}

/// A seeded source of standard normal numbers, in the state that PyTorch's would be in after the same draws.
#[derive(Clone, Debug)]
pub enum Generator {
    /// `torch.Generator("cpu")`
    TorchCpu(TorchCpu),
    /// `torch.Generator("cuda")`
    TorchCuda(TorchCuda),
}

impl Generator {
    /// The generator after `torch.Generator("cpu").manual_seed(seed)`.
    pub fn torch_cpu(seed: u64) -> Self {
        Self::TorchCpu(TorchCpu::new(seed))
    }

    /// The generator after `torch.Generator("cuda").manual_seed(seed)` on a device that holds `threads` threads at
    /// once; see [`TorchCuda::new`].
    pub fn torch_cuda(seed: u64, threads: u64) -> Self {
        Self::TorchCuda(TorchCuda::new(seed, threads))
    }

    /// `torch.randn(count, generator=self, dtype=precision)`: `count` numbers in row-major order, each rounded to
    /// `precision` and widened to f32. Draws nothing when `count` is 0.
    pub fn randn(&mut self, count: usize, precision: Precision) -> Vec<f32> {
        match self {
            Self::TorchCpu(generator) => generator.randn(count, precision),
            Self::TorchCuda(generator) => generator.randn(count, precision),
        }
    }
}
