//! A heat map on the screen: the picture, its axes, and what its colours mean.

use super::charts::number;
use super::textures::Textures;
use super::tools::{Answer, Question, Tools};
use eframe::egui::{
    Align2, Color32, Pos2, Rect, Sense, Spinner, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, WidgetType, pos2, vec2,
};
use mgie_plugin_api::{DType, Tensor, Value};
use serde_json::json;
use std::sync::LazyLock;

/// Numbers from 0 to 1, whose heat map is the scale beside every other one.
static RAMP: LazyLock<Option<Value>> = LazyLock::new(|| {
    let tensor = Tensor::from_f32([1, 256], (0..=255u8).map(|step| f32::from(step) / 255.0).collect()).ok()?;
    Some(Value::tensor(mgie_plugin_api::kind::TENSOR, json!({}), tensor))
});

/// What is drawn, and what its axes are called.
pub(super) struct HeatMap<'v> {
    /// What people know it by: "Heat map", "Cosines".
    pub name: &'v str,
    /// The tensor.
    pub value: &'v Value,
    /// Which matrix of it.
    pub index: usize,
    /// The parameters of `inspect.heat_map`.
    pub parameters: serde_json::Value,
    /// What a row is: "token", "row".
    pub row: &'v str,
    /// What a column is.
    pub column: &'v str,
    /// Whether rows and columns are of one size on the screen.
    pub square: bool,
}

/// What `inspect.heat_map` says of the picture.
struct Range {
    low: f64,
    high: f64,
    colours: String,
    rows: usize,
    columns: usize,
}

impl Range {
    fn of(answer: &Answer) -> Option<Self> {
        let told: serde_json::Value = serde_json::from_str(answer.output("range")?.as_text()?).ok()?;
        let count = |name: &str| usize::try_from(told.get(name)?.as_u64()?).ok();
        Some(Self {
            low: told.get("low")?.as_f64()?,
            high: told.get("high")?.as_f64()?,
            colours: told.get("colours")?.as_str()?.to_owned(),
            rows: count("rows")?,
            columns: count("columns")?,
        })
    }
}

impl HeatMap<'_> {
    pub(super) fn show(&self, ui: &mut Ui, tools: &Tools, textures: &mut Textures) {
        let answer = tools.ask(&Question::heat_map(self.value, &self.parameters));
        match &answer {
            Answer::Waiting => waiting(ui, self.name),
            Answer::Failed(why) => failed(ui, why),
            Answer::Known(_) => {
                let picture = answer.output("image").and_then(|image| textures.of(ui.ctx(), image));
                if let (Some(picture), Some(range)) = (picture, Range::of(&answer)) {
                    self.draw(ui, picture.id(), &range);
                    scale(ui, tools, textures, &range);
                }
            }
        }
    }

    fn draw(&self, ui: &mut Ui, texture: eframe::egui::TextureId, range: &Range) {
        let font = TextStyle::Small.resolve(ui.style());
        let line = ui.text_style_height(&TextStyle::Small) + 2.0;
        let margin = line;
        #[expect(clippy::cast_precision_loss, reason = "points of the screen")]
        let (rows, columns) = (range.rows.max(1) as f32, range.columns.max(1) as f32);
        let room = (ui.available_width() - margin).clamp(48.0, 768.0);
        let size = if self.square {
            let cell = (room.min(360.0) / columns.max(rows)).min(24.0);
            vec2(columns, rows) * cell
        } else {
            // A matrix of 8 × 4096 has rows that can be told apart, one of 77 × 768 fits.
            vec2(room, (rows * (room / columns).clamp(0.0, 24.0)).clamp((rows * 12.0).min(160.0), 360.0))
        };
        let whole = vec2(size.x + margin, size.y + line);
        let (area, response) = ui.allocate_exact_size(whole, Sense::hover());
        let picture = Rect::from_min_size(area.min + vec2(margin, 0.0), size);
        let name = format!(
            "{} of {} {}s × {} {}s, colours from {} to {}",
            self.name,
            range.rows,
            self.row,
            range.columns,
            self.column,
            number(range.low),
            number(range.high)
        );
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
        let painter = ui.painter_at(area);
        painter.image(texture, picture, Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)), Color32::WHITE);
        let edge = Stroke::new(1.0, ui.visuals().weak_text_color());
        painter.rect_stroke(picture, 0.0, edge, StrokeKind::Outside);
        let colour = ui.visuals().text_color();
        let below = picture.bottom() + 2.0;
        let last = |count: usize| count.saturating_sub(1).to_string();
        painter.text(pos2(picture.left(), below), Align2::LEFT_TOP, "0", font.clone(), colour);
        painter.text(pos2(picture.center().x, below), Align2::CENTER_TOP, self.column, font.clone(), colour);
        painter.text(pos2(picture.right(), below), Align2::RIGHT_TOP, last(range.columns), font.clone(), colour);
        let upright = |at: Pos2, anchor: Align2, text: String| {
            let galley = painter.layout_no_wrap(text, font.clone(), colour);
            let turned = eframe::egui::epaint::TextShape::new(at, galley, colour);
            painter.add(turned.with_angle_and_anchor(-std::f32::consts::FRAC_PI_2, anchor));
        };
        let beside = picture.left() - 2.0;
        if picture.height() >= 3.0 * line {
            upright(pos2(beside, picture.top()), Align2::RIGHT_BOTTOM, "0".to_owned());
            upright(pos2(beside, picture.bottom()), Align2::LEFT_BOTTOM, last(range.rows));
        }
        if picture.height() >= 6.0 * line {
            upright(pos2(beside, picture.center().y), Align2::CENTER_BOTTOM, self.row.to_owned());
        }
        if let Some(at) = response.hover_pos().filter(|at| picture.contains(*at)) {
            let share = (at - picture.min) / picture.size();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the matrix")]
            let (row, column) = ((share.y * rows) as usize, (share.x * columns) as usize);
            let (row, column) = (row.min(range.rows.saturating_sub(1)), column.min(range.columns.saturating_sub(1)));
            let place = (self.index * range.rows + row) * range.columns + column;
            let read = self.value.as_tensor().and_then(|tensor| element(tensor, place));
            let read = read.map_or_else(String::new, |read| format!(": {read}"));
            response.on_hover_text_at_pointer(format!("{} {row}, {} {column}{read}", self.row, self.column));
        }
    }
}

/// What the colours mean: the colours themselves between the two ends.
fn scale(ui: &mut Ui, tools: &Tools, textures: &mut Textures, range: &Range) {
    let parameters = json!({ "range": "given", "low": 0.0, "high": 1.0, "colours": range.colours });
    let drawn = RAMP.as_ref().map(|ramp| tools.ask(&Question::heat_map(ramp, &parameters)));
    ui.horizontal(|ui| {
        ui.label(number(range.low));
        let (area, response) = ui.allocate_exact_size(vec2(96.0, 10.0), Sense::hover());
        let picture = drawn.as_ref().and_then(|answer| answer.output("image"));
        if let Some(texture) = picture.and_then(|picture| textures.of(ui.ctx(), picture)) {
            let all = Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
            ui.painter().image(texture.id(), area, all, Color32::WHITE);
        }
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, "Scale of colours"));
        ui.label(number(range.high));
        ui.weak("magenta: NaN or infinity");
    });
}

/// An element as text, of whatever type it is.
fn element(tensor: &Tensor, place: usize) -> Option<String> {
    match tensor.dtype() {
        DType::F32 => tensor.f32().ok()?.get(place).map(|x| number(f64::from(*x))),
        DType::F64 => tensor.as_slice::<f64>().ok()?.get(place).map(|x| number(*x)),
        DType::I64 => tensor.as_slice::<i64>().ok()?.get(place).map(ToString::to_string),
        DType::I32 => tensor.as_slice::<i32>().ok()?.get(place).map(ToString::to_string),
        DType::U32 => tensor.as_slice::<u32>().ok()?.get(place).map(ToString::to_string),
        DType::U8 | DType::Bool => tensor.bytes().ok()?.get(place).map(ToString::to_string),
        DType::F16 | DType::Bf16 => half(tensor, place),
    }
}

/// An element of two bytes: the one element is widened, not the whole tensor.
fn half(tensor: &Tensor, place: usize) -> Option<String> {
    let &[first, second] = tensor.bytes().ok()?.as_chunks::<2>().0.get(place)?;
    // A tensor's bytes are the machine's, those that a tensor is made from are little-endian.
    let bytes = u16::from_ne_bytes([first, second]).to_le_bytes();
    let one = Tensor::from_bytes([1], tensor.dtype(), &bytes).ok()?;
    one.to_f32_vec().ok()?.first().map(|x| number(f64::from(*x)))
}

/// Says that something is being computed.
pub(super) fn waiting(ui: &mut Ui, what: &str) {
    ui.horizontal(|ui| {
        ui.add(Spinner::new().size(12.0));
        ui.weak(format!("{what} …"));
    });
}

/// Says why there is nothing to see.
pub(super) fn failed(ui: &mut Ui, why: &str) {
    ui.colored_label(ui.visuals().error_fg_color, why);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type_are_read_where_the_pointer_is() {
        let of = |dtype: DType, bytes: &[u8]| Tensor::from_bytes([2], dtype, bytes).unwrap();
        // The second element of each; bits as IEEE 754 and bfloat16 have them.
        for (tensor, expected) in [
            (of(DType::F16, &[0x00, 0x3C, 0x00, 0xC1]), "-2.5000"),
            (of(DType::F16, &[0x00, 0x3C, 0x01, 0x00]), "5.960e-8"),
            (of(DType::F16, &[0x00, 0x3C, 0x00, 0x7C]), "inf"),
            (of(DType::Bf16, &[0x80, 0x3F, 0x20, 0xC0]), "-2.5000"),
            (of(DType::Bf16, &[0x80, 0x3F, 0xC0, 0x7F]), "NaN"),
            (of(DType::F32, &[0, 0, 0, 0, 0x00, 0x00, 0x20, 0xC0]), "-2.5000"),
            (of(DType::I64, &[0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]), "7"),
            (of(DType::Bool, &[0, 1]), "1"),
        ] {
            assert_eq!(element(&tensor, 1).as_deref(), Some(expected), "{:?}", tensor.dtype());
            assert_eq!(element(&tensor, 2), None, "there are but two");
        }
    }
}
