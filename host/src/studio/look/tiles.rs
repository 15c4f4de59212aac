//! A picture as textures: tiles, because a graphics card limits how large a texture is, and made a tile or so a frame, so
//! that a large picture does not hold up the window. They are made anew only where the picture or a setting changed; until
//! then what was there stays on the screen.

use super::comparison;
use super::histogram::Histogram;
use super::identity::Identity;
use super::light::{Channel, Display};
use eframe::egui::{
    Color32, ColorImage, Context, Painter, Pos2, Rect, TextureFilter, TextureHandle, TextureOptions, TextureWrapMode,
    Vec2, pos2, vec2,
};

/// The side of a tile in pixels; no graphics card of today has less.
const SIDE: usize = 1024;

/// Magnified, pixels are squares; reduced, they are averaged.
pub(super) const PIXELS: TextureOptions = TextureOptions {
    magnification: TextureFilter::Nearest,
    minification: TextureFilter::Linear,
    wrap_mode: TextureWrapMode::ClampToEdge,
    mipmap_mode: Some(TextureFilter::Linear),
};

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A picture.
    Picture(Identity, Display),
    /// How far two pictures of one size are apart, in a channel, magnified.
    Difference(Identity, Identity, Channel, f32),
}

impl Source {
    /// Width and height in pixels; none where it is no picture.
    fn size(&self) -> Option<(usize, usize)> {
        let (Self::Picture(value, _) | Self::Difference(value, ..)) = self;
        value.value().as_image().map(|image| (image.width, image.height))
    }

    /// Part of it as the screen shows it, and how often it has which level.
    fn part(&self, part: &Part) -> (Vec<Color32>, Histogram) {
        let mut histogram = Histogram::default();
        let mut colours = Vec::with_capacity(part.width * part.height);
        let mut add = |pixel: [u8; 4]| {
            histogram.add(pixel);
            let [red, green, blue, alpha] = pixel;
            colours.push(if alpha == 255 {
                Color32::from_rgb(red, green, blue)
            } else {
                Color32::from_rgba_unmultiplied(red, green, blue, alpha)
            });
        };
        let places =
            (part.top..part.top + part.height).flat_map(|y| (part.left..part.left + part.width).map(move |x| (x, y)));
        match self {
            Self::Picture(value, display) => {
                if let Some(image) = value.value().as_image() {
                    places.for_each(|(x, y)| add(display.shown(&image, x, y)));
                }
            }
            Self::Difference(a, b, channel, gain) => {
                if let (Some(a), Some(b)) = (a.value().as_image(), b.value().as_image()) {
                    places.for_each(|(x, y)| add(comparison::difference(&a, &b, *channel, *gain, x, y)));
                }
            }
        }
        colours.resize(part.width * part.height, Color32::TRANSPARENT);
        (colours, histogram)
    }
}

/// The tiles of one picture.
#[derive(Default)]
pub(super) struct Tiles {
    source: Option<Source>,
    size: (usize, usize),
    parts: Vec<Part>,
    /// The first part that is not yet what the source is now.
    next: usize,
    counting: Histogram,
    histogram: Histogram,
}

struct Part {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    texture: Option<TextureHandle>,
}

impl Tiles {
    /// Makes a tile of `source` where one is missing, and asks for another frame where that was not the last.
    pub(super) fn show(&mut self, ctx: &Context, source: &Source) {
        if self.source.as_ref() != Some(source) {
            let size = source.size().unwrap_or((0, 0));
            if self.size != size {
                self.size = size;
                self.parts = parts(size);
            }
            (self.source, self.next, self.counting) = (Some(source.clone()), 0, Histogram::default());
        }
        let Some(part) = self.parts.get_mut(self.next) else { return };
        let (colours, histogram) = source.part(part);
        let image = ColorImage::new([part.width, part.height], colours);
        match &mut part.texture {
            Some(texture) => texture.set(image, PIXELS),
            missing => *missing = Some(ctx.load_texture("part of a picture", image, PIXELS)),
        }
        self.counting.join(&histogram);
        self.next += 1;
        if self.next == self.parts.len() {
            self.histogram = std::mem::take(&mut self.counting);
        }
        // Also after the last: whoever drew the histogram in this frame drew the old one.
        ctx.request_repaint();
    }

    /// Width and height of the picture in its pixels.
    #[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
    pub(super) fn size(&self) -> Vec2 {
        vec2(self.size.0 as f32, self.size.1 as f32)
    }

    /// How often each level is shown, as of when every tile was last made.
    pub(super) fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// Paints the picture into `place`.
    #[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
    pub(super) fn paint(&self, painter: &Painter, place: Rect) {
        let scale = place.size() / self.size().max(Vec2::splat(1.0));
        for part in &self.parts {
            let Some(texture) = &part.texture else { continue };
            let corner = place.min + vec2(part.left as f32, part.top as f32) * scale;
            let rect = Rect::from_min_size(corner, vec2(part.width as f32, part.height as f32) * scale);
            if painter.clip_rect().intersects(rect) {
                painter.image(texture.id(), rect, Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)), Color32::WHITE);
            }
        }
    }
}

fn parts((width, height): (usize, usize)) -> Vec<Part> {
    let corners = (0..height).step_by(SIDE).flat_map(|top| (0..width).step_by(SIDE).map(move |left| (left, top)));
    let part = |(left, top): (usize, usize)| Part {
        left,
        top,
        width: SIDE.min(width - left),
        height: SIDE.min(height - top),
        texture: None,
    };
    corners.map(part).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{Tensor, Value};

    #[test]
    fn parts_cover_the_picture_once() {
        let parts = parts((2500, 1024));
        let seen: Vec<_> = parts.iter().map(|part| (part.left, part.top, part.width, part.height)).collect();
        assert_eq!(seen, [(0, 0, 1024, 1024), (1024, 0, 1024, 1024), (2048, 0, 452, 1024)]);
        assert!(super::parts((0, 10)).is_empty());
    }

    #[test]
    fn textures_are_made_only_where_the_picture_or_a_setting_changed() {
        let ctx = Context::default();
        let picture = Value::image(Tensor::from_f32([1, 1100, 1], vec![0.5; 1100]).unwrap(), 8);
        let mut tiles = Tiles::default();
        let mut display = Display::default();
        let show = |tiles: &mut Tiles, display: Display| {
            tiles.show(&ctx, &Source::Picture(Identity::of(&picture), display));
            tiles.next
        };
        assert_eq!((show(&mut tiles, display), show(&mut tiles, display), show(&mut tiles, display)), (1, 2, 2));
        assert_eq!(tiles.histogram().counts()[0][128], 1100);
        display.stops = 1.0;
        assert_eq!(show(&mut tiles, display), 1);
        assert_eq!(tiles.histogram().counts()[0][128], 1100, "the old one until the new one is whole");
        assert_eq!(show(&mut tiles, display), 2);
        assert_eq!(tiles.histogram().counts()[0][255], 1100);
    }
}
