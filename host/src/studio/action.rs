//! What can be done in the studio. The menus, the shortcuts, the context menus and the sheet of shortcuts are all made from
//! [`COMMANDS`]; panels and the canvas push [`Action`]s, and the app applies them, so that every change goes one way.

use crate::editing::Edit;
use crate::studio::look::viewer;
use eframe::egui;
use egui::{Key, KeyboardShortcut, Modifiers};
use std::path::PathBuf;

/// Something to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// A command of the table.
    Do(Command),
    /// A change of the graph.
    Edit(Edit),
    /// The drag or the typing is over: what follows is another step of the history.
    Settle,
    /// These nodes are selected, and no others.
    Select(Vec<String>),
    /// Show this node in the middle of the canvas, and select it.
    GoTo(String),
    /// Show this frame or note in the middle of the canvas, and select it.
    GoToBox(BoxId),
    /// Open the palette for a node at that place of the canvas, wired to that socket where there is one.
    Palette {
        /// Where the node goes, on the canvas.
        at: [f32; 2],
        /// The socket that it is wired to.
        wire: Option<Dangling>,
    },
    /// Open this graph, or picture that carries one.
    Open(PathBuf),
    /// Save the graph under this name.
    SaveAs(PathBuf),
    /// Run to these nodes.
    RunTo(Vec<String>),
    /// Run this parameter in several values, side by side.
    Sweep {
        /// The node.
        node: String,
        /// The parameter.
        parameter: String,
    },
    /// Look at this output in the viewer.
    View(Output),
    /// Compare this output with the one in the viewer.
    Compare(Output),
    /// Keep an inspector of this output open.
    Pin(Output),
    /// Close an inspector that was kept open.
    Unpin(Output),
    /// Rename a frame, or rewrite a note.
    Write(BoxId),
    /// Tell something in the status line; as a toast, too, where it is in the way of what was wanted.
    Say {
        /// What.
        text: String,
        /// Whether it kept something from being done.
        refused: bool,
    },
}

/// An output of a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// The node.
    pub node: String,
    /// The socket.
    pub output: String,
}

/// A socket that a wire hangs from while its other end is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dangling {
    /// The node.
    pub node: String,
    /// The socket.
    pub socket: String,
    /// Whether it is an output.
    pub is_output: bool,
}

/// A frame or a note: a rectangle of the canvas with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BoxId {
    /// The frame of that number, of [`crate::editing::Session::frames`].
    Frame(usize),
    /// The note of that number, of [`crate::editing::Session::notes`].
    Note(usize),
}

macro_rules! commands {
    ($($name:ident, $menu:ident, $label:literal, $shortcut:expr, $summary:literal;)*) => {
        /// A command: what a menu entry or a shortcut does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table says what each does")]
        pub enum Command { $($name),* }

        /// Every command, in the order of the menus.
        pub const COMMANDS: &[Entry] = &[$(Entry {
            command: Command::$name,
            menu: Menu::$menu,
            label: $label,
            shortcut: $shortcut,
            summary: $summary,
        }),*];
    };
}

/// The menu that a command stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    /// Files.
    File,
    /// Changing the graph.
    Edit,
    /// The nodes that are selected.
    Node,
    /// Running.
    Run,
    /// What is shown.
    View,
    /// Help.
    Help,
}

/// The menus, in their order.
pub const MENUS: &[(Menu, &str)] = &[
    (Menu::File, "File"),
    (Menu::Edit, "Edit"),
    (Menu::Node, "Node"),
    (Menu::Run, "Run"),
    (Menu::View, "View"),
    (Menu::Help, "Help"),
];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The command.
    pub command: Command,
    /// The menu that it stands in.
    pub menu: Menu,
    /// What the menu calls it.
    pub label: &'static str,
    /// The keys, where it has some.
    pub shortcut: Option<Keys>,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

/// The keys of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// With modifiers, or a key that types nothing: works everywhere.
    Anywhere(KeyboardShortcut),
    /// A key that types something: works while nothing is typed.
    OnCanvas(KeyboardShortcut),
    /// The system's own copy, cut and paste, which arrive as events.
    System(KeyboardShortcut),
}

const fn control(key: Key) -> Option<Keys> {
    Some(Keys::Anywhere(KeyboardShortcut::new(Modifiers::COMMAND, key)))
}

const fn control_shift(key: Key) -> Option<Keys> {
    Some(Keys::Anywhere(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), key)))
}

const fn alone(key: Key) -> Option<Keys> {
    Some(Keys::OnCanvas(KeyboardShortcut::new(Modifiers::NONE, key)))
}

const fn shift(key: Key) -> Option<Keys> {
    Some(Keys::OnCanvas(KeyboardShortcut::new(Modifiers::SHIFT, key)))
}

const fn on_canvas(modifiers: Modifiers, key: Key) -> Option<Keys> {
    Some(Keys::OnCanvas(KeyboardShortcut::new(modifiers, key)))
}

const fn everywhere(key: Key) -> Option<Keys> {
    Some(Keys::Anywhere(KeyboardShortcut::new(Modifiers::NONE, key)))
}

const fn system(key: Key) -> Option<Keys> {
    Some(Keys::System(KeyboardShortcut::new(Modifiers::COMMAND, key)))
}

commands! {
    New, File, "New", control(Key::N), "Begin an empty graph.";
    Open, File, "Open…", control(Key::O), "Open a graph, or a PNG that carries one.";
    Save, File, "Save", control(Key::S), "Write the graph to its file.";
    SaveAs, File, "Save as…", control_shift(Key::S), "Write the graph to another file.";
    Quit, File, "Quit", control(Key::Q), "Close the studio; asks where something is not saved.";

    Undo, Edit, "Undo", control(Key::Z), "Take the last change back.";
    Redo, Edit, "Redo", control_shift(Key::Z), "Make the change again that was taken back.";
    Cut, Edit, "Cut", system(Key::X), "Copy the selected nodes, frame or note and delete them.";
    Copy, Edit, "Copy", system(Key::C), "Copy the selected nodes and the wires among them, or the frame or note, as graph JSON.";
    Paste, Edit, "Paste", system(Key::V), "Add what was copied, here or in another window.";
    Duplicate, Edit, "Duplicate", control(Key::D), "Add a copy of the selected nodes, frame or note beside them.";
    Delete, Edit, "Delete", alone(Key::Delete), "Delete the selected nodes, frame or note; what lies in a frame stays.";
    SelectAll, Edit, "Select all", on_canvas(Modifiers::COMMAND, Key::A), "Select every node.";
    SelectNone, Edit, "Select none", alone(Key::Escape), "Select nothing; closes what is open first.";
    SelectNext, Edit, "Next node", alone(Key::CloseBracket), "Select the next node of the graph.";
    SelectPrevious, Edit, "Previous node", alone(Key::OpenBracket), "Select the node before.";
    SelectNextBox, Edit, "Next frame or note", alone(Key::G), "Select the next frame or note of the graph.";
    SelectPreviousBox, Edit, "Previous frame or note", shift(Key::G), "Select the frame or note before.";
    MarkNext, Edit, "Mark next node", alone(Key::J), "Put the mark, and the keyboard, on the next node of the graph; what is selected stays.";
    MarkPrevious, Edit, "Mark previous node", alone(Key::K), "Put the mark on the node before.";
    SelectMarked, Edit, "Select marked node too", alone(Key::Space), "Add the marked node to the selection, or take it out.";
    FocusSide, Edit, "Go to side panel", everywhere(Key::F6), "Put the keyboard into the parameters of the selected node, or into the list of nodes, frames and notes.";

    AddNode, Node, "Add node…", alone(Key::Tab), "Find a node type by a few letters. A double-click on the canvas does the same.";
    Rename, Node, "Rename…", everywhere(Key::F2), "Give the selected node another name, or the frame or note another text.";
    Mute, Node, "Mute", alone(Key::M), "The selected nodes do not run; their wires count as not connected.";
    Bypass, Node, "Bypass", alone(Key::B), "The selected nodes pass on what comes in.";
    Collapse, Node, "Collapse", alone(Key::H), "Show the headers of the selected nodes only, or all of them again.";
    Disconnect, Node, "Disconnect", alone(Key::X), "Take every wire off the selected nodes.";
    AddFrame, Node, "Frame", alone(Key::F), "Put a frame with a title around the selected nodes; it moves them with it.";
    AddNote, Node, "Note", alone(Key::N), "Add a note to the canvas.";
    AlignLeft, Node, "Align left", on_canvas(Modifiers::ALT, Key::ArrowLeft), "Line up the left edges of the selected nodes.";
    AlignRight, Node, "Align right", on_canvas(Modifiers::ALT, Key::ArrowRight), "Line up the right edges of the selected nodes.";
    AlignTop, Node, "Align top", on_canvas(Modifiers::ALT, Key::ArrowUp), "Line up the top edges of the selected nodes.";
    AlignBottom, Node, "Align bottom", on_canvas(Modifiers::ALT, Key::ArrowDown), "Line up the bottom edges of the selected nodes.";
    AlignColumn, Node, "Align in a column", on_canvas(Modifiers::ALT, Key::C), "Line up the centres of the selected nodes, one above the other.";
    AlignRow, Node, "Align in a row", on_canvas(Modifiers::ALT, Key::R), "Line up the centres of the selected nodes, side by side.";
    SpreadAcross, Node, "Spread across", on_canvas(Modifiers::ALT, Key::X), "Make the gaps between the selected nodes equal from left to right; the outermost stay.";
    SpreadDown, Node, "Spread down", on_canvas(Modifiers::ALT, Key::Y), "Make the gaps between the selected nodes equal from top to bottom; the outermost stay.";
    Arrange, Node, "Arrange", alone(Key::L), "Lay out the selected nodes, or all, from left to right along their wires.";
    MoveLeft, Node, "Move left", alone(Key::ArrowLeft), "Move the selected nodes, frame or note a step to the left; a frame takes along what lies in it.";
    MoveRight, Node, "Move right", alone(Key::ArrowRight), "Move the selected nodes, frame or note a step to the right.";
    MoveUp, Node, "Move up", alone(Key::ArrowUp), "Move the selected nodes, frame or note a step up.";
    MoveDown, Node, "Move down", alone(Key::ArrowDown), "Move the selected nodes, frame or note a step down.";
    Narrower, Node, "Narrower", shift(Key::ArrowLeft), "Make the selected frame or note a step narrower.";
    Wider, Node, "Wider", shift(Key::ArrowRight), "Make the selected frame or note a step wider.";
    Shorter, Node, "Shorter", shift(Key::ArrowUp), "Make the selected frame or note a step less high.";
    Taller, Node, "Taller", shift(Key::ArrowDown), "Make the selected frame or note a step higher.";

    Run, Run, "Run all", control(Key::Enter), "Run every node that saves, and what it hangs on.";
    RunSelected, Run, "Run to selected", control_shift(Key::Enter), "Run the selected nodes and what they hang on.";
    Cancel, Run, "Cancel", on_canvas(Modifiers::COMMAND, Key::Period), "Stop the run.";
    AutoRun, Run, "Run on change", control(Key::R), "Run again whenever the graph changes.";
    Sweep, Run, "Sweep…", alone(Key::S), "Run one or two parameters in several values each, side by side on one sheet.";
    ClearCache, Run, "Empty the cache", None, "Forget every kept result, so that all runs anew.";

    ZoomFit, View, "Fit everything", alone(Key::Home), "Show the whole graph.";
    ZoomSelection, View, "Fit selection", alone(Key::Period), "Show the selected nodes, frame or note.";
    ZoomActual, View, "Actual size", alone(Key::Num1), "Show the canvas at 100 %.";
    ZoomIn, View, "Zoom in", alone(Key::Plus), "Come closer.";
    ZoomOut, View, "Zoom out", alone(Key::Minus), "Step back.";
    PanLeft, View, "Pan left", on_canvas(Modifiers::COMMAND, Key::ArrowLeft), "Show what lies to the left.";
    PanRight, View, "Pan right", on_canvas(Modifiers::COMMAND, Key::ArrowRight), "Show what lies to the right.";
    PanUp, View, "Pan up", on_canvas(Modifiers::COMMAND, Key::ArrowUp), "Show what lies above.";
    PanDown, View, "Pan down", on_canvas(Modifiers::COMMAND, Key::ArrowDown), "Show what lies below.";
    ShowViewer, View, "Viewer", everywhere(Key::F8), "Show or hide the viewer.";
    ShowLog, View, "Log", everywhere(Key::F9), "Show or hide the log.";
    ClearLog, View, "Clear log", None, "Forget what the log says.";
    ShowSide, View, "Side panel", everywhere(Key::F7), "Show or hide the panel of parameters and values.";
    ViewOutput, View, "View output", alone(Key::V), "Show the selected node's picture in the viewer.";
    PinOutput, View, "Pin inspector", alone(Key::P), "Keep an inspector of the selected node's first output open.";
    Theme, View, "Light or dark", everywhere(Key::F10), "Change between the light and the dark theme.";

    Shortcuts, Help, "Shortcuts", shift(Key::Questionmark), "Show every command and its keys.";
}

/// The row of a command.
#[must_use]
pub fn entry(command: Command) -> &'static Entry {
    // The macro makes the enum and the table from the same rows, in the same order.
    &COMMANDS[command as usize]
}

impl Entry {
    /// The keys as a menu shows them.
    #[must_use]
    pub fn keys(&self, ctx: &egui::Context) -> String {
        match self.shortcut {
            Some(Keys::Anywhere(keys) | Keys::OnCanvas(keys) | Keys::System(keys)) => {
                let text = ctx.format_shortcut(&keys);
                let sign = match keys.logical_key {
                    Key::Questionmark => return "?".to_owned(),
                    Key::OpenBracket => "[",
                    Key::CloseBracket => "]",
                    Key::Period => ".",
                    Key::Plus => return "+".to_owned(),
                    Key::Minus => "-",
                    _ => return text,
                };
                text.replace(keys.logical_key.name(), sign)
            }
            None => String::new(),
        }
    }
}

/// Whether a text field has the keyboard or had it when this was last asked, a frame before: where Escape leaves a field,
/// egui has taken the keyboard from it by the time that keys are asked for, and the field has had its Escape.
fn typed(ctx: &egui::Context) -> bool {
    let now = ctx.text_edit_focused();
    let before = ctx.data_mut(|data| {
        std::mem::replace(data.get_temp_mut_or_default::<bool>(egui::Id::new("a text field had the keyboard")), now)
    });
    now || before
}

/// The commands whose keys were pressed, taken out of the input so that no widget sees them. `on_node`: the keyboard is on a
/// node of the canvas, which has no keys of its own.
pub fn pressed(ctx: &egui::Context, on_node: bool) -> Vec<Command> {
    let typing = typed(ctx);
    let focused = !on_node && ctx.memory(|memory| memory.focused().is_some());
    let looking = viewer::takes_keys(ctx);
    let viewers = |key: Key, modifiers: Modifiers| looking && modifiers.is_none() && viewer::KEYS.contains(&key);
    let mut found = Vec::new();
    ctx.input_mut(|input| {
        // Ctrl+S would take Ctrl+Shift+S, too: those with more modifiers are asked first.
        let with_shift = |entry: &&Entry| {
            matches!(entry.shortcut, Some(Keys::Anywhere(keys) | Keys::OnCanvas(keys)) if keys.modifiers.shift)
        };
        let (first, then): (Vec<&Entry>, Vec<&Entry>) = COMMANDS.iter().partition(with_shift);
        for entry in first.into_iter().chain(then) {
            let taken = match entry.shortcut {
                Some(Keys::Anywhere(keys)) => input.consume_shortcut(&keys),
                Some(Keys::OnCanvas(keys)) => {
                    // A focused widget has its own use for these, and the keyboard leaves it by Escape.
                    let widgets = matches!(
                        keys.logical_key,
                        Key::Tab | Key::Space | Key::ArrowLeft | Key::ArrowRight | Key::ArrowUp | Key::ArrowDown
                    ) && !keys.modifiers.alt;
                    let others = typing || focused && widgets || viewers(keys.logical_key, keys.modifiers);
                    !others && take(input, &keys)
                }
                Some(Keys::System(_)) | None => false,
            };
            if taken {
                found.push(entry.command);
            }
        }
        // Some keyboards have one of these and not the other.
        let also = [
            (Key::Backspace, Command::Delete),
            (Key::Equals, Command::ZoomIn),
        ];
        for (key, command) in also {
            if !typing && !viewers(key, Modifiers::NONE) && input.consume_key(Modifiers::NONE, key) {
                found.push(command);
            }
        }
        if input.consume_key(Modifiers::COMMAND, Key::Y) {
            found.push(Command::Redo);
        }
        if !typing {
            for event in &input.events {
                match event {
                    egui::Event::Copy => found.push(Command::Copy),
                    egui::Event::Cut => found.push(Command::Cut),
                    _ => {}
                }
            }
        }
    });
    found
}

fn take(input: &mut egui::InputState, keys: &KeyboardShortcut) -> bool {
    // `?` lies on different keys, with and without Shift.
    if keys.logical_key == Key::Questionmark {
        return input.consume_key(Modifiers::SHIFT, Key::Questionmark)
            || input.consume_key(Modifiers::NONE, Key::Questionmark)
            || input.consume_key(Modifiers::SHIFT, Key::Slash);
    }
    // egui lets Shift and Alt pass where a shortcut names neither; M with Shift is another key than M. A plus may need it.
    let with_shift = keys.logical_key == Key::Plus;
    let mut found = false;
    input.events.retain(|event| {
        let is_it = matches!(event, egui::Event::Key { key, pressed: true, modifiers, .. }
            if *key == keys.logical_key
                && (modifiers.matches_exact(keys.modifiers) || with_shift && modifiers.shift_only()));
        found |= is_it;
        !is_it
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn no_two_commands_share_their_keys() {
        let mut seen: HashMap<KeyboardShortcut, Command> = HashMap::new();
        for entry in COMMANDS {
            if let Some(Keys::Anywhere(keys) | Keys::OnCanvas(keys) | Keys::System(keys)) = entry.shortcut {
                assert_eq!(seen.insert(keys, entry.command), None, "{:?} of {:?}", keys, entry.command);
            }
        }
    }

    #[test]
    fn a_command_finds_its_row() {
        for row in COMMANDS {
            assert_eq!(entry(row.command).label, row.label);
            assert!(row.summary.ends_with('.'), "{}", row.label);
        }
    }
}
