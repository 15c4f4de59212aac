//! The host's thread budget: work runs in a rayon pool of that many threads, which candle's and gemm's matrix products
//! then use. Pools are kept, since making threads for every node would cost more than it saves.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Pools by their number of threads; a host uses one or two budgets.
static POOLS: Mutex<Option<HashMap<usize, Arc<ThreadPool>>>> = Mutex::new(None);

/// More threads than this are never useful here.
const MOST: usize = 1024;

/// Runs `work` within a pool of `threads` threads (0: as many as there are cores). Where the system grants no threads,
/// the work runs on the caller's.
pub fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => n.min(MOST),
    };
    match pool(threads) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

fn pool(threads: usize) -> Option<Arc<ThreadPool>> {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let pools = pools.get_or_insert_default();
    if let Some(pool) = pools.get(&threads) {
        return Some(Arc::clone(pool));
    }
    let named = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("mgie-model-{i}"));
    let pool = Arc::new(named.build().ok()?);
    pools.insert(threads, Arc::clone(&pool));
    Some(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_sees_the_budgeted_number_of_threads() {
        assert_eq!(with_threads(3, rayon::current_num_threads), 3);
        assert_eq!(with_threads(1, rayon::current_num_threads), 1);
    }
}
