//! What snarl asks while it draws: how each node looks, and what becomes of what is done to it.

use super::pins::Pin;
use super::{Look, Shown, State, ZOOM, boxes, frame_id};
use crate::document::Off;
use crate::editing::Edit;
use crate::running::NodeState;
use crate::studio::action::{Action, Dangling, Output};
use crate::studio::{frames, menu, theme};
use eframe::egui;
use egui::emath::TSTransform;
use egui::{EventFilter, Frame, Modifiers, Painter, PointerButton, Pos2, Rect, Stroke, StrokeKind, Style, Ui};
use egui_snarl::ui::{AnyPins, BackgroundPattern, SnarlStyle, SnarlViewer};
use egui_snarl::{InPin, InPinId, NodeId, OutPin, OutPinId, Snarl};
use std::collections::HashSet;

/// Below this size of the canvas nobody reads a widget.
const READABLE: f32 = 0.4;

/// The canvas while it is drawn.
pub(super) struct View<'a, 'b> {
    pub shown: &'a mut Shown<'b>,
    pub state: &'a mut State,
    /// The keys that are held: snarl sees none.
    pub modifiers: Modifiers,
    pub selected: HashSet<String>,
    /// Nodes that are seen from afar, without sockets that could be pointed at.
    pub afar: HashSet<String>,
}

impl View<'_, '_> {
    /// Whether a node is drawn with all that it has; what is out of sight or too small is drawn without widgets, at the
    /// same size.
    pub(super) fn is_full(&self, node: &str) -> bool {
        let Some(rect) = self.state.rects.get(node) else { return true };
        if !self.state.reserved.contains_key(node) {
            return true;
        }
        self.state.to_global.scaling >= READABLE && rect.intersects(self.state.viewport)
    }

    fn socket(&self, snarl: &Snarl<String>, pin: Pinned) -> Option<(String, String)> {
        let (id, index, is_output) = match pin {
            Pinned::In(pin) => (pin.node, pin.input, false),
            Pinned::Out(pin) => (pin.node, pin.output, true),
        };
        let name = snarl.get_node(id)?;
        let sockets = self.shown.sockets.get(name)?;
        let list = if is_output { &sockets.outputs } else { &sockets.inputs };
        Some((name.clone(), list.get(index)?.id.clone()))
    }

    /// The edge of a node says whether it is selected, and else how it is doing.
    fn edge(&self, node: &str, colours: &theme::Colours) -> Stroke {
        if self.selected.contains(node) {
            return Stroke::new(2.0, colours.selected);
        }
        match self.shown.runner.state(node) {
            NodeState::Running { .. } => Stroke::new(2.0, colours.running),
            NodeState::Failed { .. } => Stroke::new(2.0, colours.failed),
            _ if self.is_missing(node) => Stroke::new(1.5, colours.failed),
            _ => Stroke::new(1.0, colours.edge),
        }
    }

    pub(super) fn is_missing(&self, node: &str) -> bool {
        self.shown.sockets.get(node).is_some_and(|sockets| sockets.node_type.is_none())
    }

    /// Clicks and drags of a node's body.
    fn gestures(&mut self, ui: &Ui, id: NodeId, node: &str) {
        let frame = frame_id(self.state.id, id);
        let is_selected = self.selected.contains(node);
        ui.ctx().accesskit_node_builder(frame, |builder| {
            builder.set_label(format!("node {node}"));
            builder.set_selected(is_selected);
        });
        let has_keyboard = ui.memory(|memory| memory.focused() == Some(frame));
        if has_keyboard {
            // Tab and the arrows are commands here, and do not lead to the widget beside.
            let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: false };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(frame, filter));
        }
        let happening = has_keyboard || ui.input(|input| input.pointer.any_down() || input.pointer.any_released());
        if !happening {
            return;
        }
        let Some(response) = ui.ctx().read_response(frame) else { return };
        let several = self.modifiers.shift || self.modifiers.command;
        if response.double_clicked_by(PointerButton::Primary) {
            let output = self.shown.sockets.get(node).and_then(|sockets| sockets.outputs.first());
            if let Some(output) = output {
                let output = Output { node: node.to_owned(), output: output.id.clone() };
                self.shown.actions.push(Action::View(output));
            }
        } else if response.clicked() {
            self.state.chosen = None;
            let selection = self.shown.session.selection();
            let names = match (several, is_selected) {
                (true, true) => selection.iter().filter(|name| *name != node).cloned().collect(),
                (true, false) => selection.iter().cloned().chain([node.to_owned()]).collect(),
                (false, _) => vec![node.to_owned()],
            };
            self.shown.actions.push(Action::Select(names));
        }
        let takes = response.drag_started_by(PointerButton::Primary) || response.secondary_clicked();
        if takes && !is_selected {
            self.state.chosen = None;
            self.shown.actions.push(Action::Select(vec![node.to_owned()]));
        }
        if response.drag_stopped() {
            self.shown.actions.push(Action::Settle);
        }
    }
}

/// Tells screen readers (and tests) where on the screen the widgets of a layer are that is moved and scaled; egui gives them
/// the places within the layer.
pub(super) fn place_for_readers(ui: &Ui, to_global: TSTransform) {
    let scale = f64::from(to_global.scaling);
    let [x, y] = [to_global.translation.x.into(), to_global.translation.y.into()];
    let transform = egui::accesskit::Affine::new([scale, 0.0, 0.0, scale, x, y]);
    ui.ctx().accesskit_node_builder(ui.unique_id(), |node| node.set_transform(transform));
}

enum Pinned {
    In(InPinId),
    Out(OutPinId),
}

impl SnarlViewer<String> for View<'_, '_> {
    fn title(&mut self, node: &String) -> String {
        node.clone()
    }

    fn node_frame(&mut self, default: Frame, id: NodeId, _: &[InPin], _: &[OutPin], snarl: &Snarl<String>) -> Frame {
        let colours = theme::colours(self.state.dark);
        let Some(node) = snarl.get_node(id) else { return default };
        let fill = match self.shown.session.document().nodes.get(node).and_then(|node| node.off) {
            Some(Off::Mute) => colours.node.gamma_multiply(0.5),
            Some(Off::Bypass) => colours.node.lerp_to_gamma(colours.bypassed, 0.25),
            None => colours.node,
        };
        default.fill(fill).stroke(self.edge(node, colours))
    }

    fn show_header(&mut self, id: NodeId, _: &[InPin], _: &[OutPin], ui: &mut Ui, snarl: &mut Snarl<String>) {
        if let Some(node) = snarl.get_node(id).cloned() {
            self.header(ui, &node);
        }
    }

    fn inputs(&mut self, node: &String) -> usize {
        if self.afar.contains(node) {
            return 0;
        }
        self.shown.sockets.get(node).map_or(0, |sockets| sockets.inputs.len())
    }

    #[allow(refining_impl_trait, reason = "the type is the module's own")]
    fn show_input(&mut self, pin: &InPin, ui: &mut Ui, snarl: &mut Snarl<String>) -> Pin {
        let node = snarl.get_node(pin.id.node).cloned().unwrap_or_default();
        self.input_row(ui, &node, pin.id.input)
    }

    fn outputs(&mut self, node: &String) -> usize {
        if self.afar.contains(node) {
            return 0;
        }
        self.shown.sockets.get(node).map_or(0, |sockets| sockets.outputs.len())
    }

    #[allow(refining_impl_trait, reason = "the type is the module's own")]
    fn show_output(&mut self, pin: &OutPin, ui: &mut Ui, snarl: &mut Snarl<String>) -> Pin {
        let node = snarl.get_node(pin.id.node).cloned().unwrap_or_default();
        self.output_row(ui, &node, pin.id.output)
    }

    fn has_footer(&mut self, _: &String) -> bool {
        true
    }

    fn show_footer(&mut self, id: NodeId, _: &[InPin], _: &[OutPin], ui: &mut Ui, snarl: &mut Snarl<String>) {
        if let Some(node) = snarl.get_node(id).cloned() {
            self.footer(ui, &node);
        }
    }

    fn final_node_rect(&mut self, id: NodeId, rect: Rect, ui: &mut Ui, snarl: &mut Snarl<String>) {
        if let Some(node) = snarl.get_node(id).cloned() {
            place_for_readers(ui, self.state.to_global);
            self.gestures(ui, id, &node);
            if self.state.marked.as_ref() == Some(&node) {
                let colour = theme::of(ui).text;
                ui.painter().rect_stroke(rect.expand(3.0), 8.0, Stroke::new(1.5, colour), StrokeKind::Outside);
            }
            if !self.afar.contains(&node) {
                self.see(ui, &node, rect);
            }
            self.state.rects.insert(node, rect);
        }
    }

    fn has_graph_menu(&mut self, _: Pos2, _: &mut Snarl<String>) -> bool {
        self.state.wire.is_none()
    }

    fn show_graph_menu(&mut self, at: Pos2, ui: &mut Ui, _: &mut Snarl<String>) {
        menu::canvas(ui, [at.x, at.y], self.shown.actions);
    }

    fn has_dropped_wire_menu(&mut self, pins: AnyPins<'_>, snarl: &mut Snarl<String>) -> bool {
        let first = match pins {
            AnyPins::Out(pins) => pins.first().map(|pin| Pinned::Out(*pin)),
            AnyPins::In(pins) => pins.first().map(|pin| Pinned::In(*pin)),
        };
        if let Some(pin) = first {
            let is_output = matches!(pin, Pinned::Out(_));
            self.state.dropped = self.socket(snarl, pin).map(|(node, socket)| Dangling { node, socket, is_output });
        }
        // The palette takes the place of snarl's own menu.
        false
    }

    fn has_node_menu(&mut self, _: &String) -> bool {
        true
    }

    fn show_node_menu(&mut self, id: NodeId, _: &[InPin], _: &[OutPin], ui: &mut Ui, snarl: &mut Snarl<String>) {
        if let Some(node) = snarl.get_node(id) {
            menu::node(ui, node, self.shown.sockets.get(node), self.shown.actions);
        }
    }

    fn connect(&mut self, from: &OutPin, to: &InPin, snarl: &mut Snarl<String>) {
        let (Some(from), Some(to)) = (self.socket(snarl, Pinned::Out(from.id)), self.socket(snarl, Pinned::In(to.id)))
        else {
            return;
        };
        self.shown.actions.push(Action::Edit(Edit::Connect { from, to }));
    }

    fn disconnect(&mut self, _: &OutPin, to: &InPin, snarl: &mut Snarl<String>) {
        if let Some(to) = self.socket(snarl, Pinned::In(to.id)) {
            self.shown.actions.push(Action::Edit(Edit::Disconnect { to }));
        }
    }

    fn drop_outputs(&mut self, pin: &OutPin, snarl: &mut Snarl<String>) {
        if let Some(from) = self.socket(snarl, Pinned::Out(pin.id)).filter(|_| !pin.remotes.is_empty()) {
            self.shown.actions.push(Action::Edit(Edit::DisconnectOutput { from }));
        }
    }

    fn drop_inputs(&mut self, pin: &InPin, snarl: &mut Snarl<String>) {
        if let Some(to) = self.socket(snarl, Pinned::In(pin.id)).filter(|_| !pin.remotes.is_empty()) {
            self.shown.actions.push(Action::Edit(Edit::Disconnect { to }));
        }
    }

    fn draw_background(
        &mut self,
        background: Option<&BackgroundPattern>,
        viewport: &Rect,
        snarl_style: &SnarlStyle,
        style: &Style,
        painter: &Painter,
        _: &Snarl<String>,
    ) {
        self.state.viewport = *viewport;
        self.afar = self.state.seen_from_afar(self.shown);
        let grid = egui_snarl::ui::Grid::new(egui::vec2(40.0, 40.0), 0.0);
        // Zoomed out, the lines would lie closer together than the eye parts them.
        if self.state.to_global.scaling > 0.3 {
            let _ = background;
            BackgroundPattern::Grid(grid).draw(viewport, snarl_style, style, painter);
        }
        boxes::paint(painter, style, self.state, self.shown.session);
        self.wires_from_afar(painter);
    }

    fn current_transform(&mut self, to_global: &mut TSTransform, _: &mut Snarl<String>) {
        let before = self.state.to_global;
        // Shift draws a box; the canvas stays where it is meanwhile.
        if self.modifiers.shift || self.state.box_from.is_some() {
            *to_global = before;
        }
        if let Some(zoomed) = self.state.wheel_zoom(before) {
            *to_global = zoomed;
        }
        if let Some(look) = self.state.look.take() {
            match self.state.look_at(&look, self.shown.session) {
                Some(there) => *to_global = there,
                // Nodes that were never drawn have no size yet.
                None => self.state.look = Some(look).filter(|_| !self.shown.session.document().nodes.is_empty()),
            }
        }
        to_global.scaling = to_global.scaling.clamp(ZOOM[0], ZOOM[1]);
        self.state.to_global = *to_global;
    }
}

impl State {
    /// The transform that shows what is wanted; none where it is not known yet how large it is.
    fn look_at(&self, look: &Look, session: &crate::editing::Session) -> Option<TSTransform> {
        const MARGIN: f32 = 48.0;
        let bounds = |names: Vec<&String>| {
            names.into_iter().try_fold(Rect::NOTHING, |all, name| Some(all.union(*self.rects.get(name)?)))
        };
        let zoomed = |scaling: f32, center: Pos2| {
            let scaling = scaling.clamp(ZOOM[0], ZOOM[1]);
            TSTransform::new(self.screen.center().to_vec2() - center.to_vec2() * scaling, scaling)
        };
        let room = (self.screen.size() - egui::Vec2::splat(MARGIN)).max(egui::Vec2::splat(1.0));
        let most = |area: Rect| (room / area.size()).min_elem();
        let fit = |all: Rect| zoomed(most(all).min(1.0), all.center());
        let middle = self.to_global.inverse() * self.screen.center();
        match look {
            Look::Everything => {
                let mut all = bounds(session.document().nodes.keys().collect())?;
                for placed in frames::all(session) {
                    all = all.union(placed.area);
                }
                all.is_finite().then(|| fit(all))
            }
            Look::Nodes(names) => bounds(names.iter().collect()).filter(|all| all.is_finite()).map(fit),
            Look::Node(name) => Some(zoomed(self.to_global.scaling.max(0.9), self.rects.get(name)?.center())),
            Look::Area(area) => Some(zoomed(self.to_global.scaling.max(0.9).min(most(*area)), area.center())),
            Look::Pan(by) => {
                let moved = TSTransform::from_translation(-*by * self.screen.size());
                Some(moved * self.to_global)
            }
            Look::Zoom(factor) => Some(zoomed(self.to_global.scaling * factor, middle)),
            Look::Actual => Some(zoomed(1.0, middle)),
        }
    }
}
