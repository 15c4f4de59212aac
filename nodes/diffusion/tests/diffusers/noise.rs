//! Noise beside `torch.randn`'s.

use mgie_diffusion::noise::{A100_THREADS, Generator, Precision};

use super::goldens::Goldens;

fn precision(name: &str) -> Precision {
    Precision::named(name).unwrap()
}

/// torch takes a negative seed as its two's complement.
fn seed(text: &str) -> u64 {
    text.parse::<u64>().unwrap_or_else(|_| text.parse::<i64>().unwrap() as u64)
}

fn assert_same(what: &str, found: &[f32], expected: &[f32]) {
    let same = |a: &f32, b: &f32| a.to_bits() == b.to_bits();
    assert_eq!(found.len(), expected.len(), "{what}");
    if let Some(at) = found.iter().zip(expected).position(|(a, b)| !same(a, b)) {
        panic!("{what}: at {at} expected {:?}, found {:?}", expected[at], found[at]);
    }
}

#[test]
fn a_first_draw_equals_torchs_bit_for_bit_whatever_the_seed_the_size_and_the_type() {
    let goldens = Goldens::open("noise");
    let mut compared = 0;
    for name in goldens.names() {
        let parts: Vec<&str> = name.split('.').collect();
        let &[kind @ ("f32" | "f16" | "bf16"), from, count] = parts.as_slice() else { continue };
        let found = Generator::torch_cpu(seed(from)).randn(count.parse().unwrap(), precision(kind));
        assert_same(&name, &found, &goldens.values(&name));
        compared += 1;
    }
    assert!(compared > 30, "{compared} draws compared");
}

#[test]
fn one_generator_drawn_from_again_and_again_keeps_step_with_torchs() {
    let goldens = Goldens::open("noise");
    for kind in ["f32", "f16", "bf16"] {
        let mut generator = Generator::torch_cpu(7);
        for index in 0.. {
            let name = format!("consecutive.{kind}.{index}");
            if !goldens.names().contains(&name) {
                assert!(index > 10);
                break;
            }
            let expected = goldens.values(&name);
            assert_same(&name, &generator.randn(expected.len(), precision(kind)), &expected);
        }
    }
}

#[test]
fn one_generator_drawn_from_in_several_types_keeps_step_with_torchs() {
    let goldens = Goldens::open("noise");
    let mut names = goldens.names();
    names.retain(|name| name.starts_with("mixed."));
    names.sort();
    let mut generator = Generator::torch_cpu(9);
    for name in &names {
        let expected = goldens.values(name);
        let kind = name.rsplit('.').next().unwrap();
        assert_same(name, &generator.randn(expected.len(), precision(kind)), &expected);
    }
    assert_eq!(names.len(), 6);
}

#[test]
fn a_generator_that_has_refilled_its_state_keeps_step_with_torchs() {
    let mut generator = Generator::torch_cpu(3);
    generator.randn(5000, Precision::F32);
    let expected = Goldens::open("noise").values("after_5000.f32.3");
    assert_same("after 5000", &generator.randn(33, Precision::F32), &expected);
}

#[test]
fn cuda_noise_equals_what_torch_printed_on_gpus() {
    // torch.randn(..., device="cuda") for seeds 0 and 42 as published on the web, with four decimals or more; the GPU's
    // fast sine is what the tolerance is for.
    let published = [
        (0, [-0.924_662_6, -0.425_344_2, -2.643_845_7, 0.145_183_9, -0.120_866_5, -0.579_725_6, -0.622_851_2]),
        (42, [0.1940, 2.1614, -0.1721, 0.8491, -1.9244, 0.6530, -0.6494]),
    ];
    for (seed, expected) in published {
        let found = Generator::torch_cuda(seed, A100_THREADS).randn(7, Precision::F32);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 6e-5, "seed {seed}: expected {expected}, found {found}");
        }
    }
}

#[test]
fn cuda_noise_does_not_depend_on_the_device_while_every_number_has_a_thread_of_its_own() {
    let draws = |threads| {
        let mut generator = Generator::torch_cuda(11, threads);
        [generator.randn(4 * 64 * 64, Precision::F32), generator.randn(1000, Precision::F16)]
    };
    assert_eq!(draws(A100_THREADS), draws(4 * 64 * 64));
    assert_ne!(draws(A100_THREADS), draws(4 * 64 * 64 - 256));
}

#[test]
fn cuda_noise_beyond_the_devices_threads_takes_four_numbers_a_thread_and_then_comes_round_again() {
    // 512 threads, 512 × 4 numbers a turn: number 512 is the second of thread 0's first block, 2048 the first of its next.
    let mut generator = Generator::torch_cuda(5, 512);
    let first = generator.randn(512 * 4 + 1, Precision::F32);
    let mut alone = Generator::torch_cuda(5, 512);
    let blocks = [alone.randn(1, Precision::F32), alone.randn(1, Precision::F32), alone.randn(1, Precision::F32)];
    assert_eq!([first[0], first[2048]], [blocks[0][0], blocks[1][0]]);
    // Two turns were taken, so the generator goes on with the third block.
    assert_eq!(generator.randn(1, Precision::F32), blocks[2]);
    let spread: f32 = first.iter().map(|value| value * value).sum::<f32>() / first.len() as f32;
    assert!((spread - 1.0).abs() < 0.1, "variance {spread}");
}
