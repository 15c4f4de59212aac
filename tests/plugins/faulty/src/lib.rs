//! A plugin whose nodes break the door's rules, one way each: `test.faulty` panics, promises one shape and returns
//! another, returns another kind, forgets an output, invents one, returns NaN, or waits until it is cancelled.

use mgie_plugin_api::serde_json::json;
use mgie_plugin_api::{Domain, Failure, NodeDefinition, NodeDescription, Outputs, Plugin, Run, Tensor, Value, kind};
use std::time::{Duration, Instant};

mgie_plugin_api::export_plugin!(plugin);

fn plugin() -> Plugin {
    Plugin::new("faulty", "0.1.0").node(NodeDefinition::new(description(), misbehave))
}

fn description() -> NodeDescription {
    let how = ["panic", "shape", "kind", "missing", "unknown", "nan", "error", "wait", "none"];
    let how = Domain::Choice { default: "none".into(), choices: how.map(String::from).to_vec() };
    NodeDescription::new("test.faulty", "Faulty", "Test", "Misbehaves in the way that is asked for.")
        .parameter("how", "How", how, "")
        .output("tokens", "Tokens", kind::VISUAL_TOKENS, "")
        .shaped(&[Some(8), None])
}

fn misbehave(run: &Run) -> Result<Outputs, Failure> {
    let tokens = |rows: usize, value: f32| {
        Ok::<_, Failure>(Value::tensor(
            kind::VISUAL_TOKENS,
            json!({}),
            Tensor::from_f32([rows, 4], vec![value; rows * 4])?,
        ))
    };
    match run.string("how")? {
        "panic" => panic!("the node lost its nerve"),
        "shape" => Ok(Outputs::new().with("tokens", tokens(7, 0.0)?)),
        "kind" => Ok(Outputs::new().with("tokens", Value::text("not a tensor"))),
        "missing" => Ok(Outputs::new()),
        "unknown" => Ok(Outputs::new().with("tokens", tokens(8, 0.0)?).with("surprise", Value::number(1.0))),
        "nan" => Ok(Outputs::new().with("tokens", tokens(8, f32::NAN)?)),
        "error" => Err(Failure::failed("it cannot be done").remedy("ask for something else")),
        "wait" => {
            let started = Instant::now();
            while started.elapsed() < Duration::from_secs(60) {
                run.progress(0, 0, "waiting");
                run.check_cancelled()?;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(Failure::failed("nobody cancelled it for a minute"))
        }
        _ => Ok(Outputs::new().with("tokens", tokens(8, 0.0)?)),
    }
}
