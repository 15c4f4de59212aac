//! RGBA with its colours multiplied by their alpha, as resampling and OpenEXR have them, and with straight alpha, as
//! wires have them.

/// Colours times alpha / 255, rounded to nearest: Pillow's conversion of `RGBA` to `RGBa`.
pub(crate) fn multiplied_u8(pixels: &[u8]) -> Vec<u8> {
    let times = |value: u8, alpha: u8| {
        let product = u32::from(value) * u32::from(alpha) + 128;
        (((product >> 8) + product) >> 8) as u8
    };
    let multiplied = |p: &[u8; 4]| [times(p[0], p[3]), times(p[1], p[3]), times(p[2], p[3]), p[3]];
    pixels.as_chunks::<4>().0.iter().flat_map(multiplied).collect()
}

/// The way back, `RGBa` to `RGBA`: divided by alpha and cut off, and left alone where alpha is 0 or 255.
pub(crate) fn divide_u8(pixels: &mut [u8]) {
    for [red, green, blue, alpha] in pixels.as_chunks_mut::<4>().0 {
        if *alpha != 0 && *alpha != 255 {
            for colour in [red, green, blue] {
                *colour = (255 * u32::from(*colour) / u32::from(*alpha)).min(255) as u8;
            }
        }
    }
}

/// Colours times alpha.
pub(crate) fn multiplied_f32(pixels: &[f32]) -> Vec<f32> {
    let multiplied = |p: &[f32; 4]| [p[0] * p[3], p[1] * p[3], p[2] * p[3], p[3]];
    pixels.as_chunks::<4>().0.iter().flat_map(multiplied).collect()
}

/// Colours divided by alpha. Where alpha is 0 the colour is light without substance (a flame, a flare) and stays.
pub(crate) fn divide_f32(pixels: &mut [f32]) {
    for [red, green, blue, alpha] in pixels.as_chunks_mut::<4>().0 {
        if *alpha != 0.0 {
            for colour in [red, green, blue] {
                *colour /= *alpha;
            }
        }
    }
}
