//! The shared library that the host loads for the nodes of `mgie-clip`.

mgie_plugin_api::export_plugin!(mgie_clip::plugin);
