//! The viewer: a picture, or two to compare, to look at closely.
//!
//! The wheel zooms at the pointer and dragging moves; `F` fits, `1` shows a pixel as one of the screen, `+` and `-` zoom,
//! arrows move. The keys work while the pointer is over the picture or it has the focus.

use super::charts;
use super::comparison::{self, Comparison};
use super::identity::Identity;
use super::light::{self, Channel, Display};
use super::tiles::{Source, Tiles};
use super::view::View;
use eframe::egui::{
    Align2, Checkbox, Color32, Context, CursorIcon, DragValue, EventFilter, FontId, Id, Key, Label, Mesh, Modifiers,
    Painter, Rect, Response, RichText, Sense, Slider, Stroke, TextStyle, Ui, Vec2, WidgetInfo, WidgetType, pos2, vec2,
};
use mgie_plugin_api::{Image, Value};
use std::ops::RangeInclusive;

/// The least height of the picture's area in points, however little room there is.
const LEAST_HEIGHT: f32 = 80.0;

/// How a viewer shows its pictures, and where. It is the screen's alone: values stay as they are.
pub struct Viewer {
    /// Channel and exposure.
    pub display: Display,
    /// Which of the two pictures is seen.
    pub comparison: Comparison,
    /// Where the wipe's line stands, as a share of the picture's width.
    pub wipe: f32,
    /// What differences are multiplied by.
    pub gain: f32,
    /// Whether the histogram is shown.
    pub histogram: bool,
    /// Pan and zoom.
    pub view: View,
    a: Tiles,
    b: Tiles,
    difference: Tiles,
    reading: String,
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            display: Display::default(),
            comparison: Comparison::A,
            wipe: 0.5,
            gain: 10.0,
            histogram: false,
            view: View::default(),
            a: Tiles::default(),
            b: Tiles::default(),
            difference: Tiles::default(),
            reading: String::new(),
        }
    }
}

impl Viewer {
    /// Shows the pictures, filling the space that is there; what is no picture is said to be none.
    pub fn show(&mut self, ui: &mut Ui, a: Option<&Value>, b: Option<&Value>) {
        let picture = |value: Option<&Value>| value.and_then(|value| Some((value.clone(), value.as_image()?)));
        let (of_a, of_b) = (picture(a), picture(b));
        if of_a.is_none() && of_b.is_none() {
            let said = match a.or(b) {
                Some(value) => format!("Not a picture: {value}"),
                None => "No picture yet".to_owned(),
            };
            ui.weak(said);
            return;
        }
        let comparison = self.comparison.among(of_a.is_some(), of_b.is_some());
        self.settings(ui, comparison, of_a.is_some() && of_b.is_some());
        if self.histogram {
            let tiles = match comparison {
                Comparison::B => &self.b,
                Comparison::Difference => &self.difference,
                _ => &self.a,
            };
            charts::histogram(ui, tiles.histogram());
        }
        self.picture(ui, comparison, of_a.as_ref(), of_b.as_ref());
        let reading = RichText::new(&self.reading).monospace().color(ui.visuals().weak_text_color());
        ui.add(Label::new(reading).truncate());
    }

    fn settings(&mut self, ui: &mut Ui, comparison: Comparison, two: bool) {
        ui.horizontal_wrapped(|ui| {
            if two {
                for (choice, name) in Comparison::ALL {
                    ui.selectable_value(&mut self.comparison, choice, name);
                }
                ui.separator();
            }
            for (channel, name) in Channel::ALL {
                ui.selectable_value(&mut self.display.channel, channel, name);
            }
            ui.separator();
            if ui.button("Fit").on_hover_text("The whole picture (F)").clicked() {
                self.view = View::default();
            }
            if ui.button("1:1").on_hover_text("A pixel as one of the screen (1)").clicked() {
                self.view.one_to_one(self.shown_size(comparison), ui.pixels_per_point());
            }
            ui.add(Checkbox::new(&mut self.histogram, "Histogram"));
        });
        ui.horizontal_wrapped(|ui| match comparison {
            Comparison::Difference => slider(ui, "Gain", &mut self.gain, 1.0..=255.0, "×"),
            _ => {
                slider(ui, "Exposure", &mut self.display.stops, -10.0..=10.0, " stops");
                if ui.button("Reset exposure").clicked() {
                    self.display.stops = 0.0;
                }
                if comparison == Comparison::Wipe {
                    slider(ui, "Wipe position", &mut self.wipe, 0.0..=1.0, "");
                }
            }
        });
    }

    fn shown_size(&self, comparison: Comparison) -> Vec2 {
        if comparison == Comparison::B { self.b.size() } else { self.a.size() }
    }

    fn picture(&mut self, ui: &mut Ui, comparison: Comparison, a: Option<&(Value, Image)>, b: Option<&(Value, Image)>) {
        let below = ui.text_style_height(&TextStyle::Monospace) + ui.spacing().item_spacing.y;
        let room = vec2(ui.available_width(), (ui.available_height() - below).max(LEAST_HEIGHT));
        let (area, response) = ui.allocate_exact_size(room, Sense::click_and_drag());
        let painter = ui.painter().with_clip_rect(area.intersect(ui.clip_rect()));
        painter.rect_filled(area, 0.0, ui.visuals().extreme_bg_color);
        let ctx = ui.ctx().clone();
        for ((tiles, picture), wanted) in [(&mut self.a, a), (&mut self.b, b)]
            .into_iter()
            .zip([comparison != Comparison::B, comparison != Comparison::A])
        {
            if let (Some((value, _)), true) = (picture, wanted && comparison != Comparison::Difference) {
                tiles.show(&ctx, &Source::Picture(Identity::of(value), self.display));
            }
        }
        if comparison != Comparison::Difference {
            // Two pictures and their textures need not be kept alive for a look that may not come again.
            self.difference = Tiles::default();
        }
        let mut refused = None;
        if let (Comparison::Difference, Some((a, of_a)), Some((b, of_b))) = (comparison, a, b) {
            if comparison::match_in_size(of_a, of_b) {
                let (a, b) = (Identity::of(a), Identity::of(b));
                self.difference.show(&ctx, &Source::Difference(a, b, self.display.channel, self.gain));
            } else {
                refused = Some(format!(
                    "A is {} × {}, B is {} × {}: only pictures of one size have a difference",
                    of_a.width, of_a.height, of_b.width, of_b.height
                ));
            }
        }
        let shown = if comparison == Comparison::B { b } else { a };
        let Some((_, image)) = shown else { return };
        #[expect(clippy::cast_precision_loss, reason = "a place on the screen")]
        let size = vec2(image.width as f32, image.height as f32);
        let name = described(comparison, image);
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
        self.steer(ui, &response, area, size);
        let place = self.view.place(area, size);
        if let Some(refused) = refused {
            let font = FontId::proportional(14.0);
            painter.text(area.center(), Align2::CENTER_CENTER, &refused, font, ui.visuals().warn_fg_color);
            self.reading = refused;
            return;
        }
        let seen_through =
            self.display.channel == Channel::Rgb && [a, b].into_iter().flatten().any(|(_, i)| i.channels == 4);
        if seen_through && comparison != Comparison::Difference {
            chequerboard(&painter, place.intersect(area));
        }
        match comparison {
            Comparison::A => self.a.paint(&painter, place),
            Comparison::B => self.b.paint(&painter, place),
            Comparison::Difference => self.difference.paint(&painter, place),
            Comparison::Wipe => self.both(ui, &painter, area, place),
        }
        let pixel = response.hover_pos().and_then(|at| self.view.pixel(area, size, at));
        let (of_a, of_b) = (a.map(|(_, image)| image), b.map(|(_, image)| image));
        self.reading = match pixel {
            None => format!("{} × {}, {} bit, {:.0} %", image.width, image.height, image.bit_depth, {
                self.view.scale(area, size) * ui.pixels_per_point() * 100.0
            }),
            Some((x, y)) => match comparison {
                Comparison::A => format!("{x}, {y}   {}", told(of_a, x, y)),
                Comparison::B => format!("{x}, {y}   {}", told(of_b, x, y)),
                _ => format!("{x}, {y}   A {}   B {}", told(of_a, x, y), told(of_b, x, y)),
            },
        };
    }

    fn steer(&mut self, ui: &Ui, response: &Response, area: Rect, size: Vec2) {
        if response.dragged() {
            self.view.pan(area, size, response.drag_delta());
        }
        if response.double_clicked() {
            self.view = View::default();
        }
        if response.clicked() {
            response.request_focus();
        }
        if let Some(at) = response.hover_pos() {
            let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = (wheel / 200.0).exp() * pinch;
            if (factor - 1.0).abs() > f32::EPSILON {
                self.view.zoom_at(area, size, at, factor);
                // What zooms the picture must not scroll the panel around it as well.
                ui.input_mut(|input| input.smooth_scroll_delta = Vec2::ZERO);
            }
        }
        if !(response.has_focus() || (response.hovered() && !ui.ctx().text_edit_focused())) {
            return;
        }
        // Commands are asked before anything is drawn: in the next frame they leave the viewer its keys.
        let now = ui.ctx().cumulative_pass_nr();
        ui.ctx().data_mut(|data| data.insert_temp(keys_id(), now));
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::F) {
            self.view = View::default();
        }
        if pressed(Key::Num1) {
            self.view.one_to_one(size, ui.pixels_per_point());
        }
        for (key, factor) in [(Key::Plus, 1.25), (Key::Equals, 1.25), (Key::Minus, 0.8)] {
            if pressed(key) {
                self.view.zoom_at(area, size, response.hover_pos().unwrap_or(area.center()), factor);
            }
        }
        // Arrows are the picture's only while it has the focus, which they would move elsewhere but for the filter.
        if response.has_focus() {
            let step = 40.0;
            for (key, by) in [
                (Key::ArrowLeft, vec2(step, 0.0)),
                (Key::ArrowRight, vec2(-step, 0.0)),
                (Key::ArrowUp, vec2(0.0, step)),
                (Key::ArrowDown, vec2(0.0, -step)),
            ] {
                if pressed(key) {
                    self.view.pan(area, size, by);
                }
            }
        }
    }

    /// A to the left of the line, B to the right, stretched to A's size where it has another; and the line to drag.
    fn both(&mut self, ui: &Ui, painter: &Painter, area: Rect, place: Rect) {
        let line = place.left() + place.width() * self.wipe;
        let grip = Rect::from_x_y_ranges(line - 5.0..=line + 5.0, area.y_range()).intersect(area);
        let id = ui.id().with("wipe line");
        let response = ui.interact(grip, id, Sense::drag()).on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
        response.widget_info(|| WidgetInfo::slider(true, f64::from(self.wipe), "Wipe line"));
        if let Some(at) = response.interact_pointer_pos().filter(|_| response.dragged() && place.width() > 0.0) {
            self.wipe = ((at.x - place.left()) / place.width()).clamp(0.0, 1.0);
        }
        let left = Rect::from_min_max(area.min, pos2(line.clamp(area.left(), area.right()), area.bottom()));
        let right = Rect::from_min_max(pos2(line.clamp(area.left(), area.right()), area.top()), area.max);
        self.a.paint(&painter.with_clip_rect(left), place);
        self.b.paint(&painter.with_clip_rect(right), place);
        for (width, colour) in [(3.0, Color32::from_black_alpha(160)), (1.0, Color32::WHITE)] {
            painter.line_segment([pos2(line, area.top()), pos2(line, area.bottom())], Stroke::new(width, colour));
        }
        let font = FontId::proportional(12.0);
        for (name, anchor, x) in [("A", Align2::RIGHT_TOP, line - 6.0), ("B", Align2::LEFT_TOP, line + 6.0)] {
            let at = pos2(x, area.top() + 4.0);
            painter.text(at + vec2(1.0, 1.0), anchor, name, font.clone(), Color32::BLACK);
            painter.text(at, anchor, name, font.clone(), Color32::WHITE);
        }
    }
}

/// A slider with its name before it and a field to type into behind it, which accessibility knows by names of their own.
fn slider(ui: &mut Ui, name: &str, value: &mut f32, range: RangeInclusive<f32>, unit: &str) {
    let label = ui.label(name);
    let logarithmic = *range.start() > 0.0;
    ui.add(Slider::new(value, range.clone()).logarithmic(logarithmic).show_value(false)).labelled_by(label.id);
    let field = ui.add(DragValue::new(value).range(range).speed(0.01).max_decimals(2).suffix(unit));
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(format!("{name} as a number")));
}

fn described(comparison: Comparison, image: &Image) -> String {
    let what = match comparison {
        Comparison::A => "Picture A",
        Comparison::B => "Picture B",
        Comparison::Wipe => "Pictures A and B",
        Comparison::Difference => "Difference of A and B",
    };
    format!("{what}, {} × {}, {} bit", image.width, image.height, image.bit_depth)
}

/// The samples of a pixel as they are, and as bytes of the display.
fn told(image: Option<&Image>, x: usize, y: usize) -> String {
    let Some((image, samples)) = image.and_then(|image| Some((image, light::samples(image, x, y)?))) else {
        return "—".to_owned();
    };
    let names: &[&str] = if image.channels == 1 { &[""] } else { &["R ", "G ", "B ", "A "] };
    let numbers: Vec<String> = samples
        .iter()
        .zip(names)
        .map(|(sample, name)| format!("{name}{}", charts::number(f64::from(*sample))))
        .collect();
    let shown = Display::default().shown(image, x, y);
    let bytes: Vec<String> = match image.channels {
        1 => shown.iter().take(1).map(ToString::to_string).collect(),
        channels => shown.iter().take(channels).map(ToString::to_string).collect(),
    };
    format!("{}   8 bit {}", numbers.join(" "), bytes.join(" "))
}

/// Squares of two greys behind what can be seen through, of one size on the screen at any zoom.
fn chequerboard(painter: &Painter, area: Rect) {
    const SIDE: f32 = 8.0;
    painter.rect_filled(area, 0.0, Color32::from_gray(102));
    let (columns, rows) = ((area.width() / SIDE).ceil(), (area.height() / SIDE).ceil());
    let mut mesh = Mesh::default();
    let mut row = 0.0;
    while row < rows {
        let mut column = row % 2.0;
        while column < columns {
            let square = Rect::from_min_size(area.min + vec2(column, row) * SIDE, Vec2::splat(SIDE));
            mesh.add_colored_rect(square.intersect(area), Color32::from_gray(153));
            column += 2.0;
        }
        row += 1.0;
    }
    painter.add(mesh);
}

/// The keys that are the viewer's while the pointer is over it or it has the focus.
pub const KEYS: [Key; 5] = [Key::F, Key::Num1, Key::Plus, Key::Equals, Key::Minus];

/// Whether a viewer took the keyboard in the frame before this one.
#[must_use]
pub fn takes_keys(ctx: &Context) -> bool {
    let last: Option<u64> = ctx.data(|data| data.get_temp(keys_id()));
    last.is_some_and(|last| last + 1 >= ctx.cumulative_pass_nr())
}

fn keys_id() -> Id {
    Id::new("viewer takes keys")
}
