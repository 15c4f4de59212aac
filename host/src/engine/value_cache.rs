//! Outputs of nodes that ran, by the content that they were computed from, within a budget of bytes. The cache is not
//! split into shards: with few large values each shard's budget would hold none of them.

use mgie_plugin_api::Value;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a node gave, by output.
pub(super) type NodeOutputs = Vec<(String, Value)>;

/// Bytes that an entry takes besides its values.
const ENTRY_BYTES: u64 = 256;

/// Bytes of a node's outputs.
pub(super) fn bytes(outputs: &NodeOutputs) -> u64 {
    outputs.iter().map(|(name, value)| (name.len() + value.byte_len()) as u64).sum()
}

#[derive(Clone, Copy, Debug)]
struct ByBytes;

impl Weighter<blake3::Hash, Arc<NodeOutputs>> for ByBytes {
    fn weight(&self, _key: &blake3::Hash, outputs: &Arc<NodeOutputs>) -> u64 {
        ENTRY_BYTES + bytes(outputs)
    }
}

pub(super) struct ValueCache {
    kept: Mutex<Cache<blake3::Hash, Arc<NodeOutputs>, ByBytes>>,
}

impl ValueCache {
    pub fn new(budget: u64) -> Self {
        // How many entries are expected only sizes the memory of keys seen lately.
        Self { kept: Mutex::new(Cache::with_weighter(256, budget, ByBytes)) }
    }

    pub fn get(&self, key: &blake3::Hash) -> Option<Arc<NodeOutputs>> {
        self.lock().get(key).cloned()
    }

    /// Keeps outputs; more than the whole budget is not kept.
    pub fn keep(&self, key: blake3::Hash, outputs: Arc<NodeOutputs>) {
        self.lock().insert(key, outputs);
    }

    /// Lets go of outputs that hold an object, which may keep a model's weights alive.
    pub fn forget_objects(&self) {
        self.lock().retain(|_, outputs| outputs.iter().all(|(_, value)| value.as_object().is_none()));
    }

    pub fn bytes(&self) -> u64 {
        self.lock().weight()
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Cache<blake3::Hash, Arc<NodeOutputs>, ByBytes>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use mgie_plugin_api::{Tensor, kind};

    fn outputs(floats: usize) -> Arc<NodeOutputs> {
        let tensor = Tensor::from_f32([floats], vec![0.0; floats]).unwrap();
        Arc::new(vec![("out".to_owned(), Value::tensor(kind::TENSOR, serde_json::json!({}), tensor))])
    }

    fn key(number: u32) -> blake3::Hash {
        blake3::hash(&number.to_le_bytes())
    }

    #[test]
    fn the_budget_is_never_passed_and_a_value_above_it_is_not_kept() {
        let cache = ValueCache::new(1 << 20);
        for number in 0..100 {
            cache.keep(key(number), outputs(25_000));
            assert!(cache.bytes() <= 1 << 20, "{}", cache.bytes());
        }
        assert!(cache.bytes() > 800_000, "the budget is made use of: {}", cache.bytes());
        cache.keep(key(1000), outputs(1 << 20));
        assert!(cache.get(&key(1000)).is_none());
        assert!(cache.bytes() > 800_000, "what was there stays: {}", cache.bytes());
    }

    #[test]
    fn a_few_values_that_fill_the_budget_are_all_kept() {
        let cache = ValueCache::new(4 * (400_000 + 1000));
        for number in 0..4 {
            cache.keep(key(number), outputs(100_000));
        }
        let kept = (0..4).filter(|number| cache.get(&key(*number)).is_some()).count();
        assert_eq!(kept, 4);
    }
}
