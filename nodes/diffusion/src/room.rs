//! Whether a computation fits into memory, asked before it starts: a process that runs out of memory in the middle
//! ends without a word, and takes everything down with it.

use candle_core::Device;
use mgie_plugin_api::Failure;
use mgie_weights::available_bytes;

/// Numbers that one tensor may hold. Kernels count them in 32 bits.
const MOST_NUMBERS: usize = i32::MAX as usize;

/// What a computation will hold at its peak.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Numbers in the largest tensor.
    pub largest_tensor: usize,
    /// Bytes of all tensors that are alive at the same time.
    pub bytes: usize,
}

/// Refuses what cannot fit: tensors too large to count, and on the CPU more bytes than there are. Out of memory on
/// another device is an ordinary error there, so those are not asked.
///
/// # Errors
/// A failure that says what `work` would need, and what is there.
pub fn check(work: &str, need: Need, device: &Device) -> Result<(), Failure> {
    check_against(work, need, if device.is_cpu() { available_bytes() } else { None })
}

fn check_against(work: &str, need: Need, available: Option<u64>) -> Result<(), Failure> {
    let remedy = "make the picture smaller with an `image.resize` in front";
    if need.largest_tensor > MOST_NUMBERS {
        let times = need.largest_tensor as f64 / MOST_NUMBERS as f64;
        return Err(Failure::memory(format!("{work} needs a tensor {times:.1} times larger than can be computed"))
            .remedy(remedy));
    }
    let need = need.bytes as u64;
    match available {
        Some(available) if need > available => Err(Failure::memory(format!(
            "{work} needs about {:.1} GB of memory, and {:.1} GB are free",
            gigabytes(need),
            gigabytes(available)
        ))
        .remedy(remedy)),
        _ => Ok(()),
    }
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_need_and_supply() {
        let need = Need { largest_tensor: 1000, bytes: 3_000_000_000 };
        check_against("decoding", need, Some(4_000_000_000)).unwrap();
        check_against("decoding", need, None).unwrap();
        let failure = check_against("decoding a picture of 1×1", need, Some(2_500_000_000)).unwrap_err().to_string();
        assert!(failure.contains("needs about 3.0 GB of memory, and 2.5 GB are free"), "{failure}");
        assert!(failure.contains("image.resize"), "{failure}");
    }

    #[test]
    fn a_tensor_too_large_to_count_is_refused_wherever_it_would_lie() {
        let need = Need { largest_tensor: usize::MAX, bytes: 0 };
        assert!(check("decoding", need, &Device::Cpu).is_err());
    }
}
