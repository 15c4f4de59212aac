//! Pictures of the studio, for people to look at: `MGIE_PICTURES=folder cargo test -p mgie-host --test studio -- --ignored
//! pictures`. They need Vulkan (Mesa's software renderer will do).

use crate::desk::{Desk, Seen};
use eframe::egui::{Key, Modifiers, vec2};
use mgie_host::engine::{Budgets, Engine};
use mgie_host::plugins::{Catalogue, SearchPath};
use mgie_host::studio::{Setup, Studio};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn take(seen: &mut Seen, name: &str) {
    seen.rest();
    take_now(seen, name);
}

fn take_now(seen: &mut Seen, name: &str) {
    let folder = PathBuf::from(std::env::var_os("MGIE_PICTURES").unwrap());
    seen.harness.render().unwrap().save(folder.join(format!("{name}.png"))).unwrap();
}

#[test]
#[ignore = "makes pictures for people to look at"]
fn the_main_states_with_the_plugins_that_are_here() {
    let desk = Desk::new();
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/mgie.json");
    let catalogue = Arc::new(Catalogue::discover(&SearchPath::of_user(), None));
    let setup = Setup {
        engine: Arc::new(Engine::new(catalogue, Budgets::default())),
        graph: Some(graph),
        models: None,
        ..desk.setup(None)
    };
    let mut seen = Desk::show(Studio::new(setup), vec2(1280.0, 720.0), 1.0);
    take(&mut seen, "opened");
    seen.select("denoise");
    take(&mut seen, "selected");
    seen.key(Modifiers::NONE, Key::F10);
    take(&mut seen, "light");
    seen.key(Modifiers::NONE, Key::Tab);
    take(&mut seen, "palette");
    seen.key(Modifiers::NONE, Key::Escape);
    seen.key(Modifiers::NONE, Key::F10);
    seen.key(Modifiers::SHIFT, Key::Questionmark);
    take(&mut seen, "shortcuts");
    seen.key(Modifiers::NONE, Key::Escape);
    seen.key(Modifiers::NONE, Key::F9);
    seen.key(Modifiers::NONE, Key::F8);
    take(&mut seen, "panels");
}

#[test]
#[ignore = "makes pictures for people to look at"]
fn a_run_with_the_built_in_models() {
    let desk = Desk::new();
    let graphs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs").canonicalize().unwrap();
    let text = std::fs::read_to_string(graphs.join("small/edit.json")).unwrap();
    let mut graph: serde_json::Value = serde_json::from_str(&text).unwrap();
    graph["nodes"]["photo"]["params"]["path"] = graphs.join("photos/scene.png").display().to_string().into();
    graph["nodes"]["denoise"]["params"]["steps"] = 8.into();
    std::fs::write(desk.path("mgie.json"), graph.to_string()).unwrap();
    let catalogue = Arc::new(Catalogue::discover(&SearchPath::of_user(), None));
    let setup = Setup {
        engine: Arc::new(Engine::new(catalogue, Budgets::default())),
        models: Some(graphs.join("small")),
        ..desk.setup(Some(desk.path("mgie.json")))
    };
    let mut seen = Desk::show(Studio::new(setup), vec2(1440.0, 900.0), 1.0);
    seen.select("denoise");
    seen.harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    seen.until_busy("the denoiser is half way", |studio| studio.runner().preview("denoise").is_some());
    seen.harness.run_steps(3);
    take_now(&mut seen, "running");
    seen.until("the run is over", |studio| !studio.runner().is_running());
    take(&mut seen, "done");
}
