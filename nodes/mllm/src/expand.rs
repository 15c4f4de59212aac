//! Node `mllm.expand`: CLIP features and an instruction → the expressive instruction, and what the edit head needs of the
//! language model that wrote it.

use crate::error::ExpandError;
use crate::expressive::expressive_instruction;
use crate::generate::{Onlooker, Rules};
use crate::llava::Llava;
use mgie_plugin_api::{
    Domain, Failure, Level, NodeDefinition, NodeDescription, Outputs, Run, Tensor, Value, kind, serde_json::json,
};
use mgie_weights::device::{self, Layers};
use mgie_weights::loaded::{Key, Loaded};
use mgie_weights::{WeightsError, pool, wire};

static LOADED: Loaded<Llava> = Loaded::new();

/// The node.
pub fn definition() -> NodeDefinition {
    NodeDefinition::new(description(), |run| pool::with_threads(run.threads(), || expand(run)))
}

fn description() -> NodeDescription {
    let model = |default: &str, optional| Domain::Model { default: default.into(), optional };
    let description = NodeDescription::new(
        "mllm.expand",
        "Expand instruction",
        "MGIE",
        "Lets LLaVA look at the picture and write out what the instruction asks for, and hands on the visual tokens \
         with which it ends.",
    )
    .optional_input("features", "Features", kind::CLIP_FEATURES, "CLIP's features of the picture.")
    .input("instruction", "Instruction", kind::TEXT, "What to change, in a few words.")
    .parameter("model", "Model", model("LLaVA-7B-v1", false), "A LLaVA folder.")
    .parameter(
        "weights",
        "Weights",
        model("mgie_7b/mllm.pt", true),
        "MGIE's weights over it; may be empty for a LLaVA that has [IMG] tokens of its own.",
    )
    .parameter(
        "sees_picture",
        "Sees the picture",
        Domain::Boolean { default: true },
        "Off, the model answers without a picture, as the paper's baseline LGIE does.",
    )
    .parameter(
        "max_new_tokens",
        "Most new tokens",
        Domain::Integer { default: 96, hard: [1, 4096], soft: [16, 256] },
        "Where the answer is cut off if it does not end by itself.",
    )
    .unit("tokens")
    .parameter(
        "no_repeat_ngram",
        "No repeated n-grams",
        Domain::Integer { default: 3, hard: [0, 64], soft: [0, 8] },
        "No run of so many tokens comes twice in prompt and answer together; 0 allows any.",
    )
    .unit("tokens");
    let about_dtype = "auto is f32 on the CPU and f16 on a GPU. On the CPU, half precision saves memory, not time.";
    device::with_parameters(description, about_dtype)
        .output("text", "Text", kind::TEXT, "The expressive instruction as people read it; may be empty.")
        .output(
            "raw_text",
            "Raw text",
            kind::TEXT,
            "Everything that the model read and wrote, special tokens included.",
        )
        .output("token_ids", "Token ids", kind::TOKENS, "Prompt and answer.")
        .output("visual_tokens", "Visual tokens", kind::VISUAL_TOKENS, "The states that predict [IMG0] … [IMG7].")
        .shaped(&[Some(8), None])
        .output("img_embeddings", "[IMG] embeddings", kind::IMG_EMBEDDINGS, "Input embeddings of [IMG0] … [IMG7].")
        .shaped(&[Some(8), None])
}

fn expand(run: &Run) -> Result<Outputs, Failure> {
    let folder = run.path("model")?;
    let mllm = run.optional_path("weights")?;
    let (max_new_tokens, no_repeat_ngram) = (run.count("max_new_tokens")?.max(1), run.count("no_repeat_ngram")?);
    let instruction = run.text("instruction")?;
    let features = if run.boolean("sees_picture")? { Some(features(run)?) } else { None };
    let device = device::device(run.string("device")?)?;
    let dtype = device::dtype(run.string("dtype")?, &device, Layers::Linear)?;
    run.ran_on(&device::name(&device));
    let mut paths = vec![folder.as_path()];
    paths.extend(mllm.as_deref());
    let key = Key::of(&paths, dtype, &device)?;
    let llava = LOADED.get_or_load(key, || Llava::load(&folder, mllm.as_deref(), dtype, &device, run))?;

    let features = match features {
        Some(features) => {
            warn_of_another_layer(run, &llava)?;
            Some(wire::to_candle(features, llava.device())?)
        }
        None => None,
    };
    let rules = Rules { max_new_tokens, no_repeat_ngram, eos: llava.config().eos.clone() };
    let mut onlooker = NodeOnlooker { run, llava: &llava, most: max_new_tokens };
    let expansion = llava.expand(features.as_ref(), instruction, &rules, &mut onlooker)?;

    let ids = &expansion.sequence;
    let raw_text = llava.tokenizer().decode(ids);
    let header = json!({ "prompt_length": expansion.prompt_length, "pieces": llava.tokenizer().pieces(ids) });
    let ids = Tensor::from_vec([ids.len()], ids.iter().map(|id| i64::from(*id)).collect())?;
    let visual_tokens = wire::from_candle(&expansion.visual_tokens)?;
    if !visual_tokens.is_finite()? {
        return Err(ExpandError::NotFinite { what: "hidden states", token: expansion.sequence.len() }.into());
    }
    let img_embeddings = wire::from_candle(llava.img_embeddings())?;
    Ok(Outputs::new()
        .with("text", Value::text(expressive_instruction(&raw_text)))
        .with("raw_text", Value::text(raw_text))
        .with("token_ids", Value::tensor(kind::TOKENS, header, ids))
        .with("visual_tokens", Value::tensor(kind::VISUAL_TOKENS, json!({}), visual_tokens))
        .with("img_embeddings", Value::tensor(kind::IMG_EMBEDDINGS, json!({}), img_embeddings)))
}

fn features(run: &Run) -> Result<&Tensor, Failure> {
    if run.optional("features").is_none() {
        return Err(Failure::input("features", "CLIP's features of the picture", "nothing")
            .remedy("wire clip.encode_image into it, or switch `sees_picture` off"));
    }
    let features = run.tensor("features")?;
    if !features.is_finite()? {
        return Err(Failure::input("features", "finite numbers", "NaN or infinity"));
    }
    Ok(features)
}

/// The projector was trained on one layer of CLIP; another is allowed, but is hardly ever meant.
fn warn_of_another_layer(run: &Run, llava: &Llava) -> Result<(), Failure> {
    let found = run.value("features")?.header().get("layer").and_then(serde_json::Value::as_i64);
    if let (Some(trained), Some(found)) = (llava.config().vision_layer, found)
        && trained != found
    {
        let message = format!("features are of CLIP's layer {found}; this LLaVA was trained on layer {trained}");
        run.log(Level::Warn, &message);
    }
    Ok(())
}

/// Shows the host how far the answer is, and what it says so far.
struct NodeOnlooker<'a> {
    run: &'a Run,
    llava: &'a Llava,
    most: usize,
}

impl Onlooker for NodeOnlooker<'_> {
    fn cancelled(&self) -> bool {
        self.run.cancelled()
    }

    fn reading(&mut self, done: usize, total: usize) {
        self.run.progress(done as u64, total as u64, "reading the prompt");
    }

    fn wrote(&mut self, sequence: &[u32], prompt_length: usize) {
        let written = sequence.len().saturating_sub(prompt_length);
        self.run.progress(written as u64, self.most as u64, "writing");
        if self.run.wants_preview() {
            self.run.preview(Value::text(expressive_instruction(&self.llava.tokenizer().decode(sequence))));
        }
    }
}

impl From<ExpandError> for Failure {
    fn from(error: ExpandError) -> Self {
        let message = error.to_string();
        match error {
            ExpandError::Weights(error) => error.into(),
            ExpandError::Compute(message) => WeightsError::compute(message).into(),
            ExpandError::Cancelled => Self::cancelled(),
            ExpandError::PromptTooLong { tokens, image, limit } => {
                let expected = format!("a prompt of at most {limit} tokens, which the model has positions for");
                let found = format!("{tokens} tokens, {image} of them the picture's");
                let remedy = format!("shorten the instruction by at least {} tokens", tokens.saturating_sub(limit));
                Self::input("instruction", expected, found).remedy(remedy)
            }
            ExpandError::ImageTokenInInstruction(token) => {
                let expected = "text without the tokens that mark where the picture stands in the prompt";
                Self::input("instruction", expected, format!("`{token}`")).remedy("leave it out")
            }
            ExpandError::Features { expected, found } => {
                let expected = format!("[patches, {expected}], the width that this LLaVA was trained with");
                Self::input("features", expected, format!("{found:?}"))
                    .remedy("encode the picture with the CLIP that the LLaVA's config.json names in `mm_vision_tower`")
            }
            // Answers are given in training only.
            ExpandError::MarkInAnswer { .. } => Self::failed(message),
            ExpandError::NotFinite { .. } => Self::failed(message).remedy("set dtype to f32 or bf16"),
            ExpandError::SequenceTooShort(_) => Self::failed(message),
        }
    }
}
