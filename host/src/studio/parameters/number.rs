//! Numbers: a slider over the range that is usual, beside it a field that takes all that means something; seeds with a dice.

use super::{Place, Row, rename, reset_menu};
use crate::studio::action::Action;
use eframe::egui;
use egui::emath::Numeric;
use egui::{DragValue, Response, Slider, SliderClamping, Ui};
use serde_json::Value;

/// A drag or a typing that ended is one step of the history.
pub(super) fn settle(response: &Response, actions: &mut Vec<Action>) {
    if response.drag_stopped() || response.lost_focus() {
        actions.push(Action::Settle);
    }
}

/// A float.
pub(super) fn float(
    ui: &mut Ui,
    row: Row<'_>,
    value: &Value,
    hard: [f64; 2],
    [from, to]: [f64; 2],
    actions: &mut Vec<Action>,
) {
    let Some(now) = value.as_f64() else { return unreadable(ui, row, value, "a number", actions) };
    let speed = ((to - from) / 400.0).max(1e-6);
    let ([typed, slid], after) = field_and_slider(ui, row, now, hard, [from, to], speed);
    if typed.total_cmp(&now).is_ne() && (typed - now).abs() > f64::EPSILON * now.abs() {
        actions.push(row.set(typed));
    } else if slid.total_cmp(&now).is_ne() {
        // What a slider gives has more digits than anybody means.
        actions.push(row.set(round(slid, to - from)));
    }
    actions.extend(after);
}

/// A number with as many digits as a slider of that range can mean.
fn round(number: f64, range: f64) -> f64 {
    if !(range.is_finite() && range > 0.0) {
        return number;
    }
    let digits = (4.0 - range.log10().floor()).clamp(0.0, 12.0);
    let scale = 10_f64.powf(digits);
    (number * scale).round() / scale
}

/// A whole number.
pub(super) fn integer(
    ui: &mut Ui,
    row: Row<'_>,
    value: &Value,
    hard: [i64; 2],
    [from, to]: [i64; 2],
    actions: &mut Vec<Action>,
) {
    let Some(now) = value.as_i64() else { return unreadable(ui, row, value, "a whole number", actions) };
    let speed = ((to as f64 - from as f64) / 400.0).clamp(0.05, 100.0);
    let (given, after) = field_and_slider(ui, row, now, hard, [from, to], speed);
    if let Some(changed) = given.into_iter().find(|number| *number != now) {
        actions.push(row.set(changed));
    }
    actions.extend(after);
}

/// A field of the numbers that mean something and, where there is room, a slider over the usual ones, `from` to `to`; what
/// each gives, and what is to be done after that is set: the mouse may move in the very frame in which it is let go. A number
/// beyond either, which was typed or stands in the file, is left as it is.
fn field_and_slider<N: Numeric>(
    ui: &mut Ui,
    row: Row<'_>,
    now: N,
    [low, high]: [N; 2],
    [from, to]: [N; 2],
    speed: f64,
) -> ([N; 2], Vec<Action>) {
    let (mut typed, mut slid) = (now, now);
    let mut after = Vec::new();
    let field = DragValue::new(&mut typed).range(low..=high).clamp_existing_to_range(false);
    let field = field.speed(speed).suffix(row.unit()).custom_parser(|text| number_of(text, &row.parameter.unit));
    let field = ui.add(if N::INTEGRAL { field } else { field.max_decimals(9) });
    row.focus(&field);
    finish(&field, row, &row.name(), &mut after);
    let least = if row.place == Place::Node { 40.0 } else { 60.0 };
    let width = ui.available_width() - 4.0;
    if to > from && width >= least {
        ui.spacing_mut().slider_width = width;
        let wide = from.to_f64() > 0.0 && to.to_f64() / from.to_f64() > 1000.0;
        let slider = Slider::new(&mut slid, from..=to).show_value(false).clamping(SliderClamping::Edits);
        let slider = ui.add(slider.logarithmic(wide));
        finish(&slider, row, &row.name_of("slider"), &mut after);
    }
    ([typed, slid], after)
}

/// The number that was typed, with its unit or without. Spaces do not count, nor which minus it is, as in egui's own fields.
fn number_of(text: &str, unit: &str) -> Option<f64> {
    let tight = |text: &str| text.split_whitespace().collect::<String>().replace('−', "-");
    let text = tight(text);
    text.strip_suffix(&tight(unit)).unwrap_or(&text).parse().ok()
}

/// A seed: all of u64, and a dice.
pub(super) fn seed(ui: &mut Ui, row: Row<'_>, value: &Value, actions: &mut Vec<Action>) {
    let Some(now) = value.as_u64() else { return unreadable(ui, row, value, "a seed", actions) };
    let dice = ui.button("🎲").on_hover_text("Another seed");
    rename(&dice, &row.name_of("dice"));
    if dice.clicked() {
        actions.extend([row.set(another_seed(now)), Action::Settle]);
    }
    let mut number = now;
    let field = ui.add(DragValue::new(&mut number).speed(1.0));
    row.focus(&field);
    if number != now {
        actions.push(row.set(number));
    }
    finish(&field, row, &row.name(), actions);
}

/// A seed of at most ten digits, which people can read to each other.
fn another_seed(now: u64) -> u64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // SplitMix64 of the clock: it need not be random, only another one.
    let mut mixed = (time.as_nanos() as u64).wrapping_add(now).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % 10_000_000_000
}

fn finish(response: &Response, row: Row<'_>, name: &str, actions: &mut Vec<Action>) {
    rename(response, name);
    reset_menu(response, row, actions);
    let response = response.clone().on_hover_text(row.hint());
    settle(&response, actions);
}

/// A value that is none of that parameter's: what it is, and the way out.
pub(super) fn unreadable(ui: &mut Ui, row: Row<'_>, value: &Value, expected: &str, actions: &mut Vec<Action>) {
    let colours = crate::studio::theme::of(ui);
    if ui.small_button("Reset").on_hover_text("Take the default").clicked() {
        actions.push(Action::Edit(crate::editing::Edit::ResetParameter {
            node: row.node.to_owned(),
            parameter: row.parameter.id.clone(),
        }));
    }
    let text = format!("{value} is not {expected}");
    ui.add(egui::Label::new(egui::RichText::new(text).color(colours.failed)).truncate());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slider_gives_the_digits_that_its_range_can_mean() {
        assert_eq!(round(7.500_012_345, 20.0), 7.5);
        assert_eq!(round(0.123_456_789, 1.0), 0.1235);
        assert_eq!(round(7.25, f64::INFINITY), 7.25);
    }

    #[test]
    fn a_number_is_typed_with_its_unit_or_without() {
        for (text, unit, expected) in [
            ("35", "steps", Some(35.0)),
            ("48 steps", "steps", Some(48.0)),
            ("48steps", "steps", Some(48.0)),
            ("1 024 px", "px", Some(1024.0)),
            ("−2.5", "", Some(-2.5)),
            ("12 px", "steps", None),
            ("steps", "steps", None),
        ] {
            assert_eq!(number_of(text, unit), expected, "{text} in {unit}");
        }
    }

    #[test]
    fn the_dice_gives_another_seed() {
        assert_ne!(another_seed(7), 7);
        assert!(another_seed(7) < 10_000_000_000);
    }
}
