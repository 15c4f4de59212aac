//! What flows on the wires, made visible: nodes that turn any tensor into statistics, a heat map, norms or cosines, and
//! latents and differences into pictures. The studio's inspector runs them; in a graph they work like any other node.
//!
//! Unlike other nodes these must bear NaN and infinity, which are what one looks for: they are counted, left out of
//! sums, and painted in a colour of their own, never handed on.
//!
//! Reading order: [`numbers`] (a tensor's elements as f64), [`colour_map`], then one module a node.

pub mod colour_map;
mod difference;
mod heat_map;
mod latents;
pub mod numbers;
mod rows;
mod statistics;
#[cfg(test)]
mod test_run;

use mgie_plugin_api::Plugin;

mgie_plugin_api::export_plugin!(plugin);

/// The inspect plugin.
pub fn plugin() -> Plugin {
    Plugin::new("inspect", env!("CARGO_PKG_VERSION"))
        .node(statistics::definition())
        .node(heat_map::definition())
        .node(rows::norms_definition())
        .node(rows::cosines_definition())
        .node(latents::definition())
        .node(difference::definition())
}
