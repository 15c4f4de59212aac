//! The shared library that the host loads for the image nodes.

mgie_plugin_api::export_plugin!(mgie_image::plugin);
