//! Keeps a panic on the side of the door where it happened. A panic that unwinds through an `abi_stable` method ends
//! the process, so every function that the other side calls runs in here, and a panic becomes a [`Failure`] that says
//! where it happened.

use crate::failure::Failure;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<u32> = const { Cell::new(0) };
    static LOCATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Silences the panic message of guarded code, which is reported as a failure, and remembers the place.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if GUARDED.with(Cell::get) > 0 {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                LOCATION.with(|l| l.replace(place));
            } else {
                before(info);
            }
        }));
    });
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs `body`; a panic in it is a [`crate::FailureKind::Fault`].
pub(crate) fn guarded<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    install_hook();
    GUARDED.with(|g| g.set(g.get() + 1));
    LOCATION.with(|l| l.borrow_mut().clear());
    let result = catch_unwind(AssertUnwindSafe(body));
    GUARDED.with(|g| g.set(g.get() - 1));
    result.unwrap_or_else(|payload| {
        let place = LOCATION.with(|l| l.take());
        let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
        let text = payload_text(payload.as_ref());
        // Never dropped: a payload of the plugin's own type may panic once more, where nothing catches it.
        std::mem::forget(payload);
        Err(Failure::fault(format!("panicked{at}: {text}"))
            .remedy("this is a fault in the plugin; report it to whoever made it"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_whose_payload_panics_when_dropped_is_a_failure_too() {
        struct Payload;
        impl Drop for Payload {
            fn drop(&mut self) {
                panic!("once more");
            }
        }
        let told = guarded::<()>(|| std::panic::panic_any(Payload)).map_err(|failure| failure.to_string());
        assert!(told.as_ref().is_err_and(|told| told.contains("guard.rs") && told.contains("no message")), "{told:?}");
    }
}
