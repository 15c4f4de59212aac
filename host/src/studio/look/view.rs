//! Where a picture lies on the screen: pan and zoom.

use eframe::egui::{Pos2, Rect, Vec2};

/// The most points that a pixel of the picture is wide.
const MOST_ZOOM: f32 = 128.0;

/// Which part of a picture is seen, and how large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Whether the whole picture is fitted into the area, whatever size either has.
    pub fit: bool,
    /// Points a pixel of the picture is wide; means nothing while it is fitted.
    pub zoom: f32,
    /// The place of the picture, in its pixels, that lies in the middle of the area; means nothing while it is fitted.
    pub centre: Vec2,
}

impl Default for View {
    fn default() -> Self {
        Self { fit: true, zoom: 1.0, centre: Vec2::ZERO }
    }
}

impl View {
    /// Points a pixel of a picture of `size` is wide in `area`.
    #[must_use]
    pub fn scale(&self, area: Rect, size: Vec2) -> f32 {
        if self.fit { fitting(area, size) } else { self.zoom }
    }

    /// Where on the screen the picture lies.
    #[must_use]
    pub fn place(&self, area: Rect, size: Vec2) -> Rect {
        let scale = self.scale(area, size);
        let centre = if self.fit { size / 2.0 } else { self.centre };
        Rect::from_min_size(area.center() - centre * scale, size * scale)
    }

    /// The pixel under a place on the screen; none beside the picture.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the picture")]
    pub fn pixel(&self, area: Rect, size: Vec2, at: Pos2) -> Option<(usize, usize)> {
        let within = (at - self.place(area, size).min) / self.scale(area, size);
        let inside = within.x >= 0.0 && within.y >= 0.0 && within.x < size.x && within.y < size.y;
        inside.then_some((within.x as usize, within.y as usize))
    }

    /// Zooms by `factor`; what lies under `at` stays there.
    pub fn zoom_at(&mut self, area: Rect, size: Vec2, at: Pos2, factor: f32) {
        let scale = self.scale(area, size);
        let least = (fitting(area, size) / 4.0).clamp(f32::MIN_POSITIVE, 1.0 / 16.0);
        let zoom = (scale * factor).clamp(least, MOST_ZOOM);
        let under = (at - self.place(area, size).min) / scale;
        *self = Self { fit: false, zoom, centre: under - (at - area.center()) / zoom };
        self.keep_in_sight(size);
    }

    /// Moves the picture by so many points.
    pub fn pan(&mut self, area: Rect, size: Vec2, by: Vec2) {
        let scale = self.scale(area, size);
        let centre = if self.fit { size / 2.0 } else { self.centre };
        *self = Self { fit: false, zoom: scale, centre: centre - by / scale };
        self.keep_in_sight(size);
    }

    /// Shows a pixel of the picture as one of the screen's; the middle stays where it is.
    pub fn one_to_one(&mut self, size: Vec2, pixels_per_point: f32) {
        let centre = if self.fit { size / 2.0 } else { self.centre };
        *self = Self { fit: false, zoom: 1.0 / pixels_per_point, centre };
    }

    fn keep_in_sight(&mut self, size: Vec2) {
        self.centre = self.centre.clamp(Vec2::ZERO, size);
    }
}

fn fitting(area: Rect, size: Vec2) -> f32 {
    let ratio = area.size() / size.max(Vec2::splat(1.0));
    ratio.min_elem().clamp(1e-4, MOST_ZOOM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{pos2, vec2};

    const AREA: Rect = Rect { min: Pos2 { x: 100.0, y: 50.0 }, max: Pos2 { x: 500.0, y: 250.0 } };

    #[test]
    fn a_fitted_picture_is_whole_and_in_the_middle() {
        let place = View::default().place(AREA, vec2(100.0, 100.0));
        assert_eq!(place, Rect::from_min_max(pos2(200.0, 50.0), pos2(400.0, 250.0)));
        assert_eq!(View::default().pixel(AREA, vec2(100.0, 100.0), pos2(201.0, 249.0)), Some((0, 99)));
        assert_eq!(View::default().pixel(AREA, vec2(100.0, 100.0), pos2(199.0, 100.0)), None);
    }

    #[test]
    fn what_lies_under_the_pointer_stays_there() {
        let (mut view, size, at) = (View::default(), vec2(512.0, 512.0), pos2(250.0, 120.0));
        let before = view.pixel(AREA, size, at);
        for factor in [3.0, 7.0, 2.0, 0.5] {
            view.zoom_at(AREA, size, at, factor);
            assert_eq!(view.pixel(AREA, size, at), before);
        }
    }

    #[test]
    fn zoom_ends_where_a_pixel_fills_the_area_and_where_the_picture_is_a_speck() {
        let (mut view, size) = (View::default(), vec2(512.0, 512.0));
        view.zoom_at(AREA, size, AREA.center(), 1e9);
        assert_eq!(view.zoom, MOST_ZOOM);
        view.zoom_at(AREA, size, AREA.center(), 1e-9);
        assert!(view.zoom > 0.0 && view.zoom < 0.1);
    }

    #[test]
    fn the_picture_cannot_be_lost() {
        let (mut view, size) = (View::default(), vec2(512.0, 512.0));
        view.pan(AREA, size, vec2(1e6, -1e6));
        assert!(view.place(AREA, size).intersects(AREA));
        view.pan(AREA, Vec2::ZERO, vec2(5.0, 5.0));
        assert!(view.centre.is_finite() && view.zoom.is_finite());
    }

    #[test]
    fn one_to_one_is_a_pixel_of_the_screen() {
        let mut view = View::default();
        view.one_to_one(vec2(512.0, 256.0), 2.0);
        assert_eq!((view.fit, view.zoom, view.centre), (false, 0.5, vec2(256.0, 128.0)));
    }
}
