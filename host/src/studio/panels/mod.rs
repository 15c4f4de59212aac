//! What stands around the canvas: the tool bar, the side panel with the selected node, the status bar, the log, and the
//! dialogs.

pub mod dialogs;
pub mod log;
pub mod shortcuts;
pub mod side;
pub mod status;
pub mod toolbar;
