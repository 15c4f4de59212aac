//! Waking a window: soon after something happened, and not more than thirty times a second, however much happens.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The least time between two calls.
const APART: Duration = Duration::from_millis(33);

#[derive(Default)]
struct Bell {
    state: Mutex<State>,
    rung: Condvar,
}

#[derive(Default)]
struct State {
    ringing: bool,
    over: bool,
}

/// Calls a function on a thread of its own when it was asked to, the last request never lost.
pub(super) struct Waker {
    bell: Arc<Bell>,
}

impl Waker {
    pub fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let bell: Arc<Bell> = Arc::default();
        let heard = Arc::clone(&bell);
        let spawned = std::thread::Builder::new().name("wake".to_owned()).spawn(move || {
            while heard.wait() {
                wake();
                std::thread::sleep(APART);
            }
        });
        if let Err(error) = spawned {
            // The window still takes in what happened whenever it draws itself.
            tracing::warn!(%error, "no thread to wake the window");
        }
        Self { bell }
    }

    /// What rings the bell, to be handed to other threads.
    pub fn bell(&self) -> impl Fn() + Send + Sync + 'static {
        let bell = Arc::clone(&self.bell);
        move || bell.ring(|state| state.ringing = true)
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.bell.ring(|state| state.over = true);
    }
}

impl Bell {
    fn ring(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_one();
    }

    /// Waits for a request; false where there will be none.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |state: &mut State| !state.ringing && !state.over;
        let mut state = self.rung.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        state.ringing = false;
        !state.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    #[test]
    fn much_that_happens_wakes_thirty_times_a_second_and_the_last_request_is_heard() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let waker = Waker::new(Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }));
        let bell = waker.bell();
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(200) {
            bell();
        }
        // A busy machine may hold this thread up: what counts is the time that passed.
        let most = began.elapsed().div_duration_f64(APART).ceil() as usize + 1;
        let heard = |least: usize| {
            let patient = Instant::now();
            while calls.load(Ordering::SeqCst) < least && patient.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(APART / 4);
            }
            std::thread::sleep(APART * 3);
            calls.load(Ordering::SeqCst)
        };
        let after = heard(1);
        assert!((1..=most + 1).contains(&after), "{after} calls, at most {most} and the last one");
        bell();
        assert!(heard(after + 1) > after, "the last request is heard, too");
    }
}
