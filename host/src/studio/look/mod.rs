//! Looking at what flows on the wires: the viewer for pictures, the inspector for every value.
