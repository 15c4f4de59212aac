//! Small charts: a histogram, bars, and numbers as people read them.

use super::histogram::Histogram;
use eframe::egui::{Color32, Rect, Sense, Shape, Stroke, Ui, WidgetInfo, WidgetType, pos2, vec2};

/// A number in at most six digits, whatever its size.
pub(super) fn number(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if !number.is_finite() {
        number.to_string()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{number:.3e}")
    } else if size >= 1000.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.4}")
    }
}

/// The histogram of what is shown: red, green and blue over each other, or grey.
pub(super) fn histogram(ui: &mut Ui, histogram: &Histogram) {
    let size = vec2(ui.available_width().min(512.0), 64.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let (black, white) = histogram.ends();
    let name = format!("Histogram, {:.1} % at black, {:.1} % at white", black * 100.0, white * 100.0);
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
    let painter = ui.painter_at(area);
    painter.rect_filled(area, 2.0, ui.visuals().extreme_bg_color);
    let heights = histogram.heights();
    let strong = ui.visuals().text_color();
    let curves: &[(usize, Color32)] = if histogram.is_grey() {
        &[(0, strong)]
    } else {
        &[
            (0, Color32::from_rgb(232, 72, 72)),
            (1, Color32::from_rgb(56, 176, 72)),
            (2, Color32::from_rgb(80, 128, 255)),
        ]
    };
    let across = area.width() / 255.0;
    for (channel, colour) in curves {
        let Some(heights) = heights.get(*channel) else { continue };
        let points = heights.iter().zip(0u8..=255).map(|(height, level)| {
            pos2(area.left() + f32::from(level) * across, area.bottom() - height * (area.height() - 2.0))
        });
        painter.add(Shape::line(points.collect(), Stroke::new(1.0, *colour)));
    }
    if let Some(at) = response.hover_pos() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let level = ((at.x - area.left()) / across).round().clamp(0.0, 255.0) as usize;
        let counts: Vec<String> =
            histogram.counts().iter().filter_map(|counts| counts.get(level)).map(ToString::to_string).collect();
        response.on_hover_text_at_pointer(format!("{level}: {}", counts.join(" / ")));
    } else {
        response.on_hover_text(name);
    }
}

/// A bar for each number, all from 0; the pointer reads them. Where there are more than points, a bar is the largest of
/// its neighbours.
pub(super) fn bars(ui: &mut Ui, what: &str, each: &str, numbers: &[f32]) {
    let size = vec2(ui.available_width().clamp(64.0, 512.0), 72.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let largest = numbers.iter().copied().fold(0f32, f32::max);
    let smallest = numbers.iter().copied().fold(f32::INFINITY, f32::min);
    let range = if numbers.is_empty() {
        String::new()
    } else {
        format!(", from {} to {}", number(smallest.into()), number(largest.into()))
    };
    let name = format!("{what} of {} {each}s{range}", numbers.len());
    response.widget_info(|| WidgetInfo::labeled(WidgetType::Image, true, &name));
    let painter = ui.painter_at(area);
    painter.rect_filled(area, 2.0, ui.visuals().extreme_bg_color);
    if numbers.is_empty() || largest <= 0.0 {
        return;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "points of the screen")]
    let bars = numbers.len().min(area.width() as usize).max(1);
    #[expect(clippy::cast_precision_loss, reason = "points of the screen")]
    let wide = area.width() / bars as f32;
    let gap = if wide >= 4.0 { 1.0 } else { 0.0 };
    let mut left = area.left();
    for bar in 0..bars {
        let (from, to) = (bar * numbers.len() / bars, (bar + 1) * numbers.len() / bars);
        let tall = numbers.get(from..to).unwrap_or_default().iter().copied().fold(0f32, f32::max) / largest;
        let top = area.bottom() - tall * (area.height() - 2.0);
        let rect = Rect::from_min_max(pos2(left, top), pos2(left + wide - gap, area.bottom()));
        painter.rect_filled(rect, 0.0, ui.visuals().hyperlink_color);
        left += wide;
    }
    if let Some(at) = response.hover_pos() {
        #[expect(clippy::cast_precision_loss, reason = "points of the screen")]
        let along = (at.x - area.left()) / area.width() * numbers.len() as f32;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a row")]
        let row = (along.max(0.0) as usize).min(numbers.len() - 1);
        if let Some(norm) = numbers.get(row) {
            response.on_hover_text_at_pointer(format!("{each} {row}: {}", number((*norm).into())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_of_any_size_are_short() {
        let shown = [0.0, 0.5, -12.25, 4096.0, 1e9, -2e-7, f64::NAN].map(number);
        assert_eq!(shown, ["0", "0.5000", "-12.2500", "4096.0", "1.000e9", "-2.000e-7", "NaN"]);
    }
}
