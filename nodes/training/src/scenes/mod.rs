//! The procedural world of pictures and edits.
