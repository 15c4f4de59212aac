//! The sheet of shortcuts: every command, its keys, and what it does.

use crate::studio::action::{COMMANDS, MENUS};
use crate::studio::theme;
use eframe::egui;
use egui::{Context, Grid, Label, RichText, ScrollArea, Window};

/// Gestures of the pointer, which no command stands for.
const POINTER: &[(&str, &str)] = &[
    ("Drag the canvas", "Move about; so does scrolling on a touch pad."),
    ("Wheel", "Zoom; with Ctrl on a touch pad."),
    ("Shift and drag", "Select by a box; with Ctrl, too, add to the selection."),
    ("Shift and click", "Add a node to the selection, or take it out."),
    ("Double-click the canvas", "Find a node to add."),
    ("Double-click a node", "Show its picture in the viewer."),
    ("Drag from a socket", "Lay a wire; in empty space, find a node that fits."),
    ("Right-click a socket or wire", "Take the wire away."),
    ("Right-click a parameter", "Reset it to its default."),
];

/// Shows the sheet while it is open.
pub fn show(ctx: &Context, open: &mut bool) {
    let room = ctx.content_rect();
    let window = Window::new("Shortcuts").open(open).collapsible(false).resizable(true);
    let window = window.default_size([640.0_f32.min(room.width() - 40.0), (room.height() - 120.0).min(620.0)]);
    window.vscroll(false).show(ctx, |ui| {
        let colours = theme::of(ui);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for (menu, title) in MENUS {
                ui.heading(*title);
                Grid::new(("shortcuts", *title)).num_columns(3).striped(true).show(ui, |ui| {
                    for entry in COMMANDS.iter().filter(|entry| entry.menu == *menu) {
                        ui.label(RichText::new(entry.keys(ui.ctx())).monospace());
                        ui.label(entry.label);
                        ui.add(Label::new(RichText::new(entry.summary).color(colours.dim)).wrap());
                        ui.end_row();
                    }
                });
                ui.add_space(8.0);
            }
            ui.heading("Pointer");
            Grid::new("pointer").num_columns(2).striped(true).show(ui, |ui| {
                for (gesture, meaning) in POINTER {
                    ui.label(*gesture);
                    ui.add(Label::new(RichText::new(*meaning).color(colours.dim)).wrap());
                    ui.end_row();
                }
            });
        });
    });
}
