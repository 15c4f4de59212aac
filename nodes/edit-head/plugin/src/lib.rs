//! The shared library that the host loads for the nodes of `mgie-edit-head`.

mgie_plugin_api::export_plugin!(mgie_edit_head::plugin);
