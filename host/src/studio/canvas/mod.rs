//! The canvas: an adapter over egui-snarl. What snarl holds is a picture of the session, made anew whenever the session's
//! revision changes; nothing is read back from it but how far a node was dragged. The selection is the session's, too:
//! snarl is shown without modifier keys, so that it never selects anything by itself.

mod boxes;
mod crisp;
mod gestures;
mod node;
mod outline;
mod pins;
mod sync;
mod thumbnails;
mod view;

use super::action::{BoxId, Dangling};
use super::frames;
use super::shown::Shown;
use super::theme;
use crate::editing::Session;
use eframe::egui;
use egui::emath::TSTransform;
use egui::{Id, LayerId, Margin, Modifiers, Pos2, Rect, Stroke, Ui, Vec2};
use egui_snarl::ui::{NodeLayout, PinPlacement, SnarlStyle, SnarlWidget, WireLayer};
use egui_snarl::{NodeId, Snarl};
use std::collections::{HashMap, HashSet};
use thumbnails::Thumbnails;
use view::View;

pub use boxes::around;
pub use node::{seconds_text, state_text};

/// The least and the most that the canvas zooms.
const ZOOM: [f32; 2] = [0.1, 3.0];

/// Margin between a node's edge and what is in it, to the left and right.
const SIDE: i8 = 6;

/// What the canvas is to show next.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// Everything.
    Everything,
    /// These nodes.
    Nodes(Vec<String>),
    /// This node in the middle, at the present size.
    Node(String),
    /// This place in the middle, at the present size where there is room for it.
    Area(Rect),
    /// The present size, moved by this part of what is seen.
    Pan(Vec2),
    /// The present middle, this much larger.
    Zoom(f32),
    /// The present middle, at 100 %.
    Actual,
}

/// The canvas.
pub struct Canvas {
    snarl: Snarl<String>,
    ids: HashMap<String, NodeId>,
    revision: Option<u64>,
    /// Counts snarl's ids: it gets a new one where it is to forget what it knows by the old one.
    serial: u64,
    state: State,
}

/// What outlives a frame and is no part of the graph.
struct State {
    /// Snarl's id.
    id: Id,
    to_global: TSTransform,
    screen: Rect,
    viewport: Rect,
    look: Option<Look>,
    /// The nodes of which only the header is shown.
    collapsed: HashSet<String>,
    /// Nodes as they were drawn last, in canvas points.
    rects: HashMap<String, Rect>,
    /// The size of a node's lower part when it was last drawn in full: what is not drawn keeps its place.
    reserved: HashMap<String, Vec2>,
    /// The size of a node's header then.
    headers: HashMap<String, Vec2>,
    /// Where each node's sockets were when it was drawn with them last.
    seen: HashMap<String, outline::Seen>,
    /// What is seen of the node that is being drawn.
    seeing: outline::Seeing,
    /// The wire that is being dragged, and the sockets that it may end in, by node.
    wire: Option<Dangling>,
    /// The place of the socket that it hangs from among the node's, as snarl counts them.
    wire_from: Option<usize>,
    fits: HashMap<String, Vec<String>>,
    wire_now: Option<Dangling>,
    /// The socket under the pointer that does not take the wire.
    refusing: Option<(String, String)>,
    dropped: Option<Dangling>,
    /// Where a selection by a box began, in canvas points.
    box_from: Option<Pos2>,
    /// The frame or note that is selected.
    chosen: Option<BoxId>,
    /// The node that the keyboard has gone to, or screen readers: it is not selected by that.
    marked: Option<String>,
    /// The text on the canvas that is being rewritten, and what it will be.
    writing: Option<(BoxId, String)>,
    thumbnails: Thumbnails,
    /// Whether the theme is the dark one.
    dark: bool,
    /// How far a mouse wheel was turned in this frame, and where the pointer was.
    wheel: Option<(f32, Pos2)>,
    /// Until when it is turning: its smoothed rest is not taken for panning.
    wheel_until: f64,
}

impl Default for Canvas {
    fn default() -> Self {
        let state = State {
            id: Id::new(("studio canvas", 0_u64)),
            to_global: TSTransform::IDENTITY,
            screen: Rect::ZERO,
            viewport: Rect::ZERO,
            look: Some(Look::Everything),
            collapsed: HashSet::new(),
            rects: HashMap::new(),
            reserved: HashMap::new(),
            headers: HashMap::new(),
            seen: HashMap::new(),
            seeing: outline::Seeing::default(),
            wire: None,
            wire_from: None,
            fits: HashMap::new(),
            wire_now: None,
            refusing: None,
            dropped: None,
            box_from: None,
            chosen: None,
            marked: None,
            writing: None,
            thumbnails: Thumbnails::default(),
            dark: true,
            wheel: None,
            wheel_until: 0.0,
        };
        Self { snarl: Snarl::new(), ids: HashMap::new(), revision: None, serial: 0, state }
    }
}

/// The id that snarl gives a node's frame on the canvas of an id.
fn frame_id(canvas: Id, node: NodeId) -> Id {
    canvas.with(("snarl-node", node)).with("frame")
}

impl Canvas {
    /// Shows the graph, and pushes what is done to it.
    pub fn show(&mut self, ui: &mut Ui, shown: &mut Shown<'_>) {
        self.sync(shown.session, shown.sockets);
        let hangs_from = self.state.wire.as_ref().map(|wire| gestures::place_of(wire, shown.sockets));
        if hangs_from.is_some_and(|place| place != self.state.wire_from) {
            self.let_go(ui.ctx());
        }
        // Nodes may have been selected elsewhere, in the side panel say: what is deleted then is they alone. An undo may
        // have taken away what was selected.
        let is_there = |id: &BoxId| frames::find(shown.session, *id).is_some();
        if !shown.session.selection().is_empty() || !self.state.chosen.as_ref().is_none_or(is_there) {
            self.state.chosen = None;
        }
        self.follow_keyboard(ui.ctx(), shown.session);
        self.state.screen = ui.available_rect_before_wrap();
        self.state.dark = ui.visuals().dark_mode;
        self.state.wire_now = None;
        self.state.refusing = None;
        self.state.dropped = None;
        let modifiers = ui.input(|input| input.modifiers);
        ui.input_mut(|input| input.modifiers = Modifiers::NONE);
        let widget = SnarlWidget::new().id(self.state.id).style(style(ui));
        let selected: HashSet<String> = shown.session.selection().iter().cloned().collect();
        let mut view = View { shown, state: &mut self.state, modifiers, selected, afar: HashSet::new() };
        let background = widget.show(&mut self.snarl, &mut view, ui);
        ui.input_mut(|input| input.modifiers = modifiers);
        self.moved(shown);
        let layer = LayerId::new(ui.layer_id().order, self.state.id);
        boxes::interact(ui, layer, &mut self.state, shown);
        gestures::background(ui, &background, modifiers, &mut self.state, shown);
        gestures::say_why(ui, &self.state, shown);
        let held = self.state.wire.is_some();
        self.state.follow_wire(shown);
        if held && self.state.wire.is_none() && ui.input(|input| input.pointer.primary_down()) {
            self.let_go(ui.ctx());
        }
        crisp::text(ui.ctx(), layer, self.state.to_global.scaling);
        if self.state.look.is_some() {
            ui.ctx().request_repaint();
        }
    }

    /// Shows something else from the next frame on.
    pub fn look_at(&mut self, look: Look) {
        self.state.look = Some(look);
    }

    /// Shows the nodes where the session has them by now, though it was not edited.
    pub fn move_nodes(&mut self) {
        self.revision = None;
    }

    /// Shows everything once it was drawn anew, where nodes lie elsewhere than when they were drawn last.
    pub fn look_at_everything_anew(&mut self) {
        self.state.rects.clear();
        self.state.look = Some(Look::Everything);
    }

    /// Forgets the graph that was shown, for another one.
    pub fn reset(&mut self) {
        let serial = self.serial;
        *self = Self { serial, ..Self::default() };
        self.renew();
    }

    /// Lets go of the wire that is held: snarl would look for the socket that it hangs from where that is gone. The view
    /// and the keyboard stay where they are.
    fn let_go(&mut self, ctx: &egui::Context) {
        let focused = self.focused(ctx).cloned();
        self.renew();
        self.state.wire = None;
        self.state.fits.clear();
        self.state.look.get_or_insert(Look::Pan(Vec2::ZERO));
        if let Some(node) = focused {
            self.take_keyboard(&node, ctx);
        }
    }

    fn renew(&mut self) {
        self.serial += 1;
        self.state.id = Id::new(("studio canvas", self.serial));
    }

    /// Width and height of each node as drawn last, by name.
    #[must_use]
    pub fn sizes(&self) -> HashMap<String, [f32; 2]> {
        self.state.rects.iter().map(|(name, rect)| (name.clone(), [rect.width(), rect.height()])).collect()
    }

    /// What a node takes up of the canvas.
    #[must_use]
    pub fn rect(&self, node: &str) -> Option<Rect> {
        self.state.rects.get(node).copied()
    }

    /// The place on the canvas under a place of the window.
    #[must_use]
    pub fn at(&self, screen: Pos2) -> [f32; 2] {
        let at = self.state.to_global.inverse() * screen;
        [at.x.round(), at.y.round()]
    }

    /// The pointer's place in the window where it is over the canvas, else the canvas' middle.
    #[must_use]
    pub fn pointer(&self, ctx: &egui::Context) -> Pos2 {
        let over = ctx.input(|input| input.pointer.latest_pos()).filter(|at| self.state.screen.contains(*at));
        over.unwrap_or_else(|| self.state.screen.center())
    }

    /// The id of the layer that it is drawn on, moved and scaled.
    #[must_use]
    pub fn id(&self) -> Id {
        self.state.id
    }

    /// How much larger than at 100 % it is shown.
    #[must_use]
    pub fn zoom(&self) -> f32 {
        self.state.to_global.scaling
    }

    /// The frame or note that is selected.
    #[must_use]
    pub fn chosen(&self) -> Option<BoxId> {
        self.state.chosen
    }

    /// Selects a frame or note, or none.
    pub fn choose(&mut self, chosen: Option<BoxId>) {
        self.state.chosen = chosen;
    }

    /// The node that the keyboard has gone to without selecting it.
    #[must_use]
    pub fn marked(&self) -> Option<&str> {
        self.state.marked.as_deref()
    }

    /// Marks a node, or none.
    pub fn mark(&mut self, node: Option<String>) {
        self.state.marked = node;
    }

    /// Gives a node the keyboard, so that screen readers tell it.
    pub fn take_keyboard(&self, node: &str, ctx: &egui::Context) {
        if let Some(id) = self.ids.get(node) {
            ctx.memory_mut(|memory| memory.request_focus(frame_id(self.state.id, *id)));
        }
    }

    /// Whether a node has the keyboard.
    #[must_use]
    pub fn has_keyboard(&self, ctx: &egui::Context) -> bool {
        self.focused(ctx).is_some()
    }

    fn focused(&self, ctx: &egui::Context) -> Option<&String> {
        let focused = ctx.memory(|memory| memory.focused())?;
        self.ids.iter().find(|(_, id)| frame_id(self.state.id, **id) == focused).map(|(name, _)| name)
    }

    /// The mark is where the keyboard is; a node that is gone has none.
    fn follow_keyboard(&mut self, ctx: &egui::Context, session: &Session) {
        if let Some(focused) = self.focused(ctx).cloned() {
            self.state.marked = Some(focused);
        }
        self.state.marked = self.state.marked.take().filter(|name| session.document().nodes.contains_key(name));
    }

    /// Begins to rewrite a text on the canvas.
    pub fn write(&mut self, id: BoxId, text: String) {
        self.state.writing = Some((id, text));
    }
}

fn style(ui: &Ui) -> SnarlStyle {
    let colours = theme::of(ui);
    let frame = egui::Frame::new()
        .fill(colours.node)
        .corner_radius(6)
        .inner_margin(Margin { left: SIDE, right: SIDE, top: 4, bottom: 6 })
        .stroke(Stroke::new(1.0, colours.edge));
    SnarlStyle {
        node_layout: Some(NodeLayout::coil().with_min_pin_row_height(pins::ROW)),
        node_frame: Some(frame),
        header_frame: Some(egui::Frame::new().fill(egui::Color32::TRANSPARENT).inner_margin(Margin {
            left: 6,
            right: 6,
            top: 4,
            bottom: 4,
        })),
        header_drag_space: Some(Vec2::ZERO),
        collapsible: Some(false),
        pin_size: Some(pins::SOCKET),
        // Inside the frame. Snarl's own inside placement makes each row of outputs wider than the one above, so that
        // labels lie under sockets; here, the rows keep the room for their sockets themselves.
        pin_placement: Some(PinPlacement::Outside { margin: -(pins::SOCKET + SIDE as f32) }),
        wire_width: Some(2.0),
        wire_frame_size: Some(60.0),
        wire_layer: Some(WireLayer::BehindNodes),
        bg_frame: Some(egui::Frame::new().fill(colours.canvas)),
        bg_pattern_stroke: Some(Stroke::new(1.0, colours.grid)),
        min_scale: Some(ZOOM[0]),
        max_scale: Some(ZOOM[1]),
        // A double-click opens the palette.
        centering: Some(false),
        ..SnarlStyle::new()
    }
}
