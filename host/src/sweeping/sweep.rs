//! A graph with one axis or two, and its cells in the order in which the engine's cache serves them best.

use super::{Axis, MAX_CELLS, SweepError, output_shown};
use crate::document::Document;
use crate::plugins::Catalogue;
use crate::spelling;
use crate::validate::{Place, Problem};
use mgie_plugin_api::kind;
use serde_json::Value;
use std::collections::HashSet;

/// A graph whose first axis goes across and whose second one, where there is one, goes down.
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    document: Document,
    columns: Axis,
    rows: Option<Axis>,
    output: (String, String),
    nodes: Vec<String>,
}

/// One combination of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Which value of the first axis, from 0.
    pub column: usize,
    /// Which value of the second axis, from 0; 0 where there is none.
    pub row: usize,
    /// What the cell is, an axis a line: `guidance 7.5`.
    pub labels: Vec<String>,
}

/// One parameter of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The node.
    pub node: String,
    /// The parameter.
    pub parameter: String,
    /// Its value.
    pub value: Value,
}

impl Sweep {
    /// A sweep of `axes` that shows `output` (node and output, a picture), or the picture that the graph is for.
    ///
    /// # Errors
    /// Where there are not one or two axes, both are one parameter, there are more than [`MAX_CELLS`] cells, or the output
    /// is not there, is no picture, or was not named and is not clear ([`output_shown`]).
    pub fn new(
        document: Document,
        axes: Vec<Axis>,
        output: Option<(String, String)>,
        catalogue: &Catalogue,
    ) -> Result<Self, SweepError> {
        let count = axes.len();
        let mut axes = axes.into_iter();
        let (Some(mut columns), mut rows, None) = (axes.next(), axes.next(), axes.next()) else {
            return Err(SweepError::Axes(count));
        };
        if let Some(rows) = rows.as_mut().filter(|rows| rows.parameter() == columns.parameter()) {
            if rows.node() == columns.node() {
                let (node, parameter) = (rows.node().to_owned(), rows.parameter().to_owned());
                return Err(SweepError::Twice { node, parameter });
            }
            *rows = rows.clone().with_node_in_labels();
            columns = columns.with_node_in_labels();
        }
        let cells = columns.values().len().saturating_mul(rows.as_ref().map_or(1, |rows| rows.values().len()));
        if cells > MAX_CELLS {
            return Err(SweepError::Cells(cells));
        }
        let output = match output {
            Some(output) => checked(output, &document, catalogue)?,
            None => output_shown(&document, catalogue)?,
        };
        Ok(Self { document, columns, rows, output, nodes: Vec::new() })
    }

    /// Has these nodes run for each cell, too: nodes with a side effect run only where they are asked for.
    #[must_use]
    pub fn and_nodes(mut self, nodes: impl IntoIterator<Item = String>) -> Self {
        self.nodes.extend(nodes);
        self
    }

    /// The first axis, which goes across.
    #[must_use]
    pub fn columns(&self) -> &Axis {
        &self.columns
    }

    /// The second axis, which goes down.
    #[must_use]
    pub fn rows(&self) -> Option<&Axis> {
        self.rows.as_ref()
    }

    /// The output that is shown, as node and output.
    #[must_use]
    pub fn output(&self) -> (&str, &str) {
        (&self.output.0, &self.output.1)
    }

    /// The nodes that run for each cell whatever is shown.
    pub(super) fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// The graph without any value of the axes.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Every cell, in the order in which they run. What changes least often is the parameter that more hangs on: a node
    /// that the other axis' node takes values from, or weights that have to be loaded anew. Else it goes row by row.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let (across, down) = (self.columns.values().len(), self.rows.as_ref().map_or(1, |rows| rows.values().len()));
        let mut places: Vec<(usize, usize)> =
            (0..down).flat_map(|row| (0..across).map(move |column| (column, row))).collect();
        if self.goes_column_by_column() {
            places.sort_by_key(|&(column, row)| (column, row));
        }
        places.into_iter().map(|(column, row)| self.cell(column, row)).collect()
    }

    fn cell(&self, column: usize, row: usize) -> Cell {
        let labels = self.columns.labels().get(column).into_iter();
        let labels = labels.chain(self.rows.as_ref().and_then(|rows| rows.labels().get(row)));
        Cell { column, row, labels: labels.cloned().collect() }
    }

    fn goes_column_by_column(&self) -> bool {
        let Some(rows) = &self.rows else { return false };
        let columns = &self.columns;
        if takes_from(&self.document, rows.node(), columns.node()) {
            return true;
        }
        !takes_from(&self.document, columns.node(), rows.node()) && columns.loads() && !rows.loads()
    }

    /// What a cell sets.
    #[must_use]
    pub fn settings(&self, cell: &Cell) -> Vec<Setting> {
        let of = |axis: &Axis, at: usize| {
            let (node, parameter) = (axis.node().to_owned(), axis.parameter().to_owned());
            axis.values().get(at).map(|value| Setting { node, parameter, value: value.clone() })
        };
        let rows = self.rows.as_ref().and_then(|rows| of(rows, cell.row));
        of(&self.columns, cell.column).into_iter().chain(rows).collect()
    }

    /// The graph of a cell.
    #[must_use]
    pub fn document_of(&self, cell: &Cell) -> Document {
        let mut document = self.document.clone();
        for Setting { node, parameter, value } in self.settings(cell) {
            if let Some(node) = document.nodes.get_mut(&node) {
                node.params.insert(parameter, value);
            }
        }
        document
    }
}

/// The output, where the graph has it and it may be a picture.
fn checked(
    (name, output): (String, String),
    document: &Document,
    catalogue: &Catalogue,
) -> Result<(String, String), SweepError> {
    let wrong = |place: Place, expected: &str, remedy: Option<String>| {
        SweepError::Wrong(vec![Problem::error(&name, place, expected).remedy(remedy.unwrap_or_default())])
    };
    let Some(node) = document.nodes.get(&name) else {
        let remedy = spelling::remedy(&name, document.nodes.keys().map(String::as_str));
        return Err(wrong(Place::Name, "a node of this graph", remedy));
    };
    // A type that is not here is told when the graph is checked.
    let Some(node_type) = catalogue.node_type(&node.node_type) else { return Ok((name, output)) };
    let sockets = &node_type.description.outputs;
    let place = Place::Output(output.clone());
    match sockets.iter().find(|socket| socket.id == output) {
        None => {
            let remedy = spelling::remedy(&output, sockets.iter().map(|socket| socket.id.as_str()));
            Err(wrong(place, &format!("an output of `{}`", node.node_type), remedy))
        }
        Some(socket) if socket.kind != kind::IMAGE && socket.kind != kind::ANY => {
            let problem = Problem::error(&name, place, "a picture").found(format!("`{}`", socket.kind));
            Err(SweepError::Wrong(vec![problem.remedy("name an output whose kind is `image`")]))
        }
        Some(_) => Ok((name, output)),
    }
}

/// Whether a node takes values from another one, however many lie between.
fn takes_from(document: &Document, node: &str, other: &str) -> bool {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut waiting = vec![node];
    while let Some(name) = waiting.pop() {
        let Some(node) = document.nodes.get(name) else { continue };
        for (source, _) in node.inputs.values().filter_map(|wire| wire.source()) {
            if source == other {
                return true;
            }
            if seen.insert(source) {
                waiting.push(source);
            }
        }
    }
    false
}
