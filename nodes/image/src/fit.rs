//! How a resize makes two sides out of a picture's sides and the asked-for ones, with the roundings that people compare
//! against: Pillow's `ImageOps.contain` and `ImageOps.fit`, and torchvision's resize of the short side.

use crate::resample::{Filter, Resize};

/// What becomes of a picture whose sides are not in the asked-for proportion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is stretched to exactly `width` × `height`.
    Stretch,
    /// It keeps its proportion and becomes as large as `width` × `height` can hold.
    Inside,
    /// It keeps its proportion, covers `width` × `height`, and what hangs over is cut off evenly at both sides.
    Cover,
    /// It keeps its proportion and its short side becomes `width`; `height` does not count.
    ShortSide,
}

impl Fit {
    /// Every fit under the name that parameters use.
    pub const NAMED: [(&'static str, Fit); 4] =
        [("stretch", Fit::Stretch), ("inside", Fit::Inside), ("cover", Fit::Cover), ("short_side", Fit::ShortSide)];

    /// The fit of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Fit> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|&(_, fit)| fit)
    }
}

/// The resize that fits a picture of the size `from` (width, height in pixels, at least 1) to the size `to`. A side never
/// becomes less than one pixel.
pub fn fit(from: (usize, usize), to: (usize, usize), fit: Fit, filter: Filter) -> Resize {
    let ((from_width, from_height), (width, height)) = (from, to);
    let (across, down) = (from_width as f64, from_height as f64);
    // In Python's order of operations: the quotient is rounded before it is multiplied.
    let (source_ratio, target_ratio) = (across / down, width as f64 / height as f64);
    let whole = |side: f64| side.max(1.0) as usize;
    let (width, height) = match fit {
        Fit::Stretch => (width, height),
        Fit::Inside if source_ratio > target_ratio => (width, whole((down / across * width as f64).round_ties_even())),
        Fit::Inside if source_ratio < target_ratio => {
            (whole((across / down * height as f64).round_ties_even()), height)
        }
        Fit::Inside => (width, height),
        Fit::Cover => {
            let (kept_across, kept_down) = if source_ratio == target_ratio {
                (across, down)
            } else if source_ratio >= target_ratio {
                (target_ratio * down, down)
            } else {
                (across, across / target_ratio)
            };
            let (left, top) = ((across - kept_across) * 0.5, (down - kept_down) * 0.5);
            let right = ((left + kept_across) as f32).min(from_width as f32);
            let bottom = ((top + kept_down) as f32).min(from_height as f32);
            let part = [left as f32, top as f32, right, bottom];
            return Resize::new(width, height, filter).of_part(part);
        }
        // Multiplied first, then divided and cut off, as torchvision and CLIP's image processor do.
        Fit::ShortSide if from_width <= from_height => (width, whole((width as f64 * down / across).floor())),
        Fit::ShortSide => (whole((width as f64 * across / down).floor()), width),
    };
    Resize::new(width, height, filter)
}
