//! Each layer's kernel beside the plain operations: values, and the gradient of every input.

use super::*;
use candle_core::{Device, Var};

fn tensor(shape: &[usize], seed: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|index| ((index as f32 * 0.731 + seed) * 1.3).sin() + 0.1 * seed);
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

/// The value of `f` and the gradients of its inputs, where each number of the value counts differently.
fn value_and_gradients(inputs: &[Tensor], f: &dyn Fn(&[Tensor]) -> Result<Tensor>) -> Vec<Tensor> {
    let variables: Vec<_> = inputs.iter().map(|x| Var::from_tensor(x).unwrap()).collect();
    let tensors: Vec<_> = variables.iter().map(|x| x.as_tensor().clone()).collect();
    let value = f(&tensors).unwrap();
    let gradients = (&value * tensor(value.dims(), 0.7)).unwrap().sum_all().unwrap().backward().unwrap();
    let of_inputs = tensors.iter().map(|x| gradients.get(x).expect("a gradient for every input").clone());
    std::iter::once(value.clone()).chain(of_inputs).collect()
}

fn furthest(x: &Tensor) -> f32 {
    if x.elem_count() == 0 { 0.0 } else { x.abs().unwrap().max_all().unwrap().to_scalar().unwrap() }
}

/// `kernel` and `plain` give the same value and gradients, and the kernel the same whichever input needs a gradient.
fn assert_same(
    what: &str,
    inputs: &[Tensor],
    kernel: &dyn Fn(&[Tensor]) -> Result<Tensor>,
    plain: &dyn Fn(&[Tensor]) -> Result<Tensor>,
) {
    let (found, expected) = (value_and_gradients(inputs, kernel), value_and_gradients(inputs, plain));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.dims(), expected.dims(), "{what}, {index}");
        let (far, size) = (furthest(&(found - expected).unwrap()), furthest(expected));
        assert!(far <= 1e-4 * size + 1e-6, "{what}, gradient {index} (0: the value): {far:e} apart, numbers to {size}");
    }
    for wanted in 0..inputs.len() {
        let one = |tensors: &[Tensor]| {
            let mut some = inputs.to_vec();
            some[wanted] = tensors[0].clone();
            kernel(&some)
        };
        let alone = value_and_gradients(&inputs[wanted..=wanted], &one);
        let far = furthest(&(&alone[1] - &found[1 + wanted]).unwrap());
        assert!(far == 0.0, "{what}: gradient {wanted} asked for alone is {far:e} from that asked for with others");
    }
}

#[test]
fn linear_maps_have_the_plain_values_and_gradients() {
    for (shape, out) in [(vec![3, 5], 4), (vec![2, 700, 33], 130), (vec![2, 3, 7, 16], 16), (vec![70, 8], 300)] {
        let width = shape[shape.len() - 1];
        let (x, weight, bias) = (tensor(&shape, 0.1), tensor(&[out, width], 0.2), tensor(&[out], 0.3));
        let what = format!("{shape:?} to {out}");
        assert_same(&what, &[x.clone(), weight.clone(), bias], &|t| linear(&t[0], &t[1], Some(&t[2])), &|t| {
            plain::linear(&t[0], &t[1], Some(&t[2]))
        });
        assert_same(&what, &[x, weight], &|t| linear(&t[0], &t[1], None), &|t| plain::linear(&t[0], &t[1], None));
    }
}

#[test]
fn norms_of_rows_have_the_plain_values_and_gradients() {
    for shape in [vec![3, 5], vec![2, 70, 33], vec![130, 96]] {
        let width = shape[shape.len() - 1];
        let x = (tensor(&shape, 0.1) * 2.0).unwrap();
        let (weight, bias) = (tensor(&[width], 0.2), tensor(&[width], 0.3));
        let what = format!("{shape:?}");
        assert_same(&what, &[x.clone(), weight.clone(), bias], &|t| layer_norm(&t[0], &t[1], &t[2], 1e-5), &|t| {
            plain::layer_norm(&t[0], &t[1], &t[2], 1e-5)
        });
        assert_same(&what, &[x, weight], &|t| rms_norm(&t[0], &t[1], 1e-6), &|t| plain::rms_norm(&t[0], &t[1], 1e-6));
    }
}

#[test]
fn group_norms_with_and_without_silu_have_the_plain_values_and_gradients() {
    for (shape, groups) in [([2, 6, 9, 15], 3), ([3, 4, 1, 1], 2), ([1, 32, 40, 41], 2)] {
        let x = ((tensor(&shape, 0.1) * 2.0).unwrap() + 3.0).unwrap();
        let (weight, bias) = (tensor(&[shape[1]], 0.2), tensor(&[shape[1]], 0.3));
        for silu in [false, true] {
            assert_same(
                &format!("{shape:?}, SiLU {silu}"),
                &[x.clone(), weight.clone(), bias.clone()],
                &|t| group_norm(&t[0], &t[1], &t[2], groups, 1e-5, silu),
                &|t| plain::group_norm(&t[0], &t[1], &t[2], groups, 1e-5, silu),
            );
        }
    }
}

#[test]
fn attention_has_the_plain_values_and_gradients() {
    // Odd sizes, several runs of queries (more than 512 KiB of scores), keys fewer than lanes, one query.
    for (n, m, heads, d, e) in [(400, 500, 3, 5, 7), (4, 3, 2, 8, 8), (1, 77, 1, 40, 40), (33, 37, 4, 16, 1)] {
        let (q, k) = (tensor(&[2, n, heads * d], 0.1), tensor(&[2, m, heads * d], 0.2));
        let v = tensor(&[2, m, heads * e], 0.3);
        for causal in [false, true] {
            if causal && n > m {
                continue;
            }
            assert_same(
                &format!("{n} × {m}, causal {causal}"),
                &[q.clone(), k.clone(), v.clone()],
                &|t| attention(&t[0], &t[1], &t[2], heads, causal),
                &|t| plain::attention(&t[0], &t[1], &t[2], heads, causal),
            );
        }
    }
}

#[test]
fn rotary_positions_have_the_plain_values_and_gradients() {
    let (cos, sin) = (tensor(&[7, 4], 0.2), tensor(&[7, 4], 0.3));
    let inputs = [tensor(&[3, 7, 40], 0.1)];
    assert_same("rope", &inputs, &|t| rope(&t[0], &cos, &sin, 5), &|t| plain::rope(&t[0], &cos, &sin, 5));
}

#[test]
fn convolutions_of_every_stride_and_size_have_the_plain_values_and_gradients() {
    for (from, to) in [(3, 5), (1, 1), (20, 17), (36, 33)] {
        let (weight, bias) = (tensor(&[to, from, 3, 3], 0.1), tensor(&[to], 0.2));
        for stride in [Stride::One, Stride::Two, Stride::TwoPaddedBehind] {
            for (height, width) in [(1, 1), (1, 9), (2, 3), (4, 4), (8, 8), (7, 5), (40, 33)] {
                // candle's own convolution has no gradient where a picture is smaller than the kernel.
                let small = stride == Stride::TwoPaddedBehind && (height < 2 || width < 2);
                // Nor, with a stride, where rounding up differs between the two sides.
                if small || (stride != Stride::One && height != width) {
                    continue;
                }
                let x = tensor(&[5, from, height, width], 0.3);
                assert_same(
                    &format!("{from} to {to}, {stride:?}, {height}×{width}"),
                    &[x, weight.clone(), bias.clone()],
                    &|t| conv3x3(&t[0], &t[1], &t[2], stride),
                    &|t| plain::conv3x3(&t[0], &t[1], &t[2], stride),
                );
            }
        }
    }
}

#[test]
fn pointwise_convolutions_have_the_plain_values_and_gradients() {
    for (shape, to) in [([5, 3, 4, 4], 7), ([1, 20, 33, 9], 2), ([9, 8, 1, 1], 8)] {
        let (x, weight, bias) = (tensor(&shape, 0.1), tensor(&[to, shape[1], 1, 1], 0.2), tensor(&[to], 0.3));
        assert_same(&format!("{shape:?} to {to}"), &[x, weight, bias], &|t| conv1x1(&t[0], &t[1], &t[2]), &|t| {
            plain::conv1x1(&t[0], &t[1], &t[2])
        });
    }
}

#[test]
fn doubling_a_picture_has_the_plain_values_and_gradients() {
    let inputs = [tensor(&[2, 3, 4, 5], 0.1)];
    assert_same("upsample", &inputs, &|t| upsample(&t[0], 8, 10), &|t| plain::upsample(&t[0], 8, 10));
}

#[test]
fn gated_activations_have_the_plain_values_and_gradients() {
    let x = (tensor(&[2, 5, 34], 0.1) * 4.0).unwrap();
    assert_same("GEGLU", std::slice::from_ref(&x), &|t| geglu(&t[0]), &|t| plain::geglu(&t[0]));
    let up = tensor(&[2, 5, 34], 0.2);
    assert_same("SwiGLU", &[x, up], &|t| swiglu(&t[0], &t[1]), &|t| plain::swiglu(&t[0], &t[1]));
}

#[test]
fn a_view_into_a_larger_tensor_is_read_where_it_lies() {
    let (weight, bias) = (tensor(&[2, 3, 3, 3], 0.1), tensor(&[2], 0.2));
    let large = tensor(&[2, 6, 4, 5], 0.3);
    let view = large.narrow(0, 1, 1).unwrap();
    let (part, copied) = (view.narrow(1, 2, 3).unwrap(), view.narrow(1, 2, 3).unwrap().force_contiguous().unwrap());
    let values = |x: &Tensor| conv3x3(x, &weight, &bias, Stride::One).unwrap().flatten_all().unwrap().to_vec1::<f32>();
    assert_eq!(values(&part).unwrap(), values(&copied).unwrap());
}

#[test]
fn sizes_that_do_not_fit_are_errors() {
    let x = tensor(&[2, 6, 4, 4], 0.1);
    assert!(conv3x3(&x, &tensor(&[2, 5, 3, 3], 0.1), &tensor(&[2], 0.1), Stride::One).is_err());
    assert!(conv1x1(&x, &tensor(&[2, 5, 1, 1], 0.1), &tensor(&[2], 0.1)).is_err());
    assert!(group_norm(&x, &tensor(&[6], 0.1), &tensor(&[6], 0.1), 4, 1e-5, true).is_err());
    assert!(linear(&x, &tensor(&[3, 5], 0.1), None).is_err());
    let rows = tensor(&[2, 4, 6], 0.1);
    assert!(attention(&rows, &rows, &tensor(&[2, 5, 6], 0.1), 3, false).is_err());
    assert!(attention(&rows, &rows, &rows, 4, false).is_err());
    assert!(layer_norm(&rows, &tensor(&[5], 0.1), &tensor(&[5], 0.1), 1e-5).is_err());
    assert!(rope(&rows, &tensor(&[4, 2], 0.1), &tensor(&[4, 2], 0.1), 3).is_err());
    assert!(geglu(&tensor(&[2, 3], 0.1)).is_err());
    assert!(swiglu(&rows, &x).is_err());
}

#[test]
fn values_and_gradients_do_not_depend_on_the_number_of_threads() {
    let x = tensor(&[9, 40, 32, 32], 0.1);
    let (weight, bias) = (tensor(&[33, 40, 3, 3], 0.2), tensor(&[33], 0.3));
    let (wide, narrow) = (tensor(&[17, 1056], 0.4), tensor(&[17], 0.5));
    let inputs = [x, weight, bias, wide, narrow];
    // A convolution both ways, a norm, attention of its pixels, and a linear map.
    let model = |t: &[Tensor]| {
        let y = conv3x3(&t[0], &t[1], &t[2], Stride::Two)?;
        let y = (y + conv3x3(&t[0], &t[1], &t[2], Stride::One)?.narrow(2, 0, 16)?.narrow(3, 0, 16)?)?;
        let y = group_norm(&y, &t[2], &t[2], 3, 1e-5, true)?.flatten_from(2)?.transpose(1, 2)?;
        let y = attention(&y, &y, &y, 3, true)?;
        linear(&y.reshape((72, 1056))?, &t[3], Some(&t[4]))
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| value_and_gradients(&inputs, &model))
    };
    for (index, (one, three)) in on(1).iter().zip(on(3)).enumerate() {
        assert_eq!(furthest(&(one - three).unwrap()), 0.0, "gradient {index} (0: the value)");
    }
}
