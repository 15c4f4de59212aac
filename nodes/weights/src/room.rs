//! Whether tensors fit into main memory, asked before they are read: the system promises more than it has, and a process
//! that takes it at its word ends without one, and with it the host.

use std::sync::atomic::{AtomicU64, Ordering};

/// The share of free memory that is taken before the system is asked again: asking costs as much as reading a small
/// tensor.
const TAKEN_UNASKED: u64 = 8;

/// Main memory that tensors are read into.
pub(crate) struct Room {
    /// Bytes that are free; `None` where the system does not say.
    supply: fn() -> Option<u64>,
    /// Bytes that may be taken before it is asked again.
    unasked: AtomicU64,
}

impl Room {
    /// Room as `supply` tells it, such as [`available_bytes`].
    pub(crate) fn of(supply: fn() -> Option<u64>) -> Self {
        Self { supply, unasked: AtomicU64::new(0) }
    }

    /// Whether so many bytes are free; if not, how many are.
    pub(crate) fn check(&self, bytes: u64) -> Result<(), u64> {
        match (self.supply)() {
            Some(free) if bytes > free => Err(free),
            _ => Ok(()),
        }
    }

    /// To be called before so many bytes are taken; if they are not free, how many are.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), u64> {
        let covered = |unasked: u64| unasked.checked_sub(bytes);
        if self.unasked.fetch_update(Ordering::Relaxed, Ordering::Relaxed, covered).is_ok() {
            return Ok(());
        }
        let free = (self.supply)().unwrap_or(u64::MAX);
        let Some(left) = free.checked_sub(bytes) else { return Err(free) };
        self.unasked.store(left / TAKEN_UNASKED, Ordering::Relaxed);
        Ok(())
    }
}

/// Bytes of main memory that this process can still take: what the system calls available, or what is left of its
/// control group's limit where that is less. `None` where the system does not say (Linux does).
pub fn available_bytes() -> Option<u64> {
    let machine = field(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")?.checked_mul(1024)?;
    Some(group_bytes().map_or(machine, |group| group.min(machine)))
}

fn group_bytes() -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    // Pages of files count as used, and are given back when they are needed.
    let files = field(&read("memory.stat")?, "file ").unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_may_be_taken_and_no_more() {
        let room = Room::of(|| Some(1000));
        assert_eq!((room.check(1000), room.check(1001)), (Ok(()), Err(1000)));
        assert_eq!((room.take(1000), room.take(1001)), (Ok(()), Err(1000)));
        assert_eq!(Room::of(|| None).take(u64::MAX), Ok(()), "nothing is refused where nobody knows");
    }

    #[test]
    fn a_part_of_what_is_free_is_taken_without_asking_again() {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        let room = Room::of(|| Some(800 + ASKED.fetch_add(1, Ordering::Relaxed)));
        for _ in 0..51 {
            assert_eq!(room.take(2), Ok(()));
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    }
}
