//! `mgie studio`: the node editor in a window.

use super::stop::Stop;
use super::typed::Studio as Typed;

/// Opens the window, and returns when it is closed.
///
/// # Errors
/// Where the models folder that was named is not there, or no window can be opened.
#[cfg(feature = "studio")]
pub fn studio(typed: Typed) -> Result<(), Stop> {
    use super::job;
    use mgie_host::engine::{Budgets, Engine};
    use mgie_host::studio::{Setup, open};
    use std::sync::Arc;

    // A folder that is not there is told before the window opens.
    job::models(typed.models.as_deref(), None)?;
    let mut budgets = Budgets { cache_bytes: typed.cache_mb.saturating_mul(1 << 20), ..Budgets::default() };
    if let Some(mib) = typed.weights_mb {
        budgets.weights_bytes = Some(mib.saturating_mul(1 << 20));
    }
    let setup = Setup {
        engine: Arc::new(Engine::new(job::catalogue(), budgets)),
        models: typed.models,
        threads: typed.threads.map(usize::from),
        graph: typed.graph,
        data: dirs::data_dir().map(|folder| folder.join("mgie")),
    };
    open(setup).map_err(|error| {
        Stop::failed(format!("no window can be opened: {error}; `mgie run` and `mgie edit` need none"))
    })
}

/// Says that this build has no window.
///
/// # Errors
/// Always.
#[cfg(not(feature = "studio"))]
pub fn studio(_: Typed) -> Result<(), Stop> {
    Err(Stop::wrong("this build of mgie has no window: it was built without the feature `studio`"))
}
