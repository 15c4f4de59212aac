//! Where things lie on the canvas: the graph file's field `studio`, an object of positions by node, and under keys that
//! no node can have, which nodes are collapsed, the frames and the notes:
//!
//! ```json
//! { "photo": [40, 120], "#collapsed": ["clip"],
//!   "#frames": [{ "title": "Encode", "at": [20, 80], "size": [600, 300] }],
//!   "#notes": [{ "text": "…", "at": [20, 400], "size": [200, 80] }] }
//! ```
//!
//! What is malformed counts as not there; what is unknown is kept.

use crate::document::Document;
use serde_json::{Map, Number, Value};

const FIELD: &str = "studio";
const COLLAPSED: &str = "#collapsed";

/// Positions lie within this many points of the origin, so that nothing is lost beyond the canvas' reach.
const FARTHEST: f32 = 1e6;

/// A titled rectangle behind nodes that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// What stands on it.
    pub title: String,
    /// Its top left corner.
    pub at: [f32; 2],
    /// Width and height.
    pub size: [f32; 2],
}

/// A text on the canvas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Note {
    /// The text.
    pub text: String,
    /// Its top left corner.
    pub at: [f32; 2],
    /// Width and height.
    pub size: [f32; 2],
}

/// A rectangle with a text, as it lies in a list of the field.
pub(super) trait Boxed: Sized {
    /// Key of the list.
    const LIST: &'static str;
    /// Key of the text.
    const TEXT: &'static str;
    fn of(text: String, at: [f32; 2], size: [f32; 2]) -> Self;
    fn parts(&self) -> (&str, [f32; 2], [f32; 2]);
}

impl Boxed for Frame {
    const LIST: &'static str = "#frames";
    const TEXT: &'static str = "title";
    fn of(title: String, at: [f32; 2], size: [f32; 2]) -> Self {
        Self { title, at, size }
    }
    fn parts(&self) -> (&str, [f32; 2], [f32; 2]) {
        (&self.title, self.at, self.size)
    }
}

impl Boxed for Note {
    const LIST: &'static str = "#notes";
    const TEXT: &'static str = "text";
    fn of(text: String, at: [f32; 2], size: [f32; 2]) -> Self {
        Self { text, at, size }
    }
    fn parts(&self) -> (&str, [f32; 2], [f32; 2]) {
        (&self.text, self.at, self.size)
    }
}

fn field(document: &Document) -> Option<&Map<String, Value>> {
    document.field(FIELD)?.as_object()
}

/// The field, made where it is missing or no object.
fn field_mut(document: &mut Document) -> Option<&mut Map<String, Value>> {
    if field(document).is_none() {
        document.set_field(FIELD, Value::Object(Map::new())).ok()?;
    }
    document.field_mut(FIELD)?.as_object_mut()
}

/// Where the file says that a node lies.
pub(super) fn position(document: &Document, node: &str) -> Option<[f32; 2]> {
    if node.starts_with('#') {
        return None;
    }
    pair(field(document)?.get(node)?)
}

pub(super) fn set_position(document: &mut Document, node: &str, at: [f32; 2]) {
    if let Some(field) = field_mut(document)
        && !node.starts_with('#')
    {
        field.insert(node.to_owned(), pair_value(at));
    }
}

pub(super) fn is_collapsed(document: &Document, node: &str) -> bool {
    collapsed(document).any(|name| name == node)
}

fn collapsed(document: &Document) -> impl Iterator<Item = &str> {
    let names = field(document).and_then(|field| field.get(COLLAPSED)).and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

pub(super) fn set_collapsed(document: &mut Document, node: &str, collapse: bool) {
    if is_collapsed(document, node) == collapse {
        return;
    }
    let names: Vec<Value> =
        collapsed(document).filter(|name| *name != node).chain(collapse.then_some(node)).map(Value::from).collect();
    let Some(field) = field_mut(document) else { return };
    if names.is_empty() {
        field.shift_remove(COLLAPSED);
    } else {
        field.insert(COLLAPSED.to_owned(), names.into());
    }
}

/// Forgets a node.
pub(super) fn remove(document: &mut Document, node: &str) {
    set_collapsed(document, node, false);
    if field(document).is_some_and(|field| field.contains_key(node))
        && let Some(field) = field_mut(document)
    {
        field.shift_remove(node);
    }
}

/// Gives what is known of a node to its new name, at the same place of the file.
pub(super) fn rename(document: &mut Document, from: &str, to: &str) {
    if field(document).is_none() {
        return;
    }
    let Some(field) = field_mut(document) else { return };
    let entries = std::mem::take(field);
    for (key, mut value) in entries {
        if key == to {
            // The name was free: this is what is left of a node that is gone.
            continue;
        }
        if key == COLLAPSED {
            for name in value.as_array_mut().into_iter().flatten().filter(|name| name.as_str() == Some(from)) {
                *name = to.into();
            }
        }
        field.insert(if key == from { to.to_owned() } else { key }, value);
    }
}

/// The frames, or the notes; entries that are no object are passed over.
pub(super) fn boxes<B: Boxed>(document: &Document) -> Vec<B> {
    let list = field(document).and_then(|field| field.get(B::LIST)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).map(read::<B>).collect()
}

fn read<B: Boxed>(entry: &Map<String, Value>) -> B {
    let text = entry.get(B::TEXT).and_then(Value::as_str).unwrap_or_default().to_owned();
    let pair_of = |key: &str| entry.get(key).and_then(pair);
    B::of(text, pair_of("at").unwrap_or_default(), pair_of("size").unwrap_or([240.0, 120.0]))
}

pub(super) fn add_box<B: Boxed>(document: &mut Document, new: &B) {
    let Some(field) = field_mut(document) else { return };
    let list = field.entry(B::LIST).or_insert_with(|| Value::Array(Vec::new()));
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    if let Some(list) = list.as_array_mut() {
        let mut entry = Map::new();
        write(&mut entry, new);
        list.push(Value::Object(entry));
    }
}

/// Changes one of [`boxes`], or takes it away; false where there is none of that number.
pub(super) fn set_box<B: Boxed>(document: &mut Document, index: usize, new: Option<&B>) -> bool {
    let Some(field) = field_mut(document) else { return false };
    let Some(list) = field.get_mut(B::LIST).and_then(Value::as_array_mut) else { return false };
    let Some(at) = list.iter().enumerate().filter(|(_, entry)| entry.is_object()).map(|(at, _)| at).nth(index) else {
        return false;
    };
    match (new, list.get_mut(at).and_then(Value::as_object_mut)) {
        (Some(new), Some(entry)) => write(entry, new),
        _ => drop(list.remove(at)),
    }
    if list.is_empty() {
        field.shift_remove(B::LIST);
    }
    true
}

/// Writes what is known of an entry; what else stands in it is kept.
fn write<B: Boxed>(entry: &mut Map<String, Value>, new: &B) {
    let (text, at, size) = new.parts();
    entry.insert(B::TEXT.to_owned(), text.into());
    entry.insert("at".to_owned(), pair_value(at));
    entry.insert("size".to_owned(), pair_value(size));
}

fn pair(value: &Value) -> Option<[f32; 2]> {
    let [x, y] = value.as_array()?.as_slice() else { return None };
    let coordinate = |value: &Value| value.as_f64().map(|number| tame(number as f32));
    Some([coordinate(x)?, coordinate(y)?])
}

fn pair_value(pair: [f32; 2]) -> Value {
    Value::Array(pair.map(coordinate_value).to_vec())
}

/// A tenth of a point is finer than anybody sees, and keeps the file readable.
fn coordinate_value(coordinate: f32) -> Value {
    let tenths = (f64::from(tame(coordinate)) * 10.0).round();
    if tenths % 10.0 == 0.0 {
        return Value::from((tenths / 10.0) as i64);
    }
    Number::from_f64(tenths / 10.0).map_or(Value::Null, Value::Number)
}

fn tame(coordinate: f32) -> f32 {
    if coordinate.is_finite() { coordinate.clamp(-FARTHEST, FARTHEST) } else { 0.0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(studio: Value) -> Document {
        Document::parse(&json!({ "mgie": 1, "nodes": {}, "studio": studio }).to_string()).unwrap()
    }

    #[test]
    fn malformed_entries_count_as_not_there_and_nothing_panics() {
        for studio in [json!(5), json!([1]), json!(null), json!({ "a": [1], "#frames": 7, "#collapsed": { "a": 1 } })] {
            let mut document = with(studio.clone());
            assert_eq!(position(&document, "a"), None, "{studio}");
            assert!(boxes::<Frame>(&document).is_empty() && !is_collapsed(&document, "a"), "{studio}");
            assert!(!set_box::<Note>(&mut document, 0, None));
            set_position(&mut document, "a", [1.0, f32::NAN]);
            set_collapsed(&mut document, "a", true);
            add_box(&mut document, &Frame { title: "t".into(), at: [f32::INFINITY, 1e30], size: [3.26, 4.0] });
            assert_eq!(position(&document, "a"), Some([1.0, 0.0]), "{studio}");
            assert!(is_collapsed(&document, "a"));
            let frames = boxes::<Frame>(&document);
            assert_eq!(frames, [Frame { title: "t".into(), at: [0.0, 1e6], size: [3.3, 4.0] }]);
        }
    }

    #[test]
    fn unknown_keys_are_kept_wherever_they_stand() {
        let mut document = with(json!({
            "zoom": 2, "a": [1, 2],
            "#frames": ["odd", { "title": "one", "colour": "red" }, { "title": "two", "at": [5, 6], "size": [7, 8] }],
        }));
        assert!(set_box(&mut document, 0, Some(&Frame { title: "1".into(), at: [1.0, 2.0], size: [3.0, 4.5] })));
        assert!(set_box::<Frame>(&mut document, 1, None));
        assert!(!set_box::<Frame>(&mut document, 1, None));
        rename(&mut document, "a", "b");
        let expected = json!({
            "zoom": 2, "b": [1, 2],
            "#frames": ["odd", { "title": "1", "colour": "red", "at": [1, 2], "size": [3, 4.5] }],
        });
        assert_eq!(document.field("studio").unwrap().to_string(), expected.to_string());
    }

    #[test]
    fn the_last_entry_of_a_list_takes_the_list_with_it() {
        let mut document = with(json!({}));
        set_collapsed(&mut document, "a", true);
        add_box(&mut document, &Note::default());
        set_collapsed(&mut document, "a", false);
        assert!(set_box::<Note>(&mut document, 0, None));
        assert_eq!(document.field("studio").unwrap(), &json!({}));
    }

    #[test]
    fn renaming_takes_the_collapsed_state_along() {
        let mut document = with(json!({ "#collapsed": ["x", "a"], "a": [1, 2], "left_over": [9, 9] }));
        rename(&mut document, "a", "left_over");
        assert_eq!(
            document.field("studio").unwrap(),
            &json!({ "#collapsed": ["x", "left_over"], "left_over": [1, 2] })
        );
        remove(&mut document, "left_over");
        assert_eq!(document.field("studio").unwrap(), &json!({ "#collapsed": ["x"] }));
    }
}
