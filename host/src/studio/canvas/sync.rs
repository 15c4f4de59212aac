//! The session's nodes and wires, put into snarl; and the nodes that were dragged in snarl, put into the session.

use super::{Canvas, Shown};
use crate::editing::{Edit, Session};
use crate::studio::action::Action;
use crate::studio::sockets::Sockets;
use eframe::egui;
use egui::Pos2;
use egui_snarl::{InPinId, OutPinId};
use std::collections::{HashMap, HashSet};

impl Canvas {
    /// Makes snarl's picture that of the session, where the session has changed.
    pub(super) fn sync(&mut self, session: &Session, sockets: &HashMap<String, Sockets>) {
        if self.revision == Some(session.revision()) {
            return;
        }
        self.revision = Some(session.revision());
        let document = session.document();
        let gone: Vec<String> = self.ids.keys().filter(|name| !document.nodes.contains_key(*name)).cloned().collect();
        for name in gone {
            if let Some(id) = self.ids.remove(&name) {
                self.snarl.remove_node(id);
            }
            self.state.rects.remove(&name);
            self.state.reserved.remove(&name);
            self.state.headers.remove(&name);
            self.state.seen.remove(&name);
        }
        self.state.collapsed = document.nodes.keys().filter(|name| session.is_collapsed(name)).cloned().collect();
        for name in document.nodes.keys() {
            let [x, y] = session.position(name);
            let position = Pos2::new(x, y);
            let id = *self.ids.entry(name.clone()).or_insert_with(|| self.snarl.insert_node(position, name.clone()));
            if let Some(node) = self.snarl.get_node_info_mut(id) {
                node.pos = position;
                node.open = !self.state.collapsed.contains(name);
            }
        }
        let wanted = self.wires(session, sockets);
        let there: HashSet<(OutPinId, InPinId)> = self.snarl.wires().collect();
        for (from, to) in there.difference(&wanted) {
            self.snarl.disconnect(*from, *to);
        }
        for (from, to) in wanted.difference(&there) {
            self.snarl.connect(*from, *to);
        }
        self.state.thumbnails.keep(|name| document.nodes.contains_key(name));
    }

    fn wires(&self, session: &Session, sockets: &HashMap<String, Sockets>) -> HashSet<(OutPinId, InPinId)> {
        let mut wires = HashSet::new();
        for (name, node) in &session.document().nodes {
            let (Some(&to), Some(to_sockets)) = (self.ids.get(name), sockets.get(name)) else { continue };
            for (input, wire) in &node.inputs {
                let found = (|| {
                    let (source, output) = wire.source()?;
                    let (&from, from_sockets) = (self.ids.get(source)?, sockets.get(source)?);
                    let from = OutPinId { node: from, output: from_sockets.output(output)? };
                    Some((from, InPinId { node: to, input: to_sockets.input(input)? }))
                })();
                wires.extend(found);
            }
        }
        wires
    }

    /// A node that was dragged takes the whole selection with it.
    pub(super) fn moved(&mut self, shown: &mut Shown<'_>) {
        let session = shown.session;
        for (name, id) in &self.ids {
            let Some(node) = self.snarl.get_node_info(*id) else { continue };
            let [x, y] = session.position(name);
            let delta = node.pos - Pos2::new(x, y);
            if delta == egui::Vec2::ZERO {
                continue;
            }
            let together: Vec<String> = if session.selection().contains(name) {
                session.selection().iter().cloned().collect()
            } else {
                vec![name.clone()]
            };
            let nodes = together
                .into_iter()
                .map(|node| {
                    let [x, y] = session.position(&node);
                    (node, [x + delta.x, y + delta.y])
                })
                .collect();
            shown.actions.push(Action::Edit(Edit::Move { nodes }));
            // One node is dragged at a time; the session's answer puts the others in their place.
            self.revision = None;
            return;
        }
    }
}
