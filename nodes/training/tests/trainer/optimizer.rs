//! AdamW with weight decay, clipping off and on, and the moving average, against `torch.optim.AdamW`
//! (`tests/reference/golden_adamw.py`).

use candle_core::{Device, Tensor, Var};
use mgie_plugin_api::serde_json::{self, Value as Json};
use mgie_training::optimizer::{AdamW, Settings};

const NAMES: [&str; 2] = ["matrix", "vector"];

fn golden() -> Json {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/adamw.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn tensor(golden: &Json, numbers_of: &Json, name: &str) -> Tensor {
    let shape: Vec<usize> = numbers(&golden["shapes"][name]).into_iter().map(|size| size as usize).collect();
    let numbers: Vec<f32> = numbers(&numbers_of[name]).into_iter().map(|number| number as f32).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

fn assert_near(what: &str, found: &Tensor, expected: &Json) {
    let found: Vec<f32> = found.flatten_all().unwrap().to_vec1().unwrap();
    for (found, expected) in found.iter().zip(numbers(expected)) {
        assert!((f64::from(*found) - expected).abs() < 2e-7, "{what}: expected {expected}, found {found}");
    }
}

#[test]
fn weight_decay_clipping_and_the_moving_average_follow_pytorchs() {
    let golden = golden();
    for (case, about) in golden["cases"].as_object().unwrap() {
        let number = |key: &str| about[key].as_f64().unwrap();
        let settings = Settings {
            weight_decay: number("weight_decay"),
            clip: number("clip"),
            ema: golden["ema"].as_f64().unwrap(),
            ..Settings::default()
        };
        let mut optimizer = AdamW::new(settings);
        let begin =
            |name: &&str| ((*name).to_owned(), Var::from_tensor(&tensor(&golden, &golden["begin"], name)).unwrap());
        let variables: Vec<(String, Var)> = NAMES.iter().map(begin).collect();
        for (step, expected) in about["steps"].as_array().unwrap().iter().enumerate() {
            let gradients: Vec<_> =
                NAMES.iter().map(|name| Some(tensor(&golden, &golden["gradients"][step], name))).collect();
            let rate = golden["rates"][step].as_f64().unwrap();
            let norm = optimizer.update(&variables, &gradients, |_| rate).unwrap();
            let theirs = expected["norm"].as_f64().unwrap();
            assert!(
                (norm / theirs - 1.0).abs() < 1e-6,
                "{case}, step {step}: expected a norm of {theirs}, found {norm}"
            );
            for (name, variable) in &variables {
                assert_near(&format!("{case}, {name} after step {step}"), variable.as_tensor(), &expected[name]);
            }
        }
        let averages = optimizer.averages(&variables).unwrap();
        for name in NAMES {
            assert_near(&format!("{case}, the average of {name}"), &averages[name], &about["average"][name]);
        }
    }
}

#[test]
fn a_parameter_without_a_gradient_stays_and_without_an_average_it_is_its_own() {
    let settings = Settings { weight_decay: 0.1, ..Settings::default() };
    let mut optimizer = AdamW::new(settings);
    let ones = || Var::from_tensor(&Tensor::ones(3, candle_core::DType::F32, &Device::Cpu).unwrap()).unwrap();
    let variables = vec![("a".to_owned(), ones()), ("b".to_owned(), ones())];
    let gradients = vec![None, Some(Tensor::ones(3, candle_core::DType::F32, &Device::Cpu).unwrap())];
    optimizer.update(&variables, &gradients, |_| 0.1).unwrap();
    let averages = optimizer.averages(&variables).unwrap();
    assert_eq!(averages["a"].to_vec1::<f32>().unwrap(), [1.0; 3]);
    assert_eq!(averages["b"].to_vec1::<f32>().unwrap(), variables[1].1.to_vec1::<f32>().unwrap());
    let other = vec![None, Some(Tensor::ones(2, candle_core::DType::F32, &Device::Cpu).unwrap())];
    let error = optimizer.update(&variables, &other, |_| 0.1).unwrap_err().to_string();
    assert!(error.contains("b: a gradient of 2 numbers for 3"), "{error}");
}
