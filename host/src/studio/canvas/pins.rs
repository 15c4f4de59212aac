//! The rows of a node's sockets: the name, what flowed last, and the socket itself, which tells a screen reader what it is.

use super::outline::AFAR;
use super::view::View;
use crate::studio::action::{Dangling, Output};
use crate::studio::sockets::Socket;
use crate::studio::{kinds, theme};
use eframe::egui;
use egui::{Color32, Id, Painter, Rect, RichText, Style, Ui, vec2};
use egui_snarl::ui::{PinWireInfo, SnarlPin, SnarlStyle, WireStyle};

/// Height of a row.
pub(super) const ROW: f32 = 18.0;

/// The most texts beside a socket: its name, and what flowed last.
const TEXTS: usize = 2;

/// Size of a socket.
pub(super) const SOCKET: f32 = 11.0;

/// How a socket takes part in the wire that is being dragged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// No wire is being dragged, or it hangs from this socket.
    None,
    /// The wire may end here.
    Fits,
    /// It may not.
    DoesNotFit,
}

/// A socket as snarl draws it.
pub(super) struct Pin {
    outline: kinds::Outline,
    colour: Color32,
    wire: Color32,
    filled: bool,
    part: Part,
    /// Whether the canvas is shown so small that nobody tells outlines apart.
    tiny: bool,
    id: Id,
    name: Option<String>,
}

impl SnarlPin for Pin {
    fn draw(self, _: &SnarlStyle, _: &Style, rect: Rect, painter: &Painter) -> PinWireInfo {
        if let Some(name) = self.name {
            painter.ctx().accesskit_node_builder(self.id, |node| node.set_label(name));
        }
        let size = rect.width();
        if self.part == Part::Fits {
            painter.circle_filled(rect.center(), size * 0.85, self.colour.gamma_multiply(0.35));
        }
        if self.tiny {
            painter.rect_filled(rect, 0.0, self.colour);
            return PinWireInfo { color: self.wire, style: WireStyle::Bezier3 };
        }
        kinds::draw(painter, rect.center(), size, self.outline, self.colour, self.filled);
        PinWireInfo { color: self.wire, style: WireStyle::Bezier5 }
    }
}

/// The colour of a socket: that of the kind of value.
pub(super) fn colour(socket: &Socket, colours: &theme::Colours) -> Color32 {
    if socket.known { kinds::colour(socket.kind(), colours) } else { colours.failed }
}

/// The colour of a wire at a node that is muted or bypassed.
pub(super) fn switched_off(colour: Color32) -> Color32 {
    colour.gamma_multiply(0.35)
}

impl View<'_, '_> {
    /// The row of an input.
    pub(super) fn input_row(&mut self, ui: &mut Ui, node: &str, index: usize) -> Pin {
        let sockets = self.shown.sockets;
        let socket = sockets.get(node).and_then(|sockets| sockets.inputs.get(index));
        self.row(ui, node, socket, false)
    }

    /// The row of an output.
    pub(super) fn output_row(&mut self, ui: &mut Ui, node: &str, index: usize) -> Pin {
        let sockets = self.shown.sockets;
        let socket = sockets.get(node).and_then(|sockets| sockets.outputs.get(index));
        self.row(ui, node, socket, true)
    }

    fn row(&mut self, ui: &mut Ui, node: &str, socket: Option<&Socket>, is_output: bool) -> Pin {
        let colours = theme::of(ui);
        // Where snarl puts the socket.
        let seeing = &mut self.state.seeing;
        let heights = if is_output { &mut seeing.outputs } else { &mut seeing.inputs };
        heights.push(ui.max_rect().center().y);
        let Some(socket) = socket else {
            let dim = colours.dim;
            let outline = kinds::Outline::Circle;
            let id = ui.next_auto_id();
            return Pin {
                outline,
                colour: dim,
                wire: dim,
                filled: false,
                part: Part::None,
                tiny: true,
                id,
                name: None,
            };
        };
        let full = self.is_full(node);
        let colour = colour(socket, colours);
        let part = self.part(node, socket, is_output);
        let texts = if full {
            let texts = self.caption(ui, node, socket, is_output, part);
            let wide = if is_output { &mut self.state.seeing.right } else { &mut self.state.seeing.left };
            *wide = wide.max(ui.min_rect().width());
            texts
        } else {
            ui.allocate_space(vec2(1.0, ROW));
            1
        };
        // The socket's id hangs on how many came before it: a wire would be lost where a text comes or goes.
        ui.skip_ahead_auto_ids(TEXTS - texts);
        // Snarl gives the socket the id that comes next.
        let id = ui.next_auto_id();
        if ui.ctx().is_being_dragged(id) {
            self.state.wire_now = Some(Dangling { node: node.to_owned(), socket: socket.id.clone(), is_output });
        }
        if part == Part::DoesNotFit && ui.ctx().read_response(id).is_some_and(|socket| socket.contains_pointer()) {
            self.state.refusing = Some((node.to_owned(), socket.id.clone()));
        }
        let wired = is_output || self.is_wired(node, &socket.id);
        let off = self.shown.session.document().nodes.get(node).is_some_and(|node| node.off.is_some());
        let dimmed = |colour: Color32| if part == Part::DoesNotFit { colour.gamma_multiply(0.25) } else { colour };
        let side = if is_output { "output" } else { "input" };
        Pin {
            outline: kinds::outline(socket.kind()),
            colour: dimmed(colour),
            wire: if off { switched_off(colour) } else { dimmed(colour) },
            filled: wired || !socket.optional,
            part,
            tiny: self.state.to_global.scaling < AFAR,
            id,
            name: full.then(|| format!("{side} {} of {node}", socket.id)),
        }
    }

    /// The texts beside a socket; how many there are.
    fn caption(&self, ui: &mut Ui, node: &str, socket: &Socket, is_output: bool, part: Part) -> usize {
        let mut texts = 1;
        let colours = theme::of(ui);
        ui.set_min_height(ROW);
        let colour = match part {
            Part::DoesNotFit => colours.dim.gamma_multiply(0.5),
            _ if !socket.known => colours.failed,
            _ => colours.text,
        };
        // The room for the socket.
        ui.add_space(SOCKET + 4.0);
        let label = ui.label(RichText::new(&socket.label).color(colour));
        if is_output && let Some(value) = self.shown.runner.value(node, &socket.id) {
            let brief = kinds::brief(value);
            if !brief.is_empty() {
                ui.label(RichText::new(brief).small().color(colours.dim));
                texts = TEXTS;
            }
        }
        if label.contains_pointer() && !ui.input(|input| input.pointer.any_down()) {
            label.on_hover_ui(|ui| self.hint(ui, node, socket, is_output));
        }
        texts
    }

    fn hint(&self, ui: &mut Ui, node: &str, socket: &Socket, is_output: bool) {
        let kinds = if socket.kinds.is_empty() { "unknown".to_owned() } else { socket.kinds.join(" or ") };
        let role = if is_output {
            "gives"
        } else if socket.optional {
            "takes (optional)"
        } else {
            "takes"
        };
        ui.label(RichText::new(format!("{node}.{} {role} {kinds}", socket.id)).strong());
        if !socket.summary.is_empty() {
            ui.label(&socket.summary);
        }
        let flowed = Output { node: node.to_owned(), output: socket.id.clone() };
        if is_output && let Some(value) = self.shown.runner.value(&flowed.node, &flowed.output) {
            ui.label(format!("Last: {value}"));
        }
    }

    fn is_wired(&self, node: &str, input: &str) -> bool {
        self.shown.session.document().nodes.get(node).is_some_and(|node| node.inputs.contains_key(input))
    }

    fn part(&self, node: &str, socket: &Socket, is_output: bool) -> Part {
        let Some(wire) = &self.state.wire else { return Part::None };
        if wire.node == node && wire.socket == socket.id && wire.is_output == is_output {
            return Part::None;
        }
        let fits = wire.is_output != is_output
            && self.state.fits.get(node).is_some_and(|fitting| fitting.contains(&socket.id));
        if fits { Part::Fits } else { Part::DoesNotFit }
    }
}
