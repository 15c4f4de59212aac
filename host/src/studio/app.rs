//! The studio without its window: what is open, what is shown around it, and the order in which a frame goes: take in what
//! the run told, show everything, then do what was asked for. Tests drive it as it is; `window` puts it on the screen.

use super::action::{self, Action, Command};
use super::canvas::Canvas;
use super::looking::Looking;
use super::palette::Palette;
use super::panels::dialogs::Dialog;
use super::panels::side::Side;
use super::panels::status::{self, Status};
use super::panels::{log, shortcuts, toolbar};
use super::parameters::Picker;
use super::shown::Shown;
use super::sockets::{self, Sockets};
use super::sweeps::Sweeps;
use super::{menu, theme};
use crate::editing::{Recent, Recovery, Session};
use crate::engine::{Engine, resident_bytes};
use crate::models::{Models, Origin};
use crate::plugins::Catalogue;
use crate::running::Runner;
use crate::validate::{Problem, validate};
use eframe::egui;
use egui::{CentralPanel, Context, Frame, Panel, ScrollArea, Ui};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// What a studio is opened with.
pub struct Setup {
    /// Runs nodes; it has the plugins.
    pub engine: Arc<Engine>,
    /// The models folder that the user named.
    pub models: Option<PathBuf>,
    /// Threads that a run keeps busy; none for the machine's.
    pub threads: Option<usize>,
    /// The graph to open, or a picture that carries one.
    pub graph: Option<PathBuf>,
    /// Where recovery files and the list of recent graphs lie; none for nowhere.
    pub data: Option<PathBuf>,
}

/// The node editor.
pub struct Studio {
    pub(super) engine: Arc<Engine>,
    pub(super) named_models: Option<PathBuf>,
    pub(super) models: Models,
    pub(super) threads: Option<usize>,
    pub(super) session: Session,
    pub(super) runner: Runner,
    pub(super) canvas: Canvas,
    pub(super) looking: Looking,
    pub(super) sweeps: Sweeps,
    pub(super) picker: Picker,
    pub(super) palette: Option<Palette>,
    pub(super) dialog: Option<Dialog>,
    pub(super) recovery: Option<Recovery>,
    pub(super) recent: Recent,
    pub(super) switches: Switches,
    pub(super) said: (String, bool),
    pub(super) toasts: Vec<(String, f64)>,
    pub(super) actions: Vec<Action>,
    /// The nodes that were run to last, which a change runs again; none for all results.
    pub(super) run_again: Vec<String>,
    /// When a change is to be run, in the time of the window.
    pub(super) run_at: Option<f64>,
    pub(super) was_running: bool,
    pub(super) kept_at: f64,
    /// When the input files were looked at last, in the time of the window.
    pub(super) files_at: f64,
    pub(super) kept_revision: Option<u64>,
    pub(super) may_close: bool,
    /// Nodes of which the graph does not say where they lie are still to be laid out by their real sizes.
    pub(super) to_place: Option<ToPlace>,
    derived: Derived,
    window: Arc<OnceLock<Context>>,
    memory: (f64, Option<u64>),
    /// When it was: the log counts from there.
    opened: SystemTime,
    title: String,
}

/// What is shown, and what goes on by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    pub auto_run: bool,
    pub side: bool,
    pub viewer: bool,
    pub log: bool,
    pub shortcuts: bool,
    pub take_keyboard: bool,
}

/// How far the layout by real sizes has come.
#[derive(Debug, Default)]
pub(super) struct ToPlace {
    /// The sizes of the frame before: nodes that open or close take a while.
    pub sizes: HashMap<String, [f32; 2]>,
    /// Whether everything is to be in sight then.
    pub look: bool,
}

/// What follows from the graph, made anew where it has changed.
#[derive(Default)]
struct Derived {
    revision: Option<u64>,
    sockets: HashMap<String, Sockets>,
    problems: HashMap<String, Vec<Problem>>,
    errors: usize,
}

impl Studio {
    /// A studio with that graph; an empty one where there is none, or where it cannot be opened, which it tells.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let window: Arc<OnceLock<Context>> = Arc::default();
        let woken = Arc::clone(&window);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            if let Some(ctx) = woken.get() {
                ctx.request_repaint();
            }
        });
        let recovery = setup.data.as_ref().map(|data| Recovery::in_folder(data.join("recovery")));
        let recent = setup.data.as_ref().map_or_else(Recent::default, |data| Recent::in_file(data.join("recent.json")));
        let mut studio = Self {
            runner: Runner::new(Arc::clone(&setup.engine), Arc::clone(&wake)),
            looking: Looking::new(&setup.engine, Arc::clone(&wake)),
            sweeps: Sweeps::new(&setup.engine, wake),
            engine: setup.engine,
            models: Models::find(setup.models.as_deref(), None),
            named_models: setup.models,
            threads: setup.threads,
            session: Session::new(),
            canvas: Canvas::default(),
            picker: Picker::default(),
            palette: None,
            dialog: None,
            recovery,
            recent,
            switches: Switches {
                auto_run: false,
                side: true,
                viewer: false,
                log: false,
                shortcuts: false,
                take_keyboard: false,
            },
            said: (String::new(), false),
            toasts: Vec::new(),
            actions: Vec::new(),
            run_again: Vec::new(),
            run_at: None,
            was_running: false,
            kept_at: 0.0,
            files_at: 0.0,
            kept_revision: None,
            may_close: false,
            to_place: None,
            derived: Derived::default(),
            window,
            memory: (f64::NEG_INFINITY, None),
            opened: SystemTime::now(),
            title: String::new(),
        };
        studio.begin(setup.graph);
        studio
    }

    /// The open graph.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// How the run is going.
    #[must_use]
    pub fn runner(&self) -> &Runner {
        &self.runner
    }

    /// The sweep.
    #[must_use]
    pub fn sweeps(&self) -> &Sweeps {
        &self.sweeps
    }

    /// The canvas.
    #[must_use]
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// What the status line says, and whether something was refused.
    #[must_use]
    pub fn said(&self) -> (&str, bool) {
        (&self.said.0, self.said.1)
    }

    /// Does something, as if it were clicked.
    pub fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(self.engine.catalogue())
    }

    pub(super) fn sockets(&self) -> &HashMap<String, Sockets> {
        &self.derived.sockets
    }

    /// One frame.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if self.window.set(ctx.clone()).is_ok() {
            theme::apply(&ctx);
        }
        self.take_in(&ctx);
        self.keys(&ctx);
        self.dropped(&ctx);
        self.panels(ui);
        self.place(&ctx);
        self.over_everything(ui);
        let actions = std::mem::take(&mut self.actions);
        let acted = !actions.is_empty();
        for action in actions {
            self.apply(action, &ctx);
        }
        if acted {
            // What was done shows in the next frame.
            ctx.request_repaint();
        }
        self.by_itself(&ctx);
        self.name_window(&ctx);
    }

    /// What came in since the last frame: from the run, from the system's dialogs.
    fn take_in(&mut self, ctx: &Context) {
        self.runner.poll();
        self.sweeps.poll();
        self.follow_run(ctx);
        self.look_at_files(ctx);
        self.derive();
        self.picker.folder = self.session.folder().to_owned();
        self.picker.models = self.models.folder().map(ToOwned::to_owned);
        self.take_chosen_paths();
        let now = ctx.input(|input| input.time);
        if now - self.memory.0 >= 1.0 {
            self.memory = (now, resident_bytes());
        }
        for (_, until) in self.toasts.iter_mut().filter(|(_, until)| until.is_infinite()) {
            // Told before there was a clock: while the graph was opened.
            *until = now + 2.0 * super::apply::TOAST;
        }
        self.toasts.retain(|(_, until)| *until > now);
    }

    fn derive(&mut self) {
        if self.derived.revision == Some(self.session.revision()) {
            return;
        }
        let catalogue = self.catalogue();
        let document = self.session.document();
        let mut problems: HashMap<String, Vec<Problem>> = HashMap::new();
        let found = validate(document, &catalogue);
        let errors = found.iter().filter(|problem| problem.is_error()).count();
        for problem in found {
            problems.entry(problem.node.clone()).or_default().push(problem);
        }
        let sockets = sockets::of(document, &catalogue);
        self.derived = Derived { revision: Some(self.session.revision()), sockets, problems, errors };
    }

    fn keys(&mut self, ctx: &Context) {
        if self.dialog.is_some() || self.palette.is_some() {
            return;
        }
        let pressed = action::pressed(ctx, self.canvas.has_keyboard(ctx));
        if pressed.contains(&Command::AddNode) {
            // The key would move the keyboard's focus, too.
            ctx.memory_mut(|memory| memory.move_focus(egui::FocusDirection::None));
        }
        self.actions.extend(pressed.into_iter().map(Action::Do));
        if !ctx.text_edit_focused() {
            let pasted = ctx.input(|input| {
                input.events.iter().find_map(|event| match event {
                    egui::Event::Paste(text) => Some(text.clone()),
                    _ => None,
                })
            });
            if let Some(text) = pasted {
                let at = self.canvas.at(self.canvas.pointer(ctx));
                self.actions.push(Action::Edit(crate::editing::Edit::Paste { text, at }));
            }
        }
    }

    fn panels(&mut self, ui: &mut Ui) {
        let mut actions = std::mem::take(&mut self.actions);
        Panel::top("menu").show(ui, |ui| menu::bar(ui, &*self, &mut actions));
        Panel::top("tools").show(ui, |ui| toolbar::show(ui, &*self, &mut actions));
        Panel::bottom("status").show(ui, |ui| status::show(ui, &self.status()));
        if self.switches.log {
            let panel = Panel::bottom("log").resizable(true).default_size(110.0);
            panel.show(ui, |ui| log::show(ui, &self.runner, self.opened, &mut actions));
        }
        let catalogue = self.catalogue();
        let mut shown = Shown {
            session: &self.session,
            runner: &self.runner,
            catalogue: &catalogue,
            sockets: &self.derived.sockets,
            problems: &self.derived.problems,
            picker: &mut self.picker,
            actions: &mut actions,
        };
        let room = ui.available_width();
        if self.switches.side {
            let chosen = self.canvas.chosen();
            let take_keyboard = std::mem::take(&mut self.switches.take_keyboard);
            let panel = Panel::right("side").resizable(true).default_size(320.0).size_range(220.0..=room * 0.6);
            panel.show(ui, |ui| {
                let side = Side { shown: &mut shown, chosen, take_keyboard };
                ScrollArea::vertical().auto_shrink(false).show(ui, |ui| side.show(ui, &mut self.looking));
            });
        }
        if self.switches.viewer || self.looking.has_pins() {
            let most = ui.available_height() * 0.75;
            let bottom =
                Panel::bottom("looking").resizable(true).default_size(250.0).size_range(120.0..=most.max(120.0));
            bottom.show(ui, |ui| self.looking.show(ui, shown.runner, self.switches.viewer, shown.actions));
        }
        CentralPanel::default().frame(Frame::NONE).show(ui, |ui| self.canvas.show(ui, &mut shown));
        // Nothing else pushes while the panels are shown.
        self.actions = actions;
    }

    /// What has no position was laid out before anybody knew how large the nodes are: once they are drawn and keep their
    /// sizes, it is again.
    fn place(&mut self, ctx: &Context) {
        // What is drawn in a pass that egui gives up has no sizes to go by.
        let Some(to_place) = self.to_place.as_mut().filter(|_| !ctx.will_discard()) else { return };
        if self.session.is_laid_out() {
            self.to_place = None;
            return;
        }
        let sizes = self.canvas.sizes();
        let keep = sizes == to_place.sizes && self.session.document().nodes.keys().all(|name| sizes.contains_key(name));
        if keep {
            self.session.place(&sizes);
            self.canvas.move_nodes();
            if to_place.look {
                self.canvas.look_at_everything_anew();
            }
            self.to_place = None;
        } else {
            to_place.sizes = sizes;
        }
        ctx.request_repaint();
    }

    fn status(&self) -> Status {
        let models = match &self.models {
            Models::At { origin: Origin::BuiltIn, .. } => "small built-in model".to_owned(),
            Models::At { folder, .. } => {
                folder.file_name().map_or_else(String::new, |name| format!("models: {}", name.to_string_lossy()))
            }
            Models::Missing { .. } => "no models folder".to_owned(),
        };
        Status {
            said: self.said.clone(),
            run: self.run_text(),
            nodes: self.session.document().nodes.len(),
            problems: self.derived.errors,
            memory: self.memory.1,
            cache: self.engine.cached_bytes(),
            zoom: self.canvas.zoom(),
            models,
        }
    }

    /// The palette, the dialogs, the sheet of shortcuts and the toasts.
    fn over_everything(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        if let Some(palette) = &mut self.palette {
            let catalogue = Arc::clone(self.engine.catalogue());
            if !palette.show(ui, &catalogue, &self.derived.sockets, &mut self.actions) {
                self.palette = None;
            }
        }
        let name = self.session.name();
        if let Some(answer) = self.dialog.as_mut().and_then(|dialog| dialog.show(&ctx, &name, &mut self.picker)) {
            self.dialog = None;
            self.picker.forget_fields();
            self.answer(answer, &ctx);
        }
        let options = self.options();
        self.sweeps.show(&ctx, &self.session, &options, &mut self.actions);
        shortcuts::show(&ctx, &mut self.switches.shortcuts);
        if let Some((text, until)) = self.toasts.last() {
            let colours = theme::of(ui);
            let anchor = egui::Area::new(egui::Id::new("toast")).order(egui::Order::Foreground);
            anchor.anchor(egui::Align2::CENTER_BOTTOM, [0.0, -48.0]).interactable(false).show(&ctx, |ui| {
                Frame::popup(ui.style()).stroke(egui::Stroke::new(1.0, colours.failed)).show(ui, |ui| {
                    ui.set_max_width(520.0);
                    let toast = ui.label(text);
                    super::parameters::retext(&toast, &format!("toast: {text}"));
                });
            });
            let left = until - ctx.input(|input| input.time);
            ctx.request_repaint_after_secs(left.max(0.0) as f32);
        }
    }

    fn name_window(&mut self, ctx: &Context) {
        let sign = if self.session.is_saved() { "" } else { "• " };
        let title = format!("{sign}{} – mgie studio", self.session.name());
        if title != self.title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }
}
