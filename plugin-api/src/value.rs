//! What flows on a wire: a kind, a small JSON header, and at most one body, a tensor or an object.

use crate::extension::Object;
use crate::tensor::{DType, Tensor};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// The kinds that the nodes of this repository exchange; third parties name theirs in reverse DNS (`org.example.mask`).
pub mod kind {
    /// Picture: f32 [height, width, channels], channels 1 (grey, mask), 3 (RGB) or 4 (RGBA, straight alpha). Values of
    /// 8- and 16-bit pictures are 0..1, encoded for display; 32-bit ones are linear light and unclamped. One channel is
    /// data (a mask) at any depth. Header: `bit_depth` 8, 16 or 32; with 8, every value is exactly n/255, so a node that
    /// changes values otherwise returns 16. It may hold `texts`, an object of texts by keyword, for a file that the
    /// picture is saved in.
    pub const IMAGE: &str = "image";
    /// Text; header: `text`. No body.
    pub const TEXT: &str = "text";
    /// A number; header: `number`. No body.
    pub const NUMBER: &str = "number";
    /// Token ids: i64 [n]; header: `prompt_length` (how many of them are the prompt's) and `pieces` (their texts).
    pub const TOKENS: &str = "tokens";
    /// CLIP patch features: f32 [patches, width]; header: `layer`, `grid` (rows, columns).
    pub const CLIP_FEATURES: &str = "clip.features";
    /// CLIP text features, last hidden state after the final norm: f32 [77, width].
    pub const CLIP_TEXT_FEATURES: &str = "clip.text_features";
    /// The MLLM's hidden states that predict `[IMG0]` … `[IMG7]`: f32 [8, hidden].
    pub const VISUAL_TOKENS: &str = "mgie.visual_tokens";
    /// Input embeddings of `[IMG0]` … `[IMG7]`: f32 [8, hidden].
    pub const IMG_EMBEDDINGS: &str = "mgie.img_embeddings";
    /// What the UNet attends to: f32 [tokens, width], 77 × 768 for Stable Diffusion 1.5.
    pub const CONDITIONING: &str = "sd.conditioning";
    /// Latents: f32 [4, height/8, width/8]; header: `space`, `image` (a VAE's mode, not scaled) or `sample` (scaled by
    /// `scaling`), and `scaling`.
    pub const LATENTS: &str = "sd.latents";
    /// A denoiser: an object with the extension [`crate::extension::id::DENOISER`]; header: `in_channels`,
    /// `out_channels`, `cross_attention_dim`, `prediction_type`.
    pub const DENOISER: &str = "sd.denoiser";
    /// Any tensor.
    pub const TENSOR: &str = "tensor";
    /// For input sockets only: whatever comes.
    pub const ANY: &str = "any";
}

/// What a value carries besides its header.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// Nothing: the header says it all.
    #[default]
    None,
    /// A tensor.
    Tensor(Tensor),
    /// An object with abilities by id.
    Object(Object),
}

/// A value on a wire. Cloning shares.
#[derive(Clone)]
pub struct Value {
    kind: Arc<str>,
    header: Arc<serde_json::Value>,
    body: Body,
}

impl Value {
    /// A value of any kind.
    pub fn new(kind: &str, header: serde_json::Value, body: Body) -> Self {
        Self { kind: kind.into(), header: Arc::new(header), body }
    }

    /// A picture; see [`kind::IMAGE`]. `bit_depth` is 8, 16 or 32.
    pub fn image(tensor: Tensor, bit_depth: u8) -> Self {
        Self::new(kind::IMAGE, json!({ "bit_depth": bit_depth }), Body::Tensor(tensor))
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(kind::TEXT, json!({ "text": text.into() }), Body::None)
    }

    /// A number.
    pub fn number(number: f64) -> Self {
        Self::new(kind::NUMBER, json!({ "number": number }), Body::None)
    }

    /// A tensor of that kind.
    pub fn tensor(kind: &str, header: serde_json::Value, tensor: Tensor) -> Self {
        Self::new(kind, header, Body::Tensor(tensor))
    }

    /// An object of that kind.
    pub fn object(kind: &str, header: serde_json::Value, object: Object) -> Self {
        Self::new(kind, header, Body::Object(object))
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its header.
    pub fn header(&self) -> &serde_json::Value {
        &self.header
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        (self.kind() == kind::TEXT).then(|| self.header.get("text")?.as_str()).flatten()
    }

    /// The number, where it is one.
    pub fn as_number(&self) -> Option<f64> {
        (self.kind() == kind::NUMBER).then(|| self.header.get("number")?.as_f64()).flatten()
    }

    /// The tensor, where the body is one.
    pub fn as_tensor(&self) -> Option<&Tensor> {
        if let Body::Tensor(tensor) = &self.body { Some(tensor) } else { None }
    }

    /// The object, where the body is one.
    pub fn as_object(&self) -> Option<&Object> {
        if let Body::Object(object) = &self.body { Some(object) } else { None }
    }

    /// The picture, where it is a well-formed one: f32 [height, width, 1 | 3 | 4].
    pub fn as_image(&self) -> Option<Image> {
        let tensor = self.as_tensor().filter(|t| self.kind() == kind::IMAGE && t.dtype() == DType::F32)?;
        let &[height, width, channels @ (1 | 3 | 4)] = tensor.shape() else {
            return None;
        };
        let bit_depth = self.header.get("bit_depth").and_then(serde_json::Value::as_u64).unwrap_or(32);
        let bit_depth = u8::try_from(bit_depth).ok().filter(|b| [8, 16, 32].contains(b))?;
        Some(Image { tensor: tensor.clone(), height, width, channels, bit_depth })
    }

    /// Bytes that the value keeps alive on the wire (an object counts as its header).
    pub fn byte_len(&self) -> usize {
        self.as_tensor().map_or(0, Tensor::byte_len) + self.header.to_string().len() + self.kind.len()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Kind and shape in a few words, as errors and the inspector show them: `mgie.visual_tokens f32 [8, 4096]`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        match &self.body {
            Body::None => Ok(()),
            Body::Tensor(tensor) => write!(f, " {} {:?}", tensor.dtype(), tensor.shape()),
            Body::Object(_) => f.write_str(" (object)"),
        }
    }
}

/// A picture taken from a wire: f32 [height, width, channels]; see [`kind::IMAGE`].
#[derive(Clone, Debug)]
pub struct Image {
    tensor: Tensor,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1, 3 or 4.
    pub channels: usize,
    /// 8, 16 or 32: what the values were stored in.
    pub bit_depth: u8,
}

impl Image {
    /// The values in rows, `height × width × channels` of them.
    pub fn pixels(&self) -> &[f32] {
        self.tensor.f32().unwrap_or_default()
    }

    /// The tensor itself.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
}
