//! Text at the size that it has on the screen. egui draws glyphs at 100 % and a zoomed layer scales what was drawn: strokes get
//! lost where it shrinks and blur where it grows. Here each text of the layer is laid out anew for the zoom, and then as
//! much smaller or larger again as the layer will undo.

use eframe::egui;
use egui::emath::TSTransform;
use egui::epaint::TextShape;
use egui::layers::ShapeIdx;
use egui::text::LayoutJob;
use egui::{Context, LayerId, Rect, Shape};
use std::sync::Arc;

/// The least size of letters that is worth it, in points on the screen.
const LEAST: f32 = 4.0;

/// The largest letters of the canvas, a heading's, in points of the canvas.
const LARGEST: f32 = 20.0;

/// Letters come in sizes of so many to a pixel: for every size glyphs are drawn anew, and a zoom that goes on smoothly would
/// have one for each frame.
const SIZES_A_PIXEL: f32 = 4.0;

/// A wrapped text gets a little more room than its share, so that rounding breaks no line earlier.
const SLACK: f32 = 1.02;

/// Lays the texts of `layer` out anew, which is about to be scaled by `zoom`.
pub(super) fn text(ctx: &Context, layer: LayerId, zoom: f32) {
    if (zoom - 1.0).abs() < 0.01 || zoom * LARGEST < LEAST {
        return;
    }
    // Fonts cannot be asked while the layers are held.
    let mut found: Vec<(usize, Rect, Shape)> = ctx.graphics(|layers| {
        let shapes = layers.get(layer).into_iter().flat_map(|list| list.all_entries().enumerate());
        let texts = shapes.filter(|(_, clipped)| holds_text(&clipped.shape));
        texts.map(|(index, clipped)| (index, clipped.clip_rect, clipped.shape.clone())).collect()
    });
    for (_, clip, shape) in &mut found {
        lay_out(ctx, shape, *clip, zoom);
    }
    ctx.graphics_mut(|layers| {
        let list = layers.entry(layer);
        for (index, _, shape) in found {
            list.mutate_shape(ShapeIdx(index), |clipped| clipped.shape = shape);
        }
    });
}

fn holds_text(shape: &Shape) -> bool {
    match shape {
        Shape::Text(_) => true,
        Shape::Vec(shapes) => shapes.iter().any(holds_text),
        _ => false,
    }
}

fn lay_out(ctx: &Context, shape: &mut Shape, clip: Rect, zoom: f32) {
    match shape {
        Shape::Text(text) if text.visual_bounding_rect().intersects(clip) => one(ctx, text, zoom),
        Shape::Vec(shapes) => shapes.iter_mut().for_each(|shape| lay_out(ctx, shape, clip, zoom)),
        _ => {}
    }
}

/// The size that letters of a size have on the screen, to a part of a pixel.
fn on_screen(size: f32, zoom: f32, pixels_per_point: f32) -> f32 {
    let steps = SIZES_A_PIXEL * pixels_per_point;
    (size * zoom * steps).round() / steps
}

fn one(ctx: &Context, text: &mut TextShape, zoom: f32) {
    let mut job: LayoutJob = (*text.galley.job).clone();
    let pixels_per_point = ctx.pixels_per_point();
    // How much larger the letters become than the room for them.
    let mut grown: f32 = 1.0;
    for section in &mut job.sections {
        let format = &mut section.format;
        let exact = format.font_id.size * zoom;
        format.font_id.size = on_screen(format.font_id.size, zoom, pixels_per_point);
        grown = grown.max(format.font_id.size / exact);
        format.extra_letter_spacing *= zoom;
        format.line_height = format.line_height.map(|height| height * zoom);
        section.leading_space *= zoom;
    }
    if job.sections.iter().any(|section| section.format.font_id.size < LEAST) {
        return;
    }
    job.wrap.max_width *= zoom * grown * SLACK;
    job.first_row_min_height *= zoom;
    // Rounding to whole points would be rounding to fractions of them.
    job.round_output_to_gui = false;
    let galley = ctx.fonts_mut(|fonts| fonts.layout_job(job));
    if galley.rows.len() != text.galley.rows.len() {
        return;
    }
    let pos = text.pos;
    text.galley = Arc::clone(&galley);
    text.transform(TSTransform::from_scaling(1.0 / zoom));
    text.pos = pos;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use egui::{Color32, FontId, Id, Order, RawInput, pos2};

    /// What becomes of a text in a layer that is scaled by `zoom`.
    fn drawn(zoom: f32, crisp: bool) -> TextShape {
        let (ctx, layer, mut drawn) = (Context::default(), LayerId::new(Order::Middle, Id::new("layer")), None);
        let _ = ctx.run_ui(RawInput::default(), |ui| {
            let painter = ui.ctx().layer_painter(layer);
            let galley = painter.layout_no_wrap("Image".to_owned(), FontId::proportional(14.0), Color32::WHITE);
            painter.galley(pos2(10.0, 10.0), galley, Color32::WHITE);
            if crisp {
                text(ui.ctx(), layer, zoom);
            }
            ui.ctx().graphics(|layers| {
                let shapes = layers.get(layer).into_iter().flat_map(egui::layers::PaintList::all_entries);
                drawn = shapes.into_iter().find_map(|clipped| match &clipped.shape {
                    Shape::Text(text) => Some(text.clone()),
                    _ => None,
                });
            });
        });
        let drawn = drawn.unwrap();
        assert_eq!(drawn.pos, pos2(10.0, 10.0), "it stays where it was");
        drawn
    }

    /// Width on the screen of a texel of the first glyph, where the layer is scaled by `zoom`.
    fn width_of_texel(zoom: f32, crisp: bool) -> f32 {
        let text = drawn(zoom, crisp);
        let vertices = &text.galley.rows[0].row.visuals.mesh.vertices;
        zoom * (vertices[1].pos.x - vertices[0].pos.x) / (vertices[1].uv.x - vertices[0].uv.x)
    }

    /// The size of the letters that it is drawn with.
    fn size(zoom: f32) -> f32 {
        drawn(zoom, true).galley.job.sections[0].format.font_id.size
    }

    #[test]
    fn glyphs_are_drawn_at_the_size_that_they_have_on_the_screen() {
        for zoom in [0.5, 0.58, 2.0] {
            assert!((width_of_texel(zoom, false) - zoom).abs() < 1e-3, "what egui does by itself");
            let width = width_of_texel(zoom, true);
            assert!((width - 1.0).abs() < 1e-3, "a texel is {width} of a pixel wide at {zoom}");
        }
    }
    #[test]
    fn a_zoom_that_goes_on_smoothly_uses_the_glyphs_of_few_sizes() {
        assert_eq!((size(0.571), size(0.575)), (8.0, 8.0), "14 points at those zooms, to a quarter of a pixel");
        let mut sizes: Vec<f32> = (0..200).map(|step| size(0.5 + step as f32 / 400.0)).collect();
        sizes.dedup();
        assert_eq!(sizes.len(), 29, "from 7 to 14 pixels: {sizes:?}");
        assert!((on_screen(14.0, 0.571, 2.0) - 8.0).abs() < 1e-6, "a point has more pixels there");
        assert!((on_screen(13.0, 0.58, 2.0) - 7.5).abs() < 1e-6, "7.54 points are 15.08 pixels");
    }

    #[test]
    fn a_text_that_fitted_is_not_cut_where_its_letters_are_a_little_larger() {
        for step in 0..60 {
            let zoom = 0.31 + step as f32 / 100.0;
            let ctx = Context::default();
            let _ = ctx.run_ui(RawInput::default(), |ui| {
                let layer = LayerId::new(Order::Middle, Id::new("layer"));
                let mut job =
                    LayoutJob::simple_singleline("A name".to_owned(), FontId::proportional(13.0), Color32::WHITE);
                let whole = ui.fonts_mut(|fonts| fonts.layout_job(job.clone()));
                job.wrap = egui::text::TextWrapping::truncate_at_width(whole.size().x);
                let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
                assert!(!galley.elided);
                ui.ctx().layer_painter(layer).galley(pos2(0.0, 0.0), galley, Color32::WHITE);
                text(ui.ctx(), layer, zoom);
                ui.ctx().graphics(|layers| {
                    for clipped in layers.get(layer).into_iter().flat_map(egui::layers::PaintList::all_entries) {
                        let Shape::Text(text) = &clipped.shape else { continue };
                        assert!(!text.galley.elided, "at {zoom}");
                    }
                });
            });
        }
    }
}
