//! `image.sheet`: a picture put into its cell of a contact sheet. A sheet begins with nothing and is handed on from one
//! picture to the next, so that it can be looked at while it fills, and holds as many pictures as somebody likes.

mod grid;

use mgie_plugin_api::{Domain, Failure, Image, NodeDefinition, NodeDescription, Outputs, Run, kind};

use crate::fit::{Fit, fit};
use crate::lettering::{Canvas, Colour, text_height};
use crate::picture::Picture;
use crate::resample::Filter;
use grid::{CELL, Grid};

const INK: Colour = [32, 32, 32];
/// What is written where a picture is missing.
const WARNING: Colour = [160, 32, 24];

/// Scale of what is written into a cell: small, so that a sentence fits under a picture.
const SMALL: usize = 1;

/// Pixels around what is written into a cell.
const MARGIN: usize = 6;

/// The most pixels across that a text without a picture asks for.
const TEXT_WIDTH: usize = 240;

/// The node type.
pub fn definition() -> NodeDefinition {
    let place = || Domain::Integer { default: 1, hard: [1, 10_000], soft: [1, 20] };
    let labels = || Domain::Text { default: String::new(), multiline: true };
    let description = NodeDescription::new(
        "image.sheet",
        "Contact sheet",
        "Image",
        "Puts a picture into a cell of a labelled sheet, and returns the sheet; wire that into the next picture's `sheet` \
         to fill the next cell. Cells are all of one size, that of the largest picture so far.",
    )
    .optional_input("sheet", "Sheet", kind::IMAGE, "The sheet so far, with the same labels; an empty one where none is.")
    .optional_input(
        "picture",
        "Picture",
        kind::IMAGE,
        "What goes into the cell, laid over a light ground where it has alpha. It may be missing.",
    )
    .parameter("columns", "Columns", labels(), "The columns' labels: as many columns as lines, of which any may be empty.")
    .parameter("rows", "Rows", labels(), "The rows' labels, likewise.")
    .parameter("column", "Column", place(), "The cell's column, from 1.")
    .parameter("row", "Row", place(), "The cell's row, from 1.")
    .parameter(
        "text",
        "Text",
        labels(),
        "Written under the picture; where there is no picture, in its place, in red: why it is missing.",
    )
    .parameter(
        "cell",
        "Cell",
        Domain::Integer { default: 256, hard: [32, 4096], soft: [96, 1024] },
        "The most pixels that a cell is wide; it is at most twice as high. Larger pictures are made smaller, smaller ones \
         are left alone.",
    )
    .unit("px")
    .output("sheet", "Sheet", kind::IMAGE, "The sheet with the cell filled: 8 bits, RGB.");
    NodeDefinition::new(description, run)
}

fn run(run: &Run) -> Result<Outputs, Failure> {
    let grid = Grid::new(run.string("columns")?, run.string("rows")?);
    let at = (place(run, "column", grid.columns.len())?, place(run, "row", grid.rows.len())?);
    let (cell, text) = (run.count("cell")?.max(1), run.string("text")?);
    let block = match run.optional("picture") {
        Some(_) => Some(captioned(scaled(&run.image("picture")?, cell)?, text)?),
        None if text.trim().is_empty() => None,
        None => Some(notice(text, cell)?),
    };
    run.check_cancelled()?;
    let before = match run.optional("sheet") {
        Some(_) => Some(sheet_so_far(&run.image("sheet")?, &grid)?),
        None => None,
    };
    let mut sheet = match (before, &block) {
        (Some((grid, sheet)), Some(block)) => grid.grown(sheet, (block.width, block.height))?,
        (Some(before), None) => before,
        (None, block) => {
            let grid = grid.with_room_for(block.as_ref().map_or((0, 0), |block| (block.width, block.height)));
            let sheet = grid.draw()?;
            (grid, sheet)
        }
    };
    run.check_cancelled()?;
    sheet.0.fill(&mut sheet.1, at, block.as_ref())?;
    Ok(Outputs::new().with("sheet", sheet.1.to_picture().into_value()?))
}

/// The place that a parameter names, from 0.
fn place(run: &Run, name: &str, places: usize) -> Result<usize, Failure> {
    let found = run.count(name)?;
    found.checked_sub(1).filter(|place| *place < places).ok_or_else(|| {
        Failure::parameter(name, format!("1 to {places}"), found.to_string())
            .remedy(format!("`{name}s` has a line for each {name}; add a line, or name another {name}"))
    })
}

/// The sheet in the socket and its grid.
fn sheet_so_far<'l>(image: &Image, grid: &Grid<'l>) -> Result<(Grid<'l>, Canvas), Failure> {
    let wrong = |found: String| {
        Failure::input("sheet", "a sheet that this node made with the same `columns` and `rows`", found)
            .remedy("wire in the sheet of an `image.sheet` with the same labels, or nothing to begin one")
    };
    if image.channels != 3 || image.bit_depth != 8 {
        return Err(wrong(format!("a picture of {} channels and {} bits", image.channels, image.bit_depth)));
    }
    let grid = grid.of_sheet((image.width, image.height));
    let grid = grid.ok_or_else(|| wrong(format!("a picture of {}×{}", image.width, image.height)))?;
    let pixels = image.pixels().iter().map(|v| eight_bit(*v)).collect();
    Ok((grid, Canvas { width: image.width, height: image.height, pixels }))
}

fn eight_bit(v: f32) -> u8 {
    (v.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8
}

/// The picture over the cell's ground, encoded for display, at most `cell` wide and twice that high.
fn scaled(image: &Image, cell: usize) -> Result<Canvas, Failure> {
    let picture = Picture::from_wire(image);
    if picture.samples.is_empty() {
        return Err(Failure::input(
            "picture",
            "a picture of at least one pixel",
            format!("{}×{}", picture.width, picture.height),
        ));
    }
    if let Some(place) = picture.first_nan() {
        return Err(Failure::input("picture", "numbers", place).remedy("look at what made it"));
    }
    let picture = picture.into_display().widened(3);
    let (width, height) = (picture.width, picture.height);
    let ground = CELL.map(|v| f32::from(v) / 255.0);
    let pixels: Vec<u8> = match picture.channels {
        4 => {
            let over = |&[red, green, blue, alpha]: &[f32; 4]| {
                let [below_red, below_green, below_blue] = ground;
                let mix = |above: f32, below: f32| eight_bit(below + (above - below) * alpha.clamp(0.0, 1.0));
                [mix(red, below_red), mix(green, below_green), mix(blue, below_blue)]
            };
            picture.samples.as_chunks::<4>().0.iter().flat_map(over).collect()
        }
        _ => picture.samples.iter().map(|v| eight_bit(*v)).collect(),
    };
    if width <= cell && height <= 2 * cell {
        return Ok(Canvas { width, height, pixels });
    }
    let resize = fit((width, height), (cell, 2 * cell), Fit::Inside, Filter::Lanczos);
    let pixels = resize
        .u8(&pixels, width, height, 3)
        .map_err(|error| Failure::input("picture", "a picture that can be resized", error.to_string()))?;
    let (width, height) = resize.result_size();
    Ok(Canvas { width, height, pixels })
}

/// The picture with a text under it.
fn captioned(picture: Canvas, text: &str) -> Result<Canvas, Failure> {
    if text.trim().is_empty() {
        return Ok(picture);
    }
    let width = picture.width.max(grid::SMALLEST.0);
    let height = text_height(text, width - 2 * MARGIN, SMALL) + 2 * MARGIN;
    let mut block = Canvas::new(width, picture.height + height, CELL)?;
    let size = (picture.width, picture.height);
    block.picture(((width - picture.width) / 2) as i64, 0, size, &picture.pixels, size)?;
    block.text(MARGIN as i64, (picture.height + MARGIN) as i64, width - 2 * MARGIN, SMALL, text, INK);
    Ok(block)
}

/// A text where a picture is missing, cut off where it is longer than a cell.
fn notice(text: &str, cell: usize) -> Result<Canvas, Failure> {
    let width = cell.clamp(2 * MARGIN + 1, TEXT_WIDTH);
    let height = (text_height(text, width - 2 * MARGIN, SMALL) + 2 * MARGIN).min(2 * cell);
    let mut block = Canvas::new(width, height, CELL)?;
    block.text(MARGIN as i64, MARGIN as i64, width - 2 * MARGIN, SMALL, text, WARNING);
    Ok(block)
}
