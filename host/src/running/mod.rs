//! A run in the background, as somebody sees it who must never wait for it.
