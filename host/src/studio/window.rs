//! The studio in a window of the desktop.

use super::app::{Setup, Studio};
use eframe::NativeOptions;
use eframe::egui;
use egui::{ViewportBuilder, vec2};

struct Window(Studio);

impl eframe::App for Window {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.0.ui(ui);
    }
}

/// Opens the window, and returns when it is closed.
///
/// # Errors
/// Where no window can be opened: there is no screen, or no OpenGL.
pub fn open(setup: Setup) -> Result<(), String> {
    let viewport = ViewportBuilder::default()
        .with_title("mgie studio")
        .with_app_id("mgie-studio")
        .with_inner_size(vec2(1440.0, 900.0))
        .with_min_inner_size(vec2(800.0, 480.0))
        .with_drag_and_drop(true);
    let options = NativeOptions { viewport, ..NativeOptions::default() };
    eframe::run_native("mgie studio", options, Box::new(|_| Ok(Box::new(Window(Studio::new(setup))))))
        .map_err(|error| plain(&error.to_string()))
}

/// Why the system refused, without the place in a library's source that winit puts before it.
fn plain(error: &str) -> String {
    let why = error.split_once("os error at ").and_then(|(_, rest)| rest.split_once(": "));
    why.map_or(error, |(_, why)| why).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn an_error_of_the_system_is_told_without_the_place_in_a_librarys_source() {
        let told = "winit EventLoopError: os error at /a/winit/src/linux/mod.rs:765: DISPLAY is not set.";
        assert_eq!(plain(told), "DISPLAY is not set");
        assert_eq!(plain("no OpenGL"), "no OpenGL");
    }
}
