//! First values of parameters, by the last parts of their names. They are PyTorch's defaults (a uniform distribution as
//! wide as the inputs allow), but that branches which are added to a shortcut begin at zero, and that embeddings and
//! queries are normal.

use candle_core::{Device, Result, Shape, Tensor};
use mgie_diffusion::noise::{Precision, TorchCpu};

/// Standard deviation of token and position embeddings.
const EMBEDDING_DEVIATION: f32 = 0.05;

/// The first value of parameter `name`; the same for the same seed, whatever was made before.
///
/// # Errors
/// No memory, a device that fails.
pub fn tensor(seed: u64, name: &str, shape: &Shape, device: &Device) -> Result<Tensor> {
    let dims = shape.dims();
    let count = shape.elem_count();
    let last = |part: &str| name == part || name.ends_with(&format!(".{part}"));
    let norm = ["norm", "layrnorm", "norm1", "norm2", "norm3"];
    let of_norm = name.rsplit('.').nth(1).is_some_and(|owner| norm.iter().any(|norm| owner.ends_with(norm)));
    let constant = if last("bias") || last("in_proj_bias") || begins_at_zero(name) {
        Some(0.0)
    } else if (last("weight") && of_norm) || (last("weight") && dims.len() == 1) {
        Some(1.0)
    } else if last("logit_scale") {
        Some((1f32 / 0.07).ln())
    } else {
        None
    };
    let values = match constant {
        Some(value) => vec![value; count],
        None => {
            let mut generator = TorchCpu::new(mix(seed, name.bytes()));
            let normal = generator.randn(count, Precision::F32);
            let deviation = if name.contains("embed") || last("emb") {
                EMBEDDING_DEVIATION
            } else if last("query") {
                1.0
            } else {
                // The deviation of PyTorch's uniform distribution, whose ends are ±1/√inputs.
                let inputs: usize = dims.iter().skip(1).product();
                (1.0 / (3.0 * inputs.max(1) as f32)).sqrt()
            };
            normal.into_iter().map(|value| value * deviation).collect()
        }
    };
    Tensor::from_vec(values, shape, device)
}

/// The last layer of a branch beside a shortcut in the diffusion models: at zero the branch is first not there, which is
/// what makes deep models easy to begin with (Dhariwal and Nichol, arXiv 2105.05233, `zero_module`).
fn begins_at_zero(name: &str) -> bool {
    let of_block = ["resnets", "attentions"].iter().any(|block| name.contains(block));
    of_block && (name.ends_with("conv2.weight") || name.ends_with("proj_out.weight"))
}

/// A seed for a use of its own.
pub fn mix(seed: u64, of: impl IntoIterator<Item = u8>) -> u64 {
    // FNV-1a, then a finaliser so that near seeds are far apart.
    let hash = of
        .into_iter()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A seed for one draw at one step.
pub fn at(seed: u64, what: &str, step: u64, index: u64) -> u64 {
    mix(seed, what.bytes().chain(step.to_le_bytes()).chain(index.to_le_bytes()))
}
