//! Why an instruction was not expanded: one type for the whole crate; the node turns it into a failure that names
//! socket, parameter or file.

use mgie_weights::WeightsError;

/// Why an instruction was not expanded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExpandError {
    /// A checkpoint, config or tokenizer file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A tensor operation: not enough memory, a device that went away.
    #[error("{0}")]
    Compute(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The prompt has more tokens than the model has positions.
    #[error(
        "the prompt has {tokens} tokens ({image} of them the picture's), the model has {limit} positions; shorten the \
         instruction by about {} tokens", tokens - limit
    )]
    PromptTooLong {
        /// Tokens found.
        tokens: usize,
        /// How many of them stand for the picture.
        image: usize,
        /// `max_position_embeddings`.
        limit: usize,
    },
    /// The instruction contains a token that marks where a picture stands.
    #[error("the instruction contains `{0}`, which marks where the picture stands in the prompt; leave it out")]
    ImageTokenInInstruction(&'static str),
    /// An answer to train on contains a token with a meaning of its own.
    #[error("the answer {answer:?} contains `{token}`, which has a meaning of its own there; leave it out")]
    MarkInAnswer {
        /// The token.
        token: String,
        /// The answer.
        answer: String,
    },
    /// CLIP features of another width than the projector was trained on, or none at all.
    #[error("expected features [patches, {expected}], found {found:?}")]
    Features {
        /// The projector's input width.
        expected: usize,
        /// The shape given.
        found: Vec<usize>,
    },
    /// NaN or infinity came out of the model.
    #[error("the model's {what} at token {token} are not finite")]
    NotFinite {
        /// What was looked at.
        what: &'static str,
        /// Its place in the sequence.
        token: usize,
    },
    /// A sequence that cannot hold eight visual tokens.
    #[error("the sequence of {0} tokens is too short to hold eight visual tokens")]
    SequenceTooShort(usize),
}

impl From<candle_core::Error> for ExpandError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(error.to_string())
    }
}
