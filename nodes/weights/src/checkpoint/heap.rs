//! What a pickle makes: values on the machine's stack, and the arena that their containers live in. Containers are
//! referred to by number, so that a list may hold itself and a nest of a million tuples is freed without recursion.

use super::torch_objects::{Global, Storage, Tensor};
use std::rc::Rc;

/// Containers and container entries that one pickle may make; a checkpoint of ten thousand tensors makes 200,000.
pub(super) const OBJECT_LIMIT: usize = 1_000_000;

/// Why a pickle was not read.
#[derive(Debug, PartialEq)]
pub(super) enum PickleError {
    /// Not a pickle, or a damaged or oversized one; a clause.
    Malformed(String),
    /// It names a Python object that a checkpoint has no need of.
    Refused(String),
}

/// A result of the machine.
pub(super) type Pickled<T> = Result<T, PickleError>;

/// Shorthand for a malformed pickle.
pub(super) fn malformed<T>(problem: impl Into<String>) -> Pickled<T> {
    Err(PickleError::Malformed(problem.into()))
}

/// A value on the machine's stack; containers by their number in the [`Heap`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Rc<str>),
    /// A list, tuple or set.
    Sequence(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
    /// A float, bytes, a device: a plain value that no tensor depends on.
    Plain,
}

/// What the machine has made.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub(super) sequences: Vec<Vec<Value>>,
    pub(super) dicts: Vec<Vec<(Value, Value)>>,
    pub(super) storages: Vec<Storage>,
    pub(super) tensors: Vec<Tensor>,
    made: usize,
}

impl Heap {
    /// Counts `n` new objects or entries against the limit.
    pub(super) fn count(&mut self, n: usize) -> Pickled<()> {
        self.made = self.made.saturating_add(n);
        if self.made > OBJECT_LIMIT {
            return malformed(format!("makes more than {OBJECT_LIMIT} objects"));
        }
        Ok(())
    }

    /// A new list, tuple or set.
    pub(super) fn sequence(&mut self, items: Vec<Value>) -> Pickled<Value> {
        self.count(1 + items.len())?;
        self.sequences.push(items);
        Ok(Value::Sequence(self.sequences.len() - 1))
    }

    /// A new dictionary.
    pub(super) fn dict(&mut self, entries: Vec<(Value, Value)>) -> Pickled<Value> {
        self.count(1 + entries.len())?;
        self.dicts.push(entries);
        Ok(Value::Dict(self.dicts.len() - 1))
    }

    /// The items of a list, tuple or set.
    pub(super) fn items(&self, value: &Value) -> Option<&[Value]> {
        match value {
            Value::Sequence(i) => self.sequences.get(*i).map(Vec::as_slice),
            _ => None,
        }
    }
}
