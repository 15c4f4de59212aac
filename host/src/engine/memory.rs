//! How much memory this process holds, and the most it held while a node ran: the resident set, as the operating
//! system counts it, which includes weights and everything else that a node takes for itself. Nodes that run at the
//! same time are each charged with what all of them hold. Where the system offers no such number there is none.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the resident set is looked at while nodes run.
const EVERY: Duration = Duration::from_millis(10);

/// Bytes of main memory that this process holds; none where the system does not say (it does on Linux).
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    kibibytes("/proc/self/status", "VmRSS:")
}

/// Bytes of main memory of this machine, or of the limit that this process runs under where that is lower.
#[must_use]
pub fn machine_bytes() -> Option<u64> {
    let machine = kibibytes("/proc/meminfo", "MemTotal:");
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    match (machine, group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

fn kibibytes(file: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Looks at the resident set while nodes run, on a thread of its own that ends with the watch.
pub(super) struct MemoryWatch {
    gauges: Arc<Mutex<Vec<Weak<AtomicU64>>>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The peak of one node.
pub(super) struct MemoryGauge {
    start: u64,
    peak: Arc<AtomicU64>,
}

impl MemoryWatch {
    pub fn start() -> Self {
        let gauges: Arc<Mutex<Vec<Weak<AtomicU64>>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(resident_bytes().is_none()));
        let thread = (!over.load(Ordering::Relaxed)).then(|| {
            let (gauges, over) = (Arc::clone(&gauges), Arc::clone(&over));
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    sample(&gauges);
                    std::thread::park_timeout(EVERY);
                }
            })
        });
        Self { gauges, over, thread }
    }

    /// Begins to watch for one node; none where the system does not say.
    pub fn gauge(&self) -> Option<MemoryGauge> {
        let start = resident_bytes()?;
        let peak = Arc::new(AtomicU64::new(start));
        lock(&self.gauges).push(Arc::downgrade(&peak));
        Some(MemoryGauge { start, peak })
    }
}

impl MemoryGauge {
    /// The most bytes that the process held since the gauge was made, over what it held then.
    pub fn rise(&self) -> u64 {
        if let Some(now) = resident_bytes() {
            self.peak.fetch_max(now, Ordering::Relaxed);
        }
        self.peak.load(Ordering::Relaxed).saturating_sub(self.start)
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sampling thread has nothing to report, and nothing in it panics.
            drop(thread.join());
        }
    }
}

fn sample(gauges: &Mutex<Vec<Weak<AtomicU64>>>) {
    let mut gauges = lock(gauges);
    gauges.retain(|gauge| gauge.strong_count() > 0);
    if gauges.is_empty() {
        return;
    }
    if let Some(now) = resident_bytes() {
        for gauge in gauges.iter().filter_map(Weak::upgrade) {
            gauge.fetch_max(now, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_is_seen_although_the_memory_was_given_back() {
        let watch = MemoryWatch::start();
        let gauge = watch.gauge().unwrap();
        let taken = std::hint::black_box(vec![1u8; 64 << 20]);
        std::thread::sleep(EVERY * 10);
        drop(taken);
        assert!(gauge.rise() >= 48 << 20, "{}", gauge.rise());
        assert!(machine_bytes().unwrap() > resident_bytes().unwrap());
    }
}
