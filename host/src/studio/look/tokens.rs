//! Token ids with the pieces of text that they stand for.

use eframe::egui::{Label, RichText, ScrollArea, TextStyle, Ui};
use mgie_plugin_api::{Tensor, Value};

/// A row for each token: its place, its id and its piece; those of the prompt are dim. Only rows in sight are made.
pub(super) fn show(ui: &mut Ui, value: &Value, tensor: &Tensor) {
    let Ok(ids) = tensor.as_slice::<i64>() else {
        ui.colored_label(ui.visuals().error_fg_color, format!("Tokens are i64, these are {}", tensor.dtype()));
        return;
    };
    let header = value.header();
    let prompt = header.get("prompt_length").and_then(serde_json::Value::as_u64).unwrap_or(0);
    let pieces = header.get("pieces").and_then(serde_json::Value::as_array);
    ui.label(format!("{} tokens, {prompt} of them the prompt's", ids.len()));
    let height = ui.text_style_height(&TextStyle::Monospace);
    ScrollArea::vertical().id_salt("tokens").max_height(320.0).auto_shrink([false, true]).show_rows(
        ui,
        height,
        ids.len(),
        |ui, rows| {
            for (place, id) in ids.iter().enumerate().skip(rows.start).take(rows.len()) {
                let piece = pieces.and_then(|pieces| pieces.get(place)?.as_str()).unwrap_or("");
                // Debug's quotes and escapes: a piece may be a space, or a new line.
                let text = RichText::new(format!("{place:>4} {id:>6}  {piece:?}")).monospace();
                let dim = (place as u64) < prompt;
                ui.add(Label::new(if dim { text.weak() } else { text }).truncate());
            }
        },
    );
}
