//! The studio: the node editor in a window.

pub mod look;
