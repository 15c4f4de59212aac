//! Setting parameters of a graph from the command line.

use super::request::Setting;
use mgie_host::document::Document;
use mgie_host::parameter_text::value;
use mgie_host::plugins::Catalogue;
use mgie_host::spelling;

/// Sets parameters. What a value is worth is left to validation, which knows the ranges.
///
/// # Errors
/// One line for each node that is not there.
pub fn apply(settings: &[Setting], document: &mut Document, catalogue: &Catalogue) -> Result<(), Vec<String>> {
    let mut wrong = Vec::new();
    for setting in settings {
        let Some(node) = document.nodes.get_mut(&setting.node) else {
            let names = document.nodes.keys().map(String::as_str);
            let remedy = spelling::remedy(&setting.node, names).map(|remedy| format!("; {remedy}")).unwrap_or_default();
            wrong.push(format!("--set {}.{}: the graph has no node `{0}`{remedy}", setting.node, setting.parameter));
            continue;
        };
        let node_type = catalogue.node_type(&node.node_type);
        let parameters = node_type.as_ref().map(|known| known.description.parameters.as_slice()).unwrap_or_default();
        let domain = parameters.iter().find(|known| known.id == setting.parameter).map(|known| &known.domain);
        node.params.insert(setting.parameter.clone(), value(&setting.text, domain));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
