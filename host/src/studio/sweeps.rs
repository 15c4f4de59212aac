//! Parameters side by side: one or two parameters in several values each, run one after the other in the background, on a
//! labelled sheet that fills as they go. What does not hang on the swept parameters runs once, and a cell that is opened
//! runs nothing that is still kept.

use super::action::{Action, Output};
use super::look::Viewer;
use super::parameters;
use super::theme;
use crate::document::Document;
use crate::editing::{Edit, Session};
use crate::engine::{CancelToken, Carried, Engine, RunError, RunOptions, Silent};
use crate::overwriting;
use crate::plugins::Catalogue;
use crate::sweeping::{Axis, CELL_WIDTH, Cell, Sheet, Sweep, SweepEvent};
use eframe::egui;
use egui::{ComboBox, Context, Response, RichText, ScrollArea, TextEdit, Ui, Window};
use mgie_plugin_api::Value;
use serde_json::json;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// The node type that writes a picture to a file.
const SAVE: &str = "image.save";

/// Where the window opens: menu and tool bar stay in sight.
const BELOW_TOOLS: egui::Vec2 = egui::vec2(20.0, 76.0);

/// One parameter and its values, as typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    node: String,
    parameter: String,
    values: String,
}

/// What the sweep's thread tells.
enum News {
    /// A cell is over; why it gave no picture, where it gave none.
    Cell(Cell, Option<String>),
    /// The sheet as it is by now.
    Sheet(Value),
    /// It is over; why, where that is not because all is done.
    Ended(Option<String>),
    /// The sheet was saved, or why not.
    Saved(Result<String, String>),
}

/// The sweep's window.
pub struct Sweeps {
    /// Whether it is shown.
    pub open: bool,
    engine: Arc<Engine>,
    wake: Arc<dyn Fn() + Send + Sync>,
    typed: [Typed; 2],
    sweep: Option<Sweep>,
    /// The folder that the swept graph's relative paths are relative to.
    folder: PathBuf,
    cells: Vec<(Cell, Option<String>)>,
    sheet: Option<Value>,
    path: String,
    said: (String, bool),
    cancel: Option<CancelToken>,
    sender: Sender<News>,
    news: Receiver<News>,
    viewer: Viewer,
}

impl Sweeps {
    /// Nothing is swept yet; `wake` is called when there is something new to be shown.
    #[must_use]
    pub fn new(engine: &Arc<Engine>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let (sender, news) = channel();
        Self {
            open: false,
            engine: Arc::clone(engine),
            wake,
            typed: Default::default(),
            sweep: None,
            folder: PathBuf::new(),
            cells: Vec::new(),
            sheet: None,
            path: "sheet.png".to_owned(),
            said: (String::new(), false),
            cancel: None,
            sender,
            news,
            viewer: Viewer::default(),
        }
    }

    /// Shows the window with that parameter across, or down where another one is across already.
    pub fn begin(&mut self, node: &str, parameter: &str) {
        let taken = |typed: &Typed| !typed.node.is_empty() && (typed.node != node || typed.parameter != parameter);
        let second = taken(&self.typed[0]) && !self.typed[0].values.trim().is_empty();
        let typed = &mut self.typed[usize::from(second)];
        if typed.node != node || typed.parameter != parameter {
            *typed = Typed { node: node.to_owned(), parameter: parameter.to_owned(), values: String::new() };
        }
        self.open = true;
    }

    /// The sheet as it is by now.
    #[must_use]
    pub fn sheet(&self) -> Option<&Value> {
        self.sheet.as_ref()
    }

    /// What it says of itself: how it ended, what was saved, why something was not done.
    #[must_use]
    pub fn said(&self) -> &str {
        &self.said.0
    }

    /// Whether cells are still to come.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.cancel.is_some()
    }

    /// Follows a node to another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        self.typed.iter_mut().filter(|typed| typed.node == from).for_each(|typed| to.clone_into(&mut typed.node));
    }

    /// Stops it, and forgets it: another graph was opened.
    pub fn reset(&mut self) {
        self.stop();
        let (sender, news) = channel();
        (self.sender, self.news, self.cancel, self.sweep, self.sheet) = (sender, news, None, None, None);
        self.cells.clear();
        self.typed = Default::default();
        self.said = (String::new(), false);
        self.open = false;
    }

    fn stop(&self) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
    }

    /// Takes in what the thread told.
    pub fn poll(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Cell(cell, failed) => self.cells.push((cell, failed)),
                News::Sheet(sheet) => self.sheet = Some(sheet),
                News::Ended(why) => {
                    self.cancel = None;
                    self.said = why.map_or_else(|| ("Done".to_owned(), false), |why| (why, true));
                }
                News::Saved(Ok(path)) => self.said = (format!("Saved {path}"), false),
                News::Saved(Err(why)) => self.said = (why, true),
            }
        }
    }

    /// Shows the window.
    pub fn show(&mut self, ctx: &Context, session: &Session, options: &RunOptions, actions: &mut Vec<Action>) {
        if !self.open {
            return;
        }
        let (document, room) = (session.document(), ctx.content_rect());
        let mut open = true;
        let window = Window::new("Sweep").open(&mut open).collapsible(false).resizable(true);
        let window = window.default_pos(room.min + BELOW_TOOLS);
        let size = [760.0_f32.min(room.width() - 60.0), 540.0_f32.min(room.height() - 120.0)];
        window.default_size(size).show(ctx, |ui| {
            ui.label(RichText::new("Values: 5, 7.5, 10 or 1..9:2").color(theme::of(ui).dim));
            let catalogue = Arc::clone(self.engine.catalogue());
            axis(ui, "Across", &mut self.typed[0], document, &catalogue);
            axis(ui, "Down", &mut self.typed[1], document, &catalogue);
            self.buttons(ui, document, options);
            self.cells(ui, actions);
            self.picture(ui, session, options);
        });
        self.open = open;
    }

    fn buttons(&mut self, ui: &mut Ui, document: &Document, options: &RunOptions) {
        ui.horizontal(|ui| {
            let running = self.is_running();
            if ui.add_enabled(!running, egui::Button::new("Run sweep")).clicked() {
                self.start(document, options);
            }
            if ui.add_enabled(running, egui::Button::new("Stop sweep")).clicked() {
                self.stop();
            }
            if let Some(sweep) = &self.sweep {
                let count = sweep.cells().len();
                ui.label(format!("{} of {count} cells", self.cells.len()));
            }
            let (text, refused) = &self.said;
            let colours = theme::of(ui);
            let colour = if *refused { colours.failed } else { colours.dim };
            ui.add(egui::Label::new(RichText::new(text).color(colour)).truncate()).on_hover_text(text);
        });
    }

    fn start(&mut self, document: &Document, options: &RunOptions) {
        let catalogue = Arc::clone(self.engine.catalogue());
        let typed = self.typed.iter().filter(|typed| !typed.values.trim().is_empty());
        let axes: Result<Vec<Axis>, _> = typed
            .map(|typed| Axis::of_text(&typed.node, &typed.parameter, &typed.values, document, &catalogue))
            .collect();
        let sweep = axes.and_then(|axes| Sweep::new(document.clone(), axes, None, &catalogue));
        let sweep = match sweep {
            Ok(sweep) => sweep,
            Err(error) => {
                self.said = (error.to_string(), true);
                return;
            }
        };
        self.cells.clear();
        self.sheet = None;
        self.said = (String::new(), false);
        self.folder.clone_from(&options.folder);
        let cancel = CancelToken::new();
        let mut options = options.clone();
        options.cancel = cancel.clone();
        let work =
            Work { sweep: sweep.clone(), engine: Arc::clone(&self.engine), options, sender: self.sender.clone() };
        let wake = Arc::clone(&self.wake);
        let sender = self.sender.clone();
        let started = std::thread::Builder::new().name("sweep".into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| work.run(wake.as_ref()))).is_err() {
                let why = "the host panicked; report it to the makers of mgie".to_owned();
                drop(sender.send(News::Ended(Some(why))));
            }
            wake();
        });
        match started {
            Ok(_) => (self.sweep, self.cancel) = (Some(sweep), Some(cancel)),
            Err(error) => self.said = (format!("no thread for the sweep ({error})"), true),
        }
    }

    /// The cells that are over: each opens as the graph.
    fn cells(&mut self, ui: &mut Ui, actions: &mut Vec<Action>) {
        let Some(sweep) = &self.sweep else { return };
        let colours = theme::of(ui);
        ui.scope(|ui| {
            // A bar that floats would lie over the cells and take their clicks.
            ui.spacing_mut().scroll.floating = false;
            ScrollArea::horizontal().id_salt("cells").show(ui, |ui| {
                ui.horizontal(|ui| {
                    for (cell, failed) in &self.cells {
                        let name = cell.labels.join(", ");
                        let colour = if failed.is_some() { colours.failed } else { colours.text };
                        let button = ui.button(RichText::new(&name).small().color(colour));
                        parameters::rename(&button, &format!("Open cell {name}"));
                        let hint =
                            failed.as_deref().unwrap_or("Set these values in the graph, and show what they gave");
                        if button.on_hover_text(hint).clicked() {
                            let (node, output) = sweep.output();
                            actions.extend(opened(sweep, cell));
                            actions.push(Action::RunTo(vec![node.to_owned()]));
                            actions.push(Action::View(Output { node: node.to_owned(), output: output.to_owned() }));
                        }
                    }
                });
            });
        });
    }

    fn picture(&mut self, ui: &mut Ui, session: &Session, options: &RunOptions) {
        let Some(sheet) = self.sheet.clone() else { return };
        ui.horizontal(|ui| {
            let field = ui.add(TextEdit::singleline(&mut self.path).desired_width(280.0));
            parameters::rename(&field, "Path of the sheet");
            if ui.button("Save sheet").clicked() {
                self.save(session, options);
            }
        });
        self.viewer.show(ui, Some(&sheet), None);
    }

    /// Writes the sheet, on a thread: a disk may be slow.
    fn save(&mut self, session: &Session, options: &RunOptions) {
        let Some((sweep, sheet)) = self.sweep.as_ref().zip(self.sheet.clone()) else { return };
        let (engine, sender, wake) = (Arc::clone(&self.engine), self.sender.clone(), Arc::clone(&self.wake));
        let path = options.folder.join(self.path.trim());
        let mut options = options.clone();
        options.cancel = CancelToken::new();
        // It carries the graph that was swept, whatever has become of it since.
        let (document, folder) = (sweep.document().clone(), self.folder.clone());
        options.carried = Some(Arc::new(Carried { document, folder: folder.clone(), destination: None }));
        let (sweep, now) = (sweep.clone(), session.document().clone());
        let opened = [session.opened(), session.file()].map(|file| file.map(Path::to_owned));
        let work = move || {
            let mut taken = overwriting::read(&now, engine.catalogue(), &options.folder);
            for cell in sweep.cells() {
                taken.extend(overwriting::read(&sweep.document_of(&cell), engine.catalogue(), &folder));
            }
            opened.iter().flatten().for_each(|file| taken.graph(file));
            let saved = match taken.refusal(&path) {
                Some(refusal) => Err(refusal),
                None => {
                    let path = path.display().to_string();
                    let params = json!({ "path": path }).as_object().cloned().unwrap_or_default();
                    let called = engine.call(SAVE, &params, vec![("image".to_owned(), sheet)], &options, &Silent);
                    called.map(|_| path).map_err(|error| error.to_string())
                }
            };
            drop(sender.send(News::Saved(saved)));
            wake();
        };
        if let Err(error) = std::thread::Builder::new().name("save sheet".into()).spawn(work) {
            self.said = (format!("no thread to save with ({error})"), true);
        }
    }
}

impl Drop for Sweeps {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The edits that make the graph that of a cell, as one step.
fn opened(sweep: &Sweep, cell: &Cell) -> [Action; 2] {
    let settings = sweep.settings(cell).into_iter();
    let edits = settings.map(|set| Edit::SetParameter { node: set.node, parameter: set.parameter, value: set.value });
    let edit = Edit::Several { label: "open a cell of the sweep".to_owned(), edits: edits.collect() };
    [Action::Edit(edit), Action::Settle]
}

/// A sweep on its thread.
struct Work {
    sweep: Sweep,
    engine: Arc<Engine>,
    options: RunOptions,
    sender: Sender<News>,
}

impl Work {
    fn run(&self, wake: &(dyn Fn() + Send + Sync)) {
        // Nobody listens where another graph was opened.
        let tell = |news: News| drop(self.sender.send(news));
        let sheet = RefCell::new(Sheet::new(&self.sweep, CELL_WIDTH));
        let undrawn: RefCell<Option<String>> = RefCell::default();
        let show =
            |sheet: &Sheet| sheet.inscribed(&self.sweep).into_iter().for_each(|picture| tell(News::Sheet(picture)));
        // A cell that is done goes onto the sheet, though the sweep be stopped.
        let drawing = RunOptions { cancel: CancelToken::new(), ..self.options.clone() };
        let ran = self.sweep.run(&self.engine, &self.options, &|event| {
            let SweepEvent::Ended { cell, picture } = event else { return };
            if matches!(picture, Err(RunError::Cancelled { .. })) {
                return;
            }
            let mut sheet = sheet.borrow_mut();
            if let Err(error) = sheet.fill(cell, picture, &self.engine, &drawing) {
                undrawn.borrow_mut().get_or_insert(error.to_string());
                self.options.cancel.cancel();
            }
            show(&sheet);
            tell(News::Cell(cell.clone(), picture.err().map(ToString::to_string)));
            wake();
        });
        if let Some(report) = ran.as_ref().ok().filter(|report| report.cancelled) {
            let mut sheet = sheet.borrow_mut();
            sheet.mark_not_run(&report.not_run(&self.sweep), &self.engine, &drawing);
            show(&sheet);
        }
        let why = match (undrawn.into_inner(), ran) {
            (Some(why), _) => Some(format!("the sheet cannot be drawn: {why}")),
            (None, Err(error)) => Some(error.to_string()),
            (None, Ok(report)) if report.cancelled => Some("Stopped".to_owned()),
            (None, Ok(report)) => match report.failures().count() {
                0 => None,
                failed => Some(format!("{failed} cells failed")),
            },
        };
        tell(News::Ended(why));
    }
}

/// The fields of one parameter.
fn axis(ui: &mut Ui, title: &str, typed: &mut Typed, document: &Document, catalogue: &Catalogue) {
    ui.horizontal(|ui| {
        let label = ui.label(title);
        ui.add_space((60.0 - label.rect.width()).max(0.0));
        let nodes = choice(ui, (title, "node"), typed.node.clone(), |ui| {
            for name in document.nodes.keys() {
                if ui.selectable_label(typed.node == *name, name).clicked() && typed.node != *name {
                    (typed.node, typed.parameter) = (name.clone(), String::new());
                }
            }
        });
        parameters::rename(&nodes, &format!("{title}: node"));
        let parameters_of = document.nodes.get(&typed.node).and_then(|node| catalogue.node_type(&node.node_type));
        let chosen = choice(ui, (title, "parameter"), typed.parameter.clone(), |ui| {
            for parameter in parameters_of.iter().flat_map(|known| &known.description.parameters) {
                if ui.selectable_label(typed.parameter == parameter.id, &parameter.label).clicked() {
                    typed.parameter.clone_from(&parameter.id);
                }
            }
        });
        parameters::rename(&chosen, &format!("{title}: parameter"));
        let field = ui.add(TextEdit::singleline(&mut typed.values).desired_width(ui.available_width() - 8.0));
        parameters::rename(&field, &format!("{title}: values"));
    });
}

/// A list to choose from, which a long name makes no wider.
fn choice(ui: &mut Ui, id: (&str, &str), chosen: String, list: impl FnOnce(&mut Ui)) -> Response {
    const WIDTH: f32 = 150.0;
    ui.scope(|ui| {
        ui.set_max_width(WIDTH);
        let selected = ComboBox::from_id_salt(id).width(WIDTH).truncate().selected_text(chosen);
        selected.show_ui(ui, list).response
    })
    .inner
}
