//! The shared library that the host loads for the nodes of `mgie-metrics`; the code is in that crate, so that tests and other
//! crates can link it without the symbols exported here.

mgie_plugin_api::export_plugin!(mgie_metrics::plugin);
