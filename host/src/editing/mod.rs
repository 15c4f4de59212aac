//! An open graph and everything that one can do to it, without a window: edits with undo, copies, the layout on the
//! canvas, recovery. The studio is one user of it.
