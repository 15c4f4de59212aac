//! The shared library that the host loads for the nodes of `mgie-mllm`.

mgie_plugin_api::export_plugin!(mgie_mllm::plugin);
