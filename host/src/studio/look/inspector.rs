//! The inspector: any value on a wire, shown by its kind.

use super::heat::{failed, waiting};
use super::tensors::{self, Tensors};
use super::textures::Textures;
use super::tools::{Answer, Question, Tools};
use super::viewer::Viewer;
use super::{charts, tokens};
use eframe::egui::{CollapsingHeader, Label, RichText, Ui};
use mgie_plugin_api::{Body, Value, kind};

/// The height of pictures among other things, in points.
const PICTURE_HEIGHT: f32 = 320.0;

/// How values are shown, whichever comes; one for each inspector on the screen.
#[derive(Default)]
pub struct Inspector {
    viewer: Viewer,
    tensors: Tensors,
    textures: Textures,
    /// Latents in the colours that their own channels have, rather than Stable Diffusion's.
    by_channel: bool,
}

impl Inspector {
    /// Shows a value, as tall as it is: it is for the caller to let it scroll. What is computed of it comes a moment later,
    /// without holding up the window. Where several inspectors are side by side, each needs an id of its own
    /// (`ui.push_id`).
    pub fn show(&mut self, ui: &mut Ui, value: &Value, tools: &Tools) {
        ui.add(Label::new(RichText::new(value.to_string()).strong()).wrap());
        self.contents(ui, value, tools);
        details(ui, value);
    }

    fn contents(&mut self, ui: &mut Ui, value: &Value, tools: &Tools) {
        if let Some(text) = value.as_text() {
            words(ui, text);
        } else if let Some(number) = value.as_number() {
            ui.add(Label::new(RichText::new(number.to_string()).heading()).selectable(true));
        } else if value.as_image().is_some() {
            self.picture(ui, value);
            tensors::statistics(ui, value, tools);
        } else if let Body::Tensor(tensor) = value.body() {
            match value.kind() {
                kind::TOKENS => tokens::show(ui, value, tensor),
                kind::LATENTS => self.latents(ui, value, tools),
                _ => {}
            }
            self.tensors.show(ui, value, tensor, tools, &mut self.textures);
        }
    }

    fn picture(&mut self, ui: &mut Ui, picture: &Value) {
        let width = ui.available_width();
        ui.allocate_ui([width, PICTURE_HEIGHT].into(), |ui| {
            ui.set_max_height(PICTURE_HEIGHT);
            self.viewer.show(ui, Some(picture), None);
        });
    }

    fn latents(&mut self, ui: &mut Ui, value: &Value, tools: &Tools) {
        ui.checkbox(&mut self.by_channel, "Channels as colours").on_hover_text(
            "Shows the first three channels as red, green and blue, each from its smallest to its largest number, for \
             autoencoders that Stable Diffusion's colours do not fit",
        );
        let colours = if self.by_channel { "channels" } else { "stable-diffusion" };
        let answer = tools.ask(&Question::latents_picture(value, colours));
        match (&answer, answer.output("image")) {
            (_, Some(picture)) => self.picture(ui, picture),
            (Answer::Failed(why), _) => failed(ui, why),
            _ => waiting(ui, "Latents as picture"),
        }
    }
}

fn words(ui: &mut Ui, text: &str) {
    ui.horizontal(|ui| {
        if ui.button("Copy text").clicked() {
            ui.ctx().copy_text(text.to_owned());
        }
        ui.weak(format!("{} words, {} characters", text.split_whitespace().count(), text.chars().count()));
    });
    if text.is_empty() {
        ui.weak("The text is empty");
    } else {
        ui.add(Label::new(text).wrap().selectable(true));
    }
}

/// The header: what a value says of itself besides its body.
fn details(ui: &mut Ui, value: &Value) {
    // A text's header is the text, a number's the number.
    if value.as_text().is_some() || value.as_number().is_some() {
        return;
    }
    let Some(entries) = value.header().as_object().filter(|entries| !entries.is_empty()) else { return };
    let open = matches!(value.body(), Body::Object(_));
    CollapsingHeader::new("Header").default_open(open).show(ui, |ui| {
        for (name, entry) in entries {
            // The pieces of tokens are a list of thousands, shown elsewhere.
            let text = match entry {
                serde_json::Value::Array(list) if list.len() > 16 => format!("{} entries", list.len()),
                serde_json::Value::Number(number) => number.as_f64().map_or_else(
                    || number.to_string(),
                    |x| {
                        if number.is_f64() { charts::number(x) } else { number.to_string() }
                    },
                ),
                serde_json::Value::String(text) => text.clone(),
                entry => entry.to_string(),
            };
            ui.horizontal_wrapped(|ui| {
                ui.weak(name);
                ui.add(Label::new(RichText::new(text).monospace()).selectable(true).wrap());
            });
        }
    });
}
