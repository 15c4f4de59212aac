//! When two values are one and the same: what was made of a value (a texture, statistics) is kept until another one comes.

use mgie_plugin_api::Value;
use std::hash::{Hash, Hasher};

/// A value as a key. Two are equal where they are clones of one value; equal contents do not count, as comparing them
/// would take longer than a frame. It keeps the value alive, so that its place in memory stays its own.
#[derive(Clone, Debug)]
pub struct Identity(Value);

impl Identity {
    /// The identity of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(value.clone())
    }

    /// Whether it is that value's.
    #[must_use]
    pub fn is(&self, value: &Value) -> bool {
        // Every value has a header of its own, which its clones share.
        std::ptr::eq(self.0.header(), value.header())
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.0.header(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_are_the_same_value_and_equal_ones_are_not() {
        let value = Value::text("a");
        assert_eq!(Identity::of(&value), Identity::of(&value.clone()));
        assert_ne!(Identity::of(&value), Identity::of(&Value::text("a")));
    }
}
