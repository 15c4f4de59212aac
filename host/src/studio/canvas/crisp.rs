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

fn one(ctx: &Context, text: &mut TextShape, zoom: f32) {
    let mut job: LayoutJob = (*text.galley.job).clone();
    for section in &mut job.sections {
        let format = &mut section.format;
        format.font_id.size *= zoom;
        format.extra_letter_spacing *= zoom;
        format.line_height = format.line_height.map(|height| height * zoom);
        section.leading_space *= zoom;
    }
    if job.sections.iter().any(|section| section.format.font_id.size < LEAST) {
        return;
    }
    job.wrap.max_width *= zoom * SLACK;
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
mod tests {
    use super::*;
    use egui::{Color32, FontId, Id, Order, RawInput, pos2};

    /// Width on the screen of a texel of the first glyph, where the layer is scaled by `zoom`.
    fn width_of_texel(zoom: f32, crisp: bool) -> f32 {
        let (ctx, layer, mut width) = (Context::default(), LayerId::new(Order::Middle, Id::new("layer")), 0.0);
        let _ = ctx.run_ui(RawInput::default(), |ui| {
            let painter = ui.ctx().layer_painter(layer);
            let galley = painter.layout_no_wrap("Image".to_owned(), FontId::proportional(14.0), Color32::WHITE);
            painter.galley(pos2(10.0, 10.0), galley, Color32::WHITE);
            if crisp {
                text(ui.ctx(), layer, zoom);
            }
            ui.ctx().graphics(|layers| {
                let shapes = layers.get(layer).into_iter().flat_map(egui::layers::PaintList::all_entries);
                for clipped in shapes {
                    let Shape::Text(text) = &clipped.shape else { continue };
                    assert_eq!(text.pos, pos2(10.0, 10.0), "it stays where it was");
                    let vertices = &text.galley.rows[0].row.visuals.mesh.vertices;
                    let texels = vertices[1].uv.x - vertices[0].uv.x;
                    width = zoom * (vertices[1].pos.x - vertices[0].pos.x) / texels;
                }
            });
        });
        width
    }

    #[test]
    fn glyphs_are_drawn_at_the_size_that_they_have_on_the_screen() {
        for zoom in [0.5, 0.58, 2.0] {
            assert!((width_of_texel(zoom, false) - zoom).abs() < 1e-3, "what egui does by itself");
            let width = width_of_texel(zoom, true);
            assert!((width - 1.0).abs() < 1e-3, "a texel is {width} of a pixel wide at {zoom}");
        }
    }
}
