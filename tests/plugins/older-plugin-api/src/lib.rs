//! plugin-api as it was at version 1.0, reduced to what crossed the door: a plugin built against this must load and run
//! on every host of major version 1.

pub mod abi;
pub mod dlpack;
