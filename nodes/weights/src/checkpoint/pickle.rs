//! Python's pickle machine, cut down to what a checkpoint needs: it can push numbers, strings and plain containers,
//! and it hands the few objects that PyTorch writes to [`super::torch_objects`]. It cannot call anything: a name that
//! is not on that short list ends the reading with the name in the error.
//!
//! Opcodes are those of CPython's `Lib/pickle.py`, protocols 0 to 5.

use super::heap::{Heap, OBJECT_LIMIT, PickleError, Pickled, Value, malformed};
use super::torch_objects::Global;
use std::collections::HashMap;
use std::rc::Rc;

/// A pickle longer than this holds more than the structure of a checkpoint; its tensors lie outside of it.
pub(super) const LENGTH_LIMIT: usize = 64 << 20;

/// Containers that may be open at once; PyTorch's nest five deep.
const MARK_LIMIT: usize = 10_000;

/// Runs a pickle to its STOP and returns its value with everything it made.
pub(super) fn read(bytes: &[u8]) -> Pickled<(Value, Heap)> {
    if bytes.len() > LENGTH_LIMIT {
        return malformed(format!("its pickle is {} bytes long", bytes.len()));
    }
    let mut machine =
        Machine { bytes, at: 0, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new(), heap: Heap::default() };
    loop {
        if let Some(value) = machine.step()? {
            return Ok((value, machine.heap));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack at each MARK that is still open.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    heap: Heap,
}

impl Machine<'_> {
    /// Does one opcode; the final value at STOP.
    fn step(&mut self) -> Pickled<Option<Value>> {
        let opcode = self.byte()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            // PROTO; FRAME: nothing to do, the whole pickle is in memory.
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return malformed(format!("is of pickle protocol {protocol}"));
                }
            }
            0x95 => {
                self.take(8)?;
            }
            b'(' => self.mark()?,
            b'0' => {
                // POP takes the mark where that is the topmost thing.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.top()?.clone();
                self.push(top)?;
            }
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' | b'K' | b'M' | 0x8a | 0x8b | b'I' | b'L' => self.integer(opcode)?,
            b'F' => {
                self.line()?;
                self.push(Value::Plain)?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Plain)?;
            }
            b'X' | 0x8c | 0x8d | b'U' | b'T' => {
                let length = match opcode {
                    0x8c | b'U' => usize::from(self.byte()?),
                    0x8d => self.length(8)?,
                    _ => self.length(4)?,
                };
                let text = self.take(length)?;
                let Ok(text) = std::str::from_utf8(text) else {
                    return malformed("holds a string that is not UTF-8");
                };
                let text = Rc::from(text);
                self.push(Value::Text(text))?;
            }
            b'B' | b'C' | 0x8e | 0x96 => {
                let length = match opcode {
                    b'C' => usize::from(self.byte()?),
                    b'B' => self.length(4)?,
                    _ => self.length(8)?,
                };
                self.take(length)?;
                self.push(Value::Plain)?;
            }
            b')' | b']' | 0x8f => {
                let empty = self.heap.sequence(Vec::new())?;
                self.push(empty)?;
            }
            b't' | b'l' | 0x91 => {
                let items = self.pop_mark()?;
                let sequence = self.heap.sequence(items)?;
                self.push(sequence)?;
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x85..=opcode {
                    items.push(self.pop()?);
                }
                items.reverse();
                let tuple = self.heap.sequence(items)?;
                self.push(tuple)?;
            }
            b'}' => {
                let empty = self.heap.dict(Vec::new())?;
                self.push(empty)?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                let dict = self.heap.dict(pairs(items)?)?;
                self.push(dict)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_sequence(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend_sequence(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(items)?;
            }
            b'q' => {
                let slot = u64::from(self.byte()?);
                self.remember(slot)?;
            }
            b'r' => {
                let slot = self.unsigned(4)?;
                self.remember(slot)?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' => {
                let slot = u64::from(self.byte()?);
                self.recall(slot)?;
            }
            b'j' => {
                let slot = self.unsigned(4)?;
                self.recall(slot)?;
            }
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let global = Global::named(&module, &name)?;
                self.push(Value::Global(global))?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) = (name, module) else {
                    return malformed("names an object by something other than strings");
                };
                let global = Global::named(&module, &name)?;
                self.push(Value::Global(global))?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.heap.storage(&id)?;
                self.push(storage)?;
            }
            // REDUCE and NEWOBJ: a callable and its arguments.
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let Value::Global(global) = self.pop()? else {
                    return malformed("calls something that is not a function");
                };
                let made = self.heap.call(global, &arguments)?;
                self.push(made)?;
            }
            // BUILD: attributes of an object, such as a state dict's `_metadata`; no tensor lies in them.
            b'b' => {
                self.pop()?;
                let object = self.top()?;
                if !matches!(object, Value::Dict(_) | Value::Tensor(_)) {
                    return malformed("sets attributes of something that has none");
                }
            }
            // INST names its class in the stream, like GLOBAL.
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                return Err(PickleError::Refused(format!("{module}.{name}")));
            }
            b'o' => return Err(PickleError::Refused("an old-style object".into())),
            b'P' | 0x82..=0x84 | 0x92 | 0x97 | 0x98 => {
                let name = match opcode {
                    b'P' => "PERSID",
                    0x92 => "NEWOBJ_EX",
                    0x97 | 0x98 => "an out-of-band buffer",
                    _ => "the extension registry",
                };
                return Err(PickleError::Refused(name.into()));
            }
            _ => return malformed(format!("has the unknown opcode 0x{opcode:02x}")),
        }
        Ok(None)
    }

    fn integer(&mut self, opcode: u8) -> Pickled<()> {
        let value = match opcode {
            b'J' => Value::Int(i64::from(self.unsigned(4)? as u32 as i32)),
            b'K' => Value::Int(i64::from(self.byte()?)),
            b'M' => Value::Int(self.unsigned(2)? as i64),
            // LONG1 and LONG4: two's complement, as many bytes as it takes.
            0x8a | 0x8b => {
                let length = match opcode {
                    0x8a => usize::from(self.byte()?),
                    _ => self.length(4)?,
                };
                let digits = self.take(length)?;
                if length > 8 {
                    Value::Plain
                } else {
                    let negative = digits.last().is_some_and(|byte| byte & 0x80 != 0);
                    let mut whole = [if negative { 0xff } else { 0 }; 8];
                    for (to, from) in whole.iter_mut().zip(digits) {
                        *to = *from;
                    }
                    Value::Int(i64::from_le_bytes(whole))
                }
            }
            // Protocol 0: decimal digits in a line; `01` and `00` are booleans.
            _ => match self.line()?.trim_end_matches('L') {
                "01" if opcode == b'I' => Value::Bool(true),
                "00" if opcode == b'I' => Value::Bool(false),
                digits => match digits.parse() {
                    Ok(number) => Value::Int(number),
                    Err(_) => return malformed("holds a number that is none"),
                },
            },
        };
        self.push(value)
    }

    fn byte(&mut self) -> Pickled<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => malformed("ends in the middle"),
        }
    }

    fn take(&mut self, length: usize) -> Pickled<&[u8]> {
        let end = self.at.saturating_add(length);
        match self.bytes.get(self.at..end) {
            Some(taken) => {
                self.at = end;
                Ok(taken)
            }
            None => malformed("ends in the middle"),
        }
    }

    /// A little-endian number of 2, 4 or 8 bytes.
    fn unsigned(&mut self, width: usize) -> Pickled<u64> {
        let mut whole = [0; 8];
        for (to, from) in whole.iter_mut().zip(self.take(width)?) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(whole))
    }

    fn length(&mut self, width: usize) -> Pickled<usize> {
        Ok(usize::try_from(self.unsigned(width)?).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Pickled<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return malformed("ends in the middle");
        };
        let line = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.at += 1;
        Ok(line)
    }

    fn push(&mut self, value: Value) -> Pickled<()> {
        if self.stack.len() >= OBJECT_LIMIT {
            return malformed(format!("keeps more than {OBJECT_LIMIT} objects on its stack"));
        }
        self.stack.push(value);
        Ok(())
    }

    /// Opens a container.
    fn mark(&mut self) -> Pickled<()> {
        if self.marks.len() >= MARK_LIMIT {
            return malformed(format!("opens more than {MARK_LIMIT} containers at once"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// The height that may not be popped below.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Pickled<Value> {
        if self.stack.len() <= self.floor() {
            return malformed("takes from an empty stack");
        }
        match self.stack.pop() {
            Some(value) => Ok(value),
            None => malformed("takes from an empty stack"),
        }
    }

    fn top(&self) -> Pickled<&Value> {
        match self.stack.get(self.floor()..).and_then(<[Value]>::last) {
            Some(value) => Ok(value),
            None => malformed("takes from an empty stack"),
        }
    }

    /// Everything above the last mark, which goes with it.
    fn pop_mark(&mut self) -> Pickled<Vec<Value>> {
        match self.marks.pop() {
            Some(height) if height <= self.stack.len() => Ok(self.stack.split_off(height)),
            _ => malformed("closes a container that was not opened"),
        }
    }

    fn extend_sequence(&mut self, mut items: Vec<Value>) -> Pickled<()> {
        let Value::Sequence(i) = *self.top()? else {
            return malformed("appends to something that is not a list");
        };
        self.heap.count(items.len())?;
        if let Some(list) = self.heap.sequences.get_mut(i) {
            list.append(&mut items);
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: Vec<Value>) -> Pickled<()> {
        let Value::Dict(i) = *self.top()? else {
            return malformed("sets an entry of something that is not a dictionary");
        };
        let mut entries = pairs(items)?;
        self.heap.count(entries.len())?;
        if let Some(dict) = self.heap.dicts.get_mut(i) {
            dict.append(&mut entries);
        }
        Ok(())
    }

    fn remember(&mut self, slot: u64) -> Pickled<()> {
        let value = self.top()?.clone();
        if self.memo.len() >= OBJECT_LIMIT {
            return malformed(format!("remembers more than {OBJECT_LIMIT} objects"));
        }
        self.memo.insert(slot, value);
        Ok(())
    }

    fn recall(&mut self, slot: u64) -> Pickled<()> {
        match self.memo.get(&slot) {
            Some(value) => {
                let value = value.clone();
                self.push(value)
            }
            None => malformed("refers to an object that it has not made"),
        }
    }
}

/// Keys and values, alternating, as pairs.
fn pairs(items: Vec<Value>) -> Pickled<Vec<(Value, Value)>> {
    if !items.len().is_multiple_of(2) {
        return malformed("has a dictionary with a key and no value");
    }
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    Ok(pairs)
}
