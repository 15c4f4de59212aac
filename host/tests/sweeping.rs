//! Sweeps on a real engine: what runs how often, which picture is shown, what one failing cell does to the others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fakes;

use fakes::{Bench, graph, pictures};
use mgie_host::document::{Document, Off};
use mgie_host::engine::{Budgets, Event, Outcome, RunError};
use mgie_host::sweeping::{Axis, MAX_CELLS, Sheet, Sweep, SweepError, SweepEvent, SweepReport, output_shown};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::sync::Arc;

fn bench() -> Bench {
    Bench::with(Budgets { cache_bytes: 1 << 20, weights_bytes: None }, |diary| vec![pictures::plugin(diary)])
}

/// photo → early → late → result.
fn chain() -> Document {
    graph(json!({
        "photo": { "type": "pic.make", "params": { "value": 1 } },
        "early": { "type": "pic.plus", "inputs": { "image": "photo.image" } },
        "late": { "type": "pic.plus", "inputs": { "image": "early.image" } },
        "result": { "type": "image.save", "params": { "path": "out.png" }, "inputs": { "image": "late.image" } },
    }))
}

fn axis(bench: &Bench, node: &str, parameter: &str, text: &str) -> Result<Axis, SweepError> {
    Axis::of_text(node, parameter, text, &chain(), bench.engine.catalogue())
}

fn sweep(bench: &Bench, axes: &[(&str, &str, &str)]) -> Sweep {
    let axes = axes.iter().map(|(node, parameter, text)| axis(bench, node, parameter, text).unwrap()).collect();
    Sweep::new(chain(), axes, None, bench.engine.catalogue()).unwrap()
}

/// Runs the sweep; of each cell, in order: column, row, and the picture's pixel or the error.
fn run(bench: &Bench, sweep: &Sweep) -> (Vec<(usize, usize, String)>, SweepReport) {
    let ended = RefCell::new(Vec::new());
    let report = sweep.run(&bench.engine, &bench.options, &|event| {
        if let SweepEvent::Ended { cell, picture } = event {
            let told = match picture {
                Ok(value) => value.as_image().unwrap().pixels()[0].to_string(),
                Err(error) => error.to_string(),
            };
            ended.borrow_mut().push((cell.column, cell.row, told));
        }
    });
    (ended.into_inner(), report.unwrap())
}

#[test]
fn every_combination_runs_and_what_they_share_runs_once() {
    let bench = bench();
    let sweep = sweep(&bench, &[("late", "value", "10,20,30"), ("early", "value", "1,2")]);
    let (cells, report) = run(&bench, &sweep);
    let told: Vec<_> = cells.iter().map(|(column, row, told)| (*column, *row, told.as_str())).collect();
    assert_eq!(told, [(0, 0, "12"), (1, 0, "22"), (2, 0, "32"), (0, 1, "13"), (1, 1, "23"), (2, 1, "33")]);
    // One photo, one early stage a row, one late stage a cell; nothing is saved.
    assert_eq!(
        bench.diary.take_in_order(),
        ["make", "add 1", "add 10", "add 20", "add 30", "add 2", "add 10", "add 20", "add 30"]
    );
    assert!(!report.cancelled);
    let second = report.cells[1].ended.as_ref().unwrap();
    assert_eq!((second.with(Outcome::Ran), second.with(Outcome::Cached)), (vec!["late"], vec!["early"]));
    assert_eq!(report.cells[5].cell.labels, ["late value 30", "early value 2"]);
    assert_eq!(sweep.document_of(&report.cells[5].cell).nodes["late"].params["value"], json!(30.0));
    assert!(sweep.document().nodes["late"].params.is_empty(), "the graph itself is left alone");
    // The same sweep again runs nothing.
    run(&bench, &sweep);
    assert_eq!(bench.diary.take(), Vec::<String>::new());
}

#[test]
fn the_parameter_that_more_hangs_on_changes_least_often() {
    let bench = bench();
    let order = |axes: &[(&str, &str, &str)]| {
        let cells = sweep(&bench, axes).cells();
        cells.iter().map(|cell| (cell.column, cell.row)).collect::<Vec<_>>()
    };
    let (early, late) = (("early", "value", "1,2"), ("late", "value", "10,20,30"));
    assert_eq!(order(&[early, late]), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(order(&[late, early]), [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]);
}

#[test]
fn other_weights_are_loaded_as_seldom_as_can_be() {
    let bench = bench();
    let order = |axes: &[(&str, &str, &str)]| {
        let cells = sweep(&bench, axes).cells();
        cells.iter().map(|cell| (cell.column, cell.row)).collect::<Vec<_>>()
    };
    let by_column = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let by_row = [(0, 0), (1, 0), (0, 1), (1, 1)];
    assert_eq!(order(&[("late", "model", "a,b"), ("late", "value", "1,2")]), by_column);
    assert_eq!(order(&[("late", "value", "1,2"), ("late", "model", "a,b")]), by_row);
    assert_eq!(order(&[("late", "value", "1,2"), ("late", "word", "a,b")]), by_row);
    assert_eq!(order(&[("late", "model", "a,b"), ("early", "value", "1,2")]), by_row, "early comes before late");
}

#[test]
fn a_cell_that_fails_says_why_and_the_others_go_on() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1,13,2")]);
    let (cells, report) = run(&bench, &sweep);
    assert_eq!(cells[1].2, "node `photo` (pic.make): unlucky");
    assert_eq!((cells[0].2.as_str(), cells[2].2.as_str()), ("1", "2"));
    let failed: Vec<_> = report.failures().map(|(cell, _)| cell.column).collect();
    assert_eq!((failed, report.cells.len(), report.cancelled), (vec![1], 3, false));
}

#[test]
fn cancelling_ends_the_sweep_within_its_cell() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1,2,3")]);
    let cells = RefCell::new(0);
    let report = sweep.run(&bench.engine, &bench.options, &|event| match event {
        SweepEvent::Began(_) => *cells.borrow_mut() += 1,
        SweepEvent::Node { cell, node: "photo", event: Event::Finished(_) } if cell.column == 1 => {
            bench.options.cancel.cancel();
        }
        _ => {}
    });
    let report = report.unwrap();
    assert_eq!((cells.into_inner(), report.cells.len(), report.cancelled), (2, 2, true));
    assert!(matches!(report.cells[1].ended, Err(RunError::Cancelled { .. })));
    let none = sweep.run(&bench.engine, &bench.options, &|_| panic!("nothing is left to do")).unwrap();
    assert_eq!((none.cells.len(), none.cancelled), (0, true));
}

#[test]
fn a_graph_that_cannot_run_at_all_is_told_before_anything_does() {
    let bench = bench();
    let mut document = chain();
    document.nodes["early"].inputs.clear();
    let axes = vec![axis(&bench, "late", "value", "1,2").unwrap()];
    let sweep = Sweep::new(document, axes, None, bench.engine.catalogue()).unwrap();
    let error = sweep.run(&bench.engine, &bench.options, &|_| panic!("nothing runs")).unwrap_err();
    assert!(matches!(&error, RunError::Invalid(_)) && error.to_string().contains("node `early`"), "{error}");
}

#[test]
fn nodes_with_a_side_effect_run_where_they_are_asked_for() {
    let bench = bench();
    let sweep = sweep(&bench, &[("late", "value", "1,2")]).and_nodes(["result".to_owned()]);
    run(&bench, &sweep);
    assert_eq!(bench.diary.take().iter().filter(|ran| *ran == "save").count(), 2);
}

#[test]
fn what_is_no_sweep_is_refused_with_the_place_and_the_remedy() {
    let bench = bench();
    let told = |node: &str, parameter: &str, text: &str| axis(&bench, node, parameter, text).unwrap_err().to_string();
    assert_eq!(told("lat", "value", "1"), "node `lat`, name: expected a node of this graph; did you mean `late`?");
    let unknown = told("late", "valeu", "1,2");
    assert!(unknown.contains("parameter `valeu`") && unknown.contains("did you mean `value`?"), "{unknown}");
    assert_eq!(unknown.lines().count(), 1, "{unknown}");
    let wrong = told("late", "value", "1,2000,many");
    assert!(wrong.contains("from -1000 to 1000, found the number 2000"), "{wrong}");
    assert!(wrong.contains("expected a number, found the text \"many\""), "{wrong}");
    let no_step = told("late", "value", "1..3,1..3");
    assert!(no_step.ends_with("; a range of such numbers needs a step: 1..3:0.5"), "{no_step}");
    assert_eq!(no_step.lines().count(), 1, "{no_step}");
    assert!(told("late", "value", "[]").contains("there is no value"), "an empty list");

    let catalogue = bench.engine.catalogue();
    let axes = |texts: &[(&str, &str)]| -> Vec<Axis> {
        texts.iter().map(|(node, text)| axis(&bench, node, "value", text).unwrap()).collect()
    };
    let refused = |axes: Vec<Axis>, output: Option<(&str, &str)>| {
        let output = output.map(|(node, output)| (node.to_owned(), output.to_owned()));
        Sweep::new(chain(), axes, output, catalogue).unwrap_err()
    };
    assert_eq!(refused(Vec::new(), None), SweepError::Axes(0));
    assert_eq!(refused(axes(&[("photo", "1"), ("early", "1"), ("late", "1")]), None), SweepError::Axes(3));
    let twice = refused(axes(&[("late", "1"), ("late", "2")]), None).to_string();
    assert_eq!(twice, "node `late`, parameter `value`: it is swept twice; put all its values into one list");
    let many = refused(axes(&[("late", "1..30:1"), ("early", "1..30:1")]), None);
    assert_eq!(many, SweepError::Cells(900));
    assert!(many.to_string().contains(&MAX_CELLS.to_string()));
    let output = |node, output| refused(axes(&[("late", "1")]), Some((node, output))).to_string();
    assert!(output("late", "imgae").contains("did you mean `image`?"));
    assert!(output("nobody", "image").contains("node `nobody`, name: expected a node of this graph"));
}

#[test]
fn the_picture_shown_is_the_one_that_is_saved_or_the_only_free_one() {
    let bench = bench();
    let shown = |document: &Document| output_shown(document, bench.engine.catalogue());
    let late = ("late".to_owned(), "image".to_owned());
    let mut document = chain();
    assert_eq!(shown(&document), Ok(late.clone()));
    let saved = document.nodes.shift_remove("result").unwrap();
    assert_eq!(shown(&document), Ok(late.clone()));
    document.nodes.insert("other".into(), saved.clone());
    document.nodes.insert("more".into(), saved);
    assert_eq!(shown(&document), Ok(late.clone()), "saved twice it is still one picture");
    document.nodes["more"].inputs["image"] = mgie_host::document::Wire::new("early", "image");
    assert_eq!(
        shown(&document).unwrap_err().to_string(),
        "which picture is to be shown? this graph saves 2 of them; name an output that is a picture: photo.image, \
         early.image, late.image"
    );
    document.nodes["more"].off = Some(Off::Mute);
    assert_eq!(shown(&document), Ok(late));
    assert!(shown(&Document::default()).unwrap_err().to_string().contains("this graph saves none"));
}

#[test]
fn the_sheet_fills_cell_by_cell_in_its_place() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1,13"), ("late", "value", "5,6")]);
    let sheet = RefCell::new(Sheet::new(&sweep, 100));
    sweep
        .run(&bench.engine, &bench.options, &|event| {
            if let SweepEvent::Ended { cell, picture } = event {
                sheet.borrow_mut().fill(cell, picture, &bench.engine, &bench.options).unwrap();
            }
        })
        .unwrap();
    let sheets: Vec<_> = bench.diary.take_in_order().into_iter().filter(|note| note.starts_with('(')).collect();
    let labels = r#""photo value 1\nphoto value 13" "late value 5\nlate value 6""#;
    let failed = r#""node `photo` (pic.make): unlucky""#;
    assert_eq!(
        sheets,
        [
            format!("(1, 1) 6 of {labels} \"\""),
            format!("(1, 2) 7 of {labels} \"\""),
            format!("(2, 1) -1 of {labels} {failed}"),
            format!("(2, 2) -1 of {labels} {failed}"),
        ]
    );
    let filled = sheet.borrow().picture().unwrap().as_image().unwrap().pixels()[0];
    assert_eq!(filled, 13.0, "each cell went onto the sheet of those before it");
}

#[test]
fn a_cell_that_was_not_run_is_marked_in_its_place_on_a_sheet_that_has_others() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1,2")]);
    let mut sheet = Sheet::new(&sweep, 100);
    let cells = sweep.cells();
    assert!(!sheet.mark_not_run(&cells[1..], &bench.engine, &bench.options));
    assert!(sheet.inscribed(&sweep).is_none(), "there is nothing on it");
    sheet.fill(&cells[0], Ok(&pictures::picture(1.0).unwrap()), &bench.engine, &bench.options).unwrap();
    assert!(sheet.mark_not_run(&cells[1..], &bench.engine, &bench.options));
    assert_eq!(
        bench.diary.take(),
        [r#"(1, 1) 1 of "value 1\nvalue 2" "" """#, r#"(2, 1) -1 of "value 1\nvalue 2" "" "not run""#]
    );
}

#[test]
fn a_sheet_tells_its_axes_to_the_file_that_it_is_saved_in() {
    let bench = bench();
    let told = |axes: &[(&str, &str, &str)]| -> Value {
        let sweep = sweep(&bench, axes);
        let mut sheet = Sheet::new(&sweep, 100);
        let picture = pictures::picture(1.0).unwrap();
        sheet.fill(&sweep.cells()[0], Ok(&picture), &bench.engine, &bench.options).unwrap();
        let inscribed = sheet.inscribed(&sweep).unwrap();
        assert_eq!(inscribed.as_image().unwrap().pixels(), sheet.picture().unwrap().as_image().unwrap().pixels());
        serde_json::from_str(inscribed.header()["texts"]["mgie_sweep"].as_str().unwrap()).unwrap()
    };
    let axis = |node: &str, values: Value| json!({ "node": node, "parameter": "value", "values": values });
    let two = told(&[("photo", "value", "1,2.5"), ("late", "value", "5,6,7")]);
    let (columns, rows) = (axis("photo", json!([1.0, 2.5])), axis("late", json!([5.0, 6.0, 7.0])));
    assert_eq!(two, json!({ "output": "late.image", "per_row": 2, "columns": columns, "rows": rows }));
    let many = told(&[("photo", "value", "1..10:1")]);
    assert_eq!((&many["per_row"], many.get("rows")), (&json!(4), None));
}

#[test]
fn many_values_of_one_parameter_go_on_in_further_rows_with_their_labels_under_them() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1..10:1")]);
    let sheet = RefCell::new(Sheet::new(&sweep, 100));
    sweep
        .run(&bench.engine, &bench.options, &|event| {
            if let SweepEvent::Ended { cell, picture } = event {
                sheet.borrow_mut().fill(cell, picture, &bench.engine, &bench.options).unwrap();
            }
        })
        .unwrap();
    let sheets: Vec<_> = bench.diary.take_in_order().into_iter().filter(|note| note.starts_with('(')).collect();
    assert_eq!(sheets[0], r#"(1, 1) 1 of "\n\n\n\n" "\n\n\n" "value 1""#);
    assert_eq!(sheets[9], r#"(2, 3) 10 of "\n\n\n\n" "\n\n\n" "value 10""#);
}

#[test]
fn a_sweep_runs_on_a_thread_that_sends_what_it_is_told() {
    let bench = bench();
    let sweep = sweep(&bench, &[("photo", "value", "1,2")]);
    let (engine, options) = (Arc::new(bench.engine), bench.options);
    let (sender, receiver) = std::sync::mpsc::channel::<(usize, Value)>();
    let running = std::thread::spawn(move || {
        let mut sheet = RefCell::new(Sheet::new(&sweep, 64));
        let report = sweep.run(&engine, &options, &|event| {
            if let SweepEvent::Ended { cell, picture } = event {
                sheet.borrow_mut().fill(cell, picture, &engine, &options).unwrap();
                sender.send((cell.column, picture.unwrap().header().clone())).unwrap();
            }
        });
        (report.unwrap(), sheet.get_mut().picture().cloned())
    });
    assert_eq!(receiver.iter().map(|(column, _)| column).collect::<Vec<_>>(), [0, 1]);
    let (report, sheet) = running.join().unwrap();
    assert!(sheet.is_some() && report.failures().count() == 0);
}
