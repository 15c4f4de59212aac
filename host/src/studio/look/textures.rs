//! Small pictures as textures, by the value they were made of.

use super::identity::Identity;
use super::light::Display;
use super::tiles::PIXELS;
use eframe::egui::{Color32, ColorImage, Context, TextureHandle};
use mgie_plugin_api::Value;

/// The most textures that are kept.
const MOST: usize = 16;

/// Textures of heat maps and the like, which are small enough to be made at once.
#[derive(Default)]
pub(super) struct Textures {
    /// The one that was asked for last stands last.
    made: Vec<(Identity, TextureHandle)>,
}

impl Textures {
    /// The texture of a picture; none where the value is none.
    pub(super) fn of(&mut self, ctx: &Context, value: &Value) -> Option<TextureHandle> {
        if let Some(at) = self.made.iter().position(|(identity, _)| identity.is(value)) {
            let found = self.made.remove(at);
            let texture = found.1.clone();
            self.made.push(found);
            return Some(texture);
        }
        let image = value.as_image()?;
        let places = (0..image.height).flat_map(|y| (0..image.width).map(move |x| (x, y)));
        let display = Display::default();
        let colours = places.map(|(x, y)| {
            let [red, green, blue, alpha] = display.shown(&image, x, y);
            Color32::from_rgba_unmultiplied(red, green, blue, alpha)
        });
        let colours = ColorImage::new([image.width, image.height], colours.collect());
        let texture = ctx.load_texture("heat map", colours, PIXELS);
        self.made.push((Identity::of(value), texture.clone()));
        if self.made.len() > MOST {
            drop(self.made.remove(0));
        }
        Some(texture)
    }
}
