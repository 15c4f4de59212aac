//! The palette: finds a node type by a few letters and adds a node where the palette was opened. A wire that was dragged
//! into empty space opens it with the node types only that fit the wire.

use super::action::{Action, Dangling};
use super::sockets::Sockets;
use super::{fuzzy, kinds, theme};
use crate::editing::{Edit, NewWire};
use crate::plugins::{Catalogue, NodeType};
use eframe::egui;
use egui::{Key, Modifiers, Pos2, RichText, ScrollArea, Ui};
use mgie_plugin_api::NodeDescription;
use std::collections::HashMap;
use std::sync::Arc;

const WIDTH: f32 = 340.0;
/// The most height of its list, and what stands above and below it.
const HEIGHT: f32 = 300.0;
const BESIDE_LIST: f32 = 110.0;

/// An open palette.
#[derive(Debug)]
pub struct Palette {
    at: [f32; 2],
    screen: Pos2,
    wire: Option<Dangling>,
    typed: String,
    chosen: usize,
    opened: bool,
}

impl Palette {
    /// A palette that adds a node at that place of the canvas, which is at `screen` of the window.
    #[must_use]
    pub fn new(at: [f32; 2], screen: Pos2, wire: Option<Dangling>) -> Self {
        Self { at, screen, wire, typed: String::new(), chosen: 0, opened: false }
    }

    /// Shows it; false where it is to be closed.
    pub fn show(
        &mut self,
        ui: &Ui,
        catalogue: &Catalogue,
        sockets: &HashMap<String, Sockets>,
        actions: &mut Vec<Action>,
    ) -> bool {
        let found = find(catalogue, &self.typed, self.wire.as_ref(), sockets);
        let (mut open, mut taken) = (true, None);
        let before = self.chosen;
        ui.input_mut(|input| {
            let mut pressed = |key| input.consume_key(Modifiers::NONE, key);
            open &= !pressed(Key::Escape);
            if pressed(Key::ArrowDown) || pressed(Key::Tab) {
                self.chosen += 1;
            }
            if pressed(Key::ArrowUp) {
                self.chosen = self.chosen.saturating_sub(1);
            }
            if pressed(Key::Enter) {
                taken = Some(self.chosen);
            }
        });
        self.chosen = self.chosen.min(found.len().saturating_sub(1));
        let room = ui.ctx().content_rect().shrink(8.0);
        let height = HEIGHT.min(room.height() - BESIDE_LIST).max(60.0);
        let corner = Pos2::new(
            self.screen.x.min(room.right() - WIDTH - 24.0).max(room.left()),
            self.screen.y.min(room.bottom() - height - BESIDE_LIST).max(room.top()),
        );
        let area = egui::Area::new(egui::Id::new("palette")).order(egui::Order::Foreground).fixed_pos(corner);
        let shown = area.show(ui.ctx(), |ui| {
            egui::Frame::popup(ui.style()).show(ui, |ui| {
                ui.set_width(WIDTH);
                // The list follows the keys, and else stays where it was scrolled to.
                let moved = self.field(ui) || self.chosen != before;
                let clicked = self.list(ui, &found, moved, height);
                taken = taken.or(clicked);
            });
        });
        // The click that opened it is over by the second frame.
        let elsewhere = ui.input(|input| {
            input.pointer.any_pressed()
                && input.pointer.interact_pos().is_some_and(|at| !shown.response.rect.contains(at))
        });
        open &= !(elsewhere && self.opened);
        self.opened = true;
        if let Some(node_type) = taken.and_then(|index| found.get(index)) {
            actions.push(Action::Edit(self.add(&node_type.description)));
            open = false;
        }
        open
    }

    /// The field; whether something was typed.
    fn field(&mut self, ui: &mut Ui) -> bool {
        if let Some(wire) = &self.wire {
            let text = format!("Nodes that fit {}.{}", wire.node, wire.socket);
            ui.label(RichText::new(text).color(theme::of(ui).dim));
        }
        let field =
            egui::TextEdit::singleline(&mut self.typed).hint_text("Find a node").desired_width(WIDTH).lock_focus(true);
        let field = ui.add(field);
        super::parameters::rename(&field, "Find a node");
        if field.changed() {
            self.chosen = 0;
        }
        field.request_focus();
        field.changed()
    }

    fn list(&self, ui: &mut Ui, found: &[Arc<NodeType>], moved: bool, height: f32) -> Option<usize> {
        let colours = theme::of(ui);
        if found.is_empty() {
            ui.label("No node type fits.");
        }
        let mut clicked = None;
        ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
            for (index, node_type) in found.iter().enumerate() {
                let description = &node_type.description;
                let chosen = index == self.chosen;
                let row = ui.horizontal(|ui| {
                    let kind = description.outputs.first().map(|output| output.kind.as_str());
                    let (dot, _) = ui.allocate_exact_size(egui::vec2(12.0, 16.0), egui::Sense::hover());
                    if let Some(kind) = kind {
                        let colour = kinds::colour(kind, colours);
                        kinds::draw(ui.painter(), dot.center(), 9.0, kinds::outline(kind), colour, true);
                    }
                    let label = ui.selectable_label(chosen, &description.label);
                    let right = egui::Layout::right_to_left(egui::Align::Center);
                    ui.with_layout(right, |ui| {
                        let text = RichText::new(&description.id).small().color(colours.dim);
                        ui.add(egui::Label::new(text).truncate());
                    });
                    label
                });
                let row = row.inner.on_hover_text(&description.summary);
                if row.clicked() {
                    clicked = Some(index);
                }
                if chosen && moved {
                    row.scroll_to_me(None);
                }
            }
        });
        if let Some(node_type) = found.get(self.chosen) {
            ui.separator();
            let summary = &node_type.description.summary;
            ui.label(RichText::new(summary).small().color(colours.dim));
        }
        clicked
    }

    fn add(&self, description: &NodeDescription) -> Edit {
        let wire = self.wire.clone().map(|wire| {
            let Dangling { node, socket, is_output } = wire;
            if is_output { NewWire::Output { node, output: socket } } else { NewWire::Input { node, input: socket } }
        });
        Edit::Add { node_type: description.id.clone(), at: self.at, wire }
    }
}

/// The node types that fit what was typed and the wire, the best first.
fn find(
    catalogue: &Catalogue,
    typed: &str,
    wire: Option<&Dangling>,
    sockets: &HashMap<String, Sockets>,
) -> Vec<Arc<NodeType>> {
    let mut found: Vec<(i32, &Arc<NodeType>)> = catalogue
        .node_types()
        .filter(|node_type| wire.is_none_or(|wire| fits(wire, &node_type.description, sockets)))
        .filter_map(|node_type| {
            let of = &node_type.description;
            Some((fuzzy::node_score(typed, &of.label, &of.id, &of.category, &of.summary)?, node_type))
        })
        .collect();
    found.sort_by(|(a, one), (b, other)| {
        let name = |node_type: &NodeType| (node_type.description.category.clone(), node_type.description.label.clone());
        b.cmp(a).then_with(|| name(one).cmp(&name(other)))
    });
    found.into_iter().map(|(_, node_type)| Arc::clone(node_type)).collect()
}

/// Whether a node of that type has a socket for a dangling wire. A socket that nothing is known of fits all.
fn fits(wire: &Dangling, description: &NodeDescription, sockets: &HashMap<String, Sockets>) -> bool {
    let Some(of) = sockets.get(&wire.node) else { return true };
    if wire.is_output {
        let Some(socket) = of.output(&wire.socket).map(|place| &of.outputs[place]) else { return true };
        description.inputs.iter().any(|input| input.takes(socket.kind()))
    } else {
        let Some(socket) = of.input(&wire.socket).map(|place| &of.inputs[place]) else { return true };
        let any = mgie_plugin_api::kind::ANY;
        let takes = |kind: &str| {
            socket.kinds.is_empty() || kind == any || socket.kinds.iter().any(|taken| taken == kind || taken == any)
        };
        description.outputs.iter().any(|output| takes(&output.kind))
    }
}
