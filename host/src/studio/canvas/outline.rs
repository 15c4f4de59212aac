//! Nodes from afar: where the canvas is shown so small that a socket is no larger than three points, a node is its frame,
//! its name and a dot for each socket, and the wires are lines behind them. Snarl is told of no sockets then, and so makes no
//! widgets for what nobody could point at; what was seen when they were drawn last says where they are. The same goes for
//! nodes out of sight. While a wire is dragged, all sockets are there: it may be brought to a node far away.

use super::view::View;
use super::{SIDE, State, pins};
use crate::studio::shown::Shown;
use crate::studio::theme;
use eframe::egui;
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Ui, Vec2, pos2, vec2};
use std::collections::HashSet;

/// Below this size of the canvas, nodes are seen from afar.
pub(super) const AFAR: f32 = 0.25;

/// Points of a wire's curve.
const POINTS: u16 = 10;

/// How far a wire goes straight from its socket, at most, in canvas points.
const REACH: f32 = 60.0;

/// Where a node's sockets and its lower edge are, from the node's own position on, as they were drawn last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outline {
    inputs: Vec<Vec2>,
    outputs: Vec<Vec2>,
    bottom: f32,
}

/// The outline of a node that was drawn last.
#[derive(Debug)]
pub(super) struct Seen {
    outline: Outline,
    /// Whether two frames have drawn it alike: in the first, snarl only guesses how large things are.
    settled: bool,
    collapsed: bool,
}

/// What is seen of a node while it is drawn, in canvas points.
#[derive(Debug, Default)]
pub(super) struct Seeing {
    /// Heights of the inputs' middles.
    pub inputs: Vec<f32>,
    /// Heights of the outputs' middles.
    pub outputs: Vec<f32>,
    /// Lower edge of the node's lower part.
    pub bottom: f32,
    /// Width of the widest input with its texts; 0 where none were drawn.
    pub left: f32,
    /// Width of the widest output with its texts; 0 where none were drawn.
    pub right: f32,
}

impl State {
    /// The nodes that are seen from afar in this frame: all where the canvas is small, else those out of sight whose wires
    /// are, too. Collapsed nodes never are: they have little to draw.
    pub(super) fn seen_from_afar(&self, shown: &Shown<'_>) -> HashSet<String> {
        if self.wire.is_some() {
            return HashSet::new();
        }
        let mut afar: HashSet<&str> = shown.session.document().nodes.keys().map(String::as_str).collect();
        afar.retain(|name| self.is_settled(name, shown));
        if self.to_global.scaling >= AFAR {
            let is_in_sight = |name: &str| self.rects.get(name).is_none_or(|rect| rect.intersects(self.viewport));
            afar.retain(|name| !is_in_sight(name));
            for (name, node) in &shown.session.document().nodes {
                for (source, _) in node.inputs.values().filter_map(|wire| wire.source()) {
                    if self.may_be_seen_between(name, source) {
                        afar.remove(name.as_str());
                        afar.remove(source);
                    }
                }
            }
        }
        afar.into_iter().map(str::to_owned).collect()
    }

    fn is_settled(&self, name: &str, shown: &Shown<'_>) -> bool {
        let Some(Seen { outline, settled: true, collapsed: false }) = self.seen.get(name) else { return false };
        let Some(sockets) = shown.sockets.get(name) else { return false };
        let as_many = outline.inputs.len() == sockets.inputs.len() && outline.outputs.len() == sockets.outputs.len();
        as_many && self.reserved.contains_key(name) && !self.collapsed.contains(name)
    }

    /// Whether a wire between two nodes may be in sight: its curve leaves their surroundings by no more than its reach.
    fn may_be_seen_between(&self, a: &str, b: &str) -> bool {
        let ends = self.rects.get(a).zip(self.rects.get(b));
        ends.is_none_or(|(a, b)| a.union(*b).expand(2.0 * REACH).intersects(self.viewport))
    }
}

impl View<'_, '_> {
    /// Takes note of where the sockets of a node are that was just drawn with them.
    pub(super) fn see(&mut self, ui: &Ui, node: &str, rect: Rect) {
        let Seeing { inputs, outputs, bottom, left, right } = std::mem::take(&mut self.state.seeing);
        // What is drawn without its texts keeps the room that they had.
        if let Some(reserved) = self.state.reserved.get_mut(node) {
            reserved.x = reserved.x.max(left + right + ui.spacing().item_spacing.x);
        }
        let position = self.position(node);
        let margin = f32::from(SIDE) + pins::SOCKET / 2.0;
        let collapsed = self.state.collapsed.contains(node);
        // Of a collapsed node, all wires lead to the header.
        let height = |y: f32| if collapsed { rect.center().y } else { y };
        let at = |x: f32, heights: Vec<f32>| heights.into_iter().map(|y| pos2(x, height(y)) - position).collect();
        let outline = Outline {
            inputs: at(rect.left() + margin, inputs),
            outputs: at(rect.right() - margin, outputs),
            bottom: bottom - position.y,
        };
        let before = self.state.seen.get(node);
        let is_as_before = before.is_some_and(|seen| seen.outline == outline && seen.collapsed == collapsed);
        // A frame that is drawn twice tells nothing by being alike.
        let settled = is_as_before && !ui.ctx().will_discard();
        self.state.seen.insert(node.to_owned(), Seen { outline, settled, collapsed });
    }

    /// What is below the header of a node that is seen from afar: dots for its sockets, at the size that it has close by.
    pub(super) fn lower_part_from_afar(&self, ui: &mut Ui, node: &str) {
        let (Some(Seen { outline, .. }), Some(sockets)) = (self.state.seen.get(node), self.shown.sockets.get(node))
        else {
            return;
        };
        let position = self.position(node);
        let width = self.state.reserved.get(node).map_or(0.0, |size| size.x);
        let height = position.y + outline.bottom - ui.max_rect().top();
        ui.allocate_space(vec2(width, height.max(0.0)));
        let dark = self.state.dark;
        let inputs = sockets.inputs.iter().zip(&outline.inputs);
        for (socket, at) in inputs.chain(sockets.outputs.iter().zip(&outline.outputs)) {
            let dot = Rect::from_center_size(position + *at, Vec2::splat(pins::SOCKET));
            ui.painter().rect_filled(dot, 0.0, pins::colour(socket, theme::colours(dark)));
        }
    }

    /// The wires of the nodes that are seen from afar; snarl draws those that lie between others.
    pub(super) fn wires_from_afar(&self, painter: &Painter) {
        let mut shapes = Vec::new();
        for (name, node) in &self.shown.session.document().nodes {
            for (input, wire) in &node.inputs {
                let Some((source, output)) = wire.source() else { continue };
                if !self.afar.contains(name) && !self.afar.contains(source) {
                    continue;
                }
                let ends = self.end(source, output, true).zip(self.end(name, input, false));
                let Some(((from, from_colour), (to, to_colour))) = ends else { continue };
                let curve = curve(from, to);
                if Rect::from_points(&curve).intersects(self.state.viewport) {
                    shapes.push(Shape::line(curve, Stroke::new(2.0, from_colour.lerp_to_gamma(to_colour, 0.5))));
                }
            }
        }
        painter.extend(shapes);
    }

    /// Where a wire meets a socket, and its colour there.
    fn end(&self, node: &str, socket: &str, is_output: bool) -> Option<(Pos2, Color32)> {
        let (sockets, Seen { outline, .. }) = (self.shown.sockets.get(node)?, self.state.seen.get(node)?);
        let (socket, at) = if is_output {
            let index = sockets.output(socket)?;
            (sockets.outputs.get(index)?, outline.outputs.get(index)?)
        } else {
            let index = sockets.input(socket)?;
            (sockets.inputs.get(index)?, outline.inputs.get(index)?)
        };
        let colour = pins::colour(socket, theme::colours(self.state.dark));
        let off = self.shown.session.document().nodes.get(node).is_some_and(|node| node.off.is_some());
        Some((self.position(node) + *at, if off { pins::switched_off(colour) } else { colour }))
    }

    fn position(&self, node: &str) -> Pos2 {
        let [x, y] = self.shown.session.position(node);
        pos2(x, y)
    }
}

/// A wire from an output to an input: out to the right, and in from the left.
fn curve(from: Pos2, to: Pos2) -> Vec<Pos2> {
    let reach = vec2(((to - from).length() / 6.0).min(REACH), 0.0);
    let [a, b, c, d] = [from, from + reach, to - reach, to].map(Pos2::to_vec2);
    let point = |t: f32| {
        let s = 1.0 - t;
        (a * (s * s * s) + b * (3.0 * s * s * t) + c * (3.0 * s * t * t) + d * (t * t * t)).to_pos2()
    };
    (0..POINTS).map(|index| point(f32::from(index) / f32::from(POINTS - 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_leads_from_socket_to_socket_and_leaves_and_enters_straight() {
        let (from, to) = (pos2(10.0, 20.0), pos2(400.0, 300.0));
        let curve = curve(from, to);
        assert_eq!((curve[0], curve[curve.len() - 1]), (from, to));
        let slope = |a: Pos2, b: Pos2| ((b.y - a.y) / (b.x - a.x)).abs();
        let middle = slope(curve[4], curve[5]);
        assert!(slope(curve[0], curve[1]) < middle && slope(curve[8], curve[9]) < middle);
    }
}
