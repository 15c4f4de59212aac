//! The request to stop: made by anybody, seen by everything that runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that is raised once and shared by cloning. A token made from another one is raised with it, and can be
/// raised alone.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    raised: Arc<AtomicBool>,
    above: Option<Arc<CancelToken>>,
}

impl CancelToken {
    /// A token that nobody has raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that is raised when this one is, and that can be raised alone.
    #[must_use]
    pub fn below(&self) -> Self {
        Self { raised: Arc::default(), above: Some(Arc::new(self.clone())) }
    }

    /// Asks everything that holds this token to stop.
    pub fn cancel(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.raised.load(Ordering::Acquire) || self.above.as_ref().is_some_and(|above| above.is_cancelled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_raised_with_the_one_above_and_not_the_other_way_round() {
        let user = CancelToken::new();
        let run = user.below();
        let clone = run.clone();
        assert!(!clone.is_cancelled());
        run.cancel();
        assert!(clone.is_cancelled() && !user.is_cancelled());
        let other = user.below();
        user.cancel();
        assert!(other.is_cancelled());
    }
}
