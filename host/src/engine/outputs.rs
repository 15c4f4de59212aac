//! Holding a node to its description: every output is there, of the promised kind and shape, and every float in it is
//! a number.

use super::value_cache::NodeOutputs;
use mgie_plugin_api::{Failure, FailureKind, NodeDescription, Value, kind};

/// The outputs in the description's order.
///
/// # Errors
/// A [`FailureKind::Fault`] that names the output where the node broke its promise; a [`FailureKind::Failed`] where it
/// gave a float that is no number.
pub(super) fn check(description: &NodeDescription, given: Vec<(String, Value)>) -> Result<NodeOutputs, Failure> {
    let mut given = given;
    let mut outputs = NodeOutputs::with_capacity(description.outputs.len());
    for socket in &description.outputs {
        let Some(at) = given.iter().position(|(name, _)| *name == socket.id) else {
            return Err(fault(&socket.id, "a value", "nothing"));
        };
        let (name, value) = given.swap_remove(at);
        if socket.kind != kind::ANY && value.kind() != socket.kind {
            return Err(fault(&name, &format!("`{}`", socket.kind), &format!("`{}`", value.kind())));
        }
        if let Some(shape) = &socket.shape {
            check_shape(&name, shape, &value)?;
        }
        check_numbers(&name, &value)?;
        outputs.push((name, value));
    }
    match given.first() {
        None => Ok(outputs),
        Some((name, value)) => Err(fault(name, "an output that the node has", &value.to_string())),
    }
}

fn fault(output: &str, expected: &str, found: &str) -> Failure {
    let mut failure = Failure::fault(format!("output `{output}`")).expected(expected).found(found);
    failure.remedy = "this is a fault in the plugin; report it to whoever made it".to_owned();
    failure
}

fn check_shape(name: &str, promised: &[Option<u64>], value: &Value) -> Result<(), Failure> {
    let fits = value.as_tensor().is_some_and(|tensor| {
        tensor.shape().len() == promised.len()
            && tensor.shape().iter().zip(promised).all(|(size, promised)| promised.is_none_or(|p| p == *size as u64))
    });
    if fits {
        return Ok(());
    }
    let sizes: Vec<String> =
        promised.iter().map(|size| size.map_or("any".to_owned(), |size| size.to_string())).collect();
    Err(fault(name, &format!("shape [{}]", sizes.join(", ")), &value.to_string()))
}

fn check_numbers(name: &str, value: &Value) -> Result<(), Failure> {
    let Some(tensor) = value.as_tensor() else { return Ok(()) };
    match tensor.is_finite() {
        Ok(true) => Ok(()),
        Ok(false) => {
            let mut failure = Failure::failed(format!("output `{name}`"))
                .expected("finite numbers")
                .found(format!("NaN or infinity in {value}"));
            failure.kind = FailureKind::Failed;
            Err(failure
                .remedy("look for NaN in the weights or the input that the node was given; with dtype f16, try f32"))
        }
        Err(_) => Err(fault(name, "a tensor in main memory", &format!("{value} on a device"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{DType, Tensor};

    fn description() -> NodeDescription {
        NodeDescription::new("test.node", "Node", "Test", "A node.")
            .output("tokens", "Tokens", kind::VISUAL_TOKENS, "")
            .shaped(&[Some(2), None])
            .output("text", "Text", kind::TEXT, "")
    }

    fn tokens(shape: [usize; 2], number: f32) -> (String, Value) {
        let tensor = Tensor::from_f32(shape, vec![number; shape[0] * shape[1]]).unwrap();
        ("tokens".to_owned(), Value::tensor(kind::VISUAL_TOKENS, serde_json::json!({}), tensor))
    }

    fn text() -> (String, Value) {
        ("text".to_owned(), Value::text("a"))
    }

    fn complaint(given: Vec<(String, Value)>) -> String {
        check(&description(), given).unwrap_err().to_string()
    }

    #[test]
    fn good_outputs_come_in_the_order_of_the_description() {
        let outputs = check(&description(), vec![text(), tokens([2, 3], 1.0)]).unwrap();
        assert_eq!(outputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["tokens", "text"]);
    }

    #[test]
    fn every_broken_promise_names_the_output() {
        assert!(complaint(vec![text()]).contains("output `tokens`, expected a value, found nothing"));
        let kind = complaint(vec![("tokens".to_owned(), Value::text("a")), text()]);
        assert!(kind.contains("expected `mgie.visual_tokens`, found `text`"), "{kind}");
        let shape = complaint(vec![tokens([3, 2], 1.0), text()]);
        assert!(shape.contains("expected shape [2, any], found mgie.visual_tokens f32 [3, 2]"), "{shape}");
        let extra = complaint(vec![tokens([2, 3], 1.0), text(), ("more".to_owned(), Value::text("b"))]);
        assert!(extra.contains("output `more`"), "{extra}");
        let twice = complaint(vec![tokens([2, 3], 1.0), text(), text()]);
        assert!(twice.contains("output `text`"), "{twice}");
    }

    #[test]
    fn a_float_that_is_no_number_is_an_error_of_the_node_that_made_it() {
        for bad in [f32::NAN, f32::INFINITY] {
            let complaint = complaint(vec![tokens([2, 3], bad), text()]);
            assert!(
                complaint.contains("output `tokens`, expected finite numbers, found NaN or infinity"),
                "{complaint}"
            );
        }
        let half = Tensor::from_bytes([1], DType::F16, &[0x00, 0x7e]).unwrap();
        let description = NodeDescription::new("a", "", "", "").output("x", "", kind::ANY, "");
        let value = Value::tensor(kind::TENSOR, serde_json::json!({}), half);
        assert!(check(&description, vec![("x".to_owned(), value)]).is_err());
    }
}
