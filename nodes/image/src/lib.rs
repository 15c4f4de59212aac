//! Image nodes: load, save, resize, centre crop, constant, merge, difference key and contact sheet; and the resampling that they share
//! with the models' image processors.
//!
//! Reading order: [`picture`] (a picture in memory), [`resample`] (Pillow's numbers) and [`fit`], [`decode`] and
//! [`encode`] (files), [`lettering`] (drawing), then one module a node.

mod alpha;
pub mod blur;
mod center_crop;
mod choice;
mod constant;
pub mod decode;
pub mod difference_key;
pub mod encode;
pub mod fit;
mod jpeg_end;
pub mod lettering;
mod load;
pub mod merge;
pub mod picture;
pub mod resample;
mod resample_taps;
mod resize;
mod save;
mod sheet;
pub mod transfer;

use mgie_plugin_api::Plugin;

/// The image plugin.
pub fn plugin() -> Plugin {
    Plugin::new("image", env!("CARGO_PKG_VERSION"))
        .node(load::definition())
        .node(save::definition())
        .node(resize::definition())
        .node(center_crop::definition())
        .node(constant::definition())
        .node(merge::definition())
        .node(difference_key::definition())
        .node(sheet::definition())
}
