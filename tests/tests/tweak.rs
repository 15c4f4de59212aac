//! The engine with the real plugins in one process that keeps its cache, as the studio and a server do: a tweak runs
//! its node and what hangs on it, and nothing before it; taking it back runs nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mgie_host::document::Document;
use mgie_host::engine::{Budgets, Engine, Outcome, RunOptions, RunReport, Silent, Targets};
use mgie_host::models::Models;
use mgie_host::plugins::{Catalogue, SearchPath};
use mgie_tests::{build_folder, miniature, repository};
use std::sync::Arc;

struct Session {
    engine: Engine,
    document: Document,
    options: RunOptions,
    targets: Targets,
}

impl Session {
    fn new(folder: &std::path::Path) -> Self {
        let catalogue = Catalogue::discover(&SearchPath::default().then(build_folder()), None);
        let mut document = Document::open(&repository().join("graphs/mgie.json")).unwrap().document;
        let result = folder.join("edited.png").display().to_string();
        document.nodes.get_mut("result").unwrap().params.insert("path".into(), result.into());
        let graphs = repository().join("graphs");
        let models = Models::find(Some(&miniature()), None);
        let mut session = Self {
            engine: Engine::new(Arc::new(catalogue), Budgets::default()),
            document,
            options: RunOptions::new(graphs, models),
            targets: Targets::side_effects().and_output("mllm", "text"),
        };
        session.set("denoise", "steps", 2.into());
        session
    }

    fn set(&mut self, node: &str, parameter: &str, value: serde_json::Value) {
        self.document.nodes.get_mut(node).unwrap().params.insert(parameter.into(), value);
    }

    /// Runs, and names the nodes that ran, in the graph's order.
    fn run(&self) -> Vec<String> {
        let results = self.engine.run(&self.document, &self.targets, &self.options, &Silent).unwrap();
        ran(&results.report)
    }
}

fn ran(report: &RunReport) -> Vec<String> {
    report.nodes.iter().filter(|node| node.outcome == Outcome::Ran).map(|node| node.node.clone()).collect()
}

#[test]
fn a_tweak_of_image_guidance_runs_denoise_decode_and_save_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(folder.path());
    assert_eq!(session.run().len(), session.document.nodes.len());
    session.set("denoise", "image_guidance", 1.2.into());
    assert_eq!(session.run(), ["denoise", "vae_decode", "result"]);
    // Taken back, everything is known; saving is a side effect and happens each time.
    session.set("denoise", "image_guidance", 1.5.into());
    assert_eq!(session.run(), ["result"]);
}

#[test]
fn another_instruction_leaves_the_picture_and_the_unet_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new(folder.path());
    session.run();
    session.set("instruction", "text", "add a rainbow".into());
    assert_eq!(session.run(), ["instruction", "mllm", "edit_head", "denoise", "vae_decode", "result"]);
}
