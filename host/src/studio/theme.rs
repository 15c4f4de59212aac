//! How the studio looks: one set of colours for the dark theme and one for the light one, and the spacing of every
//! widget. Everything that draws takes its colours from here.

use eframe::egui;
use egui::{Color32, Context, CornerRadius, FontDefinitions, FontFamily, Stroke, Theme, Visuals};

/// Colours that egui's own theme has no name for.
#[derive(Clone, Copy, Debug)]
pub struct Colours {
    /// Behind the nodes.
    pub canvas: Color32,
    /// Lines of the grid.
    pub grid: Color32,
    /// A node's body.
    pub node: Color32,
    /// A node's header.
    pub header: Color32,
    /// A node's edge.
    pub edge: Color32,
    /// Text that is read first.
    pub text: Color32,
    /// Text that is read when looked for.
    pub dim: Color32,
    /// The edge of what is selected.
    pub selected: Color32,
    /// A node that runs.
    pub running: Color32,
    /// A node that waits for its turn.
    pub waiting: Color32,
    /// A node that is done.
    pub done: Color32,
    /// A node whose result was kept from before.
    pub cached: Color32,
    /// A node whose result no longer is the graph's.
    pub stale: Color32,
    /// A node that failed, and what is wrong.
    pub failed: Color32,
    /// What is unusual.
    pub warning: Color32,
    /// A node that is bypassed.
    pub bypassed: Color32,
    /// A frame around nodes.
    pub frame: Color32,
    /// A note.
    pub note: Color32,
    /// Whether they are those of the dark theme.
    pub dark: bool,
}

const DARK: Colours = Colours {
    canvas: Color32::from_rgb(24, 25, 28),
    grid: Color32::from_rgb(33, 35, 39),
    node: Color32::from_rgb(43, 45, 50),
    header: Color32::from_rgb(56, 59, 66),
    edge: Color32::from_rgb(16, 17, 19),
    text: Color32::from_rgb(226, 228, 232),
    dim: Color32::from_rgb(160, 165, 174),
    selected: Color32::from_rgb(255, 176, 64),
    running: Color32::from_rgb(96, 168, 255),
    waiting: Color32::from_rgb(150, 155, 164),
    done: Color32::from_rgb(112, 200, 120),
    cached: Color32::from_rgb(104, 184, 176),
    stale: Color32::from_rgb(190, 170, 110),
    failed: Color32::from_rgb(255, 112, 104),
    warning: Color32::from_rgb(240, 180, 80),
    bypassed: Color32::from_rgb(186, 130, 220),
    frame: Color32::from_rgb(70, 86, 108),
    note: Color32::from_rgb(84, 76, 46),
    dark: true,
};

const LIGHT: Colours = Colours {
    canvas: Color32::from_rgb(232, 233, 236),
    grid: Color32::from_rgb(218, 220, 224),
    node: Color32::from_rgb(252, 252, 253),
    header: Color32::from_rgb(226, 229, 235),
    edge: Color32::from_rgb(172, 177, 186),
    text: Color32::from_rgb(28, 30, 34),
    dim: Color32::from_rgb(92, 97, 106),
    selected: Color32::from_rgb(208, 112, 0),
    running: Color32::from_rgb(0, 92, 200),
    waiting: Color32::from_rgb(104, 110, 120),
    done: Color32::from_rgb(24, 120, 40),
    cached: Color32::from_rgb(0, 112, 104),
    stale: Color32::from_rgb(126, 98, 0),
    failed: Color32::from_rgb(190, 24, 24),
    warning: Color32::from_rgb(150, 90, 0),
    bypassed: Color32::from_rgb(118, 50, 160),
    frame: Color32::from_rgb(176, 194, 218),
    note: Color32::from_rgb(255, 244, 196),
    dark: false,
};

/// The colours of a theme.
#[must_use]
pub fn colours(dark: bool) -> &'static Colours {
    if dark { &DARK } else { &LIGHT }
}

/// The colours of the theme that a widget is drawn in.
#[must_use]
pub fn of(ui: &egui::Ui) -> &'static Colours {
    colours(ui.visuals().dark_mode)
}

/// The font of figures and paths: it has arrows and signs of mathematics, which the font of words lacks.
const SIGNS: &str = "Hack";

/// Makes both themes the studio's.
pub fn apply(ctx: &Context) {
    let mut fonts = FontDefinitions::default();
    if fonts.font_data.contains_key(SIGNS)
        && let Some(of_words) = fonts.families.get_mut(&FontFamily::Proportional)
    {
        of_words.push(SIGNS.to_owned());
    }
    ctx.set_fonts(fonts);
    for theme in [Theme::Dark, Theme::Light] {
        let colours = colours(theme == Theme::Dark);
        let mut visuals = if theme == Theme::Dark { Visuals::dark() } else { Visuals::light() };
        visuals.override_text_color = Some(colours.text);
        visuals.weak_text_color = Some(colours.dim);
        visuals.error_fg_color = colours.failed;
        visuals.warn_fg_color = colours.warning;
        visuals.window_corner_radius = CornerRadius::same(6);
        visuals.menu_corner_radius = CornerRadius::same(6);
        let line = colours.canvas.lerp_to_gamma(colours.dim, 0.3);
        visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, line);
        visuals.panel_fill = colours.node.lerp_to_gamma(colours.canvas, 0.5);
        visuals.slider_trailing_fill = true;
        ctx.set_visuals_of(theme, visuals);
    }
    ctx.all_styles_mut(|style| {
        style.spacing.item_spacing = egui::vec2(6.0, 4.0);
        style.spacing.button_padding = egui::vec2(6.0, 2.0);
        style.spacing.slider_width = 90.0;
        style.interaction.tooltip_delay = 0.4;
    });
}
