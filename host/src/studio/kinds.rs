//! The colour and the shape of a socket by the kind of value that it takes or gives. Pictures are round, words and numbers
//! square, tensors between models are diamonds, models hexagons: who cannot tell two colours apart still sees the shape.

use super::theme::Colours;
use eframe::egui;
use egui::{Color32, Painter, Pos2, Shape, Stroke, Vec2, vec2};
use mgie_plugin_api::kind;

/// The outline of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outline {
    /// Pictures and latents.
    Circle,
    /// Text, numbers, tokens.
    Square,
    /// Tensors that one model gives to another.
    Diamond,
    /// Objects: models.
    Hexagon,
}

/// The outline of a kind's sockets.
#[must_use]
pub fn outline(name: &str) -> Outline {
    match name {
        kind::IMAGE | kind::LATENTS | kind::ANY => Outline::Circle,
        kind::TEXT | kind::NUMBER | kind::TOKENS => Outline::Square,
        kind::DENOISER => Outline::Hexagon,
        _ => Outline::Diamond,
    }
}

/// The colour of a kind's sockets and wires. Kinds of third parties get a hue from their name.
#[must_use]
pub fn colour(name: &str, theme: &Colours) -> Color32 {
    let bright = match name {
        kind::IMAGE => Color32::from_rgb(100, 181, 246),
        kind::LATENTS => Color32::from_rgb(255, 148, 236),
        kind::CONDITIONING => Color32::from_rgb(255, 168, 64),
        kind::DENOISER => Color32::from_rgb(179, 157, 219),
        kind::CLIP_FEATURES => Color32::from_rgb(255, 221, 64),
        kind::CLIP_TEXT_FEATURES => Color32::from_rgb(222, 206, 120),
        kind::VISUAL_TOKENS => Color32::from_rgb(255, 112, 112),
        kind::IMG_EMBEDDINGS => Color32::from_rgb(255, 160, 140),
        kind::TEXT => Color32::from_rgb(150, 214, 150),
        kind::NUMBER => Color32::from_rgb(176, 190, 197),
        kind::TOKENS => Color32::from_rgb(110, 200, 180),
        kind::TENSOR => Color32::from_rgb(128, 222, 234),
        kind::ANY => Color32::from_rgb(200, 204, 210),
        _ => by_name(name),
    };
    // On white, the bright ones would vanish.
    if theme.dark { bright } else { bright.lerp_to_gamma(Color32::BLACK, 0.38) }
}

fn by_name(name: &str) -> Color32 {
    // FNV-1a: any spread will do, as long as it is the same on every start.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let hue = (hash % 360) as f32 / 360.0;
    egui::ecolor::Hsva::new(hue, 0.5, 0.95, 1.0).into()
}

/// Draws a socket: filled where something is wired in or has to be, an outline where it may stay empty.
pub fn draw(painter: &Painter, center: Pos2, size: f32, outline: Outline, colour: Color32, filled: bool) {
    let fill = if filled { colour } else { Color32::TRANSPARENT };
    let stroke = Stroke::new(1.5, colour);
    let half = size / 2.0 - 0.75;
    let polygon = |corners: &[Vec2]| {
        Shape::convex_polygon(corners.iter().map(|corner| center + *corner * half).collect(), fill, stroke)
    };
    let shape = match outline {
        Outline::Circle => {
            painter.circle(center, half, fill, stroke);
            return;
        }
        Outline::Square => polygon(&[vec2(-0.85, -0.85), vec2(0.85, -0.85), vec2(0.85, 0.85), vec2(-0.85, 0.85)]),
        Outline::Diamond => polygon(&[vec2(0.0, -1.1), vec2(1.1, 0.0), vec2(0.0, 1.1), vec2(-1.1, 0.0)]),
        Outline::Hexagon => polygon(&[
            vec2(-1.05, 0.0),
            vec2(-0.55, -0.95),
            vec2(0.55, -0.95),
            vec2(1.05, 0.0),
            vec2(0.55, 0.95),
            vec2(-0.55, 0.95),
        ]),
    };
    painter.add(shape);
}

/// A shape as people write it: `8 × 4096`.
#[must_use]
pub fn shape_text(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ")
}

/// What flowed, in the few letters that fit beside a socket: a shape, a number, the beginning of a text.
#[must_use]
pub fn brief(value: &mgie_plugin_api::Value) -> String {
    if let Some(tensor) = value.as_tensor() {
        return shape_text(tensor.shape());
    }
    if let Some(number) = value.as_number() {
        return number.to_string();
    }
    value.as_text().map_or_else(String::new, |text| {
        const LETTERS: usize = 16;
        let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((end, _)) = line.char_indices().nth(LETTERS) {
            line.truncate(end);
            line.push('…');
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::studio::theme;

    #[test]
    fn a_kind_of_a_third_party_has_a_colour_of_its_own_on_every_start() {
        let colours = theme::colours(true);
        assert_eq!(colour("org.example.mask", colours), colour("org.example.mask", colours));
        assert_ne!(colour("org.example.mask", colours), colour("org.example.depth", colours));
    }

    #[test]
    fn a_shape_is_written_with_the_sign_of_multiplication() {
        assert_eq!(shape_text(&[8, 4096]), "8 × 4096");
        assert_eq!(shape_text(&[]), "");
    }

    #[test]
    fn a_long_text_is_cut_beside_its_socket() {
        let value = mgie_plugin_api::Value::text("make the sky stormy and the sea wild");
        assert_eq!(brief(&value), "make the sky sto…");
    }
}
