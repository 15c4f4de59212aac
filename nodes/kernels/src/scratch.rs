//! Memory that kernels work in, kept by each thread: taking it from the system anew for every layer costs a page fault
//! for every four kilobytes.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Buffers that a thread keeps at most.
const KEPT: usize = 16;

/// Larger ones go back to the system, in numbers.
const LARGEST: usize = 4 << 20;

/// Some numbers of any value; they go back to the thread's store when dropped.
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// `length` numbers, whose values are left over from earlier uses.
    pub(crate) fn new(length: usize) -> Self {
        let mut numbers = FREE.with_borrow_mut(|free| {
            let fits = free.iter().position(|numbers| numbers.capacity() >= length);
            fits.map_or_else(Vec::new, |fits| free.swap_remove(fits))
        });
        numbers.resize(length, 0.0);
        Self(numbers)
    }

    /// `length` zeros.
    pub(crate) fn zeros(length: usize) -> Self {
        let mut numbers = Self::new(length);
        numbers.fill(0.0);
        numbers
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.0);
        if numbers.capacity() <= LARGEST {
            // A thread that is ending has no store any more.
            let _ = FREE.try_with(|free| {
                let mut free = free.borrow_mut();
                if free.len() < KEPT {
                    free.push(numbers);
                }
            });
        }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}
