//! Greedy generation as transformers' `generate(do_sample=False)` does it, keeping the hidden states of every position:
//! MGIE reads its visual tokens out of them.

use crate::error::ExpandError;
use crate::llama::Llama;
use crate::ngram::NoRepeatNgram;
use candle_core::Tensor;

/// When an answer ends, and what may not be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Most tokens of an answer, its end included; at least 1.
    pub max_new_tokens: usize,
    /// No run of so many tokens comes twice in prompt and answer together; 0 for no such rule.
    pub no_repeat_ngram: usize,
    /// The tokens that end an answer.
    pub eos: Vec<u32>,
}

/// Who looks on while an answer is made.
pub trait Onlooker {
    /// Whether to stop; asked before every layer of every pass.
    fn cancelled(&self) -> bool;
    /// The prompt is being read and is at layer `done` of `total`.
    fn reading(&mut self, _done: usize, _total: usize) {}
    /// A token was added: all tokens so far, of which the first `prompt_length` are the prompt's.
    fn wrote(&mut self, _sequence: &[u32], _prompt_length: usize) {}
}

/// A finished sequence.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Prompt and answer; the answer ends with the token that ended it, unless it ran into the limit.
    pub sequence: Vec<u32>,
    /// How many of them are the prompt's.
    pub prompt_length: usize,
    /// The hidden states after the final norm, [len(sequence) − 1, hidden]: the last token is never fed back.
    pub hidden: Tensor,
}

/// Goes on from a prompt, its ids in `prompt` and its input embeddings [len(prompt), hidden] in `embeddings` (they are
/// not the ids' own where a picture stands).
///
/// # Errors
/// Cancelled; not enough memory or a failing device; logits that are not finite.
pub fn generate(
    llama: &Llama,
    prompt: &[u32],
    embeddings: &Tensor,
    rules: &Rules,
    onlooker: &mut dyn Onlooker,
) -> Result<Generated, ExpandError> {
    let layers = llama.config().layers;
    let longest = prompt.len() + rules.max_new_tokens;
    let mut cache = llama.cache(longest)?;
    let mut rule = NoRepeatNgram::new(rules.no_repeat_ngram, prompt);
    let mut sequence = prompt.to_vec();
    let mut hidden = Vec::with_capacity(rules.max_new_tokens);
    let mut input = embeddings.clone();
    loop {
        let reading = sequence.len() == prompt.len();
        let states = llama.forward(&input, &mut cache, |layer| {
            if reading {
                onlooker.reading(layer, layers);
            }
            if onlooker.cancelled() { Err(ExpandError::Cancelled) } else { Ok(()) }
        })?;
        let last = states.narrow(0, states.dim(0)? - 1, 1)?;
        let mut logits: Vec<f32> = llama.logits(&last)?.squeeze(0)?.to_vec1()?;
        hidden.push(states);
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(ExpandError::NotFinite { what: "logits", token: sequence.len() });
        }
        for id in rule.forbidden() {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let next = likeliest(&logits);
        sequence.push(next);
        rule.push(next);
        onlooker.wrote(&sequence, prompt.len());
        if rules.eos.contains(&next) || sequence.len() >= longest {
            break;
        }
        input = llama.embed(&[next])?;
    }
    Ok(Generated { sequence, prompt_length: prompt.len(), hidden: Tensor::cat(&hidden, 0)? })
}

/// The place of the largest logit, the first of equals as `torch.argmax` takes it.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in (0u32..).zip(logits) {
        if *logit > best.1 {
            best = (id, *logit);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn the_likeliest_token_is_the_first_of_equals() {
        assert_eq!(likeliest(&[0.0, 2.0, f32::NEG_INFINITY, 2.0]), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY; 3]), 0);
        assert_eq!(likeliest(&[]), 0);
    }
}
