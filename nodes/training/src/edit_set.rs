//! Editing many pictures with one of the paper's methods: MGIE, InstructPix2Pix (the instruction itself, through CLIP's
//! text tower), and LGIE (a language model that never sees the picture rewrites it). Each picture's noise is what the node
//! `diffusion.denoise` would draw from its seed.

use crate::dataset::Dataset;
use crate::model_files;
use crate::parameters::Parameters;
use crate::parts::{self, place};
use crate::sampling::{Sampling, Studio};
use crate::stages::denoiser::Reader;
use crate::stages::language::Eyes;
use candle_core::{DType, Device, Tensor};
use mgie_diffusion::unet::{Unet, UnetConfig};
use mgie_edit_head::EditHead;
use mgie_image::blur;
use mgie_image::difference_key::DifferenceKey;
use mgie_image::merge::merged;
use mgie_image::picture::Picture;
use mgie_mllm::config::LlavaConfig;
use mgie_mllm::generate::{Onlooker, Rules};
use mgie_mllm::llava::Llava;
use mgie_mllm::{LlavaTokenizer, expressive_instruction};
use mgie_plugin_api::{Failure, Run};
use mgie_weights::WeightsError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The whole of MGIE.
    Mgie,
    /// The instruction itself.
    InstructPix2Pix,
    /// The instruction, rewritten without the picture.
    Lgie,
}

impl Method {
    /// Every method, by its name in parameters.
    pub const ALL: [(&'static str, Self); 3] =
        [("mgie", Self::Mgie), ("instruct-pix2pix", Self::InstructPix2Pix), ("lgie", Self::Lgie)];
}

/// How the language model answers.
#[derive(Debug, Clone, Copy)]
pub struct Answering {
    /// Most tokens of an answer.
    pub max_new_tokens: usize,
    /// No run of so many tokens comes twice; 0 for no such rule.
    pub no_repeat_ngram: usize,
}

/// Feather of the mask by which a picture's own pixels are kept, as the small model's graph has it.
const FEATHER: f64 = 1.0;

/// An edited picture, and what the language model said where there is one.
pub struct Edited {
    /// RGB, 8 bits.
    pub picture: Vec<u8>,
    /// The expressive instruction.
    pub text: Option<String>,
}

/// A method's models, loaded.
pub struct Editor {
    parameters: Parameters,
    language: Option<(Llava, Option<Eyes>)>,
    reader: Option<Reader>,
    unet: UnetConfig,
    studio: Studio,
    answering: Answering,
    keeps: bool,
}

/// Ends a generation when the run is cancelled.
struct Watching<'r>(&'r Run);

impl Onlooker for Watching<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// The folders that a method's weights lie in.
pub fn weights_of(models: &Path, method: Method, mgie: &str, lgie: &str) -> Vec<PathBuf> {
    let places: &[&str] = match method {
        Method::Mgie => &[place::VAE, place::LLAVA, place::CLIP, mgie],
        Method::InstructPix2Pix => &[place::VAE, place::UNET, place::TEXT_ENCODER],
        Method::Lgie => &[place::VAE, place::UNET, place::TEXT_ENCODER, lgie],
    };
    places.iter().map(|place| models.join(place)).collect()
}

impl Editor {
    /// Loads what `method` needs: MGIE's weights from the folder `mgie` within the models folder, LGIE's language model
    /// from `lgie`.
    ///
    /// # Errors
    /// A file that is missing, malformed or does not fit the others.
    pub fn load(
        models: &Path,
        method: Method,
        mgie: &str,
        lgie: &str,
        device: &Device,
        answering: Answering,
    ) -> Result<Self, Failure> {
        let parameters = Parameters::new(device, 0, |_| false);
        let (unet, vae, _) = parts::diffusion(models)?;
        let studio = parts::studio(models, &vae, device)?;
        let (mut language, mut reader) = (None, None);
        let of_unet = if method == Method::Mgie { models.join(mgie).join("unet.pt") } else { models.join(place::UNET) };
        model_files::load(&parameters, "unet", &of_unet)?;
        model_files::check(&parameters, &of_unet, true, |w| Unet::new(&w.pp("unet"), &unet))?;
        if method != Method::Mgie {
            reader = Some(parts::reader_for(&parameters, models, &unet)?);
        }
        if method != Method::InstructPix2Pix {
            let folder = models.join(if method == Method::Mgie { place::LLAVA } else { lgie });
            let config = LlavaConfig::read(&folder)?;
            let tokenizer = Arc::new(LlavaTokenizer::open(&folder, config.use_im_start_end)?);
            model_files::load(&parameters, "llava", &folder)?;
            let mut eyes = None;
            if method == Method::Mgie {
                let mllm = models.join(mgie).join("mllm.pt");
                model_files::load(&parameters, "llava", &mllm)?;
                model_files::load(&parameters, "mgie", &mllm)?;
                model_files::check(&parameters, &mllm, true, |w| EditHead::load(&w.pp("mgie.edit_head")))?;
                eyes = Some(parts::eyes(&parameters, models, config.vision_layer)?);
            }
            let llava = parameters.weights(DType::F32).load(|w| Llava::new(config, tokenizer, &w.pp("llava")))?;
            language = Some((llava, eyes));
        }
        Ok(Self { parameters, language, reader, unet, studio, answering, keeps: false })
    }

    /// Whether the pictures keep their own pixels where the edits leave them alone; see [`kept`].
    #[must_use]
    pub fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    /// Edits the pictures of `examples`, cut to squares of `side`. The seed of the data set's first is `seed`, each next one's
    /// is one more.
    ///
    /// # Errors
    /// A picture that cannot be read, cancelled, no memory.
    pub fn edit(
        &self,
        run: &Run,
        dataset: &Dataset,
        examples: &[usize],
        side: usize,
        seed: u64,
        sampling: &Sampling,
    ) -> Result<Vec<Edited>, Failure> {
        let entries = examples.iter().filter_map(|example| dataset.entries().get(*example));
        let instructions: Vec<&str> = entries.map(|entry| entry.instruction.as_str()).collect();
        let sources = examples.iter().map(|example| Ok(dataset.pair(*example, side)?.source));
        let sources = sources.collect::<Result<Vec<_>, Failure>>()?;
        let (conditioning, null, texts) = self.condition(run, &instructions, &sources)?;
        let seeds: Vec<u64> = examples.iter().map(|example| seed.wrapping_add(*example as u64)).collect();
        let unet = self.parameters.weights(DType::F32).load(|w| Unet::new(&w.pp("unet"), &self.unet))?;
        let both = (&conditioning, &null);
        let pictures = self.studio.edit(&unet, &sources, &seeds, both, sampling, &|| run.check_cancelled())?;
        let pictures = pictures.into_iter().zip(&sources);
        let pictures = pictures.map(|(edit, source)| if self.keeps { kept(source, &edit) } else { edit });
        Ok(pictures.zip(texts).map(|(picture, text)| Edited { picture, text }).collect())
    }

    /// Conditioning and null conditioning, `[examples, tokens, width]` and `[1, tokens, width]`, and the texts.
    fn condition(
        &self,
        run: &Run,
        instructions: &[&str],
        sources: &[Picture],
    ) -> Result<(Tensor, Tensor, Vec<Option<String>>), Failure> {
        let Answering { max_new_tokens, no_repeat_ngram } = self.answering;
        let mut texts = vec![None; instructions.len()];
        let mut visual = Vec::new();
        if let Some((llava, eyes)) = &self.language {
            let features = eyes.as_ref().map(|eyes| eyes.of(&self.parameters, sources, DType::F32)).transpose()?;
            let rules = Rules { max_new_tokens, no_repeat_ngram, eos: vec![llava.tokenizer().eos()] };
            for (index, instruction) in instructions.iter().enumerate() {
                let features = features.as_ref().map(|all| all.get(index)).transpose().map_err(WeightsError::from)?;
                let expansion = llava.expand(features.as_ref(), instruction, &rules, &mut Watching(run))?;
                texts[index] = Some(expressive_instruction(&llava.tokenizer().decode(&expansion.sequence)));
                visual.push(expansion.visual_tokens);
            }
            if eyes.is_some() {
                let both = || -> candle_core::Result<(Tensor, Tensor)> {
                    let head = EditHead::load(&self.parameters.weights(DType::F32).pp("mgie.edit_head"))?;
                    let img = llava.img_embeddings();
                    let null = head.forward(&img.zeros_like()?.unsqueeze(0)?, img)?;
                    Ok((head.forward(&Tensor::stack(&visual, 0)?, img)?, null))
                };
                let (conditioning, null) = both().map_err(WeightsError::from)?;
                return Ok((conditioning, null, texts));
            }
        }
        let reader = self.reader.as_ref().ok_or_else(|| Failure::fault("a method without a text tower"))?;
        let read: Vec<&str> = instructions
            .iter()
            .zip(&texts)
            .map(|(instruction, text)| text.as_deref().map_or(*instruction, bare))
            .collect();
        let conditioning = reader.conditioning(&self.parameters, &read, DType::F32)?;
        Ok((conditioning, reader.conditioning(&self.parameters, &[""], DType::F32)?, texts))
    }
}

/// The picture's own pixels where the edit (RGB, 8 bits) leaves it alone: what `image.difference_key` and `image.merge` make
/// of the two with their defaults and a feather of 1 px.
pub fn kept(source: &Picture, edit: &[u8]) -> Vec<u8> {
    let samples = edit.iter().map(|sample| f32::from(*sample) / 255.0).collect();
    let edit = Picture { samples, bit_depth: 8, ..*source };
    let mask = DifferenceKey::default().mask(source.clone(), edit.clone());
    let mask = blur::gaussian(&mask, source.width, source.height, FEATHER);
    let kept = merged(source.clone(), edit, &mask).samples;
    kept.into_iter().map(|sample| (sample.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8).collect()
}

/// A text as the data sets have it: without the full stop that people are shown.
fn bare(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::{DifferenceKey, FEATHER, Picture, kept};
    use mgie_plugin_api::serde_json::{Value, from_str, json};

    #[test]
    fn what_is_kept_is_what_the_small_models_graph_keeps() {
        let graph: Value = from_str(include_str!("../../../graphs/small/edit.json")).expect("a graph");
        let DifferenceKey { blur, tolerance, softness } = DifferenceKey::default();
        let expected = json!({ "tolerance": tolerance, "softness": softness, "blur": blur });
        assert_eq!(graph["nodes"]["changed"]["params"], expected);
        assert_eq!(graph["nodes"]["keep"]["params"], json!({ "feather": FEATHER }));
    }

    #[test]
    fn a_picture_keeps_its_own_pixels_where_the_edit_leaves_it_alone() {
        let (side, channels) = (48, 3);
        let samples: Vec<u8> = (0..side * side * channels).map(|i| 64 + (i * 37 % 96) as u8).collect();
        let source = Picture {
            width: side,
            height: side,
            channels,
            bit_depth: 8,
            samples: samples.iter().map(|sample| f32::from(*sample) / 255.0).collect(),
        };
        // A little off all over, and black from the middle on.
        let place = |i: usize| i / channels % side;
        let off = |(i, sample): (usize, &u8)| if place(i) < side / 2 { sample + 3 } else { 0 };
        let edit: Vec<u8> = samples.iter().enumerate().map(off).collect();
        for (i, found) in kept(&source, &edit).into_iter().enumerate() {
            match place(i) {
                column if column < side / 2 - 8 => assert_eq!(found, samples[i], "column {column}"),
                column if column > side / 2 + 2 => assert_eq!(found, 0, "column {column}"),
                _ => {}
            }
        }
    }
}
