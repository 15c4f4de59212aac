//! Any tensor: its statistics, a heat map, the lengths of its rows and how alike they are.

use super::charts;
use super::heat::{HeatMap, failed, waiting};
use super::textures::Textures;
use super::tools::{Answer, Question, Tools};
use eframe::egui::{Checkbox, CollapsingHeader, DragValue, Grid, Ui};
use mgie_plugin_api::{Tensor, Value, kind};
use serde_json::json;

/// The most rows whose cosines are shown, and whose lengths are.
const MOST_COSINES: usize = 128;
const MOST_NORMS: usize = 65536;

/// How tensors are shown.
#[derive(Default)]
pub(super) struct Tensors {
    index: usize,
    robust: bool,
}

impl Tensors {
    pub(super) fn show(&mut self, ui: &mut Ui, value: &Value, tensor: &Tensor, tools: &Tools, textures: &mut Textures) {
        statistics(ui, value, tools);
        if tensor.is_empty() {
            return;
        }
        CollapsingHeader::new("Heat map").default_open(true).show(ui, |ui| {
            let matrices = match tensor.shape() {
                [leading @ .., _, _] => leading.iter().product(),
                _ => 1,
            };
            self.index = self.index.min(matrices - 1);
            ui.horizontal_wrapped(|ui| {
                if matrices > 1 {
                    let name = ui.label(if value.kind() == kind::LATENTS { "Channel" } else { "Index" });
                    ui.add(DragValue::new(&mut self.index).range(0..=matrices - 1)).labelled_by(name.id);
                    ui.weak(format!("of {matrices}"));
                }
                ui.add(Checkbox::new(&mut self.robust, "Leave out outliers"))
                    .on_hover_text("Colours for all but the largest and the smallest percent of the numbers");
            });
            let outliers = if self.robust { 1.0 } else { 0.0 };
            let (row, column) = axes(value.kind());
            let map = HeatMap {
                name: "Heat map",
                value,
                index: self.index,
                parameters: json!({ "index": self.index, "outliers": outliers }),
                row,
                column,
                square: value.kind() == kind::LATENTS,
            };
            map.show(ui, tools, textures);
        });
        if let &[rows, _] = tensor.shape() {
            rows_of(ui, value, rows, tools, textures);
        }
    }
}

/// What the rows and columns of a kind's tensors are.
fn axes(kind: &str) -> (&'static str, &'static str) {
    match kind {
        kind::CONDITIONING | kind::CLIP_TEXT_FEATURES | kind::VISUAL_TOKENS | kind::IMG_EMBEDDINGS => {
            ("token", "feature")
        }
        kind::CLIP_FEATURES => ("patch", "feature"),
        kind::LATENTS => ("row", "column"),
        _ => ("row", "column"),
    }
}

fn rows_of(ui: &mut Ui, value: &Value, rows: usize, tools: &Tools, textures: &mut Textures) {
    let (row, _) = axes(value.kind());
    if rows > 1 && rows <= MOST_NORMS {
        CollapsingHeader::new("Row norms").default_open(true).show(ui, |ui| {
            let answer = tools.ask(&Question::row_norms(value));
            match (&answer, answer.output("norms").and_then(|norms| norms.as_tensor()?.f32().ok())) {
                (_, Some(norms)) => charts::bars(ui, "Row norms", row, norms),
                (Answer::Failed(why), _) => failed(ui, why),
                _ => waiting(ui, "Row norms"),
            }
        });
    }
    if rows > 1 && rows <= MOST_COSINES {
        CollapsingHeader::new("Cosines between rows").default_open(true).show(ui, |ui| {
            let answer = tools.ask(&Question::row_cosines(value));
            match (&answer, answer.output("cosines")) {
                (_, Some(cosines)) => {
                    let parameters = json!({ "range": "given", "low": -1.0, "high": 1.0, "colours": "diverging" });
                    let map = HeatMap {
                        name: "Cosines",
                        value: cosines,
                        index: 0,
                        parameters,
                        row,
                        column: row,
                        square: true,
                    };
                    map.show(ui, tools, textures);
                }
                (Answer::Failed(why), _) => failed(ui, why),
                _ => waiting(ui, "Cosines"),
            }
        });
    } else if rows > MOST_COSINES {
        ui.weak(format!("{rows} rows: the cosines of more than {MOST_COSINES} are a node's, inspect.row_cosines."));
    }
}

/// The table of statistics.
pub(super) fn statistics(ui: &mut Ui, value: &Value, tools: &Tools) {
    let answer = tools.ask(&Question::statistics(value));
    let told = answer.output("statistics").and_then(Value::as_text);
    let told: Option<serde_json::Value> = told.and_then(|told| serde_json::from_str(told).ok());
    let Some(told) = told else {
        if let Answer::Failed(why) = &answer {
            failed(ui, why);
        } else {
            waiting(ui, "Statistics");
        }
        return;
    };
    let count = |name: &str| told.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    Grid::new("statistics").num_columns(2).spacing([12.0, 2.0]).show(ui, |ui| {
        let mut row = |name: &str, text: String| {
            ui.weak(name);
            ui.monospace(text);
            ui.end_row();
        };
        if let Some(tensor) = value.as_tensor() {
            row("Shape", shape(tensor));
            row("Type", tensor.dtype().name().to_owned());
        }
        row("Numbers", count("count").to_string());
        for (id, name) in [
            ("min", "Smallest"),
            ("max", "Largest"),
            ("mean", "Mean"),
            ("deviation", "Deviation"),
            ("norm", "Norm (L2)"),
        ] {
            let number = told.get(id).and_then(serde_json::Value::as_f64);
            row(name, number.map_or_else(|| "none".to_owned(), charts::number));
        }
        row("Zeros", count("zeros").to_string());
    });
    let text = format!("NaN: {}, infinite: {}", count("nan"), count("infinite"));
    if count("nan") + count("infinite") > 0 {
        ui.colored_label(ui.visuals().error_fg_color, text);
    } else {
        ui.weak(text);
    }
}

/// `8 × 4096`; `a single number` for a tensor without dimensions.
fn shape(tensor: &Tensor) -> String {
    let sizes: Vec<String> = tensor.shape().iter().map(ToString::to_string).collect();
    if sizes.is_empty() { "a single number".to_owned() } else { sizes.join(" × ") }
}
