//! sRGB's transfer curve (IEC 61966-2-1), between values encoded for display and linear light. Both directions go on
//! past 1 and, mirrored, below 0, so that unclamped values survive.

/// Linear light from a value encoded for display.
pub fn to_linear(encoded: f32) -> f32 {
    let v = encoded.abs();
    let linear = if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    linear.copysign(encoded)
}

/// A value encoded for display from linear light.
pub fn to_display(linear: f32) -> f32 {
    let v = linear.abs();
    let encoded = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
    encoded.copysign(linear)
}
