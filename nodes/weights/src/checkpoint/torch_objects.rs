//! The few Python objects that a PyTorch checkpoint is made of: storages by persistent id, tensors rebuilt over them,
//! ordered dictionaries. Everything else that a pickle can name is refused.
//!
//! Sources: `torch/_utils.py` (`_rebuild_tensor_v2`, `_rebuild_parameter`), `torch/serialization.py` (`persistent_id`).

use super::heap::{Heap, PickleError, Pickled, Value, malformed};
use crate::element::StoredType;
use std::rc::Rc;

/// Dimensions a tensor may have.
const RANK_LIMIT: usize = 16;

/// Containers within containers that names are built through.
const DEPTH_LIMIT: usize = 16;

/// Containers and tensors that names are built for.
const NAME_LIMIT: usize = 1_000_000;

/// Bytes of all names together; a thousand tensors have 50 kB.
const NAMES_LIMIT: usize = 64 << 20;

/// The dictionaries of a training checkpoint whose names stand for themselves.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "module"];

/// A Python object that a checkpoint may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict` and `dict`.
    Dict,
    /// `list`, `tuple`, `set`, `frozenset`, `torch.Size`.
    Sequence,
    /// `torch.FloatStorage` and its kin; `None` for untyped storages, whose elements are bytes.
    StorageClass(Option<StoredType>),
    /// `torch.float16` and its kin.
    Dtype(StoredType),
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`, which names the element type itself.
    RebuildTensorV3,
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`: their first argument is the tensor.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: a function, a class, the function's arguments, attributes.
    RebuildFromType,
    /// `torch.Tensor` and `Parameter`, as an argument of the former.
    TensorClass,
    /// A constructor of something that no tensor depends on: a device, bytes.
    Plain,
}

impl Global {
    /// Looks up `module.name`; anything that is not on the list is refused.
    pub(super) fn named(module: &str, name: &str) -> Pickled<Self> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Self::Dict,
            ("builtins" | "__builtin__", "list" | "tuple" | "set" | "frozenset") | ("torch", "Size") => Self::Sequence,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildFromType,
            ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => Self::TensorClass,
            ("torch", "device") | ("_codecs", "encode") => Self::Plain,
            ("torch" | "torch.storage", "UntypedStorage" | "_UntypedStorage") => Self::StorageClass(None),
            ("torch", _) => {
                if let Some(dtype) = StoredType::of_torch_storage(name) {
                    Self::StorageClass(Some(dtype))
                } else if let Some(dtype) = StoredType::of_torch_dtype(name) {
                    Self::Dtype(dtype)
                } else {
                    return Err(PickleError::Refused(format!("{module}.{name}")));
                }
            }
            _ => return Err(PickleError::Refused(format!("{module}.{name}"))),
        })
    }
}

/// Raw elements that lie beside the pickle under a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Storage {
    /// The name of the entry under `data/`.
    pub(super) key: Rc<str>,
    /// `None` for an untyped storage.
    pub(super) dtype: Option<StoredType>,
    /// In elements; in bytes for an untyped storage.
    pub(super) length: usize,
}

/// A tensor over a storage, in elements; every element it can reach lies within the storage's stated length.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) key: Rc<str>,
    pub(super) dtype: StoredType,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// `None` where row-major contiguous.
    pub(super) strides: Option<Vec<usize>>,
    /// Elements from `offset` to the last one reached.
    pub(super) reach: usize,
}

impl Heap {
    /// The storage of a persistent id: `("storage", class, key, location, length)`.
    pub(super) fn storage(&mut self, id: &Value) -> Pickled<Value> {
        let Some(
            [
                Value::Text(kind),
                Value::Global(Global::StorageClass(dtype)),
                Value::Text(key),
                _,
                Value::Int(length),
                ..,
            ],
        ) = self.items(id)
        else {
            return malformed("refers to something outside of it that is not a tensor's storage");
        };
        let Ok(length) = usize::try_from(*length) else {
            return malformed("has a storage of negative length");
        };
        if kind.as_ref() != "storage" {
            return malformed("refers to something outside of it that is not a tensor's storage");
        }
        let storage = Storage { key: Rc::clone(key), dtype: *dtype, length };
        self.count(1)?;
        self.storages.push(storage);
        Ok(Value::Storage(self.storages.len() - 1))
    }

    /// What a call of `global` makes; it has no effect but that.
    pub(super) fn call(&mut self, global: Global, arguments: &Value) -> Pickled<Value> {
        let Some(given) = self.items(arguments).map(<[Value]>::to_vec) else {
            return malformed("calls a function without a tuple of arguments");
        };
        self.count(given.len())?;
        match global {
            Global::Dict => match given.as_slice() {
                [] => self.dict(Vec::new()),
                [Value::Dict(i)] => Ok(Value::Dict(*i)),
                // Protocol 2 of Python 2 writes the entries as a list of pairs.
                [entries @ Value::Sequence(_)] => {
                    let mut pairs = Vec::new();
                    for entry in self.items(entries).unwrap_or_default() {
                        let Some([key, value]) = self.items(entry) else {
                            return malformed("has a dictionary made of something else than pairs");
                        };
                        pairs.push((key.clone(), value.clone()));
                    }
                    self.dict(pairs)
                }
                _ => malformed("has a dictionary made of something else than pairs"),
            },
            Global::Sequence => match given.as_slice() {
                [] => self.sequence(Vec::new()),
                [made @ Value::Sequence(_)] => Ok(made.clone()),
                _ => malformed("has a list made of something that is none"),
            },
            Global::RebuildTensor => match given.as_slice() {
                [storage, offset, shape, strides, ..] => self.tensor(storage, None, offset, shape, strides),
                _ => malformed("rebuilds a tensor from too few arguments"),
            },
            Global::RebuildTensorV3 => match given.as_slice() {
                [storage, offset, shape, strides, _, _, Value::Global(Global::Dtype(dtype)), ..] => {
                    self.tensor(storage, Some(*dtype), offset, shape, strides)
                }
                _ => malformed("rebuilds a tensor from too few arguments"),
            },
            Global::RebuildParameter => match given.as_slice() {
                [tensor @ Value::Tensor(_), ..] => Ok(tensor.clone()),
                _ => malformed("rebuilds a parameter from something that is not a tensor"),
            },
            Global::RebuildFromType => match given.as_slice() {
                [
                    Value::Global(inner @ (Global::RebuildTensor | Global::RebuildTensorV3 | Global::RebuildParameter)),
                    Value::Global(Global::TensorClass),
                    inner_arguments,
                    ..,
                ] => self.call(*inner, inner_arguments),
                _ => malformed("rebuilds a tensor of an unknown kind"),
            },
            Global::Plain => Ok(Value::Plain),
            Global::StorageClass(_) | Global::Dtype(_) | Global::TensorClass => {
                malformed("calls a class that makes no tensor")
            }
        }
    }

    fn tensor(
        &mut self,
        storage: &Value,
        dtype: Option<StoredType>,
        offset: &Value,
        shape: &Value,
        strides: &Value,
    ) -> Pickled<Value> {
        let storage = match storage {
            Value::Storage(i) => self.storages.get(*i),
            _ => None,
        };
        let Some(storage) = storage else {
            return malformed("has a tensor over something that is not a storage");
        };
        let Some(dtype) = dtype.or(storage.dtype) else {
            return malformed("has a tensor of unknown element type");
        };
        let length = match storage.dtype {
            Some(stored) => storage.length.saturating_mul(stored.size()) / dtype.size(),
            None => storage.length / dtype.size(),
        };
        let (Some(offset), Some(shape), Some(strides)) = (size(offset), self.sizes(shape), self.sizes(strides)) else {
            return malformed("has a tensor whose shape is not made of sizes");
        };
        if shape.len() != strides.len() {
            return malformed(format!("has a tensor with shape {shape:?} and strides {strides:?}"));
        }
        let reach = reach(&shape, &strides);
        let inside = reach.and_then(|reach| reach.checked_add(offset)).is_some_and(|end| end <= length);
        let (Some(reach), true) = (reach, inside) else {
            return malformed(format!(
                "has a tensor of shape {shape:?} and strides {strides:?} that reaches beyond its {length} elements"
            ));
        };
        let tensor = Tensor {
            key: Rc::clone(&storage.key),
            dtype,
            offset,
            strides: (!is_contiguous(&shape, &strides)).then_some(strides),
            shape,
            reach,
        };
        self.count(1 + 2 * tensor.shape.len())?;
        self.tensors.push(tensor);
        Ok(Value::Tensor(self.tensors.len() - 1))
    }

    fn sizes(&self, value: &Value) -> Option<Vec<usize>> {
        let items = self.items(value).filter(|items| items.len() <= RANK_LIMIT)?;
        items.iter().map(size).collect()
    }

    /// Every tensor that the root value holds, with its dotted name. A lone tensor is called `value`.
    pub(super) fn named_tensors(&self, root: &Value) -> Pickled<Vec<(String, &Tensor)>> {
        let mut named = Vec::new();
        let (mut visits, mut letters) = (0_usize, 0_usize);
        let mut open = vec![(String::new(), root.clone(), 0_usize)];
        while let Some((name, value, depth)) = open.pop() {
            visits += 1;
            letters += name.len();
            if visits > NAME_LIMIT || letters > NAMES_LIMIT || depth > DEPTH_LIMIT {
                return malformed("nests containers too deeply or too often");
            }
            match value {
                Value::Tensor(i) => {
                    if let Some(tensor) = self.tensors.get(i) {
                        let name = if name.is_empty() { "value" } else { &name };
                        named.push((name.to_string(), tensor));
                    }
                }
                Value::Dict(i) => {
                    for (key, value) in self.dicts.get(i).map_or(&[][..], Vec::as_slice) {
                        let part = match key {
                            Value::Text(key) => key.to_string(),
                            Value::Int(key) => key.to_string(),
                            _ => continue,
                        };
                        let wrapper =
                            depth == 0 && WRAPPERS.contains(&part.as_str()) && matches!(value, Value::Dict(_));
                        let part = if wrapper { "" } else { part.as_str() };
                        if holds_tensors(value) {
                            open.push((join(&name, part), value.clone(), depth + 1));
                        }
                    }
                }
                Value::Sequence(i) => {
                    let items = self.sequences.get(i).map_or(&[][..], Vec::as_slice);
                    for (i, value) in items.iter().enumerate() {
                        if holds_tensors(value) {
                            open.push((join(&name, &i.to_string()), value.clone(), depth + 1));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(named)
    }
}

/// Whether a value is a tensor or may contain one.
fn holds_tensors(value: &Value) -> bool {
    matches!(value, Value::Tensor(_) | Value::Dict(_) | Value::Sequence(_))
}

fn join(name: &str, part: &str) -> String {
    match (name.is_empty(), part.is_empty()) {
        (true, _) => part.to_string(),
        (_, true) => name.to_string(),
        _ => format!("{name}.{part}"),
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

/// Elements from the first to just after the last that shape and strides reach; `None` on overflow.
fn reach(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let mut last = 0_usize;
    for (size, stride) in shape.iter().zip(strides) {
        last = last.checked_add((size - 1).checked_mul(*stride)?)?;
    }
    last.checked_add(1)
}

/// Whether elements lie one after the other in row-major order; strides of axes of one element do not matter.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    for (size, stride) in shape.iter().zip(strides).rev() {
        if *size != 1 && *stride != expected {
            return shape.contains(&0);
        }
        expected = expected.saturating_mul(*size);
    }
    true
}
