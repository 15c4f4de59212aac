//! Small pictures on nodes: the live preview while a node runs, and what it gave when it is done. Each is made once a value.

use crate::studio::look::identity::Identity;
use crate::studio::theme;
use eframe::egui;
use egui::{Color32, ColorImage, TextureHandle, TextureOptions, Ui, Vec2};
use mgie_plugin_api::{Image, Value};
use std::collections::HashMap;

/// Pixels of the longer side: a node is not wider.
const SIDE: usize = 196;

/// The textures that nodes show.
#[derive(Default)]
pub struct Thumbnails {
    of: HashMap<String, (Identity, TextureHandle)>,
}

impl Thumbnails {
    /// Shows a value where it is something to be seen at a glance: a picture or a text.
    pub fn show(&mut self, ui: &mut Ui, node: &str, value: &Value) {
        if let Some(image) = value.as_image() {
            self.picture(ui, node, value, &image);
        } else if let Some(text) = value.as_text().filter(|text| !text.is_empty()) {
            const LETTERS: usize = 240;
            let end = text.char_indices().nth(LETTERS).map_or(text.len(), |(end, _)| end);
            let text = egui::RichText::new(&text[..end]).small().color(theme::of(ui).dim);
            ui.add(egui::Label::new(text).wrap());
        }
    }

    fn picture(&mut self, ui: &mut Ui, node: &str, value: &Value, image: &Image) {
        if image.width == 0 || image.height == 0 {
            return;
        }
        let known = self.of.get(node).is_some_and(|(shown, _)| shown.is(value));
        if !known {
            let small = shrink(image);
            match self.of.get_mut(node) {
                Some((shown, texture)) => {
                    *shown = Identity::of(value);
                    texture.set(small, TextureOptions::LINEAR);
                }
                None => {
                    let texture = ui.ctx().load_texture(format!("thumbnail {node}"), small, TextureOptions::LINEAR);
                    self.of.insert(node.to_owned(), (Identity::of(value), texture));
                }
            }
        }
        if let Some((_, texture)) = self.of.get(node) {
            let shape = Vec2::new(image.width as f32, image.height as f32);
            let scale = (SIDE as f32 / shape.x).min(SIDE as f32 * 0.7 / shape.y);
            let picture = egui::Image::new((texture.id(), shape * scale)).corner_radius(3);
            ui.vertical_centered(|ui| ui.add(picture.alt_text(format!("picture of {node}"))));
        }
    }

    /// Lets go of the pictures of nodes that are no more.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.of.retain(|node, _| is_there(node));
    }
}

/// A picture no larger than a node shows it, encoded for display.
fn shrink(image: &Image) -> ColorImage {
    let (height, width, channels) = (image.height.max(1), image.width.max(1), image.channels);
    let step = (height.max(width) as f32 / SIDE as f32).max(1.0);
    let (rows, columns) = (((height as f32 / step) as usize).max(1), ((width as f32 / step) as usize).max(1));
    let pixels = image.pixels();
    let linear = image.bit_depth == 32 && channels > 1;
    let byte = |value: f32| {
        let encoded = if linear { display(value) } else { value };
        (encoded.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
    };
    let mut small = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let y = ((row as f32 + 0.5) * step) as usize;
        for column in 0..columns {
            let x = ((column as f32 + 0.5) * step) as usize;
            let at = (y.min(height - 1) * width + x.min(width - 1)) * channels;
            small.push(match pixels.get(at..at + channels) {
                Some(&[grey]) => Color32::from_gray(byte(grey)),
                Some(&[red, green, blue]) => Color32::from_rgb(byte(red), byte(green), byte(blue)),
                Some(&[red, green, blue, alpha]) => Color32::from_rgba_unmultiplied(
                    byte(red),
                    byte(green),
                    byte(blue),
                    (alpha.clamp(0.0, 1.0) * 255.0 + 0.5) as u8,
                ),
                _ => Color32::TRANSPARENT,
            });
        }
    }
    ColorImage::new([columns, rows], small)
}

/// Linear light to the curve of sRGB (IEC 61966-2-1).
fn display(linear: f32) -> f32 {
    if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::Tensor;

    #[test]
    fn a_wide_picture_keeps_its_shape_when_it_is_made_small() {
        let tensor = Tensor::from_f32([464, 928, 3], vec![0.5; 464 * 928 * 3]).unwrap();
        let small = shrink(&Value::image(tensor, 16).as_image().unwrap());
        assert_eq!(small.size, [196, 98]);
        assert_eq!(small.pixels[0], Color32::from_rgb(128, 128, 128));
    }

    #[test]
    fn an_empty_picture_is_no_reason_to_fall_over() {
        let tensor = Tensor::from_f32([0, 0, 3], Vec::new()).unwrap();
        assert_eq!(shrink(&Value::image(tensor, 8).as_image().unwrap()).size, [1, 1]);
    }
}
