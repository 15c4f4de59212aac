//! Image nodes: load, save, resize, centre crop, constant and merge; and the resampling that they share with the
//! models' image processors.

pub mod resample;
mod resample_taps;
