//! One or two parameters in several values each, side by side.
